//! The ledger ordered once: making the index at 10^5 to 10^7 lines beside one polars `group_by` of the same lines, and one promotion of 2,000 customers by the
//! index at each size, beside the same by the ledger.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use promolift::cells::CellSource;
use promolift::ledger::LedgerIndex;
use promolift::polars::prelude::*;
use promolift::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::study::Ids;

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

criterion_group!(benches, index);
criterion_main!(benches);
