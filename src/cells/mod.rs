//! The table customer x atom x amount, and what it takes to make one.
//!
//! An *atom* is product class x span of days x line flags. Roles, periods, halves of the baseline, marked-down and full-price parts, a
//! supplier's own products are all unions of atoms; an *amount* is a number every line has. Any [`CellSource`] can make the table.

mod source;
mod table;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use source::{Catalogue, CellRequest, CellSource};
pub use table::{BasketCell, CellTable, Facts, LineCounts};

use crate::study::{DaySpan, Ids, Period, Where};

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
