//! Matched pairs, and coarsened exact matching.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::clusters::Clusters;
use super::fit::{Cells, Estimand, Estimator, Fit};
use super::linear::Covariates;
use super::unadjusted::means;
use super::{Design, GivenWeights, Undefined};
use crate::study::Arm;

/// The mean difference within pairs of one target and one control customer, the pairs being those of the design ([`Design::with_pairs`]).
///
/// Weights `+1/P` and `-1/P`; covariance that of the pairs' differences divided by P; degrees of freedom `P - 1` (the paired t test, Student 1908). Pairs are
/// taken as given and independent. [`Undefined::NotAPair`] where a pair is not one customer of each arm.
///
/// ```
/// use promolift::estimate::{Design, Estimator, Level, MatchedPairs, Outcome};
/// use promolift::study::Arm::{Control, Target};
///
/// let arm = [Target, Control, Target, Control, Control, Target];
/// let pair = [0, 0, 1, 2, 1, 2];
/// let spend = [12.0, 10.0, 9.0, 6.0, 8.0, 9.0];
/// let contrast = MatchedPairs.fit(&Design::new(&arm).with_pairs(&pair))?.contrast(&[Outcome::new(&spend)])?;
/// let found = contrast.estimate(&contrast.effect(&[1.0]), Level::default());
/// // Differences 2, 1 and 3: a mean of 2 with a standard error of 1/sqrt(3).
/// assert!((found.value - 2.0).abs() < 1e-12 && (found.std_error - 1.0 / 3.0_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), promolift::estimate::Undefined>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MatchedPairs;

impl Estimator for MatchedPairs {
    fn name(&self) -> &'static str {
        "matched_pairs"
    }

    fn estimand(&self) -> Estimand {
        Estimand::AverageOverTarget
    }

    fn adjusts(&self) -> bool {
        false
    }

    fn stratifies(&self) -> bool {
        false
    }

    fn takes_pairs(&self) -> bool {
        true
    }

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        design.validate()?;
        let pairs = design.pairs.ok_or(Undefined::Unsupported("matched_pairs needs the pairs of the design"))?;
        let mut counts = BTreeMap::<u32, [usize; 2]>::new();
        for (pair, arm) in pairs.iter().zip(design.arm) {
            counts.entry(*pair).or_default()[side(*arm)] += 1;
        }
        if let Some((&pair, _)) = counts.iter().find(|(_, count)| **count != [1, 1]) {
            return Err(Undefined::NotAPair { pair });
        }
        let mut fit = means(&Covariates::new(&Design::new(design.arm))?, false, false);
        fit.clusters = Some(Clusters::pairs(pairs));
        Ok(fit)
    }
}

/// Coarsened exact matching as an estimator (Iacus, King and Porro 2012): the difference between matched customers, controls weighted to the target's cells.
///
/// With cell `s` of [`coarsened_exact`], `m_T` matched target customers and `n_T,s`, `n_C,s` of both arms in the cell: weights `+1/m_T` for a matched target,
/// `-n_T,s / (n_C,s m_T)` for a control of the cell, 0 for those without a match. That is the coefficient of the arm in least squares on the arm and a dummy
/// for each cell, weighted by [`Matched::weights`] `v`. The covariance is `sum w_i^2 e_i e_i' / d_i` with its residuals `e` and `d_i = sum_j (I - H)_ij^2`, H the
/// matrix that makes the fitted values: what is left of a customer's variance where all have the same (HC2's `1 - h_i` is that for equal weights only; the
/// weights are matches, not precisions). With m matched target customers `H_ij = v_j (1 / (2 n_T,s) if in i's cell) +- v_j / (2 m)`, plus in the same arm. Of
/// pairs it is the variance of their differences. Clusters sum `w_i` times what is left of the arm's weighted
/// mean, not of the cell's, which would take with it what customers of one cluster in one cell share: wider than need be, since what cells explain is in it.
/// Degrees of freedom of arm a, with Kish's sizes `m_eff` and G cells: the
/// smaller of `m_eff,a - 1` and `(m_eff,T + m_eff,C - G - 1) / 2`, at least 1; together `P - 1` for P pairs. That the groups were cut from the data
/// is not in the interval. Holds where within a cell the target would have done as the controls.
///
/// The average is over the *matched* target ([`Fit::customers`] counts it); of the others nothing is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CoarsenedExact {
    /// How each covariate of the design is made coarse.
    pub coarsening: Vec<Coarsening>,
}

impl Estimator for CoarsenedExact {
    fn name(&self) -> &'static str {
        "coarsened_exact"
    }

    fn estimand(&self) -> Estimand {
        Estimand::AverageOverMatchedTarget
    }

    fn stratifies(&self) -> bool {
        false
    }

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        let matched = coarsened_exact(design, &self.coarsening)?;
        let mut fit = GivenWeights { augmented: false }.weigh(&Design::new(design.arm).with_weights(&matched.weights))?;
        matched.refine(&mut fit, design.arm);
        let constant = |values: &[f64]| values.windows(2).all(|pair| pair[0] == pair[1]);
        (fit.constant, fit.used) = (0..design.covariates.len()).partition(|&index| constant(design.covariates[index]));
        Ok(fit)
    }
}

/// How a covariate is made coarse.
#[derive(Debug, Clone, PartialEq)]
pub enum Coarsening {
    /// Each value by itself.
    Exact,
    /// Cut at these values, ascending: a value belongs to the last cut at or below it.
    Cuts(Vec<f64>),
    /// Cut at the quantiles of all customers of both arms into so many groups of like size, G.
    ///
    /// With `q_g` the `ceil(g n / G)`-th smallest value (g = 1 .. G - 1), a value belongs to the first `q_g` at or above it, the largest ones to a group of
    /// their own. A value that more than one customer in G has is a group by itself: those who bought nothing before are not mixed with those who bought a
    /// little. Where there are at most G different values, each is one.
    Quantiles(usize),
}

/// What coarsened exact matching found.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// Weights as of [`Design::with_weights`]: 1 for a matched target; `n_T,s / n_C,s` for a control of cell s; 0 for those without a match.
    pub weights: Vec<f64>,
    /// The cell of each customer, in the order of first appearance.
    pub cells: Vec<u32>,
    /// Target and control customers without a match: the effect says nothing of them.
    pub unmatched: [usize; 2],
}

/// The cells and weights of coarsened exact matching (Iacus, King and Porro 2012): customers of both arms that agree in every coarsened covariate. The target's
/// unmatched customers are left out, which changes whom the average is over: read `unmatched`. Without covariates all customers are in one cell.
///
/// # Errors
/// [`Undefined::Lengths`] where there is not one coarsening a covariate, or not one value a customer; [`Undefined::NotFinite`]; [`Undefined::Weight`];
/// [`Undefined::Unmatched`] where fewer than two customers of an arm are matched.
pub fn coarsened_exact(design: &Design<'_>, coarsening: &[Coarsening]) -> Result<Matched, Undefined> {
    design.validate()?;
    if coarsening.len() != design.covariates.len() {
        return Err(Undefined::Lengths { expected: design.covariates.len(), found: coarsening.len() });
    }
    let mut cells = vec![0; design.arm.len()];
    for (values, rule) in design.covariates.iter().zip(coarsening) {
        refine(&mut cells, &rule.codes(values));
    }
    let mut counts = vec![[0_usize; 2]; cells.iter().max().map_or(0, |last| *last as usize + 1)];
    cells.iter().zip(design.arm).for_each(|(cell, arm)| counts[*cell as usize][side(*arm)] += 1);
    let [mut matched, mut unmatched] = [[0, 0]; 2];
    for count in &counts {
        let to = if count.contains(&0) { &mut unmatched } else { &mut matched };
        to.iter_mut().zip(count).for_each(|(sum, count)| *sum += count);
    }
    if let [target, control] = matched
        && matched.iter().any(|count| *count < 2)
    {
        return Err(Undefined::Unmatched { target, control });
    }
    let weight = |(cell, arm): (&u32, &Arm)| match counts[*cell as usize] {
        [0, _] | [_, 0] => 0.0,
        [target, control] if *arm == Arm::Control => target as f64 / control as f64,
        _ => 1.0,
    };
    let weights = cells.iter().zip(design.arm).map(weight).collect();
    Ok(Matched { weights, cells, unmatched })
}

impl Matched {
    /// The sum of the squared weights of target and control in each cell.
    fn squares(&self, arm: &[Arm], cells: usize) -> Vec<[f64; 2]> {
        let mut squares = vec![[0.0; 2]; cells];
        for ((cell, weight), arm) in self.cells.iter().zip(&self.weights).zip(arm) {
            squares[*cell as usize][side(*arm)] += weight * weight;
        }
        squares
    }

    /// Takes residuals within cells, each in units of its own spread, with the degrees of freedom of the least squares that has a dummy for each cell.
    fn refine(self, fit: &mut Fit, arm: &[Arm]) {
        let mut targets = vec![0.0; self.cells.iter().max().map_or(0, |last| *last as usize + 1)];
        let matched = |row: usize| self.weights[row] > 0.0 && arm[row] == Arm::Target;
        self.cells.iter().enumerate().filter(|(row, _)| matched(*row)).for_each(|(_, cell)| targets[*cell as usize] += 1.0);
        let all: f64 = targets.iter().sum();
        let cells = targets.iter().filter(|count| **count > 0.0).count();
        let size = [Arm::Target, Arm::Control].map(|arm| fit.effective_size(arm));
        let squares = self.squares(arm, targets.len());
        let sum_of_squares: f64 = squares.iter().flatten().sum();
        for part in &mut fit.parts {
            for (multiplier, &row) in part.multiplier.iter_mut().zip(&part.rows) {
                let row = row as usize;
                let cell = self.cells[row] as usize;
                let (within, between) = (0.5 / targets[cell], 0.5 / all);
                let [own, other] = [squares[cell][side(part.arm)], squares[cell][1 - side(part.arm)]];
                let elsewhere = sum_of_squares - own - other;
                let fitted = own * (within + between).powi(2) + other * (within - between).powi(2) + elsewhere * between * between;
                let spread = 1.0 - 2.0 * self.weights[row] * (within + between) + fitted;
                *multiplier = fit.effect[row] / spread.sqrt();
            }
            part.df = (0.5 * (size[0] + size[1] - cells as f64 - 1.0)).min(size[side(part.arm)] - 1.0).max(1.0);
        }
        fit.coefficients = cells + 1;
        fit.residual_df = fit.parts.iter().map(|part| part.rows.len()).sum::<usize>() as f64 - fit.coefficients as f64;
        fit.cells = Some(Cells { codes: self.cells, weights: self.weights });
    }
}

fn side(arm: Arm) -> usize {
    usize::from(arm == Arm::Control)
}

/// Splits cells by one more code; the new ones are numbered as they first appear.
fn refine(cells: &mut [u32], codes: &[u64]) {
    let mut seen = HashMap::new();
    for (cell, code) in cells.iter_mut().zip(codes) {
        let next = seen.len() as u32;
        *cell = *seen.entry((*cell, *code)).or_insert(next);
    }
}

impl Coarsening {
    fn codes(&self, values: &[f64]) -> Vec<u64> {
        match self {
            // Negative zero is zero.
            Self::Exact => values.iter().map(|v| (v + 0.0).to_bits()).collect(),
            Self::Cuts(cuts) => values.iter().map(|v| cuts.partition_point(|cut| cut <= v) as u64).collect(),
            Self::Quantiles(groups) => match Quantiles::new(values, *groups) {
                Some(quantiles) => values.iter().map(|v| quantiles.code(*v)).collect(),
                None => Self::Exact.codes(values),
            },
        }
    }
}

/// The inner quantiles of a covariate, each with whether it is a group by itself.
struct Quantiles(Vec<(f64, bool)>);

impl Quantiles {
    /// `None`: no more different values than groups.
    fn new(values: &[f64], groups: usize) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().map(|v| v + 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        if sorted.chunk_by(|a, b| a == b).count() <= groups {
            return None;
        }
        let n = sorted.len();
        let holds_more = |cut: f64| groups * (sorted.partition_point(|v| *v <= cut) - sorted.partition_point(|v| *v < cut)) > n;
        let mut cuts: Vec<f64> = (1..groups).filter_map(|g| sorted.get((g * n).div_ceil(groups).saturating_sub(1)).copied()).collect();
        cuts.dedup();
        Some(Self(cuts.into_iter().map(|cut| (cut, holds_more(cut))).collect()))
    }

    fn code(&self, value: f64) -> u64 {
        let at = self.0.partition_point(|(cut, _)| *cut < value);
        let below_a_heavy_one = self.0.get(at).is_some_and(|(cut, by_itself)| *by_itself && value < *cut);
        2 * at as u64 + u64::from(below_a_heavy_one)
    }
}
