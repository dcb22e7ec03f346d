//! What the days bring: seasons, general sales, empty shelves.

use super::Retailer;
use crate::simulate::stream::scramble;

/// Days of a year of whole weeks.
const YEAR: i32 = 364;

/// The days of the ledger, counted from 0, and those of the weeks before.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    pub(super) days: i32,
    weekday_of_first: i32,
    /// By category and day: how much is used up, times the usual.
    season: Vec<f64>,
    /// By category and day: the general sale, as its place in the retailer's list.
    sale: Vec<Option<u16>>,
    /// By sale: percent off the shelf price.
    percent: Vec<i64>,
    /// By sale: the share of the reaction that is left.
    reaction: Vec<f64>,
    empty: u32,
    seed: u64,
}

impl Calendar {
    pub(super) fn new(retailer: &Retailer) -> Self {
        let days = retailer.weeks as i32 * 7;
        let categories = retailer.categories as usize;
        let season = (0..categories).flat_map(|c| (0..days).map(move |day| season(retailer, c, day))).collect();
        let mut sale = vec![None; categories * days as usize];
        for (place, of) in (0..).zip(&retailer.general_sales) {
            let of_category = |c: usize| of.category.is_none_or(|wanted| wanted as usize == c);
            let to = of.start.saturating_add(of.days).min(days as u32);
            for category in (0..categories).filter(|c| of_category(*c)) {
                (of.start..to).for_each(|day| sale[category * days as usize + day as usize] = Some(place));
            }
        }
        Self {
            days,
            weekday_of_first: (retailer.first_day.epoch() + 3).rem_euclid(7),
            season,
            sale,
            percent: retailer.general_sales.iter().map(|s| s.discount_percent.into()).collect(),
            reaction: retailer.general_sales.iter().map(|s| 1.0 - s.dilution).collect(),
            empty: (retailer.shopping.stock_outs * 4_294_967_296.0) as u32,
            seed: scramble(retailer.seed ^ 0x5_704c_0075),
        }
    }

    /// 0 for Monday to 6 for Sunday.
    pub(super) const fn weekday(&self, day: i32) -> i32 {
        (day + self.weekday_of_first).rem_euclid(7)
    }

    fn at(&self, category: usize, day: i32) -> usize {
        category * self.days as usize + day.max(0) as usize
    }

    /// How much is used up of a category on a day, times the usual.
    pub(super) fn season(&self, category: usize, day: i32) -> f64 {
        self.season[self.at(category, day)]
    }

    fn sale(&self, category: usize, day: i32) -> Option<usize> {
        self.sale[self.at(category, day)].filter(|_| day >= 0).map(usize::from)
    }

    /// Whether a category is on general sale.
    pub(super) fn on_sale(&self, category: usize, day: i32) -> bool {
        self.sale(category, day).is_some()
    }

    /// The price of the day, rounded to cents.
    pub(super) fn price(&self, category: usize, day: i32, usual: i64) -> i64 {
        self.sale(category, day).map_or(usual, |sale| (usual * (100 - self.percent[sale]) + 50) / 100)
    }

    /// The share of the reaction to an offer that is left on a day.
    pub(super) fn reaction(&self, category: usize, day: i32) -> f64 {
        self.sale(category, day).map_or(1.0, |sale| self.reaction[sale])
    }

    /// Whether a product is out of stock in a store; where it is, it is for the week.
    pub(super) fn is_out(&self, store: u32, product: usize, day: i32) -> bool {
        let week = day.div_euclid(7) as u32;
        let place = scramble(u64::from(store) << 32 | product as u64) ^ u64::from(week);
        ((scramble(self.seed ^ place) >> 32) as u32) < self.empty
    }
}

/// A year's wave, a straight line up and a straight line down, with its top in another week in each category; and the trend.
fn season(retailer: &Retailer, category: usize, day: i32) -> f64 {
    let phase = (scramble(category as u64 + 991) % YEAR as u64) as i32;
    let through = f64::from((day + phase).rem_euclid(YEAR)) / f64::from(YEAR);
    let wave = 1.0 - 4.0 * (through - 0.5).abs();
    let trend = 1.0 + retailer.shopping.trend * f64::from(day) / f64::from(YEAR);
    (1.0 + retailer.shopping.season * wave) * trend
}
