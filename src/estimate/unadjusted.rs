//! Difference in means.

use super::fit::{Estimand, Estimator, Fit, Part};
use super::linear::{ArmCovariates, Covariates};
use super::{Design, Undefined};
use crate::study::Arm;

/// Difference in means: weights `+1/n_T` and `-1/n_C`; covariance `S_T/n_T + S_C/n_C` with the arms' sample covariances (Welch 1938).
///
/// Covariates are not used. Degrees of freedom `n_a - 1` an arm. It speaks of all customers assigned, where the arms were drawn at random.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unadjusted;

impl Estimator for Unadjusted {
    fn name(&self) -> &'static str {
        "unadjusted"
    }

    fn estimand(&self) -> Estimand {
        Estimand::AverageOverAssigned
    }

    fn adjusts(&self) -> bool {
        false
    }

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        let covariates = Covariates::new(&Design::new(design.arm))?;
        Ok(means(&covariates, false, design.clusters.is_some()))
    }
}

/// The fit of a difference in means.
pub(super) fn means(covariates: &Covariates, differences: bool, basis: bool) -> Fit {
    let mut effect = covariates.weights();
    let part = |arm: &ArmCovariates, effect: &mut [f64]| {
        let weight = if arm.arm == Arm::Target { 1.0 } else { -1.0 } / arm.n() as f64;
        arm.rows.iter().for_each(|&row| effect[row as usize] = weight);
        Part { arm: arm.arm, rows: arm.rows.clone(), multiplier: arm.welch(), df: arm.df(0), slopes: None, centre: None }
    };
    let parts = vec![part(&covariates.target, &mut effect), part(&covariates.control, &mut effect)];
    let residual_df = covariates.residual_df();
    let basis = basis.then(|| covariates.arm_means());
    let (used, constant, slopes) = (Vec::new(), Vec::new(), Vec::new());
    Fit { effect, parts, used, constant, residual_df, slopes, differences, coefficients: 2, basis, clusters: None, mean_covariance: None, cells: None }
}
