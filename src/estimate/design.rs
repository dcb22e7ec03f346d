//! What an estimator sees: the design, the outcomes, and why there may be no answer.

use crate::study::Arm;

/// Who was in which arm, and what was known of them before.
#[derive(Debug, Clone, Copy)]
pub struct Design<'a> {
    /// The arm of each customer.
    pub arm: &'a [Arm],
    /// Covariates fixed before the promotion, each with one finite value a customer.
    pub covariates: &'a [&'a [f64]],
    /// The stratum of each customer; the effect is then made within strata and averaged over them.
    pub strata: Option<&'a [u32]>,
    /// The cluster of each customer (a store, a household), and the rule for its covariance. Clusters may straddle arms.
    pub clusters: Option<(&'a [u32], ClusterRule)>,
    /// The pair of each customer, for [`MatchedPairs`](super::MatchedPairs); any other estimator refuses a design that has pairs.
    pub pairs: Option<&'a [u32]>,
    /// The weight of each customer, 0 or more, for [`GivenWeights`](super::GivenWeights); any other estimator refuses a design that has weights.
    pub weights: Option<&'a [f64]>,
}

/// The rule for the covariance of a clustered design.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClusterRule {
    /// CR2 for estimators that are one least squares (unadjusted, difference in differences, cuped, regression), without strata. CR1 for the others and within
    /// strata; where whole clusters were assigned, so that none straddles the arms, with Satterthwaite's degrees of freedom over `G_T - 1` and `G_C - 1`: few
    /// clusters in one arm say little of its spread, however many the other has.
    #[default]
    Default,
    /// Sums of scores as they are (Liang and Zeger 1986); `t` with `G - 1` degrees of freedom.
    Cr0,
    /// CR0 times `G/(G - 1) x (N - 1)/(N - K)`, K coefficients (Cameron and Miller 2015); `t` with `G - 1` degrees of freedom.
    Cr1,
    /// Residuals of each cluster adjusted by `(I - H_gg)^(-1/2)`, with Bell and McCaffrey's degrees of freedom (2002). Only where the fit is one least squares.
    Cr2,
}

impl<'a> Design<'a> {
    /// A design without covariates.
    #[must_use]
    pub const fn new(arm: &'a [Arm]) -> Self {
        Self { arm, covariates: &[], strata: None, clusters: None, pairs: None, weights: None }
    }

    /// The same with covariates fixed before the promotion, each one value a customer, in any unit.
    #[must_use]
    pub const fn with_covariates(mut self, covariates: &'a [&'a [f64]]) -> Self {
        self.covariates = covariates;
        self
    }

    /// The same with the stratum of each customer.
    #[must_use]
    pub const fn with_strata(mut self, strata: &'a [u32]) -> Self {
        self.strata = Some(strata);
        self
    }

    /// The same with the cluster of each customer, and the rule for the covariance.
    #[must_use]
    pub const fn with_clusters(mut self, clusters: &'a [u32], rule: ClusterRule) -> Self {
        self.clusters = Some((clusters, rule));
        self
    }

    /// The same with the pair of each customer.
    #[must_use]
    pub const fn with_pairs(mut self, pairs: &'a [u32]) -> Self {
        self.pairs = Some(pairs);
        self
    }

    /// The same with a weight for each customer, 0 or more; only their proportions within an arm count.
    #[must_use]
    pub const fn with_weights(mut self, weights: &'a [f64]) -> Self {
        self.weights = Some(weights);
        self
    }

    /// The rows of an arm, from 0, ascending.
    #[must_use]
    pub fn rows(&self, arm: Arm) -> Vec<u32> {
        self.arm.iter().zip(0..).filter(|(a, _)| **a == arm).map(|(_, row)| row).collect()
    }

    /// Checks lengths and values.
    ///
    /// # Errors
    /// [`Undefined::Lengths`], [`Undefined::NotFinite`] or [`Undefined::Weight`].
    pub(super) fn validate(&self) -> Result<(), Undefined> {
        for codes in self.strata.into_iter().chain(self.clusters.map(|(codes, _)| codes)).chain(self.pairs) {
            if codes.len() != self.arm.len() {
                return Err(Undefined::Lengths { expected: self.arm.len(), found: codes.len() });
            }
        }
        for (covariate, values) in self.covariates.iter().enumerate() {
            if values.len() != self.arm.len() {
                return Err(Undefined::Lengths { expected: self.arm.len(), found: values.len() });
            }
            if let Some(row) = values.iter().position(|v| !usable(*v)) {
                return Err(Undefined::NotFinite { column: covariate, row });
            }
        }
        match self.weights {
            Some(weights) if weights.len() != self.arm.len() => Err(Undefined::Lengths { expected: self.arm.len(), found: weights.len() }),
            Some(weights) => weights.iter().position(|w| !(*w >= 0.0 && usable(*w))).map_or(Ok(()), |row| Err(Undefined::Weight { row })),
            None => Ok(()),
        }
    }
}

/// Whether a value is finite and its square, summed over customers, is so too.
pub(super) fn usable(value: f64) -> bool {
    value.abs() <= 1e120
}

/// An outcome: one finite value a customer, with what a differencing estimator subtracts.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// The values.
    pub values: &'a [f64],
    /// The same quantity before the promotion, and the ratio of exposures (days of the outcome / days before).
    pub before: Option<(&'a [f64], f64)>,
}

impl<'a> Outcome<'a> {
    /// An outcome without a before-column.
    #[must_use]
    pub const fn new(values: &'a [f64]) -> Self {
        Self { values, before: None }
    }

    /// The same with a before-column: the same quantity in the same unit before the promotion, and `exposure`, days of the outcome / days before.
    #[must_use]
    pub const fn with_before(self, before: &'a [f64], exposure: f64) -> Self {
        Self { values: self.values, before: Some((before, exposure)) }
    }
}

impl Undefined {
    /// The same with the rows of some customers counted in the whole design, of which they are `rows`.
    pub(crate) fn in_rows(self, rows: &[u32]) -> Self {
        let place = |row: usize| rows.get(row).map_or(row, |row| *row as usize);
        match self {
            Self::LeverageOne { arm, row } => Self::LeverageOne { arm, row: place(row) },
            Self::AllTheWeight { arm, row } => Self::AllTheWeight { arm, row: place(row) },
            Self::Weight { row } => Self::Weight { row: place(row) },
            Self::NotFinite { column, row } => Self::NotFinite { column, row: place(row) },
            Self::Stratum { stratum, reason } => Self::Stratum { stratum, reason: Box::new(reason.in_rows(rows)) },
            other => other,
        }
    }
}

/// Why an estimator has no answer. Never replaced by another estimator in silence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Undefined {
    /// An arm is too small for the covariates.
    #[error("the {arm} arm has {customers} customers, the estimator needs {needed}; use fewer covariates or the estimator unadjusted")]
    TooFewCustomers {
        /// The arm.
        arm: Arm,
        /// Its customers.
        customers: usize,
        /// The least it needs.
        needed: usize,
    },
    /// A covariate is a linear combination of others (or constant) within an arm.
    #[error("covariate {covariate} is collinear with the others within the {arm} arm; leave it out")]
    Collinear {
        /// The arm.
        arm: Arm,
        /// The covariate's index.
        covariate: usize,
    },
    /// One customer alone determines a slope, so that its residual, and with it HC2, is undefined.
    #[error("the customer in row {row} has leverage 1 in the {arm} arm: it alone fixes a slope; leave out the covariate in which only it differs")]
    LeverageOne {
        /// The arm.
        arm: Arm,
        /// The customer's row, from 0.
        row: usize,
    },
    /// An estimator has no answer within a stratum.
    #[error("stratum {stratum}: {reason}")]
    Stratum {
        /// The stratum's code.
        stratum: u32,
        /// Why.
        reason: Box<Self>,
    },
    /// One of several target arms has no answer.
    #[error("target arm {variant}: {reason}")]
    Variant {
        /// The arm's code.
        variant: u32,
        /// Why.
        reason: Box<Self>,
    },
    /// Too few clusters to tell their spread.
    #[error("the {arm} arm has customers of {clusters} clusters; {needed} are needed. Assign smaller units, or drop the clusters and say so")]
    TooFewClusters {
        /// The arm.
        arm: Arm,
        /// Clusters with customers in it.
        clusters: usize,
        /// The least it needs.
        needed: usize,
    },
    /// One cluster alone determines a coefficient, so that CR2 is undefined.
    #[error("cluster {cluster} alone fixes a coefficient: its residuals say nothing; use CR1, or leave out the covariate in which only it differs")]
    ClusterLeverageOne {
        /// The cluster's code.
        cluster: u32,
    },
    /// No weights balance the covariates: the target's means lie outside what the controls can reach.
    #[error(
        "the controls cannot be weighted so that covariate {covariate} balances: {imbalance:.3} standard deviations are left. Use fewer covariates, or another estimator"
    )]
    Infeasible {
        /// The covariate that is left furthest.
        covariate: usize,
        /// What is left, in standard deviations.
        imbalance: f64,
    },
    /// A weight given is negative, NaN, infinite or above 1e120.
    #[error("the weight in row {row} is not a finite number of 0 or more")]
    Weight {
        /// The row, from 0.
        row: usize,
    },
    /// One customer carries all the weight of an arm, so that it has no spread.
    #[error(
        "the customer in row {row} carries all the weight of the {arm} arm: its spread cannot be told. Spread the weight, or leave the arm's other customers in"
    )]
    AllTheWeight {
        /// The arm.
        arm: Arm,
        /// The customer's row, from 0.
        row: usize,
    },
    /// A pair is not one target and one control customer.
    #[error("pair {pair} is not one target and one control customer; leave incomplete pairs out")]
    NotAPair {
        /// The pair's code.
        pair: u32,
    },
    /// Too few customers have a match.
    #[error("{target} target and {control} control customers have a match, and 2 of each are needed; match on fewer covariates, or coarser ones")]
    Unmatched {
        /// Target customers with a match.
        target: usize,
        /// Control customers with a match.
        control: usize,
    },
    /// Counts that cannot be: nobody to count among, or more counted than there are.
    #[error("the {arm} arm has {count} of {customers} customers; there must be customers, and no more can be counted than there are")]
    Counts {
        /// The arm.
        arm: Arm,
        /// Those counted.
        count: u64,
        /// All of them.
        customers: u64,
    },
    /// Options that have no meaning together here, or an argument outside its range.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Slices of different lengths.
    #[error("a column has {found} values where the design has {expected} customers")]
    Lengths {
        /// Customers of the design.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// A value is NaN, infinite or so large that its square does not fit.
    #[error("column {column} is not finite, or above 1e120, in row {row}")]
    NotFinite {
        /// The column's index.
        column: usize,
        /// The row, from 0.
        row: usize,
    },
    /// A differencing estimator met an outcome without a before-column.
    #[error("outcome {outcome} has no baseline to subtract; difference_in_differences needs one")]
    NoBaseline {
        /// The outcome's index.
        outcome: usize,
    },
}
