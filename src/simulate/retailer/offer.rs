//! An offer of the simulated retailer: when, on what, to whom, for how much, and how customers react.

use serde::{Deserialize, Serialize};

use crate::study::{Costs, Goal, Payer};

/// A coupon on the products of one brand in one category.
///
/// It is issued to each target customer on one of `issue_days` days from `start` on and valid for `valid_days` days after, so the promotion ends on day
/// `start + issue_days - 1 + valid_days`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Offer {
    /// Its name; no other offer may have it.
    pub id: String,
    /// The category, counted from 0. At least one category must be left without an offer: what is bought along comes from there.
    pub category: u32,
    /// The brand within the category, counted from 0. 0 is the retailer's own brand, which has no supplier.
    pub brand: u32,
    /// The first issue, as a day counted from the retailer's first day.
    pub start: u32,
    /// Days on which coupons are issued.
    pub issue_days: u32,
    /// Days for which a coupon is valid after the day of issue.
    pub valid_days: u32,
    /// Days before the start on which the target knows of the offer; 0: nothing is announced.
    pub announced_days: u32,
    /// Days of baseline before the announcement.
    pub baseline_days: u32,
    /// Days after the end in which later effects are looked for.
    pub post_days: u32,
    /// Percent off the shelf price, 1 to 90; a line's discount is rounded to cents.
    pub discount_percent: u32,
    /// Who pays the discount.
    pub paid_by: Payer,
    /// What the supplier pays besides; a lump sum or nothing where it pays the discount.
    pub funding: Option<SupplierFunding>,
    /// What the offer costs the supplier besides.
    pub supplier_fixed_cost: f64,
    /// The retailer's internal costs. `contacts` must be absent: every target customer is contacted once.
    pub costs: Costs,
    /// What it is meant to reach.
    pub goals: Vec<Goal>,
    /// How customers react.
    pub reaction: Reaction,
    /// Who gets it.
    pub allocation: Allocation,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            id: "coupon".into(),
            category: 0,
            brand: 1,
            start: 84,
            issue_days: 10,
            valid_days: 15,
            announced_days: 0,
            baseline_days: 56,
            post_days: 42,
            discount_percent: 20,
            paid_by: Payer::Retailer,
            funding: Some(SupplierFunding::ShareOfDiscount { percent: 50 }),
            supplier_fixed_cost: 250.0,
            costs: Costs { design: 250.0, execute: 120.0, measure: 100.0, per_contact: 0.05, per_redemption: 0.02, contacts: None },
            goals: Vec::new(),
            reaction: Reaction::default(),
            allocation: Allocation::default(),
        }
    }
}

impl Offer {
    /// The last day on which a coupon can be used, counted from the retailer's first day.
    #[must_use]
    pub const fn last(&self) -> u32 {
        self.start.saturating_add(self.issue_days).saturating_add(self.valid_days).saturating_sub(1)
    }
}

/// What a supplier pays towards an offer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SupplierFunding {
    /// A share of the discount that the retailer pays.
    ShareOfDiscount {
        /// Percent, 1 to 100.
        percent: u32,
    },
    /// Money for each unit on the coupon.
    PerUnit {
        /// Cents.
        cents: u32,
    },
    /// One amount.
    LumpSum {
        /// Money.
        amount: f64,
    },
}

/// How customers react to an offer. Probabilities, unless said otherwise.
///
/// Units are told apart by what would have become of them. A unit that is *switched* would have been bought of another brand on the same visit; one that is
/// *stocked* enters the household's pantry, and the household buys later, as its stock tells it, by so many units less; one of *expansion* is used
/// up besides. Who does not redeem reacts by `exposure` times as much, at full price.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reaction {
    /// That a customer who is offered the coupon means to use it: times 1 for who buys the category, 0.25 for who does not.
    pub redemption: f64,
    /// That a purchase in the category, made while the coupon is valid, is of the brand on offer instead of the usual one.
    pub switching: f64,
    /// That a visit while the coupon is valid brings an additional purchase, of one unit (two in a large household), that no later purchase makes up for.
    pub expansion: f64,
    /// That a buyer of the category stocks up on the last visit on which the coupon is valid.
    pub stocking: f64,
    /// For how many days ahead is then bought; a number of days.
    pub stock_days: f64,
    /// Units of other categories for each unit switched, stocked or expanded: a rate, which may be above 1.
    pub halo: f64,
    /// That a visit of a redeemer after the end, within the post days, brings a unit of another category.
    pub carry_over: f64,
    /// The share of the reaction in who is offered the coupon and does not redeem it: 0.1 for a tenth.
    pub exposure: f64,
    /// That a purchase in the category is put off while the offer is announced and not yet running.
    pub postponing: f64,
}

impl Default for Reaction {
    fn default() -> Self {
        Self {
            redemption: 0.35,
            switching: 0.35,
            expansion: 0.12,
            stocking: 0.25,
            stock_days: 14.0,
            halo: 0.16,
            carry_over: 0.0,
            exposure: 0.1,
            postponing: 0.0,
        }
    }
}

impl Reaction {
    /// Nobody reacts, nobody redeems: every true effect is zero.
    #[must_use]
    pub const fn none() -> Self {
        Self { redemption: 0.0, switching: 0.0, expansion: 0.0, stocking: 0.0, stock_days: 0.0, halo: 0.0, carry_over: 0.0, exposure: 0.0, postponing: 0.0 }
    }
}

/// Who gets an offer, and what goes wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Allocation {
    /// How the target is found.
    pub draw: Draw,
    /// The share of customers who are assigned at all; with [`Draw::Along`] of those assigned to the other offer.
    pub reach: f64,
    /// Value classes of equal size, by the household's size, written down as strata; 1: none.
    pub strata: u32,
    /// The share of controls who get the coupon all the same.
    pub leak: f64,
    /// The share of the target's rows that are missing from the assignment, as after a faulty join; these customers have the coupon and are in the ledger.
    pub lost: f64,
}

impl Default for Allocation {
    fn default() -> Self {
        Self { draw: Draw::default(), reach: 1.0, strata: 1, leak: 0.0, lost: 0.0 }
    }
}

/// How the target is found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Draw {
    /// Every customer by himself, at random.
    Customers {
        /// The probability.
        target_share: f64,
    },
    /// Whole stores at random, exactly this share of them (rounded); customers go with their home store, which is the cluster.
    Stores {
        /// The share of stores.
        target_share: f64,
    },
    /// Not at random: by what customers spent shortly before (reckoned without any offer).
    PastSpend {
        /// How many days before the announcement (or start) are looked at.
        days: u32,
        /// Net sales from which a customer counts as a good one.
        above: f64,
        /// The probability of the target for a good customer.
        likely: f64,
        /// And for any other.
        unlikely: f64,
    },
    /// At random, but by the arm of an earlier offer: an unbalanced other promotion.
    Along {
        /// The place of the other offer in the list, which must be before this one.
        offer: u32,
        /// The probability of this target for the other's target.
        of_target: f64,
        /// And for the other's control.
        of_control: f64,
    },
}

impl Default for Draw {
    fn default() -> Self {
        Self::Customers { target_share: 0.5 }
    }
}

impl Draw {
    /// Whether the target was drawn at random.
    #[must_use]
    pub const fn randomised(&self) -> bool {
        !matches!(self, Self::PastSpend { .. })
    }

    /// The share of the target that was meant, where one was.
    #[must_use]
    pub const fn target_share(&self) -> Option<f64> {
        match *self {
            Self::Customers { target_share } | Self::Stores { target_share } => Some(target_share),
            Self::PastSpend { .. } | Self::Along { .. } => None,
        }
    }
}
