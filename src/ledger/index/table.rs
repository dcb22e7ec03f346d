//! The sums of a promotion: a row a customer while a piece of customers is summed, columns when it is done.

use rayon::prelude::*;

use super::cells::CUSTOMERS;
use crate::ledger::scan::TICKS;

/// Where what stands in a row: the exact amounts of each atom, the baskets of each cell, the spans seen, the baskets with an offer line.
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

    /// The place of the first cell of baskets.
    pub(super) fn baskets(&self) -> usize {
        self.atoms * self.exact.len()
    }

    /// The place of the spans seen; behind it stand the baskets with an offer line.
    pub(super) fn seen(&self) -> usize {
        self.baskets() + self.baskets
    }

    /// The numbers of each customer, atom by atom, then the baskets.
    fn sources(&self) -> Vec<Source> {
        let amount = |atom: usize, amount: usize| match self.exact.iter().position(|a| *a == amount) {
            Some(place) => Source::Ticks(atom * self.exact.len() + place),
            None => Source::Real(atom * self.real.len() + self.real.iter().position(|a| *a == amount).unwrap_or_default()),
        };
        let amounts = self.exact.len() + self.real.len();
        let counts = (0..self.baskets).map(|cell| Source::Count(self.baskets() + cell));
        (0..self.atoms).flat_map(|atom| (0..amounts).map(move |number| amount(atom, number))).chain(counts).collect()
    }
}

/// Which place of a row a column is made of.
#[derive(Debug, Clone, Copy)]
enum Source {
    Ticks(usize),
    Count(usize),
    Real(usize),
}

/// The rows of some customers while their lines are summed.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) exact: Vec<i64>,
    pub(super) real: Vec<f64>,
}

impl Rows {
    /// Begins again with so many customers.
    pub(super) fn begin(&mut self, layout: &Layout, customers: usize) {
        self.exact.clear();
        self.exact.resize(customers * layout.width, 0);
        self.real.clear();
        self.real.resize(customers * layout.real_width, 0.0);
    }
}

/// The columns, in the order of the assignment.
#[derive(Debug)]
pub(super) struct Columns {
    layout: Layout,
    sources: Vec<Source>,
    /// Amounts atom by atom, then baskets.
    numbers: Vec<Vec<f64>>,
    pub(super) seen: Vec<u32>,
    pub(super) offers: Vec<u32>,
}

/// A piece of all columns: what [`CUSTOMERS`] customers have that stand together in the assignment.
pub(super) struct Piece<'c> {
    numbers: Vec<&'c mut [f64]>,
    seen: &'c mut [u32],
    offers: &'c mut [u32],
}

impl Columns {
    pub(super) fn new(layout: Layout, customers: usize) -> Self {
        let sources = layout.sources();
        let numbers = sources.par_iter().map(|_| vec![0.0; customers]).collect();
        Self { layout, sources, numbers, seen: vec![0; customers], offers: vec![0; customers] }
    }

    /// The amounts, atom by atom, and the baskets, cell by cell.
    pub(super) fn split(&mut self) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let mut amounts = std::mem::take(&mut self.numbers);
        let baskets = amounts.split_off(amounts.len() - self.layout.baskets);
        (amounts, baskets)
    }

    /// All pieces, and what fills them.
    pub(super) fn pieces(&mut self) -> (Vec<Piece<'_>>, Filling<'_>) {
        let pieces = self.seen.chunks_mut(CUSTOMERS).zip(self.offers.chunks_mut(CUSTOMERS));
        let mut pieces: Vec<Piece<'_>> = pieces.map(|(seen, offers)| Piece { numbers: Vec::with_capacity(self.sources.len()), seen, offers }).collect();
        for column in &mut self.numbers {
            pieces.iter_mut().zip(column.chunks_mut(CUSTOMERS)).for_each(|(piece, some)| piece.numbers.push(some));
        }
        (pieces, Filling { layout: &self.layout, sources: &self.sources })
    }
}

/// How rows become columns.
#[derive(Clone, Copy)]
pub(super) struct Filling<'c> {
    layout: &'c Layout,
    sources: &'c [Source],
}

impl Filling<'_> {
    /// Turns rows into the columns of a piece: so many customers at a time as memory takes values in together.
    pub(super) fn fill(self, piece: Piece<'_>, rows: &Rows) {
        const TOGETHER: usize = 8;
        let Self { layout, sources } = self;
        let Piece { mut numbers, seen, offers } = piece;
        let groups = rows.exact.chunks(TOGETHER * layout.width);
        for (group, exact) in groups.enumerate() {
            let first = group * TOGETHER;
            let last = first + exact.len() / layout.width;
            let real = rows.real.get(first * layout.real_width..last * layout.real_width).unwrap_or_default();
            for (column, source) in numbers.iter_mut().zip(sources) {
                let Some(values) = column.get_mut(first..last) else { continue };
                match *source {
                    Source::Ticks(place) => set(values, exact, (layout.width, place), |ticks| ticks as f64 / TICKS),
                    Source::Count(place) => set(values, exact, (layout.width, place), |count| count as f64),
                    Source::Real(place) => set(values, real, (layout.real_width, place), |value| value),
                }
            }
            if let (Some(seen), Some(offers)) = (seen.get_mut(first..last), offers.get_mut(first..last)) {
                set(seen, exact, (layout.width, layout.seen()), |spans| spans as u32);
                set(offers, exact, (layout.width, layout.seen() + 1), |count| count as u32);
            }
        }
    }
}

/// Sets values to what stands in one place of each row.
#[inline]
fn set<T: Copy, V>(values: &mut [V], rows: &[T], (width, place): (usize, usize), made: impl Fn(T) -> V) {
    values.iter_mut().zip(rows.chunks_exact(width)).for_each(|(value, row)| *value = made(row[place]));
}
