//! What a reader should know besides: hazards of the input, of the statistics, and of checks that warn.

use super::{Job, intervals};
use crate::profit::Profit;
use crate::study::{Arm, CovarianceRule, EstimatorName, OfferLines, Period};
use crate::validity::{CheckResult, Hazard, Status, Warning};

/// All warnings of a measurement.
pub(super) fn warnings(job: &Job<'_>, checks: &[CheckResult], profit: &Profit) -> Vec<Warning> {
    let mut warnings = of_input(job);
    warnings.extend(of_statistics(job));
    let outside = profit.memo.iter().find(|r| r.row == "offer_discount_outside_focal").and_then(|r| r.estimate.value());
    if let Some(outside) = outside
        && outside.abs() >= 0.005
    {
        warnings.push(Warning::new(
            Hazard::OfferDiscountOutsideFocal,
            format!("the offer's discount columns also change by {outside:.2} on lines that are not focal in the promotion window (tender lines?); the bridge counts them in the margins of those lines"),
        ));
    }
    warnings.extend(checks.iter().filter(|c| c.status == Status::Warn).filter_map(of_check));
    warnings
}

fn of_check(check: &CheckResult) -> Option<Warning> {
    let (hazard, action) = match check.check {
        "sample_ratio" => (Hazard::SampleRatio, "check how customers were assigned"),
        "baseline_balance" => (Hazard::BaselineBalance, "the arms differed before; prefer an estimator that adjusts for it"),
        "placebo" => (Hazard::Placebo, "read the effects with that in mind"),
        "control_leak" => (Hazard::ControlLeak, "effects are understated by about that share; never drop the controls who redeemed"),
        "other_promotions" => (Hazard::OtherPromotions, "the effect is on top of those promotions"),
        "window_coverage" => (Hazard::WindowCoverage, "bring the missing days; a short post window hides forward buying"),
        "focal_share" => (Hazard::FocalShare, "direct effect, cannibalisation and halo say little apart; read the total"),
        "small_arms" => (Hazard::SmallArms, "only large effects can be found"),
        "on_sale_share" => (Hazard::OnSaleShare, "the general sale, not the offer, sets most of the focal prices"),
        "silence" => (Hazard::Silence, "one arm lost more customers from sight; look for a reason other than the offer"),
        _ => return None,
    };
    Some(Warning::new(hazard, format!("{}; {action}", check.text)))
}

fn of_input(job: &Job<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let facts = &job.table.facts;
    let baseline = job.plan.windows.days(Period::Baseline);
    if baseline < 14 {
        let text = format!("the baseline has {baseline} days; under 14 the placebo cannot run and covariates say little. Bring more days before the promotion");
        warnings.push(Warning::new(Hazard::ShortBaseline, text));
    }
    if facts.repeated_products > 0 {
        let text = format!("{} rows of the product table repeat a product with the same category; the first was kept", facts.repeated_products);
        warnings.push(Warning::new(Hazard::RepeatedProducts, text));
    }
    if !facts.null_discounts.is_empty() {
        let columns: Vec<String> = facts.null_discounts.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        warnings.push(Warning::new(Hazard::EmptyDiscounts, format!("empty values were taken as 0 in {}", columns.join(", "))));
    }
    if let Some(lines) = facts.lines {
        if lines.negative_price > 0 {
            let text = format!(
                "{} lines have quantity and net sales of opposite signs; they are counted as they stand. Check whether they are corrections",
                lines.negative_price
            );
            warnings.push(Warning::new(Hazard::NegativePrice, text));
        }
        let has_cost = job.plan.amounts.iter().any(|a| a.name == "cost");
        if has_cost && lines.without_cost > 0 {
            let text = format!("{} of {} lines have no unit cost; the margin rate was used for them", lines.without_cost, lines.used);
            warnings.push(Warning::new(Hazard::WithoutCost, text));
        }
    }
    warnings.extend(super::oddities::warnings(job));
    warnings.extend(job.plan.warnings.iter().cloned());
    warnings.extend(log_quantities(job));
    warnings.extend(log_without_lines(job));
    warnings
}

/// A redemption log that disagrees with the lines it marks.
fn log_quantities(job: &Job<'_>) -> Option<Warning> {
    let log = job.study.promotion.redemptions.as_ref()?;
    let units = job.plan.measures.iter().find(|m| m.name == "units")?;
    let logged: f64 = log.iter().filter_map(|r| r.quantity).sum();
    let on_lines: f64 = crate::effects::measure_by_customer(job.table, units, |a| a.offer == Some(true)).iter().sum();
    let all = log.iter().all(|r| r.quantity.is_some());
    (all && (logged - on_lines).abs() > 0.005).then(|| {
        let text = format!("the log redeems {logged} units, the lines it marks hold {on_lines}; redeemed units are counted on the lines");
        Warning::new(Hazard::LogQuantities, text)
    })
}

/// Redemptions in the log of customers who have no line that it marks.
fn log_without_lines(job: &Job<'_>) -> Option<Warning> {
    let redemptions = job.table.redemptions.as_ref().filter(|_| job.study.promotion.offer_lines() == OfferLines::Log)?;
    let on_lines = |name: &str| {
        let measure = job.plan.measures.iter().find(|m| m.name == name);
        measure.map_or_else(|| vec![0.0; job.table.customers], |m| crate::effects::measure_by_customer(job.table, m, |a| a.offer == Some(true)))
    };
    let lines = on_lines("units").into_iter().zip(on_lines("net_sales"));
    let redeemers = redemptions.iter().filter(|r| **r > 0).count();
    let without = redemptions.iter().zip(lines).filter(|(r, (units, sales))| **r > 0 && *units == 0.0 && *sales == 0.0).count();
    (without > 0).then(|| {
        let text = format!(
            "{without} of {redeemers} customers with redemptions in the log have no line that it marks: their redemptions are counted, but no unit and no discount. \
             Compare the log's customers, days and products with the lines"
        );
        Warning::new(Hazard::LogWithoutLines, text)
    })
}

fn of_statistics(job: &Job<'_>) -> Vec<Warning> {
    let mut warnings = intervals::warnings(job);
    warnings.extend(intervals::skewed_effects(job));
    let options = &job.study.options;
    let welch = options.covariance == CovarianceRule::Default && job.fit.cluster_count().is_none();
    if options.estimator == EstimatorName::Cuped && welch && !job.study.promotion.randomised {
        let text = "cuped with its own covariance takes the slope as known, which needs a target that was drawn; use covariance = \"HC2\" or regression_att";
        warnings.push(Warning::new(Hazard::CupedNeedsRandomisation, text));
    }
    if matches!(options.estimator, EstimatorName::Cuped | EstimatorName::Regression) {
        let text =
            "totals and money are target customers times the average over all assigned; they do not agree with the ledger to the cent. regression_att does";
        warnings.push(Warning::new(Hazard::TotalsOverAssigned, text));
    }
    warnings.extend(customers_outside(job));
    if job.projects_target() {
        let text = format!(
            "totals and money are {} target customers times their weighted average: target customers do not all weigh the same, so that totals do not agree with \
             the ledger to the cent",
            job.fit.customers(Arm::Target)
        );
        warnings.push(Warning::new(Hazard::TotalsAsWeighted, text));
    }
    warnings
}

/// Target customers of whom the effects say nothing.
fn customers_outside(job: &Job<'_>) -> Option<Warning> {
    let design = super::design::facts(job.study, &job.fit);
    let (outside, all) = (design.outside().target, job.study.assignment.count(Arm::Target));
    let (why, hazard, action) = if design.unmatched.is_some() {
        ("have no control like them", Hazard::UnmatchedTarget, "Cut covariates into fewer groups to match more of them")
    } else {
        ("have a weight of 0", Hazard::TargetWithoutWeight, "Give them a weight to have them in")
    };
    (outside > 0).then(|| {
        let text = format!(
            "{outside} of {all} target customers {why}: effects, totals and money are of the other {}, with the costs of contacting and redeeming of those, and \
             the fixed costs in full. What the offer did to the {outside} is not known. {action}",
            all - outside
        );
        Warning::new(hazard, text)
    })
}
