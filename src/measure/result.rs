//! The result of a measurement: the JSON contract, field for field.

use serde::{Serialize, Serializer};

use crate::cells::LineCounts;
use crate::estimate::{Estimand, Interval};
use crate::known::{Known, Reason, serialize_known};
use crate::profit::{BurnedBudget, Profit, RatioEstimate};
use crate::study::{Alternative, Cut, DaySpan, EstimatorName, GoalThreshold};
use crate::validity::{CheckResult, Conclusion, Warning};

/// What a promotion did, taken apart, costed and checked.
///
/// `Display` prints a table for a person; [`Measurement::effects_frame`] gives a tidy frame; serde gives the JSON of the documentation.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct Measurement {
    /// The version of this schema.
    pub schema: u32,
    /// The promotion.
    pub promotion: String,
    /// The estimator.
    pub estimator: EstimatorName,
    /// Whose average effect it estimates.
    pub estimand: Estimand,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// Which departures count.
    pub alternative: Alternative,
    /// Whether the target was drawn at random.
    pub randomised: bool,
    /// The currency of money.
    pub currency: Option<String>,
    /// Strata, clusters, and how evenly the controls are weighted.
    pub design: DesignFacts,
    /// Covariates used and dropped.
    pub covariates: Covariates,
    /// The windows as covered.
    pub windows: WindowSpans,
    /// What happened to the lines; absent where the cells were summed elsewhere.
    pub lines: Option<LineCounts>,
    /// The arms.
    pub arms: Arms,
    /// Sums and means by measure and cell.
    pub cells: Named<Named<ArmCell>>,
    /// Measures that cannot be made, and why.
    pub absent: Vec<AbsentMeasure>,
    /// The effects, by measure.
    pub effects: Vec<EffectEstimate>,
    /// Which answers are adjusted for each other, and what the joint intervals and p-values promise.
    pub families: Vec<super::Family>,
    /// The cap on the net sales of a customer, and the total under it; only where one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<super::CapResult>,
    /// The effects with every customer's cells scaled down to the cap; only where that is asked for. Of them only the total of net sales is an effect on a
    /// quantity of its own, the capped net sales of a customer; the parts divide it up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects_scaled: Vec<EffectEstimate>,
    /// The effects without customers left out by what they did before the promotion; only where that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<super::LeftOut>,
    /// The effect per redeemer, under an assumption that must be stated.
    pub redeemers: super::Redeemers,
    /// The covariance of the effects per customer, by measure.
    pub covariance: Named<EffectCovariance>,
    /// Figures that describe and do not prove.
    pub descriptive: Descriptive,
    /// The money bridges.
    pub profit: Profit,
    /// Ratios with Fieller's interval.
    pub ratios: Vec<RatioEstimate>,
    /// The ratios that the study asks for, in both arms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked_ratios: Vec<super::AskedRatio>,
    /// Discount on units that would have been bought anyway.
    pub burned_budget: BurnedBudget,
    /// Effects by segment, one list entry a column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<super::Segmentation>,
    /// The variants of the offer against the one control, where the assignment has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variants: Option<super::Variants>,
    /// What uncontrolled readings would have said.
    pub naive: Naive,
    /// The goals and whether they were met.
    pub goals: Vec<GoalResult>,
    /// The checks.
    pub checks: Vec<CheckResult>,
    /// What a reader should know besides.
    pub warnings: Vec<Warning>,
    /// What the checks allow to conclude.
    pub conclusion: Conclusion,
}

/// Values by name, in a fixed order; a map in JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Named<T> {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The design of the study and the spread of its weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct DesignFacts {
    /// How many strata the effect is made in; `None`: one for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strata: Option<usize>,
    /// How many clusters the intervals are made of; `None`: every customer by himself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clusters: Option<usize>,
    /// How many pairs there are, under `matched_pairs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
    /// Under `coarsened_exact`, the customers without a match: they are in no effect, and totals are without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmatched: Option<ArmCustomers>,
    /// Under `given_weights`, the customers whose weight is 0: they are in no effect, and totals are without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_weight: Option<ArmCustomers>,
    /// Kish's effective number of controls, `(sum w)^2 / sum w^2`.
    pub control_effective_size: f64,
    /// The largest share of the controls' weight that one of them carries.
    pub control_largest_share: f64,
    /// Kish's effective number of target customers; absent where all of them weigh the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_effective_size: Option<f64>,
    /// The largest share of the target's weight that one of them carries; absent where all weigh the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_largest_share: Option<f64>,
}

impl DesignFacts {
    /// Customers of both arms who are in no effect: without a match, or with a weight of 0.
    #[must_use]
    pub fn outside(&self) -> ArmCustomers {
        self.unmatched.or(self.without_weight).unwrap_or_default()
    }
}

/// Customers by arm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ArmCustomers {
    /// Of the target.
    pub target: usize,
    /// Of the control.
    pub control: usize,
}

/// Covariates used and dropped, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Covariates {
    /// Those used.
    pub used: Vec<String>,
    /// Those dropped.
    pub dropped: Vec<DroppedCovariate>,
}

/// A covariate that was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DroppedCovariate {
    /// Its name.
    pub covariate: String,
    /// Why: `constant`.
    pub reason: &'static str,
}

/// The windows as the ledger covers them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowSpans {
    /// The baseline.
    pub baseline: Option<DaySpan>,
    /// From the announcement to the start.
    pub anticipation: Option<DaySpan>,
    /// The promotion.
    pub promotion: Option<DaySpan>,
    /// After it.
    pub post: Option<DaySpan>,
    /// Windows that the ledger does not cover wholly.
    pub cut: Vec<Cut>,
}

/// The arms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Arms {
    /// The target.
    pub target: ArmCount,
    /// The control.
    pub control: ArmCount,
}

/// Customers of an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ArmCount {
    /// Assigned customers.
    pub customers: usize,
    /// Those without any line in the windows; they count as zeros.
    pub without_lines: usize,
}

/// A cell in both arms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ArmCell {
    /// The target.
    pub target: SumMean,
    /// The control.
    pub control: SumMean,
}

/// Sum over customers, and mean a customer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SumMean {
    /// The sum.
    pub sum: f64,
    /// The mean.
    pub mean: f64,
}

/// A measure that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AbsentMeasure {
    /// The measure.
    pub measure: String,
    /// Why.
    pub reason: Reason,
}

/// An effect on a measure.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EffectEstimate {
    /// The measure.
    pub measure: String,
    /// The effect.
    pub effect: String,
    /// The raw mean of the target.
    pub target_mean: Known<f64>,
    /// The raw mean of the control.
    pub control_mean: Known<f64>,
    /// The effect per target (or assigned) customer.
    pub per_customer: Known<f64>,
    /// Its standard error.
    pub std_error: Known<f64>,
    /// Degrees of freedom.
    pub df: Known<f64>,
    /// The p-value against no effect.
    pub p_value: Known<f64>,
    /// The lower limit.
    pub ci_low: Known<f64>,
    /// The upper limit.
    pub ci_high: Known<f64>,
    /// Times the target customers.
    pub total: Known<f64>,
    /// The least effect that this design would have found with a power of 80 %.
    pub mde: Known<f64>,
    /// The p-value in the family of all effects on the measure ([`Measurement::families`]).
    pub p_value_joint: Known<f64>,
    /// The lower limit of the interval that holds together with those of the family.
    pub joint_low: Known<f64>,
    /// The upper limit of that.
    pub joint_high: Known<f64>,
    /// Relative to the estimator's own counterfactual.
    pub relative: RelativeUplift,
}

serialize_known!(EffectEstimate {
    plain measure, plain effect, known target_mean, known control_mean, known per_customer, known std_error, known df, known p_value,
    known ci_low, known ci_high, known total, known mde, known p_value_joint, known joint_low, known joint_high, plain relative
});

/// An effect relative to the counterfactual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelativeUplift {
    /// Effect / |level|.
    pub estimate: Known<f64>,
    /// The estimator's own counterfactual mean.
    pub level: Known<f64>,
    /// Fieller's interval.
    pub interval: Interval,
}

serialize_known!(RelativeUplift { known estimate, known level, plain interval });

/// The covariance matrix of the effects on a measure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EffectCovariance {
    /// The effects, in the order of rows and columns.
    pub effects: Vec<String>,
    /// The matrix.
    pub matrix: Vec<Vec<f64>>,
}

/// Figures that describe and do not prove.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descriptive {
    /// 1 - (rate on general sale / rate off it) of the direct effect on net sales; rate = effect / (share of focal product-days x days).
    pub dilution: Known<f64>,
}

serialize_known!(Descriptive { known dilution });

/// What uncontrolled readings would have said of net sales in the promotion window. Not estimates of anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Naive {
    /// The target's promotion window against its baseline, per day.
    pub before_after: Known<NaiveReading>,
    /// Target customers who redeemed against those who did not.
    pub redeemers_against_rest: Known<NaiveReading>,
}

serialize_known!(Naive { known before_after, known redeemers_against_rest });

/// A naive reading.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NaiveReading {
    /// Net sales per customer that it would have called uplift.
    pub per_customer: f64,
}

/// A goal, and whether it was met.
#[derive(Debug, Clone, PartialEq)]
pub struct GoalResult {
    /// The goal.
    pub goal: String,
    /// The effect, or nothing for a row of the bridge.
    pub effect: Option<String>,
    /// The measure, or nothing for a row of the bridge.
    pub measure: Option<String>,
    /// The row of the retailer's bridge.
    pub row: Option<String>,
    /// The threshold.
    pub threshold: GoalThreshold,
    /// The estimate in the threshold's own terms.
    pub estimate: Known<f64>,
    /// One-sided p-value against not reaching it; for two margins the larger of both.
    pub p_value: Known<f64>,
    /// One-sided p-value against lying at or below the lower margin; for a threshold, against not reaching it.
    pub p_above_low: Known<f64>,
    /// One-sided p-value against lying at or above the upper margin.
    pub p_below_high: Known<f64>,
    /// Whether it was met.
    pub answer: GoalAnswer,
}

serialize_known!(GoalResult { plain goal, plain effect, plain measure, plain row, plain threshold, known estimate, known p_value, known p_above_low, known p_below_high, plain answer });

/// Whether a goal was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalAnswer {
    /// The lower limit is at or above the threshold; the effect is shown to lie within the margins.
    Met,
    /// The upper limit is below it; the effect is shown to lie outside the margins.
    Missed,
    /// Neither.
    Undecided,
}
