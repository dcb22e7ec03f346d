//! The sums of a promotion: a row a customer while they grow, then turned piece by piece into columns.

use rayon::prelude::*;

use super::cells::CUSTOMERS;
use crate::ledger::scan::TICKS;

/// Where what stands in a row: the exact amounts of each atom, the spans seen, the baskets of each cell, the baskets with an offer line.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    atoms: usize,
    baskets: usize,
    /// Amounts that are summed as ticks, and the others.
    pub(super) exact: Vec<usize>,
    pub(super) real: Vec<usize>,
    pub(super) width: usize,
    pub(super) real_width: usize,
}

impl Layout {
    pub(super) fn new(atoms: usize, is_exact: &[bool], baskets: usize) -> Self {
        let (exact, real): (Vec<usize>, Vec<usize>) = (0..is_exact.len()).partition(|amount| is_exact[*amount]);
        Self { atoms, baskets, width: atoms * exact.len() + baskets + 2, real_width: atoms * real.len(), exact, real }
    }

    /// The place of the spans seen.
    pub(super) fn seen(&self) -> usize {
        self.atoms * self.exact.len()
    }

    /// The place of the first cell of baskets; behind the last stand those with an offer line.
    pub(super) fn baskets(&self) -> usize {
        self.seen() + 1
    }
}

/// The rows, which whoever fills them turns into columns, [`CUSTOMERS`] rows a piece.
pub(super) struct Table {
    layout: Layout,
    exact: Vec<i64>,
    real: Vec<f64>,
}

/// The columns, in the order of the assignment.
pub(super) struct ColumnsOfTable {
    /// Atom-major.
    pub(super) amounts: Vec<Vec<f64>>,
    pub(super) baskets: Vec<Vec<f64>>,
    pub(super) seen: Vec<u32>,
    pub(super) offers: Vec<u32>,
}

/// One column of the rows.
#[derive(Clone, Copy)]
enum Source {
    Ticks(usize),
    Count(usize),
    Real(usize),
}

impl Table {
    pub(super) fn new(layout: Layout, customers: usize) -> Self {
        Self { exact: vec![0; customers * layout.width], real: vec![0.0; customers * layout.real_width], layout }
    }

    /// The rows, piece by piece.
    pub(super) fn rows(&mut self) -> impl IndexedParallelIterator<Item = (&mut [i64], &mut [f64])> {
        let (width, real_width) = (self.layout.width, self.layout.real_width);
        let pieces = self.exact.len().div_ceil(CUSTOMERS * width);
        let mut real: Vec<&mut [f64]> = self.real.chunks_mut((CUSTOMERS * real_width).max(1)).collect();
        real.resize_with(pieces, Default::default);
        self.exact.par_chunks_mut(CUSTOMERS * width).zip(real)
    }

    /// The columns; `places` say which customer of the assignment each row is.
    pub(super) fn columns(&self, places: &[(u32, u32)]) -> ColumnsOfTable {
        let layout = &self.layout;
        let amount = |atom: usize, amount: usize| match layout.exact.iter().position(|a| *a == amount) {
            Some(place) => Source::Ticks(atom * layout.exact.len() + place),
            None => Source::Real(atom * layout.real.len() + layout.real.iter().position(|a| *a == amount).unwrap_or_default()),
        };
        let amounts = layout.exact.len() + layout.real.len();
        let sources: Vec<Source> = (0..layout.atoms)
            .flat_map(|atom| (0..amounts).map(move |number| amount(atom, number)))
            .chain((0..layout.baskets + 2).map(|count| Source::Count(layout.seen() + count)))
            .collect();
        let mut columns = self.gathered(places, &sources);
        let mut counts = columns.split_off(layout.atoms * amounts).into_iter();
        let whole = |column: Option<Vec<f64>>| column.into_iter().flatten().map(|count| count as u32).collect();
        let seen = whole(counts.next());
        let baskets = counts.by_ref().take(layout.baskets).collect();
        ColumnsOfTable { amounts: columns, baskets, seen, offers: whole(counts.next()) }
    }

    /// Each column piece by piece: what the customers of a piece have stands together, and is put in their places.
    fn gathered(&self, places: &[(u32, u32)], sources: &[Source]) -> Vec<Vec<f64>> {
        let ticks = |ticks: &i64| *ticks as f64 / TICKS;
        let column = |source: &Source| match *source {
            Source::Ticks(place) => placed(places, &self.exact, (self.layout.width, place), ticks),
            Source::Count(place) => placed(places, &self.exact, (self.layout.width, place), |count| *count as f64),
            Source::Real(place) => placed(places, &self.real, (self.layout.real_width, place), |value| *value),
        };
        sources.par_iter().map(column).collect()
    }
}

/// A column out of a table of pieces, each column by column.
fn placed<T: Sync>(places: &[(u32, u32)], table: &[T], (width, column): (usize, usize), value: impl Fn(&T) -> f64) -> Vec<f64> {
    let mut values = vec![0.0; places.len()];
    for (places, piece) in places.chunks(CUSTOMERS).zip(table.chunks(CUSTOMERS * width)) {
        for ((_, customer), found) in places.iter().zip(&piece[column * places.len()..]) {
            values[*customer as usize] = value(found);
        }
    }
    values
}
