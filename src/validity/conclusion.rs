//! Warnings, and the conclusion that the checks allow.

use serde::Serialize;

use super::{CheckResult, Status};
use crate::known::Reason;

/// What may be concluded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Conclusion {
    /// The numbers are arithmetic, not effects: a check failed, or a chosen target could not be checked.
    Refused {
        /// The checks that refuse.
        reasons: Vec<String>,
    },
    /// An experiment whose goal can neither be called met nor missed.
    Inconclusive {
        /// The undecided goals.
        reasons: Vec<String>,
    },
    /// The target was chosen, and no check that could be run objects.
    Observational,
    /// The target was drawn, and no check that could be run objects.
    Experiment,
}

impl Conclusion {
    /// Whether the study is refused.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

/// The first that applies: refused, inconclusive, observational, experiment. Warnings never change it.
///
/// Refused is a study in which a check fails; in which the target was chosen and no placebo could be run; and in which nobody bought anything, so that
/// there is nothing to compare.
#[must_use]
pub fn conclude(randomised: bool, checks: &[CheckResult], undecided: &[String]) -> Conclusion {
    let mut reasons: Vec<String> = checks.iter().filter(|c| c.status == Status::Fail).map(|c| c.check.to_owned()).collect();
    let no_placebo = checks.iter().any(|c| c.check == "placebo" && c.status == Status::NotRun);
    if checks.iter().any(|c| c.status == Status::NotRun && c.statistic.reason() == Some(Reason::NothingBought)) {
        reasons.push("nothing_bought".to_owned());
    } else if !randomised && no_placebo {
        reasons.push("no_placebo".to_owned());
    }
    if !reasons.is_empty() {
        return Conclusion::Refused { reasons };
    }
    if !undecided.is_empty() {
        return Conclusion::Inconclusive { reasons: undecided.to_vec() };
    }
    if randomised { Conclusion::Experiment } else { Conclusion::Observational }
}

/// A statistical hazard, or a finding about the input, that does not stop the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Hazard {
    /// The variants of the offer and the control did not buy alike before, or may not have.
    UnlikeVariants,
    /// A window is not wholly covered by the ledger.
    WindowCoverage,
    /// The baseline has fewer than 14 days.
    ShortBaseline,
    /// Products are listed more than once.
    RepeatedProducts,
    /// Lines have quantity and money of opposite signs.
    NegativePrice,
    /// Lines have no unit cost; the margin rate was used.
    WithoutCost,
    /// Discounts are negative on lines that are no returns.
    NegativeDiscounts,
    /// Lines have a unit cost of 0.
    ZeroUnitCost,
    /// All lines together cost more than they bring in.
    NegativeMargin,
    /// More than half of the lines have quantity 0.
    ZeroQuantity,
    /// A tenth of the lines or more repeat another one exactly.
    RepeatedLines,
    /// One line is more than a twentieth of all net sales.
    HugeLine,
    /// Days in the windows have no line of anybody, and are no weekdays on which the shop is shut.
    EmptyDays,
    /// Assigned customers or listed products are on lines only under another spelling of their id.
    RespelledIds,
    /// Most assigned customers of both arms have no line, while many lines are of others.
    SilentCustomers,
    /// Listed focal products or substitutes are neither in the product table nor on a line.
    UnknownProducts,
    /// Names that the promotion uses are written in other ways too in the product table.
    RespelledNames,
    /// A supplier's margin per unit is known of some of its products only.
    WithoutSupplierMargin,
    /// Discount columns have empty values, taken as no discount.
    EmptyDiscounts,
    /// Offer discount lies on lines outside the offer (tender lines).
    OfferDiscountOutsideFocal,
    /// Fewer than 25 customers a slope or mean in the smaller arm; in strata each has its own.
    FewCustomersPerCovariate,
    /// Few clusters: their spread is hardly known.
    FewClusters,
    /// CUPED with Welch's covariance on a target that was chosen.
    CupedNeedsRandomisation,
    /// A small arm, and customers with a long tail of spending: the intervals of effects or weeks, of the most skewed at least, hold less often than they say.
    SkewedArm,
    /// The same of intervals that hold together only, joint ones and bands, which look farther out than an interval by itself.
    SkewedCells,
    /// The target varies less than it would have without the offer: intervals are of customers like the target, and short for those drawn.
    TargetVariesLess,
    /// The target does not vary as much as if the offer had raised all sales in proportion: intervals of relative effects are of customers like the target, and may
    /// be short for those drawn.
    EffectNotInProportion,
    /// The totals speak of all assigned, times the target customers.
    TotalsOverAssigned,
    /// Target customers without a match are in no effect and no total.
    UnmatchedTarget,
    /// Target customers with a weight of 0 are in no effect and no total.
    TargetWithoutWeight,
    /// The totals are target customers times a weighted mean, not what the ledger has.
    TotalsAsWeighted,
    /// The quantities in the redemption log differ from the units of the lines it marks.
    LogQuantities,
    /// Redemptions in the log that meet no line.
    LogWithoutLines,
    /// A check warns.
    BaselineBalance,
    /// The held-out baseline shows a difference.
    Placebo,
    /// The arms' sizes are unlikely under the intended shares.
    SampleRatio,
    /// Controls redeem too.
    ControlLeak,
    /// Many customers are in other live promotions.
    OtherPromotions,
    /// The offer covers much of the shop.
    FocalShare,
    /// An arm is small.
    SmallArms,
    /// Much of the focal sales is on general sale anyway.
    OnSaleShare,
    /// The arms differ in how many customers fall silent.
    Silence,
}

/// A hazard with its figures, in words: the problem and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The hazard.
    pub warning: Hazard,
    /// The problem and the next action.
    pub text: String,
}

impl Warning {
    /// A warning.
    #[must_use]
    pub fn new(warning: Hazard, text: impl Into<String>) -> Self {
        Self { warning, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_bought_is_no_experiment() {
        let checks = [CheckResult::not_run("baseline_balance", Reason::NothingBought), CheckResult::not_run("placebo", Reason::NothingBought)];
        for randomised in [true, false] {
            assert_eq!(conclude(randomised, &checks, &[]), Conclusion::Refused { reasons: vec!["nothing_bought".to_owned()] });
        }
        // Customers who bought nothing before and something later are an experiment all the same.
        let checks = [CheckResult::not_run("placebo", Reason::ZeroVariance)];
        assert_eq!(conclude(true, &checks, &[]), Conclusion::Experiment);
    }
}
