//! Goals: what the promotion was meant to reach.

use serde::{Deserialize, Serialize};

/// A goal: a threshold for an effect or for a row of the retailer's bridge.
///
/// Met when the lower one-sided limit at `(1 + confidence) / 2` is at or above the threshold, missed when the upper one is below it, else undecided.
///
/// A goal with `within` (equivalence) or `not_below` (non-inferiority) is met when one-sided tests at the study's confidence show the effect to lie there,
/// missed when one shows it to lie outside, else undecided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// The effect is to be shown to lie between these two: equivalence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<[f64; 2]>,
    /// The effect is to be shown not to lie below this: non-inferiority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_below: Option<f64>,
    /// In what `within` and `not_below` are given; absent: per target customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<GoalScale>,
}

/// In what the margins of a goal are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalScale {
    /// Per target customer.
    #[default]
    PerCustomer,
    /// Relative to the counterfactual mean: -0.02 for -2 %.
    Relative,
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
    /// Between two margins.
    Within {
        /// The lower margin.
        low: f64,
        /// The upper margin.
        high: f64,
        /// In what they are given.
        scale: GoalScale,
    },
    /// At or above a margin.
    NotBelow {
        /// The margin.
        low: f64,
        /// In what it is given.
        scale: GoalScale,
    },
}

impl GoalThreshold {
    /// Its numbers.
    pub(crate) fn numbers(self) -> Vec<f64> {
        match self {
            Self::Relative(x) | Self::PerCustomer(x) | Self::Total(x) | Self::NotBelow { low: x, .. } => vec![x],
            Self::Within { low, high, .. } => vec![low, high],
        }
    }
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

    /// An effect on a measure that is to be shown to lie between two margins per target customer: equivalence.
    ///
    /// ```
    /// use promolift::study::{Goal, GoalScale};
    /// let goal = Goal::within("leaves the other products alone", "halo", "net_sales", [-0.02, 0.02]).on_scale(GoalScale::Relative);
    /// assert_eq!(goal.within, Some([-0.02, 0.02]));
    /// ```
    #[must_use]
    pub fn within(name: impl Into<String>, effect: impl Into<String>, measure: impl Into<String>, margins: [f64; 2]) -> Self {
        Self { within: Some(margins), ..Self::of_effect(name, effect, measure) }
    }

    /// An effect on a measure that is to be shown not to lie below a margin per target customer: non-inferiority.
    #[must_use]
    pub fn not_below(name: impl Into<String>, effect: impl Into<String>, measure: impl Into<String>, margin: f64) -> Self {
        Self { not_below: Some(margin), ..Self::of_effect(name, effect, measure) }
    }

    /// The same with its margins on another scale.
    #[must_use]
    pub fn on_scale(mut self, scale: GoalScale) -> Self {
        self.scale = Some(scale);
        self
    }

    fn of_effect(name: impl Into<String>, effect: impl Into<String>, measure: impl Into<String>) -> Self {
        Self { effect: Some(effect.into()), measure: Some(measure.into()), ..Self::named(name) }
    }

    fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
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
        let scale = self.scale.unwrap_or_default();
        let mut given = [
            self.relative.map(GoalThreshold::Relative),
            self.per_customer.map(GoalThreshold::PerCustomer),
            self.total.map(GoalThreshold::Total),
            self.within.map(|[low, high]| GoalThreshold::Within { low, high, scale }),
            self.not_below.map(|low| GoalThreshold::NotBelow { low, scale }),
        ]
        .into_iter()
        .flatten();
        given.next().filter(|_| given.next().is_none())
    }
}
