//! Effects by segment: 200 segments, every effect, every measure, beside one polars `group_by` that sums the same columns by segment and arm.
//!
//! What segments cost is `measure_with_segments` less `measure`; both make the cells of the lines first.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use promolift::polars::prelude::*;
use promolift::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::study::Codes;

const SEGMENTS: u32 = 200;

fn segments(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("segments");
    group.sample_size(10);
    for customers in [10_000, 100_000] {
        let world = SeniorMeat { customers, ..SeniorMeat::default() }.draw().unwrap();
        let ledger = Ledger::from_frames(world.transactions.clone(), world.products.clone(), &world.promotion.columns()).unwrap();
        let plain = Study::new(world.promotion.clone(), world.assignment.clone());
        let n = world.assignment.len() as u32;
        let codes = Codes { names: (0..SEGMENTS).map(|s| format!("s{s}")).collect(), codes: (0..n).map(|i| i % SEGMENTS).collect() };
        let mut split = plain.clone();
        split.assignment.segments = vec![("segment".into(), codes.clone())];
        let found = plain.measure(&ledger).unwrap();
        // As many columns as there are effects and measures.
        let rows = found.effects.len();
        let mut columns: Vec<Column> = (0..rows)
            .map(|j| Column::new(format!("y{j}").into(), (0..n).map(|i| f64::from((i * 31 + j as u32 * 17) % 997) / 7.0).collect::<Vec<f64>>()))
            .collect();
        columns.push(Column::new("segment".into(), &codes.codes));
        columns.push(Column::new("arm".into(), world.assignment.arm.iter().map(|a| *a == Arm::Target).collect::<Vec<bool>>()));
        let frame = DataFrame::new(n as usize, columns).unwrap();
        group.throughput(Throughput::Elements(u64::from(n) * rows as u64));
        group.bench_with_input(BenchmarkId::new("measure", n), &plain, |b, study| b.iter(|| study.measure(&ledger).unwrap()));
        group.bench_with_input(BenchmarkId::new("measure_with_segments", n), &split, |b, study| b.iter(|| study.measure(&ledger).unwrap()));
        group.bench_with_input(BenchmarkId::new("polars_group_by", n), &frame, |b, frame| {
            b.iter(|| {
                let sums: Vec<Expr> = (0..rows).flat_map(|j| [col(format!("y{j}")).sum(), col(format!("y{j}")).var(1).alias(format!("v{j}"))]).collect();
                frame.clone().lazy().group_by([col("segment"), col("arm")]).agg(sums).collect().unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, segments);
criterion_main!(benches);
