//! The table customer x atom x amount, and what it takes to make one.
//!
//! An *atom* is product class x span of days x line flags. Roles, periods, halves of the baseline, marked-down and full-price parts, a
//! supplier's own products are all unions of atoms; an *amount* is a number every line has. Any [`CellSource`] can make the table.

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::ledger::{Oddities, Unmet};
use crate::study::{Assignment, DaySpan, Ids, Period, Where};

/// The role of a product in the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// On offer.
    Focal,
    /// Of the same need as a focal product.
    Substitute,
    /// Everything else, unlisted products too.
    Other,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Focal, Self::Substitute, Self::Other];

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Focal => "focal",
            Self::Substitute => "substitute",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A class of products that no form ever tells apart: a role, and the supplier where it has a bridge of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProductClass {
    /// The role.
    pub role: Role,
    /// Index into the promotion's suppliers.
    pub supplier: Option<u16>,
}

/// A span of days within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The period it belongs to.
    pub period: Period,
    /// The half of the baseline, 1 or 2.
    pub half: Option<u8>,
    /// The week of the period, counted from 1, where the partition is by week.
    pub week: Option<u32>,
    /// The days.
    pub days: DaySpan,
}

impl Span {
    /// The name: the period, with the half or the week behind it.
    #[must_use]
    pub fn name(&self) -> String {
        let period = self.period.name();
        match (self.half, self.week) {
            (Some(half), _) => format!("{period}{half}"),
            (None, Some(week)) => format!("{period}_week{week}"),
            (None, None) => period.to_owned(),
        }
    }
}

/// One atom of the partition of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Atom {
    /// The product class.
    pub class: ProductClass,
    /// Index into the partition's spans.
    pub span: usize,
    /// The period of the span.
    pub period: Period,
    /// Whether the line is on a general sale; `None` where that is not told apart.
    pub marked_down: Option<bool>,
    /// Whether it is an offer line; `None` where that is not told apart.
    pub offer: Option<bool>,
}

impl Atom {
    /// The name in frames of cells made elsewhere: role, supplier, span and flags, as `focal@Danone.promotion.full_price.offer`.
    #[must_use]
    pub fn name(&self, partition: &Partition) -> String {
        let mut name = self.class.role.name().to_owned();
        if let Some(supplier) = self.class.supplier.and_then(|s| partition.suppliers.get(usize::from(s))) {
            name.push('@');
            name.push_str(supplier);
        }
        let span = partition.spans.get(self.span).map(Span::name).unwrap_or_default();
        let flags = [(self.marked_down, ["full_price", "marked_down"]), (self.offer, ["no_offer", "offer"])];
        let flags = flags.into_iter().filter_map(|(flag, names)| flag.map(|f| names[usize::from(f)]));
        [name, span].into_iter().chain(flags.map(str::to_owned)).collect::<Vec<_>>().join(".")
    }
}

/// How offer lines are told apart.
#[derive(Debug, Clone, PartialEq)]
pub enum OfferRule {
    /// They are not.
    None,
    /// A focal line of the promotion window with one of these discounts.
    Discounts(Vec<String>),
    /// A focal line of the promotion window of a target customer.
    Target,
    /// A focal line of the promotion window that the log names: customer (index into the assignment), day, product (index), quantity.
    Log(Vec<LoggedRedemption>),
}

/// A redemption of an assigned customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoggedRedemption {
    /// Index into the assignment.
    pub customer: u32,
    /// Days since 1970-01-01.
    pub day: i32,
    /// Index into the partition's products; `None`: any.
    pub product: Option<u32>,
}

/// How lines on a general sale are told apart.
#[derive(Debug, Clone, PartialEq)]
pub enum MarkdownRule {
    /// They are not.
    None,
    /// By the ledger's flag.
    Flag,
    /// By the calendar: for each of the partition's products its days on sale.
    Calendar(Vec<Vec<SaleDays>>),
}

/// Days on which a product is on sale, everywhere or in one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleDays {
    /// The days.
    pub days: DaySpan,
    /// The store, as text.
    pub store: Option<String>,
}

/// How every line falls into exactly one atom. [`Study::plan`](crate::study::Study::plan) makes it: at most 256 classes and 8 spans. That of
/// [`Study::weekly`](crate::study::Study::weekly) has a span a week, at most 254, and wants no baskets.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    pub(crate) products: Ids,
    /// How many products the product table lists.
    pub(crate) listed: usize,
    pub(crate) class_of_product: Vec<u8>,
    /// Which products have no category.
    pub(crate) without_category: Vec<bool>,
    pub(crate) classes: Vec<ProductClass>,
    pub(crate) suppliers: Vec<String>,
    pub(crate) spans: Vec<Span>,
    pub(crate) offer: OfferRule,
    pub(crate) markdown: MarkdownRule,
    /// Whether baskets are counted.
    pub(crate) baskets: bool,
}

impl Partition {
    /// Products with a class of their own, listed ones first; all others are in the first class.
    #[must_use]
    pub const fn products(&self) -> &Ids {
        &self.products
    }

    /// The class of each product, an index into [`Partition::classes`].
    #[must_use]
    pub fn class_of_product(&self) -> &[u8] {
        &self.class_of_product
    }

    /// The classes; the first is that of unlisted products: other, no supplier.
    #[must_use]
    pub fn classes(&self) -> &[ProductClass] {
        &self.classes
    }

    /// The declared suppliers that classes refer to.
    #[must_use]
    pub fn suppliers(&self) -> &[String] {
        &self.suppliers
    }

    /// The spans, in the order of time, not overlapping.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// How offer lines are told apart.
    #[must_use]
    pub const fn offer(&self) -> &OfferRule {
        &self.offer
    }

    /// How lines on a general sale are told apart.
    #[must_use]
    pub const fn markdown(&self) -> &MarkdownRule {
        &self.markdown
    }

    /// Whether baskets are counted: with up to 8 spans, not by week.
    #[must_use]
    pub const fn baskets(&self) -> bool {
        self.baskets
    }

    /// Values of the product table by product of the partition, NaN where unknown.
    pub(crate) fn by_product(&self, values: &[Option<f64>]) -> Vec<f64> {
        (0..self.products.len()).map(|index| values.get(index).copied().flatten().unwrap_or(f64::NAN)).collect()
    }

    /// The atoms in the order of the cell table: class, span, marked down, offer.
    #[must_use]
    pub fn atoms(&self) -> Vec<Atom> {
        let mut atoms = Vec::new();
        for class in &self.classes {
            for (index, span) in self.spans.iter().enumerate() {
                let splits = self.splits(*class, span);
                for marked_down in options(splits.marked_down) {
                    for offer in options(splits.offer) {
                        atoms.push(Atom { class: *class, span: index, period: span.period, marked_down, offer });
                    }
                }
            }
        }
        atoms
    }

    /// The first atom of each class and span, class-major.
    pub(crate) fn first_atoms(&self) -> Vec<u16> {
        let mut first = Vec::new();
        let mut next = 0;
        for class in &self.classes {
            for span in &self.spans {
                first.push(next);
                let splits = self.splits(*class, span);
                next += (1 + u16::from(splits.marked_down)) * (1 + u16::from(splits.offer));
            }
        }
        first
    }

    /// Which flags are told apart in a class and span.
    pub(crate) fn splits(&self, class: ProductClass, span: &Span) -> Splits {
        let promotion = span.period == Period::Promotion;
        Splits { marked_down: promotion && self.markdown != MarkdownRule::None, offer: promotion && class.role == Role::Focal && self.offer != OfferRule::None }
    }
}

/// Which flags are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Splits {
    pub(crate) marked_down: bool,
    pub(crate) offer: bool,
}

fn options(split: bool) -> Vec<Option<bool>> {
    if split { vec![Some(false), Some(true)] } else { vec![None] }
}

/// An amount: a number of every line, by name and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct AmountSpec {
    /// The name.
    pub name: String,
    /// Where it comes from.
    pub source: AmountSource,
}

impl AmountSpec {
    /// What a line lacks where the amount is not known of it, `None` where it is always known.
    pub(crate) fn lack(&self) -> Option<Lack> {
        match &self.source {
            AmountSource::Cost { otherwise: None, .. } => Some(Lack::Cost),
            AmountSource::Column { ex_vat: true, .. } => Some(Lack::Vat),
            AmountSource::Cost { ex_vat, .. } if !ex_vat.is_empty() => Some(Lack::Vat),
            _ => None,
        }
    }
}

/// What a line can lack for an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// A unit cost, where no margin rate is given.
    Cost,
    /// A VAT rate.
    Vat,
}

/// Where an amount comes from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AmountSource {
    /// A numeric column of the lines.
    Column {
        /// The column.
        column: String,
        /// Divide by 1 + the VAT rate of the line or product.
        ex_vat: bool,
        /// Count it only on lines that meet the condition.
        condition: Option<Where>,
    },
    /// Quantity times the unit cost of the line or else of the product, where known; else `sum of factor x column`.
    Cost {
        /// Unit cost by product of the partition, NaN where unknown.
        unit_cost: Vec<f64>,
        /// `(1 - margin rate) x shelf value` as factors of columns; `None`: no rate is given, an unknown cost is an error.
        otherwise: Option<Vec<(String, f64)>>,
        /// Divide the columns by 1 + the VAT rate of the line or product.
        ex_vat: Vec<String>,
    },
    /// Quantity times a number of the product.
    PerUnit {
        /// By product of the partition; 0 for unlisted products.
        value: Vec<f64>,
    },
}

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

/// The cells that one study asks of a source.
#[derive(Debug, Clone, Copy)]
pub struct CellRequest<'a> {
    /// How lines fall into atoms.
    pub partition: &'a Partition,
    /// Who is in which arm.
    pub assignment: &'a Assignment,
    /// What is summed.
    pub amounts: &'a [AmountSpec],
}

impl CellRequest<'_> {
    /// About how many bytes its [`CellTable`] takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let columns = self.partition.atoms().len() * self.amounts.len() + if self.partition.baskets { 4 * self.partition.spans.len() } else { 0 };
        (8 * columns as u64 + 8) * self.assignment.len() as u64
    }
}

/// Anything that can sum lines into cells: a ledger in memory, batches of lines, cells summed in a warehouse.
pub trait CellSource {
    /// What the source knows before any cell is made.
    fn catalogue(&self) -> Catalogue<'_>;

    /// Makes the cells.
    ///
    /// # Errors
    /// Where the lines cannot be summed: ids that do not meet, a flag that differs within a product and day, an unknown cost.
    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<CellTable>;

    /// Makes the cells of several requests, in order. As by default one after another; a source that is slow to read makes all of them in one pass.
    fn cells_of_several(&self, requests: &[CellRequest<'_>]) -> Vec<Result<CellTable>> {
        requests.iter().map(|request| self.cells(request.partition, request.assignment, request.amounts)).collect()
    }

    /// How many bytes of cells are better made in one go than one table after another; `None`, as by default, where that saves nothing.
    fn bytes_at_once(&self) -> Option<u64> {
        None
    }

    /// Looks for ids that meet no line as they are written, once the cells are made; `None`, as by default, where the source cannot tell.
    ///
    /// # Errors
    /// Where the lines cannot be read.
    fn unmet(&self, _partition: &Partition, _assignment: &Assignment, _cells: &CellTable) -> Result<Option<Unmet>> {
        Ok(None)
    }
}

/// What a source knows before any cell is made: enough to plan the partition and the amounts.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one optional column is there")]
pub struct Catalogue<'a> {
    /// The product table.
    pub products: &'a crate::ledger::ProductTable,
    /// The days the ledger covers.
    pub days: DaySpan,
    /// Numeric columns of the lines.
    pub numbers: Vec<&'a str>,
    /// Text columns of the lines, for conditions.
    pub texts: Vec<&'a str>,
    /// The user's measures made from expressions.
    pub user_measures: &'a [String],
    /// Whether lines carry a unit cost.
    pub line_cost: bool,
    /// Whether lines carry a VAT rate.
    pub line_vat: bool,
    /// Whether lines carry a store.
    pub store: bool,
    /// Whether lines carry the sale flag.
    pub flag: bool,
    /// Whether baskets can be counted (a basket column, or the customer's day and store).
    pub baskets: bool,
}
