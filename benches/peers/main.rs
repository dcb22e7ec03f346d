//! The reference workload for `run.py`: reads the frames once, then measures one promotion for each number on standard input.
//!
//! A run is `Ledger::from_frames` and `Study::measure` together: schema and value checks, cells, effects on all measures, joint covariance, checks.
//! Answers `seconds from_frames, seconds measure, direct net_sales difference, bytes of the frame, peak bytes`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use promolift::polars::prelude::*;
use promolift::prelude::*;
use promolift::study::{Discount, Payer};

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

fn main() {
    let Some(folder) = std::env::args().nth(1).filter(|a| !a.starts_with("--")) else {
        eprintln!("run benches/peers/run.py, which makes the workload and starts this program");
        return;
    };
    let folder = Path::new(&folder);
    let transactions = read(folder, "transactions.parquet");
    let (products, promotions) = (read(folder, "products.parquet"), read(folder, "promotions.parquet"));
    let (focal, assignments) = (read(folder, "focal.parquet"), read(folder, "assignments.parquet"));
    // Forgets the peak that reading the files left behind, so that what follows is what measuring needs.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    println!("ready {} {}", transactions.estimated_size(), memory("VmRSS"));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(promotion) = line.trim().parse() else { break };
        let study = study(promotion, &promotions, &focal, &assignments);
        let columns = study.promotion.columns();
        let start = Instant::now();
        let ledger = Ledger::from_frames(transactions.clone(), products.clone(), &columns).unwrap();
        let made = start.elapsed().as_secs_f64();
        let result = study.measure(&ledger).unwrap();
        let all = start.elapsed().as_secs_f64();
        let direct = result.effects.iter().find(|e| e.measure == "net_sales" && e.effect == "direct").and_then(|e| e.per_customer.value());
        println!("{made} {} {:?} {} {}", all - made, direct.unwrap_or(f64::NAN), transactions.estimated_size(), memory("VmHWM"));
    }
}
