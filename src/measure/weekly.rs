//! The weekly curve: what each week contributed to the effects, and by which week forward buying has eaten the gain.
//!
//! Weeks are runs of seven days counted from the first covered day of each period; the last week of a period may be short. With the study's weights `w_i` the effect
//! of week `k` on a measure of some roles is `e_k = sum_i w_i y_ik`, `y_ik` what customer `i` bought of those roles in that week. Difference in differences takes the
//! week's days' share of the baseline from it: `y_ik - (days of k / baseline days) b_i`. The weights are those of [`Study::measure`], so that the weeks of a period
//! add up to the period's effect, and their joint covariance to its variance.
//!
//! Weights that come of the baseline make the arms' baselines equal, so that a baseline week would be near zero by construction. Baseline weeks are shown by the
//! comparison as it was made before any covariate, the plain difference in means (within the pairs, under the weights given, within strata, by clusters, where
//! the study has them), and labelled [`WeekWeights::Unadjusted`]: they show how the arms differed before, and are no effects.
//!
//! Bands are single-step max-t ([`MaxT`](crate::estimate::MaxT), seeded by the study): of all weeks of a curve from the announcement or the start on together, and
//! of all its sums to date together. Montiel Olea and Plagborg-Moller (2019) discuss such sup-t bands for curves.

use serde::Serialize;

use super::curves::{Curves, Weeks, cells};
use super::payback::Payback;
use super::{AbsentMeasure, Job, degrees, meeting, oddities};
use crate::cells::CellSource;
use crate::error::Result;
use crate::estimate::{Estimand, Estimate, Interval};
use crate::known::{Known, Reason, serialize_known};
use crate::study::{Alternative, DaySpan, EstimatorName, Period, Study};
use crate::validity::{Conclusion, Warning};

/// The effects of a study by week.
///
/// Whether the figures may be called effects, `conclusion` says: those of a refused study are differences between the groups. serde gives JSON, [`Weekly::frame`]
/// a tidy frame, [`Weekly::payback_text`] sentences, and [`Report::with_weekly`](crate::report::Report::with_weekly) a chart.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct Weekly {
    /// The promotion.
    pub promotion: String,
    /// The estimator whose weights are used from the announcement, or the start, on.
    pub estimator: EstimatorName,
    /// Whose average effect it estimates.
    pub estimand: Estimand,
    /// Confidence of intervals and bands.
    pub confidence: f64,
    /// Which departures count.
    pub alternative: Alternative,
    /// The seed of the bands.
    pub seed: u64,
    /// Whether the target was drawn at random.
    pub randomised: bool,
    /// What may be concluded, as [`Study::measure`] says it.
    pub conclusion: Conclusion,
    /// Target customers: times an effect per customer they give the total.
    pub target_customers: usize,
    /// The curves, by measure.
    pub curves: Vec<Curve>,
    /// By which week the gain was eaten, by measure.
    pub paybacks: Vec<Payback>,
    /// Measures that have no weekly curve, and why.
    pub absent: Vec<AbsentMeasure>,
    /// What a reader should know of the inputs and of the intervals.
    pub warnings: Vec<Warning>,
}

/// A measure of some products by week.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// The measure.
    pub measure: String,
    /// An effect (`direct`, `cannibalisation`, `halo`, `forward_buying`, `carry_over`, `anticipation`) in its own weeks; `total`, all products in all weeks; a role
    /// (`focal`, `substitute`, `other`) in all weeks; or `focal_and_substitute` from the start on.
    pub part: String,
    /// The weeks in the order of time. Only `total` and roles have baseline weeks.
    pub weeks: Vec<WeekEffect>,
}

/// A week of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct WeekEffect {
    /// The period.
    pub period: Period,
    /// The week of the period, counted from 1.
    pub week: u32,
    /// Its days: seven, or fewer in the last week of a period.
    pub days: DaySpan,
    /// Whose weights.
    pub weights: WeekWeights,
    /// The effect in this week; in the baseline the plain difference.
    pub effect: WeekEstimate,
    /// The sum of the curve's weeks from the announcement, or the start, to this one (`focal_and_substitute`: from the start). Missing in the baseline.
    pub cumulative: Known<WeekEstimate>,
}

serialize_known!(WeekEffect { plain period, plain week, plain days, plain weights, plain effect, known cumulative });

/// Whose weights a week's figure has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WeekWeights {
    /// Those of the study's estimator.
    Study,
    /// Those of the comparison before any covariate (pairs, given weights, strata): no effect, but how the arms differed before.
    Unadjusted,
}

impl WeekWeights {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Study => "study",
            Self::Unadjusted => "unadjusted",
        }
    }
}

/// An effect per customer, in the measure's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeekEstimate {
    /// The effect.
    pub value: Known<f64>,
    /// Its standard error.
    pub std_error: Known<f64>,
    /// Degrees of freedom.
    pub df: Known<f64>,
    /// The p-value against no effect, of this week by itself.
    pub p_value: Known<f64>,
    /// The interval of this week by itself.
    pub interval: Interval,
    /// The interval that holds together with those of the curve's other weeks; never within the one by itself. Missing in the baseline.
    pub band: Interval,
}

serialize_known!(WeekEstimate { known value, known std_error, known df, known p_value, plain interval, plain band });

impl Study {
    /// Measures each week of the promotion with the weights of [`Study::measure`], and says what its checks allow to conclude.
    ///
    /// It passes over the lines once for the weights and checks, once for the weeks from the announcement, or the start, on, and once for each twelve weeks of the
    /// baseline: their cells are held one after the other. There may be 254 weeks at most.
    ///
    /// # Errors
    /// As [`Study::measure`]; more than 254 weeks; cells that were summed elsewhere, which are not by week ([`Fault::Unsupported`](crate::error::Fault::Unsupported)).
    pub fn weekly(&self, source: &(impl CellSource + ?Sized)) -> Result<Weekly> {
        let mut plan = self.plan(&source.catalogue())?;
        let weeks = Weeks::new(&plan.windows)?;
        // First, so that cells that are not by week are told before any work.
        let after = cells(self, &plan, source, &weeks.after)?;
        let table = source.cells(&plan.partition, &self.assignment, &plan.amounts)?;
        plan.warnings.extend(meeting::check(self, source, &plan, &table)?);
        oddities::check(&table, &self.promotion)?;
        Curves::new(&Job::new(self, &plan, &table)?, &weeks).weekly(source, &after)
    }
}

impl Weekly {
    /// The curve of a measure and part.
    #[must_use]
    pub fn curve(&self, measure: &str, part: &str) -> Option<&Curve> {
        self.curves.iter().find(|curve| curve.measure == measure && curve.part == part)
    }

    /// The payback of a measure.
    #[must_use]
    pub fn payback(&self, measure: &str) -> Option<&Payback> {
        self.paybacks.iter().find(|payback| payback.measure == measure)
    }
}

impl WeekEstimate {
    pub(super) fn new(estimate: &Estimate, band: Interval) -> Self {
        Self {
            value: Known::Value(estimate.value),
            std_error: Known::Value(estimate.std_error),
            df: degrees(estimate.df),
            p_value: estimate.p_value,
            interval: estimate.interval,
            band,
        }
    }

    pub(super) fn missing(reason: Reason) -> Self {
        let none = Known::Missing(reason);
        Self { value: none, std_error: none, df: none, p_value: none, interval: Interval::Missing { reason }, band: Interval::Missing { reason } }
    }
}
