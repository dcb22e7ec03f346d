//! A customer without any offer: size, visits, and what is needed of each category.

use super::shop::Shop;
use crate::simulate::stream::{Purpose, Stream, scramble};

/// Life starts so many days before the ledger does, so that its first days are like all others.
pub(super) const WARM_UP: i32 = 28;
/// Of a longer pause only so many days are shopped for: the rest was eaten elsewhere.
const PANTRY_REACH: i32 = 14;
/// For how many days a household buys at a time: fresh to long-lived.
const SUPPLY_DAYS: [f64; 4] = [5.0, 8.0, 12.0, 16.0];

/// A visit to a store, the day counted from the first day of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) day: i32,
    pub(super) store: u32,
}

/// What a household needs of a category: its stock, above what it keeps for safety, is filled up to `full` units when it has run down to none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Need {
    pub(super) per_day: f64,
    pub(super) full: i32,
    pub(super) at_first: i32,
    pub(super) favourite: usize,
}

impl Need {
    /// The need of who does not buy the category.
    pub(super) const NONE: Self = Self { per_day: 0.0, full: 1, at_first: 1, favourite: 0 };
}

/// What happens on a visit whatever is on offer: units used up since the last one, the product that would be chosen and another should it be
/// out of stock, and whether a unit of it is taken back next time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Life {
    pub(super) used: i32,
    pub(super) chosen: usize,
    pub(super) else_chosen: usize,
    pub(super) returned: bool,
}

/// A customer as if there were no offer.
#[derive(Debug, Clone)]
pub(super) struct Household {
    index: u32,
    pub(super) home: u32,
    /// Size, from 1 up, heavy-tailed.
    pub(super) size: f64,
    wealth: f64,
    breadth: f64,
    pub(super) visits: Vec<Visit>,
}

impl Household {
    pub(super) fn draw(shop: &Shop<'_>, index: u32) -> Self {
        let shopping = &shop.retailer.shopping;
        let mut stream = Stream::new(shop.retailer.seed, index, Purpose::Household);
        let size = stream.heavy_tailed(shopping.largest_household);
        let home = stream.below(shop.retailer.stores);
        let breadth = stream.between(0.6, 1.4);
        let wealth = 0.85 + 0.3 * (scramble(shop.retailer.seed ^ scramble(home.into())) >> 40) as f64 / 16_777_216.0;
        let visits = visits(shop, &mut stream, home);
        Self { index, home, size, wealth, breadth, visits }
    }

    /// What is needed of a category, `None` where it is never bought.
    pub(super) fn need(&self, shop: &Shop<'_>, category: usize, stream: &mut Stream) -> Option<Need> {
        let shopping = &shop.retailer.shopping;
        let dice = scramble(category as u64 + 3);
        let popular = 0.6 + 0.8 * ((dice >> 8) % 1000) as f64 / 1000.0;
        let buys = stream.chance(shopping.category_share * popular * self.breadth);
        let pace = 0.5 + ((dice >> 32) % 1000) as f64 / 1000.0;
        let per_day = self.size * self.wealth * shopping.units_per_day * pace * stream.between(0.5, 1.5);
        let full = ((per_day * SUPPLY_DAYS[(dice % 4) as usize]) as i32).clamp(1, 60);
        let at_first = (f64::from(full) * stream.unit()) as i32;
        let favourite = popular_product(shop, category, stream);
        buys.then_some(Need { per_day, full, at_first, favourite })
    }

    /// The stream of a category.
    pub(super) fn stream(&self, shop: &Shop<'_>, category: usize) -> Stream {
        Stream::of(shop.retailer.seed, self.index, Purpose::Need, category)
    }

    /// What happens on each visit in a category whatever is on offer.
    pub(super) fn live(&self, shop: &Shop<'_>, category: usize, need: &Need, stream: &mut Stream, lives: &mut Vec<Life>) {
        let shopping = &shop.retailer.shopping;
        let mut hunger = stream.unit();
        let mut last = -WARM_UP;
        lives.clear();
        lives.extend(self.visits.iter().map(|visit| {
            let days = f64::from((visit.day - last).min(PANTRY_REACH));
            last = visit.day;
            hunger += need.per_day * days * shop.calendar.season(category, visit.day) * stream.between(0.6, 1.4);
            let used = hunger as i32;
            hunger -= f64::from(used);
            let (loyal, other) = (stream.chance(shopping.loyalty), popular_product(shop, category, stream));
            let else_chosen = popular_product(shop, category, stream);
            Life { used, chosen: if loyal { need.favourite } else { other }, else_chosen, returned: stream.chance(shopping.returns) }
        }));
    }
}

/// A product of the category; the first of them are bought more than the last.
fn popular_product(shop: &Shop<'_>, category: usize, stream: &mut Stream) -> usize {
    let count = shop.range.in_category() as u32;
    let spread = stream.below(count).min(stream.below(count));
    // Popularity runs through all brands: item 0 of each, then item 1.
    let (item, brand) = (spread / shop.retailer.brands, spread % shop.retailer.brands);
    shop.range.category(category).start + (brand * shop.retailer.products + item) as usize
}

/// Visits in a rhythm of the customer's own, later in the week where possible. Three customers in ten are away once for one to four weeks.
fn visits(shop: &Shop<'_>, stream: &mut Stream, home: u32) -> Vec<Visit> {
    let shopping = &shop.retailer.shopping;
    let days = f64::from(shop.calendar.days);
    let silent = stream.chance(shopping.silent);
    let hurry = stream.unit();
    let gap = shopping.shortest_gap_days + (shopping.longest_gap_days - shopping.shortest_gap_days) * hurry * hurry;
    let away = stream.chance(0.3);
    let leaves = stream.between(-f64::from(WARM_UP), days);
    let returns = leaves + stream.between(7.0, 28.0);
    let mut visits: Vec<Visit> = Vec::with_capacity(if silent { 0 } else { (days / gap) as usize + 8 });
    let mut next = -f64::from(WARM_UP) + gap * stream.unit();
    while !silent && next < days {
        let mut day = next.floor() as i32;
        while shop.calendar.weekday(day) < 4 && stream.chance(0.25) {
            day += 1;
        }
        let store = if stream.chance(0.1) { stream.below(shop.retailer.stores) } else { home };
        let gone = away && leaves < next && next < returns;
        if !gone && day < shop.calendar.days && visits.last().is_none_or(|v| v.day < day) {
            visits.push(Visit { day, store });
        }
        next += gap * stream.between(0.6, 1.4);
    }
    visits
}
