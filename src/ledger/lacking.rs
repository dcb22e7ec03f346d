//! Lines that lack a unit cost or a VAT rate, or have one that cannot be: the first of them and how many there are.

use super::amounts::{AmountPlan, LineOrProduct};
use super::kept::Kept;
use super::lookup::NONE;
use super::matching::Hit;
use crate::cells::{AmountSource, Partition};
use crate::error::{Fault, Input, Problem, Problems, Result};

const NEGATIVE_COST: &str = "a unit cost is negative";
const COST_REMEDY: &str = "Write what one unit costs, 0 or more; leave it empty where it is not known";

/// Used lines that lack something or have it wrong: the first of them, and how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct BadLines {
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) product: u32,
    pub(super) value: f64,
}

/// What used lines lack.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lacking {
    pub(super) cost: Option<BadLines>,
    /// A line's own cost below 0.
    pub(super) negative_cost: Option<BadLines>,
    /// The product's cost below 0.
    pub(super) negative_product_cost: Option<BadLines>,
    /// How many lines cost nothing.
    pub(super) zero_costs: u64,
    pub(super) vat: Option<BadLines>,
    pub(super) vat_in_range: Option<BadLines>,
}

impl Lacking {
    /// Looks at one line, which stands in this row.
    #[inline]
    pub(super) fn look(&mut self, hit: &Hit, row: u64, cost: Option<&LineOrProduct<'_>>, vat: Option<&LineOrProduct<'_>>) {
        let line = |value: f64| BadLines { first: row, count: 1, product: hit.product, value };
        if let Some(of) = cost {
            let cost = of.at(hit);
            // An unknown cost is NaN, and fails too.
            if !(cost > 0.0) {
                self.odd_cost(line(cost), of.is_of_line(hit));
            }
        }
        match vat.map(|v| v.at(hit)) {
            Some(rate) if rate.is_nan() => self.vat = more(self.vat, Some(line(rate))),
            Some(rate) if !(0.0..1.0).contains(&rate) => self.vat_in_range = more(self.vat_in_range, Some(line(rate))),
            _ => {}
        }
    }

    fn odd_cost(&mut self, line: BadLines, of_line: bool) {
        let found = if line.value.is_nan() {
            &mut self.cost
        } else if line.value == 0.0 {
            self.zero_costs += 1;
            return;
        } else if of_line {
            &mut self.negative_cost
        } else {
            &mut self.negative_product_cost
        };
        *found = more(*found, Some(line));
    }

    /// Adds what a later block lacks, whose chunk begins at `offset`.
    pub(super) fn add(&mut self, block: Self, offset: u64) {
        let moved = |bad: Option<BadLines>| bad.map(|bad| BadLines { first: bad.first + offset, ..bad });
        self.cost = more(self.cost, moved(block.cost));
        self.negative_cost = more(self.negative_cost, moved(block.negative_cost));
        self.negative_product_cost = more(self.negative_product_cost, moved(block.negative_product_cost));
        self.zero_costs += block.zero_costs;
        self.vat = more(self.vat, moved(block.vat));
        self.vat_in_range = more(self.vat_in_range, moved(block.vat_in_range));
    }

    /// The problems of what no measure can do without.
    pub(super) fn check(&self, kept: &Kept, partition: &Partition, plan: &[AmountPlan<'_>]) -> Result<()> {
        let mut problems = Problems::default();
        let of_lines = |fault: Fault, text: &str, column: &str, bad: BadLines| of_lines(partition, fault, text, column, bad);
        let no_rate = plan.iter().any(|plan| matches!(plan.source, AmountSource::Cost { otherwise: None, .. }));
        if let Some(bad) = self.cost.filter(|_| no_rate) {
            let (text, remedy) = if kept.has.unit_cost {
                ("a line has no unit cost, and no margin rate is given", "Fill the unit cost, or give [margin] rate for the lines without one")
            } else {
                (
                    "the product of a line has no `unit_cost` in the product table, and no margin rate is given",
                    "Fill `unit_cost` of every product sold in the product table, or give [margin] rate for the lines without one",
                )
            };
            problems.push(of_lines(Fault::NoCost, text, "unit_cost", bad).remedy(remedy));
        }
        if let Some(bad) = self.negative_cost {
            problems.push(of_lines(Fault::OutOfRange, NEGATIVE_COST, "unit_cost", bad).remedy(COST_REMEDY));
        }
        if self.negative_product_cost.is_some() {
            problems.push(negative_product_costs(kept, partition, plan));
        }
        if let Some(bad) = self.vat {
            let problem = of_lines(Fault::Null, "neither the line nor its product has a VAT rate", "vat", bad);
            problems.push(problem.remedy("Fill the rate of every product (or line) sold, 0 where there is no VAT, or give one vat_rate"));
        }
        if let Some(bad) = self.vat_in_range {
            let problem = of_lines(Fault::OutOfRange, "a VAT rate must lie in 0 to 1", "vat", bad);
            problems.push(problem.remedy("Write 0.21 for 21 %"));
        }
        problems.finish()
    }
}

/// The one that stands first, with the count of both.
fn more(found: Option<BadLines>, later: Option<BadLines>) -> Option<BadLines> {
    match (found, later) {
        (Some(found), Some(later)) => {
            let first = if later.first < found.first { later } else { found };
            Some(BadLines { count: found.count + later.count, ..first })
        }
        (found, later) => found.or(later),
    }
}

/// The problem of products that cost less than nothing, of which one at least is on a used line.
fn negative_product_costs(kept: &Kept, partition: &Partition, plan: &[AmountPlan<'_>]) -> Problem {
    let costs = plan.iter().find_map(|plan| match plan.source {
        AmountSource::Cost { unit_cost, .. } => Some(unit_cost.as_slice()),
        _ => None,
    });
    let negative = || costs.into_iter().flatten().enumerate().filter(|(_, cost)| **cost < 0.0);
    let problem = Problem::new(Input::Products, Fault::OutOfRange, NEGATIVE_COST).column("unit_cost").count(negative().count()).remedy(COST_REMEDY);
    match negative().next() {
        // Rows that repeat a product were left out: later ones stand elsewhere in the table that was read.
        Some((index, cost)) if kept.products.repeated > 0 => problem.value(format!("{cost}, product {}", partition.products.text(index))),
        Some((index, cost)) => problem.first(index).value(format!("{cost}, product {}", partition.products.text(index))),
        None => problem,
    }
}

/// The problem of lines, which names the product of the first.
fn of_lines(partition: &Partition, fault: Fault, text: &str, column: &str, bad: BadLines) -> Problem {
    let product = if bad.product == NONE { "not in the product table".to_owned() } else { partition.products.text(bad.product as usize) };
    let value = if bad.value.is_nan() { format!("product {product}") } else { format!("{}, product {product}", bad.value) };
    Problem::new(Input::Transactions, fault, text).column(column).first(bad.first as usize).value(value).count(bad.count as usize)
}
