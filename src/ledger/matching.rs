//! Which lines fall in which atom of which customer: the hot path.
//!
//! Blocks of 65,536 lines whose days lie outside all windows are passed over by their first and last day. In the others each line's day is looked
//! up in a table of spans, then its customer, then its product. What remains are *hits*, in row order.

use hashbrown::{HashMap, HashSet};
use polars::prelude::{BooleanType, PolarsDataType};

use super::Ledger;
use super::frames::IdColumn;
use super::lookup::{Codes, Keys, Lookup, NONE, text_key};
use super::scan::BLOCK;
use crate::cells::CellRequest;
use crate::cells::{MarkdownRule, OfferRule, Partition, Role};
use crate::error::{Fault, Input, Problem, Result};
use crate::study::{Arm, Assignment, DaySpan, Period};

/// A line of an assigned customer in a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) customer: u32,
    /// Within the chunk.
    pub(super) row: u32,
    /// Index into the partition's products, [`NONE`] for others.
    pub(super) product: u32,
    pub(super) atom: u16,
    pub(super) span: u8,
    pub(super) offer: bool,
}

/// The hits of one block of lines.
#[derive(Debug, Default)]
pub(super) struct BlockHits {
    pub(super) hits: Vec<Hit>,
    /// Lines in the windows, of customers not assigned.
    pub(super) outside_assignment: u64,
    /// Lines in the windows of each day, of customers assigned or not.
    pub(super) days: DayLines,
}

/// Counts of lines by day.
#[derive(Debug, Default)]
pub(super) struct DayLines {
    first: i32,
    lines: Vec<u32>,
}

impl DayLines {
    fn new(first: i32, last: i32) -> Self {
        Self { first, lines: vec![0; usize::try_from(i64::from(last) - i64::from(first) + 1).unwrap_or(0)] }
    }

    /// Counts lines of one day that follow each other.
    #[inline]
    fn add(&mut self, day: Option<i32>, lines: u32) {
        if let Some(count) = day.and_then(|day| self.lines.get_mut(day.wrapping_sub(self.first) as u32 as usize)) {
            *count += lines;
        }
    }

    /// The days with their counts.
    pub(super) fn days(&self) -> impl Iterator<Item = (i32, u32)> {
        self.lines.iter().enumerate().map(|(index, lines)| (self.first + index as i32, *lines))
    }
}

/// The id columns of some lines, kept alive while their slices are used.
pub(super) struct IdColumns {
    pub(super) customer: IdColumn,
    pub(super) product: IdColumn,
    pub(super) basket: Option<IdColumn>,
    store: Option<IdColumn>,
}

impl IdColumns {
    pub(super) fn new(ledger: &Ledger) -> Result<Self> {
        let optional = |name: &str, there: bool| if there { ledger.ids(name).map(Some) } else { Ok(None) };
        let has = ledger.kept.has;
        let (basket, store) = (optional("basket", has.basket)?, optional("store", has.store)?);
        Ok(Self { customer: ledger.ids("customer")?, product: ledger.ids("product")?, basket, store })
    }
}

/// What is asked of lines, ready to be matched with those of any ledger.
pub(super) struct Asked<'a> {
    partition: &'a Partition,
    assignment: &'a Assignment,
    customers: Lookup<'a>,
    products: Lookup<'a>,
    pub(super) first_day: i32,
    pub(super) last_day: i32,
    /// By day from `first_day`: 1 + the span, or 0.
    span_of_day: Vec<u8>,
    first_atoms: Vec<u16>,
    spans: usize,
    pub(super) sales: Sales,
    logged: HashSet<(u32, i32, u32)>,
}

impl<'a> Asked<'a> {
    /// The general sales by a flag are known once the lines are [looked through](Matcher::add_flags).
    pub(super) fn new(request: &CellRequest<'a>, integer_stores: bool) -> Self {
        let CellRequest { partition, assignment, .. } = *request;
        let first_day = partition.spans.iter().map(|s| s.days.first.epoch()).min().unwrap_or(0);
        let last_day = partition.spans.iter().map(|s| s.days.last.epoch()).max().unwrap_or(-1);
        let length = usize::try_from(i64::from(last_day) - i64::from(first_day) + 1).unwrap_or(0);
        let mut span_of_day = vec![0; length];
        for (span, number) in partition.spans.iter().zip(1_u8..) {
            for day in span.days.first.epoch()..=span.days.last.epoch() {
                span_of_day[(day - first_day) as usize] = number;
            }
        }
        let logged = match &partition.offer {
            OfferRule::Log(log) => log.iter().map(|r| (r.customer, r.day, r.product.unwrap_or(NONE))).collect(),
            _ => HashSet::new(),
        };
        let sales = match &partition.markdown {
            MarkdownRule::None => Sales::None,
            MarkdownRule::Flag => Sales::Flag(HashMap::new()),
            MarkdownRule::Calendar(_) => Sales::Calendar(Sales::calendar(&partition.markdown, integer_stores)),
        };
        Self {
            partition,
            assignment,
            customers: Lookup::new(&assignment.customers),
            products: Lookup::new(&partition.products),
            first_day,
            last_day,
            span_of_day,
            first_atoms: partition.first_atoms(),
            spans: partition.spans.len(),
            sales,
            logged,
        }
    }

    /// How many days there are from the first to the last of all windows.
    pub(super) fn days(&self) -> usize {
        self.span_of_day.len()
    }

    /// For each product of the partition the share of the promotion's days on which it is on general sale; `None` where that is not seen.
    pub(super) fn share_on_sale(&self, stores: usize) -> Vec<Option<f64>> {
        let Some(span) = days_of(self.partition, Period::Promotion) else { return Vec::new() };
        self.sales.share(self.partition.products.len(), span, stores)
    }

    fn is_offer(&self, hit: &Hit, day: i32, row: usize, discounts: &[&[f64]]) -> bool {
        match &self.partition.offer {
            OfferRule::None => false,
            OfferRule::Discounts(_) => discounts.iter().map(|column| column[row]).sum::<f64>() != 0.0,
            OfferRule::Target => self.assignment.arm[hit.customer as usize] == Arm::Target,
            OfferRule::Log(_) => self.logged.contains(&(hit.customer, day, hit.product)) || self.logged.contains(&(hit.customer, day, NONE)),
        }
    }
}

/// The days of the first span of a period.
fn days_of(partition: &Partition, period: Period) -> Option<DaySpan> {
    partition.spans.iter().find(|s| s.period == period).map(|s| s.days)
}

/// Everything needed to match a block of a ledger.
pub(super) struct Matcher<'a> {
    ledger: &'a Ledger,
    asked: &'a Asked<'a>,
    customers: Codes<'a>,
    pub(super) products: Codes<'a>,
    pub(super) stores: Option<Keys<'a>>,
    /// The general-sale flags by chunk.
    flags: Vec<Option<&'a BooleanArray>>,
}

/// A chunk of flags.
type BooleanArray = <BooleanType as PolarsDataType>::Array;

/// The chunks of the ledger's flag.
fn flags(ledger: &Ledger) -> Result<Vec<Option<&BooleanArray>>> {
    Ok(ledger.column("flag")?.bool()?.downcast_iter().map(Some).collect())
}

/// Which lines are on a general sale.
#[derive(Debug, Default)]
pub(super) enum Sales {
    /// Not told apart.
    #[default]
    None,
    /// The ledger's flag, checked: by product, day and store.
    Flag(HashMap<(u32, i32), (u32, u32)>),
    /// The calendar, by product: first day, last day, store key.
    Calendar(Vec<Vec<(i32, i32, Option<u64>)>>),
}

impl<'a> Matcher<'a> {
    pub(super) fn new(ledger: &'a Ledger, asked: &'a Asked<'a>, ids: &'a IdColumns) -> Result<Self> {
        let customers = asked.customers.bind(&ids.customer, "customer", Input::Assignment, &asked.assignment.customers)?;
        let products = asked.products.bind(&ids.product, "product", Input::Promotion, &asked.partition.products)?;
        let flags = if ledger.kept.has.flag { flags(ledger)? } else { Vec::new() };
        Ok(Self { ledger, asked, customers, products, stores: ids.store.as_ref().map(Keys::new), flags })
    }

    /// All hits of one block.
    pub(super) fn block(&self, chunk: usize, block: usize) -> Result<BlockHits> {
        let days = self.ledger.day_chunk(chunk)?;
        let from = block * BLOCK;
        let to = (from + BLOCK).min(days.len());
        let mut found = BlockHits::default();
        let (low, high) = self.ledger.blocks[chunk][block];
        if high < self.asked.first_day || low > self.asked.last_day {
            return Ok(found);
        }
        found.days = DayLines::new(low.max(self.asked.first_day), high.min(self.asked.last_day));
        match &self.customers {
            Codes::Integers(lookup, chunks) => {
                self.candidates(&days[from..to], from, chunks[chunk][from..to].iter().copied(), |id| lookup.get(*id), &mut found);
            }
            Codes::Texts(lookup, chunks) => {
                let ids = (from..to).map(|row| chunks[chunk].value(row));
                self.candidates(&days[from..to], from, ids, |id| lookup.get(*id).copied().unwrap_or(NONE), &mut found);
            }
        }
        self.classify(chunk, days, &mut found)?;
        Ok(found)
    }

    /// Lines in a window of an assigned customer. Lines of one basket stand together and of one day too: a day or a customer that repeats the line
    /// before is not looked up again.
    fn candidates<I: PartialEq>(&self, days: &[i32], from: usize, ids: impl Iterator<Item = I>, lookup: impl Fn(&I) -> u32, found: &mut BlockHits) {
        let (first_day, span_of_day) = (self.asked.first_day, self.asked.span_of_day.as_slice());
        let mut outside_assignment = 0;
        let (mut last_day, mut span, mut day_begins) = (None, 0, from as u32);
        let (mut last_id, mut code) = (None, NONE);
        for ((&day, id), row) in days.iter().zip(ids).zip(from as u32..) {
            if last_day != Some(day) {
                found.days.add(last_day, row - day_begins);
                day_begins = row;
                last_day = Some(day);
                span = span_of_day.get(day.wrapping_sub(first_day) as u32 as usize).copied().unwrap_or(0);
            }
            if span == 0 {
                continue;
            }
            if last_id.as_ref() != Some(&id) {
                code = lookup(&id);
                last_id = Some(id);
            }
            if code == NONE {
                outside_assignment += 1;
                continue;
            }
            found.hits.push(Hit { customer: code, row, product: NONE, atom: 0, span: span - 1, offer: false });
        }
        found.days.add(last_day, (from + days.len()) as u32 - day_begins);
        found.outside_assignment += outside_assignment;
    }

    /// Product, atom and flags of each hit.
    fn classify(&self, chunk: usize, days: &[i32], found: &mut BlockHits) -> Result<()> {
        let asked = self.asked;
        let partition = asked.partition;
        let discounts = match &partition.offer {
            OfferRule::Discounts(columns) => columns.iter().map(|c| self.ledger.number_chunk(c, chunk)).collect::<Result<Vec<_>>>()?,
            _ => Vec::new(),
        };
        for hit in &mut found.hits {
            let row = hit.row as usize;
            hit.product = self.products.get(chunk, row);
            let class = class_of(partition, hit.product);
            let span = usize::from(hit.span);
            hit.atom = asked.first_atoms[class * asked.spans + span];
            let splits = partition.splits(partition.classes[class], &partition.spans[span]);
            if splits.offer {
                hit.offer = asked.is_offer(hit, days[row], row, &discounts);
                hit.atom += u16::from(hit.offer);
            }
            if splits.marked_down && self.on_sale(hit.product, days[row], chunk, row) {
                hit.atom += 1 + u16::from(splits.offer);
            }
        }
        Ok(())
    }

    fn on_sale(&self, product: u32, day: i32, chunk: usize, row: usize) -> bool {
        self.asked.sales.hold(product, day, || self.flag(chunk, row), || self.stores.as_ref().and_then(|keys| keys.get(chunk, row)))
    }

    fn flag(&self, chunk: usize, row: usize) -> bool {
        self.flags.get(chunk).copied().flatten().is_some_and(|flags| flags.value(row))
    }

    /// Adds the flag of every listed product, day and store of the promotion, for all lines of the ledger, of which so many stand before: it must not depend
    /// on the customer.
    pub(super) fn add_flags(&self, flags: &mut Flags, before: u64) -> Result<()> {
        let Some(promotion) = days_of(self.asked.partition, Period::Promotion) else { return Ok(()) };
        let mut offset = before as usize;
        for chunk in 0..self.ledger.chunks() {
            let days = self.ledger.day_chunk(chunk)?;
            for (row, &day) in days.iter().enumerate().filter(|(_, day)| promotion.contains(crate::study::Day::from_epoch(**day))) {
                let product = self.products.get(chunk, row);
                if product == NONE {
                    continue;
                }
                let store = self.stores.as_ref().and_then(|keys| keys.get(chunk, row)).unwrap_or(0);
                flags.add(product, day, store, self.flag(chunk, row), offset + row);
            }
            offset += days.len();
        }
        Ok(())
    }
}

impl Sales {
    /// The days on sale of a calendar, with stores as keys; nothing for other rules.
    pub(super) fn calendar(rule: &MarkdownRule, integer_stores: bool) -> Vec<Vec<(i32, i32, Option<u64>)>> {
        let MarkdownRule::Calendar(by_product) = rule else { return Vec::new() };
        // A text that is no integer is no integer store: i64::MIN is the mark of a null and never a key.
        let key = |store: &String| if integer_stores { store.trim().parse::<i64>().unwrap_or(i64::MIN) as u64 } else { text_key(store) };
        let days = |sales: &Vec<crate::cells::SaleDays>| sales.iter().map(|s| (s.days.first.epoch(), s.days.last.epoch(), s.store.as_ref().map(key))).collect();
        by_product.iter().map(days).collect()
    }

    /// Whether a line is on sale.
    #[inline]
    pub(super) fn hold(&self, product: u32, day: i32, flag: impl Fn() -> bool, store: impl Fn() -> Option<u64>) -> bool {
        match self {
            Self::None => false,
            Self::Flag(_) => flag(),
            Self::Calendar(by_product) => by_product
                .get(product as usize)
                .is_some_and(|sales| sales.iter().any(|(first, last, at)| *first <= day && day <= *last && (at.is_none() || *at == store()))),
        }
    }

    /// For each of so many products the share of some days on which it is on general sale; nothing where sales are not told apart.
    pub(super) fn share(&self, products: usize, span: DaySpan, stores: usize) -> Vec<Option<f64>> {
        let (first, last) = (span.first.epoch(), span.last.epoch());
        match self {
            Self::None => Vec::new(),
            Self::Flag(by_day) => {
                let mut seen: Vec<Vec<(i32, f64)>> = vec![Vec::new(); products];
                for ((product, day), (stores, on_sale)) in by_day {
                    seen[*product as usize].push((*day, f64::from(*on_sale) / f64::from(*stores)));
                }
                seen.into_iter().map(|days| seen_share(days, first, last)).collect()
            }
            Self::Calendar(by_product) => by_product.iter().map(|sales| Some(calendar_share(sales, first, last, stores))).collect(),
        }
    }
}

/// The flag of each product, day and store, which must be one.
#[derive(Debug, Default)]
pub(super) struct Flags {
    seen: HashMap<(u32, i32, u64), bool>,
    differing: usize,
    /// Row, product and day of the first line that differs.
    first: Option<(usize, u32, i32)>,
}

impl Flags {
    /// Adds a line; lines come in the order of rows.
    pub(super) fn add(&mut self, product: u32, day: i32, store: u64, flag: bool, row: usize) {
        if *self.seen.entry((product, day, store)).or_insert(flag) != flag {
            self.differing += 1;
            self.first.get_or_insert((row, product, day));
        }
    }

    /// Whether a flag differs.
    pub(super) fn differ(&self) -> bool {
        self.first.is_some()
    }

    /// For each product and day how many stores were seen, and in how many it was on sale.
    pub(super) fn finish(self, partition: &Partition) -> Result<HashMap<(u32, i32), (u32, u32)>> {
        if let Some((row, product, day)) = self.first {
            return Err(Problem::new(Input::Transactions, Fault::FlagDiffers, "the general-sale flag differs within a product and day")
                .column("markdown")
                .first(row)
                .value(format!("product {}, {}", partition.products.text(product as usize), crate::study::Day::from_epoch(day)))
                .count(self.differing)
                .remedy("The flag must come from the calendar, never from the price the customer chose to pay; give calendar_file, or a flag that is constant within product and day (and store)")
                .into());
        }
        let mut by_day: HashMap<(u32, i32), (u32, u32)> = HashMap::new();
        for ((product, day, _), flag) in self.seen {
            let entry = by_day.entry((product, day)).or_default();
            entry.0 += 1;
            entry.1 += u32::from(flag);
        }
        Ok(by_day)
    }
}

/// The mean share on general sale by role (focal, substitute, other) of the products where it is seen; `None` where sales are not told apart.
pub(super) fn on_sale_by_role(partition: &Partition, share: &[Option<f64>]) -> Option<[f64; 3]> {
    let mut sums = [(0.0, 0.0); 3];
    for (product, share) in share.iter().enumerate() {
        if let Some(share) = share {
            let sum = &mut sums[role_of(partition, product as u32) as usize];
            sum.0 += share;
            sum.1 += 1.0;
        }
    }
    (!share.is_empty()).then(|| sums.map(|(sum, n)| if n > 0.0 { sum / n } else { 0.0 }))
}

/// The mean over days of the share of stores in which a product is on sale, where that is seen on some days only: a day on which nobody bought the product
/// has the flag of the nearest day on which somebody did, of two equally near ones the earlier. Days with a sale alone would count general sales too
/// often, since they sell more.
fn seen_share(mut seen: Vec<(i32, f64)>, first: i32, last: i32) -> Option<f64> {
    seen.sort_unstable_by_key(|(day, _)| *day);
    let (mut at, mut sum) = (0, 0.0);
    for day in first..=last {
        while seen.get(at + 1).is_some_and(|(next, _)| (next - day).abs() < (day - seen[at].0).abs()) {
            at += 1;
        }
        sum += seen.get(at)?.1;
    }
    Some(sum / f64::from(last - first + 1))
}

/// The mean over days of the share of stores in which a product is on sale.
fn calendar_share(sales: &[(i32, i32, Option<u64>)], first: i32, last: i32, stores: usize) -> f64 {
    let mut sum = 0.0;
    for day in first..=last {
        let running = || sales.iter().filter(|(from, to, _)| *from <= day && day <= *to);
        if running().any(|(_, _, store)| store.is_none()) {
            sum += 1.0;
        } else {
            let distinct: HashSet<_> = running().map(|(_, _, store)| store).collect();
            sum += (distinct.len() as f64 / stores.max(1) as f64).min(1.0);
        }
    }
    sum / f64::from(last - first + 1)
}

/// The class of a product of the partition; unlisted products are in the first.
pub(super) fn class_of(partition: &Partition, product: u32) -> usize {
    partition.class_of_product.get(product as usize).map_or(0, |c| usize::from(*c))
}

/// The role of a product of the partition.
pub(super) fn role_of(partition: &Partition, product: u32) -> Role {
    partition.classes[class_of(partition, product)].role
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_without_a_sale_has_the_flag_of_the_nearest_day_with_one() {
        // Ten days, on sale on the first four; bought on days 2, 3, 4 and 9 only. Days 5 and 6 are nearer to 4, days 7 and 8 to 9.
        let seen = vec![(9, 0.0), (2, 1.0), (4, 1.0), (3, 1.0)];
        assert_eq!(seen_share(seen.clone(), 1, 10), Some(0.6));
        assert_eq!(seen_share(seen, 1, 4), Some(1.0));
        assert_eq!(seen_share(vec![(5, 0.5)], 1, 10), Some(0.5));
        // Day 2 is as near to 1 as to 3: the earlier counts.
        assert_eq!(seen_share(vec![(1, 1.0), (3, 0.0)], 1, 3), Some(2.0 / 3.0));
        assert_eq!(seen_share(Vec::new(), 1, 10), None);
    }

    #[test]
    fn a_flag_seen_every_day_says_what_the_calendar_says() {
        let sales = [(3, 5, None), (9, 12, None)];
        let seen = (1..=10).map(|day| (day, f64::from(u8::from(sales.iter().any(|(first, last, _)| (*first..=*last).contains(&day)))))).collect();
        assert_eq!(seen_share(seen, 1, 10), Some(calendar_share(&sales, 1, 10, 1)));
    }
}
