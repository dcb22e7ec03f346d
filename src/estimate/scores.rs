//! Scores by customer, for what combines several fits on the same customers.

use super::contrast::{self, Contrast, ROUNDING, satterthwaite};
use super::fit::{Fit, Part};
use super::interval::{Df, Estimate, Level};
use super::linear::{dot, total};
use super::{Outcome, Undefined};
use crate::study::DfRule;

/// Rows handled at a time.
const NEAR: usize = 1 << 10;

/// The effect on one outcome by itself, with its customers' scores.
pub(crate) struct Single {
    pub(crate) estimate: Estimate,
    /// One a customer of the fit; 0 for one whom it does not weigh.
    pub(crate) scores: Vec<f64>,
}

/// What one outcome sums to in a part.
struct PartSums {
    /// Sum of `w_i y_i`.
    weighted: f64,
    /// What rounding took from that.
    rest: f64,
    /// Sum of the squared scores.
    variance: f64,
    /// Sum of `(multiplier x y)^2`.
    raw: f64,
}

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
        let mut room = Room::default();
        Ok(columns.iter().take(outcomes.len()).map(|column| self.column_scores(column, &mut room)).collect())
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

    /// The effects one by one, as [`Fit::contrast`] has them but without their covariance: of many outcomes that is most of the work. `None` where scores are
    /// not all there is to the variance: in clustered designs, and of a population.
    ///
    /// # Errors
    /// As [`Fit::contrast`].
    pub(crate) fn singles(&self, outcomes: &[Outcome<'_>], level: Level) -> Result<Option<Vec<Single>>, Undefined> {
        if self.clusters.is_some() || self.mean_covariance.is_some() || self.differences {
            return Ok(None);
        }
        let columns = self.columns(outcomes)?;
        let mut room = Room::default();
        Ok(Some(columns.iter().map(|column| self.single(column, level, &mut room)).collect()))
    }

    fn single(&self, column: &[f64], level: Level, room: &mut Room) -> Single {
        let within = self.within(column);
        let residualised = within.as_deref().unwrap_or(column);
        let slopes: Vec<Vec<f64>> = self.slopes.iter().map(|s| s.of_in(residualised, &mut room.0)).collect();
        let mut scores = vec![0.0; self.effect.len()];
        let parts = self.parts.iter().map(|part| {
            let sums = self.sums(part, column, room);
            let variance = part.scores(residualised, &slopes, room, &mut scores);
            PartSums { variance, ..sums }
        });
        let parts: Vec<PartSums> = parts.collect();
        // As in a contrast: the largest scale of rounding holds for all parts, and the large sums cancel first.
        let least = ROUNDING * parts.iter().map(|part| part.raw).fold(0.0, f64::max);
        let variances = || parts.iter().map(|part| if part.variance > least { part.variance } else { 0.0 });
        let value = parts.iter().map(|part| part.weighted).sum::<f64>() + parts.iter().map(|part| part.rest).sum::<f64>();
        let df = match level.df {
            DfRule::Residual => Df::T(self.residual_df.max(1.0)),
            DfRule::Normal => Df::Normal,
            DfRule::Satterthwaite => satterthwaite(|| variances().zip(self.parts.iter().map(|part| part.df))),
        };
        Single { estimate: Estimate::new(value, variances().sum(), df, level), scores }
    }

    /// What one outcome sums to in a part.
    fn sums(&self, part: &Part, column: &[f64], Room(y): &mut Room) -> PartSums {
        part.gather(column, y);
        let weights = || part.rows.iter().map(|&row| self.effect[row as usize]);
        let first = weights().next().unwrap_or(0.0);
        let raw = y.iter().zip(&part.multiplier).map(|(y, m)| y * m * (y * m)).sum();
        if !weights().all(|weight| weight == first) {
            return PartSums { weighted: y.iter().zip(weights()).map(|(y, w)| y * w).sum(), rest: 0.0, raw, variance: 0.0 };
        }
        let (whole, weighted) = (y.len() as f64 * first, total(y) * first);
        let (mean, left) = part.two_passes(y);
        let rest = if part.centre.is_none() { whole.mul_add(mean, -weighted) + whole * left } else { 0.0 };
        PartSums { weighted, rest, raw, variance: 0.0 }
    }

    fn within(&self, column: &[f64]) -> Option<Vec<f64>> {
        self.cells.as_ref().map(|cells| cells.within(column))
    }

    fn column_scores(&self, column: &[f64], room: &mut Room) -> Vec<f64> {
        if self.clusters.is_some() {
            let mut scores = self.residuals(column);
            scores.iter_mut().zip(&self.effect).for_each(|(score, weight)| *score *= weight);
            return scores;
        }
        let within = self.within(column);
        let column = within.as_deref().unwrap_or(column);
        let slopes: Vec<Vec<f64>> = self.slopes.iter().map(|s| s.of_in(column, &mut room.0)).collect();
        let mut scores = vec![0.0; self.effect.len()];
        for part in &self.parts {
            part.scores(column, &slopes, room, &mut scores);
        }
        scores
    }

    /// What means and slopes leave of a column; 0 for a customer whom the fit does not weigh.
    pub(super) fn residuals(&self, column: &[f64]) -> Vec<f64> {
        let within = self.within(column);
        let column = within.as_deref().unwrap_or(column);
        let mut room = Room::default();
        let slopes: Vec<Vec<f64>> = self.slopes.iter().map(|s| s.of_in(column, &mut room.0)).collect();
        let mut residuals = vec![0.0; self.effect.len()];
        for part in &self.parts {
            part.residuals(column, &slopes, &mut room);
            part.rows.iter().zip(&room.0).for_each(|(&row, residual)| residuals[row as usize] = *residual);
        }
        residuals
    }
}

/// Room for the values of a part, lent from column to column.
#[derive(Default)]
struct Room(Vec<f64>);

impl Part {
    /// The values of its customers.
    fn gather(&self, column: &[f64], y: &mut Vec<f64>) {
        y.clear();
        y.extend(self.rows.iter().map(|&row| column[row as usize]));
    }

    /// The residuals of a column, left in the room.
    fn residuals(&self, column: &[f64], slopes: &[Vec<f64>], Room(y): &mut Room) {
        self.gather(column, y);
        let (first, left) = self.two_passes(y);
        let mean = first + left;
        let Some((index, centred)) = &self.slopes else {
            for y in y {
                *y -= mean;
            }
            return;
        };
        // Some rows at a time stay where they are near.
        for (at, y) in y.chunks_mut(NEAR).enumerate() {
            for y in &mut *y {
                *y -= mean;
            }
            for (x, slope) in centred.iter().zip(&slopes[*index]) {
                y.iter_mut().zip(&x[at * NEAR..]).for_each(|(residual, x)| *residual -= slope * x);
            }
        }
    }

    /// Writes the scores of a column to their customers, and gives the sum of their squares.
    fn scores(&self, column: &[f64], slopes: &[Vec<f64>], room: &mut Room, scores: &mut [f64]) -> f64 {
        self.residuals(column, slopes, room);
        room.0.iter_mut().zip(&self.multiplier).for_each(|(score, multiplier)| *score *= multiplier);
        self.rows.iter().zip(&room.0).for_each(|(&row, score)| scores[row as usize] = *score);
        dot(&room.0, &room.0)
    }

    /// The mean that residuals are taken from, by two passes.
    pub(super) fn mean(&self, y: &[f64]) -> f64 {
        let (first, left) = self.two_passes(y);
        first + left
    }

    /// The plain mean, and what is left to the one that residuals are taken from.
    fn two_passes(&self, y: &[f64]) -> (f64, f64) {
        let n = y.len() as f64;
        let first = total(y) / n;
        let left = match &self.centre {
            None => y.iter().map(|y| y - first).sum::<f64>() / n,
            Some(centre) => y.iter().zip(centre).map(|(y, c)| c * (y - first)).sum::<f64>(),
        };
        (first, left)
    }
}

impl super::linear::Slopes {
    /// The slopes of one column, in room that is lent.
    pub(super) fn of_in(&self, column: &[f64], y: &mut Vec<f64>) -> Vec<f64> {
        // Centring first: the operator's columns sum to zero only up to rounding.
        let centre = self.rows.first().map_or(0.0, |&row| column[row as usize]);
        y.clear();
        y.extend(self.rows.iter().map(|&row| column[row as usize] - centre));
        self.operator.iter().map(|o| dot(o, y)).collect()
    }
}
