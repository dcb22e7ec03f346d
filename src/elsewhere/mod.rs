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
//! let warehouse = Warehouse::new(products, year, &study.promotion.columns())?.with_basket();
//! let plan = warehouse.sql(&study)?;                 // run plan.text there, with plan.tables uploaded
//! let result = study.measure(&warehouse.cells(answer)?)?;
//! # Ok(()) }
//! ```
//!
//! The SQL is written for DuckDB and `PostgreSQL`. A `day` with a time counts as its day, in the time zone of the session where it has one. `PostgreSQL`
//! cuts names at 63 bytes: suppliers with long names need short ones there.
//!
//! What only the lines can tell is absent then, with its reason: counts of lines outside the windows, the share of product-days on sale. The weekly curve
//! ([`Study::weekly`](crate::study::Study::weekly)) needs the lines.

mod frame;
mod sql;

pub use frame::CellFrame;
pub use sql::{SqlPlan, SqlTable};

use polars::prelude::IntoLazy;

use crate::cells::Catalogue;
use crate::error::{Fault, Input, Problem, Result};
use crate::ledger::{Columns, ProductTable};
use crate::study::DaySpan;

/// What the tables of a warehouse look like.
#[derive(Debug, Clone)]
pub struct Warehouse {
    products: ProductTable,
    days: DaySpan,
    columns: Columns,
    numbers: Vec<String>,
    basket: bool,
    store: bool,
    unit_cost: bool,
    lines: String,
}

impl Warehouse {
    /// A warehouse whose lines cover `days`, with the columns that `columns` names; the table of lines is called `transactions`.
    ///
    /// # Errors
    /// As the product table's: a missing or null `product`, two categories for one product. Measures made of expressions, which are not SQL.
    pub fn new(products: impl IntoLazy, days: DaySpan, columns: &Columns) -> Result<Self> {
        if let Some((name, _)) = columns.expressions().first() {
            let problem = Problem::new(Input::Transactions, Fault::Unsupported, "a measure made of an expression cannot be summed elsewhere").column(name);
            let problem = problem.count(columns.expressions().len());
            return Err(problem.remedy("Make it a column of the lines there, and declare it among the promotion's measures").into());
        }
        let kept = columns.discounts().iter().chain(columns.numbers()).cloned();
        let numbers = ["quantity", "net_sales"].into_iter().map(str::to_owned).chain(kept).collect();
        Ok(Self {
            products: ProductTable::from_frame(products, columns)?,
            days,
            columns: columns.clone(),
            numbers,
            basket: false,
            store: false,
            unit_cost: false,
            lines: "transactions".into(),
        })
    }

    /// Says that the lines have a `basket`.
    #[must_use]
    pub fn with_basket(mut self) -> Self {
        self.basket = true;
        self
    }

    /// Says that the lines have a `store`.
    #[must_use]
    pub fn with_store(mut self) -> Self {
        self.store = true;
        self
    }

    /// Says that the lines have a `unit_cost`.
    #[must_use]
    pub fn with_unit_cost(mut self) -> Self {
        self.unit_cost = true;
        self
    }

    /// Names the table of lines, as the SQL text is to write it: with its schema, quoted where that is needed.
    #[must_use]
    pub fn with_lines(mut self, table: impl Into<String>) -> Self {
        self.lines = table.into();
        self
    }

    fn catalogue(&self) -> Catalogue<'_> {
        Catalogue {
            products: &self.products,
            days: self.days,
            numbers: self.numbers.iter().map(String::as_str).collect(),
            texts: self.columns.texts().iter().map(String::as_str).collect(),
            user_measures: &[],
            line_cost: self.unit_cost,
            line_vat: false,
            store: self.store,
            flag: self.columns.flag_column().is_some(),
            baskets: true,
        }
    }
}
