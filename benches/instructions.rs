//! Kernels for `scripts/instructions.py`, which counts their instructions: each runs by its name, once or not at all, on the current thread only. What the second
//! count has more than the first is the kernel.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::hint::black_box;

use promolift::cells::CellSource;
use promolift::estimate::{ClusterRule, Design, Df, EntropyBalancing, Estimator, Level, MaxT, Outcome, Regression, RegressionAtt};
use promolift::ledger::LedgerIndex;
use promolift::prelude::*;
use promolift::simulate::{Preset, Retailer, SeniorMeat, World};
use promolift::study::Alternative;

/// All kernels.
const KERNELS: [&str; 10] = [
    "index",
    "cells_by_ledger",
    "cells_by_index",
    "measure_by_index",
    "regression_att",
    "clusters_cr2",
    "entropy_balancing",
    "max_t",
    "t_quantiles",
    "simulate",
];

/// Customers of the shop: about 10^5 lines.
const CUSTOMERS: u32 = 3_000;
/// Customers of the slices.
const ROWS: usize = 10_000;

/// Numbers between 0 and 1 by a fixed rule.
fn column(seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    std::iter::repeat_with(next).take(ROWS).collect()
}

fn shop() -> (World, Ledger, Study) {
    let world = SeniorMeat { customers: CUSTOMERS, ..SeniorMeat::default() }.draw().unwrap();
    let ledger = Ledger::from_frames(world.transactions.clone(), world.products.clone(), &world.promotion.columns()).unwrap();
    let study = Study::new(world.promotion.clone(), world.assignment.clone());
    (world, ledger, study)
}

/// What is asked of the shop's lines.
fn of_shop(kernel: &str, times: usize) {
    let (_, ledger, study) = shop();
    let plan = study.plan(&ledger.catalogue()).unwrap();
    let index = LedgerIndex::new(&ledger).unwrap();
    for _ in 0..times {
        match kernel {
            "index" => drop(black_box(LedgerIndex::new(&ledger))),
            "cells_by_ledger" => drop(black_box(ledger.cells(&plan.partition, &study.assignment, &plan.amounts))),
            "cells_by_index" => drop(black_box(index.cells(&plan.partition, &study.assignment, &plan.amounts))),
            _ => drop(black_box(study.measure(&index))),
        }
    }
}

/// Fits on slices: 24 outcomes, three covariates.
fn of_slices(kernel: &str, times: usize) {
    let arm: Vec<Arm> = (0..ROWS).map(|row| if row % 3 == 0 { Arm::Control } else { Arm::Target }).collect();
    let covariates: Vec<Vec<f64>> = (0..3).map(|k| column(100 + k)).collect();
    let covariates: Vec<&[f64]> = covariates.iter().map(Vec::as_slice).collect();
    let outcomes: Vec<Vec<f64>> = (0..24).map(column).collect();
    let outcomes: Vec<Outcome<'_>> = outcomes.iter().map(|values| Outcome::new(values)).collect();
    let stores: Vec<u32> = (0..ROWS as u32).map(|row| row % 40).collect();
    let design = Design::new(&arm).with_covariates(&covariates);
    for _ in 0..times {
        match kernel {
            "regression_att" => drop(black_box(RegressionAtt::default().fit(&design).unwrap().contrast(&outcomes))),
            "clusters_cr2" => drop(black_box(Regression::default().fit(&design.with_clusters(&stores, ClusterRule::Cr2)).unwrap().contrast(&outcomes))),
            _ => drop(black_box(EntropyBalancing::default().fit(&design).unwrap().contrast(&outcomes))),
        }
    }
}

/// Critical values and p-values.
fn of_distributions(kernel: &str, times: usize) {
    let correlation: Vec<f64> = (0..49).map(|at| if at % 8 == 0 { 1.0 } else { 0.3 }).collect();
    for _ in 0..times {
        if kernel == "max_t" {
            let family = MaxT::new(&correlation, Df::T(500.0), Alternative::TwoSided, 1).value().unwrap();
            black_box((family.critical(0.95), family.p_value(2.0)));
        } else {
            let level = Level::default();
            (0..1000).for_each(|row| {
                black_box(level.critical(Df::T(20.0 + f64::from(row))));
            });
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let (Some(kernel), Some(times)) = (arguments.next(), arguments.next().and_then(|times| times.parse().ok())) else {
        for kernel in KERNELS {
            println!("{kernel}");
        }
        return;
    };
    let here = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap();
    here.install(|| match kernel.as_str() {
        "index" | "cells_by_ledger" | "cells_by_index" | "measure_by_index" => of_shop(&kernel, times),
        "regression_att" | "clusters_cr2" | "entropy_balancing" => of_slices(&kernel, times),
        "max_t" | "t_quantiles" => of_distributions(&kernel, times),
        "simulate" => (0..times).for_each(|_| drop(black_box(Retailer { customers: 300, ..Retailer::preset(Preset::Several) }.draw()))),
        other => panic!("there is no kernel {other}"),
    });
}
