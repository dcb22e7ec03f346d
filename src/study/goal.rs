//! Goals: what the promotion was meant to reach.

use serde::{Deserialize, Serialize};

/// A goal: a threshold for an effect or for a row of the retailer's bridge.
///
/// Met when the lower one-sided limit at `(1 + confidence) / 2` is at or above the threshold, missed when the upper one is below it, else undecided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// What it is called.
    pub name: String,
    /// The effect, with `measure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// The measure, with `effect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// A row of the retailer's bridge instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Threshold relative to the counterfactual mean: 0.1 for +10 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
    /// Threshold per target customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_customer: Option<f64>,
    /// Threshold for the total over the target customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
}

/// What a goal speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoalSubject<'a> {
    /// An effect on a measure.
    Effect {
        /// The effect.
        effect: &'a str,
        /// The measure.
        measure: &'a str,
    },
    /// A row of the retailer's bridge.
    Row(&'a str),
}

/// The threshold of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalThreshold {
    /// Relative to the counterfactual mean.
    Relative(f64),
    /// Per target customer.
    PerCustomer(f64),
    /// Over all target customers.
    Total(f64),
}

impl Goal {
    /// An effect on a measure that is to reach `threshold` times the counterfactual mean: 0.1 for +10 %.
    ///
    /// ```
    /// use promolift::study::Goal;
    /// let goal = Goal::relative("sell a tenth more", "total", "net_sales", 0.1);
    /// assert_eq!(goal.relative, Some(0.1));
    /// ```
    #[must_use]
    pub fn relative(name: impl Into<String>, effect: impl Into<String>, measure: impl Into<String>, threshold: f64) -> Self {
        Self { relative: Some(threshold), ..Self::of_effect(name, effect, measure) }
    }

    /// An effect on a measure that is to reach `threshold` per target customer.
    #[must_use]
    pub fn per_customer(name: impl Into<String>, effect: impl Into<String>, measure: impl Into<String>, threshold: f64) -> Self {
        Self { per_customer: Some(threshold), ..Self::of_effect(name, effect, measure) }
    }

    /// An effect on a measure that is to reach `threshold` over all target customers.
    #[must_use]
    pub fn total(name: impl Into<String>, effect: impl Into<String>, measure: impl Into<String>, threshold: f64) -> Self {
        Self { total: Some(threshold), ..Self::of_effect(name, effect, measure) }
    }

    /// A row of the retailer's bridge that is to reach `threshold` over all target customers.
    #[must_use]
    pub fn row(name: impl Into<String>, row: impl Into<String>, threshold: f64) -> Self {
        Self { row: Some(row.into()), total: Some(threshold), ..Self::named(name) }
    }

    fn of_effect(name: impl Into<String>, effect: impl Into<String>, measure: impl Into<String>) -> Self {
        Self { effect: Some(effect.into()), measure: Some(measure.into()), ..Self::named(name) }
    }

    fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), effect: None, measure: None, row: None, relative: None, per_customer: None, total: None }
    }

    /// What it speaks of, `None` when the keys contradict each other.
    #[must_use]
    pub fn subject(&self) -> Option<GoalSubject<'_>> {
        match (&self.effect, &self.measure, &self.row) {
            (Some(effect), Some(measure), None) => Some(GoalSubject::Effect { effect, measure }),
            (None, None, Some(row)) => Some(GoalSubject::Row(row)),
            _ => None,
        }
    }

    /// Its threshold, `None` unless exactly one is given.
    #[must_use]
    pub fn threshold(&self) -> Option<GoalThreshold> {
        match (self.relative, self.per_customer, self.total) {
            (Some(x), None, None) => Some(GoalThreshold::Relative(x)),
            (None, Some(x), None) => Some(GoalThreshold::PerCustomer(x)),
            (None, None, Some(x)) => Some(GoalThreshold::Total(x)),
            _ => None,
        }
    }
}
