//! Scores by customer, for what combines several fits on the same customers.

use rayon::prelude::*;

use super::contrast::{self, Contrast, ROUNDING, satterthwaite};
use super::fit::{Cells, Fit, Part};
use super::interval::{Df, Estimate, Level};
use super::linear::{Slopes, dot, sum_of, sum_of_pairs, total};
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
pub(super) struct PartSums {
    /// Sum of `w_i y_i`.
    pub(super) weighted: f64,
    /// What rounding took from that, where it is known.
    pub(super) rest: f64,
    /// Sum of `(multiplier x y)^2`.
    pub(super) raw: f64,
    /// What residuals are taken from.
    pub(super) mean: f64,
}

/// The weights of a part's customers.
pub(super) enum Weights {
    Equal(f64),
    Each(Vec<f64>),
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
        Ok(columns[..outcomes.len()].par_iter().map_init(Room::default, |room, column| self.column_scores(column, room)).collect())
    }

    /// The same fit of the same customers in another order, for [`Fit::scores`] alone; `order` holds the present row of each.
    pub(crate) fn in_order(&self, order: &[u32]) -> Self {
        let parts = self.parts.iter().map(|part| part.in_order(order)).collect();
        let slopes = self.slopes.iter().map(|slopes| slopes.in_order(order)).collect();
        let cells = self.cells.as_ref().map(|cells| Cells { codes: taken(&cells.codes, order), weights: taken(&cells.weights, order) });
        Self { effect: taken(&self.effect, order), parts, slopes, cells, ..self.clone() }
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

    /// The effects on columns that were looked at ([`Fit::contrast`] would take them), one by one, as a contrast has them but without their covariance: of many
    /// outcomes that is most of the work. `None` where scores are not all there is to the variance: in clustered designs, and of a population.
    pub(crate) fn singles(&self, columns: &[&[f64]], level: Level) -> Option<Vec<Single>> {
        if self.clusters.is_some() || self.mean_covariance.is_some() || self.differences {
            return None;
        }
        let weights: Vec<Weights> = self.parts.iter().map(|part| part.weights(&self.effect)).collect();
        let mut room = Room::default();
        Some(columns.iter().map(|column| self.single(column, &weights, level, &mut room)).collect())
    }

    fn single(&self, column: &[f64], weights: &[Weights], level: Level, room: &mut Room) -> Single {
        let within = self.within(column);
        let slopes = self.slopes_of(within.as_deref().unwrap_or(column), room);
        let mut scores = vec![0.0; self.effect.len()];
        let parts = self.parts.iter().zip(weights).map(|(part, weights)| {
            part.gather(column, &mut room.0);
            let sums = part.sums(&room.0, weights);
            let mean = match &within {
                None => sums.mean,
                Some(within) => {
                    part.gather(within, &mut room.0);
                    part.mean(&room.0)
                }
            };
            let variance = part.scores(mean, &slopes, &mut room.0, &mut scores);
            (sums, variance)
        });
        let parts: Vec<(PartSums, f64)> = parts.collect();
        // As in a contrast: the largest scale of rounding holds for all parts, and the large sums cancel first.
        let least = ROUNDING * parts.iter().map(|(sums, _)| sums.raw).fold(0.0, f64::max);
        let variances = || parts.iter().map(|(_, variance)| if *variance > least { *variance } else { 0.0 });
        let value = parts.iter().map(|(sums, _)| sums.weighted).sum::<f64>() + parts.iter().map(|(sums, _)| sums.rest).sum::<f64>();
        let df = match level.df {
            DfRule::Residual => Df::T(self.residual_df.max(1.0)),
            DfRule::Normal => Df::Normal,
            DfRule::Satterthwaite => satterthwaite(|| variances().zip(self.parts.iter().map(|part| part.df))),
        };
        Single { estimate: Estimate::new(value, variances().sum(), df, level), scores }
    }

    fn slopes_of(&self, column: &[f64], room: &mut Room) -> Vec<Vec<f64>> {
        self.slopes.iter().map(|slopes| slopes.of_in(column, &mut room.0)).collect()
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
        let slopes = self.slopes_of(column, room);
        let mut scores = vec![0.0; self.effect.len()];
        for part in &self.parts {
            part.gather(column, &mut room.0);
            let mean = part.mean(&room.0);
            part.scores(mean, &slopes, &mut room.0, &mut scores);
        }
        scores
    }

    /// What means and slopes leave of a column; 0 for a customer whom the fit does not weigh.
    pub(super) fn residuals(&self, column: &[f64]) -> Vec<f64> {
        let within = self.within(column);
        let column = within.as_deref().unwrap_or(column);
        let mut room = Room::default();
        let slopes = self.slopes_of(column, &mut room);
        let mut residuals = vec![0.0; self.effect.len()];
        for part in &self.parts {
            part.gather(column, &mut room.0);
            let mean = part.mean(&room.0);
            part.residuals(mean, &slopes, &mut room.0);
            part.rows.iter().zip(&room.0).for_each(|(&row, residual)| residuals[row as usize] = *residual);
        }
        residuals
    }
}

/// Room for the values of a part, lent from column to column.
#[derive(Default)]
struct Room(Vec<f64>);

/// The places in `order` of some rows, and which of the rows each is.
fn places(rows: &[u32], order: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut index = vec![u32::MAX; order.len()];
    rows.iter().zip(0..).for_each(|(&row, at)| index[row as usize] = at);
    order.iter().zip(0..).map(|(&row, place)| (place, index[row as usize])).filter(|(_, at)| *at != u32::MAX).unzip()
}

/// The values at some places.
fn taken<T: Copy>(values: &[T], places: &[u32]) -> Vec<T> {
    places.iter().map(|&place| values[place as usize]).collect()
}

impl Part {
    fn in_order(&self, order: &[u32]) -> Self {
        let (rows, at) = places(&self.rows, order);
        let slopes = self.slopes.as_ref().map(|(index, centred)| (*index, centred.iter().map(|x| taken(x, &at)).collect()));
        Self { rows, multiplier: taken(&self.multiplier, &at), slopes, centre: self.centre.as_ref().map(|centre| taken(centre, &at)), ..*self }
    }

    /// The values of its customers.
    pub(super) fn gather(&self, column: &[f64], y: &mut Vec<f64>) {
        y.clear();
        y.extend(self.rows.iter().map(|&row| column[row as usize]));
    }

    pub(super) fn weights(&self, effect: &[f64]) -> Weights {
        let weights = || self.rows.iter().map(|&row| effect[row as usize]);
        let first = weights().next().unwrap_or(0.0);
        if weights().all(|weight| weight == first) { Weights::Equal(first) } else { Weights::Each(weights().collect()) }
    }

    /// What the values of its customers sum to.
    pub(super) fn sums(&self, y: &[f64], weights: &Weights) -> PartSums {
        let raw = sum_of_pairs(y, &self.multiplier, |y, m| y * m * (y * m));
        let n = y.len() as f64;
        let total = total(y);
        let first = total / n;
        let left = self.left(y, first);
        // With equal weights the plain sum is exact wherever the amounts are; it must agree with the ledger to the cent.
        let (weighted, rest) = match weights {
            Weights::Each(weights) => (dot(weights, y), 0.0),
            Weights::Equal(weight) if self.centre.is_some() => (total * weight, 0.0),
            Weights::Equal(weight) => (total * weight, (n * weight).mul_add(first, -(total * weight)) + n * weight * left),
        };
        PartSums { weighted, rest, raw, mean: first + left }
    }

    /// Takes mean and slopes from its customers' values.
    fn residuals(&self, mean: f64, slopes: &[Vec<f64>], y: &mut [f64]) {
        for (at, y) in y.chunks_mut(NEAR).enumerate() {
            self.residuals_from(at * NEAR, mean, slopes, y);
        }
    }

    /// The same of some of its customers, from a place on.
    fn residuals_from(&self, from: usize, mean: f64, slopes: &[Vec<f64>], y: &mut [f64]) {
        for y in &mut *y {
            *y -= mean;
        }
        if let Some((index, centred)) = &self.slopes {
            for (x, slope) in centred.iter().zip(&slopes[*index]) {
                y.iter_mut().zip(&x[from..]).for_each(|(residual, x)| *residual -= slope * x);
            }
        }
    }

    /// Makes its customers' values scores, writes them to their rows, and gives the sum of their squares; some at a time, which stay where they are near.
    fn scores(&self, mean: f64, slopes: &[Vec<f64>], y: &mut [f64], scores: &mut [f64]) -> f64 {
        let mut squares = 0.0;
        for ((at, y), rows) in y.chunks_mut(NEAR).enumerate().zip(self.rows.chunks(NEAR)) {
            let from = at * NEAR;
            self.residuals_from(from, mean, slopes, y);
            y.iter_mut().zip(&self.multiplier[from..]).for_each(|(score, multiplier)| *score *= multiplier);
            squares += dot(y, y);
            rows.iter().zip(y).for_each(|(&row, score)| scores[row as usize] = *score);
        }
        squares
    }

    /// The mean that residuals are taken from, by two passes.
    pub(super) fn mean(&self, y: &[f64]) -> f64 {
        let first = total(y) / y.len() as f64;
        first + self.left(y, first)
    }

    /// What is left from the plain mean to the one that residuals are taken from.
    fn left(&self, y: &[f64], first: f64) -> f64 {
        match &self.centre {
            None => sum_of(y, |y| y - first) / y.len() as f64,
            Some(centre) => sum_of_pairs(y, centre, |y, c| c * (y - first)),
        }
    }
}

impl Slopes {
    fn in_order(&self, order: &[u32]) -> Self {
        let (rows, at) = places(&self.rows, order);
        Self { rows, operator: self.operator.iter().map(|o| taken(o, &at)).collect() }
    }

    /// The slopes of one column, in room that is lent.
    pub(super) fn of_in(&self, column: &[f64], y: &mut Vec<f64>) -> Vec<f64> {
        // Centring first: the operator's columns sum to zero only up to rounding.
        let centre = self.rows.first().map_or(0.0, |&row| column[row as usize]);
        y.clear();
        y.extend(self.rows.iter().map(|&row| column[row as usize] - centre));
        self.operator.iter().map(|o| dot(o, y)).collect()
    }
}
