//! Exact sums of lines over the cells of an offer.

use super::pantry::Line;
use super::shop::{Plan, Role, Shop};
use crate::study::Period;

/// What is summed of a line. Money is in cents.
#[derive(Debug, Clone, Copy)]
pub(super) enum Amount {
    Units = 0,
    Shelf,
    Coupon,
    Cost,
    /// On offer lines: those of the offer's products, in its window, with a coupon.
    OfferUnits,
    OfferCoupon,
    /// Shelf value less cost, on offer lines.
    OfferMargin,
    /// What the supplier of the offer earns.
    SupplierMargin,
    /// Coupons on the products of the supplier of the offer.
    SupplierCoupon,
}

pub(super) const AMOUNTS: usize = 9;
const PERIODS: usize = 3;
/// Roles, periods, off and on general sale.
const CELLS: usize = 3 * PERIODS * 2;
/// Roles and any role, periods.
const BASKETS: usize = 4 * PERIODS;
const ANY: usize = 3;

/// Sums over cells after the baseline, and distinct baskets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sums {
    cells: [[i64; AMOUNTS]; CELLS],
    baskets: [i64; BASKETS],
}

impl Default for Sums {
    fn default() -> Self {
        Self { cells: [[0; AMOUNTS]; CELLS], baskets: [0; BASKETS] }
    }
}

/// Which cells are meant: a role or all, a period, a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) role: Role,
    pub(super) period: Period,
    pub(super) on_sale: Option<bool>,
}

/// The place of a period after the baseline.
const fn place(period: Period) -> usize {
    match period {
        Period::Baseline | Period::Anticipation => 0,
        Period::Promotion => 1,
        Period::Post => 2,
    }
}

impl Sums {
    /// Adds a line, or takes it off.
    pub(super) fn add_line(&mut self, shop: &Shop<'_>, plan: &Plan<'_>, line: &Line, day: i32, sign: i64) {
        let Some(period) = plan.period(day) else { return };
        let product = shop.range.get(line.product as usize);
        let role = plan.role(line.product as usize);
        let on_sale = shop.calendar.on_sale(product.category, day);
        let (units, value, coupon) = (i64::from(line.quantity), line.shelf_value(), i64::from(line.coupon));
        let cost = units * product.cost;
        let offered = i64::from(role == Role::Focal && period == Period::Promotion && coupon != 0);
        let own = i64::from(product.supplier == plan.supplier);
        let of_supplier = own * units * product.supplier_margin;
        let amounts = [units, value, coupon, cost, offered * units, offered * coupon, offered * (value - cost), of_supplier, own * coupon];
        let cell = &mut self.cells[(role as usize * PERIODS + place(period)) * 2 + usize::from(on_sale)];
        cell.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += sign * amount);
    }

    /// Adds a basket with lines of these roles in a period, or takes it off; `others` says that it has other lines, in both worlds.
    pub(super) fn add_basket(&mut self, roles: [bool; 3], period: Period, others: bool, sign: i64) {
        let mut count = |role: usize, is: bool| self.baskets[role * PERIODS + place(period)] += sign * i64::from(is);
        count(Role::Focal as usize, roles[0]);
        count(Role::Substitute as usize, roles[1]);
        count(Role::Other as usize, roles[2] && !others);
        count(ANY, roles.contains(&true) && !others);
    }

    pub(super) fn add(&mut self, other: &Self, sign: i64) {
        for (sums, values) in self.cells.iter_mut().zip(&other.cells) {
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += sign * value);
        }
        self.baskets.iter_mut().zip(&other.baskets).for_each(|(sum, value)| *sum += sign * value);
    }

    /// The sums over some cells.
    pub(super) fn over(&self, cells: &[Cell]) -> [i64; AMOUNTS] {
        let mut sums = [0; AMOUNTS];
        for cell in cells {
            for on_sale in [false, true].into_iter().filter(|on| cell.on_sale.is_none_or(|wanted| wanted == *on)) {
                let values = &self.cells[(cell.role as usize * PERIODS + place(cell.period)) * 2 + usize::from(on_sale)];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        sums
    }

    /// Baskets with a line of a cell's role in its period, summed over cells.
    pub(super) fn baskets(&self, cells: &[Cell]) -> i64 {
        cells.iter().map(|cell| self.baskets[cell.role as usize * PERIODS + place(cell.period)]).sum()
    }

    /// Baskets with any line after the baseline.
    pub(super) fn all_baskets(&self) -> i64 {
        self.baskets[ANY * PERIODS..].iter().sum()
    }
}

/// The lines of each visit, in the order of time.
pub(super) fn by_visit(lines: &[Line]) -> impl Iterator<Item = &[Line]> {
    lines.chunk_by(|a, b| a.visit == b.visit)
}
