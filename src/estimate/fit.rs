//! The fitted design: one weight per customer, and how scores are made.

use std::fmt::Debug;

use serde::{Serialize, Serializer};

use super::clusters::Clusters;
use super::contrast::{self, Contrast};
use super::linear::Slopes;
use super::{ClusterRule, Design, Outcome, Undefined, strata};
use crate::study::Arm;

/// An estimator turns a design into weights and a rule for scores; it never sees an outcome.
///
/// The estimators are promolift's; weights made elsewhere come in through [`GivenWeights`](super::GivenWeights).
pub trait Estimator: Debug + Send + Sync {
    /// The name in files.
    fn name(&self) -> &'static str;

    /// Whose average effect it estimates in a design without strata; with them it is over whom [`Estimator::shares`] counts.
    fn estimand(&self) -> Estimand;

    /// Whether outcomes are differenced: `y - exposure * before` ([`Outcome::before`]).
    fn differences(&self) -> bool {
        false
    }

    /// Whether it uses covariates.
    fn adjusts(&self) -> bool {
        true
    }

    /// Whose customers say how much a stratum counts.
    fn shares(&self) -> Shares {
        Shares::Target
    }

    /// Whether it can be fitted within strata; weights, pairs and matches say themselves how customers compare.
    fn stratifies(&self) -> bool {
        true
    }

    /// Whether it compares within the pairs of the design ([`Design::pairs`]).
    fn takes_pairs(&self) -> bool {
        false
    }

    /// Whether it takes the weights of the design ([`Design::weights`]).
    fn takes_weights(&self) -> bool {
        false
    }

    /// Weighs the customers of a design without regard to its strata and clusters: one signed weight each, +1 in sum over the target, -1 over the control.
    ///
    /// # Errors
    /// [`Undefined`] where the design has no answer: an arm too small, collinear covariates, leverage 1.
    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined>;

    /// Fits the design: within its strata, where it has some, with scores summed by its clusters.
    ///
    /// In stratum `s` with share `p_s` ([`Estimator::shares`]) the weights are `p_s` times those of the stratum as a design of its own (post-stratification);
    /// degrees of freedom are Satterthwaite's over both arms of all strata. Clusters follow their [`ClusterRule`].
    ///
    /// # Errors
    /// As [`Estimator::weigh`], in [`Undefined::Stratum`] where it is of one; [`Undefined::Lengths`], [`Undefined::NotFinite`] and [`Undefined::Weight`] of the
    /// design; [`Undefined::Unsupported`] for strata, pairs, weights or a rule for clusters that the estimator does not take; [`Undefined::TooFewClusters`];
    /// [`Undefined::ClusterLeverageOne`].
    fn fit(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        design.validate()?;
        if design.strata.is_some() && !self.stratifies() {
            return Err(Undefined::Unsupported(
                "given weights, matched pairs and coarsened exact matching have no strata: they say themselves how customers compare",
            ));
        }
        if design.pairs.is_some() != self.takes_pairs() {
            return Err(Undefined::Unsupported("pairs are for the estimator matched_pairs, and it needs them"));
        }
        if design.weights.is_some() != self.takes_weights() {
            return Err(Undefined::Unsupported("weights are for the estimator given_weights, and it needs them"));
        }
        let fit = match design.strata {
            None => self.weigh(design)?,
            Some(codes) => strata::fit(&|stratum| self.weigh(stratum), self.shares(), design, codes)?,
        };
        match design.clusters {
            None => Ok(fit),
            Some((codes, rule)) => fit.with_clusters(design, codes, rule),
        }
    }
}

/// Whose customers say how much a stratum counts in a post-stratified effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shares {
    /// `n_T,s / n_T`: an average over the target.
    Target,
    /// `N_s / N`: an average over all assigned.
    Assigned,
}

/// Whose average effect an estimator estimates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Estimand {
    /// All customers assigned.
    AverageOverAssigned,
    /// The target customers.
    AverageOverTarget,
    /// The target customers, if both arms would have moved in parallel.
    AverageOverTargetIfParallel,
    /// The target customers who have a match in the control; nothing is said of the others.
    AverageOverMatchedTarget,
    /// The population the assigned customers were drawn from.
    AverageOverPopulation,
    /// Whomever the weights given stand for.
    AverageAsWeighted,
}

impl Estimand {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::AverageOverAssigned => "average over assigned",
            Self::AverageOverTarget => "average over target",
            Self::AverageOverTargetIfParallel => "average over target, if trends are parallel",
            Self::AverageOverMatchedTarget => "average over the matched target customers",
            Self::AverageOverPopulation => "average over the population",
            Self::AverageAsWeighted => "average over the customers as weighted",
        }
    }
}

impl Serialize for Estimand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// The customers of one arm, and how their scores are made.
///
/// The residual of customer `i` is `r_i = (y_i - ybar) - (x_i - xbar)'B`, means over the part, `B` the slopes that the estimator residualises by (none: 0);
/// its score is `multiplier_i * r_i`, and the part's covariance the sum of the scores' outer products.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Part {
    /// The arm.
    pub arm: Arm,
    /// Its rows in the design.
    pub rows: Vec<u32>,
    /// One multiplier a row, with the sign of its weight (in the control below zero, where a customer does not count against his arm).
    pub multiplier: Vec<f64>,
    /// Degrees of freedom: `n_a - 1 - slopes fitted in the arm`, unless the estimator says otherwise; infinite for the normal distribution.
    pub df: f64,
    /// Which slopes of the fit residualise it, and the part's centred covariates.
    pub(super) slopes: Option<(usize, Vec<Vec<f64>>)>,
    /// Weights of the mean that residuals are taken from, summing to 1; `None`: all equal.
    pub(super) centre: Option<Vec<f64>>,
}

/// Cells of like customers: outcomes are taken from the cell's weighted mean before any residual is made.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    /// The cell of each customer.
    pub(super) codes: Vec<u32>,
    /// The weight of each customer; those without one are in no cell.
    pub(super) weights: Vec<f64>,
}

impl Cells {
    /// A column less its cells' weighted means; zero for customers without weight.
    pub(super) fn within(&self, column: &[f64]) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.codes.iter().max().map_or(0, |last| *last as usize + 1)];
        for ((code, weight), value) in self.codes.iter().zip(&self.weights).zip(column) {
            let (sum, total) = &mut sums[*code as usize];
            *sum += weight * value;
            *total += weight;
        }
        let rest = |((code, weight), value): ((&u32, &f64), &f64)| {
            let (sum, total) = sums[*code as usize];
            if *weight > 0.0 { value - sum / total } else { 0.0 }
        };
        self.codes.iter().zip(&self.weights).zip(column).map(rest).collect()
    }
}

/// A fitted design. Use [`Fit::contrast`] to apply it to outcomes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fit {
    /// The signed weight of each customer; the effect on `y` is `sum_i w_i y_i`.
    pub effect: Vec<f64>,
    /// The arms, those of each stratum by themselves.
    pub parts: Vec<Part>,
    /// Covariates used, by index.
    pub used: Vec<usize>,
    /// Covariates dropped because they are constant over all customers, by index.
    pub constant: Vec<usize>,
    /// `N - 2(k + 1)`, N the customers who count and k the covariates used, in sum over strata; for coarsened exact matching N less the cells less 1.
    pub residual_df: f64,
    pub(super) slopes: Vec<Slopes>,
    pub(super) differences: bool,
    /// Coefficients of the regression that the residuals are of.
    pub(super) coefficients: usize,
    /// An orthonormal basis of the regressors, where the fit is one least squares and a clustered design asks for it: a column a direction, a value a row.
    pub(super) basis: Option<Vec<Vec<f64>>>,
    pub(super) clusters: Option<Clusters>,
    /// The covariance of the pooled covariates' mean, where the estimand is a population (row-major k x k).
    pub(super) mean_covariance: Option<Vec<f64>>,
    /// Cells within which residuals are taken, both arms together.
    pub(super) cells: Option<Cells>,
}

impl Fit {
    /// Applies the weights to outcomes: effects `sum_i w_i y_i`, in the outcome's unit per customer, and one covariance for all of them.
    ///
    /// Cost: one pass over the outcomes for the sums, and `n p (p + 1) / 2` multiplications for the covariance of `p` outcomes.
    ///
    /// # Errors
    /// [`Undefined::Lengths`] where a column has not one value a customer; [`Undefined::NotFinite`]; [`Undefined::NoBaseline`] where the estimator differences
    /// and an outcome has no before-column.
    pub fn contrast(&self, outcomes: &[Outcome<'_>]) -> Result<Contrast, Undefined> {
        contrast::apply(self, outcomes, None)
    }

    /// The same weights and scores for outcomes that are differenced already.
    #[must_use]
    pub(crate) fn of_differences(mut self) -> Self {
        self.differences = false;
        self
    }

    /// How many clusters have customers with a weight; `None` without clusters. Matched pairs are clusters here and below.
    #[must_use]
    pub fn cluster_count(&self) -> Option<usize> {
        self.clusters.as_ref().map(Clusters::count)
    }

    /// How many clusters have customers in the arm that has fewer of them; `None` without clusters.
    #[must_use]
    pub fn clusters_in_smaller_arm(&self) -> Option<usize> {
        self.clusters.as_ref().map(|clusters| clusters.smaller_arm)
    }

    /// The rule of its covariance as used, never [`ClusterRule::Default`]; `None` without clusters.
    #[must_use]
    pub fn cluster_rule(&self) -> Option<ClusterRule> {
        self.clusters.as_ref().map(Clusters::rule)
    }

    /// The largest share of an arm's weight that one customer carries, `max |w| / sum |w|`, between 0 and 1.
    #[must_use]
    pub fn largest_share(&self, arm: Arm) -> f64 {
        let weights = || self.parts.iter().filter(|p| p.arm == arm).flat_map(|p| &p.rows).map(|&row| self.effect[row as usize].abs());
        let total: f64 = weights().sum();
        if total > 0.0 { weights().fold(0.0, f64::max) / total } else { 0.0 }
    }

    /// Kish's effective sample size of an arm (1965), `(sum w)^2 / sum w^2`, in customers: as many of equal weight have the variance of its mean.
    #[must_use]
    pub fn effective_size(&self, arm: Arm) -> f64 {
        let weights = || self.parts.iter().filter(|p| p.arm == arm).flat_map(|p| &p.rows).map(|&row| self.effect[row as usize]);
        let (sum, squares) = weights().fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
        if squares > 0.0 { sum * sum / squares } else { 0.0 }
    }

    /// Whether the customers of an arm who count all weigh the same, up to 1e-9 of the weight.
    #[must_use]
    pub fn weighs_evenly(&self, arm: Arm) -> bool {
        let mut weights = self.parts.iter().filter(|p| p.arm == arm).flat_map(|p| &p.rows).map(|&row| self.effect[row as usize]);
        let Some(first) = weights.next() else { return true };
        weights.all(|w| (w - first).abs() <= 1e-9 * first.abs())
    }

    /// How many customers of an arm count: those given a weight of 0 and those without a match do not.
    #[must_use]
    pub fn customers(&self, arm: Arm) -> usize {
        self.parts.iter().filter(|p| p.arm == arm).map(|p| p.rows.len()).sum()
    }

    /// The weighted mean of a column on the control side, `-sum over controls of w_i x_i`, in its unit: what the target is compared with. One value a customer.
    #[must_use]
    pub fn control_mean(&self, values: &[f64]) -> f64 {
        self.side(values, Arm::Control, -1.0)
    }

    /// The weighted mean of a column on the target side, `sum over target of w_i x_i`, in its unit.
    #[must_use]
    pub fn target_mean(&self, values: &[f64]) -> f64 {
        self.side(values, Arm::Target, 1.0)
    }

    fn side(&self, values: &[f64], arm: Arm, sign: f64) -> f64 {
        let rows = self.parts.iter().filter(|p| p.arm == arm).flat_map(|p| &p.rows);
        rows.filter_map(|&row| Some(sign * self.effect.get(row as usize)? * values.get(row as usize)?)).sum()
    }
}
