//! What can make a table of cells.

use super::{AmountSpec, CellTable, Partition};
use crate::error::Result;
use crate::ledger::{ProductTable, Unmet};
use crate::study::{Assignment, DaySpan};

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
    pub products: &'a ProductTable,
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
