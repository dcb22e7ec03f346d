//! A retailer as files.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use clap::ValueEnum;
use flate2::Compression;
use polars::prelude::{Column, DataFrame, DataType, ParquetReader, ParquetWriter, SerReader};
use promolift::simulate::{Launch, Retailer, RetailerWorld};
use promolift::study::{Day, Selection};

use super::{Result, packed, put, written_whole};

/// How tables are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// CSV, the transactions packed by gzip.
    Csv,
    /// Parquet.
    Parquet,
    /// Not at all.
    None,
}

/// A retailer from a TOML file.
pub(crate) fn read(path: &Path) -> Result<Retailer> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
}

/// Draws a retailer and writes its files.
pub(crate) fn write(retailer: &Retailer, format: Format, out: Option<&Path>) -> Result<()> {
    let began = Instant::now();
    if format == Format::None {
        let world = retailer.draw()?;
        report(&world, world.transactions.height(), began, "drawn");
        return Ok(());
    }
    let out = out.ok_or("--out is needed")?;
    let mut lines = 0;
    fs::create_dir_all(out)?;
    let world = if format == Format::Parquet {
        let path = out.join("transactions.parquet");
        let world = retailer.draw_to_parquet(&path)?;
        lines = ParquetReader::new(File::open(&path)?).num_rows()?;
        world
    } else {
        packed(&out.join("transactions.csv.gz"), Compression::fast(), |packed| {
            let mut text = Vec::new();
            let world = retailer.draw_in_parts(|frame| {
                text.clear();
                write_csv(&frame, lines == 0, &mut text)?;
                lines += frame.height();
                Ok(packed.write_all(&text)?)
            })?;
            Ok(world)
        })?
    };
    write_tables(&world, format, out)?;
    report(&world, lines, began, &format!("written to {}", out.display()));
    Ok(())
}

fn report(world: &RetailerWorld, lines: usize, began: Instant, done: &str) {
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{lines} lines {done} in {seconds:.1} s, {:.0} lines a second", lines as f64 / seconds);
    for launch in &world.launches {
        let truth = &launch.truth;
        let [target, assigned] = [truth.target_customers, truth.assigned_customers];
        eprint!("{}: {target} of {assigned} customers in the target, {} redeemers", launch.promotion.id, truth.redeemers);
        if let Some(parts) = truth.decomposition() {
            eprint!("; direct units are {:.1} % switched, ", 100.0 * parts.switching);
            eprint!("{:.1} % bought forward, {:.1} % incremental; halo {:.3}", 100.0 * parts.forward_buying, 100.0 * parts.incremental, parts.halo);
        }
        eprintln!();
    }
}

/// Adds promotions like the first one, on other products, until there are so many; or leaves the last ones out.
pub(crate) fn with_promotions(retailer: &mut Retailer, count: usize) {
    retailer.offers.truncate(count);
    let Some(first) = retailer.offers.first().cloned() else { return };
    let (categories, brands) = (retailer.categories.saturating_sub(1).max(1), retailer.brands.saturating_sub(1).max(1));
    let places = (0..brands).flat_map(|b| (0..categories).map(move |c| (c, b + 1)));
    for (category, brand) in places {
        if retailer.offers.len() >= count {
            return;
        }
        if !retailer.offers.iter().any(|o| o.category == category && o.brand == brand) {
            let number = retailer.offers.len();
            let id = format!("{}-{}", first.id, number + 1);
            retailer.offers.push(promolift::simulate::Offer { id, category, brand, start: first.start + 7 * (number % 3) as u32, ..first.clone() });
        }
    }
}

fn write_tables(world: &RetailerWorld, format: Format, out: &Path) -> Result<()> {
    let table = |name: &str, mut frame: DataFrame| -> Result<()> {
        if format == Format::Parquet {
            let written = |beside: &Path| -> Result<()> { Ok(ParquetWriter::new(File::create(beside)?).finish(&mut frame).map(drop)?) };
            return written_whole(&out.join(format!("{name}.parquet")), written);
        }
        let mut text = Vec::new();
        write_csv(&frame, true, &mut text)?;
        put(&out.join(format!("{name}.csv")), text)
    };
    table("products", world.products.clone())?;
    table("assignments", assignments(world)?)?;
    for launch in &world.launches {
        put(&out.join(format!("{}.toml", launch.promotion.id)), promotion_file(launch, format, world.launches.len() > 1)?)?;
    }
    if world.launches.len() > 1 {
        let mut text = "customer,promotion,start,end\n".to_owned();
        for row in world.launches.iter().flat_map(Launch::live) {
            writeln!(text, "{},{},{},{}", row.customer, row.promotion, row.start, row.end)?;
        }
        put(&out.join("live.csv"), text)?;
    }
    let truths: Vec<_> = world.launches.iter().map(|l| &l.truth).collect();
    put(&out.join("truth.json"), serde_json::to_string_pretty(&truths)? + "\n")?;
    Ok(())
}

/// One row a customer and promotion.
fn assignments(world: &RetailerWorld) -> Result<DataFrame> {
    let mut frame = DataFrame::empty();
    for launch in &world.launches {
        let assignment = &launch.assignment;
        let names = |codes: &Option<promolift::study::Codes>| -> Vec<Option<String>> {
            let name = |row: usize| codes.as_ref().map(|c| c.names[c.codes[row] as usize].clone());
            (0..assignment.len()).map(name).collect()
        };
        let customers: Vec<i64> = match &assignment.customers {
            promolift::study::Ids::Integers(ids) => ids.clone(),
            promolift::study::Ids::Texts(_) => return Err("customers have integer ids".into()),
        };
        let rows = DataFrame::new_infer_height(vec![
            Column::new("customer".into(), customers),
            Column::new("arm".into(), assignment.arm.iter().map(ToString::to_string).collect::<Vec<_>>()),
            Column::new("promotion".into(), vec![launch.promotion.id.as_str(); assignment.len()]),
            Column::new("stratum".into(), names(&assignment.stratum)),
            Column::new("cluster".into(), names(&assignment.cluster)),
        ])?;
        frame = if frame.width() == 0 { rows } else { frame.vstack(&rows)? };
    }
    let unused: Vec<&str> = ["stratum", "cluster"].into_iter().filter(|name| frame.column(name).is_ok_and(|c| c.null_count() == c.len())).collect();
    Ok(frame.drop_many(unused))
}

/// The promotion as TOML; ids are texts in CSV files.
fn promotion_file(launch: &Launch, format: Format, several: bool) -> Result<String> {
    let mut promotion = launch.promotion.clone();
    if let (Selection::Products(ids), Format::Csv) = (&promotion.focal, format) {
        promotion.focal = Selection::products(ids.clone().into_texts());
    }
    let others = if several { "other_promotions_file = \"live.csv\"\n" } else { "" };
    let mut text = others.to_owned() + &toml::to_string(&promotion)? + "\n[assignment]\n";
    if let Some(share) = launch.assignment.target_share {
        writeln!(text, "intended_target_share = {share:?}")?;
    }
    for (column, codes) in [("stratum", &launch.assignment.stratum), ("cluster", &launch.assignment.cluster)] {
        if codes.is_some() {
            writeln!(text, "{column} = \"{column}\"")?;
        }
    }
    Ok(text)
}

/// A column, to be written value by value.
enum Values<'a> {
    Wide(&'a [i64]),
    Narrow(&'a [i32]),
    Days(&'a [i32]),
    Money(&'a [f64]),
    Texts(Vec<&'a str>),
}

/// Adds a frame as CSV, money with two decimals.
fn write_csv(frame: &DataFrame, header: bool, text: &mut Vec<u8>) -> promolift::Result<()> {
    if header {
        let names: Vec<&str> = frame.get_column_names().iter().map(|n| n.as_str()).collect();
        writeln!(text, "{}", names.join(","))?;
    }
    let mut frame = frame.clone();
    frame.rechunk_mut();
    let columns = frame.columns().iter().map(values).collect::<promolift::Result<Vec<_>>>()?;
    let mut day = (i32::MIN, String::new());
    for row in 0..frame.height() {
        for (place, column) in columns.iter().enumerate() {
            if place > 0 {
                text.push(b',');
            }
            match column {
                Values::Wide(values) => write!(text, "{}", values[row])?,
                Values::Narrow(values) => write!(text, "{}", values[row])?,
                Values::Money(values) => write!(text, "{:.2}", values[row])?,
                Values::Texts(values) => text.extend_from_slice(values[row].as_bytes()),
                Values::Days(values) => {
                    if day.0 != values[row] {
                        day = (values[row], Day::from_epoch(values[row]).to_string());
                    }
                    text.extend_from_slice(day.1.as_bytes());
                }
            }
        }
        text.push(b'\n');
    }
    Ok(())
}

fn values(column: &Column) -> promolift::Result<Values<'_>> {
    let series = column.as_materialized_series();
    Ok(match series.dtype() {
        DataType::Int64 => Values::Wide(series.i64()?.cont_slice()?),
        DataType::Int32 => Values::Narrow(series.i32()?.cont_slice()?),
        DataType::Date => Values::Days(series.date()?.physical().cont_slice()?),
        DataType::Float64 => Values::Money(series.f64()?.cont_slice()?),
        _ => Values::Texts(series.str()?.iter().map(Option::unwrap_or_default).collect()),
    })
}
