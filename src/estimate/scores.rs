//! Scores by customer, for what combines several fits on the same customers.

use super::fit::{Fit, Part};
use super::linear::dot;
use super::{Outcome, Undefined};
use crate::study::Arm;

impl Fit {
    /// The score of each customer on some outcomes, negative in the control as its weight is: of two linear combinations `a` and `b` of fits on the same
    /// customers, the covariance is `sum_i s_i(a) s_i(b)`, of clusters that of the sums over each cluster (CR0).
    ///
    /// A customer whom the fit does not weigh has the score 0. The term of `population = super` is not in it.
    ///
    /// # Errors
    /// As [`Fit::contrast`].
    pub fn scores(&self, outcomes: &[Outcome<'_>]) -> Result<Vec<Vec<f64>>, Undefined> {
        let columns = self.columns(outcomes)?;
        Ok(columns.iter().take(outcomes.len()).map(|column| self.column_scores(column)).collect())
    }

    fn column_scores(&self, column: &[f64]) -> Vec<f64> {
        let slopes: Vec<Vec<f64>> = self.slopes.iter().map(|s| s.of(column)).collect();
        let mut scores = vec![0.0; self.effect.len()];
        for part in &self.parts {
            let sign = if part.arm == Arm::Control { -1.0 } else { 1.0 };
            for ((&row, multiplier), residual) in part.rows.iter().zip(&part.multiplier).zip(residuals(part, column, &slopes)) {
                scores[row as usize] = if self.clusters.is_some() { self.effect[row as usize] * residual } else { sign * multiplier.abs() * residual };
            }
        }
        scores
    }
}

/// What the mean and the slopes leave of a column in a part.
fn residuals(part: &Part, column: &[f64], slopes: &[Vec<f64>]) -> Vec<f64> {
    let y: Vec<f64> = part.rows.iter().map(|&row| column[row as usize]).collect();
    let mean = part.mean(&y);
    let mut residual: Vec<f64> = y.iter().map(|y| y - mean).collect();
    if let Some((index, centred)) = &part.slopes {
        for (x, slope) in centred.iter().zip(&slopes[*index]) {
            residual.iter_mut().zip(x).for_each(|(r, x)| *r -= slope * x);
        }
    }
    residual
}

impl Part {
    /// The mean that residuals are taken from, by two passes.
    pub(super) fn mean(&self, y: &[f64]) -> f64 {
        let n = y.len() as f64;
        let first = y.iter().sum::<f64>() / n;
        match &self.centre {
            None => first + y.iter().map(|v| v - first).sum::<f64>() / n,
            Some(centre) => first + y.iter().zip(centre).map(|(v, c)| c * (v - first)).sum::<f64>(),
        }
    }
}

impl super::linear::Slopes {
    /// The slopes of one column.
    pub(super) fn of(&self, column: &[f64]) -> Vec<f64> {
        // Centring first: the operator's columns sum to zero only up to rounding.
        let centre = self.rows.first().map_or(0.0, |&row| column[row as usize]);
        let y: Vec<f64> = self.rows.iter().map(|&row| column[row as usize] - centre).collect();
        self.operator.iter().map(|o| dot(o, &y)).collect()
    }
}
