//! Customers left out by what they did before the promotion.

use serde::{Deserialize, Serialize};

use crate::error::{Fault, Input, Problem, Problems};

/// A rule by which customers of both arms are left out for what they did before the promotion; the key `leave_out` of `[estimation]`.
///
/// The rule looks at one measure of the customer's baseline, all roles together, and at nothing that the offer could have changed: who is left out would
/// have been left out in the other arm too, so that the effect on the others is as causal as the whole one. Leaving customers out by what they bought
/// during or after the promotion would not be. The effects without them stand beside those of all assigned customers
/// ([`LeftOut`](crate::measure::LeftOut)); money, burned budget, goals and checks are of all.
///
/// At least one limit is given, `above` and `above_quantile` not both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LeaveOut {
    /// The measure whose baseline total decides.
    pub measure: String,
    /// Customers above this are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// The same limit as a quantile of the customers of both arms together: 0.999.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above_quantile: Option<f64>,
    /// Customers below this are left out: those who returned more than they bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
}

impl Default for LeaveOut {
    /// Net sales, without a limit yet.
    fn default() -> Self {
        Self { measure: "net_sales".into(), above: None, above_quantile: None, below: None }
    }
}

impl LeaveOut {
    /// Leaves out who lies above so much of a measure.
    ///
    /// ```
    /// use promolift::study::LeaveOut;
    /// let rule = LeaveOut::above("net_sales", 5000.0).with_below(-100.0);
    /// assert!(rule.above == Some(5000.0) && rule.below == Some(-100.0));
    /// ```
    #[must_use]
    pub fn above(measure: impl Into<String>, limit: f64) -> Self {
        Self { measure: measure.into(), above: Some(limit), ..Self::default() }
    }

    /// Leaves out who lies above a quantile of a measure, both arms together.
    #[must_use]
    pub fn above_quantile(measure: impl Into<String>, quantile: f64) -> Self {
        Self { measure: measure.into(), above_quantile: Some(quantile), ..Self::default() }
    }

    /// Leaves out who lies below so much of a measure.
    #[must_use]
    pub fn below(measure: impl Into<String>, limit: f64) -> Self {
        Self { measure: measure.into(), below: Some(limit), ..Self::default() }
    }

    /// The same with a lower limit too.
    #[must_use]
    pub fn with_below(mut self, limit: f64) -> Self {
        self.below = Some(limit);
        self
    }

    /// Checks ranges and combinations.
    pub(super) fn validate(&self, problems: &mut Problems) {
        let at = |key: &str, fault, text: &str| Problem::new(Input::Promotion, fault, text).column(format!("estimation.{key}"));
        if self.above.is_none() && self.above_quantile.is_none() && self.below.is_none() {
            let problem = at("leave_out", Fault::Contradiction, "no limit is given");
            problems.push(problem.remedy("Write leave_out = {measure = \"net_sales\", above = 5000.0}, or above_quantile = 0.999, or below = -100.0"));
        }
        if self.above.is_some() && self.above_quantile.is_some() {
            problems.push(at("leave_out", Fault::Contradiction, "above and above_quantile are both given").remedy("Keep one of the two"));
        }
        for (key, limit) in [("above", self.above), ("below", self.below)] {
            if let Some(limit) = limit.filter(|limit| !limit.is_finite()) {
                let problem = at(&format!("leave_out.{key}"), Fault::NotFinite, "a limit must be a finite number").value(limit);
                problems.push(problem.remedy("Write so much of the measure, summed over the baseline"));
            }
        }
        if let Some(quantile) = self.above_quantile.filter(|q| !(*q > 0.0 && *q < 1.0)) {
            let problem = at("leave_out.above_quantile", Fault::OutOfRange, "a quantile must lie strictly between 0 and 1").value(quantile);
            problems.push(problem.remedy("Write 0.999 to leave out the highest thousandth"));
        }
        if let (Some(above), Some(below)) = (self.above, self.below)
            && below >= above
        {
            let problem = at("leave_out.below", Fault::OutOfRange, "the lower limit must lie below the upper one").value(below);
            problems.push(problem.remedy("Customers between the two are kept: write below = -100.0, above = 5000.0"));
        }
    }
}
