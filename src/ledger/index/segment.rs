//! Lines in the order of customer, day and row: those of a ledger, or of several that were appended one after the other.

use std::ops::Range;

use rayon::prelude::*;

use super::LedgerIndex;
use super::columns::{BasketKeys, Numbers, in_order};
use super::flags::{FlagDay, flag_days};
use super::ids::{Dictionary, filled};
use crate::error::{Fault, Input, Problem, Result};
use crate::ledger::Ledger;
use crate::ledger::frames::{self, IdColumn};

/// Ordered lines, one value a line in every column.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// Rows of the whole before those of this segment.
    pub(super) first_row: u64,
    /// The codes of its customers, ascending, and where their lines begin; one more for the end.
    pub(super) customers: Vec<u32>,
    pub(super) starts: Vec<u32>,
    /// The days that lines have, ascending, and how many lines each has.
    pub(super) days: Vec<i32>,
    pub(super) lines_by_day: Vec<u64>,
    /// The row of each line, counted from `first_row`.
    pub(super) rows: Vec<u32>,
    /// The place of each line's day among `days`.
    pub(super) day: Vec<u16>,
    pub(super) product: Vec<u32>,
    /// In the order of the kept numbers.
    pub(super) numbers: Vec<Numbers>,
    /// Whether sums of each number are sums of whole ticks.
    pub(super) exact: Vec<bool>,
    pub(super) unit_cost: Option<Numbers>,
    pub(super) vat: Option<Numbers>,
    pub(super) basket: Option<BasketKeys>,
    pub(super) store: Option<Vec<u32>>,
    pub(super) flag: Option<Vec<u8>>,
    /// In the order of the kept texts.
    pub(super) texts: Vec<Vec<u32>>,
    /// The general-sale flags by day, product and store.
    pub(super) flag_days: Vec<FlagDay>,
}

impl Segment {
    /// The lines of a ledger; ids that the index does not know are learned.
    pub(super) fn new(ledger: &Ledger, index: &mut LedgerIndex) -> Result<Self> {
        if u32::try_from(ledger.len()).is_err() {
            return Err(unsupported("more than 4,294,967,295 lines at once").remedy("Append the lines in parts").into());
        }
        let lengths: Vec<usize> = (0..ledger.chunks()).map(|chunk| ledger.day_chunk(chunk).map(<[i32]>::len)).collect::<Result<_>>()?;
        let (days, day, lines_by_day) = days(ledger, &lengths)?;
        let customer = encoded(&mut index.customers, &ledger.ids("customer")?, "customer")?;
        let (customers, starts, mut rows) = by_customer(&customer, index.customers.len());
        drop(customer);
        by_day(&mut rows, &starts, &day);
        let day = in_order(&day, &rows);
        let product = in_order(&encoded(&mut index.products, &ledger.ids("product")?, "product")?, &rows);
        let store = match &mut index.stores {
            Some(stores) => Some(in_order(&encoded(stores, &ledger.ids("store")?, "store")?, &rows)),
            None => None,
        };
        let line = |there: bool, name: &str| {
            let chunks = || (0..lengths.len()).map(|chunk| ledger.line_chunk(name, chunk)).collect::<Result<Vec<_>>>();
            Ok::<_, crate::Error>(if there { Some(Numbers::new(&chunks()?, true).in_order(&rows)) } else { None })
        };
        let mut numbers = Vec::new();
        for number in &index.kept.numbers {
            let chunks = (0..lengths.len()).map(|chunk| ledger.number_chunk(&number.name, chunk)).collect::<Result<Vec<_>>>()?;
            numbers.push(Numbers::new(&chunks, false).in_order(&rows));
        }
        let has = index.kept.has;
        let (unit_cost, vat) = (line(has.unit_cost, "unit_cost")?, line(has.vat, "vat")?);
        let basket = if has.basket { Some(BasketKeys::new(&ledger.ids("basket")?, &lengths).in_order(&rows)) } else { None };
        let flag = if has.flag { Some(in_order(&flags(ledger, &lengths)?, &rows)) } else { None };
        let mut texts = Vec::new();
        for (name, dictionary) in index.kept.texts.iter().zip(&mut index.texts) {
            let column = IdColumn::Texts(frames::texts(&ledger.column(&format!("text:{name}"))?.clone().into())?);
            texts.push(in_order(&encoded(dictionary, &column, name)?, &rows));
        }
        let mut segment = Self {
            first_row: index.lines,
            customers,
            starts,
            days,
            lines_by_day,
            rows,
            day,
            product,
            exact: numbers.iter().map(Numbers::is_exact).collect(),
            numbers,
            unit_cost,
            vat,
            basket,
            store,
            flag,
            texts,
            flag_days: Vec::new(),
        };
        segment.flag_days = flag_days(&segment);
        Ok(segment)
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The lines of a customer.
    #[inline]
    pub(super) fn lines_of(&self, customer: u32) -> Range<usize> {
        // Where all customers have lines, the code is the place.
        let place = match self.customers.get(customer as usize) {
            Some(code) if *code == customer => Some(customer as usize),
            _ => self.customers.binary_search(&customer).ok(),
        };
        place.map_or(0..0, |place| self.starts[place] as usize..self.starts[place + 1] as usize)
    }

    /// The places among the days of the segment that lie in a range of days, both ends included.
    pub(super) fn days_within(&self, first: i32, last: i32) -> Range<usize> {
        self.days.partition_point(|day| *day < first)..self.days.partition_point(|day| *day <= last)
    }

    /// The day of a line.
    #[inline]
    pub(super) fn day_of(&self, at: usize) -> i32 {
        self.days[usize::from(self.day[at])]
    }

    /// The row of a line in the whole.
    #[inline]
    pub(super) fn row(&self, at: usize) -> u64 {
        self.first_row + u64::from(self.rows[at])
    }

    /// The lines of two segments, of which the second follows the first.
    pub(super) fn and(self, later: Self) -> Self {
        let (customers, starts, order) = meet(&self, &later);
        let offset = (later.first_row - self.first_row) as u32;
        let (days, places, more_places) = days_of_both(&self.days, &later.days);
        let chained = |first: Vec<u32>, more: Vec<u32>| in_order(&[first, more].concat(), &order);
        let pair = |first: Option<Numbers>, more: Option<Numbers>| first.zip(more).map(|(first, more)| first.and(more).in_order(&order));
        let day: Vec<u16> = self.day.iter().map(|day| places[usize::from(*day)]).chain(later.day.iter().map(|day| more_places[usize::from(*day)])).collect();
        let mut lines_by_day = vec![0; days.len()];
        let counts = places.iter().zip(&self.lines_by_day).chain(more_places.iter().zip(&later.lines_by_day));
        counts.for_each(|(place, lines)| lines_by_day[usize::from(*place)] += lines);
        let mut both = Self {
            first_row: self.first_row,
            customers,
            starts,
            days,
            lines_by_day,
            rows: chained(self.rows, later.rows.iter().map(|row| row + offset).collect()),
            day: in_order(&day, &order),
            product: chained(self.product, later.product),
            numbers: self.numbers.into_iter().zip(later.numbers).map(|(first, more)| first.and(more).in_order(&order)).collect(),
            exact: self.exact.iter().zip(&later.exact).map(|(first, more)| *first && *more).collect(),
            unit_cost: pair(self.unit_cost, later.unit_cost),
            vat: pair(self.vat, later.vat),
            basket: self.basket.zip(later.basket).map(|(first, more)| first.and(more).in_order(&order)),
            store: self.store.zip(later.store).map(|(first, more)| chained(first, more)),
            flag: self.flag.zip(later.flag).map(|(first, more)| in_order(&[first, more].concat(), &order)),
            texts: self.texts.into_iter().zip(later.texts).map(|(first, more)| chained(first, more)).collect(),
            flag_days: Vec::new(),
        };
        both.flag_days = flag_days(&both);
        both
    }

    /// Whether two segments can be one: rows and days are numbered so far and no further.
    pub(super) fn can_meet(&self, later: &Self) -> bool {
        let most = usize::from(u16::MAX) + 1;
        u32::try_from(self.len() + later.len()).is_ok() && (self.days.len() + later.days.len() <= most || days_of_both(&self.days, &later.days).0.len() <= most)
    }
}

/// The problem of a ledger that the index cannot hold.
fn unsupported(text: &str) -> Problem {
    Problem::new(Input::Transactions, Fault::Unsupported, format!("an index does not hold {text}"))
}

/// The codes of a column whose ids must be of the type that the index has.
fn encoded(dictionary: &mut Dictionary, column: &IdColumn, name: &str) -> Result<Vec<u32>> {
    let kind = dictionary.kind();
    dictionary.encode(column).ok_or_else(|| {
        let text = format!("{name} ids are {} here and {kind} in the index", column.kind());
        Problem::new(Input::Transactions, Fault::IdTypes, text)
            .column(name)
            .remedy("Cast the column, so that ids can meet: 7 and \"7\" are different ids")
            .into()
    })
}

/// The days that lines have, the place of each line's day among them, and how many lines each has.
fn days(ledger: &Ledger, lengths: &[usize]) -> Result<(Vec<i32>, Vec<u16>, Vec<u64>)> {
    let chunks: Vec<&[i32]> = (0..lengths.len()).map(|chunk| ledger.day_chunk(chunk)).collect::<Result<_>>()?;
    let distinct = |some: &[i32]| {
        let mut days: Vec<i32> = some.chunk_by(|a, b| a == b).map(|run| run[0]).collect();
        days.sort_unstable();
        days.dedup();
        days
    };
    let mut days: Vec<i32> = chunks.iter().flat_map(|chunk| chunk.par_chunks(1 << 16).map(distinct).collect::<Vec<_>>()).flatten().collect();
    days.sort_unstable();
    days.dedup();
    if days.len() > usize::from(u16::MAX) + 1 {
        let problem = unsupported("more than 65,536 different days").column("day").count(days.len());
        return Err(problem.remedy("Look for days that are none, or measure by the ledger itself").into());
    }
    let places = filled(lengths, |chunk, rows, out: &mut [u16]| {
        let mut last = (i32::MIN, u16::MAX);
        for (place, day) in out.iter_mut().zip(&chunks[chunk][rows]) {
            if last.0 != *day || last.1 == u16::MAX {
                last = (*day, days.binary_search(day).unwrap_or_default() as u16);
            }
            *place = last.1;
        }
    });
    let mut lines = vec![0_u64; days.len()];
    places.chunk_by(|a, b| a == b).for_each(|run| lines[usize::from(run[0])] += run.len() as u64);
    Ok((days, places, lines))
}

/// The flags of all lines in the order of rows.
fn flags(ledger: &Ledger, lengths: &[usize]) -> Result<Vec<u8>> {
    let mut flags = Vec::with_capacity(lengths.iter().sum());
    for array in ledger.column("flag")?.bool()?.downcast_iter() {
        flags.extend(array.values_iter().map(u8::from));
    }
    Ok(flags)
}

/// The customers that have lines, where those of each begin, and the rows of all lines customer by customer.
fn by_customer(codes: &[u32], known: usize) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let mut counts = vec![0_u32; known];
    codes.chunk_by(|a, b| a == b).for_each(|run| counts[run[0] as usize] += run.len() as u32);
    let mut ends = Vec::with_capacity(known);
    let mut end = 0;
    for count in &counts {
        end += count;
        ends.push(end);
    }
    let mut rows = vec![0_u32; codes.len()];
    // Each thread places the lines of its own customers, in the order of rows.
    let mut tasks = Vec::new();
    let (mut rest, mut begin) = (rows.as_mut_slice(), 0);
    let threads = rayon::current_num_threads().clamp(1, 16);
    for thread in 1..=threads {
        let upto = codes.len() * thread / threads;
        let to = if thread == threads { known } else { ends.partition_point(|end| *end as usize <= upto).max(begin) };
        let first = if begin == 0 { 0 } else { ends[begin - 1] };
        let last = if to == 0 { 0 } else { ends[to - 1] };
        let (mine, later) = rest.split_at_mut((last - first) as usize);
        tasks.push((begin as u32..to as u32, mine));
        (rest, begin) = (later, to);
    }
    tasks.into_par_iter().for_each(|(mine, rows)| place(codes, &counts, &mine, rows));
    let customers: Vec<u32> = (0..known as u32).filter(|code| counts[*code as usize] > 0).collect();
    let starts = [0].into_iter().chain(customers.iter().map(|code| ends[*code as usize])).collect();
    (customers, starts, rows)
}

/// Places the rows of some customers.
fn place(codes: &[u32], counts: &[u32], mine: &Range<u32>, rows: &mut [u32]) {
    let mut next = Vec::with_capacity(mine.len());
    let mut begin = 0_u32;
    for count in &counts[mine.start as usize..mine.end as usize] {
        next.push(begin);
        begin += count;
    }
    let mut row = 0_u32;
    for run in codes.chunk_by(|a, b| a == b) {
        if mine.contains(&run[0]) {
            let next = &mut next[(run[0] - mine.start) as usize];
            let slots = &mut rows[*next as usize..][..run.len()];
            slots.iter_mut().zip(row..).for_each(|(slot, row)| *slot = row);
            *next += run.len() as u32;
        }
        row += run.len() as u32;
    }
}

/// Orders the rows of each customer by day, those of one day as they were.
fn by_day(rows: &mut [u32], starts: &[u32], day: &[u16]) {
    if day.is_sorted() {
        return;
    }
    let mut customers = Vec::with_capacity(starts.len());
    let mut rest = rows;
    for lines in starts.windows(2) {
        let (mine, later) = rest.split_at_mut((lines[1] - lines[0]) as usize);
        customers.push(mine);
        rest = later;
    }
    customers.into_par_iter().with_min_len(64).for_each(|rows| {
        if !rows.is_sorted_by_key(|row| day[*row as usize]) {
            rows.sort_unstable_by_key(|row| (day[*row as usize], *row));
        }
    });
}

/// The customers of two segments, where the lines of each begin, and the order that makes one of the lines of both, one behind the other.
fn meet(first: &Segment, later: &Segment) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let mut customers: Vec<u32> = first.customers.iter().chain(&later.customers).copied().collect();
    customers.sort_unstable();
    customers.dedup();
    let offset = first.len();
    let (mut starts, mut order) = (Vec::with_capacity(customers.len() + 1), Vec::with_capacity(offset + later.len()));
    starts.push(0);
    for &customer in &customers {
        let (mut a, mut b) = (first.lines_of(customer).peekable(), later.lines_of(customer).peekable());
        // Of one day those of the first segment stand first: their rows do.
        while let Some(&at) = b.peek() {
            let day = later.day_of(at);
            while let Some(at) = a.next_if(|at| first.day_of(*at) <= day) {
                order.push(at as u32);
            }
            order.push((offset + at) as u32);
            b.next();
        }
        order.extend(a.map(|at| at as u32));
        starts.push(order.len() as u32);
    }
    (customers, starts, order)
}

/// The days of two lists, and where those of each stand among them.
fn days_of_both(first: &[i32], later: &[i32]) -> (Vec<i32>, Vec<u16>, Vec<u16>) {
    let mut days: Vec<i32> = first.iter().chain(later).copied().collect();
    days.sort_unstable();
    days.dedup();
    let places = |list: &[i32]| list.iter().map(|day| days.partition_point(|d| d < day) as u16).collect();
    let (places, more) = (places(first), places(later));
    (days, places, more)
}
