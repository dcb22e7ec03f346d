//! Ratios of money and units, each with Fieller's interval from the joint covariance.

use super::bridge::{Books, focal_promotion};
use crate::cells::Atom;
use crate::effects::Measure;
use crate::estimate::{ArmForm, Interval, Ratio};
use crate::known::{Known, Reason, serialize_known};
use crate::study::FundingRate;

/// A ratio.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioEstimate {
    /// Which.
    pub ratio: &'static str,
    /// The estimate.
    pub estimate: Known<f64>,
    /// Its interval.
    pub interval: Interval,
}

serialize_known!(RatioEstimate { plain ratio, known estimate, plain interval });

impl RatioEstimate {
    fn new(ratio: &'static str, found: Known<Ratio>) -> Self {
        match found {
            Known::Value(r) => Self { ratio, estimate: r.estimate, interval: r.interval },
            Known::Missing(reason) => Self { ratio, estimate: Known::Missing(reason), interval: Interval::Missing { reason } },
        }
    }

    fn point(ratio: &'static str, estimate: Known<f64>) -> Self {
        let reason = estimate.reason().unwrap_or(Reason::NoInterval);
        Self { ratio, estimate, interval: Interval::Missing { reason } }
    }
}

/// The ratios. Formulas, with M = incremental margin + promotional discount, gross cost = promotional discount + internal
/// cost, retailer cost = gross cost - subsidy:
///
/// | ratio | formula |
/// |---|---|
/// | `roi_on_gross_cost` | (M - gross cost) / gross cost |
/// | `roi_on_retailer_cost` | net profit / retailer cost |
/// | `iroas` | change of revenue, total / gross cost |
/// | `cost_per_incremental_unit` | gross cost / change of units, focal.promotion |
/// | `net_to_direct` | total / direct, net sales |
/// | `redemption_incrementality` | change of units, focal.promotion / redeemed units; alone it overstates, see the burned budget |
/// | `break_even_uplift` | (rho (d - f) U0 + K - lump) / ((m - rho (d - f) + o) U0), without an interval |
///
/// rho is the share of the target's focal units that are redeemed: 1 where the discount is on every unit.
pub(crate) fn ratios(books: &Books<'_>, redemptions: f64) -> Vec<RatioEstimate> {
    let discount = books.promotional_discount();
    let gross = discount.clone().plus_constant(books.internal_cost);
    let retailer = gross.clone().plus(-1.0, &books.subsidy());
    let divide = |numerator: Option<ArmForm>, denominator: &ArmForm, reason: Reason| {
        Known::from_option(numerator, reason).map(|n| books.contrast.ratio(&n, denominator, books.level))
    };
    let gain = books.incremental_margin().map(|m| m.plus(1.0, &discount).plus(-1.0, &gross));
    let units = books.money(books.change(books.measure("units"), focal_promotion));
    let sales = books.measure("net_sales");
    let redeemed = redeemed_units(books);
    let incrementality = match redeemed {
        Some(redeemed) => divide(Some(units.clone()), &redeemed, Reason::OfferLinesUnknown),
        None => Known::Missing(Reason::OfferLinesUnknown),
    };
    let (break_even, break_even_direct) = break_even(books, redemptions);
    vec![
        RatioEstimate::new("roi_on_gross_cost", divide(gain, &gross, Reason::NoCost)),
        RatioEstimate::new("roi_on_retailer_cost", divide(books.net_profit(), &retailer, Reason::NoCost)),
        RatioEstimate::new("iroas", divide(Some(books.money(books.total(books.measure("revenue")))), &gross, Reason::NoCost)),
        RatioEstimate::new("cost_per_incremental_unit", divide(Some(gross), &units, Reason::NoCost)),
        RatioEstimate::new("net_to_direct", divide(Some(books.total(sales)), &books.change(sales, focal_promotion), Reason::NoCost)),
        RatioEstimate::new("redemption_incrementality", incrementality),
        RatioEstimate::point("break_even_uplift", break_even),
        RatioEstimate::point("break_even_uplift_direct", break_even_direct),
    ]
}

/// Units on offer lines of the target, for all target customers; `None` where offer lines are not told apart.
pub(crate) fn redeemed_units(books: &Books<'_>) -> Option<ArmForm> {
    on_offer_lines(books, "units")
}

/// A measure on offer lines of the target, on the target's side only, for all target customers.
pub(crate) fn on_offer_lines(books: &Books<'_>, measure: &str) -> Option<ArmForm> {
    let told_apart = books.promotion.offer_lines() != crate::study::OfferLines::Unknown;
    let measure = books.measure(measure).filter(|_| told_apart)?;
    Some(of_offer_lines(books, measure))
}

fn of_offer_lines(books: &Books<'_>, measure: &Measure) -> ArmForm {
    let form = books.grid.form(measure, |a: &Atom| a.offer == Some(true));
    books.money(books.contrast.target_mean(&form))
}

/// Why no unit is redeemed: nobody redeems, or those who do are counted elsewhere than on lines with units.
pub(super) fn without_units(redemptions: f64) -> Reason {
    if redemptions > 0.0 { Reason::RedemptionsWithoutUnits } else { Reason::NoRedemptions }
}

/// The discounts that suppliers pay: those of the offer, or the others.
fn paid_by_suppliers(books: &Books<'_>, of_offer: bool) -> Option<Measure> {
    let paid = books.measure("supplier_paid")?;
    let offer = books.measure("offer_discount").map_or(&[][..], Measure::terms);
    let terms = paid.terms().iter().filter(|t| offer.iter().any(|o| o.amount == t.amount) == of_offer);
    Some(Measure::sum("paid_by_suppliers", terms.copied().collect()))
}

/// The uplift of focal units at which net profit is zero, and the same without the other margins.
///
/// `d`, `f`: the offer's discount and what suppliers pay of it or for it, `m`: margin before that discount, each a unit on offer lines (other discounts
/// stay off, and what suppliers pay of those stays in, as with every unit sold); `U0`: focal units the target would have bought anyway; `rho`: redeemed units over all focal units of the target
/// in the promotion, taken to stay as it is; `o`: the other margins per incremental focal unit.
fn break_even(books: &Books<'_>, redemptions: f64) -> (Known<f64>, Known<f64>) {
    let missing = |reason| (Known::Missing(reason), Known::Missing(reason));
    let Some(units) = redeemed_units(books) else { return missing(Reason::OfferLinesUnknown) };
    let units = books.contrast.value(&units);
    if !(units > 0.0) {
        return missing(without_units(redemptions));
    }
    let per_unit = |name: &str| on_offer_lines(books, name).map(|form| books.contrast.value(&form) / units);
    let Some(margin) = per_unit("margin") else { return missing(Reason::NoCost) };
    let d = per_unit("offer_discount").unwrap_or(0.0);
    let paid = |of_offer: bool| paid_by_suppliers(books, of_offer).map_or(0.0, |measure| books.contrast.value(&of_offer_lines(books, &measure)) / units);
    let f = per_unit("funding").unwrap_or(0.0) + paid(true);
    let m = margin + d + paid(false);
    let lump: f64 = books
        .promotion
        .funding
        .iter()
        .filter(|f| !f.in_unit_cost)
        .filter_map(crate::study::Funding::rate)
        .map(|r| if let FundingRate::Lump(x) = r { x } else { 0.0 })
        .sum();
    let value = |form: &ArmForm| books.contrast.value(form);
    let units_form = books.measure("units").map_or_else(Vec::new, |m| books.grid.form(m, focal_promotion));
    let anyway = value(&books.money(books.contrast.level(&units_form)));
    let gained = value(&books.money(books.contrast.effect(&units_form)));
    let other = books.measure("margin").map_or(0.0, |m| value(&books.money(books.change(Some(m), |a| !focal_promotion(a)))));
    let bought = anyway + gained;
    if !(bought > 0.0) {
        return missing(Reason::DenominatorNotPositive);
    }
    let given = units / bought * (d - f);
    let at = |o: f64| {
        let denominator = (m - given + o) * anyway;
        if denominator > 0.0 {
            Known::Value((given * anyway + books.internal_cost - lump) / denominator)
        } else {
            Known::Missing(Reason::DenominatorNotPositive)
        }
    };
    let with_others = if gained > 0.0 { at(other / gained) } else { Known::Missing(Reason::DenominatorNotPositive) };
    (with_others, at(0.0))
}
