//! The reference workload for `run.py`: reads the frames once, then answers each line of standard input with one of numbers.
//!
//! * `ledger P`: seconds of `Ledger::from_frames`, seconds of `Study::measure` (value checks, cells, effects on all measures, joint covariance, checks), the
//!   direct effect on net sales, the peak in bytes;
//! * `index`: seconds of `LedgerIndex::new`, bytes at its peak and kept; `indexed P`: seconds of `Study::measure` from the index, the direct effect;
//! * `portfolio N`: seconds of the index and of measuring the first N promotions from it, and how many could be measured;
//! * `bandwidth`: bytes a second at which all threads read three columns.
//!
//! With a number behind the folder it shows what a promotion costs in a ledger that many times as long instead: `cargo bench --bench peers -- DIR 10`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use promolift::cells::CellSource;
use promolift::ledger::LedgerIndex;
use promolift::polars::prelude::*;
use promolift::portfolio::Portfolio;
use promolift::prelude::*;
use promolift::study::{Discount, Ids, Payer};
use rayon::prelude::*;

fn read(folder: &Path, name: &str) -> DataFrame {
    let file = File::open(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    ParquetReader::new(file).finish().unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Rows of a table that belong to one promotion.
fn of_promotion(frame: &DataFrame, promotion: i64) -> DataFrame {
    let mask = frame.column("promotion").unwrap().as_materialized_series().i64().unwrap().equal(promotion);
    frame.filter(&mask).unwrap()
}

fn integers(frame: &DataFrame, name: &str) -> Vec<i64> {
    frame.column(name).unwrap().as_materialized_series().i64().unwrap().into_no_null_iter().collect()
}

fn study(promotion: i64, promotions: &DataFrame, focal: &DataFrame, assignments: &DataFrame) -> Study {
    let plan = of_promotion(promotions, promotion);
    let day = |name: &str| Day::from_epoch(plan.column(name).unwrap().as_materialized_series().to_physical_repr().i32().unwrap().get(0).unwrap());
    let products = Selection::products(integers(&of_promotion(focal, promotion), "product"));
    let mut asked = Promotion::new(promotion.to_string(), day("start"), day("end"), products);
    asked.discounts.push(Discount { column: "discount".into(), paid_by: Payer::Retailer, in_net_sales: false, offer: false });
    let assigned = of_promotion(assignments, promotion);
    let arms = assigned.column("arm").unwrap().as_materialized_series().str().unwrap();
    let arm = arms.iter().map(|a| if a == Some("target") { Arm::Target } else { Arm::Control }).collect();
    let mut options = Options::default();
    options.estimator = EstimatorName::Unadjusted;
    Study::new(asked, Assignment::new(integers(&assigned, "customer"), arm)).with_options(options)
}

/// A line of this process's memory status in bytes, where the system tells: `VmRSS` now, `VmHWM` at its peak.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(line)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The memory in use; forgets the peak so far, so that the next one is of what comes.
fn memory_from_here() -> u64 {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    memory("VmRSS")
}

/// The seconds of a run, with what it made.
fn timed<T>(run: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let made = run();
    (start.elapsed().as_secs_f64(), made)
}

fn direct(result: &Measurement) -> f64 {
    let row = result.effects.iter().find(|e| e.measure == "net_sales" && e.effect == "direct");
    row.and_then(|row| row.per_customer.value()).unwrap_or(f64::NAN)
}

/// Bytes a second at which all threads together read three columns of numbers once.
fn bandwidth(lines: &DataFrame) -> f64 {
    let columns = ["net_sales", "quantity", "discount"].map(|name| lines.column(name).unwrap().as_materialized_series().cast(&DataType::Float64).unwrap());
    let pieces: Vec<&[f64]> =
        columns.iter().flat_map(|column| column.f64().unwrap().downcast_iter().flat_map(|chunk| chunk.values().chunks(1 << 16))).collect();
    let bytes: usize = pieces.iter().map(|piece| size_of_val(*piece)).sum();
    let read = |piece: &&[f64]| piece.iter().fold(0, |all, value| all ^ value.to_bits());
    let (seconds, _) = timed(|| std::hint::black_box(pieces.par_iter().map(read).reduce(|| 0, |a, b| a ^ b)));
    bytes as f64 / seconds
}

struct Workload {
    transactions: DataFrame,
    products: DataFrame,
    promotions: DataFrame,
    focal: DataFrame,
    assignments: DataFrame,
    index: Option<LedgerIndex>,
}

impl Workload {
    fn study(&self, promotion: i64) -> Study {
        study(promotion, &self.promotions, &self.focal, &self.assignments)
    }

    fn ledger(&self, study: &Study) -> Ledger {
        Ledger::from_frames(self.transactions.clone(), self.products.clone(), &study.promotion.columns()).unwrap()
    }

    /// The answer to a line of standard input.
    fn answer(&mut self, what: &str, number: i64) -> String {
        match what {
            "ledger" => {
                let study = self.study(number);
                let before = memory_from_here();
                let (made, ledger) = timed(|| self.ledger(&study));
                let (measured, result) = timed(|| study.measure(&ledger).unwrap());
                format!("{made} {measured} {:?} {}", direct(&result), memory("VmHWM") - before)
            }
            "index" => {
                let ledger = self.ledger(&self.study(0));
                self.index = None;
                let before = memory_from_here();
                let (seconds, index) = timed(|| LedgerIndex::new(&ledger).unwrap());
                self.index = Some(index);
                format!("{seconds} {} {}", memory("VmHWM") - before, memory("VmRSS") - before)
            }
            "indexed" => {
                let study = self.study(number);
                let index = self.index.as_ref().unwrap();
                let (seconds, result) = timed(|| study.measure(index).unwrap());
                format!("{seconds} {:?}", direct(&result))
            }
            "portfolio" => {
                let portfolio = Portfolio::new((0..number).map(|promotion| self.study(promotion))).unwrap();
                let ledger = self.ledger(&self.study(0));
                let (indexed, index) = timed(|| LedgerIndex::new(&ledger).unwrap());
                let (measured, found) = timed(|| portfolio.measurements(&index).filter(|entry| entry.result.is_ok()).count());
                format!("{indexed} {measured} {found}")
            }
            _ => format!("{}", bandwidth(&self.transactions)),
        }
    }
}

/// The lines again for other customers, `copy` times a number beyond all ids further on.
fn others(lines: &DataFrame, copy: i64, beyond: i64) -> DataFrame {
    lines.clone().lazy().with_column(col("customer") + lit(copy * beyond)).collect().unwrap()
}

/// What a promotion of one size costs from an index of the lines, and from one of so many times as many: each of its customers is one of as many copies.
fn grown(workload: &Workload, copies: i64) {
    const PROMOTIONS: i64 = 20;
    // Some of those assigned have no line.
    let customers = [&workload.transactions, &workload.assignments].into_iter().flat_map(|frame| integers(frame, "customer"));
    let beyond = 1 + customers.max().unwrap_or(0);
    let columns = workload.study(0).promotion.columns();
    let ledger = |copy| Ledger::from_frames(others(&workload.transactions, copy, beyond), workload.products.clone(), &columns).unwrap();
    let measured = |index: &LedgerIndex, copies: i64| {
        let mut studies: Vec<Study> = (0..PROMOTIONS).map(|promotion| workload.study(promotion)).collect();
        for study in &mut studies {
            if let Ids::Integers(ids) = &mut study.assignment.customers {
                ids.iter_mut().zip((0..copies).cycle()).for_each(|(id, copy)| *id += copy * beyond);
            }
        }
        let plans: Vec<_> = studies.iter().map(|study| study.plan(&index.catalogue()).unwrap()).collect();
        // The first round fills caches; of the others the least disturbed counts.
        let rounds = (0..5).map(|_| {
            let cells = timed(|| studies.iter().zip(&plans).for_each(|(s, p)| drop(index.cells(&p.partition, &s.assignment, &p.amounts).unwrap()))).0;
            let whole = timed(|| studies.iter().for_each(|study| drop(study.measure(index).unwrap()))).0;
            [cells, whole].map(|seconds| 1e3 * seconds / PROMOTIONS as f64)
        });
        rounds.skip(1).fold([f64::INFINITY; 2], |least, found| [least[0].min(found[0]), least[1].min(found[1])])
    };
    let mut index = LedgerIndex::new(&ledger(0)).unwrap();
    let few = measured(&index, 1);
    let lines = index.len();
    let (seconds, ()) = timed(|| (1..copies).for_each(|copy| index.append(&ledger(copy)).unwrap()));
    let many = measured(&index, copies);
    println!("{lines} lines: cells {:.1} ms a promotion, measured {:.1} ms", few[0], few[1]);
    println!("{} lines: cells {:.1} ms a promotion, measured {:.1} ms; {seconds:.0} s to append them", index.len(), many[0], many[1]);
    println!("{copies} times the lines: cells {:.2} times, measured {:.2} times", many[0] / few[0], many[1] / few[1]);
    println!("memory {:.1} GB, {:.1} at its peak", memory("VmRSS") as f64 / 1e9, memory("VmHWM") as f64 / 1e9);
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(folder) = arguments.next() else {
        eprintln!("run benches/peers/run.py, which makes the workload and starts this program");
        return;
    };
    let [transactions, products, promotions, focal, assignments] =
        ["transactions", "products", "promotions", "focal", "assignments"].map(|name| read(Path::new(&folder), &format!("{name}.parquet")));
    let mut workload = Workload { transactions, products, promotions, focal, assignments, index: None };
    if let Some(copies) = arguments.next().and_then(|copies| copies.parse().ok()) {
        return grown(&workload, copies);
    }
    println!("ready {}", workload.transactions.estimated_size());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (what, number) = line.split_once(' ').unwrap_or((&line, "0"));
        println!("{}", workload.answer(what, number.parse().unwrap()));
    }
}
