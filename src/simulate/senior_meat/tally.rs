//! Sums over both potential worlds of every customer, and the truth they make.

use super::catalogue::{Catalogue, Product, Role, SUPPLIER};
use super::household::{Household, Line};
use super::{END, FUNDED_SHARE_IN_TICKS_PER_CENT, START};
use crate::simulate::truth::{TrueEffect, TrueRow, TrueSupplier, Truth, from_ticks};
use crate::study::Costs;

/// The effects that add up to `total`, in the order of their cells.
const EFFECTS: [&str; 5] = ["direct", "cannibalisation", "halo", "forward_buying", "carry_over"];
const DIRECT: usize = 0;

/// The measures whose truth is kept.
const MEASURES: [&str; 8] = ["net_sales", "units", "revenue", "discount", "offer_discount", "shelf_value", "margin", "funding"];
const OFFER_DISCOUNT: usize = 4;
const MARGIN: usize = 6;
const FUNDING: usize = 7;

/// Sums of a world, in hundredths of a cent (units: in ten-thousandths).
#[derive(Debug, Clone, Default)]
struct Sums {
    cells: [[i64; MEASURES.len()]; EFFECTS.len()],
    supplier_margin_on_promoted: i64,
    supplier_margin_on_other: i64,
    redeemers: u32,
    redemptions: u32,
    burned_units: i64,
    burned_money: i64,
}

impl Sums {
    fn add(&mut self, household: &Household, lines: &[Line], catalogue: &Catalogue) {
        for line in lines {
            let product = catalogue.product(line.product);
            if let Some(effect) = effect_of(product.role, household.visits[line.visit].day) {
                self.add_line(line, product, effect);
            }
        }
        let mut baskets: Vec<usize> = lines.iter().filter(|l| l.coupon != 0).map(|l| l.visit).collect();
        baskets.sort_unstable();
        baskets.dedup();
        self.redeemers += u32::from(!baskets.is_empty());
        self.redemptions += u32::try_from(baskets.len()).unwrap_or(u32::MAX);
    }

    fn add_line(&mut self, line: &Line, product: &Product, effect: usize) {
        let value = line.quantity * product.price * 100;
        let coupon = line.coupon * 100;
        let margin = value - coupon - line.quantity * product.cost * 100;
        let funding = line.coupon * FUNDED_SHARE_IN_TICKS_PER_CENT;
        let units = line.quantity * 10_000;
        let values = [value - coupon, units, value - coupon, coupon, coupon, value, margin, funding];
        for (sum, value) in self.cells[effect].iter_mut().zip(values) {
            *sum += value;
        }
        if product.supplier == SUPPLIER {
            let earned = line.quantity * product.supplier_margin * 100;
            *(if product.role == Role::Focal { &mut self.supplier_margin_on_promoted } else { &mut self.supplier_margin_on_other }) += earned;
        }
        if line.coupon != 0 && !line.caused {
            self.burned_units += units;
            self.burned_money += coupon;
        }
    }
}

/// The effect whose cell holds a line, `None` before the promotion.
fn effect_of(role: Role, day: i32) -> Option<usize> {
    match (role, day) {
        (_, day) if day < START => None,
        (role, day) if day <= END => Some(role as usize),
        (Role::Focal | Role::Substitute, _) => Some(3),
        (Role::Other, _) => Some(4),
    }
}

/// Both worlds of some customers.
#[derive(Debug, Clone, Default)]
struct Worlds {
    customers: u32,
    offered: Sums,
    kept_out: Sums,
}

impl Worlds {
    fn add(&mut self, household: &Household, offered: &[Line], catalogue: &Catalogue) {
        self.customers += 1;
        self.offered.add(household, offered, catalogue);
        self.kept_out.add(household, &household.lines, catalogue);
    }

    fn difference(&self, effect: usize, measure: usize) -> i64 {
        self.offered.cells[effect][measure] - self.kept_out.cells[effect][measure]
    }
}

/// Collects both worlds, customer by customer.
#[derive(Debug, Default)]
pub(super) struct Tally {
    target: Worlds,
    assigned: Worlds,
}

impl Tally {
    pub(super) fn add(&mut self, is_target: bool, household: &Household, offered: &[Line], catalogue: &Catalogue) {
        self.assigned.add(household, offered, catalogue);
        if is_target {
            self.target.add(household, offered, catalogue);
        }
    }

    pub(super) fn truth(&self, costs: &Costs, supplier_fixed_cost: f64) -> Truth {
        let seen = &self.target.offered;
        Truth {
            promotion: None,
            target_customers: self.target.customers,
            assigned_customers: self.assigned.customers,
            redeemers: seen.redeemers,
            redemptions: seen.redemptions,
            effects: self.effects(),
            retailer: self.retailer(costs),
            suppliers: vec![TrueSupplier { supplier: SUPPLIER.into(), rows: self.supplier(supplier_fixed_cost) }],
            burned_units: from_ticks(seen.burned_units),
            burned_money: from_ticks(seen.burned_money),
            ratios: Vec::new(),
            expected: None,
        }
    }

    fn effects(&self) -> Vec<TrueEffect> {
        let singles = EFFECTS.iter().enumerate().map(|(cell, name)| (*name, cell..cell + 1));
        let named = singles.chain([("total", 0..EFFECTS.len())]);
        named
            .flat_map(|(effect, cells)| {
                MEASURES.iter().enumerate().map(move |(measure, name)| {
                    let sum = |worlds: &Worlds| from_ticks(cells.clone().map(|c| worlds.difference(c, measure)).sum());
                    let total = sum(&self.target);
                    let level = from_ticks(cells.clone().map(|c| self.target.kept_out.cells[c][measure]).sum()) / f64::from(self.target.customers);
                    let per_target_customer = total / f64::from(self.target.customers);
                    TrueEffect {
                        effect: effect.into(),
                        measure: (*name).into(),
                        per_target_customer,
                        per_assigned_customer: sum(&self.assigned) / f64::from(self.assigned.customers),
                        total,
                        level,
                        relative: (level > 0.0).then(|| per_target_customer / level),
                    }
                })
            })
            .collect()
    }

    /// The retailer's bridge: rows above `incremental_margin` and above `net_profit` add up to them.
    fn retailer(&self, costs: &Costs) -> Vec<TrueRow> {
        let margin = |effect: usize| self.target.difference(effect, MARGIN);
        let discount = self.target.difference(DIRECT, OFFER_DISCOUNT);
        let parts = [margin(0) + discount, -discount, margin(1), margin(2), margin(3), margin(4)].map(from_ticks);
        let incremental = from_ticks((0..EFFECTS.len()).map(margin).sum());
        let subsidy = from_ticks((0..EFFECTS.len()).map(|effect| self.target.difference(effect, FUNDING)).sum());
        let by_contact = costs.per_contact * f64::from(self.target.customers);
        let by_redemption = costs.per_redemption * f64::from(self.target.offered.redemptions);
        let internal = -(costs.design + costs.execute + costs.measure + by_contact + by_redemption);
        let names = ["direct_at_shelf_margin", "promotional_discount", "cannibalised_margin", "halo_margin", "forward_bought_margin", "carry_over_margin"];
        let sums =
            [("incremental_margin", incremental), ("supplier_subsidy", subsidy), ("internal_cost", internal), ("net_profit", incremental + subsidy + internal)];
        names.into_iter().zip(parts).chain(sums).map(row).collect()
    }

    /// The supplier's bridge, on its own products.
    fn supplier(&self, fixed_cost: f64) -> Vec<TrueRow> {
        let (offered, kept_out) = (&self.target.offered, &self.target.kept_out);
        let promoted = from_ticks(offered.supplier_margin_on_promoted - kept_out.supplier_margin_on_promoted);
        let other = from_ticks(offered.supplier_margin_on_other - kept_out.supplier_margin_on_other);
        let funding = -from_ticks((0..EFFECTS.len()).map(|effect| self.target.difference(effect, FUNDING)).sum());
        let sum = promoted + other + funding - fixed_cost;
        [("margin_on_promoted", promoted), ("margin_on_other_own_products", other), ("funding_paid", funding), ("fixed_cost", -fixed_cost), ("net_profit", sum)]
            .map(row)
            .into()
    }
}

fn row((row, amount): (&str, f64)) -> TrueRow {
    TrueRow { row: row.into(), amount }
}
