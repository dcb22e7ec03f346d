//! Cells computed elsewhere: a warehouse sums the lines, promolift does the rest.
//!
//! A [`Warehouse`] says what the remote tables look like. [`Warehouse::sql`] gives the SQL text that makes a customer-level frame of cells for a
//! study (with the small tables it refers to), [`Warehouse::cells`] takes such a frame, wherever it was made, as a source to measure:
//!
//! ```no_run
//! # fn main() -> promolift::Result<()> {
//! # let (study, products, answer): (promolift::study::Study, promolift::polars::prelude::DataFrame, promolift::polars::prelude::DataFrame) = todo!();
//! # let year: promolift::study::DaySpan = todo!();
//! use promolift::elsewhere::Warehouse;
//!
//! let warehouse = Warehouse::new(products, year, &study.promotion.columns())?.with_column("basket");
//! let plan = warehouse.sql(&study)?;                 // run plan.text there, with plan.tables uploaded
//! let result = study.measure(&warehouse.cells(answer)?)?;
//! # Ok(()) }
//! ```
//!
//! What only the lines can tell is absent then, with its reason: counts of lines outside the windows, the share of product-days on sale.

mod frame;
mod sql;

pub use frame::CellFrame;
pub use sql::{SqlPlan, SqlTable};

use polars::prelude::IntoLazy;

use crate::cells::Catalogue;
use crate::error::Result;
use crate::ledger::{Columns, ProductTable};
use crate::study::DaySpan;

/// What the tables of a warehouse look like.
#[derive(Debug, Clone)]
pub struct Warehouse {
    products: ProductTable,
    days: DaySpan,
    columns: Columns,
    numbers: Vec<String>,
    optional: Vec<String>,
    lines: String,
    assignments: String,
}

impl Warehouse {
    /// A warehouse whose lines cover `days`, with the columns that `columns` names; its tables are called `transactions` and `assignments`.
    ///
    /// # Errors
    /// As the product table's: a missing or null `product`, two categories for one product.
    pub fn new(products: impl IntoLazy, days: DaySpan, columns: &Columns) -> Result<Self> {
        let kept = columns.discounts().iter().chain(columns.numbers()).cloned();
        let numbers = ["quantity", "net_sales"].into_iter().map(str::to_owned).chain(kept).collect();
        Ok(Self {
            products: ProductTable::from_frame(products, columns)?,
            days,
            columns: columns.clone(),
            numbers,
            optional: Vec::new(),
            lines: "transactions".into(),
            assignments: "assignments".into(),
        })
    }

    /// Says that the lines have an optional column: `basket`, `store` or `unit_cost`.
    #[must_use]
    pub fn with_column(mut self, name: &str) -> Self {
        self.optional.push(name.to_owned());
        self
    }

    /// Names the tables of lines and of assignments.
    #[must_use]
    pub fn with_tables(mut self, lines: impl Into<String>, assignments: impl Into<String>) -> Self {
        self.lines = lines.into();
        self.assignments = assignments.into();
        self
    }

    fn has(&self, name: &str) -> bool {
        self.optional.iter().any(|o| o == name)
    }

    fn catalogue(&self) -> Catalogue<'_> {
        Catalogue {
            products: &self.products,
            days: self.days,
            numbers: self.numbers.iter().map(String::as_str).collect(),
            texts: self.columns.texts().iter().map(String::as_str).collect(),
            user_measures: &[],
            line_cost: self.has("unit_cost"),
            line_vat: false,
            flag: self.columns.flag_column().is_some(),
            baskets: true,
        }
    }
}
