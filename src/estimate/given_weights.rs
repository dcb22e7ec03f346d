//! Weights made elsewhere: matching, inverse probabilities, a survey.

use nalgebra::DMatrix;

use super::fit::{Estimand, Estimator, Fit, Part};
use super::linear::{ArmCovariates, Covariates, Slopes};
use super::{Design, Undefined};
use crate::study::Arm;

/// A difference of weighted means, with the weights of the design ([`Design::with_weights`]), taken as fixed.
///
/// Weights: `+v_i / sum v` in the target, `-v_i / sum v` in the control, sums over the arm; a weight of 0 leaves the customer out. Covariance:
/// `sum w_i^2 e_i e_i' / (1 - h_i)` in each arm, `e` from the weighted mean, `h_i = |w_i|`; degrees of freedom `n_eff - 1` with Kish's effective size
/// `n_eff = (sum v)^2 / sum v^2` (1965), at least 1. That the weights were estimated is not in the interval.
///
/// `augmented` takes what imbalance the weights leave out by the controls' weighted least squares (the doubly robust form of Robins, Rotnitzky and Zhao 1994
/// with a linear model): with `u_i = v_i / sum v` a control weighs `-(u_i + (xbar_T - xbar_C)' (sum u z z')^-1 u_i z_i)`, means weighted, `z = x - xbar_C`.
/// Residuals of both arms are then of `y - B_C'x`, `h_i = u_i` in the target and `u_i (1 + z_i' (sum u z z')^-1 z_i)` in the control, whose degrees of freedom
/// are `n_eff - 1 - k`.
///
/// [`Undefined::AllTheWeight`] where one customer has the whole weight of an arm, up to 1e-9.
///
/// ```
/// use promolift::estimate::{Design, Estimator, GivenWeights, Outcome};
/// use promolift::study::Arm::{Control, Target};
///
/// let arm = [Target, Target, Control, Control, Control];
/// let weights = [1.0, 1.0, 2.0, 1.0, 1.0];
/// let spend = [12.0, 10.0, 8.0, 9.0, 7.0];
/// let fit = GivenWeights::default().fit(&Design::new(&arm).with_weights(&weights))?;
/// let contrast = fit.contrast(&[Outcome::new(&spend)])?;
/// assert!((contrast.value(&contrast.effect(&[1.0])) - (11.0 - (2.0 * 8.0 + 9.0 + 7.0) / 4.0)).abs() < 1e-12);
/// # Ok::<(), promolift::estimate::Undefined>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GivenWeights {
    /// Whether the controls' regression on the design's covariates takes out the imbalance that is left.
    pub augmented: bool,
}

impl Estimator for GivenWeights {
    fn name(&self) -> &'static str {
        "given_weights"
    }

    fn estimand(&self) -> Estimand {
        Estimand::AverageAsWeighted
    }

    fn adjusts(&self) -> bool {
        self.augmented
    }

    fn stratifies(&self) -> bool {
        false
    }

    fn takes_weights(&self) -> bool {
        true
    }

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        design.validate()?;
        let given = design.weights.ok_or(Undefined::Unsupported("given_weights needs the weights of the design"))?;
        let none: &[&[f64]] = &[];
        let covariates = Covariates::new(&Design::new(design.arm).with_covariates(if self.augmented { design.covariates } else { none }))?;
        let [target, control] = [&covariates.target, &covariates.control].map(|arm| Weighted::new(arm, given));
        let (target, control) = (target?, control?);
        let gap: Vec<f64> = target.mean.iter().zip(&control.mean).map(|(t, c)| t - c).collect();
        let operator = control.operator(&covariates.used)?;
        let mut effect = covariates.weights();
        target.rows.iter().zip(&target.weights).for_each(|(&row, w)| effect[row as usize] = *w);
        for (place, &row) in control.rows.iter().enumerate() {
            let tilt: f64 = operator.iter().zip(&gap).map(|(o, g)| g * o[place]).sum();
            effect[row as usize] = -(control.weights[place] + tilt);
        }
        let slopes = vec![Slopes { rows: control.rows.clone(), operator }];
        let parts = vec![target.part(&effect, &slopes[0], false)?, control.part(&effect, &slopes[0], true)?];
        let counted = (target.rows.len() + control.rows.len()) as f64;
        let (residual_df, coefficients) = (counted - 2.0 * (covariates.k() as f64 + 1.0), covariates.k() + 2);
        let (used, constant) = (covariates.used.clone(), covariates.constant.clone());
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

/// The customers of an arm who have a weight, with their weights, of sum 1, and covariates centred by them.
struct Weighted {
    arm: Arm,
    rows: Vec<u32>,
    weights: Vec<f64>,
    mean: Vec<f64>,
    centred: Vec<Vec<f64>>,
}

impl Weighted {
    fn new(arm: &ArmCovariates, all: &[f64]) -> Result<Self, Undefined> {
        let counts: Vec<usize> = (0..arm.rows.len()).filter(|&place| all[arm.rows[place] as usize] > 0.0).collect();
        if counts.len() < 2 {
            return Err(Undefined::TooFewCustomers { arm: arm.arm, customers: counts.len(), needed: 2 });
        }
        let rows: Vec<u32> = counts.iter().map(|&place| arm.rows[place]).collect();
        let total: f64 = rows.iter().map(|&row| all[row as usize]).sum();
        let weights: Vec<f64> = rows.iter().map(|&row| all[row as usize] / total).collect();
        let columns: Vec<Vec<f64>> = arm.centred.iter().map(|column| counts.iter().map(|&place| column[place]).collect()).collect();
        let shift: Vec<f64> = columns.iter().map(|column| column.iter().zip(&weights).map(|(x, w)| x * w).sum()).collect();
        let centred = columns.iter().zip(&shift).map(|(column, shift)| column.iter().map(|x| x - shift).collect()).collect();
        let mean = arm.mean.iter().zip(&shift).map(|(mean, shift)| mean + shift).collect();
        Ok(Self { arm: arm.arm, rows, weights, mean, centred })
    }

    /// For each covariate `w_i (sum w z z')^-1 z_i`.
    fn operator(&self, used: &[usize]) -> Result<Vec<Vec<f64>>, Undefined> {
        let k = self.centred.len();
        let cross = DMatrix::from_fn(k, k, |i, j| {
            let (a, b) = (&self.centred[i], &self.centred[j]);
            a.iter().zip(b).zip(&self.weights).map(|((a, b), w)| w * a * b).sum::<f64>()
        });
        let collinear = |at: usize| Undefined::Collinear { arm: self.arm, covariate: used[at] };
        if let Some(at) = (0..k).find(|&i| !(cross[(i, i)] > 1e-18)) {
            return Err(collinear(at));
        }
        let inverse = cross.cholesky().ok_or_else(|| collinear(k - 1))?.inverse();
        let along = |i: usize, row: usize| (0..k).map(|j| inverse[(i, j)] * self.centred[j][row]).sum::<f64>();
        Ok((0..k).map(|i| (0..self.rows.len()).map(|row| self.weights[row] * along(i, row)).collect()).collect())
    }

    fn part(&self, effect: &[f64], slopes: &Slopes, fitted: bool) -> Result<Part, Undefined> {
        let mut multiplier = Vec::with_capacity(self.rows.len());
        for (place, &row) in self.rows.iter().enumerate() {
            let of_slopes: f64 = if fitted { slopes.operator.iter().zip(&self.centred).map(|(o, z)| o[place] * z[place]).sum() } else { 0.0 };
            let slack = 1.0 - self.weights[place] - of_slopes;
            if !(slack > 1e-9) {
                let row = row as usize;
                return Err(if of_slopes > 1e-9 { Undefined::LeverageOne { arm: self.arm, row } } else { Undefined::AllTheWeight { arm: self.arm, row } });
            }
            multiplier.push(effect[row as usize] / slack.sqrt());
        }
        let effective = 1.0 / self.weights.iter().map(|w| w * w).sum::<f64>();
        let fitted = if fitted { self.centred.len() as f64 } else { 0.0 };
        let df = (effective - 1.0 - fitted).max(1.0);
        let slopes = (!self.centred.is_empty()).then(|| (0, self.centred.clone()));
        Ok(Part { arm: self.arm, rows: self.rows.clone(), multiplier, df, slopes, centre: Some(self.weights.clone()) })
    }
}
