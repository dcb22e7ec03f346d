//! Lin's regression with full interactions.

use super::fit::{Estimand, Estimator, Fit, Part, Shares};
use super::linear::{ArmCovariates, Covariates, Slopes};
use super::regression_att::hc_multipliers;
use super::{Design, Undefined};
use crate::study::{Arm, CovarianceRule, Population};

/// Least squares within each arm, both read at the pooled covariate mean (Lin 2013).
///
/// Weights in arm a: `+-[1/n_a + (xbar - xbar_a)' S_a^-1 (x_i - xbar_a)]`; covariance HC2 in both arms; degrees of freedom `n_a - 1 - k`.
/// It speaks of the customers assigned; with `population = Super` the term `(B_T - B_C)' S_x (B_T - B_C) / (N (N - 1))` is added. Where the arms were drawn
/// at random it holds for large arms without the regression being right.
#[derive(Debug, Clone, Copy, Default)]
pub struct Regression {
    /// `Default` and `Hc2` are the same; `Hc3` divides by `(1 - h_i)^2`, `Hc0` by nothing, `Hc1` is `Hc0` times `N / (N - K)`, `K = 2(k + 1)`.
    pub covariance: CovarianceRule,
    /// Whom the interval speaks of.
    pub population: Population,
}

impl Estimator for Regression {
    fn name(&self) -> &'static str {
        "regression"
    }

    fn estimand(&self) -> Estimand {
        match self.population {
            Population::Assigned => Estimand::AverageOverAssigned,
            Population::Super => Estimand::AverageOverPopulation,
        }
    }

    fn shares(&self) -> Shares {
        Shares::Assigned
    }

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        let covariates = Covariates::new(design)?;
        let mut effect = covariates.weights();
        let share = covariates.target.n() as f64 / effect.len() as f64;
        // xbar - xbar_T = -(1 - share) gap, xbar - xbar_C = share gap.
        let shifts = [(&covariates.target, -(1.0 - share)), (&covariates.control, share)];
        let (mut parts, mut slopes) = (Vec::new(), Vec::new());
        for (index, (arm, shift)) in shifts.into_iter().enumerate() {
            let (part, slope) = self.arm(arm, shift, index, &covariates, &mut effect)?;
            parts.push(part);
            slopes.push(slope);
        }
        let mean_covariance = (self.population == Population::Super).then(|| mean_covariance(&covariates));
        let residual_df = covariates.residual_df();
        let coefficients = 2 * (covariates.k() + 1);
        let basis = design.clusters.map(|_| covariates.interacted_basis());
        let Covariates { used, constant, .. } = covariates;
        Ok(Fit { effect, parts, used, constant, residual_df, slopes, differences: false, coefficients, basis, clusters: None, mean_covariance, cells: None })
    }
}

impl Regression {
    fn arm(self, arm: &ArmCovariates, shift: f64, index: usize, all: &Covariates, effect: &mut [f64]) -> Result<(Part, Slopes), Undefined> {
        let inverse = arm.inverse(&arm.cross, &all.used)?;
        let operator = arm.operator(&inverse);
        let direction: Vec<f64> = all.gap().iter().map(|g| shift * g).collect();
        let sign = if arm.arm == Arm::Target { 1.0 } else { -1.0 };
        let base = 1.0 / arm.n() as f64;
        for (&row, tilt) in arm.rows.iter().zip(arm.tilt(&operator, &direction)) {
            effect[row as usize] = sign * (base + tilt);
        }
        let slack = arm.slack(&operator)?;
        let multiplier = hc_multipliers(self.covariance, &arm.rows, effect, &slack, all.inflation(2 * (all.k() + 1)));
        let part = Part { arm: arm.arm, rows: arm.rows.clone(), multiplier, df: arm.df(all.k()), slopes: Some((index, arm.centred.clone())), centre: None };
        Ok((part, Slopes { rows: arm.rows.clone(), operator }))
    }
}

/// `S_x / (N (N - 1))` of the pooled covariates, `S_x = S_T + S_C + (n_T n_C / N) gap gap'`.
fn mean_covariance(covariates: &Covariates) -> Vec<f64> {
    let (target, control) = (covariates.target.n() as f64, covariates.control.n() as f64);
    let n = target + control;
    let gap = covariates.gap();
    let k = gap.len();
    (0..k * k)
        .map(|index| {
            let (i, j) = (index / k, index % k);
            let pooled = covariates.target.cross[(i, j)] + covariates.control.cross[(i, j)] + target * control / n * gap[i] * gap[j];
            pooled / (n * (n - 1.0))
        })
        .collect()
}
