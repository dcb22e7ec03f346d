//! Drawing many customers: chunks of fixed size in parallel, put together in order, so that neither threads nor machine change a byte.

use polars::prelude::{Column, DataFrame, DataType};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::customer::Customer;
use super::pantry::Line;
use super::questions::Questions;
use super::shop::Shop;
use super::tally::{Change, Further, Tally};
use crate::error::Result;
use crate::study::Arm;

/// Customers of a chunk.
const CHUNK: u32 = 512;
/// Chunks drawn at a time, before their lines are handed on.
const AT_A_TIME: u32 = 64;
/// Further customers are numbered from here, so that they are never those of a larger retailer.
pub(super) const FURTHER: u32 = 1 << 31;

/// The assigned customers of an offer.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    pub(super) customers: Vec<i64>,
    pub(super) arm: Vec<Arm>,
    pub(super) stratum: Vec<u32>,
    pub(super) cluster: Vec<u32>,
}

impl Roster {
    fn append(&mut self, mut later: Self) {
        self.customers.append(&mut later.customers);
        self.arm.append(&mut later.arm);
        self.stratum.append(&mut later.stratum);
        self.cluster.append(&mut later.cluster);
    }
}

/// Everything about the offers, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Offers {
    pub(super) rosters: Vec<Roster>,
    pub(super) tallies: Vec<Tally>,
}

/// The columns of the ledger.
#[derive(Debug, Default)]
struct Lines {
    customer: Vec<i64>,
    day: Vec<i32>,
    product: Vec<i32>,
    quantity: Vec<i32>,
    net_sales: Vec<f64>,
    basket: Vec<i64>,
    store: Vec<i32>,
    coupon: Vec<f64>,
}

impl Lines {
    fn push(&mut self, shop: &Shop<'_>, customer: &Customer, line: &Line) {
        let Some(household) = &customer.household else { return };
        let visit = household.visits[line.visit as usize];
        let id = customer_id(customer.index);
        self.customer.push(id);
        self.day.push(shop.retailer.first_day.epoch() + visit.day);
        self.product.push(shop.range.get(line.product as usize).id);
        self.quantity.push(line.quantity);
        self.net_sales.push((line.shelf_value() - i64::from(line.coupon)) as f64 / 100.0);
        self.basket.push(id * 10_000 + i64::from(line.visit));
        self.store.push(visit.store as i32 + 1);
        self.coupon.push(f64::from(line.coupon) / 100.0);
    }

    fn frame(self) -> Result<DataFrame> {
        Ok(DataFrame::new_infer_height(vec![
            Column::new("customer".into(), self.customer),
            Column::new("day".into(), self.day).cast(&DataType::Date)?,
            Column::new("product".into(), self.product),
            Column::new("quantity".into(), self.quantity),
            Column::new("net_sales".into(), self.net_sales),
            Column::new("basket".into(), self.basket),
            Column::new("store".into(), self.store),
            Column::new("coupon".into(), self.coupon),
        ])?)
    }
}

/// The id of a customer.
pub(super) fn customer_id(index: u32) -> i64 {
    100_001 + i64::from(index)
}

/// A frame without lines that has the ledger's columns.
pub(super) fn no_lines() -> Result<DataFrame> {
    Lines::default().frame()
}

/// Draws all customers and hands their lines on, frame after frame in the order of customers.
pub(super) fn customers(shop: &Shop<'_>, mut sink: impl FnMut(DataFrame) -> Result<()>) -> Result<Offers> {
    let mut offers = Offers { rosters: vec![Roster::default(); shop.plans.len()], tallies: vec![Tally::default(); shop.plans.len()] };
    let all = shop.retailer.customers;
    for first in (0..all).step_by((CHUNK * AT_A_TIME) as usize) {
        let last = first.saturating_add(CHUNK * AT_A_TIME).min(all);
        let starts: Vec<u32> = (first..last).step_by(CHUNK as usize).collect();
        let drawn: Vec<Result<(DataFrame, Offers)>> = starts.into_par_iter().map(|start| chunk(shop, start..start.saturating_add(CHUNK).min(last))).collect();
        for part in drawn {
            let (frame, part) = part?;
            sink(frame)?;
            offers.rosters.iter_mut().zip(part.rosters).for_each(|(roster, later)| roster.append(later));
            offers.tallies.iter_mut().zip(&part.tallies).for_each(|(tally, later)| tally.merge(later));
        }
    }
    Ok(offers)
}

fn chunk(shop: &Shop<'_>, customers: std::ops::Range<u32>) -> Result<(DataFrame, Offers)> {
    let mut offers = Offers { rosters: vec![Roster::default(); shop.plans.len()], tallies: vec![Tally::default(); shop.plans.len()] };
    let mut lines = Lines::default();
    let (mut customer, mut sorted, mut by_visit) = (Customer::default(), Vec::new(), Vec::new());
    for index in customers {
        customer.draw(shop, index);
        count_by_visit(&customer, &mut by_visit);
        sorted.clear();
        sorted.extend_from_slice(&customer.lines);
        sorted.sort_unstable();
        for (plan, (roster, tally)) in shop.plans.iter().zip(offers.rosters.iter_mut().zip(&mut offers.tallies)) {
            if let Some(change) = Change::of(shop, plan, &customer, &by_visit) {
                tally.add(shop, plan, &customer, &sorted, &change);
                roster.customers.push(customer_id(index));
                roster.arm.push(change.standing.arm);
                roster.stratum.push(change.standing.stratum);
                roster.cluster.push(customer.household.as_ref().map_or(0, |h| h.home));
            }
        }
        for line in &sorted {
            lines.push(shop, &customer, line);
        }
    }
    Ok((lines.frame()?, offers))
}

/// How many lines each visit has.
fn count_by_visit(customer: &Customer, counts: &mut Vec<u32>) {
    counts.clear();
    counts.resize(customer.household.as_ref().map_or(0, |h| h.visits.len()), 0);
    customer.lines.iter().for_each(|line| counts[line.visit as usize] += 1);
}

/// Draws the further customers, of whom only sums are kept; nothing where none is asked for.
pub(super) fn further(shop: &Shop<'_>, questions: &[Questions<'_>]) -> Vec<Further> {
    let all = shop.retailer.further_customers;
    let starts: Vec<u32> = (0..all).step_by(CHUNK as usize).collect();
    let parts: Vec<Vec<Further>> = starts.into_par_iter().map(|start| further_chunk(shop, questions, start..start.saturating_add(CHUNK).min(all))).collect();
    let mut sums = vec![Further::default(); if all > 0 { questions.len() } else { 0 }];
    for part in parts {
        sums.iter_mut().zip(&part).for_each(|(sum, more)| sum.merge(more));
    }
    sums
}

fn further_chunk(shop: &Shop<'_>, questions: &[Questions<'_>], customers: std::ops::Range<u32>) -> Vec<Further> {
    let mut sums = vec![Further::default(); questions.len()];
    let (mut customer, mut by_visit) = (Customer::default(), Vec::new());
    for index in customers {
        customer.draw(shop, FURTHER + index);
        count_by_visit(&customer, &mut by_visit);
        for (plan, (questions, sum)) in shop.plans.iter().zip(questions.iter().zip(&mut sums)) {
            if let Some(change) = Change::of(shop, plan, &customer, &by_visit) {
                sum.add(questions, &change);
            }
        }
    }
    sums
}
