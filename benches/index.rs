//! The ledger ordered once: making the index at 10^5 to 10^7 lines beside one polars `group_by` of the same lines, and one promotion of 2,000 customers by the
//! index at each size, beside the same by the ledger.
//!
//! With `PROMOLIFT_WORKLOAD=DIR` (see `benches/peers/generate.py`) the reference workload is measured instead, once through: seconds to make the index beside
//! those of polars, alternating, the peak memory above the frames, and milliseconds of the cells of each promotion.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use promolift::cells::CellSource;
use promolift::ledger::LedgerIndex;
use promolift::polars::prelude::*;
use promolift::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::study::{Discount, Ids, Payer};

/// Customers of the promotion that is measured at every size.
const ASSIGNED: usize = 2_000;

fn group_by(lines: &DataFrame) -> DataFrame {
    let sums = ["quantity", "net_sales"].map(|name| col(name).sum());
    lines.clone().lazy().group_by([col("customer")]).agg(sums).collect().unwrap()
}

fn index(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("index");
    group.sample_size(10);
    for customers in [3_000, 30_000, 300_000] {
        let world = SeniorMeat { customers, ..SeniorMeat::default() }.draw().unwrap();
        let lines = world.transactions.height();
        let ledger = Ledger::from_frames(world.transactions.clone(), world.products.clone(), &world.promotion.columns()).unwrap();
        let made = LedgerIndex::new(&ledger).unwrap();
        let mut assignment = world.assignment.clone();
        let step = customers as usize / ASSIGNED;
        assignment.arm = assignment.arm.into_iter().step_by(step.max(1)).collect();
        assignment.customers = match assignment.customers {
            Ids::Integers(ids) => Ids::Integers(ids.into_iter().step_by(step.max(1)).collect()),
            Ids::Texts(ids) => Ids::Texts(ids.into_iter().step_by(step.max(1)).collect()),
        };
        let study = Study::new(world.promotion.clone(), assignment);
        let plan = study.plan(&made.catalogue()).unwrap();
        group.throughput(Throughput::Elements(lines as u64));
        group.bench_with_input(BenchmarkId::new("new", lines), &ledger, |b, ledger| b.iter(|| LedgerIndex::new(ledger).unwrap()));
        group.bench_with_input(BenchmarkId::new("polars_group_by", lines), &world.transactions, |b, lines| b.iter(|| group_by(lines)));
        group.bench_with_input(BenchmarkId::new("cells", lines), &plan, |b, plan| {
            b.iter(|| made.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap());
        });
        group.bench_with_input(BenchmarkId::new("cells_by_ledger", lines), &plan, |b, plan| {
            b.iter(|| ledger.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap());
        });
    }
    group.finish();
}

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
fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(line)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn timed<T>(seconds: &mut Vec<f64>, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let made = run();
    seconds.push(start.elapsed().as_secs_f64());
    made
}

fn workload(folder: &Path) {
    let lines = read(folder, "transactions.parquet");
    let (products, promotions) = (read(folder, "products.parquet"), read(folder, "promotions.parquet"));
    let (focal, assignments) = (read(folder, "focal.parquet"), read(folder, "assignments.parquet"));
    let columns = study(0, &promotions, &focal, &assignments).promotion.columns();
    let ledger = Ledger::from_frames(lines.clone(), products, &columns).unwrap();
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = memory("VmRSS");
    let (mut new, mut polars) = (Vec::new(), Vec::new());
    let index = timed(&mut new, || LedgerIndex::new(&ledger).unwrap());
    let (peak, kept) = (memory("VmHWM") - before, memory("VmRSS") - before);
    for _ in 0..3 {
        timed(&mut polars, || group_by(&lines));
        timed(&mut new, || LedgerIndex::new(&ledger).unwrap());
    }
    println!(
        "{} lines: index {:.2} s, polars group_by {:.2} s; peak {:.0} MB, kept {:.0} MB",
        lines.height(),
        median(new),
        median(polars),
        peak / 1e6,
        kept / 1e6
    );
    let (mut cells, mut by_ledger, mut measured) = (Vec::new(), Vec::new(), Vec::new());
    for promotion in 0..60 {
        let study = study(promotion, &promotions, &focal, &assignments);
        let plan = study.plan(&index.catalogue()).unwrap();
        let table = timed(&mut cells, || index.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap());
        let _ = timed(&mut measured, || study.measure(&index).unwrap());
        if promotion % 10 == 0 {
            assert_eq!(table, timed(&mut by_ledger, || ledger.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap()));
        }
    }
    let least = cells.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "cells {:.2} ms (least {:.2}), measure {:.2} ms; cells by the ledger {:.1} ms",
        1e3 * median(cells),
        1e3 * least,
        1e3 * median(measured),
        1e3 * median(by_ledger)
    );
    if let Some(repeats) = std::env::var("PROMOLIFT_REPEATS").ok().and_then(|r| r.parse::<usize>().ok()) {
        let study = study(0, &promotions, &focal, &assignments);
        let plan = study.plan(&index.catalogue()).unwrap();
        for _ in 0..repeats {
            std::hint::black_box(index.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap());
        }
    }
}

fn main() {
    if let Ok(folder) = std::env::var("PROMOLIFT_WORKLOAD") {
        workload(Path::new(&folder));
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    index(&mut criterion);
    criterion.final_summary();
}
