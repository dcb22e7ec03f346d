//! What a ledger knows besides its lines: which columns there are, the product table, the days.

use super::ProductTable;
use super::columns::did_you_mean;
use crate::cells::Catalogue;
use crate::study::DaySpan;

/// What a ledger knows besides its lines.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) numbers: Vec<Number>,
    pub(crate) texts: Vec<String>,
    pub(crate) has: Has,
    pub(crate) products: ProductTable,
    pub(crate) days: DaySpan,
    pub(crate) user_measures: Vec<String>,
}

/// A numeric column of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) name: String,
    /// What the frame calls it.
    pub(crate) in_frame: String,
    /// Nulls that were taken as 0.
    pub(crate) nulls: usize,
}

/// Which optional columns there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one optional column is there")]
pub(crate) struct Has {
    pub(crate) basket: bool,
    pub(crate) store: bool,
    pub(crate) unit_cost: bool,
    pub(crate) flag: bool,
    pub(crate) vat: bool,
}

impl Kept {
    /// A numeric column, if it was kept.
    pub(crate) fn number(&self, name: &str) -> Option<&Number> {
        self.numbers.iter().find(|n| n.name == name)
    }

    /// A hint at the nearest numeric column that was kept.
    pub(crate) fn number_hint(&self, name: &str) -> String {
        did_you_mean(name, self.numbers.iter().map(|n| n.name.as_str()))
    }

    /// Nulls that were taken as 0, by column.
    pub(crate) fn null_discounts(&self) -> Vec<(String, usize)> {
        self.numbers.iter().filter(|n| n.nulls > 0).map(|n| (n.name.clone(), n.nulls)).collect()
    }

    /// What is known before any cell is made.
    pub(crate) fn catalogue(&self) -> Catalogue<'_> {
        Catalogue {
            products: &self.products,
            days: self.days,
            numbers: self.numbers.iter().map(|n| n.name.as_str()).collect(),
            texts: self.texts.iter().map(String::as_str).collect(),
            user_measures: &self.user_measures,
            line_cost: self.has.unit_cost,
            line_vat: self.has.vat,
            store: self.has.store,
            flag: self.has.flag,
            baskets: true,
        }
    }
}
