//! Writes a simulated shop as the files an analyst would bring, and its true effects beside them.
//!
//! ```text
//! cargo run --release --example simulate -- --seed 1 --customers 4000 --out shop
//! cargo run --release --example simulate -- --preset cvs --customers 20000 --format parquet --out cvs
//! ```
//!
//! Without `--preset` it is the coupon of the bundled sample: `transactions.csv.gz`, `products.csv`, `assignments.csv` and `promotion.toml` are what
//! `measure` reads; `truth.json` is what it should find. With a preset there may be several promotions: each has a TOML file by its name, `assignments`
//! has a column `promotion`, `live.csv` says who was in which, and `truth.json` is a list.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use polars::prelude::{AnyValue, DataFrame};
use promolift::simulate::{Preset, Retailer, SeniorMeat, World};
use promolift::study::{Ids, Promotion, Selection};

#[path = "simulate/retailer.rs"]
mod retailer;
#[path = "../src/whole_file.rs"]
mod whole_file;

use retailer::Format;
use whole_file::written_whole;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Simulates a 10 % coupon on meat for the segment Senior, or a retailer with a name.
#[derive(Parser)]
struct Arguments {
    /// The seed: the same seed gives the same files.
    #[arg(long)]
    seed: Option<u64>,
    /// How many customers there are.
    #[arg(long)]
    customers: Option<u32>,
    /// The folder to write into; it is made if need be. Needed but with --format none.
    #[arg(long, value_name = "DIR", required_unless_present = "format")]
    out: Option<PathBuf>,
    #[arg(long, help = presets())]
    preset: Option<Preset>,
    /// A file with a retailer (TOML, the keys of `Retailer`); what it leaves out has its default.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    retailer: Option<PathBuf>,
    /// How many weeks the ledger covers; of a retailer.
    #[arg(long)]
    weeks: Option<u32>,
    /// How many promotions there are: those of the retailer first, then more like its first one.
    #[arg(long)]
    promotions: Option<u32>,
    /// How many further customers are drawn for the truth of the population of a retailer.
    #[arg(long)]
    further_customers: Option<u32>,
    /// How the tables of a retailer are written; none: only draw, and say how fast.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

fn presets() -> String {
    let names = |broken: bool| Preset::ALL.iter().filter(|p| p.is_broken() == broken).map(|p| p.name()).collect::<Vec<_>>().join(", ");
    format!("A retailer with a name: {}; broken ones: {}", names(false), names(true))
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
    match (arguments.preset, &arguments.retailer) {
        (Some(preset), _) => draw(arguments, Retailer::preset(preset)),
        (None, Some(path)) => draw(arguments, retailer::read(path)?),
        (None, None) => sample(arguments),
    }
}

/// A retailer with what the arguments change.
fn draw(arguments: &Arguments, mut retailer: Retailer) -> Result<()> {
    retailer.seed = arguments.seed.unwrap_or(retailer.seed);
    retailer.customers = arguments.customers.unwrap_or(retailer.customers);
    retailer.weeks = arguments.weeks.unwrap_or(retailer.weeks);
    retailer.further_customers = arguments.further_customers.unwrap_or(retailer.further_customers);
    if let Some(promotions) = arguments.promotions {
        retailer::with_promotions(&mut retailer, promotions as usize);
    }
    retailer::write(&retailer, arguments.format.unwrap_or(Format::Csv), arguments.out.as_deref())
}

/// The coupon of the bundled sample.
fn sample(arguments: &Arguments) -> Result<()> {
    if arguments.weeks.is_some() || arguments.promotions.is_some() || arguments.further_customers.is_some() || arguments.format.is_some() {
        return Err("--weeks, --promotions, --further-customers and --format need a retailer: give --preset or --retailer".into());
    }
    let default = SeniorMeat::default();
    let (seed, customers) = (arguments.seed.unwrap_or(default.seed), arguments.customers.unwrap_or(default.customers));
    let world = SeniorMeat { seed, customers, ..default }.draw()?;
    let out = arguments.out.as_deref().ok_or("--out is needed")?;
    let at = |name: &str| out.join(name);
    fs::create_dir_all(out)?;
    packed(&at("transactions.csv.gz"), Compression::best(), |packed| Ok(packed.write_all(csv(&world.transactions)?.as_bytes())?))?;
    put(&at("products.csv"), csv(&world.products)?)?;
    put(&at("assignments.csv"), assignments(&world))?;
    put(&at("promotion.toml"), promotion_file(&world)?)?;
    put(&at("truth.json"), serde_json::to_string_pretty(&world.truth)? + "\n")?;
    eprintln!("{} lines of {} customers written to {}", world.transactions.height(), world.assignment.len(), out.display());
    Ok(())
}

/// Writes a file that is whole or not there.
fn put(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    Ok(written_whole(path, |beside| fs::write(beside, content))?)
}

/// A file packed by gzip.
type Packed = GzEncoder<BufWriter<File>>;

/// The same of one that is packed as it is written; always the same bytes.
fn packed<T>(path: &Path, level: Compression, write: impl FnOnce(&mut Packed) -> Result<T>) -> Result<T> {
    written_whole(path, |beside| {
        let mut packed = GzBuilder::new().mtime(0).write(BufWriter::new(File::create(beside)?), level);
        let value = write(&mut packed)?;
        packed.finish()?.flush()?;
        Ok(value)
    })
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
