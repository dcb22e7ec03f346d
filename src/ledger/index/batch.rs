//! Lines of some customers with their columns as plain numbers, for amounts that must be worked out line by line.

use super::LedgerIndex;
use super::segment::Segment;
use crate::cells::AmountSource;
use crate::error::Result;
use crate::ledger::amounts::{AmountPlan, LineColumns, LineOrProduct};
use crate::ledger::matching::Hit;
use crate::study::Where;

/// Lines of one segment. The row of a hit is its place here.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) hits: Vec<Hit>,
    /// Where each line stands in the segment.
    pub(super) at: Vec<u32>,
}

impl Batch {
    /// Adds a line.
    #[inline]
    pub(super) fn push(&mut self, at: usize, customer: u32, product: u32, atom: u16) {
        self.hits.push(Hit { customer, row: self.at.len() as u32, product, atom, span: 0, offer: false });
        self.at.push(at as u32);
    }

    pub(super) fn clear(&mut self) {
        self.hits.clear();
        self.at.clear();
    }

    /// Puts the lines of each customer in the order of rows, so that sums of real numbers are those of the ledger to the bit.
    pub(super) fn in_row_order(&mut self, segment: &Segment) {
        let place = |hit: &Hit| (hit.customer, segment.rows[self.at[hit.row as usize] as usize]);
        if self.hits.is_sorted_by_key(place) {
            return;
        }
        self.hits.sort_unstable_by_key(place);
        self.at = self.hits.iter().map(|hit| self.at[hit.row as usize]).collect();
        self.hits.iter_mut().zip(0..).for_each(|(hit, row)| hit.row = row);
    }

    /// The columns that these amounts are made of.
    pub(super) fn columns<'s>(&'s self, index: &'s LedgerIndex, segment: &'s Segment, wanted: &Wanted) -> Columns<'s> {
        let restored = |numbers: &super::columns::Numbers| self.at.iter().map(|at| numbers.get(*at as usize)).collect::<Vec<f64>>();
        let numbers = segment.numbers.iter().zip(&wanted.numbers).map(|(numbers, wanted)| if *wanted { restored(numbers) } else { Vec::new() }).collect();
        let unit_cost = segment.unit_cost.as_ref().filter(|_| wanted.unit_cost).map(restored);
        let vat = segment.vat.as_ref().filter(|_| wanted.vat).map(restored);
        Columns { index, segment, batch: self, numbers, unit_cost, vat }
    }
}

/// Which columns some amounts are made of.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    numbers: Vec<bool>,
    unit_cost: bool,
    vat: bool,
}

impl Wanted {
    pub(super) fn new<'p>(index: &LedgerIndex, plan: impl Iterator<Item = &'p AmountPlan<'p>>) -> Result<Self> {
        let mut wanted = Self { numbers: vec![false; index.kept.numbers.len()], unit_cost: false, vat: false };
        for plan in plan {
            let columns: Vec<&str> = match plan.source {
                AmountSource::Column { column, .. } => vec![column],
                AmountSource::Cost { otherwise, .. } => {
                    wanted.unit_cost = true;
                    otherwise.iter().flatten().map(|(column, _)| column.as_str()).chain(["quantity"]).collect()
                }
                AmountSource::PerUnit { .. } => vec!["quantity"],
            };
            wanted.vat |= plan.ex_vat;
            for column in columns {
                wanted.numbers[index.number(column)?] = true;
            }
        }
        Ok(wanted)
    }
}

/// The columns of a batch.
pub(super) struct Columns<'s> {
    index: &'s LedgerIndex,
    segment: &'s Segment,
    batch: &'s Batch,
    /// By kept number, empty where not wanted.
    numbers: Vec<Vec<f64>>,
    unit_cost: Option<Vec<f64>>,
    vat: Option<Vec<f64>>,
}

impl Columns<'_> {
    /// The unit cost of each line, where one of the amounts is a cost.
    pub(super) fn cost_or_product<'p>(&'p self, plan: &'p [AmountPlan<'_>]) -> Option<LineOrProduct<'p>> {
        plan.iter().find_map(|plan| match plan.source {
            AmountSource::Cost { unit_cost, .. } => Some(LineOrProduct { line: self.unit_cost.as_deref(), product: unit_cost }),
            _ => None,
        })
    }

    /// The VAT rate of each line, where one of the amounts is taken out of VAT line by line.
    pub(super) fn vat_or_product<'p>(&'p self, plan: &'p [AmountPlan<'_>]) -> Option<LineOrProduct<'p>> {
        plan.iter().find(|plan| plan.ex_vat).map(|plan| LineOrProduct { line: self.vat.as_deref(), product: &plan.vat })
    }
}

impl<'s> LineColumns<'s> for &'s Columns<'_> {
    fn number(&self, name: &str) -> Result<&'s [f64]> {
        Ok(&self.numbers[self.index.number(name)?])
    }

    fn unit_cost(&self) -> Result<Option<&'s [f64]>> {
        Ok(self.unit_cost.as_deref())
    }

    fn vat(&self) -> Result<Option<&'s [f64]>> {
        Ok(self.vat.as_deref())
    }

    fn meeting(&self, condition: &Where) -> Result<Vec<bool>> {
        let column = self.index.text(&condition.column)?;
        let dictionary = &self.index.texts[column];
        let holds: Vec<bool> = (0..dictionary.len() as u32).map(|code| dictionary.text(code).is_some_and(|text| condition.holds(&text))).collect();
        Ok(self.batch.at.iter().map(|at| holds[self.segment.texts[column][*at as usize] as usize]).collect())
    }
}
