//! Ids that meet no line as they are written: looked up among the ids of the index in their plain spelling, without a walk through the lines.

use rayon::prelude::*;

use super::LedgerIndex;
use super::asked::{Asked, places};
use super::cells::CUSTOMERS;
use super::ids::{Dictionary, Spellings};
use crate::cells::{CellTable, Partition, Role};
use crate::error::Result;
use crate::ledger::Unmet;
use crate::ledger::lookup::NONE;
use crate::ledger::unmet::{Found, Wanted, of_role};
use crate::study::{Assignment, Ids};

/// Looks for the ids of customers and products that meet no line of the index from which `cells` were made.
pub(super) fn unmet(index: &LedgerIndex, partition: &Partition, assignment: &Assignment, cells: &CellTable) -> Result<Unmet> {
    let mut unmet = Unmet::default();
    let lines = cells.facts.lines.unwrap_or_default();
    if lines.outside_assignment > 0 {
        customers(index, partition, assignment, &cells.seen, &mut unmet);
    }
    let listed_elsewhere = partition.listed > 0 && partition.products.len() > partition.listed;
    if lines.without_product_row > 0 || listed_elsewhere {
        products(index, partition, assignment, listed_elsewhere, &mut unmet)?;
    }
    Ok(unmet)
}

fn customers(index: &LedgerIndex, partition: &Partition, assignment: &Assignment, seen: &[u32], unmet: &mut Unmet) {
    let (Ids::Texts(ids), Dictionary::Texts(texts)) = (&assignment.customers, &index.customers) else { return };
    let (with, without): (Vec<u32>, Vec<u32>) = (0..ids.len() as u32).partition(|&row| seen.get(row as usize).is_some_and(|spans| *spans != 0));
    if without.is_empty() {
        return;
    }
    let others = &with[..with.len().min(without.len())];
    let wanted = Wanted::new(ids, without.iter().chain(others).copied());
    let spellings = index.spellings[0].get_or_init(|| Spellings::new(texts));
    let mut found = Found::default();
    for (plain, place) in wanted.plain() {
        for code in spellings.of(plain, texts) {
            let Some(written) = texts.get(code).filter(|written| wanted.find(written).is_some()) else { continue };
            let lines = lines_within(index, partition, code);
            if lines > 0 {
                found.add(place, written, lines);
            }
        }
    }
    let (others_found, found): (Vec<_>, Vec<_>) = found.into_list().partition(|r| seen.get(r.index as usize).is_some_and(|spans| *spans != 0));
    unmet.customers = found;
    unmet.customers_without_lines = without.len();
    unmet.others = others.len();
    unmet.others_respelled = others_found.len();
}

/// How many lines in the windows a customer has.
fn lines_within(index: &LedgerIndex, partition: &Partition, customer: u32) -> u64 {
    let mut lines = 0;
    for segment in &index.segments {
        let windows: Vec<_> = partition.spans.iter().map(|s| segment.days_within(s.days.first.epoch(), s.days.last.epoch())).collect();
        Asked::runs(segment, &windows, customer, |_, run| lines += run.len() as u64);
    }
    lines
}

/// `all`: it is told of which listed products there is no line.
fn products(index: &LedgerIndex, partition: &Partition, assignment: &Assignment, all: bool, unmet: &mut Unmet) -> Result<()> {
    if !all && matches!(partition.products, Ids::Integers(_)) {
        return Ok(());
    }
    let asked = Asked::new(index, partition, assignment)?;
    let used = used_lines(&asked, &places(index, assignment)?);
    let mut met = vec![false; partition.products.len()];
    for (product, _) in asked.products.iter().zip(&used).filter(|(product, lines)| **product != NONE && **lines > 0) {
        met[*product as usize] = true;
    }
    unmet.used_lines = used.iter().sum();
    if all {
        unmet.nowhere = (partition.listed as u32..partition.products.len() as u32).filter(|product| !met[*product as usize]).collect();
    }
    let (Ids::Texts(ids), Dictionary::Texts(texts)) = (&partition.products, &index.products) else { return Ok(()) };
    let wanted = Wanted::new(ids, Role::ALL.into_iter().flat_map(|role| of_role(partition, role)));
    let mut found = Found::default();
    for ((code, product), lines) in (0..).zip(&asked.products).zip(&used).filter(|(_, lines)| **lines > 0) {
        if *product as usize >= partition.listed
            && let Some(written) = texts.get(code)
            && let Some(place) = wanted.find(written)
        {
            found.add(place, written, *lines);
        }
    }
    unmet.products = found.into_list().filter(|r| !met[r.index as usize]).collect();
    Ok(())
}

/// Used lines by product code.
fn used_lines(asked: &Asked<'_>, places: &[(u32, u32)]) -> Vec<u64> {
    let codes = asked.products.len();
    let count = |mut lines: Vec<u64>, places: &[(u32, u32)]| {
        for (customer, _) in places {
            for (segment, windows) in asked.segments() {
                Asked::runs(segment, windows, *customer, |_, run| segment.product[run].iter().for_each(|product| lines[*product as usize] += 1));
            }
        }
        lines
    };
    let add = |mut lines: Vec<u64>, more: Vec<u64>| {
        lines.iter_mut().zip(more).for_each(|(lines, more)| *lines += more);
        lines
    };
    places.par_chunks(CUSTOMERS).with_min_len(16).fold(|| vec![0; codes], count).reduce(|| vec![0; codes], add)
}
