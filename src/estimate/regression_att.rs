//! The control's regression, projected to the target: the default.

use super::fit::{Estimand, Estimator, Fit, Part};
use super::linear::{Covariates, Slopes};
use super::{Design, Undefined};
use crate::study::{Arm, CovarianceRule};

/// What the target would have done, by the regression fitted among the controls; average over the target customers.
///
/// Weights: `+1/n_T` in the target; `-[1/n_C + (xbar_T - xbar_C)' S_C^-1 (x_i - xbar_C)]` in the control.
/// Covariance: the sample covariance of `y - B_C'x` over the target, divided by `n_T`, plus HC2 among the controls,
/// `sum w_i^2 e_i e_i' / (1 - h_i)` (MacKinnon and White 1985). Degrees of freedom `n_T - 1` and `n_C - 1 - k`.
/// The estimator is known as the regression or imputation estimator of the effect on the treated (Imbens 2004). Holds where, given the covariates, the target
/// would have done as the controls, and that is linear in them; where the arms were drawn at random, for large arms without that.
///
/// The covariance is that for all customers like the target, whose own residuals are a part of it. For the effect on the very customers drawn that part should
/// be the controls' residual variance over `n_T`: the interval is wide for them where effects differ, right where all gain the same, and short where the
/// offer makes customers alike. The level `-sum over controls of w_i y_i` is that expected of customers with the target's baseline, so that a relative effect
/// `theta` on the very customers drawn wants `(1 + theta)^2` times that variance. Results warn where this matters (`target_varies_less`, `effect_not_in_proportion`).
#[derive(Debug, Clone, Copy, Default)]
pub struct RegressionAtt {
    /// `Default` and `Hc2` are the same; `Hc0`, `Hc1` and `Hc3` change the controls' side: no division, `N / (N - K)` with N of both arms and `K = k + 2`,
    /// division by `(1 - h_i)^2`. The target side stays Welch's: no slope is fitted there.
    pub covariance: CovarianceRule,
}

impl Estimator for RegressionAtt {
    fn name(&self) -> &'static str {
        "regression_att"
    }

    fn estimand(&self) -> Estimand {
        Estimand::AverageOverTarget
    }

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        let covariates = Covariates::new(design)?;
        let (target, control) = (&covariates.target, &covariates.control);
        let inverse = control.inverse(&control.cross, &covariates.used)?;
        let operator = control.operator(&inverse);
        let tilt = control.tilt(&operator, &covariates.gap());
        let slack = control.slack(&operator)?;

        let mut effect = covariates.weights();
        target.rows.iter().for_each(|&row| effect[row as usize] = 1.0 / target.n() as f64);
        let base = 1.0 / control.n() as f64;
        control.rows.iter().zip(&tilt).for_each(|(&row, t)| effect[row as usize] = -(base + t));

        let multiplier = hc_multipliers(self.covariance, &control.rows, &effect, &slack, covariates.inflation(covariates.k() + 2));
        let parts = vec![
            Part {
                arm: Arm::Target,
                rows: target.rows.clone(),
                multiplier: target.welch(),
                df: target.df(0),
                slopes: Some((0, target.centred.clone())),
                centre: None,
            },
            Part {
                arm: Arm::Control,
                rows: control.rows.clone(),
                multiplier,
                df: control.df(covariates.k()),
                slopes: Some((0, control.centred.clone())),
                centre: None,
            },
        ];
        let slopes = vec![Slopes { rows: control.rows.clone(), operator }];
        let residual_df = covariates.residual_df();
        let coefficients = covariates.k() + 2;
        let Covariates { used, constant, .. } = covariates;
        Ok(Fit {
            effect,
            parts,
            used,
            constant,
            residual_df,
            slopes,
            differences: false,
            coefficients,
            basis: None,
            clusters: None,
            mean_covariance: None,
            cells: None,
        })
    }
}

/// Multipliers of the residuals: `w_i` (HC0), `w_i sqrt(N / (N - K))` (HC1), `w_i / sqrt(1 - h_i)` (HC2) or `w_i / (1 - h_i)` (HC3). `inflation` is N / (N - K).
pub(super) fn hc_multipliers(rule: CovarianceRule, rows: &[u32], effect: &[f64], slack: &[f64], inflation: f64) -> Vec<f64> {
    let factor = |slack: f64| match rule {
        CovarianceRule::Hc0 => 1.0,
        CovarianceRule::Hc1 => inflation.sqrt(),
        CovarianceRule::Hc3 => 1.0 / slack,
        _ => 1.0 / slack.sqrt(),
    };
    rows.iter().zip(slack).map(|(&row, &slack)| effect[row as usize] * factor(slack)).collect()
}
