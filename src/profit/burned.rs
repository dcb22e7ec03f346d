//! Burned budget: offer discount on focal units that would have been bought anyway. Bounded, not known.

use super::bridge::{Books, focal_promotion};
use super::ratios::{on_offer_lines, redeemed_units, without_units};
use crate::estimate::{ArmForm, Level};
use crate::known::{Known, Reason, serialize_known};
use crate::study::Alternative;

/// The discount given on units that would have been bought anyway, as bounds.
///
/// With R redeemed units, m0 the units the target would have bought and t the direct effect, the anyway-redeemed units lie in
/// `[max(0, R - t), min(R, m0)]`, if the offer takes no focal unit away. The offer also advertises to those who do not redeem, so the figure
/// between is not identified. Interval of the bounds: `[max(0, LCL(R - t)), min(UCL(R), UCL(m0))]`, each one-sided at `1 - alpha / 3`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct BurnedBudget {
    /// Units, for all target customers.
    pub units: BurnedBounds,
    /// The same times the average offer discount per redeemed unit; exact only where all discounts are equal. Where the estimator leaves the target's
    /// figures as the ledger has them, its upper limit is at most the discount given.
    pub money: BurnedBounds,
    /// What is known of the bounds.
    pub state: BurnedState,
    /// What they assume.
    pub assumption: &'static str,
}

/// Bounds with the interval of the bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BurnedBounds {
    /// At least.
    pub low: Known<f64>,
    /// At most.
    pub high: Known<f64>,
    /// The lower limit of the lower bound.
    pub ci_low: Known<f64>,
    /// The upper limit of the upper bound.
    pub ci_high: Known<f64>,
}

serialize_known!(BurnedBounds { known low, known high, known ci_low, known ci_high });

/// What is known of the burned budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BurnedState {
    /// It lies between the bounds.
    Bounded,
    /// The lower bound came out above the upper one: chance, or the assumption does not hold.
    Crossed,
    /// Where the offer is redeemed cannot be told.
    OfferLinesUnknown,
    /// Nobody redeemed the offer.
    NoRedemptions,
    /// Redemptions are counted, but no unit lies on offer lines: a log that meets no line, or lines without quantity.
    RedemptionsWithoutUnits,
}

/// What is known of redemptions besides the lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Redemptions {
    /// Of the target.
    pub(crate) count: f64,
    /// Whether the estimator leaves the target's figures as the ledger has them, so that the discount given is known without error.
    pub(crate) as_ledger: bool,
}

const ASSUMPTION: &str = "the offer takes no focal unit away";

impl BurnedBounds {
    fn missing(reason: Reason) -> Self {
        let missing = Known::Missing(reason);
        Self { low: missing, high: missing, ci_low: missing, ci_high: missing }
    }

    fn times(self, factor: f64) -> Self {
        let at = |x: Known<f64>| x.map(|x| x * factor);
        Self { low: at(self.low), high: at(self.high), ci_low: at(self.ci_low), ci_high: at(self.ci_high) }
    }
}

/// The burned budget of a study.
pub(crate) fn burned_budget(books: &Books<'_>, redemptions: Redemptions) -> BurnedBudget {
    let none = |state, reason| BurnedBudget { units: BurnedBounds::missing(reason), money: BurnedBounds::missing(reason), state, assumption: ASSUMPTION };
    let Some(redeemed) = redeemed_units(books) else { return none(BurnedState::OfferLinesUnknown, Reason::OfferLinesUnknown) };
    let r = books.contrast.value(&redeemed);
    if !(r > 0.0) {
        let state = if redemptions.count > 0.0 { BurnedState::RedemptionsWithoutUnits } else { BurnedState::NoRedemptions };
        return none(state, without_units(redemptions.count));
    }
    let coefficients = books.measure("units").map_or_else(Vec::new, |m| books.grid.form(m, focal_promotion));
    let direct = books.money(books.contrast.effect(&coefficients));
    let anyway = books.money(books.contrast.level(&coefficients));
    let rest = redeemed.clone().plus(-1.0, &direct);
    let (low, high) = (books.contrast.value(&rest).max(0.0), r.min(books.contrast.value(&anyway)));
    let level = books.level.with_confidence(1.0 - (1.0 - books.level.confidence) / 3.0);
    let lower = limit(books, &rest, level, Alternative::Greater).map(|x| x.max(0.0));
    let upper = match (limit(books, &redeemed, level, Alternative::Less), limit(books, &anyway, level, Alternative::Less)) {
        (Known::Value(a), Known::Value(b)) => Known::Value(a.min(b)),
        (Known::Missing(reason), _) | (_, Known::Missing(reason)) => Known::Missing(reason),
    };
    let units = BurnedBounds { low: Known::Value(low), high: Known::Value(high), ci_low: lower, ci_high: upper };
    let given = on_offer_lines(books, "offer_discount").map(|form| books.contrast.value(&form));
    let money = given.map_or(BurnedBounds::missing(Reason::NoOfferDiscount), |given| {
        let mut money = units.times(given / r);
        if redemptions.as_ledger {
            money.ci_high = money.ci_high.map(|high| high.min(given));
        }
        money
    });
    let state = if low > high { BurnedState::Crossed } else { BurnedState::Bounded };
    BurnedBudget { units, money, state, assumption: ASSUMPTION }
}

/// A one-sided limit.
fn limit(books: &Books<'_>, form: &ArmForm, level: Level, side: Alternative) -> Known<f64> {
    let estimate = books.contrast.estimate(form, level.with_alternative(side));
    if estimate.std_error == 0.0 {
        return Known::Value(estimate.value);
    }
    let found = if side == Alternative::Greater { estimate.interval.low() } else { estimate.interval.high() };
    Known::from_option(found, Reason::ZeroVariance)
}
