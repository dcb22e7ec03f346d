//! The sums and the covariance of one part of a fit, made in blocks of rows.

use std::borrow::Cow;

use rayon::prelude::*;

use super::clusters::Clusters;
use super::contrast::{ArmForm, ROUNDING, bilinear, padded};
use super::fit::{Fit, Part};
use super::linear::{Slopes, dot};
use super::scores::PartSums;
use crate::study::Arm;

/// Rows handled at a time; fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 256;
/// Blocks whose matrices are held at once.
const BLOCKS_AT_ONCE: usize = 64;
/// Products of scores held at once by all of them: with thousands of outcomes one block is much.
const HELD: usize = 1 << 25;
/// Fewer values than this are not worth another thread.
const SMALL: usize = 1 << 14;

/// One part of the covariance, with its degrees of freedom.
#[derive(Debug, Clone)]
pub(super) struct PartMoments {
    pub(super) side: Side,
    pub(super) df: f64,
    /// Its customers, as a number.
    pub(super) customers: f64,
    /// Sum of `w_i y_i`, by outcome.
    pub(super) sums: Vec<f64>,
    /// What rounding took from those sums where all weights are equal: far from zero it is more than the effect has digits.
    pub(super) rests: Vec<f64>,
    /// What residuals are taken from, by outcome.
    pub(super) means: Vec<f64>,
    /// Row-major, symmetric.
    pub(super) covariance: Vec<f64>,
    /// Sum of (multiplier x y)^2, by outcome, the largest of all parts: the scale of rounding.
    pub(super) raw: Vec<f64>,
}

/// Whose sums a part holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    One(Arm),
    /// The target's sums, then the control's: clusters straddle arms.
    Both,
}

impl PartMoments {
    /// The coefficients of this part's sums.
    pub(super) fn side<'a>(&self, form: &'a ArmForm) -> Cow<'a, [f64]> {
        match self.side {
            Side::One(Arm::Target) => padded(&form.target, self.sums.len()),
            Side::One(Arm::Control) => padded(&form.control, self.sums.len()),
            Side::Both => {
                let of_one = self.sums.len() / 2;
                Cow::Owned(padded(&form.target, of_one).iter().chain(padded(&form.control, of_one).iter()).copied().collect())
            }
        }
    }

    pub(super) fn variance(&self, form: &ArmForm) -> f64 {
        let side = self.side(form);
        let variance = bilinear(&self.covariance, &side, &side);
        let scale = self.scale(form);
        if variance > ROUNDING * scale * scale { variance } else { 0.0 }
    }

    /// A part of both arms as one of each, where no cluster has customers in both.
    pub(super) fn by_arm(&self, df: [f64; 2]) -> Vec<Self> {
        let (p, whole) = (self.sums.len() / 2, self.sums.len());
        let arms = [Arm::Target, Arm::Control].into_iter().zip(df).zip([0, p]);
        arms.map(|((arm, df), from)| {
            let of = |values: &[f64]| values.get(from..from + p).unwrap_or_default().to_vec();
            let covariance = (from..from + p).flat_map(|row| self.covariance[row * whole + from..row * whole + from + p].to_vec()).collect();
            Self { side: Side::One(arm), df, sums: of(&self.sums), rests: of(&self.rests), means: Vec::new(), covariance, raw: of(&self.raw), ..self.clone() }
        })
        .collect()
    }

    /// The root of the raw second moment of a form's scores, or more.
    fn scale(&self, form: &ArmForm) -> f64 {
        self.side(form).iter().zip(&self.raw).map(|(c, raw)| c.abs() * raw.sqrt()).sum()
    }

    /// The sum of the absolute terms of a form's value, or more (Cauchy-Schwarz).
    pub(super) fn magnitude(&self, form: &ArmForm) -> f64 {
        self.customers.sqrt() * self.scale(form)
    }
}

/// Something of each column of so many rows; small work stays on one thread.
fn by_column<T: Send>(rows: usize, columns: &[&[f64]], of: impl Fn(&[f64]) -> T + Sync) -> Vec<T> {
    if rows * columns.len() < SMALL { columns.iter().map(|column| of(column)).collect() } else { columns.par_iter().map(|column| of(column)).collect() }
}

/// `B = sum_i operator_i y_i'`, row-major k x columns.
pub(super) fn slopes_of(slopes: &Slopes, columns: &[&[f64]]) -> Vec<f64> {
    let by_column: Vec<Vec<f64>> = by_column(slopes.rows.len(), columns, |column| slopes.of_in(column, &mut Vec::with_capacity(slopes.rows.len())));
    (0..slopes.operator.len()).flat_map(|k| by_column.iter().map(move |slopes| slopes[k])).collect()
}

pub(super) fn moments(fit: &Fit, part: &Part, [columns, within]: [&[&[f64]]; 2], slopes: &[Vec<f64>], mut scores: Option<&mut [Vec<f64>]>) -> PartMoments {
    let n = part.rows.len() as f64;
    let weights = part.weights(&fit.effect);
    let by_column: Vec<PartSums> = by_column(part.rows.len(), columns, |column| {
        let mut y = Vec::new();
        part.gather(column, &mut y);
        part.sums(&y, &weights)
    });
    let means: Vec<f64> = if fit.cells.is_some() {
        let of_part = |column: &&[f64]| -> Vec<f64> { part.rows.iter().map(|&row| column[row as usize]).collect() };
        within.iter().map(|column| part.mean(&of_part(column))).collect()
    } else {
        by_column.iter().map(|s| s.mean).collect()
    };
    let mut covariance = vec![0.0; columns.len() * columns.len()];
    // Clusters have their own covariance.
    let rows = if fit.clusters.is_some() { 0 } else { part.rows.len() };
    let blocks: Vec<usize> = (0..rows.div_ceil(BLOCK)).collect();
    // Some blocks at a time, added in order: the same bits on any number of threads, and bounded memory.
    for some in blocks.chunks((HELD / covariance.len().max(1)).clamp(1, BLOCKS_AT_ONCE)) {
        let of = |block: &usize| Block::new(part, *block, within, &means, slopes);
        let found: Vec<Block> = if rows * columns.len() < SMALL { some.iter().map(of).collect() } else { some.par_iter().map(of).collect() };
        for block in &found {
            covariance.iter_mut().zip(&block.covariance).for_each(|(sum, value)| *sum += value);
            block.write(part, scores.as_deref_mut().unwrap_or_default());
        }
    }
    PartMoments {
        side: Side::One(part.arm),
        df: part.df,
        customers: n,
        sums: by_column.iter().map(|s| s.weighted).collect(),
        rests: by_column.iter().map(|s| s.rest).collect(),
        means,
        covariance,
        raw: by_column.iter().map(|s| s.raw).collect(),
    }
}

/// The parts as one whose scores are sums over clusters.
pub(super) fn clustered(
    fit: &Fit,
    clusters: &Clusters,
    parts: &[PartMoments],
    columns: &[&[f64]],
    slopes: &[Vec<f64>],
    scores: Option<&mut [Vec<f64>]>,
) -> PartMoments {
    let n = fit.effect.len();
    let mut arm = vec![Arm::Target; n];
    fit.parts.iter().for_each(|part| part.rows.iter().for_each(|&row| arm[row as usize] = part.arm));
    let p = columns.len();
    let residuals: Vec<Vec<f64>> = (0..p)
        .into_par_iter()
        .map(|j| {
            let mut whole = vec![0.0; n];
            for (part, moments) in fit.parts.iter().zip(parts) {
                let mut residual: Vec<f64> = part.rows.iter().map(|&row| columns[j][row as usize] - moments.means[j]).collect();
                if let Some((index, centred)) = &part.slopes {
                    for (k, x) in centred.iter().enumerate() {
                        let slope = slopes[*index][k * p + j];
                        residual.iter_mut().zip(x).for_each(|(r, x)| *r -= slope * x);
                    }
                }
                part.rows.iter().zip(residual).for_each(|(&row, r)| whole[row as usize] = r);
            }
            whole
        })
        .collect();
    for (scores, residuals) in scores.unwrap_or_default().iter_mut().zip(&residuals) {
        scores.iter_mut().zip(&fit.effect).zip(residuals).for_each(|((score, weight), residual)| *score = weight * residual);
    }
    let both = |value: &dyn Fn(&PartMoments) -> &[f64]| -> Vec<f64> {
        let mut sums = vec![0.0; 2 * p];
        for (part, moments) in fit.parts.iter().zip(parts) {
            let side = if part.arm == Arm::Target { 0 } else { p };
            sums[side..side + p].iter_mut().zip(value(moments)).for_each(|(sum, v)| *sum += v);
        }
        sums
    };
    PartMoments {
        side: Side::Both,
        df: clusters.df,
        customers: n as f64,
        sums: both(&|m| &m.sums),
        rests: both(&|m| &m.rests),
        means: Vec::new(),
        covariance: clusters.covariance(fit, &arm, &residuals),
        raw: both(&|m| &m.raw),
    }
}

/// Slopes fitted in one part, or in all, carry the rounding of its outcomes into the others: one scale for all parts. A difference carries the
/// rounding of what it was taken from, which stands `outcomes` columns behind it.
pub(super) fn share_rounding(parts: &mut [PartMoments], columns: usize, outcomes: usize) {
    let of = |column: usize| parts.iter().flat_map(|part| part.raw.iter().skip(column).step_by(columns)).copied().fold(0.0, f64::max);
    let largest: Vec<f64> = (0..columns).map(of).collect();
    for part in parts {
        for (index, raw) in part.raw.iter_mut().enumerate() {
            let column = index % columns;
            *raw = largest.get(column + outcomes).copied().unwrap_or(0.0).max(largest[column]);
        }
    }
}

/// The scores of one block of rows, with their outer products.
struct Block {
    from: usize,
    /// By column; none where all are zero.
    scores: Vec<Option<Vec<f64>>>,
    covariance: Vec<f64>,
}

impl Block {
    fn new(part: &Part, block: usize, columns: &[&[f64]], means: &[f64], slopes: &[Vec<f64>]) -> Self {
        let from = block * BLOCK;
        let to = (from + BLOCK).min(part.rows.len());
        let (rows, multiplier) = (&part.rows[from..to], &part.multiplier[from..to]);
        let p = columns.len();
        let scores: Vec<Option<Vec<f64>>> = (0..p)
            .map(|j| {
                let mut residual: Vec<f64> = rows.iter().map(|&row| columns[j][row as usize] - means[j]).collect();
                if let Some((index, centred)) = &part.slopes {
                    for (k, x) in centred.iter().enumerate() {
                        let slope = slopes[*index][k * p + j];
                        residual.iter_mut().zip(&x[from..to]).for_each(|(r, x)| *r -= slope * x);
                    }
                }
                residual.iter_mut().zip(multiplier).for_each(|(r, m)| *r *= m);
                residual.iter().any(|r| *r != 0.0).then_some(residual)
            })
            .collect();
        let mut covariance = vec![0.0; p * p];
        for (i, a) in scores.iter().enumerate() {
            let Some(a) = a else { continue };
            for (j, b) in scores.iter().enumerate().take(i + 1) {
                let Some(b) = b else { continue };
                let product = dot(a, b);
                covariance[i * p + j] = product;
                covariance[j * p + i] = product;
            }
        }
        Self { from, scores, covariance }
    }

    /// Puts the scores of the first columns to their customers.
    fn write(&self, part: &Part, scores: &mut [Vec<f64>]) {
        for (column, found) in scores.iter_mut().zip(&self.scores) {
            let Some(found) = found else { continue };
            part.rows[self.from..].iter().zip(found).for_each(|(&row, score)| column[row as usize] = *score);
        }
    }
}
