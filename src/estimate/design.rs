//! What an estimator sees: the design, the outcomes, and why there may be no answer.

use crate::study::Arm;

/// Who was in which arm, and what was known of them before.
#[derive(Debug, Clone, Copy)]
pub struct Design<'a> {
    /// The arm of each customer.
    pub arm: &'a [Arm],
    /// Covariates fixed before the promotion, each with one finite value a customer.
    pub covariates: &'a [&'a [f64]],
}

impl<'a> Design<'a> {
    /// A design without covariates.
    #[must_use]
    pub const fn new(arm: &'a [Arm]) -> Self {
        Self { arm, covariates: &[] }
    }

    /// The same with covariates.
    #[must_use]
    pub const fn with_covariates(self, covariates: &'a [&'a [f64]]) -> Self {
        Self { arm: self.arm, covariates }
    }

    /// The rows of an arm.
    #[must_use]
    pub fn rows(&self, arm: Arm) -> Vec<u32> {
        self.arm.iter().zip(0..).filter(|(a, _)| **a == arm).map(|(_, row)| row).collect()
    }

    /// Checks lengths and values.
    ///
    /// # Errors
    /// [`Undefined::Lengths`] or [`Undefined::NotFinite`].
    pub(super) fn validate(&self) -> Result<(), Undefined> {
        for (covariate, values) in self.covariates.iter().enumerate() {
            if values.len() != self.arm.len() {
                return Err(Undefined::Lengths { expected: self.arm.len(), found: values.len() });
            }
            if let Some(row) = values.iter().position(|v| !usable(*v)) {
                return Err(Undefined::NotFinite { column: covariate, row });
            }
        }
        Ok(())
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

    /// The same with a before-column.
    #[must_use]
    pub const fn with_before(self, before: &'a [f64], exposure: f64) -> Self {
        Self { values: self.values, before: Some((before, exposure)) }
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
