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
/// Lines of a customer, over all windows and products.
const LINES: u32 = 6;

/// A number that looks random, the same in every run.
fn scatter(i: u32, salt: u32) -> u32 {
    let mut x = i.wrapping_mul(0x9e37_79b9).wrapping_add(salt.wrapping_mul(0x85eb_ca6b));
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// The simulated promotion with few lines a customer, so that many customers fit.
fn shop(customers: u32) -> (Study, Ledger) {
    let world = SeniorMeat { customers: 200, ..SeniorMeat::default() }.draw().unwrap();
    let sample = &world.transactions;
    let taken: Vec<u32> = (0..customers * LINES).map(|i| scatter(i, 1) % sample.height() as u32).collect();
    let mut lines = sample.take(&IdxCa::from_vec("taken".into(), taken)).unwrap();
    let buyers: Vec<i64> = (0..customers * LINES).map(|i| i64::from(i / LINES)).collect();
    lines.with_column(Column::new("customer".into(), buyers)).unwrap();
    let arm = (0..customers).map(|i| if scatter(i, 2) & 1 == 0 { Arm::Target } else { Arm::Control }).collect();
    let assignment = Assignment::new((0..i64::from(customers)).collect::<Vec<i64>>(), arm);
    let ledger = Ledger::from_frames(lines, world.products.clone(), &world.promotion.columns()).unwrap();
    (Study::new(world.promotion, assignment), ledger)
}

fn segments(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("segments");
    group.sample_size(10);
    for n in [10_000, 100_000, 1_000_000] {
        let (plain, ledger) = shop(n);
        let codes = Codes { names: (0..SEGMENTS).map(|s| format!("s{s}")).collect(), codes: (0..n).map(|i| i % SEGMENTS).collect() };
        let mut split = plain.clone();
        split.assignment.segments = vec![("segment".into(), codes.clone())];
        let found = split.measure(&ledger).unwrap();
        assert!(found.segments[0].effects.iter().all(|row| row.per_customer.value().is_some()), "every segment has an answer");
        // As many columns as there are effects and measures.
        let rows = found.effects.len();
        let mut columns: Vec<Column> =
            (0..rows).map(|j| Column::new(format!("y{j}").into(), (0..n).map(|i| f64::from(scatter(i, j as u32) % 997) / 7.0).collect::<Vec<f64>>())).collect();
        columns.push(Column::new("segment".into(), &codes.codes));
        columns.push(Column::new("arm".into(), plain.assignment.arm.iter().map(|a| *a == Arm::Target).collect::<Vec<bool>>()));
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
