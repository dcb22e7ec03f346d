//! A randomisation test of the joint difference of several columns between the arms.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

use crate::estimate::{Contrast, Design, Estimator, Known, Outcome, Unadjusted};
use crate::study::Arm;

/// Permutations drawn; the least p-value is 1 in 2,000.
const DRAWS: usize = 1999;

/// The difference in means of several columns.
pub(super) fn difference(arm: &[Arm], columns: &[Vec<f64>]) -> Option<Contrast> {
    let outcomes: Vec<Outcome<'_>> = columns.iter().map(|c| Outcome::new(c)).collect();
    Unadjusted.fit(&Design::new(arm)).ok()?.contrast(&outcomes).ok()
}

/// The joint Wald statistic of the differences, studentised.
pub(super) fn wald(contrast: &Contrast) -> Option<crate::estimate::Wald> {
    let forms: Vec<_> = (0..contrast.outcomes()).map(|j| contrast.effect(&unit(j))).collect();
    match contrast.wald(&forms) {
        Known::Value(wald) => Some(wald),
        Known::Missing(_) => None,
    }
}

fn unit(index: usize) -> Vec<f64> {
    let mut form = vec![0.0; index + 1];
    form[index] = 1.0;
    form
}

/// `(hits + 1) / (draws + 1)`: how often arms drawn anew differ at least as much.
pub(super) fn p_value(arm: &[Arm], columns: &[Vec<f64>], observed: f64, seed: u64) -> f64 {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut arm = arm.to_vec();
    let hits = (0..DRAWS)
        .filter(|_| {
            arm.shuffle(&mut rng);
            difference(&arm, columns).and_then(|c| wald(&c)).is_some_and(|w| w.statistic >= observed * (1.0 - 1e-12))
        })
        .count();
    (hits + 1) as f64 / (DRAWS + 1) as f64
}
