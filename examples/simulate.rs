//! Writes a simulated shop as the files an analyst would bring, and its true effects beside them.
//!
//! ```text
//! cargo run --release --example simulate -- --seed 1 --customers 4000 --out shop
//! ```
//!
//! `transactions.csv.gz`, `products.csv`, `assignments.csv` and `promotion.toml` are what `measure` reads; `truth.json` is what it should find.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use flate2::{Compression, GzBuilder};
use polars::prelude::{AnyValue, DataFrame};
use promolift::simulate::{SeniorMeat, World};
use promolift::study::{Ids, Promotion, Selection};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Simulates a 10 % coupon on meat for the segment Senior.
#[derive(Parser)]
struct Arguments {
    /// The seed: the same seed gives the same files.
    #[arg(long, default_value_t = SeniorMeat::default().seed)]
    seed: u64,
    /// How many customers are assigned.
    #[arg(long, default_value_t = SeniorMeat::default().customers)]
    customers: u32,
    /// The folder to write into; it is made if need be.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
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

fn run(arguments: &Arguments) -> Result<()> {
    let world = SeniorMeat { seed: arguments.seed, customers: arguments.customers, ..SeniorMeat::default() }.draw()?;
    let at = |name: &str| arguments.out.join(name);
    fs::create_dir_all(&arguments.out)?;
    let mut packed = GzBuilder::new().mtime(0).write(BufWriter::new(File::create(at("transactions.csv.gz"))?), Compression::best());
    packed.write_all(csv(&world.transactions)?.as_bytes())?;
    packed.finish()?.flush()?;
    fs::write(at("products.csv"), csv(&world.products)?)?;
    fs::write(at("assignments.csv"), assignments(&world))?;
    fs::write(at("promotion.toml"), promotion_file(&world)?)?;
    fs::write(at("truth.json"), serde_json::to_string_pretty(&world.truth)? + "\n")?;
    eprintln!("{} lines of {} customers written to {}", world.transactions.height(), world.assignment.len(), arguments.out.display());
    Ok(())
}

/// The frame as CSV, money with two decimals.
fn csv(frame: &DataFrame) -> Result<String> {
    let mut text = frame.get_column_names().iter().map(|n| n.as_str()).collect::<Vec<_>>().join(",");
    for row in 0..frame.height() {
        for (index, column) in frame.columns().iter().enumerate() {
            text.push(if index == 0 { '\n' } else { ',' });
            match column.get(row)? {
                AnyValue::Float64(money) => write!(text, "{money:.2}")?,
                value => text.push_str(&value.str_value()),
            }
        }
    }
    text.push('\n');
    Ok(text)
}

fn assignments(world: &World) -> String {
    let rows = world.assignment.arm.iter().enumerate().map(|(i, arm)| format!("{},{arm}\n", world.assignment.customers.text(i)));
    "customer,arm\n".to_owned() + &rows.collect::<String>()
}

/// The promotion as a person would write it down.
fn promotion_file(world: &World) -> Result<String> {
    let promotion = &world.promotion;
    let mut text = String::new();
    writeln!(text, "# A 10 % coupon on meat for the segment Senior: issued on 10 days, valid for 15 more.")?;
    writeln!(text, "id = \"{}\"", promotion.id)?;
    writeln!(text, "randomised = {}", promotion.randomised)?;
    writeln!(text, "start = {}               # first issue", promotion.start)?;
    writeln!(text, "end = {}                 # last expiry", promotion.end)?;
    writeln!(text, "baseline_days = {}", promotion.baseline_days)?;
    writeln!(text, "post_days = {}", promotion.post_days)?;
    writeln!(text, "currency = \"{}\"", promotion.currency.as_deref().unwrap_or("EUR"))?;
    writeln!(text, "\n[focal]                          # the meat on offer\nproducts = [{}]", focal(promotion)?)?;
    writeln!(text, "\n[substitutes]                    # all other meat\nsame = \"category\"")?;
    if let Some(share) = world.assignment.target_share {
        writeln!(text, "\n[assignment]\nintended_target_share = {share}")?;
    }
    write_terms(&mut text, promotion)?;
    write_goals(&mut text, promotion)?;
    Ok(text)
}

fn focal(promotion: &Promotion) -> Result<String> {
    match &promotion.focal {
        Selection::Products(Ids::Texts(ids)) => Ok(ids.iter().map(|id| format!("\"{id}\"")).collect::<Vec<_>>().join(", ")),
        other => Err(format!("the products on offer are not a list: {other:?}").into()),
    }
}

fn write_terms(text: &mut String, promotion: &Promotion) -> Result<()> {
    for discount in &promotion.discounts {
        writeln!(text, "\n[[discounts]]                    # net_sales is already net of it\ncolumn = \"{}\"", discount.column)?;
        writeln!(text, "paid_by = \"retailer\"\nin_net_sales = {}\noffer = {}", discount.in_net_sales, discount.offer)?;
    }
    for supplier in &promotion.suppliers {
        writeln!(
            text,
            "\n[[suppliers]]                    # margin per unit: products.csv\nname = \"{}\"\nfixed_cost = {:.2}",
            supplier.name, supplier.fixed_cost
        )?;
    }
    for funding in &promotion.funding {
        writeln!(text, "\n[[funding]]                      # the supplier pays half of the coupon\nsupplier = \"{}\"\nkind = \"scan_back\"", funding.supplier)?;
        writeln!(text, "share_of_discount = {}", funding.share_of_discount.unwrap_or_default())?;
    }
    let costs = &promotion.costs;
    writeln!(text, "\n[costs]\ndesign = {:.2}\nexecute = {:.2}\nmeasure = {:.2}", costs.design, costs.execute, costs.measure)?;
    writeln!(text, "per_contact = {}               # times the target customers\nper_redemption = {}", costs.per_contact, costs.per_redemption)?;
    Ok(())
}

fn write_goals(text: &mut String, promotion: &Promotion) -> Result<()> {
    for goal in &promotion.goals {
        let name = |value: &Option<String>| value.clone().unwrap_or_default();
        writeln!(text, "\n[[goals]]\nname = \"{}\"\neffect = \"{}\"\nmeasure = \"{}\"", goal.name, name(&goal.effect), name(&goal.measure))?;
        writeln!(text, "relative = {:?}", goal.relative.unwrap_or_default())?;
    }
    Ok(())
}
