//! A customer's coupon of an offer, and the random numbers of his reaction to it.

use super::household::{Household, Need, Visit};
use super::shop::{Plan, Shop};
use crate::simulate::stream::{Purpose, Stream};

/// The random numbers of one visit: always as many, whatever comes of them, so that both potential worlds are drawn from the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice {
    pub(super) postpones: f64,
    pub(super) switches: f64,
    pub(super) expands: f64,
    pub(super) halo: f64,
    /// The product of the offer that is taken.
    pub(super) focal: usize,
    /// The product of another category that is bought along.
    pub(super) along: usize,
}

/// The coupon as it would be issued to the customer, in the target or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Coupon {
    issued: i32,
    expires: i32,
    /// Whether the customer means to use it.
    pub(super) redeems: bool,
    stocks: bool,
    /// The last visit on which it is valid.
    last_visit: Option<usize>,
    /// By visit.
    pub(super) dice: Vec<Dice>,
}

impl Coupon {
    /// Draws the coupon of a customer for an offer.
    pub(super) fn draw(&mut self, shop: &Shop<'_>, plan: &Plan<'_>, index: u32, household: &Household, need: Option<&Need>) {
        let reaction = &plan.offer.reaction;
        let mut stream = Stream::of(shop.retailer.seed, index, Purpose::Offer, plan.place);
        self.issued = plan.start + stream.below(plan.offer.issue_days) as i32;
        self.expires = self.issued + plan.offer.valid_days as i32;
        self.redeems = stream.chance(reaction.redemption * if need.is_some() { 1.0 } else { 0.25 });
        let willing = if self.redeems { 1.0 } else { reaction.exposure };
        self.stocks = stream.chance(reaction.stocking * willing) && need.is_some();
        self.last_visit = household.visits.iter().rposition(|v| self.is_valid(v.day));
        let focal = plan.offer.brand_products(shop);
        self.dice.clear();
        self.dice.extend(household.visits.iter().map(|_| Dice {
            postpones: stream.unit(),
            switches: stream.unit(),
            expands: stream.unit(),
            halo: stream.unit(),
            focal: focal.start + stream.below(focal.len() as u32) as usize,
            along: shop.along(&mut stream),
        }));
    }

    pub(super) fn is_valid(&self, day: i32) -> bool {
        (self.issued..=self.expires).contains(&day)
    }

    /// Whether the customer stocks up on a visit.
    pub(super) fn stocks_up(&self, visit: usize) -> bool {
        self.stocks && self.last_visit == Some(visit)
    }

    /// Whether the coupon is used on a visit.
    pub(super) fn is_used(&self, visit: Visit) -> bool {
        self.redeems && self.is_valid(visit.day)
    }
}
