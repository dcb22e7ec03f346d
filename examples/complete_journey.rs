//! A campaign of Complete Journey, the public data of a grocer in the United States: why its effect cannot be told from these data.
//!
//! ```text
//! cargo run --example complete_journey -- [FOLDER] [--campaign 8] [--estimator NAME]
//! ```
//!
//! The folder holds `c8.toml`, `assignments_c8.csv`, `transactions.csv.gz` and `products.csv.gz`; by default it is the small extract of the tests.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use promolift::files::Inputs;
use promolift::measure::{EffectEstimate, Named};
use promolift::prelude::*;
use promolift::study::DaySpan;
use promolift::validity::Conclusion;

/// Compares the households that got a campaign's coupons with those that did not, in three ways, and says what may be concluded.
#[derive(Debug, Parser)]
#[command(name = "complete_journey", version)]
struct Arguments {
    /// The folder with the campaign's files; by default the small extract of the tests
    folder: Option<PathBuf>,
    /// Which campaign
    #[arg(long, default_value_t = 8)]
    campaign: u32,
    /// How to estimate; wins over the promotion file
    #[arg(long, value_name = "NAME", value_parser = estimators())]
    estimator: Option<EstimatorName>,
}

/// The names of the estimators, so that a mistyped one is told with those that there are.
fn estimators() -> impl TypedValueParser<Value = EstimatorName> {
    PossibleValuesParser::new(EstimatorName::ALL.map(EstimatorName::name)).try_map(|name| name.parse::<EstimatorName>())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let folder = arguments.folder.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/complete_journey_small"));
    let number = arguments.campaign;
    let file = |name: &str| folder.join(name);
    let (assignments, promotion) = (file(&format!("assignments_c{number}.csv")), file(&format!("c{number}.toml")));
    let opened = Inputs::new(file("transactions.csv.gz"), file("products.csv.gz"), assignments, promotion).open()?;
    let files = opened.files;
    let explained = |error| files.explain(error);
    let ledger = Ledger::from_frames(opened.transactions, opened.products, &opened.columns).map_err(explained)?;
    let mut study = opened.study;
    study.options.estimator = arguments.estimator.unwrap_or(study.options.estimator);
    let measured = study.measure(&ledger).map_err(explained)?;
    study.options.estimator = EstimatorName::Unadjusted;
    tell(number, &study.measure(&ledger).map_err(explained)?, &measured);
    Ok(())
}

fn tell(number: u32, naive: &Measurement, measured: &Measurement) {
    let arms = &measured.arms;
    println!("Complete Journey, campaign {number}: {}", measured.windows.promotion.map_or_else(String::new, |span| span.to_string()));
    println!("{} households got its coupons, {} did not. They were chosen, not drawn.\n", arms.target.customers, arms.control.customers);

    let (before, after) = (weeks(&[measured.windows.baseline]), weeks(&[measured.windows.promotion, measured.windows.post]));
    println!("1. The naive difference");
    if let Some(total) = total(naive) {
        println!("   From the start on, households with coupons spent {} a week more each than those without.", per_week(total, after));
        println!("   Read as an effect, that is {} on what they would have spent anyway.", percent(total));
    }
    println!("   But in the {before:.0} weeks before the first coupon they spent ${:.2} a week more already.\n", baseline_gap(measured) / before);

    println!("2. The same with like compared with like: {}", measured.estimator);
    if let Some(total) = total(measured) {
        println!("   Households without coupons are weighted so that they had bought the same before. What is left of the difference");
        println!("   is {} a week, {}. Is that the campaign, or what made someone choose these households?\n", per_week(total, after), percent(total));
    }

    println!("3. The placebo: the same question where the answer is known");
    println!("   Told only of the first half of the weeks before, the estimator looks for an effect in the second. It should find none.");
    for check in measured.checks.iter().filter(|c| ["placebo", "baseline_balance"].contains(&c.check)) {
        println!("   {} ({:?}): {}", check.check, check.status, check.text);
    }
    println!("\n4. The conclusion\n   {}", conclusion(&measured.conclusion));
}

fn total(measurement: &Measurement) -> Option<&EffectEstimate> {
    measurement.effects.iter().find(|e| e.measure == "net_sales" && e.effect == "total")
}

fn weeks(spans: &[Option<DaySpan>]) -> f64 {
    spans.iter().flatten().map(|span| f64::from(span.days())).sum::<f64>() / 7.0
}

fn per_week(effect: &EffectEstimate, weeks: f64) -> String {
    let value = |known: Known<f64>| known.value().map_or("unknown".to_owned(), |money| format!("${:.2}", money / weeks));
    format!("{} ({} to {})", value(effect.per_customer), value(effect.ci_low), value(effect.ci_high))
}

fn percent(effect: &EffectEstimate) -> String {
    effect.relative.estimate.value().map_or("an unknown share".to_owned(), |share| format!("{:+.0} %", 100.0 * share))
}

/// What the target spent more per household before the campaign.
fn baseline_gap(measurement: &Measurement) -> f64 {
    let cells = measurement.cells.get("net_sales").into_iter().flat_map(Named::iter);
    cells.filter(|(name, _)| name.ends_with(".baseline")).map(|(_, cell)| cell.target.mean - cell.control.mean).sum()
}

fn conclusion(conclusion: &Conclusion) -> String {
    match conclusion {
        Conclusion::Refused { reasons } => format!(
            "REFUSED, because of: {}.\n   The groups differ in ways that their past purchases do not account for, so no figure above is the campaign's doing.\n   \
             The honest answer is to draw the next target group at random.",
            reasons.join(", ")
        ),
        other => format!("{other:?}: no check objects, which for a chosen target group is no proof."),
    }
}
