//! One customer in all the worlds that are needed: as it was, and for each offer he was assigned to the one in which that offer was the other way.

use std::ops::Range;

use super::allocation::{Standing, standings};
use super::coupon::Coupon;
use super::household::{Household, Life, Need};
use super::pantry::{Held, Line, Pantry};
use super::shop::{Plan, Shop};

/// The worlds of a customer. One value serves many customers, one after the other.
#[derive(Debug, Default)]
pub(super) struct Customer {
    pub(super) index: u32,
    pub(super) household: Option<Household>,
    /// By offer.
    pub(super) standings: Vec<Option<Standing>>,
    /// The lines as it was, category by category.
    pub(super) lines: Vec<Line>,
    /// Of each category its part of `lines`.
    pub(super) parts: Vec<Range<usize>>,
    /// By offer, the lines of its category with this offer the other way.
    pub(super) otherwise: Vec<Vec<Line>>,
    coupons: Vec<Coupon>,
    lives: Vec<Life>,
}

impl Customer {
    /// The day of a line.
    pub(super) fn day(&self, line: &Line) -> i32 {
        self.household.as_ref().map_or(0, |h| h.visits[line.visit as usize].day)
    }

    pub(super) fn draw(&mut self, shop: &Shop<'_>, index: u32) {
        let household = Household::draw(shop, index);
        let past = if shop.looks_back() { self.without_offers(shop, &household) } else { Vec::new() };
        let spent = |plan: &Plan<'_>, days: u32| {
            let days = plan.past(days);
            let counted = past.iter().filter(|l| days.contains(&household.visits[l.visit as usize].day));
            counted.map(Line::shelf_value).sum()
        };
        self.index = index;
        self.standings = standings(shop, index, &household, spent);
        self.coupons.resize_with(shop.plans.len(), Coupon::default);
        self.otherwise.resize_with(shop.plans.len(), Vec::new);
        self.lines.clear();
        self.parts.clear();
        for category in 0..shop.offers_of.len() {
            let first = self.lines.len();
            self.shop(shop, &household, category);
            self.parts.push(first..self.lines.len());
        }
        self.household = Some(household);
    }

    /// The lines of a category as it was, and with each of its offers the other way.
    fn shop(&mut self, shop: &Shop<'_>, household: &Household, category: usize) {
        let offers: Vec<usize> = shop.offers_of[category].iter().copied().filter(|o| self.standings[*o].is_some()).collect();
        let mut stream = household.stream(shop, category);
        let found = household.need(shop, category, &mut stream);
        if found.is_none() && offers.is_empty() {
            return;
        }
        let need = found.unwrap_or(Need::NONE);
        household.live(shop, category, &need, &mut stream, &mut self.lives);
        for offer in &offers {
            self.coupons[*offer].draw(shop, &shop.plans[*offer], self.index, household, found.as_ref());
        }
        let pantry = Pantry { shop, household, category, need: &need, lives: &self.lives };
        let held = |flipped: Option<usize>| -> Vec<Held<'_>> {
            let has = |o: usize| self.standings[o].is_some_and(|s| s.offered) != (flipped == Some(o));
            offers.iter().copied().filter(|o| has(*o)).map(|o| Held { plan: &shop.plans[o], coupon: &self.coupons[o] }).collect()
        };
        pantry.shop(&held(None), &mut self.lines);
        for offer in &offers {
            let lines = &mut self.otherwise[*offer];
            lines.clear();
            pantry.shop(&held(Some(*offer)), lines);
        }
    }

    /// All lines of the world without any offer.
    fn without_offers(&mut self, shop: &Shop<'_>, household: &Household) -> Vec<Line> {
        let mut lines = Vec::new();
        for category in 0..shop.offers_of.len() {
            let mut stream = household.stream(shop, category);
            if let Some(need) = household.need(shop, category, &mut stream) {
                household.live(shop, category, &need, &mut stream, &mut self.lives);
                Pantry { shop, household, category, need: &need, lives: &self.lives }.shop(&[], &mut lines);
            }
        }
        lines
    }
}
