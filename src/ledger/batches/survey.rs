//! The first pass through batches: every line is checked, and what is known of all lines is gathered.

use std::ops::RangeInclusive;

use polars::prelude::{DataType, Schema, SchemaRef};

use super::Frames;
use crate::error::{ErrorKind, Fault, Input, Problem, Result};
use crate::ledger::kept::{Has, Number};
use crate::ledger::lines::{AMOUNT_REMEDY, no_lines};
use crate::ledger::lookup::Keys;
use crate::ledger::{Columns, Ledger};

/// What is known of a batch, so that another is not taken for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    /// Lines of all earlier ones.
    pub(super) before: u64,
    pub(super) lines: u64,
    days: (i32, i32),
    /// Of days, ids, quantities and net sales, in the order of rows.
    pub(super) fingerprint: u64,
}

impl Batch {
    fn new(part: &Ledger, before: u64) -> Result<Self> {
        Ok(Self { before, lines: part.len() as u64, days: part.first_and_last_day(), fingerprint: Self::fingerprint_of(part)? })
    }

    /// Whether a line may have one of these days.
    pub(super) fn has_days(&self, days: &RangeInclusive<i32>) -> bool {
        self.days.0 <= *days.end() && *days.start() <= self.days.1
    }

    /// Changes with every day, id, quantity and net sales, and with their order.
    pub(super) fn fingerprint_of(part: &Ledger) -> Result<u64> {
        // The multiplier of FNV-1a with a rotation, eight bytes at a time.
        let step = |hash: u64, value: u64| (hash.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let has = part.kept.has;
        let names = [Some("customer"), Some("product"), has.basket.then_some("basket"), has.store.then_some("store")];
        let ids = names.into_iter().flatten().map(|name| part.ids(name)).collect::<Result<Vec<_>>>()?;
        let ids: Vec<Keys<'_>> = ids.iter().map(Keys::new).collect();
        let mut hash = 1;
        for chunk in 0..part.chunks() {
            let sizes = part.number_chunk("quantity", chunk)?.iter().zip(part.number_chunk("net_sales", chunk)?);
            for (row, (day, (quantity, net_sales))) in part.day_chunk(chunk)?.iter().zip(sizes).enumerate() {
                hash = step(step(hash, quantity.to_bits() ^ *day as u64), net_sales.to_bits());
                hash = ids.iter().fold(hash, |hash, ids| step(hash, ids.get(chunk, row).unwrap_or(u64::MAX)));
            }
        }
        Ok(hash)
    }
}

/// What all batches say.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) batches: Vec<Batch>,
    pub(super) lines: u64,
    pub(super) schema: SchemaRef,
    pub(super) numbers: Vec<Number>,
    pub(super) texts: Vec<String>,
    pub(super) has: Has,
    pub(super) product_kind: &'static str,
    /// First and last.
    pub(super) days: (i32, i32),
    pub(super) unusable: Vec<Problem>,
}

impl Survey {
    /// Goes through all batches.
    pub(super) fn of(frames: &mut dyn Frames, columns: &Columns) -> Result<Self> {
        let (mut lines, mut batches, mut survey) = (0, Vec::new(), None::<Self>);
        let (mut problems, mut unusable) = (Vec::new(), Vec::new());
        for (frame, number) in frames.zip(1..) {
            let frame = frame?;
            let height = frame.height() as u64;
            if height == 0 {
                batches.push(Batch { before: lines, lines: 0, days: (i32::MAX, i32::MIN), fingerprint: 0 });
                continue;
            }
            match Ledger::part(frame, columns) {
                Ok(part) => {
                    batches.push(Batch::new(&part, lines)?);
                    if let Err(error) = part.check() {
                        add_problems(&mut unusable, error.problems(), lines);
                    }
                    match &mut survey {
                        None => survey = Some(Self::begin(&part)?),
                        Some(survey) => {
                            if let Some(problem) = survey.add(&part, lines, number) {
                                problems.push(problem);
                                break;
                            }
                        }
                    }
                }
                Err(error) if error.problems().is_empty() => return Err(error),
                Err(error) => {
                    let (of_values, others): (Vec<_>, Vec<_>) =
                        error.problems().iter().cloned().partition(|problem| problem.remedy == AMOUNT_REMEDY && problem.fault != Fault::Null);
                    add_problems(&mut unusable, &of_values, lines);
                    add_problems(&mut problems, &others, lines);
                    // What is wrong with a whole column is wrong with all of it.
                    if others.iter().any(|problem| problem.row.is_none()) {
                        break;
                    }
                }
            }
            lines += height;
        }
        if !problems.is_empty() {
            // Values are looked at when they are read; a reader who has something to mend anyway hears of all of them.
            return Err(ErrorKind::Input([problems, unusable].concat()).into());
        }
        survey.map(|survey| Self { batches, lines, unusable, ..survey }).ok_or_else(|| no_lines().into())
    }

    fn begin(part: &Ledger) -> Result<Self> {
        let kept = &part.kept;
        Ok(Self {
            batches: Vec::new(),
            lines: 0,
            schema: part.schema().clone(),
            numbers: kept.numbers.clone(),
            texts: kept.texts.clone(),
            has: kept.has,
            product_kind: part.ids("product")?.kind(),
            days: part.first_and_last_day(),
            unusable: Vec::new(),
        })
    }

    /// Adds what is known of a later batch, or gives the problem that it is not like the first.
    fn add(&mut self, part: &Ledger, before: u64, number: usize) -> Option<Problem> {
        if let Some((column, what)) = differing_column(&self.schema, part.schema()) {
            let problem = Problem::new(Input::Transactions, Fault::Contradiction, format!("batch {number}: {what} in the batches before")).column(column);
            return Some(problem.first(before as usize).remedy("Give all batches the same columns with the same types; cast them where they differ"));
        }
        self.numbers.iter_mut().zip(&part.kept.numbers).for_each(|(known, more)| known.nulls += more.nulls);
        let (first, last) = part.first_and_last_day();
        self.days = (self.days.0.min(first), self.days.1.max(last));
        None
    }
}

/// Adds problems of a batch before which so many lines stand: rows count from the first line of all, and the same problem is told once.
fn add_problems(known: &mut Vec<Problem>, more: &[Problem], before: u64) {
    for problem in more {
        let is_same =
            |other: &&mut Problem| (other.fault, &other.text, &other.column, &other.remedy) == (problem.fault, &problem.text, &problem.column, &problem.remedy);
        if let Some(same) = known.iter_mut().find(is_same) {
            same.count = same.count.zip(problem.count).map(|(count, more)| count + more);
        } else {
            known.push(Problem { row: problem.row.map(|row| row + before), ..problem.clone() });
        }
    }
}

/// The first column that is not alike in two batches, and what is the matter with it: "there is no such column now, there was one", to be continued.
pub(super) fn differing_column(known: &Schema, found: &Schema) -> Option<(String, String)> {
    // Numbers and texts are kept under a name that begins with what they are.
    let plain = |name: &str| name.split_once(':').map_or(name, |(_, name)| name).to_owned();
    let kind = |dtype: &DataType| {
        if dtype.is_integer() {
            "integers"
        } else if *dtype == DataType::String {
            "text"
        } else {
            "numbers"
        }
    };
    for (name, dtype) in known.iter() {
        match found.get(name) {
            None => return Some((plain(name), "the column is missing, which was there".to_owned())),
            Some(other) if other != dtype => return Some((plain(name), format!("the column holds {}, and held {}", kind(other), kind(dtype)))),
            Some(_) => {}
        }
    }
    let more = found.iter_names().find(|name| !known.contains(name))?;
    Some((plain(more), "the column is there, and was not".to_owned()))
}
