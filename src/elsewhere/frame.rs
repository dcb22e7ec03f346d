//! A customer-level frame of cells as a source.

use hashbrown::HashMap;
use polars::prelude::{DataFrame, IntoLazy};

use super::Warehouse;
use crate::cells::{AmountSpec, BasketCell, Catalogue, CellSource, CellTable, Facts, Lack, OfferRule, Partition, Role};
use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::ledger::{IdColumn, collect, column, null_problem, numbers};
use crate::study::{Assignment, Ids, Period};

/// Cells that were summed elsewhere: one row a customer, a column an atom and amount, named as [`Warehouse::sql`] names them. Customers without a
/// row have no lines; rows of customers not assigned are passed over.
#[derive(Debug, Clone)]
pub struct CellFrame {
    warehouse: Warehouse,
    frame: DataFrame,
    customers: Ids,
}

impl Warehouse {
    /// Takes a frame of cells.
    ///
    /// # Errors
    /// A missing, null or repeated `customer`.
    pub fn cells(&self, frame: impl IntoLazy) -> Result<CellFrame> {
        let frame = collect(frame.lazy())?;
        let found = column(&frame, "customer", Input::Cells)?;
        if let Some(problem) = null_problem(found, Input::Cells, "Leave out rows without a customer") {
            return Err(problem.into());
        }
        let customers = IdColumn::new(found, Input::Cells)?.to_ids();
        if let Some(row) = rows(&customers).repeated {
            let problem = Problem::new(Input::Cells, Fault::DuplicateCustomer, "a customer has two rows").column("customer");
            return Err(problem.first(row).value(customers.text(row)).remedy("Sum them: one row a customer").into());
        }
        Ok(CellFrame { warehouse: self.clone(), frame, customers })
    }
}

/// The row of each customer, and the first row that repeats one.
struct Rows {
    of: HashMap<String, usize>,
    repeated: Option<usize>,
}

fn rows(ids: &Ids) -> Rows {
    let mut of = HashMap::with_capacity(ids.len());
    let mut repeated = None;
    for row in 0..ids.len() {
        if of.insert(ids.text(row), row).is_some() {
            repeated.get_or_insert(row);
        }
    }
    Rows { of, repeated }
}

impl CellSource for CellFrame {
    fn catalogue(&self) -> Catalogue<'_> {
        self.warehouse.catalogue()
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<CellTable> {
        if self.customers.kind() != assignment.customers.kind() {
            let text = format!("customer ids are {} here and {} in the assignment", self.customers.kind(), assignment.customers.kind());
            return Err(Problem::new(Input::Cells, Fault::IdTypes, text).column("customer").remedy("Cast one of the two").into());
        }
        if partition.spans.iter().any(|span| span.week.is_some()) {
            let problem = Problem::new(Input::Cells, Fault::Unsupported, "cells summed elsewhere are not summed by week");
            return Err(problem.remedy("Make the weekly curve from the lines, with a Ledger").into());
        }
        let of = rows(&self.customers).of;
        let place: Vec<Option<usize>> = (0..assignment.len()).map(|i| of.get(&assignment.customers.text(i)).copied()).collect();
        let mut problems = Problems::default();
        let atoms = partition.atoms();
        let mut columns = Vec::with_capacity(atoms.len() * amounts.len());
        for atom in &atoms {
            for amount in amounts {
                let name = format!("{}:{}", atom.name(partition), amount.name);
                columns.push(problems.take(self.values(&name, &place))?.unwrap_or_default());
            }
        }
        let mut baskets = Vec::new();
        for period in Period::ALL.into_iter().filter(|p| partition.spans.iter().any(|s| s.period == *p)) {
            for role in Role::ALL.into_iter().map(Some).chain([None]) {
                let name = format!("baskets:{}.{period}", role.map_or("any", Role::name));
                let values = problems.take(self.values(&name, &place))?.unwrap_or_default();
                baskets.push(BasketCell { role, period, baskets: values });
            }
        }
        for amount in amounts {
            problems.take(self.lacking(amount, &place))?;
        }
        let seen = self.seen(partition, &place, &mut problems)?;
        let redemptions = match &partition.offer {
            OfferRule::None => None,
            OfferRule::Log(log) => {
                let mut counts = vec![0.0; assignment.len()];
                for redemption in log {
                    counts[redemption.customer as usize] += 1.0;
                }
                Some(counts)
            }
            OfferRule::Discounts(_) | OfferRule::Target => problems.take(self.values("redemptions", &place))?,
        };
        problems.finish()?;
        Ok(CellTable {
            customers: assignment.len(),
            atoms,
            spans: partition.spans.clone(),
            amounts: amounts.iter().map(|a| a.name.clone()).collect(),
            columns,
            baskets,
            seen,
            redemptions: redemptions.map(|r| r.iter().map(|v| *v as u32).collect()),
            facts: Facts {
                repeated_products: self.warehouse.products.repeated,
                logged_redemptions: matches!(partition.offer, OfferRule::Log(_)),
                ..Facts::default()
            },
        })
    }
}

impl CellFrame {
    /// A column in the order of the assignment, 0 for customers without a row.
    fn values(&self, name: &str, place: &[Option<usize>]) -> Result<Vec<f64>> {
        let found = column(&self.frame, name, Input::Cells)?;
        let values: Vec<f64> = numbers(found, Input::Cells)?.iter().map(|v| v.unwrap_or(0.0)).collect();
        if let Some(row) = values.iter().position(|v| !v.is_finite()) {
            let problem = Problem::new(Input::Cells, Fault::NotFinite, "a cell is NaN or infinite").column(name).first(row).value(values[row]);
            return Err(problem.remedy("Check the sums").into());
        }
        Ok(place.iter().map(|row| row.map_or(0.0, |row| values[row])).collect())
    }

    /// Lines of which an amount is not known are a problem, as they are in a ledger: their sum would pass over them.
    fn lacking(&self, amount: &AmountSpec, place: &[Option<usize>]) -> Result<()> {
        let Some(lack) = amount.lack() else { return Ok(()) };
        let name = format!("missing:{}", amount.name);
        let lines = self.values(&name, place)?.iter().sum::<f64>();
        if !(lines > 0.0) {
            return Ok(());
        }
        let (fault, text, remedy) = match lack {
            Lack::Cost => {
                (Fault::NoCost, "lines have no unit cost, and no margin rate is given", "Fill the unit cost, or give [margin] rate for the lines without one")
            }
            Lack::Vat => (Fault::Null, "lines have no VAT rate", "List every product sold with its rate, 0 where there is no VAT, or give one vat_rate"),
        };
        Err(Problem::new(Input::Cells, fault, text).column(name).count(lines as usize).remedy(remedy).into())
    }

    fn seen(&self, partition: &Partition, place: &[Option<usize>], problems: &mut Problems) -> Result<Vec<u32>> {
        let mut seen = vec![0; place.len()];
        for (index, span) in partition.spans.iter().enumerate() {
            let lines = problems.take(self.values(&format!("lines:{}", span.name()), place))?.unwrap_or_default();
            seen.iter_mut().zip(&lines).for_each(|(seen, lines)| *seen |= u32::from(*lines > 0.0) << index);
        }
        Ok(seen)
    }
}
