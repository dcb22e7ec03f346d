//! How often the lines are gone through for the cells of a request, and what for.
//!
//! Lines come in parts, each of them a ledger, in the order of rows. A request takes a pass for its sums; one before it where the lines have a flag of general
//! sales, which must not depend on the customer; one after it where there are general sales, for the baseline weighted by days on sale; and one more where an
//! amount turns out not to be exact once earlier parts are summed. Several requests share their passes.

use std::ops::{ControlFlow, RangeInclusive};

use rayon::prelude::*;

use super::Ledger;
use super::amounts::AmountPlan;
use super::matching::{Asked, BlockHits, Flags, IdColumns, Matcher, Sales, class_of};
use super::parts::Parts;
use super::sums::{BLOCKS_AT_ONCE, Question, Read, Reader, Sums, Told};
use crate::cells::{CellRequest, CellTable, MarkdownRule, ProductClass};
use crate::error::Result;
use crate::study::Period;

/// The cells that one request asks for: a pass through the lines, and one more for a flag of general sales, for the baseline by days on sale, or where an
/// amount turns out not to be exact.
pub(super) fn cells(parts: &dyn Parts, request: CellRequest<'_>) -> Result<CellTable> {
    let mut summing = Summing::new(parts, request)?;
    while let Some(days) = summing.days() {
        parts.each(days, &mut |part, before| summing.take(part, before))?;
        summing.end_pass()?;
    }
    summing.finish()
}

/// The cells of several requests, in as many passes as the one of them that needs most.
pub(super) fn cells_of_several(parts: &dyn Parts, requests: &[CellRequest<'_>]) -> Vec<Result<CellTable>> {
    let mut all: Vec<Result<Summing<'_>>> = requests.iter().map(|request| Summing::new(parts, *request)).collect();
    while let Some(days) = days_of_all(&all) {
        let pass = parts.each(days, &mut |part, before| {
            let mut flow = ControlFlow::Break(());
            for one in &mut all {
                match one.as_mut().map(|summing| summing.take(part, before)) {
                    Ok(Ok(ControlFlow::Continue(()))) => flow = ControlFlow::Continue(()),
                    Ok(Err(error)) => *one = Err(error),
                    Ok(Ok(ControlFlow::Break(()))) | Err(_) => {}
                }
            }
            Ok(flow)
        });
        for one in &mut all {
            let Ok(summing) = one else { continue };
            let ended = match &pass {
                Err(error) if summing.days().is_some() => Err(error.again()),
                _ => summing.end_pass(),
            };
            if let Err(error) = ended {
                *one = Err(error);
            }
        }
    }
    all.into_iter().map(|one| one.and_then(Summing::finish)).collect()
}

/// The days from the first to the last that any wants lines of.
fn days_of_all(all: &[Result<Summing<'_>>]) -> Option<RangeInclusive<i32>> {
    let days = all.iter().flatten().filter_map(Summing::days);
    days.reduce(|a, b| *a.start().min(b.start())..=*a.end().max(b.end()))
}

/// A request under way.
struct Summing<'a> {
    parts: &'a dyn Parts,
    question: Question<'a>,
    /// The amounts that are taken for exact.
    is_exact: Vec<bool>,
    sums: Sums,
    step: Step,
}

/// What the lines are gone through for.
enum Step {
    /// The flags of general sales.
    Flags(Flags),
    /// The sums.
    Lines,
    /// The sums once more, from the first part: some amounts are not exact.
    LinesAgain,
    /// The baseline weighted by days on sale.
    OnSale(OnSale),
    Done(Option<OnSale>),
}

/// The baseline, each line weighted by its product's share of promotion days on sale.
pub(super) struct OnSale {
    pub(super) share: Vec<Option<f64>>,
    pub(super) classes: Vec<(ProductClass, Vec<Vec<f64>>)>,
}

impl<'a> Summing<'a> {
    fn new(parts: &'a dyn Parts, request: CellRequest<'a>) -> Result<Self> {
        let kept = parts.kept();
        let asked = Asked::new(&request, parts.integer_stores());
        let plan = request.amounts.iter().map(|amount| AmountPlan::new(kept, request.partition, amount)).collect::<Result<Vec<_>>>()?;
        let question = Question { request, kept, asked, plan };
        let is_exact = vec![true; request.amounts.len()];
        let sums = Sums::new(&question, &is_exact, Told::new(&question));
        let step = if request.partition.markdown == MarkdownRule::Flag { Step::Flags(Flags::default()) } else { Step::Lines };
        Ok(Self { parts, question, is_exact, sums, step })
    }

    /// The days of whose lines it wants the next pass; `None` when it is done.
    fn days(&self) -> Option<RangeInclusive<i32>> {
        let days_of = |period: Option<Period>| {
            let spans = || self.question.request.partition.spans.iter().filter(|span| period.is_none_or(|period| span.period == period));
            let first = spans().map(|span| span.days.first.epoch()).min().unwrap_or(0);
            first..=spans().map(|span| span.days.last.epoch()).max().unwrap_or(first.saturating_sub(1))
        };
        match self.step {
            Step::Flags(_) => Some(days_of(Some(Period::Promotion))),
            Step::Lines | Step::LinesAgain => Some(days_of(None)),
            Step::OnSale(_) => Some(days_of(Some(Period::Baseline))),
            Step::Done(_) => None,
        }
    }

    /// Takes in the lines of a part.
    fn take(&mut self, part: &Ledger, before: u64) -> Result<ControlFlow<()>> {
        let Some(days) = self.days() else { return Ok(ControlFlow::Break(())) };
        if matches!(self.step, Step::LinesAgain) {
            return Ok(ControlFlow::Break(()));
        }
        // The first part shows of what types ids are.
        if before > 0 && !part.has_days(&days) {
            return Ok(ControlFlow::Continue(()));
        }
        let ids = IdColumns::new(part)?;
        match &mut self.step {
            Step::Flags(flags) => Matcher::new(part, &self.question.asked, &ids)?.add_flags(flags, before)?,
            Step::Lines => {
                if !self.take_lines(part, before, &ids)? {
                    self.step = Step::LinesAgain;
                    return Ok(ControlFlow::Break(()));
                }
            }
            Step::OnSale(on_sale) => on_sale.take(&Reader::new(part, before, &self.question, &ids)?)?,
            Step::LinesAgain | Step::Done(_) => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Sums the lines of a part; false where an amount that was taken for exact is not, and earlier parts have to be summed again.
    fn take_lines(&mut self, part: &Ledger, before: u64, ids: &IdColumns) -> Result<bool> {
        let reader = Reader::new(part, before, &self.question, ids)?;
        // As long as no line was used, nothing was summed that has to be summed again.
        let earlier = (self.sums.told.lines.used == 0).then(|| self.sums.told.clone());
        loop {
            match self.sums.read(&reader, self.parts)? {
                Read::Whole => {
                    if before > 0 {
                        self.sums.told.visits.merge_some();
                    }
                    return Ok(true);
                }
                Read::NotExact(amounts) => amounts.into_iter().for_each(|amount| self.is_exact[amount] = false),
            }
            let told = earlier.clone().unwrap_or_else(|| Told::new(&self.question));
            self.sums = Sums::new(&self.question, &self.is_exact, told);
            if earlier.is_none() {
                return Ok(false);
            }
        }
    }

    /// All parts were taken.
    fn end_pass(&mut self) -> Result<()> {
        let step = std::mem::replace(&mut self.step, Step::Done(None));
        self.step = match step {
            Step::Flags(flags) => {
                self.question.asked.sales = Sales::Flag(flags.finish(self.question.request.partition)?);
                Step::Lines
            }
            Step::Lines => {
                self.sums.told.lacking.check(self.question.kept, self.question.request.partition, &self.question.plan)?;
                self.sums.told.visits.merge();
                let share = self.question.asked.share_on_sale(self.sums.told.stores.len());
                if share.is_empty() { Step::Done(None) } else { Step::OnSale(OnSale::new(&self.question, share)) }
            }
            Step::LinesAgain => Step::Lines,
            Step::OnSale(on_sale) => Step::Done(Some(on_sale)),
            Step::Done(on_sale) => Step::Done(on_sale),
        };
        Ok(())
    }

    fn finish(self) -> Result<CellTable> {
        let Self { parts, question, sums, step, .. } = self;
        let on_sale = if let Step::Done(on_sale) = step { on_sale } else { None };
        let CellRequest { partition, assignment, amounts } = question.request;
        let Sums { mut tables, mut told, .. } = sums;
        let facts = told.facts(parts, &question, on_sale)?;
        let visits = told.visits;
        let baskets = if partition.baskets { visits.cells(partition, assignment.len()) } else { Vec::new() };
        let redemptions = visits.redemptions(partition, assignment);
        drop(visits);
        Ok(CellTable {
            customers: assignment.len(),
            atoms: partition.atoms(),
            spans: partition.spans.clone(),
            amounts: amounts.iter().map(|a| a.name.clone()).collect(),
            baskets,
            seen: std::mem::take(&mut tables.seen),
            redemptions,
            facts,
            columns: tables.into_columns(),
        })
    }
}

impl OnSale {
    fn new(question: &Question<'_>, share: Vec<Option<f64>>) -> Self {
        let CellRequest { partition, assignment, amounts } = question.request;
        let empty = || vec![vec![0.0; assignment.len()]; amounts.len()];
        Self { share, classes: partition.classes.iter().map(|class| (*class, empty())).collect() }
    }

    /// Adds the baseline of a part.
    fn take(&mut self, reader: &Reader<'_>) -> Result<()> {
        let partition = reader.question.request.partition;
        let blocks: Vec<(usize, usize)> = reader.blocks().collect();
        for some in blocks.chunks(BLOCKS_AT_ONCE) {
            let found: Vec<BlockHits> = some.par_iter().map(|&(chunk, block)| reader.matcher.block(chunk, block)).collect::<Result<_>>()?;
            for (found, (chunk, _)) in found.iter().zip(some) {
                for hit in found.hits.iter().filter(|h| partition.spans[usize::from(h.span)].period == Period::Baseline) {
                    let share = self.share.get(hit.product as usize).copied().flatten().unwrap_or(0.0);
                    let columns = &mut self.classes[class_of(partition, hit.product)].1;
                    for (column, values) in columns.iter_mut().zip(&reader.chunks[*chunk].amounts) {
                        column[hit.customer as usize] += share * values.at(hit);
                    }
                }
            }
        }
        Ok(())
    }
}
