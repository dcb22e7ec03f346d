//! A configurable retailer whose truth is known.

mod allocation;
mod books;
mod calendar;
mod check;
mod coupon;
mod customer;
mod draw;
mod household;
mod offer;
mod pantry;
#[cfg(feature = "parquet")]
mod parquet;
mod preset;
mod questions;
mod range;
mod shop;
mod sums;
mod tally;
#[cfg(test)]
mod tests;
mod world;

pub use offer::{Allocation, Draw, Offer, Reaction, SupplierFunding};
pub use preset::{NotAPreset, Preset};
pub use world::{Launch, RetailerWorld};

use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::study::Day;

/// A retailer with customers, shelves, general sales and offers: plain data, drawn by [`Retailer::draw`].
///
/// # Customers
/// A household has a size (Pareto from 1 with exponent 2, cut off), a home store, a rhythm of visits of its own, weeks of absence, and a set of categories that
/// it buys at all, broader in some households than in others; so spend is heavy-tailed, has zeros, and is correlated over categories and time. A small share is
/// never seen. In each category it has a favourite product, to which it is more or less loyal.
///
/// # Stock
/// What is bought follows from what is at home. Units are used up day by day, with a season, a trend and noise; on a visit at which the stock has run down it is
/// filled up. Units that an offer made a household stock are units that later visits do not buy: purchases move in time and do not vanish. Over a long
/// time units bought = units used up + units of expansion, offer or not.
///
/// # Shelves
/// Each category has `brands` x `products` products with prices, costs, and a supplier for every two brands; brand 0 is the retailer's own. On general sale a category is
/// cheaper and offers work less. A product can be out of stock in a store for a week: then another is bought, or none and the stock runs down. A unit can
/// be taken back on the next visit.
///
/// # What is true with several offers at once
/// The effect of an offer is the world as it was drawn with this offer on, less the same world with it off: same random numbers, same visits, all other offers
/// given to those who have them. So it is the effect on top of the others. Offers in different categories do not touch each other. Offers on brands of
/// one category do: a unit can be switched once only, and stock that one has filled is not filled by the other. The effects of such offers then do not
/// add up to the effect of all of them together, and each is what a study of its own arms estimates: those in the other arm had the other offers too.
///
/// Every customer assigned is drawn both ways, whether in the target or not. A control to whom the coupon leaked has it in the ledger; the truth is still on less off,
/// which a comparison of arms falls short of.
///
/// # Numbers
/// Integer arithmetic and the five IEEE operations only: the same seed gives the same world on every machine, with any number of threads, and a customer is the
/// same however many others there are. Money is in cents, sums are exact.
///
/// ```
/// use promolift::simulate::{Preset, Retailer};
/// let world = Retailer { customers: 500, ..Retailer::preset(Preset::Cvs) }.draw()?;
/// let launch = &world.launches[0];
/// assert!(launch.truth.effect("direct", "units").is_some_and(|e| e.total > 0.0));
/// # Ok::<(), promolift::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retailer {
    /// The seed.
    pub seed: u64,
    /// How many customers there are.
    pub customers: u32,
    /// How many more are drawn for the truth of the population ([`Expected`](super::Expected)), who are in no ledger; 0: none.
    pub further_customers: u32,
    /// The first day of the ledger.
    pub first_day: Day,
    /// How many weeks it covers.
    pub weeks: u32,
    /// How many stores there are.
    pub stores: u32,
    /// How many categories.
    pub categories: u32,
    /// How many brands in each.
    pub brands: u32,
    /// How many products of each brand.
    pub products: u32,
    /// How many suppliers; the retailer's own brand has none.
    pub suppliers: u32,
    /// How customers shop.
    pub shopping: Shopping,
    /// General sales.
    pub general_sales: Vec<GeneralSale>,
    /// The offers.
    pub offers: Vec<Offer>,
}

impl Default for Retailer {
    fn default() -> Self {
        Self {
            seed: 1,
            customers: 4000,
            further_customers: 0,
            // 2024-01-01, a Monday.
            first_day: Day::from_epoch(19_723),
            weeks: 26,
            stores: 12,
            categories: 12,
            brands: 4,
            products: 3,
            suppliers: 6,
            shopping: Shopping::default(),
            general_sales: Vec::new(),
            offers: vec![Offer::default()],
        }
    }
}

/// How customers shop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shopping {
    /// The share of customers who are never seen.
    pub silent: f64,
    /// Days between visits of the keenest customers.
    pub shortest_gap_days: f64,
    /// And of the rarest; most are nearer to the keenest.
    pub longest_gap_days: f64,
    /// Where the tail of household sizes is cut off.
    pub largest_household: f64,
    /// The probability that a household buys a category at all, on average.
    pub category_share: f64,
    /// Units of a category that a household of size 1 uses up a day, on average.
    pub units_per_day: f64,
    /// The probability that a purchase is of the favourite product.
    pub loyalty: f64,
    /// The swing of the year's season: 0.15 for 15 % above and below the mean, at other times in other categories.
    pub season: f64,
    /// Growth in a year: 0.05 for 5 %.
    pub trend: f64,
    /// The share of products out of stock in a store in a week.
    pub stock_outs: f64,
    /// The probability that a unit of a purchase is taken back.
    pub returns: f64,
}

impl Default for Shopping {
    fn default() -> Self {
        Self {
            silent: 1.0 / 30.0,
            shortest_gap_days: 3.0,
            longest_gap_days: 12.0,
            largest_household: 10.0,
            category_share: 0.6,
            units_per_day: 0.08,
            loyalty: 0.6,
            season: 0.15,
            trend: 0.05,
            stock_outs: 0.03,
            returns: 0.01,
        }
    }
}

/// A time of general sale ("rebajas"): lower prices for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneralSale {
    /// The category, counted from 0; absent: all.
    pub category: Option<u32>,
    /// The first day, counted from the retailer's.
    pub start: u32,
    /// How many days.
    pub days: u32,
    /// Percent off the price, 1 to 90.
    pub discount_percent: u32,
    /// By how much customers react less to an offer on these days: 0.5 for half as much.
    pub dilution: f64,
}

impl Default for GeneralSale {
    fn default() -> Self {
        Self { category: None, start: 91, days: 10, discount_percent: 25, dilution: 0.5 }
    }
}

impl Retailer {
    /// Draws the retailer.
    ///
    /// # Errors
    /// When a number lies outside its range, two offers are on the same products on the same day, an offer ends after the last day, or an arm stays empty;
    /// every problem is listed.
    pub fn draw(&self) -> Result<RetailerWorld> {
        let mut transactions = draw::no_lines()?;
        let world = self.draw_in_parts(|frame| {
            transactions.vstack_mut_owned(frame)?;
            Ok(())
        })?;
        Ok(RetailerWorld { transactions, ..world })
    }

    /// Draws the retailer and hands the lines over in frames of some hundred customers each, in the order of customers, for ledgers that
    /// do not fit into memory. The frame of transactions of the result is empty.
    ///
    /// # Errors
    /// As [`Retailer::draw`], and what `sink` gives.
    pub fn draw_in_parts(&self, sink: impl FnMut(DataFrame) -> Result<()>) -> Result<RetailerWorld> {
        check::check(self)?;
        world::draw(self, sink)
    }
}
