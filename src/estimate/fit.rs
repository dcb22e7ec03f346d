//! The fitted design: one weight per customer, and how scores are made.

use std::fmt::Debug;

use serde::{Serialize, Serializer};

use super::contrast::{self, Contrast};
use super::linear::Slopes;
use super::{Design, Outcome, Undefined};
use crate::study::Arm;

/// An estimator turns a design into weights and a rule for scores; it never sees an outcome.
pub trait Estimator: Debug + Send + Sync {
    /// The name in files.
    fn name(&self) -> &'static str;

    /// Whose average effect it estimates.
    fn estimand(&self) -> Estimand;

    /// Whether outcomes are differenced: `y - exposure * before`.
    fn differences(&self) -> bool {
        false
    }

    /// Whether it uses covariates.
    fn adjusts(&self) -> bool {
        true
    }

    /// Fits the design.
    ///
    /// # Errors
    /// [`Undefined`] where the design has no answer: an arm too small, collinear covariates, leverage 1.
    fn fit(&self, design: &Design<'_>) -> Result<Fit, Undefined>;
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
    /// The population the assigned customers were drawn from.
    AverageOverPopulation,
}

impl Estimand {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::AverageOverAssigned => "average over assigned",
            Self::AverageOverTarget => "average over target",
            Self::AverageOverTargetIfParallel => "average over target, if trends are parallel",
            Self::AverageOverPopulation => "average over the population",
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
    /// One multiplier a row.
    pub multiplier: Vec<f64>,
    /// Degrees of freedom.
    pub df: f64,
    /// Which slopes of the fit residualise it, and the part's centred covariates.
    pub(super) slopes: Option<(usize, Vec<Vec<f64>>)>,
}

/// A fitted design. Use [`Fit::contrast`] to apply it to outcomes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fit {
    /// The signed weight of each customer; the effect on `y` is `sum_i w_i y_i`.
    pub effect: Vec<f64>,
    /// The arms.
    pub parts: Vec<Part>,
    /// Covariates used, by index.
    pub used: Vec<usize>,
    /// Covariates dropped because they are constant over all customers, by index.
    pub constant: Vec<usize>,
    /// N - 2(k + 1).
    pub residual_df: f64,
    pub(super) slopes: Vec<Slopes>,
    pub(super) differences: bool,
    /// The covariance of the pooled covariates' mean, where the estimand is a population (row-major k x k).
    pub(super) mean_covariance: Option<Vec<f64>>,
}

impl Fit {
    /// Applies the weights to outcomes: effects, and one covariance for all of them.
    ///
    /// Cost: one pass over the outcomes for the sums, and `n p (p + 1) / 2` multiplications for the covariance of `p` outcomes.
    ///
    /// # Errors
    /// [`Undefined::Lengths`], [`Undefined::NotFinite`], [`Undefined::NoBaseline`].
    pub fn contrast(&self, outcomes: &[Outcome<'_>]) -> Result<Contrast, Undefined> {
        contrast::apply(self, outcomes)
    }

    /// How many customers of an arm there are.
    #[must_use]
    pub fn customers(&self, arm: Arm) -> usize {
        self.parts.iter().filter(|p| p.arm == arm).map(|p| p.rows.len()).sum()
    }

    /// The weighted mean of a column on the control side, `-sum over controls of w_i x_i`: what the target is compared with.
    #[must_use]
    pub fn control_mean(&self, values: &[f64]) -> f64 {
        self.side(values, Arm::Control, -1.0)
    }

    /// The weighted mean of a column on the target side.
    #[must_use]
    pub fn target_mean(&self, values: &[f64]) -> f64 {
        self.side(values, Arm::Target, 1.0)
    }

    fn side(&self, values: &[f64], arm: Arm, sign: f64) -> f64 {
        let rows = self.parts.iter().filter(|p| p.arm == arm).flat_map(|p| &p.rows);
        rows.filter_map(|&row| Some(sign * self.effect.get(row as usize)? * values.get(row as usize)?)).sum()
    }
}
