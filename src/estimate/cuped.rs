//! One slope pooled over both arms.

use super::fit::{Estimand, Estimator, Fit, Part, Shares};
use super::linear::{ArmCovariates, Covariates, Slopes};
use super::{Design, Undefined};
use crate::study::{Arm, CovarianceRule};

/// Difference in means of `y - Theta'x` with one slope, pooled within the arms (CUPED, Deng, Xu, Kohavi and Walker 2013).
///
/// Weights: `+-1/n_a - (xbar_T - xbar_C)' (S_T + S_C)^-1 (x_i - xbar_a)`. Covariance: Welch on `y - Theta'x`, which takes the slope as known;
/// `Hc2` on request is that of the additive least squares `y ~ arm + x`. Degrees of freedom `n_a - 1`. It speaks of all customers assigned, where the arms
/// were drawn at random: the covariates only take spread away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cuped {
    /// `Default` is Welch; `Hc0` to `Hc3` are those of the additive regression, `K = k + 2`.
    pub covariance: CovarianceRule,
}

impl Estimator for Cuped {
    fn name(&self) -> &'static str {
        "cuped"
    }

    fn estimand(&self) -> Estimand {
        Estimand::AverageOverAssigned
    }

    fn shares(&self) -> Shares {
        Shares::Assigned
    }

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        let covariates = Covariates::new(design)?;
        let (target, control) = (&covariates.target, &covariates.control);
        let cross = &target.cross + &control.cross;
        let smaller = if target.n() < control.n() { target } else { control };
        let inverse = smaller.inverse(&cross, &covariates.used)?;
        let gap = covariates.gap();
        let mut effect = covariates.weights();
        let mut slopes = Slopes { rows: Vec::new(), operator: vec![Vec::new(); covariates.k()] };
        let mut parts = Vec::new();
        for arm in [target, control] {
            let operator = arm.operator(&inverse);
            let sign = if arm.arm == Arm::Target { 1.0 } else { -1.0 };
            for (&row, tilt) in arm.rows.iter().zip(arm.tilt(&operator, &gap)) {
                effect[row as usize] = sign / arm.n() as f64 - tilt;
            }
            let multiplier = self.multipliers(arm, &operator, &effect, covariates.inflation(covariates.k() + 2))?;
            slopes.rows.extend(&arm.rows);
            slopes.operator.iter_mut().zip(operator).for_each(|(all, own)| all.extend(own));
            parts.push(Part { arm: arm.arm, rows: arm.rows.clone(), multiplier, df: arm.df(0), slopes: Some((0, arm.centred.clone())), centre: None });
        }
        let residual_df = covariates.residual_df();
        let coefficients = covariates.k() + 2;
        let basis = design.clusters.map(|_| covariates.additive_basis());
        let Covariates { used, constant, .. } = covariates;
        let slopes = vec![slopes];
        Ok(Fit {
            effect,
            parts,
            used,
            constant,
            residual_df,
            slopes,
            differences: false,
            coefficients,
            basis,
            clusters: None,
            mean_covariance: None,
            cells: None,
        })
    }
}

impl Cuped {
    fn multipliers(self, arm: &ArmCovariates, operator: &[Vec<f64>], effect: &[f64], inflation: f64) -> Result<Vec<f64>, Undefined> {
        match self.covariance {
            CovarianceRule::Hc0 | CovarianceRule::Hc1 | CovarianceRule::Hc2 | CovarianceRule::Hc3 => {
                // Leverage of y ~ arm + x: 1/n_a + (x - xbar_a)' (S_T + S_C)^-1 (x - xbar_a).
                let slack = arm.slack(operator)?;
                Ok(super::regression_att::hc_multipliers(self.covariance, &arm.rows, effect, &slack, inflation))
            }
            _ => Ok(arm.welch()),
        }
    }
}
