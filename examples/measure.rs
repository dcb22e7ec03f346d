//! Measures one promotion from files; without arguments the bundled sample.

#![expect(clippy::doc_markdown, reason = "the comments of the arguments are the text of --help")]

#[path = "shared/output.rs"]
mod output;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use output::{csv_of, folder, not_an_input, print, same_file};
use promolift::cells::CellSource;
use promolift::files::{Files, Inputs};
use promolift::measure::Weekly;
use promolift::prelude::*;

/// What did this promotion really earn?
///
/// Reads transaction lines, products, the assignment of customers to target and control, and the promotion; prints what the promotion did, taken
/// apart, costed and checked. Without arguments it measures the bundled sample: a 10 % coupon on meat for senior customers.
///
/// Files are CSV, gzip CSV or Parquet, by extension. Exit code 0: measured (a refused study too); 1: it cannot be measured, and the reason is
/// printed; 2: wrong usage.
#[derive(Debug, Parser)]
#[command(name = "measure", version)]
struct Arguments {
    /// Transaction lines: customer, day, product, quantity, net_sales [, basket, store, unit_cost, discounts]
    #[arg(long, value_name = "FILE", requires_all = ["products", "assignments", "promotion"])]
    transactions: Option<PathBuf>,
    /// Products: product, category [, supplier, brand, unit_cost, supplier_unit_margin]
    #[arg(long, value_name = "FILE", requires = "transactions")]
    products: Option<PathBuf>,
    /// Assignment: customer, arm (target or control) [, attributes]
    #[arg(long, value_name = "FILE", requires = "transactions")]
    assignments: Option<PathBuf>,
    /// The promotion, a TOML file
    #[arg(long, value_name = "FILE", requires = "transactions")]
    promotion: Option<PathBuf>,
    /// Attributes of customers, one row a customer
    #[arg(long, value_name = "FILE", requires = "transactions")]
    customers: Option<PathBuf>,
    /// Read the transactions, a Parquet file or a folder of such, in batches: for more lines than fit into memory
    #[arg(long, requires = "transactions")]
    batches: bool,
    /// How to estimate; wins over the promotion file
    #[arg(long, value_name = "NAME", value_parser = estimators())]
    estimator: Option<EstimatorName>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write there instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write a page with charts
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Also write the effects week by week, with sums to date, as CSV: one row a measure, part and week, and when the gain was eaten; with --report, a chart too
    #[arg(long, value_name = "FILE")]
    weekly: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for a person
    Text,
    /// Everything, for a machine
    Json,
    /// One row an effect and measure
    Csv,
}

/// The names of the estimators, so that a mistyped one is told with those that there are.
fn estimators() -> impl TypedValueParser<Value = EstimatorName> {
    PossibleValuesParser::new(EstimatorName::ALL.map(EstimatorName::name)).try_map(|name| name.parse::<EstimatorName>())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(problem) = writable(&arguments) {
        Arguments::command().error(ErrorKind::ValueValidation, problem).exit();
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(1)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let progress = spinner();
    progress.set_message("reading files");
    let inputs = inputs(arguments);
    let Results { measurement, weekly } = if arguments.batches {
        let opened = inputs.open_batches().map_err(|e| e.to_string())?;
        let batches = opened.batches;
        batches.check().map_err(|error| opened.files.explain(error).to_string())?;
        progress.set_message(format!("measuring {} lines in {} batches", batches.len(), batches.count()));
        measured(arguments, opened.study, &opened.files, &batches)?
    } else {
        let opened = inputs.open().map_err(|e| e.to_string())?;
        progress.set_message("measuring");
        // Problems of values are found here, when the files are read already: they are told with their file.
        let explained = |error| opened.files.explain(error).to_string();
        let ledger = Ledger::from_frames(opened.transactions, opened.products, &opened.columns).map_err(explained)?;
        ledger.check().map_err(explained)?;
        measured(arguments, opened.study, &opened.files, &ledger)?
    };
    progress.finish_and_clear();
    let weekly = arguments.weekly.as_ref().zip(weekly);
    if let Some((path, weekly)) = &weekly {
        print(&csv_of(&weekly.frame().map_err(|e| e.to_string())?)?, Some(path))?;
        eprintln!("wrote {}\n{}", path.display(), weekly.payback_text());
    }
    if let Some(path) = &arguments.report {
        let report = measurement.report();
        let report = weekly.as_ref().map_or(report, |(_, weekly)| report.with_weekly(weekly));
        report.write_html(path).map_err(|e| e.to_string())?;
        eprintln!("wrote {}", path.display());
    }
    print(&rendered(&measurement, arguments.format)?, arguments.out.as_deref())
}

struct Results {
    measurement: Measurement,
    weekly: Option<Weekly>,
}

/// All that is asked of the lines.
fn measured(arguments: &Arguments, mut study: Study, files: &Files, lines: &impl CellSource) -> Result<Results, String> {
    for (option, path) in arguments.outputs() {
        not_an_input(option, path, files.paths())?;
    }
    study.options.estimator = arguments.estimator.unwrap_or(study.options.estimator);
    let explained = |error| files.explain(error).to_string();
    let measurement = study.measure(lines).map_err(explained)?;
    let weekly = arguments.weekly.as_ref().map(|_| study.weekly(lines)).transpose().map_err(explained)?;
    Ok(Results { measurement, weekly })
}

impl Arguments {
    /// The files that are written, with their options.
    fn outputs(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [("--out", &self.out), ("--report", &self.report), ("--weekly", &self.weekly)].into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)))
    }
}

/// Whether what is asked for can be written, and over no other file of this study. Looked at before any work.
fn writable(arguments: &Arguments) -> Result<(), String> {
    let given = [&arguments.transactions, &arguments.products, &arguments.assignments, &arguments.promotion, &arguments.customers];
    for (option, path) in arguments.outputs() {
        if path.is_dir() {
            return Err(format!("{option} {}: this is a folder; name a file in it", path.display()));
        }
        if !folder(path).is_dir() {
            return Err(format!("{option} {}: the folder {} is not there; create it, or name another", path.display(), folder(path).display()));
        }
        not_an_input(option, path, given.into_iter().flatten().map(PathBuf::as_path))?;
    }
    let outputs: Vec<_> = arguments.outputs().collect();
    for (index, (one, path)) in outputs.iter().enumerate() {
        if let Some((other, _)) = outputs[index + 1..].iter().find(|(_, other)| same_file(path, other)) {
            return Err(format!("{one} and {other} are the same file, {}; name two", path.display()));
        }
    }
    Ok(())
}

fn inputs(arguments: &Arguments) -> Inputs {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/senior_meat");
    let file = |given: &Option<PathBuf>, name: &str| given.clone().unwrap_or_else(|| sample.join(name));
    let inputs = Inputs::new(
        file(&arguments.transactions, "transactions.csv.gz"),
        file(&arguments.products, "products.csv"),
        file(&arguments.assignments, "assignments.csv"),
        file(&arguments.promotion, "promotion.toml"),
    );
    match &arguments.customers {
        Some(customers) => inputs.with_customers(customers),
        None => inputs,
    }
}

fn rendered(measurement: &Measurement, format: Format) -> Result<String, String> {
    match format {
        Format::Text => Ok(measurement.to_string()),
        Format::Json => serde_json::to_string_pretty(measurement).map_err(|e| e.to_string()),
        Format::Csv => measurement.effects_frame().map_err(|e| e.to_string()).and_then(|frame| csv_of(&frame)),
    }
}

fn spinner() -> ProgressBar {
    let progress = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}
