//! Which columns the ledger keeps, and what they are called.

use polars::prelude::Expr;

use crate::error::{nearest, short};
use crate::study::{Day, Markdown, Promotion, Selection};

/// promolift's own column names, in every input.
pub const NAMES: [&str; 15] = [
    "customer",
    "day",
    "product",
    "quantity",
    "net_sales",
    "basket",
    "store",
    "unit_cost",
    "vat",
    "category",
    "supplier",
    "brand",
    "supplier_unit_margin",
    "arm",
    "promotion",
];

/// Which columns of the frames the ledger keeps, by promolift's names and the frames' own.
///
/// `customer, day, product, quantity, net_sales` are required; `basket, store, unit_cost` are kept where they are.
/// What a promotion needs besides (its discounts, flags, measures) is named by [`Promotion::columns`].
///
/// ```
/// use promolift::ledger::Columns;
/// let columns = Columns::default().rename("day", "day_local").discount("coupon");
/// assert_eq!(columns.name("day"), "day_local");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Columns {
    renamed: Vec<(String, String)>,
    numbers: Vec<String>,
    discounts: Vec<String>,
    texts: Vec<String>,
    flag: Option<String>,
    vat: Option<String>,
    expressions: Vec<(String, Expr)>,
    first_day: Option<Day>,
    last_day: Option<Day>,
}

impl Columns {
    /// Says that promolift's `name` is called `in_frame` in the frames. It wins over a column that happens to have promolift's name.
    #[must_use]
    pub fn rename(mut self, name: impl Into<String>, in_frame: impl Into<String>) -> Self {
        let name = name.into();
        self.renamed.retain(|(known, _)| *known != name);
        self.renamed.push((name, in_frame.into()));
        self
    }

    /// Keeps a discount column of the transactions; amounts are positive, a null is no discount.
    #[must_use]
    pub fn discount(mut self, column: impl Into<String>) -> Self {
        push_new(&mut self.discounts, column.into());
        self
    }

    /// Keeps another numeric column of the transactions, for measures.
    #[must_use]
    pub fn number(mut self, column: impl Into<String>) -> Self {
        push_new(&mut self.numbers, column.into());
        self
    }

    /// Keeps the general-sale flag of the transactions.
    #[must_use]
    pub fn flag(mut self, column: impl Into<String>) -> Self {
        self.flag = Some(column.into());
        self
    }

    /// Keeps the VAT rate, a column of the products or the transactions.
    #[must_use]
    pub fn vat(mut self, column: impl Into<String>) -> Self {
        self.vat = Some(column.into());
        self
    }

    /// Adds a measure: a row-wise expression over the columns of the transactions, by their names in the frame.
    ///
    /// It is evaluated once, when the ledger is made; an expression that aggregates is refused there.
    #[must_use]
    pub fn measure(mut self, name: impl Into<String>, expression: Expr) -> Self {
        self.expressions.push((name.into(), expression));
        self
    }

    /// Says which days the ledger covers; else the first and last day found.
    #[must_use]
    pub fn days(mut self, first: Day, last: Day) -> Self {
        self.first_day = Some(first);
        self.last_day = Some(last);
        self
    }

    /// Says only on which day the ledger begins.
    #[must_use]
    pub fn first_day(mut self, first: Option<Day>) -> Self {
        self.first_day = first.or(self.first_day);
        self
    }

    /// Says only on which day the ledger ends.
    #[must_use]
    pub fn last_day(mut self, last: Option<Day>) -> Self {
        self.last_day = last.or(self.last_day);
        self
    }

    /// What `name` is called in the frames.
    #[must_use]
    pub fn name<'a>(&'a self, name: &'a str) -> &'a str {
        self.renamed.iter().find(|(known, _)| known == name).map_or(name, |(_, renamed)| renamed)
    }

    /// Whether `name` was mapped, so that it must be there.
    #[must_use]
    pub fn is_renamed(&self, name: &str) -> bool {
        self.renamed.iter().any(|(known, _)| known == name)
    }

    /// The mappings, promolift's name first.
    #[must_use]
    pub fn renamed(&self) -> &[(String, String)] {
        &self.renamed
    }

    pub(crate) fn discounts(&self) -> &[String] {
        &self.discounts
    }

    pub(crate) fn numbers(&self) -> &[String] {
        &self.numbers
    }

    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }

    pub(crate) fn flag_column(&self) -> Option<&str> {
        self.flag.as_deref()
    }

    pub(crate) fn vat_column(&self) -> Option<&str> {
        self.vat.as_deref()
    }

    pub(crate) fn expressions(&self) -> &[(String, Expr)] {
        &self.expressions
    }

    /// The names of the measures.
    pub(crate) fn measures(&self) -> Vec<String> {
        self.expressions.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn ledger_days(&self) -> (Option<Day>, Option<Day>) {
        (self.first_day, self.last_day)
    }
}

impl Promotion {
    /// The columns this promotion needs: its discounts, its sale flag, its VAT rate, the columns of its measures.
    #[must_use]
    pub fn columns(&self) -> Columns {
        self.columns_from(Columns::default())
    }

    /// The same, added to `columns` that already hold names or days.
    #[must_use]
    pub fn columns_from(&self, mut columns: Columns) -> Columns {
        for discount in &self.discounts {
            columns = columns.discount(&discount.column);
        }
        if let Some(Markdown::Column(flag)) = &self.markdown {
            columns = columns.flag(flag);
        }
        if let Some(vat) = &self.money.vat_column {
            columns = columns.vat(vat);
        }
        for measure in &self.measures {
            let known = ["quantity", "net_sales"].contains(&measure.column.as_str()) || columns.discounts.contains(&measure.column);
            if !known {
                columns = columns.number(&measure.column);
            }
            if let Some(condition) = &measure.condition {
                push_new(&mut columns.texts, condition.column.clone());
            }
        }
        columns
    }

    /// The columns of the product table this promotion needs.
    pub(crate) fn product_columns(&self) -> Vec<&str> {
        let mut needed = Vec::new();
        for selection in [&self.focal, &self.substitutes] {
            match selection {
                Selection::Category(_) => needed.push("category"),
                Selection::Where(condition) => needed.push(condition.column.as_str()),
                Selection::Same(column) => needed.push(column.as_str()),
                Selection::Products(_) | Selection::None => {}
            }
        }
        if !self.suppliers.is_empty() {
            needed.push("supplier");
        }
        needed
    }
}

/// A hint at the nearest of `known`.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|found| format!("Did you mean `{}`? ", short(found))).unwrap_or_default()
}

fn push_new(list: &mut Vec<String>, name: String) {
    if !list.contains(&name) {
        list.push(name);
    }
}
