//! Cells of several promotions that are made in one go, where the source is better asked so.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::Portfolio;
use crate::cells::{AmountSpec, Catalogue, CellRequest, CellSource, CellTable, Partition};
use crate::error::Result;
use crate::ledger::Unmet;
use crate::measure::Plan;
use crate::study::{Assignment, Study};

/// The tables of the next promotions, as far as they were made.
#[derive(Debug, Default)]
pub(super) struct Tables(VecDeque<Option<Result<CellTable>>>);

impl Tables {
    /// Those of the promotions from `next` on, `most` at most; `None` where a table is made when its promotion is measured.
    pub(super) fn take(&mut self, portfolio: &Portfolio, source: &(impl CellSource + ?Sized), next: usize, most: usize) -> Vec<Option<Result<CellTable>>> {
        let Some(bytes) = source.bytes_at_once() else { return (next..portfolio.len()).take(most).map(|_| None).collect() };
        if self.0.is_empty() {
            self.0 = make(portfolio, source, next, bytes);
        }
        self.0.drain(..most.min(self.0.len())).collect()
    }
}

/// The tables of the promotions from a place on, as many as need no more than so many bytes, and one at least; `None` for those that cannot be planned.
fn make(portfolio: &Portfolio, source: &(impl CellSource + ?Sized), next: usize, most: u64) -> VecDeque<Option<Result<CellTable>>> {
    let catalogue = source.catalogue();
    let mut planned: Vec<Option<(Cow<'_, Study>, Plan)>> = Vec::new();
    let mut bytes = 0;
    for place in next..portfolio.len() {
        // What stands in the way of a plan is told when the promotion is measured.
        let plan = portfolio.study_at(place).and_then(|study| Some((study.plan(&catalogue).ok()?, study))).map(|(plan, study)| (study, plan));
        bytes += plan.as_ref().map_or(0, |(study, plan)| request(study, plan).bytes());
        if bytes > most && planned.iter().any(Option::is_some) {
            break;
        }
        planned.push(plan);
    }
    let requests: Vec<CellRequest<'_>> = planned.iter().flatten().map(|(study, plan)| request(study, plan)).collect();
    let mut tables = source.cells_of_several(&requests).into_iter();
    planned.iter().map(|plan| plan.as_ref().and_then(|_| tables.next())).collect()
}

fn request<'a>(study: &'a Study, plan: &'a Plan) -> CellRequest<'a> {
    CellRequest { partition: &plan.partition, assignment: &study.assignment, amounts: &plan.amounts }
}

/// A source that has the first table that it is asked for already: that of the plan of a study.
#[derive(Debug)]
pub(super) struct Made<'s, S: ?Sized> {
    source: &'s S,
    table: Mutex<Option<Result<CellTable>>>,
}

impl<'s, S: ?Sized> Made<'s, S> {
    pub(super) fn new(source: &'s S, table: Option<Result<CellTable>>) -> Self {
        Self { source, table: Mutex::new(table) }
    }
}

impl<S: CellSource + ?Sized> CellSource for Made<'_, S> {
    fn catalogue(&self) -> Catalogue<'_> {
        self.source.catalogue()
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<CellTable> {
        let made = self.table.lock().unwrap_or_else(PoisonError::into_inner).take();
        made.unwrap_or_else(|| self.source.cells(partition, assignment, amounts))
    }

    fn unmet(&self, partition: &Partition, assignment: &Assignment, cells: &CellTable) -> Result<Option<Unmet>> {
        self.source.unmet(partition, assignment, cells)
    }
}
