//! Matched pairs, and coarsened exact matching as weights.

use std::collections::BTreeMap;

use super::clusters::Clusters;
use super::fit::{Estimand, Estimator, Fit};
use super::linear::Covariates;
use super::unadjusted::means;
use super::{Design, Undefined};
use crate::study::Arm;

/// The mean difference within pairs of one target and one control customer.
///
/// Weights `+1/P` and `-1/P`; covariance that of the pairs' differences divided by P; degrees of freedom `P - 1` (the paired t test).
#[derive(Debug, Clone, Default)]
pub struct MatchedPairs {
    /// The pair of each customer.
    pub pairs: Vec<u32>,
}

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

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        if self.pairs.len() != design.arm.len() {
            return Err(Undefined::Lengths { expected: design.arm.len(), found: self.pairs.len() });
        }
        let mut counts = BTreeMap::<u32, [usize; 2]>::new();
        for (pair, arm) in self.pairs.iter().zip(design.arm) {
            counts.entry(*pair).or_default()[usize::from(*arm == Arm::Control)] += 1;
        }
        if let Some((&pair, _)) = counts.iter().find(|(_, count)| **count != [1, 1]) {
            return Err(Undefined::NotAPair { pair });
        }
        let mut fit = means(&Covariates::new(&Design::new(design.arm))?, false, false);
        fit.clusters = Some(Clusters::pairs(&self.pairs));
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
    /// Cut at the quantiles of all customers into so many groups of like size.
    Quantiles(usize),
}

/// What coarsened exact matching found.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// Weights for [`GivenWeights`](super::GivenWeights): 1 for a matched target; `n_T,s / n_C,s` for a control of cell s; 0 for those without a match.
    pub weights: Vec<f64>,
    /// The cell of each customer, in the order of first appearance.
    pub cells: Vec<u32>,
    /// Target and control customers without a match: the effect says nothing of them.
    pub unmatched: [usize; 2],
}

/// Coarsened exact matching (Iacus, King and Porro 2012): customers of both arms that agree in every coarsened covariate. The target's unmatched customers are
/// left out, which changes whom the average is over: read `unmatched`.
///
/// # Errors
/// [`Undefined::Lengths`] where there is not one coarsening a covariate; [`Undefined::NotFinite`]; [`Undefined::TooFewCustomers`] where nobody is matched.
pub fn coarsened_exact(design: &Design<'_>, coarsening: &[Coarsening]) -> Result<Matched, Undefined> {
    design.validate()?;
    if coarsening.len() != design.covariates.len() {
        return Err(Undefined::Lengths { expected: design.covariates.len(), found: coarsening.len() });
    }
    let coarse: Vec<Vec<u64>> = design.covariates.iter().zip(coarsening).map(|(values, rule)| rule.codes(values)).collect();
    let mut code_of = BTreeMap::<Vec<u64>, u32>::new();
    let mut cells = Vec::with_capacity(design.arm.len());
    for row in 0..design.arm.len() {
        let next = code_of.len() as u32;
        cells.push(*code_of.entry(coarse.iter().map(|codes| codes[row]).collect()).or_insert(next));
    }
    let mut counts = vec![[0_usize; 2]; code_of.len()];
    let side = |arm: &Arm| usize::from(*arm == Arm::Control);
    cells.iter().zip(design.arm).for_each(|(cell, arm)| counts[*cell as usize][side(arm)] += 1);
    let mut unmatched = [0, 0];
    let weights = cells.iter().zip(design.arm).map(|(cell, arm)| match counts[*cell as usize] {
        [0, _] | [_, 0] => {
            unmatched[side(arm)] += 1;
            0.0
        }
        [target, control] if *arm == Arm::Control => target as f64 / control as f64,
        _ => 1.0,
    });
    let weights: Vec<f64> = weights.collect();
    for (arm, unmatched) in [Arm::Target, Arm::Control].into_iter().zip(unmatched) {
        let customers = design.arm.iter().filter(|a| **a == arm).count() - unmatched;
        if customers < 2 {
            return Err(Undefined::TooFewCustomers { arm, customers, needed: 2 });
        }
    }
    Ok(Matched { weights, cells, unmatched })
}

impl Coarsening {
    fn codes(&self, values: &[f64]) -> Vec<u64> {
        let by_cuts = |cuts: &[f64]| values.iter().map(|v| cuts.partition_point(|cut| cut <= v) as u64).collect();
        match self {
            // Negative zero is zero.
            Self::Exact => values.iter().map(|v| (v + 0.0).to_bits()).collect(),
            Self::Cuts(cuts) => by_cuts(cuts),
            Self::Quantiles(groups) => {
                let mut sorted = values.to_vec();
                sorted.sort_by(f64::total_cmp);
                let mut cuts: Vec<f64> = (1..*groups).filter_map(|g| sorted.get(g * sorted.len() / groups).copied()).collect();
                cuts.dedup();
                by_cuts(&cuts)
            }
        }
    }
}
