//! Fits and contrasts: each estimator at 10^4 to 10^6 customers, three covariates, 24 outcomes, beside one plain pass over the outcomes.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use promolift::estimate::{ClusterRule, Cuped, Design, DifferenceInDifferences, EntropyBalancing, Estimator, Outcome, Regression, RegressionAtt, Unadjusted};
use promolift::study::Arm;

/// Numbers between 0 and 1 by a fixed rule: a bench needs no better randomness.
fn column(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        })
        .collect()
}

fn estimate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("estimate");
    group.sample_size(10);
    for n in [10_000, 100_000, 1_000_000] {
        let arm: Vec<Arm> = (0..n).map(|i| if i % 3 == 0 { Arm::Control } else { Arm::Target }).collect();
        let covariates: Vec<Vec<f64>> = (0..3).map(|k| column(n, 100 + k)).collect();
        let covariates: Vec<&[f64]> = covariates.iter().map(Vec::as_slice).collect();
        let outcomes: Vec<Vec<f64>> = (0..24).map(|j| column(n, j)).collect();
        let outcomes: Vec<Outcome<'_>> = outcomes.iter().map(|y| Outcome::new(y).with_before(covariates[0], 0.5)).collect();
        let design = Design::new(&arm).with_covariates(&covariates);
        group.throughput(Throughput::Elements((n * outcomes.len()) as u64));
        let estimators: [&dyn Estimator; 5] = [&RegressionAtt::default(), &Unadjusted, &Regression::default(), &Cuped::default(), &DifferenceInDifferences];
        for estimator in estimators {
            group.bench_with_input(BenchmarkId::new(estimator.name(), n), &design, |b, design| {
                b.iter(|| estimator.fit(design).unwrap().contrast(&outcomes).unwrap());
            });
        }
        let ten: Vec<Vec<f64>> = (0..10).map(|k| column(n, 500 + k)).collect();
        let ten: Vec<&[f64]> = ten.iter().map(Vec::as_slice).collect();
        let balanced = Design::new(&arm).with_covariates(&ten);
        group.bench_with_input(BenchmarkId::new("entropy_balancing_weights_10", n), &balanced, |b, design| {
            b.iter(|| EntropyBalancing::default().fit(design).unwrap());
        });
        let stores: Vec<u32> = (0..n as u32).map(|i| i % 400).collect();
        for (name, rule) in [("clusters_cr1", ClusterRule::Cr1), ("clusters_cr2", ClusterRule::Cr2)] {
            let clustered = design.with_clusters(&stores, rule);
            group.bench_with_input(BenchmarkId::new(name, n), &clustered, |b, design| {
                b.iter(|| Regression::default().fit(design).unwrap().contrast(&outcomes).unwrap());
            });
        }
        group.bench_with_input(BenchmarkId::new("one_pass", n), &outcomes, |b, outcomes| {
            b.iter(|| outcomes.iter().map(|o| o.values.iter().sum::<f64>()).sum::<f64>());
        });
    }
    group.finish();
}

criterion_group!(benches, estimate);
criterion_main!(benches);
