//! The product table: one row a product, with what selections and suppliers ask of it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use polars::prelude::*;

use super::Columns;
use super::Texts;
use super::frames::{self, IdColumn, collect, column, null_problem};
use super::scan::unusable;
use crate::error::{Fault, Input, Problem, Result};
use crate::study::Ids;

/// What is known of products. Products that are sold but not listed belong to no category.
#[derive(Debug, Clone, Default)]
pub struct ProductTable {
    pub(crate) ids: Ids,
    /// Other columns, by promolift's names where it has one, one row an id.
    frame: DataFrame,
    /// Rows that repeated an earlier product with the same category.
    pub(crate) repeated: usize,
    /// The other columns as texts, each made when it is first asked for: promotions ask for the same few again and again.
    texts: BTreeMap<String, OnceLock<Arc<Texts>>>,
}

impl ProductTable {
    /// Reads the product table; a product listed twice with the same category is counted, with two categories it is an error.
    ///
    /// # Errors
    /// A missing or null `product`, an unusable type, two categories for one product.
    pub fn from_frame(products: impl IntoLazy, columns: &Columns) -> Result<Self> {
        let frame = collect(products.lazy())?;
        let ids_column = column(&frame, columns.name("product"), Input::Products)?;
        if let Some(problem) = null_problem(ids_column, Input::Products, "Leave out rows without a product") {
            return Err(problem.into());
        }
        let ids = IdColumn::new(ids_column, Input::Products)?.to_ids();
        if matches!(&ids, Ids::Integers(ids) if ids.contains(&i64::MIN)) {
            return Err(frames::least_id(ids_column.name(), Input::Products).into());
        }
        let (keep, repeated) = distinct(&ids, &frame, columns)?;
        let named = rename(&frame, columns)?;
        let (ids, frame) = if repeated == 0 { (ids, named) } else { (pick(&ids, &keep), named.take(&IdxCa::from_vec("keep".into(), keep))?) };
        Ok(Self::of_parts(ids, frame, repeated))
    }

    /// The table of its ids and other columns, which were checked before.
    pub(super) fn of_parts(ids: Ids, frame: DataFrame, repeated: usize) -> Self {
        let texts = frame.get_column_names().iter().map(|name| (name.to_string(), OnceLock::new())).collect();
        Self { ids, frame, repeated, texts }
    }

    /// The other columns.
    pub(super) fn columns(&self) -> &[Column] {
        self.frame.columns()
    }

    /// Makes the product table of plain lists, one value a product: `ids`, texts such as `category`, `supplier` and `brand`, numbers such as `unit_cost`
    /// and `supplier_unit_margin`, all by promolift's names. What is not known is `None`.
    ///
    /// ```
    /// use promolift::ledger::ProductTable;
    /// let category = [Some("meat"), Some("sauces"), None];
    /// let unit_cost = [Some(1.4), None, Some(0.5)];
    /// let table = ProductTable::from_lists(["veal", "ketchup", "bag"], &[("category", &category)], &[("unit_cost", &unit_cost)])?;
    /// assert_eq!(table.len(), 3);
    /// # Ok::<(), promolift::Error>(())
    /// ```
    ///
    /// # Errors
    /// A list of another length than `ids`; two lists of one name; two categories for one product.
    pub fn from_lists(ids: impl Into<Ids>, texts: &[(&str, &[Option<&str>])], numbers: &[(&str, &[Option<f64>])]) -> Result<Self> {
        let ids = match ids.into() {
            Ids::Integers(ids) => Column::new("product".into(), ids),
            Ids::Texts(ids) => Column::new("product".into(), ids),
        };
        let height = ids.len();
        let texts = texts.iter().map(|(name, values)| Column::new((*name).into(), *values));
        let numbers = numbers.iter().map(|(name, values)| Column::new((*name).into(), *values));
        let lists: Vec<Column> = [ids].into_iter().chain(texts).chain(numbers).collect();
        if let Some(column) = lists.iter().find(|column| column.len() != height) {
            let problem = Problem::new(Input::Products, Fault::Contradiction, format!("{} values for {height} products", column.len()));
            return Err(problem.column(column.name().as_str()).remedy("Give one value a product, None where it is not known").into());
        }
        Self::from_frame(DataFrame::new(height, lists)?, &Columns::default())
    }

    /// An empty table: every product is unlisted.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// How many products it lists.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether it lists none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether it has a column.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.frame.column(name).is_ok()
    }

    /// A column as texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Arc<Texts>> {
        let made = || Ok(Arc::new(Texts::new(&frames::texts(column(&self.frame, name, Input::Products)?)?)));
        match self.texts.get(name) {
            Some(kept) => match kept.get() {
                Some(texts) => Ok(Arc::clone(texts)),
                None => made().map(|texts| Arc::clone(kept.get_or_init(|| texts))),
            },
            None => made(),
        }
    }

    /// A column of numbers; a null is `None`, NaN, infinity and what is too large an error.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<Option<f64>>> {
        let values = frames::numbers(column(&self.frame, name, Input::Products)?, Input::Products)?;
        let values: Vec<Option<f64>> = values.iter().collect();
        match unusable(|| values.iter().copied(), name, Input::Products, "Write the number, or leave it empty") {
            None => Ok(values),
            Some(problem) => Err(problem.into()),
        }
    }
}

/// For each row the first row with the same key.
fn first_rows<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>) -> Vec<u32> {
    let mut seen = HashMap::new();
    keys.zip(0_u32..).map(|(key, row)| *seen.entry(key).or_insert(row)).collect()
}

/// The rows to keep: the first of each product. Two categories for one product are an error.
fn distinct(ids: &Ids, frame: &DataFrame, columns: &Columns) -> Result<(Vec<IdxSize>, usize)> {
    let categories = match frame.column(columns.name("category")) {
        Ok(column) => Some(frames::texts(column)?),
        Err(_) => None,
    };
    let first = match ids {
        Ids::Integers(ids) => first_rows(ids.iter()),
        Ids::Texts(ids) => first_rows(ids.iter()),
    };
    let again = || first.iter().zip(0_u32..).filter(|(first, row)| **first != *row);
    if let Some(categories) = categories {
        let mut differing = again().filter(|(first, row)| categories.get(**first as usize) != categories.get(*row as usize));
        if let Some((_, row)) = differing.next() {
            return Err(Problem::new(Input::Products, Fault::TwoCategories, "a product is listed with two categories")
                .column(columns.name("product"))
                .first(row as usize)
                .value(ids.text(row as usize))
                .count(1 + differing.count())
                .remedy("Keep one row a product")
                .into());
        }
    }
    let repeated = again().count();
    let keep = first.iter().zip(0_u32..).filter(|(first, row)| **first == *row).map(|(_, row)| IdxSize::from(row)).collect();
    Ok((keep, repeated))
}

fn pick(ids: &Ids, keep: &[IdxSize]) -> Ids {
    match ids {
        Ids::Integers(ids) => Ids::Integers(keep.iter().map(|&row| ids[row as usize]).collect()),
        Ids::Texts(ids) => Ids::Texts(keep.iter().map(|&row| ids[row as usize].clone()).collect()),
    }
}

/// Columns by promolift's names: a mapped column wins over one that happens to have the name.
fn rename(frame: &DataFrame, columns: &Columns) -> Result<DataFrame> {
    let mut named = frame.clone();
    for (name, in_frame) in columns.renamed() {
        if name != in_frame && frame.column(in_frame).is_ok() {
            if named.column(name).is_ok() {
                named = named.drop(name)?;
            }
            let copy = frame.column(in_frame)?.clone().with_name(name.as_str().into());
            named.with_column(copy)?;
        }
    }
    if let Some(vat) = columns.vat_column()
        && let Ok(found) = frame.column(columns.name(vat))
    {
        named.with_column(found.clone().with_name("vat".into()))?;
    }
    Ok(named)
}
