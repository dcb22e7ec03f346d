//! Proves that intervals hold what they claim: draws worlds whose truth is known, measures them, and counts how often each interval holds it.
//!
//! ```text
//! cargo run --release --example coverage -- --quick
//! cargo run --release --example coverage -- --full --keep examples/coverage/counts.jsonl
//! cargo run --release --example coverage -- --known --keep examples/coverage/counts.jsonl --out src/simulate/coverage.md
//! ```
//!
//! `--full` is meant for three hours on two cores; `--budget MINUTES` makes so many minutes' share of its draws, and the page says how many those are. Every
//! draw has random numbers of its own: the page does not depend on the number of threads. With `--keep FILE` a run that was stopped goes on where it stopped, and
//! a longer one after a shorter one makes only the draws that are new; `--known` shows what the file has and draws nothing. `counts.jsonl` is such a file, the one
//! the page of the docs is of: whoever changes an interval begins it anew. Warnings are counted on the draws that are measured as a whole study, a fifth of all
//! and the dear ones: after a change of warnings `--recount` makes those anew, as many as there were, and takes the others from the file. What stood there counts
//! until its setting is made.

use std::error::Error;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

mod csv;
mod grid;
mod kept;
mod page;
#[allow(dead_code, reason = "the quick grid of the tests uses more of it")]
mod proof;
mod verdict;
#[path = "../../src/whole_file.rs"]
mod whole_file;

use grid::{Case, Of, Section, sections};
use kept::Kept;
use page::{Ran, Shown, page};
use proof::setting::Pass;
use proof::tally::Tally;
use whole_file::written_whole;

/// Minutes of a full run on two cores, as estimated from parts of it.
const FULL: f64 = 150.0;
/// Minutes of a quick run.
const QUICK: f64 = 5.0;
/// The end of the names of what is measured as whole studies.
const STUDIES: &str = ", as studies";
/// The least draws of a setting.
const LEAST: usize = 40;

/// Draws worlds whose truth is known and counts how often each interval holds it.
#[derive(Parser)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Arguments {
    /// A few minutes' share of the draws; the default.
    #[arg(long, conflicts_with_all = ["full", "budget"])]
    quick: bool,
    /// All draws.
    #[arg(long, conflicts_with = "budget")]
    full: bool,
    /// So many minutes' share of the draws, on two cores.
    #[arg(long, value_name = "MINUTES")]
    budget: Option<f64>,
    /// Only sections whose heading has this in it.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Add what each setting showed to this file, and take from it what is there already.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Make no draw: show what that file has.
    #[arg(long, requires = "keep", conflicts_with_all = ["quick", "full", "budget", "recount"])]
    known: bool,
    /// Make the draws that are measured as a whole study anew, whatever the file has of them.
    #[arg(long, requires = "keep")]
    recount: bool,
    /// Write the page into this file; else it is printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write every interval of every setting into this file too.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

impl Arguments {
    /// The share of a full run's draws.
    fn share(&self) -> f64 {
        let minutes = if self.full { FULL } else { self.budget.unwrap_or(QUICK) };
        (minutes / FULL).clamp(0.0, 1.0)
    }

    /// The command that makes the same page.
    fn command(&self) -> String {
        let how = match (self.full, self.budget, &self.keep) {
            (true, _, _) => "--full".to_owned(),
            (_, Some(minutes), _) => format!("--budget {minutes}"),
            (_, _, Some(file)) if self.known => format!("--known --keep {}", file.display()),
            _ => "--quick".to_owned(),
        };
        let only = self.only.as_ref().map(|only| format!(" --only \"{only}\"")).unwrap_or_default();
        format!("cargo run --release --example coverage -- {how}{only}")
    }
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

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let wanted = |section: &Section| arguments.only.as_ref().is_none_or(|only| section.title.contains(only.as_str()));
    let mut kept = Kept::open(arguments.keep.as_deref(), !arguments.known)?;
    let mut ran = Vec::new();
    for section in sections().into_iter().filter(wanted) {
        ran.push(measured(section, arguments, &mut kept)?);
    }
    if let Some(path) = &arguments.csv {
        written_whole(path, |beside| std::fs::write(beside, csv::csv(&ran)))?;
    }
    let text = page(&ran, &arguments.command());
    match &arguments.out {
        Some(path) => written_whole(path, |beside| std::fs::write(beside, text))?,
        None => print!("{text}"),
    }
    Ok(())
}

/// Runs a section.
fn measured(mut section: Section, arguments: &Arguments, kept: &mut Kept) -> Result<Ran, Box<dyn Error>> {
    let began = Instant::now();
    let mut shown = Vec::new();
    for case in std::mem::take(&mut section.cases) {
        let draws = if arguments.known { case.draws } else { ((case.draws as f64 * arguments.share()).ceil() as usize).max(LEAST) };
        let (name, claimed) = case.told();
        let kept_as = format!("{}: {name}", section.title);
        let case = &case;
        let make = |pass| (!arguments.known).then_some(move |draws| case.run(draws, pass));
        let as_studies = format!("{kept_as}{STUDIES}");
        let studied = if arguments.recount { kept.begin_anew(&as_studies, draws) } else { draws };
        let mut tally = kept.or_made(as_studies, studied, make(Pass::Studies))?;
        tally.merge(kept.or_made(kept_as, draws, make(Pass::Slices))?);
        if tally.draws > 0 {
            shown.push(Shown { name, claimed, tally });
        }
    }
    eprintln!("{}: {} settings in {:.1} minutes", section.title, shown.len(), began.elapsed().as_secs_f64() / 60.0);
    Ok(Ran { section, cases: shown })
}

impl Case {
    /// Its name, and what its intervals claim.
    fn told(&self) -> (String, f64) {
        match &self.of {
            Of::Cells(setting) => (setting.name.clone(), setting.claimed()),
            Of::Lines(lines) => (lines.name.clone(), 0.95),
        }
    }

    fn run(&self, draws: Range<usize>, pass: Pass) -> promolift::Result<Tally> {
        match &self.of {
            Of::Cells(setting) => setting.pass(draws, pass),
            Of::Lines(lines) if pass == Pass::Studies => Ok(lines.run(draws)),
            Of::Lines(_) => Ok(Tally::default()),
        }
    }
}
