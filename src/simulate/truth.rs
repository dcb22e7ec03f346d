//! What a simulated promotion truly did.

use serde::{Deserialize, Serialize};

/// What the promotion truly did: for every customer the world with the offer less the world without it, from the same random numbers.
///
/// Sums are exact: they are made of whole hundredths of a cent. Estimates scatter around these numbers; those that average over the target
/// (`regression_att`) around [`TrueEffect::per_target_customer`], those that average over all assigned around [`TrueEffect::per_assigned_customer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Truth {
    /// The promotion, where there may be several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<String>,
    /// Customers offered the promotion.
    pub target_customers: u32,
    /// All customers assigned.
    pub assigned_customers: u32,
    /// Target customers who used the coupon.
    pub redeemers: u32,
    /// Baskets of target customers in which the coupon was used.
    pub redemptions: u32,
    /// Every effect on every measure, `total` last.
    pub effects: Vec<TrueEffect>,
    /// The rows of the retailer's bridge, over all target customers; costs and discounts are negative.
    pub retailer: Vec<TrueRow>,
    /// The bridge of each supplier with terms.
    pub suppliers: Vec<TrueSupplier>,
    /// Units bought on the coupon by target customers that would have been bought anyway: on the same visit ([`SeniorMeat`](super::SeniorMeat)), or by the
    /// same customer in the promotion window ([`Retailer`](super::Retailer)).
    pub burned_units: f64,
    /// The offer discount on those units.
    pub burned_money: f64,
    /// The ratios of money and units, by the formulas of [`Measurement::ratios`](crate::measure::Measurement::ratios).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ratios: Vec<TrueRatio>,
    /// The truth of the population the customers were drawn from: not exact, with its Monte Carlo standard error; only where further customers are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// A true ratio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrueRatio {
    /// Which.
    pub ratio: String,
    /// Its value, absent where the denominator is not positive.
    pub value: Option<f64>,
}

/// Effects and money in expectation over the population, by drawing further customers who are in no ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Expected {
    /// Further customers who were assigned.
    pub assigned_customers: u32,
    /// Those of them in the target.
    pub target_customers: u32,
    /// Every effect on every measure.
    pub effects: Vec<ExpectedEffect>,
    /// The rows of the retailer's bridge for as many target customers as were really drawn, fixed costs and lump sums once.
    pub retailer: Vec<ExpectedRow>,
}

impl Expected {
    /// The expected effect on a measure.
    #[must_use]
    pub fn effect(&self, effect: &str, measure: &str) -> Option<&ExpectedEffect> {
        self.effects.iter().find(|e| e.effect == effect && e.measure == measure)
    }
}

/// A mean over further customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MonteCarlo {
    /// The mean.
    pub mean: f64,
    /// Its Monte Carlo standard error, `sqrt(s^2 / n)`.
    pub std_error: f64,
}

/// The effect on a measure in expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExpectedEffect {
    /// The effect.
    pub effect: String,
    /// The measure.
    pub measure: String,
    /// Per target customer; absent with fewer than two.
    pub per_target_customer: Option<MonteCarlo>,
    /// Per customer assigned; absent with fewer than two.
    pub per_assigned_customer: Option<MonteCarlo>,
}

/// A row of the bridge in expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExpectedRow {
    /// Its name.
    pub row: String,
    /// Its amount; absent with fewer than two further target customers.
    pub amount: Option<MonteCarlo>,
}

/// How the units of the direct effect (the gross lift) are made up, as shares of it: unit decomposition, net (van Heerde, Gupta and Wittink 2003).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decomposition {
    /// Taken from substitutes while the promotion runs: minus cannibalisation over direct.
    pub switching: f64,
    /// Taken from focal products and substitutes of the weeks after: minus forward buying over direct.
    pub forward_buying: f64,
    /// What is left: the category sells so much more.
    pub incremental: f64,
    /// Units of other products for each unit of the gross lift; it is beside the shares, not in them.
    pub halo: f64,
}

/// The true effect on a measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrueEffect {
    /// The effect, named by its cells.
    pub effect: String,
    /// The measure.
    pub measure: String,
    /// Mean over the target customers.
    pub per_target_customer: f64,
    /// Mean over all customers assigned.
    pub per_assigned_customer: f64,
    /// Sum over the target customers.
    pub total: f64,
    /// Mean of the target customers without the offer.
    pub level: f64,
    /// `per_target_customer / level`, absent where the level is not positive.
    pub relative: Option<f64>,
}

/// A row of a bridge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrueRow {
    /// Its name.
    pub row: String,
    /// Its amount.
    pub amount: f64,
}

/// The bridge of a supplier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrueSupplier {
    /// The supplier.
    pub supplier: String,
    /// Its rows.
    pub rows: Vec<TrueRow>,
}

impl Truth {
    /// The true effect on a measure.
    #[must_use]
    pub fn effect(&self, effect: &str, measure: &str) -> Option<&TrueEffect> {
        self.effects.iter().find(|e| e.effect == effect && e.measure == measure)
    }

    /// The amount of a row of the retailer's bridge.
    #[must_use]
    pub fn row(&self, row: &str) -> Option<f64> {
        self.retailer.iter().find(|r| r.row == row).map(|r| r.amount)
    }

    /// A ratio.
    #[must_use]
    pub fn ratio(&self, ratio: &str) -> Option<f64> {
        self.ratios.iter().find(|r| r.ratio == ratio).and_then(|r| r.value)
    }

    /// How the units of the direct effect are made up: see [`Decomposition`]. Absent where the direct effect is not positive.
    #[must_use]
    pub fn decomposition(&self) -> Option<Decomposition> {
        let units = |effect: &str| self.effect(effect, "units").map(|e| e.total);
        let direct = units("direct").filter(|direct| *direct > 0.0)?;
        let switching = -units("cannibalisation")? / direct;
        let forward_buying = -units("forward_buying")? / direct;
        Some(Decomposition { switching, forward_buying, incremental: 1.0 - switching - forward_buying, halo: units("halo")? / direct })
    }
}

/// Hundredths of a cent as money. Sums stay below 2^53, so the conversion is exact and the division correctly rounded.
#[allow(clippy::cast_precision_loss)]
pub(super) fn from_ticks(ticks: i64) -> f64 {
    ticks as f64 / 10_000.0
}
