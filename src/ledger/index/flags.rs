//! General-sale flags by day, product and store, so that the flags of a promotion are found without its lines.

use hashbrown::HashMap;
use rayon::slice::ParallelSliceMut;

use super::LedgerIndex;
use super::segment::Segment;
use crate::cells::Partition;
use crate::error::Result;
use crate::ledger::lookup::NONE;
use crate::ledger::matching::Flags;
use crate::study::DaySpan;

/// The flags of the lines of one day, product and store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FlagDay {
    /// The place among the days of the segment.
    pub(super) day: u16,
    /// Bit 0: a line is not on sale; bit 1: one is.
    pub(super) seen: u8,
    pub(super) product: u32,
    pub(super) store: u32,
}

/// The flags of all lines of a segment, by day.
pub(super) fn flag_days(segment: &Segment) -> Vec<FlagDay> {
    let Some(flags) = &segment.flag else { return Vec::new() };
    let entry = |at: usize| FlagDay {
        day: segment.day[at],
        seen: 1 << flags[at],
        product: segment.product[at],
        store: segment.store.as_ref().map_or(NONE, |stores| stores[at]),
    };
    let mut days: Vec<FlagDay> = (0..segment.len()).map(entry).collect();
    let key = |entry: &FlagDay| (entry.day, entry.product, entry.store);
    days.par_sort_unstable_by_key(key);
    days.dedup_by(|later, kept| {
        let same = key(later) == key(kept);
        kept.seen |= if same { later.seen } else { 0 };
        same
    });
    days.shrink_to_fit();
    days
}

/// For each product and day of the promotion how many stores were seen, and in how many it was on sale. `products` are the products of the partition by code.
pub(super) fn checked_flags(
    index: &LedgerIndex,
    partition: &Partition,
    products: &[u32],
    promotion: Option<DaySpan>,
) -> Result<HashMap<(u32, i32), (u32, u32)>> {
    let Some(promotion) = promotion else { return Flags::default().finish(partition) };
    let store_key = |store: u32| index.store_key(store).unwrap_or(0);
    let mut flags = Flags::default();
    for segment in &index.segments {
        let days = segment.days_within(promotion.first.epoch(), promotion.last.epoch());
        let from = segment.flag_days.partition_point(|entry| usize::from(entry.day) < days.start);
        let within = segment.flag_days[from..].iter().take_while(|entry| usize::from(entry.day) < days.end);
        for entry in within.filter(|entry| products[entry.product as usize] != NONE) {
            let (product, day, store) = (products[entry.product as usize], segment.days[usize::from(entry.day)], store_key(entry.store));
            for flag in [false, true].into_iter().filter(|flag| entry.seen >> u8::from(*flag) & 1 == 1) {
                flags.add(product, day, store, flag, 0);
            }
        }
    }
    if flags.differ() { by_line(index, partition, products, promotion, store_key) } else { flags.finish(partition) }
}

/// The same from all lines of the promotion's days, in the order of rows, so that the first that differs is told.
fn by_line(
    index: &LedgerIndex,
    partition: &Partition,
    products: &[u32],
    promotion: DaySpan,
    store_key: impl Fn(u32) -> u64,
) -> Result<HashMap<(u32, i32), (u32, u32)>> {
    let mut flags = Flags::default();
    for segment in &index.segments {
        let days = segment.days_within(promotion.first.epoch(), promotion.last.epoch());
        let mut lines: Vec<usize> = (0..segment.len()).filter(|at| days.contains(&usize::from(segment.day[*at]))).collect();
        lines.sort_unstable_by_key(|at| segment.rows[*at]);
        for at in lines.into_iter().filter(|at| products[segment.product[*at] as usize] != NONE) {
            let store = store_key(segment.store.as_ref().map_or(NONE, |stores| stores[at]));
            let flag = segment.flag.as_ref().is_some_and(|flags| flags[at] == 1);
            flags.add(products[segment.product[at] as usize], segment.day_of(at), store, flag, segment.row(at) as usize);
        }
    }
    flags.finish(partition)
}
