//! What is asked of the answers besides the effects themselves: how they hold together, where sales are capped, what is assumed of redeemers.

use serde::{Deserialize, Serialize};

use crate::error::{Fault, Input, Problem, Problems};

/// How the answers on one measure are adjusted for each other; the key `multiplicity` of `[estimation]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Multiplicity {
    /// Single-step max-t from the joint covariance: the chance that any interval misses is bounded. The default.
    #[default]
    MaxT,
    /// Bonferroni: the same under any dependence, wider.
    Bonferroni,
    /// The false coverage rate of what Benjamini and Hochberg select: the share of misses among the selected is bounded on average.
    Fcr,
    /// None: every answer holds by itself only.
    None,
}

/// How a cap is laid on the sales of a customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapForm {
    /// The effects stay as they are; a row `above_cap` beside them holds what the cap takes off the total.
    #[default]
    AboveCap,
    /// One factor a customer for all cells and measures; the effects so scaled stand beside the others.
    Scaled,
}

/// A cap on the net sales of a customer after the baseline; the key `cap` of `[estimation]`. Exactly one of `quantile` and `net_sales` is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Cap {
    /// The share of customers, of both arms together, who lie at or below the cap: 0.99.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// The cap itself, as net sales a customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_sales: Option<f64>,
    /// A lower cap for those who return more than they buy: net sales a customer, below zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// How it is laid on.
    pub form: CapForm,
}

impl Cap {
    /// A cap that a share of the customers of both arms lies at or below.
    ///
    /// ```
    /// use promolift::study::{Cap, CapForm};
    /// let cap = Cap::at_quantile(0.99).with_low(-50.0).scaled();
    /// assert!(cap.quantile == Some(0.99) && cap.low == Some(-50.0) && cap.form == CapForm::Scaled);
    /// ```
    #[must_use]
    pub fn at_quantile(quantile: f64) -> Self {
        Self { quantile: Some(quantile), ..Self::default() }
    }

    /// A cap of so much net sales a customer.
    #[must_use]
    pub fn at_net_sales(net_sales: f64) -> Self {
        Self { net_sales: Some(net_sales), ..Self::default() }
    }

    /// The same with a lower cap.
    #[must_use]
    pub fn with_low(mut self, low: f64) -> Self {
        self.low = Some(low);
        self
    }

    /// The same in the scaled form.
    #[must_use]
    pub fn scaled(mut self) -> Self {
        self.form = CapForm::Scaled;
        self
    }

    /// Checks ranges and combinations.
    pub(super) fn validate(&self, problems: &mut Problems) {
        let at = |key: &str, fault, text: &str| Problem::new(Input::Promotion, fault, text).column(format!("estimation.{key}"));
        if self.quantile.is_some() == self.net_sales.is_some() {
            let problem = at("cap", Fault::Contradiction, "a cap needs exactly one of quantile, net_sales");
            problems.push(problem.remedy("Write cap = {quantile = 0.99}, or cap = {net_sales = 500.0}"));
        }
        if let Some(quantile) = self.quantile
            && !(quantile > 0.0 && quantile <= 1.0)
        {
            let problem = at("cap.quantile", Fault::OutOfRange, "a quantile must lie above 0 and be at most 1").value(quantile);
            problems.push(problem.remedy("Write 0.99 for a cap that 99 % of the customers lie at or below"));
        }
        if let Some(net_sales) = self.net_sales
            && !(net_sales > 0.0 && net_sales.is_finite())
        {
            let problem = at("cap.net_sales", Fault::OutOfRange, "a cap must be a finite amount above zero").value(net_sales);
            problems.push(problem.remedy("Write the net sales of a customer that count at most"));
        }
        if let Some(low) = self.low
            && !(low < 0.0 && low.is_finite())
        {
            let problem = at("cap.low", Fault::OutOfRange, "a lower cap must be a finite amount below zero").value(low);
            problems.push(problem.remedy("It is for those who return more than they buy: write -50.0, or leave it out"));
        }
    }
}

/// What is assumed of those who redeem; the key `redeemers` of `[estimation]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RedeemerAssumption {
    /// The exclusion restriction: the offer changes only what those buy who redeem it.
    Exclusion,
}
