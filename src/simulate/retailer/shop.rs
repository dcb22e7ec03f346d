//! The retailer made ready for drawing: shelves, calendar, offers.

use std::ops::Range as Places;

use super::calendar::Calendar;
use super::range::{Range, supplier_name};
use super::{Draw, Offer, Retailer};
use crate::simulate::stream::{Stream, scramble};
use crate::study::Period;

/// What a product is to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Focal = 0,
    Substitute = 1,
    Other = 2,
}

/// An offer with its days counted from the ledger's first, and its products.
#[derive(Debug, Clone)]
pub(super) struct Plan<'a> {
    pub(super) place: usize,
    pub(super) offer: &'a Offer,
    pub(super) supplier: usize,
    pub(super) start: i32,
    announced: i32,
    last: i32,
    post_last: i32,
    focal: Places<usize>,
    category: Places<usize>,
    /// With [`Draw::Stores`], whether a store is in the target.
    pub(super) target_stores: Vec<bool>,
}

impl<'a> Plan<'a> {
    fn new(place: usize, offer: &'a Offer, retailer: &Retailer, range: &Range) -> Self {
        let (category, brand) = (offer.category as usize, offer.brand as usize);
        let (start, last) = (offer.start as i32, offer.last() as i32);
        let focal = range.brand(category, brand);
        Self {
            place,
            offer,
            supplier: range.get(focal.start).supplier,
            start,
            announced: start - offer.announced_days as i32,
            last,
            post_last: last + offer.post_days as i32,
            focal,
            category: range.category(category),
            target_stores: target_stores(place, offer, retailer),
        }
    }

    pub(super) fn is_focal(&self, product: usize) -> bool {
        self.focal.contains(&product)
    }

    pub(super) fn role(&self, product: usize) -> Role {
        match (self.is_focal(product), self.category.contains(&product)) {
            (true, _) => Role::Focal,
            (false, true) => Role::Substitute,
            (false, false) => Role::Other,
        }
    }

    /// The period of a day after the baseline.
    pub(super) fn period(&self, day: i32) -> Option<Period> {
        match day {
            day if day < self.announced || day > self.post_last => None,
            day if day < self.start => Some(Period::Anticipation),
            day if day <= self.last => Some(Period::Promotion),
            _ => Some(Period::Post),
        }
    }

    pub(super) fn is_announced(&self, day: i32) -> bool {
        self.period(day) == Some(Period::Anticipation)
    }

    pub(super) fn is_after(&self, day: i32) -> bool {
        self.period(day) == Some(Period::Post)
    }

    /// The days whose spend decides, for [`Draw::PastSpend`].
    pub(super) fn past(&self, days: u32) -> Places<i32> {
        self.announced - days as i32..self.announced
    }
}

impl Offer {
    pub(super) fn brand_products(&self, shop: &Shop<'_>) -> Places<usize> {
        shop.range.brand(self.category as usize, self.brand as usize)
    }
}

/// The stores drawn into the target: the first of them in an order of the seed's own, so many as the share asks for.
fn target_stores(place: usize, offer: &Offer, retailer: &Retailer) -> Vec<bool> {
    let Draw::Stores { target_share } = offer.allocation.draw else { return Vec::new() };
    let mut order: Vec<u32> = (0..retailer.stores).collect();
    order.sort_by_key(|store| scramble(scramble(retailer.seed ^ (place as u64) << 32) ^ u64::from(*store)));
    let wanted = (target_share * f64::from(retailer.stores) + 0.5) as usize;
    let mut target = vec![false; order.len()];
    order.iter().take(wanted).for_each(|store| target[*store as usize] = true);
    target
}

/// The supplier of an offer.
pub(super) fn supplier_of(plan: &Plan<'_>) -> String {
    supplier_name(plan.supplier)
}

/// The retailer made ready.
#[derive(Debug, Clone)]
pub(super) struct Shop<'a> {
    pub(super) retailer: &'a Retailer,
    pub(super) range: Range,
    pub(super) calendar: Calendar,
    pub(super) plans: Vec<Plan<'a>>,
    /// By category the places of its offers.
    pub(super) offers_of: Vec<Vec<usize>>,
    /// The first product of each category without an offer.
    without_offer: Vec<usize>,
}

impl<'a> Shop<'a> {
    pub(super) fn new(retailer: &'a Retailer) -> Self {
        let range = Range::new(retailer);
        let plans: Vec<Plan<'a>> = retailer.offers.iter().enumerate().map(|(place, offer)| Plan::new(place, offer, retailer, &range)).collect();
        let mut offers_of = vec![Vec::new(); retailer.categories as usize];
        for plan in &plans {
            offers_of[plan.offer.category as usize].push(plan.place);
        }
        let without_offer = (0..retailer.categories as usize).filter(|c| offers_of[*c].is_empty()).map(|c| range.category(c).start).collect();
        Self { retailer, calendar: Calendar::new(retailer), range, plans, offers_of, without_offer }
    }

    /// Whether an offer asks what customers spent before.
    pub(super) fn looks_back(&self) -> bool {
        self.plans.iter().any(|plan| matches!(plan.offer.allocation.draw, Draw::PastSpend { .. }))
    }

    /// A product of a category without an offer.
    pub(super) fn along(&self, stream: &mut Stream) -> usize {
        let category = stream.below(self.without_offer.len() as u32) as usize;
        self.without_offer[category] + stream.below(self.range.in_category() as u32) as usize
    }
}
