//! The table itself, and what is known of the lines in it.

use rayon::prelude::*;
use serde::Serialize;

use super::{AmountSpec, Atom, OfferRule, Partition, ProductClass, Role, Span};
use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::ledger::Oddities;
use crate::study::{Assignment, Period};

/// Counts of what happened to the lines. All but the first three count among the used lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LineCounts {
    /// Lines of the ledger.
    pub read: u64,
    /// Lines in a window, of an assigned customer: those in cells.
    pub used: u64,
    /// Lines in a window, of customers not assigned.
    pub outside_assignment: u64,
    /// Lines outside all windows.
    pub outside_windows: u64,
    /// Of products that the product table does not list.
    pub without_product_row: u64,
    /// Of products without a category.
    pub without_category: u64,
    /// With quantity 0.
    pub zero_quantity: u64,
    /// With a negative quantity.
    pub returns: u64,
    /// With quantity and net sales of opposite signs.
    pub negative_price: u64,
    /// Whose unit cost is not known.
    pub without_cost: u64,
}

/// What a source says of the lines besides the cells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Counts of lines; `None` where the cells were summed elsewhere.
    pub lines: Option<LineCounts>,
    /// Share of product-days of the promotion on general sale, by role (focal, substitute, other).
    pub on_sale: Option<[f64; 3]>,
    /// For each product class and amount the baseline weighted by each product's share of promotion days on sale.
    pub baseline_on_sale: Option<Vec<(ProductClass, Vec<Vec<f64>>)>>,
    /// Nulls in discount columns that were taken as 0, by column.
    pub null_discounts: Vec<(String, usize)>,
    /// Products listed more than once with the same category.
    pub repeated_products: usize,
    /// Whether redemptions are rows of a log, which is the same for every part of a ledger.
    pub logged_redemptions: bool,
    /// What lets wrong inputs be known; `None` where the cells were summed elsewhere.
    pub oddities: Option<Oddities>,
}

/// Distinct baskets of each customer in a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct BasketCell {
    /// The role; `None`: baskets with any line.
    pub role: Option<Role>,
    /// The period.
    pub period: Period,
    /// Distinct baskets, by customer.
    pub baskets: Vec<f64>,
}

/// Sums of amounts by customer and atom, customers in the order of the assignment.
#[derive(Debug, Clone, PartialEq)]
pub struct CellTable {
    /// How many customers there are.
    pub customers: usize,
    /// The atoms.
    pub atoms: Vec<Atom>,
    /// The spans that atoms refer to.
    pub spans: Vec<Span>,
    /// The amounts, by name.
    pub amounts: Vec<String>,
    /// Atom-major: `columns[atom * amounts.len() + amount][customer]`.
    pub columns: Vec<Vec<f64>>,
    /// Distinct baskets by role and period, and of any role by period; none where the partition wants none.
    pub baskets: Vec<BasketCell>,
    /// Bit `s` is set where the customer has a line in span `s`; spans beyond the 32nd share its bit.
    pub seen: Vec<u32>,
    /// Redemptions by customer: distinct baskets with an offer line, or rows of the log.
    pub redemptions: Option<Vec<u32>>,
    /// What else is known.
    pub facts: Facts,
}

impl CellTable {
    /// The column of an atom and amount.
    #[must_use]
    pub fn column(&self, atom: usize, amount: usize) -> &[f64] {
        &self.columns[atom * self.amounts.len() + amount]
    }

    /// The baseline of an atom's product class, weighted by each product's share of promotion days on general sale.
    #[must_use]
    pub fn baseline_on_sale(&self, atom: &Atom, amount: usize) -> Option<&[f64]> {
        let classes = self.facts.baseline_on_sale.as_ref()?;
        classes.iter().find(|(class, _)| *class == atom.class).and_then(|(_, amounts)| amounts.get(amount)).map(Vec::as_slice)
    }

    /// The index of an amount.
    #[must_use]
    pub fn amount(&self, name: &str) -> Option<usize> {
        self.amounts.iter().position(|a| a == name)
    }

    /// The sum over the atoms that meet a condition, by customer.
    #[must_use]
    pub fn sum(&self, amount: usize, which: impl Fn(&Atom) -> bool) -> Vec<f64> {
        let mut sum = vec![0.0; self.customers];
        for (index, _) in self.atoms.iter().enumerate().filter(|(_, atom)| which(atom)) {
            sum.iter_mut().zip(self.column(index, amount)).for_each(|(s, v)| *s += v);
        }
        sum
    }

    /// Checks that the table is the answer to what was asked: the atoms and amounts of the plan, one finite value a customer in every column.
    ///
    /// # Errors
    /// An input error that lists every part of the table that is missing, too short, too long or not finite.
    pub fn validate(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<()> {
        let mut problems = Problems::default();
        let n = assignment.len();
        let mut differs = |what: &str, same: bool| {
            if !same {
                let problem = Problem::new(Input::Cells, Fault::Contradiction, format!("the {what} of the cells are not those of the plan"));
                problems.push(problem.column(what).remedy("Make the cells of the partition, assignment and amounts that the source is handed"));
            }
        };
        differs("customers", self.customers == n);
        differs("atoms", self.atoms == partition.atoms());
        differs("spans", self.spans == partition.spans);
        differs("amounts", self.amounts.iter().eq(amounts.iter().map(|a| &a.name)));
        differs("columns", self.columns.len() == partition.atoms().len() * amounts.len());
        differs("redemptions", self.redemptions.is_some() == (partition.offer != OfferRule::None));
        for (name, length) in self.lengths() {
            if length != n {
                let problem = Problem::new(Input::Cells, Fault::Contradiction, format!("{length} values for {n} customers")).column(name);
                problems.push(problem.remedy("Give one value a customer, in the order of the assignment"));
            }
        }
        let columns: Vec<&Vec<f64>> = self.columns.iter().chain(self.baskets.iter().map(|cell| &cell.baskets)).collect();
        // All of a column at once, which is faster than to stop in its middle.
        let odd = columns.par_iter().find_first(|column| !column.iter().fold(true, |all, value| all & value.is_finite()));
        if let Some(value) = odd.and_then(|column| column.iter().find(|value| !value.is_finite())) {
            let problem = Problem::new(Input::Cells, Fault::NotFinite, "a cell is NaN or infinite").value(value);
            problems.push(problem.remedy("Check the amounts of the lines, and how they are summed"));
        }
        problems.finish()
    }

    /// The name and length of everything that has one value a customer.
    fn lengths(&self) -> Vec<(String, usize)> {
        let width = self.amounts.len().max(1);
        let mut lengths: Vec<_> = self.columns.iter().enumerate().map(|(i, c)| (format!("atom {}, amount {}", i / width, i % width), c.len())).collect();
        lengths.extend(self.baskets.iter().map(|b| (format!("baskets:{}.{}", b.role.map_or("any", Role::name), b.period), b.baskets.len())));
        lengths.push(("seen".to_owned(), self.seen.len()));
        lengths.extend(self.redemptions.iter().map(|r| ("redemptions".to_owned(), r.len())));
        let on_sale = self.facts.baseline_on_sale.iter().flatten().flat_map(|(_, amounts)| amounts);
        lengths.extend(on_sale.map(|column| ("baseline_on_sale".to_owned(), column.len())));
        lengths
    }

    /// Adds the cells of another part of the same ledger: same partition, assignment and amounts, disjoint lines, and no basket in both.
    ///
    /// # Errors
    /// When the two tables do not have the same shape.
    pub fn merge(mut self, other: Self) -> Result<Self> {
        let same = self.customers == other.customers && self.atoms == other.atoms && self.amounts == other.amounts && self.spans == other.spans;
        if !same || self.baskets.len() != other.baskets.len() {
            let problem = Problem::new(Input::Cells, Fault::Contradiction, "the two tables have different customers, atoms or amounts");
            return Err(problem.remedy("Merge only cells made with one partition, one assignment and the same amounts").into());
        }
        let add = |a: &mut Vec<f64>, b: &Vec<f64>| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        self.columns.iter_mut().zip(&other.columns).for_each(|(a, b)| add(a, b));
        self.baskets.iter_mut().zip(&other.baskets).for_each(|(a, b)| add(&mut a.baskets, &b.baskets));
        self.seen.iter_mut().zip(&other.seen).for_each(|(a, b)| *a |= b);
        self.redemptions = match (self.redemptions, other.redemptions) {
            // The log is whole in each part.
            (Some(a), Some(_)) if self.facts.logged_redemptions => Some(a),
            (Some(a), Some(b)) => Some(a.iter().zip(&b).map(|(a, b)| a + b).collect()),
            _ => None,
        };
        self.facts.lines = match (self.facts.lines, other.facts.lines) {
            (Some(a), Some(b)) => Some(a.plus(b)),
            _ => None,
        };
        self.facts.oddities = match (self.facts.oddities, other.facts.oddities) {
            (Some(a), Some(b)) => Some(a.merge(b)),
            _ => None,
        };
        if let (Some(a), Some(b)) = (&mut self.facts.baseline_on_sale, &other.facts.baseline_on_sale) {
            a.iter_mut().zip(b).for_each(|((_, a), (_, b))| a.iter_mut().zip(b).for_each(|(a, b)| add(a, b)));
        }
        for (column, nulls) in other.facts.null_discounts {
            match self.facts.null_discounts.iter_mut().find(|(known, _)| *known == column) {
                Some((_, count)) => *count += nulls,
                None => self.facts.null_discounts.push((column, nulls)),
            }
        }
        Ok(self)
    }
}

impl LineCounts {
    pub(crate) fn plus(self, b: Self) -> Self {
        Self {
            read: self.read + b.read,
            used: self.used + b.used,
            outside_assignment: self.outside_assignment + b.outside_assignment,
            outside_windows: self.outside_windows + b.outside_windows,
            without_product_row: self.without_product_row + b.without_product_row,
            without_category: self.without_category + b.without_category,
            zero_quantity: self.zero_quantity + b.zero_quantity,
            returns: self.returns + b.returns,
            negative_price: self.negative_price + b.negative_price,
            without_cost: self.without_cost + b.without_cost,
        }
    }
}
