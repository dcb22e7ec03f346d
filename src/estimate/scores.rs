//! Scores by customer, for what combines several fits on the same customers.

use super::contrast::{self, Contrast};
use super::fit::{Fit, Part};
use super::linear::dot;
use super::{Outcome, Undefined};

impl Fit {
    /// The score of each customer on some outcomes, negative in the control as its weight is: of two linear combinations `a` and `b` of fits on the same
    /// customers, the covariance is `sum_i s_i(a) s_i(b)`, of clusters that of the sums over each cluster (CR0).
    ///
    /// `s_i = multiplier_i r_i` as of [`Part`]; in a clustered design `w_i r_i`, without the factor of CR1 or the adjustment of CR2. One list an outcome, one
    /// value a customer. A customer whom the fit does not weigh has the score 0. The term of `population = super` is not in it.
    ///
    /// # Errors
    /// As [`Fit::contrast`].
    pub fn scores(&self, outcomes: &[Outcome<'_>]) -> Result<Vec<Vec<f64>>, Undefined> {
        let columns = self.columns(outcomes)?;
        Ok(columns.iter().take(outcomes.len()).map(|column| self.column_scores(column)).collect())
    }

    /// The effects with their scores; clusters' scores are summed by nobody yet.
    ///
    /// # Errors
    /// As [`Fit::contrast`].
    pub(crate) fn contrast_with_scores(&self, outcomes: &[Outcome<'_>]) -> Result<(Contrast, Vec<Vec<f64>>), Undefined> {
        let mut scores = vec![vec![0.0; self.effect.len()]; outcomes.len()];
        let contrast = contrast::apply(self, outcomes, Some(&mut scores))?;
        Ok((contrast, scores))
    }

    fn column_scores(&self, column: &[f64]) -> Vec<f64> {
        let mut scores = self.residuals(column);
        if self.clusters.is_some() {
            scores.iter_mut().zip(&self.effect).for_each(|(score, weight)| *score *= weight);
        } else {
            let multipliers = self.parts.iter().flat_map(|part| part.rows.iter().zip(&part.multiplier));
            multipliers.for_each(|(&row, multiplier)| scores[row as usize] *= multiplier);
        }
        scores
    }

    /// What means and slopes leave of a column; 0 for a customer whom the fit does not weigh.
    pub(super) fn residuals(&self, column: &[f64]) -> Vec<f64> {
        let within = self.cells.as_ref().map(|cells| cells.within(column));
        let column = within.as_deref().unwrap_or(column);
        let slopes: Vec<Vec<f64>> = self.slopes.iter().map(|s| s.of(column)).collect();
        let mut residuals = vec![0.0; self.effect.len()];
        for part in &self.parts {
            let y: Vec<f64> = part.rows.iter().map(|&row| column[row as usize]).collect();
            let mean = part.mean(|place| y[place]);
            let mut of_part: Vec<f64> = y.iter().map(|y| y - mean).collect();
            if let Some((index, centred)) = &part.slopes {
                for (x, slope) in centred.iter().zip(&slopes[*index]) {
                    of_part.iter_mut().zip(x).for_each(|(residual, x)| *residual -= slope * x);
                }
            }
            part.rows.iter().zip(of_part).for_each(|(&row, residual)| residuals[row as usize] = residual);
        }
        residuals
    }
}

impl Part {
    /// The mean that residuals are taken from, by two passes.
    pub(super) fn mean(&self, y: impl Fn(usize) -> f64) -> f64 {
        let places = || 0..self.rows.len();
        let n = self.rows.len() as f64;
        let first = places().map(&y).sum::<f64>() / n;
        match &self.centre {
            None => first + places().map(|place| y(place) - first).sum::<f64>() / n,
            Some(centre) => first + places().zip(centre).map(|(place, c)| c * (y(place) - first)).sum::<f64>(),
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
