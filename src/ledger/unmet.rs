//! Ids that meet no line as they are written, and the lines that have them in another spelling.
//!
//! Looked for where ids are texts and some meet nothing; lines are walked in blocks, in parallel, up to a number of lines counted in row order. What is
//! found does not depend on chunks or threads, nor on the order of rows as long as there are no more lines than that.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::{ControlFlow, Range};

use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use super::Ledger;
use super::frames::IdColumn;
use super::lookup::{Lookup, NONE};
use super::matching::{IdColumns, role_of};
use super::parts::Parts;
use super::scan::BLOCK;
use crate::cells::{CellTable, Partition, Role, Span};
use crate::error::{Input, Result};
use crate::spelling::plain_id;
use crate::study::{Assignment, Day, Ids};

/// Other spellings are looked for on so many lines at most.
const LINES: u64 = 1 << 22;

/// Blocks looked at together.
const BLOCKS_AT_ONCE: usize = 64;

/// Ids that meet no line as they are written. Two spellings are taken for one id when they are equal without spaces around them, capitals, leading zeros
/// and the `.0` of a number that went through a float.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unmet {
    /// Assigned customers without a line in the windows whose id, in another spelling, is on lines there of customers not assigned.
    pub customers: Vec<Respelled>,
    /// Assigned customers without a line in the windows.
    pub customers_without_lines: usize,
    /// Assigned customers *with* lines who were looked for in the same way, at most as many as are without.
    pub others: usize,
    /// How many of those others are found in another spelling too: many are where spelling tells customers apart.
    pub others_respelled: usize,
    /// Products of the partition on no used line whose id, in another spelling, is on used lines of products that the product table does not list.
    pub products: Vec<Respelled>,
    /// Used lines that were looked at for such products.
    pub used_lines: u64,
    /// Products that the promotion lists and the product table does not, on no used line: indices into the partition's products.
    pub nowhere: Vec<u32>,
}

/// An id that is on lines in another spelling only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respelled {
    /// Index into the assignment, or into the partition's products.
    pub index: u32,
    /// How the lines write it; of several spellings the first in the order of text.
    pub written: String,
    /// Lines with another spelling.
    pub lines: u64,
}

/// Looks for the ids of customers and products that meet no line of those from which `cells` were made.
pub(super) fn unmet(parts: &dyn Parts, partition: &Partition, assignment: &Assignment, cells: &CellTable) -> Result<Unmet> {
    let mut unmet = Unmet::default();
    let lines = cells.facts.lines.unwrap_or_default();
    if lines.outside_assignment > 0 {
        customers(&Walk { parts, spans: &partition.spans }, assignment, &cells.seen, &mut unmet)?;
    }
    let listed_elsewhere = partition.listed > 0 && partition.products.len() > partition.listed;
    if lines.without_product_row > 0 || listed_elsewhere {
        products(&Walk { parts, spans: &partition.spans }, partition, assignment, listed_elsewhere, &mut unmet)?;
    }
    Ok(unmet)
}

fn customers(walk: &Walk<'_>, assignment: &Assignment, seen: &[u32], unmet: &mut Unmet) -> Result<()> {
    let Ids::Texts(ids) = &assignment.customers else { return Ok(()) };
    let (with, without): (Vec<u32>, Vec<u32>) = (0..ids.len() as u32).partition(|&index| seen.get(index as usize).is_some_and(|spans| *spans != 0));
    if without.is_empty() {
        return Ok(());
    }
    let others = &with[..with.len().min(without.len())];
    let wanted = Wanted::new(ids, without.iter().chain(others).copied());
    let told = walk.all(LINES, |lines, most| {
        let mut look = Look::default();
        let IdColumn::Texts(column) = &lines.ids.customer else { return Ok(look) };
        let Some(texts) = column.downcast_iter().nth(lines.chunk) else { return Ok(look) };
        let mut last = None;
        for row in lines.within(walk.spans)?.take(most) {
            look.lines += 1;
            let id = texts.value(row);
            let place = match last {
                Some((known, place)) if known == id => place,
                _ => wanted.find(id),
            };
            last = Some((id, place));
            if let Some(place) = place {
                look.found.add(place, id, 1);
            }
        }
        Ok(look)
    })?;
    let (others_found, found): (Vec<_>, Vec<_>) = told.found.into_list().partition(|r| seen.get(r.index as usize).is_some_and(|spans| *spans != 0));
    unmet.customers = found;
    unmet.customers_without_lines = without.len();
    unmet.others = others.len();
    unmet.others_respelled = others_found.len();
    Ok(())
}

/// `all`: every line is looked at, so that a listed product without a line is known to have none.
fn products(walk: &Walk<'_>, partition: &Partition, assignment: &Assignment, all: bool, unmet: &mut Unmet) -> Result<()> {
    let (customers, products) = (Lookup::new(&assignment.customers), Lookup::new(&partition.products));
    let wanted = match &partition.products {
        Ids::Texts(ids) => Some(Wanted::new(ids, Role::ALL.into_iter().flat_map(|role| of_role(partition, role)))),
        Ids::Integers(_) if all => None,
        Ids::Integers(_) => return Ok(()),
    };
    let told = walk.all(if all { u64::MAX } else { LINES }, |lines, most| {
        let customers = customers.bind(&lines.ids.customer, "customer", Input::Assignment, &assignment.customers)?;
        let products = products.bind(&lines.ids.product, "product", Input::Promotion, &partition.products)?;
        let texts = match &lines.ids.product {
            IdColumn::Texts(ids) => ids.downcast_iter().nth(lines.chunk),
            IdColumn::Integers(_) => None,
        };
        let mut look = Look { met: Marks::new(partition.products.len()), ..Look::default() };
        for row in lines.within(walk.spans)?.filter(|&row| customers.get(lines.chunk, row) != NONE).take(most) {
            look.lines += 1;
            let code = products.get(lines.chunk, row);
            look.met.set(code);
            if code as usize >= partition.listed
                && let Some(wanted) = &wanted
                && let Some(id) = texts.and_then(|texts| texts.get(row))
                && let Some(place) = wanted.find(id)
            {
                look.found.add(place, id, 1);
            }
        }
        Ok(look)
    })?;
    unmet.used_lines = told.lines;
    if all {
        unmet.nowhere = (partition.listed as u32..partition.products.len() as u32).filter(|&index| !told.met.has(index)).collect();
    }
    unmet.products = told.found.into_list().filter(|r| !told.met.has(r.index)).collect();
    Ok(())
}

/// The products of a role.
pub(super) fn of_role(partition: &Partition, role: Role) -> impl Iterator<Item = u32> {
    (0..partition.products.len() as u32).filter(move |&index| role_of(partition, index) == role)
}

/// Ids looked for in other spellings.
pub(super) struct Wanted<'a> {
    /// By plain form the place in the list.
    places: HashMap<Cow<'a, str>, u32>,
    /// Ids of the list with one of those plain forms, as they are written: a line that has one of them meets.
    exact: HashSet<&'a str>,
}

impl<'a> Wanted<'a> {
    /// The ids at some places of a list; of two with one plain form the first.
    pub(super) fn new(ids: &'a [String], places: impl Iterator<Item = u32>) -> Self {
        let mut by_plain = HashMap::new();
        for place in places {
            let plain = plain_id(&ids[place as usize]);
            if !plain.is_empty() {
                by_plain.entry(plain).or_insert(place);
            }
        }
        let exact = ids.iter().map(String::as_str).filter(|id| by_plain.contains_key(plain_id(id).as_ref())).collect();
        Self { places: by_plain, exact }
    }

    /// The plain forms that are looked for, with their places.
    pub(super) fn plain(&self) -> impl Iterator<Item = (&str, u32)> {
        self.places.iter().map(|(plain, place)| (plain.as_ref(), *place))
    }

    /// The place of the id that this is another spelling of.
    pub(super) fn find(&self, written: &str) -> Option<u32> {
        let place = self.places.get(plain_id(written).as_ref()).copied()?;
        (!self.exact.contains(written)).then_some(place)
    }
}

/// What lines tell.
#[derive(Debug, Default)]
struct Look {
    /// Lines that were looked at.
    lines: u64,
    found: Found,
    /// Products that lines have as they are written.
    met: Marks,
}

/// Ids found in other spellings, by place.
#[derive(Debug, Default)]
pub(super) struct Found(BTreeMap<u32, Respelled>);

impl Found {
    pub(super) fn add(&mut self, index: u32, written: &str, lines: u64) {
        match self.0.entry(index) {
            Entry::Vacant(place) => drop(place.insert(Respelled { index, written: written.to_owned(), lines })),
            Entry::Occupied(place) => {
                let known = place.into_mut();
                known.lines += lines;
                if written < known.written.as_str() {
                    written.clone_into(&mut known.written);
                }
            }
        }
    }

    pub(super) fn into_list(self) -> impl Iterator<Item = Respelled> {
        self.0.into_values()
    }
}

/// A mark on some of the first so many numbers.
#[derive(Debug, Default)]
struct Marks(Vec<u64>);

impl Marks {
    fn new(length: usize) -> Self {
        Self(vec![0; length.div_ceil(64)])
    }

    /// Marks a number; one beyond the length is none.
    fn set(&mut self, index: u32) {
        if let Some(word) = self.0.get_mut(index as usize / 64) {
            *word |= 1 << (index % 64);
        }
    }

    fn has(&self, index: u32) -> bool {
        self.0.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn add(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }
}

/// A walk through the lines in the windows.
struct Walk<'a> {
    parts: &'a dyn Parts,
    spans: &'a [Span],
}

/// A block of the lines of a part.
struct Block<'a> {
    part: &'a Ledger,
    ids: &'a IdColumns,
    chunk: usize,
    /// Within the chunk.
    rows: Range<usize>,
}

impl Walk<'_> {
    /// What `look` tells of the lines in the windows, `most` at most: of some lines, and at most so many of them.
    fn all(&self, most: u64, look: impl Fn(&Block<'_>, usize) -> Result<Look> + Sync) -> Result<Look> {
        let first = self.spans.iter().map(|s| s.days.first.epoch()).min().unwrap_or(i32::MAX);
        let last = self.spans.iter().map(|s| s.days.last.epoch()).max().unwrap_or(i32::MIN);
        let mut told = Look::default();
        self.parts.each(first..=last, &mut |part, _| {
            let ids = IdColumns::new(part)?;
            let mut blocks = Vec::new();
            for (chunk, days) in part.blocks.iter().enumerate() {
                let rows = part.day_chunk(chunk)?.len();
                let within = days.iter().enumerate().filter(|(_, (low, high))| *high >= first && *low <= last);
                blocks.extend(within.map(|(block, _)| Block { part, ids: &ids, chunk, rows: block * BLOCK..rows.min((block + 1) * BLOCK) }));
            }
            for some in blocks.chunks(BLOCKS_AT_ONCE) {
                let looks: Vec<Look> = some.par_iter().map(|lines| look(lines, usize::MAX)).collect::<Result<_>>()?;
                for (found, lines) in looks.into_iter().zip(some) {
                    let rest = most - told.lines;
                    // The last block to look at is looked at again, no further than it counts.
                    let found = if found.lines > rest { look(lines, rest as usize)? } else { found };
                    told.lines += found.lines;
                    found.found.into_list().for_each(|r| told.found.add(r.index, &r.written, r.lines));
                    told.met.add(&found.met);
                }
                if told.lines >= most {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(told)
    }
}

impl Block<'_> {
    /// Those whose day lies in a window.
    fn within(&self, spans: &[Span]) -> Result<impl Iterator<Item = usize>> {
        let days = self.part.day_chunk(self.chunk)?;
        let mut last = None;
        Ok(self.rows.clone().filter(move |&row| {
            let day = days[row];
            let within = match last {
                Some((known, within)) if known == day => within,
                _ => spans.iter().any(|span| span.days.contains(Day::from_epoch(day))),
            };
            last = Some((day, within));
            within
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Columns;
    use crate::study::{DaySpan, Period};
    use polars::prelude::{Column, DataFrame, DataType};

    /// Lines a day after another, in chunks of so many rows.
    fn ledger(lines: usize, chunk: usize) -> Ledger {
        let texts = |name: &str| Column::new(name.into(), vec!["a"; lines]);
        let ones = |name: &str| Column::new(name.into(), vec![1.0; lines]);
        let days = Column::new("day".into(), (0..lines as i32).collect::<Vec<_>>()).cast(&DataType::Date).unwrap();
        let whole = DataFrame::new(lines, vec![texts("customer"), days, texts("product"), ones("quantity"), ones("net_sales")]).unwrap();
        let mut pieces = whole.slice(0, chunk);
        for from in (0..lines).step_by(chunk).skip(1) {
            pieces.vstack_mut(&whole.slice(from as i64, chunk)).unwrap();
        }
        let products = whole.slice(0, 1).select(["product"]).unwrap();
        Ledger::from_frames(pieces, products, &Columns::default()).unwrap()
    }

    #[test]
    fn so_many_lines_in_the_windows_are_looked_at_and_no_more() {
        let spans = [[10, 19], [30, 99]].map(|[first, last]| {
            let days = DaySpan::new(Day::from_epoch(first), Day::from_epoch(last)).unwrap();
            Span { period: Period::Promotion, half: None, week: None, days }
        });
        for chunk in [1, 7, 50, 200] {
            let ledger = ledger(200, chunk);
            let walk = Walk { parts: &ledger, spans: &spans };
            for (most, last) in [(0, None), (1, Some(10)), (10, Some(19)), (11, Some(30)), (80, Some(99)), (u64::MAX, Some(99))] {
                let told = walk.all(most, |lines, most| {
                    let days = ledger.day_chunk(lines.chunk)?;
                    let mut look = Look { met: Marks::new(200), ..Look::default() };
                    lines.within(&spans)?.take(most).for_each(|row| {
                        look.lines += 1;
                        look.met.set(days[row] as u32);
                    });
                    Ok(look)
                });
                let told = told.unwrap();
                assert_eq!(told.lines, most.min(80), "{chunk} {most}");
                assert_eq!((0..200).rev().find(|day| told.met.has(*day)), last, "{chunk} {most}");
            }
        }
    }

    #[test]
    fn marks_are_kept_apart() {
        let mut marks = Marks::new(65);
        for index in [0, 63, 64, NONE] {
            marks.set(index);
        }
        assert_eq!((0..70).filter(|index| marks.has(*index)).collect::<Vec<_>>(), [0, 63, 64]);
    }
}
