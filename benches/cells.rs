//! Lines to cells: the ledger's checks, and the cells of one promotion, at 10^4 to 10^6 lines, beside one polars `group_by` of the same lines.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use promolift::cells::CellSource;
use promolift::polars::prelude::*;
use promolift::prelude::*;
use promolift::simulate::SeniorMeat;

fn cells(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cells");
    group.sample_size(20);
    for customers in [300, 3_000, 30_000] {
        let world = SeniorMeat { customers, ..SeniorMeat::default() }.draw().unwrap();
        let lines = world.transactions.height();
        let columns = world.promotion.columns();
        let study = Study::new(world.promotion.clone(), world.assignment.clone());
        let ledger = Ledger::from_frames(world.transactions.clone(), world.products.clone(), &columns).unwrap();
        let plan = study.plan(&ledger.catalogue()).unwrap();
        group.throughput(Throughput::Elements(lines as u64));
        group.bench_with_input(BenchmarkId::new("from_frames", lines), &world, |b, world| {
            b.iter(|| Ledger::from_frames(world.transactions.clone(), world.products.clone(), &columns).unwrap());
        });
        group.bench_with_input(BenchmarkId::new("cells", lines), &plan, |b, plan| {
            b.iter(|| ledger.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap());
        });
        group.bench_with_input(BenchmarkId::new("measure", lines), &study, |b, study| b.iter(|| study.measure(&ledger).unwrap()));
        group.bench_with_input(BenchmarkId::new("polars_group_by", lines), &world.transactions, |b, lines| {
            b.iter(|| lines.clone().lazy().group_by([col("customer")]).agg([col("net_sales").sum()]).collect().unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, cells);
criterion_main!(benches);
