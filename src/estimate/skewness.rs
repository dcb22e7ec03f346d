//! What an interval by Student's t leans on besides its standard error: how lopsided the estimate is.

use nalgebra::{DMatrix, DVector};

use super::fit::{Fit, Part};
use super::linear::dot;

impl Fit {
    /// The skewness of the estimate of an effect, `gamma x sum m^3 / (sum m^2)^(3/2)`, `m` the signed multipliers of the [`Part`]s and `gamma` the skewness of
    /// the outcome around the arms' means and the slopes of all parts together; 0 where nothing varies.
    ///
    /// Of scores with one variance and skewness in both arms that is `sum s^3 / (sum s^2)^(3/2)`, on which the error of a t interval depends (Hall 1987). The
    /// skewness of a small arm's own scores says little: of `n` values it is `sqrt(n)` at most, and too low in nearly every sample from a long tail. With arms
    /// of equal size the skews cancel.
    pub(crate) fn skewness(&self, outcome: &[f64]) -> f64 {
        let multipliers = || self.parts.iter().flat_map(|part| &part.multiplier);
        let (squares, cubes) = multipliers().fold((0.0, 0.0), |(squares, cubes), m| (squares + m * m, cubes + m * m * m));
        let residuals = self.around_pooled_slopes(outcome);
        let n = residuals.len() as f64;
        let (second, third) = residuals.iter().fold((0.0, 0.0), |(second, third), r| (second + r * r, third + r * r * r));
        if squares > 0.0 && second > 0.0 { third / n / (second / n).powf(1.5) * cubes / squares.powf(1.5) } else { 0.0 }
    }

    /// Residuals around the means of the parts and the slopes of all of them together.
    fn around_pooled_slopes(&self, outcome: &[f64]) -> Vec<f64> {
        let within = self.cells.as_ref().map(|cells| cells.within(outcome));
        let outcome = within.as_deref().unwrap_or(outcome);
        let mut parts: Vec<Centred> = self.parts.iter().map(|part| Centred::new(part, outcome)).collect();
        let k = parts.iter().map(|part| part.covariates.len()).min().unwrap_or_default();
        let cross = DMatrix::from_fn(k, k, |i, j| parts.iter().map(|part| dot(&part.covariates[i], &part.covariates[j])).sum::<f64>());
        let moments = DVector::from_fn(k, |i, _| parts.iter().map(|part| dot(&part.covariates[i], &part.outcome)).sum::<f64>());
        if let Some(slopes) = cross.cholesky().map(|cross| cross.solve(&moments)) {
            for Centred { outcome, covariates } in &mut parts {
                for (column, slope) in covariates.iter().zip(slopes.iter()) {
                    outcome.iter_mut().zip(column).for_each(|(y, x)| *y -= slope * x);
                }
            }
        }
        parts.into_iter().flat_map(|part| part.outcome).collect()
    }
}

/// An outcome and the covariates of a part, less their means.
struct Centred {
    outcome: Vec<f64>,
    covariates: Vec<Vec<f64>>,
}

impl Centred {
    fn new(part: &Part, outcome: &[f64]) -> Self {
        let outcome: Vec<f64> = part.rows.iter().filter_map(|&row| outcome.get(row as usize).copied()).collect();
        let covariates = part.slopes.iter().flat_map(|(_, covariates)| covariates).map(|column| around_mean(column)).collect();
        Self { outcome: around_mean(&outcome), covariates }
    }
}

fn around_mean(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter().map(|value| value - mean).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Design, Estimator, RegressionAtt, Unadjusted};
    use crate::study::Arm;

    /// Customers of whom the first are the control; their values are skewed to the right.
    fn customers(control: usize, target: usize) -> (Vec<Arm>, Vec<f64>) {
        let arm = (0..control + target).map(|i| if i < control { Arm::Control } else { Arm::Target }).collect();
        (arm, (0..control + target).map(|i| ((i % 10) as f64).exp()).collect())
    }

    #[test]
    fn equal_arms_cancel_and_a_small_one_does_not() {
        let (arm, values) = customers(100, 100);
        assert!(Unadjusted.fit(&Design::new(&arm)).unwrap().skewness(&values).abs() < 1e-12);
        // By hand: both arms hold the same ten values over and over, so that the skewness is theirs; the multipliers are those of Welch.
        let (arm, values) = customers(20, 180);
        let mean = (0..10).map(|i| f64::from(i).exp()).sum::<f64>() / 10.0;
        let moment = |power: i32| (0..10).map(|i| (f64::from(i).exp() - mean).powi(power)).sum::<f64>() / 10.0;
        let gamma = moment(3) / moment(2).powf(1.5);
        let power = |n: f64, power: f64| n * (n * (n - 1.0)).powf(-power / 2.0);
        let factor = (power(180.0, 3.0) - power(20.0, 3.0)) / (power(180.0, 2.0) + power(20.0, 2.0)).powf(1.5);
        let found = Unadjusted.fit(&Design::new(&arm)).unwrap().skewness(&values);
        assert!((found - gamma * factor).abs() < 1e-12, "{found}");
        assert!(found < -0.4, "a small control turns the skew: {found}");
    }

    #[test]
    fn what_covariates_explain_has_no_skew() {
        let (arm, values) = customers(20, 180);
        let noise: Vec<f64> = (0..200).map(|i| if (i / 10) % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let outcome: Vec<f64> = values.iter().zip(&noise).map(|(x, e)| 3.0 * x + e).collect();
        let fit = RegressionAtt::default().fit(&Design::new(&arm).with_covariates(&[&values])).unwrap();
        assert!(fit.skewness(&outcome).abs() < 1e-6, "{}", fit.skewness(&outcome));
        assert!(fit.skewness(&vec![1.0; 200]).abs() < 1e-12);
    }
}
