//! Lines that lack a unit cost or a VAT rate, or have one that cannot be: the first of them and how many there are.

use super::amounts::LineOrProduct;
use super::matching::Hit;

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
    /// Looks at one line.
    pub(super) fn look(&mut self, hit: &Hit, cost: Option<&LineOrProduct<'_>>, vat: Option<&LineOrProduct<'_>>) {
        let line = |value: f64| BadLines { first: hit.row.into(), count: 1, product: hit.product, value };
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
}

/// Those found first, with the count of both.
fn more(found: Option<BadLines>, later: Option<BadLines>) -> Option<BadLines> {
    match (found, later) {
        (Some(found), Some(later)) => Some(BadLines { count: found.count + later.count, ..found }),
        (found, later) => found.or(later),
    }
}
