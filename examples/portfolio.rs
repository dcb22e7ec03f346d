//! Measures a year of promotions from files in one pass; without arguments the bundled sample.

#![expect(clippy::doc_markdown, reason = "the comments of the arguments are the text of --help")]

#[path = "shared/output.rs"]
mod output;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use output::{csv_of, folder, not_an_input, print};
use promolift::Error;
use promolift::cells::CellSource;
use promolift::ledger::LedgerIndex;
use promolift::portfolio::{
    Control, Factorial, League, Measured, Overlaps, Portfolio, PortfolioFiles, PortfolioInputs, RankBy, Ranking, Total, TotalOf, Waves,
};
use promolift::prelude::*;
use serde::Serialize;

/// Which of our promotions really earned something, and what did they earn together?
///
/// Reads transaction lines, products and assignments once and measures every promotion file (*.toml) of a folder; the assignments say in a column `promotion` of
/// which promotion each row is. Prints each promotion with its conclusion, a league table that counts how many were looked at, the sum over all of them with shared
/// customers counted, and who was in several at once, which each promotion's conclusion takes into account. Without arguments it measures the bundled sample: a year of coupons of one shop.
///
/// Files are CSV, gzip CSV or Parquet, by extension. Exit code 0: measured (promotions that cannot be measured are told on standard error); 1: none can be measured,
/// and the reasons are printed; 2: wrong usage.
#[derive(Debug, Parser)]
#[command(name = "portfolio", version)]
struct Arguments {
    /// The folder of the promotion files, one TOML a promotion
    #[arg(long, value_name = "DIR", requires_all = ["transactions", "products", "assignments"])]
    promotions: Option<PathBuf>,
    /// Transaction lines: customer, day, product, quantity, net_sales [, basket, store, unit_cost, discounts]
    #[arg(long, value_name = "FILE", requires = "promotions")]
    transactions: Option<PathBuf>,
    /// Products: product, category [, supplier, brand, unit_cost, supplier_unit_margin]
    #[arg(long, value_name = "FILE", requires = "promotions")]
    products: Option<PathBuf>,
    /// Assignments: customer, arm (target or control), promotion [, attributes]
    #[arg(long, value_name = "FILE", requires = "promotions")]
    assignments: Option<PathBuf>,
    /// Attributes of customers, one row a customer
    #[arg(long, value_name = "FILE", requires = "promotions")]
    customers: Option<PathBuf>,
    /// Read the transactions, a Parquet file or a folder of such, in batches: for more lines than fit into memory
    #[arg(long, requires = "promotions")]
    batches: bool,
    /// What the league table is by: net_profit, roi_on_retailer_cost, or an effect and a measure such as direct.units
    #[arg(long, value_name = "WHAT", default_value = "net_profit", value_parser = ranked_by)]
    by: RankBy,
    /// What is controlled over all promotions
    #[arg(long, value_enum, default_value_t = Controlled::FalseDiscovery)]
    control: Controlled,
    /// Waves of one action, by their ids, estimated as one: --waves mail-1,mail-2,mail-3. May stand several times; promotions that name their action by
    /// `wave_of` are estimated so anyway
    #[arg(long, value_name = "ID,ID,..")]
    waves: Vec<String>,
    /// Two promotions on the same customers, estimated jointly: --together grill,fish. May stand several times
    #[arg(long, value_name = "ID,ID")]
    together: Vec<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write there instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a person
    Text,
    /// One object: every promotion, the league table, sums, overlaps
    Json,
    /// One JSON object a line for each promotion, as it is alone
    JsonLines,
    /// One row a promotion, effect and measure
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Controlled {
    /// The share of wrong calls among the calls (Benjamini and Hochberg)
    FalseDiscovery,
    /// The chance of any wrong call (Holm)
    Familywise,
}

fn ranked_by(text: &str) -> Result<RankBy, String> {
    match (text, text.rsplit_once('.')) {
        ("net_profit", _) => Ok(RankBy::NetProfit),
        ("roi_on_retailer_cost", _) => Ok(RankBy::RoiOnRetailerCost),
        (_, Some((effect, measure))) => Ok(RankBy::Total { effect: effect.to_owned(), measure: measure.to_owned() }),
        _ => Err("write net_profit, roi_on_retailer_cost, or an effect and a measure such as total.net_sales".to_owned()),
    }
}

/// Everything that is printed.
#[derive(Debug, Serialize)]
struct Report {
    promotions: Measured,
    league: League,
    totals: Vec<Total>,
    overlaps: Overlaps,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waves: Vec<Waves>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    together: Vec<Factorial>,
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
    let progress = bar();
    progress.set_message("reading files");
    let inputs = inputs(arguments).map_err(|e| e.to_string())?;
    if arguments.batches {
        let opened = inputs.open_batches().map_err(|e| e.to_string())?;
        opened.batches.check().map_err(|error| opened.files.explain(None, error).to_string())?;
        progress.set_message(format!("measuring {} lines in {} batches", opened.batches.len(), opened.batches.count()));
        let asked = Asked { arguments, portfolio: &opened.portfolio.checking_overlaps(), files: &opened.files };
        return asked.print(&opened.batches, &progress);
    }
    let opened = inputs.open().map_err(|e| e.to_string())?;
    let explained = |error: Error| opened.files.explain(None, error).to_string();
    let ledger = Ledger::from_frames(opened.transactions, opened.products, &opened.columns).map_err(explained)?;
    ledger.check().map_err(explained)?;
    // Ordered once, so that each promotion reads the lines of its own customers only.
    let index = LedgerIndex::new(&ledger).map_err(explained)?;
    drop(ledger);
    Asked { arguments, portfolio: &opened.portfolio.checking_overlaps(), files: &opened.files }.print(&index, &progress)
}

/// What is asked, of lines from any source.
struct Asked<'a> {
    arguments: &'a Arguments,
    portfolio: &'a Portfolio,
    files: &'a PortfolioFiles,
}

impl Asked<'_> {
    /// Measures all promotions and prints what is asked for.
    fn print(&self, source: &(impl CellSource + Sync), progress: &ProgressBar) -> Result<(), String> {
        let Self { arguments, portfolio, files } = self;
        if let Some(path) = &arguments.out {
            not_an_input("--out", path, files.paths())?;
        }
        progress.set_length(portfolio.len() as u64);
        let measured = portfolio.measure_with(source, |step| {
            progress.set_position(step.done as u64);
            progress.set_message(step.promotion.to_owned());
        });
        progress.finish_and_clear();
        self.tell_errors(&measured);
        if measured.measurements().next().is_none() {
            return Err("no promotion could be measured".to_owned());
        }
        if arguments.format == Format::JsonLines || arguments.format == Format::Csv {
            return print(&plain(&measured, arguments.format)?, arguments.out.as_deref());
        }
        let report = Report {
            league: measured.league(&ranking(arguments)).map_err(|error| self.told(error))?,
            // Where nothing can be summed the league table has said why.
            totals: [TotalOf::NetSales, TotalOf::NetProfit].into_iter().filter_map(|of| measured.total(of).ok()).collect(),
            overlaps: portfolio.overlaps(),
            waves: self.waves(source)?,
            together: arguments.together.iter().map(|ids| self.together(source, ids)).collect::<Result<_, _>>()?,
            promotions: measured,
        };
        print(&rendered(&report, arguments.format)?, arguments.out.as_deref())
    }

    fn told(&self, error: Error) -> String {
        self.files.explain(None, error).to_string()
    }

    /// What could not be measured, on standard error; the rest is printed all the same.
    fn tell_errors(&self, measured: &Measured) {
        for entry in measured.entries() {
            if let Err(error) = &entry.result {
                eprintln!("{}: {}", entry.promotion, self.files.explain_text(&entry.promotion, error));
            }
        }
    }

    /// The actions whose waves are named on the command line, and those that the promotions name. Waves of the latter that cannot be stacked are told, and the
    /// rest is printed all the same.
    fn waves(&self, source: &impl CellSource) -> Result<Vec<Waves>, String> {
        let mut found = Vec::new();
        for ids in &self.arguments.waves {
            found.push(self.portfolio.waves(source, &list(ids), "net_sales").map_err(|error| self.told(error))?);
        }
        for (action, waves) in self.portfolio.actions().into_iter().filter(|(_, waves)| waves.len() > 1) {
            match self.portfolio.waves(source, &waves, "net_sales") {
                Ok(stacked) => found.push(stacked),
                Err(error) => eprintln!("waves of {action}: {}", self.told(error)),
            }
        }
        Ok(found)
    }

    fn together(&self, source: &impl CellSource, ids: &str) -> Result<Factorial, String> {
        let &[first, second] = list(ids).as_slice() else { return Err(format!("--together {ids}: name two promotions, as in --together grill,fish")) };
        self.portfolio.factorial(source, first, second, "net_sales").map_err(|e| self.files.explain(Some(first), e).to_string())
    }
}

fn ranking(arguments: &Arguments) -> Ranking {
    let control = match arguments.control {
        Controlled::FalseDiscovery => Control::FalseDiscovery,
        Controlled::Familywise => Control::Familywise,
    };
    Ranking::by(arguments.by.clone()).with_control(control)
}

fn list(ids: &str) -> Vec<&str> {
    ids.split(',').map(str::trim).filter(|id| !id.is_empty()).collect()
}

fn inputs(arguments: &Arguments) -> Result<PortfolioInputs, Error> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/portfolio");
    let file = |given: &Option<PathBuf>, name: &str| given.clone().unwrap_or_else(|| sample.join(name));
    let inputs = PortfolioInputs::of_folder(
        file(&arguments.promotions, "promotions"),
        file(&arguments.transactions, "transactions.csv.gz"),
        file(&arguments.products, "products.csv"),
        file(&arguments.assignments, "assignments.csv.gz"),
    )?;
    Ok(match &arguments.customers {
        Some(customers) => inputs.with_customers(customers),
        None => inputs,
    })
}

fn rendered(report: &Report, format: Format) -> Result<String, String> {
    if format == Format::Json {
        return serde_json::to_string_pretty(report).map_err(|e| e.to_string());
    }
    let parts = [report.promotions.to_string(), report.league.to_string(), "Together\n========".to_owned()];
    let blocks = parts.into_iter().chain(report.totals.iter().map(Total::to_string)).chain([report.overlaps.to_string()]);
    let blocks = blocks.chain(report.waves.iter().map(Waves::to_string)).chain(report.together.iter().map(Factorial::to_string));
    let text = blocks.map(|block| block + "\n").collect::<String>();
    Ok(text.trim_end().to_owned())
}

fn plain(measured: &Measured, format: Format) -> Result<String, String> {
    if format == Format::Csv {
        return measured.effects_frame().map_err(|e| e.to_string()).and_then(|frame| csv_of(&frame));
    }
    let mut lines = Vec::new();
    measured.write_json_lines(&mut lines).map_err(|e| e.to_string())?;
    String::from_utf8(lines).map(|text| text.trim_end().to_owned()).map_err(|e| e.to_string())
}

/// Whether what is asked for can be written, and over no file that is named. Looked at before any work.
fn writable(arguments: &Arguments) -> Result<(), String> {
    let Some(path) = &arguments.out else { return Ok(()) };
    if path.is_dir() {
        return Err(format!("--out {}: this is a folder; name a file in it", path.display()));
    }
    if !folder(path).is_dir() {
        return Err(format!("--out {}: the folder {} is not there; create it, or name another", path.display(), folder(path).display()));
    }
    let given = [&arguments.transactions, &arguments.products, &arguments.assignments, &arguments.customers];
    not_an_input("--out", path, given.into_iter().flatten().map(PathBuf::as_path))
}

fn bar() -> ProgressBar {
    let progress = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} ({elapsed})") {
        progress.set_style(style);
    }
    progress
}
