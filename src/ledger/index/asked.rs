//! What a promotion asks of the index, prepared: products by code, spans by day, and how lines fall into atoms.

use std::ops::Range;

use hashbrown::HashSet;
use rayon::prelude::*;

use super::LedgerIndex;
use super::cells::CUSTOMERS;
use super::flags::checked_flags;
use super::segment::Segment;
use crate::cells::{Atom, MarkdownRule, OfferRule, Partition, Splits};
use crate::error::{Input, Result};
use crate::ledger::lookup::{Lookup, NONE};
use crate::ledger::matching::Sales;
use crate::ledger::visits;
use crate::study::{Arm, Assignment, Ids, Period};

/// A product that the product table does not list.
const UNLISTED: u16 = 1 << 8;
/// A listed product without a category.
const WITHOUT_CATEGORY: u16 = 1 << 9;

/// What is known of a product by its code: its class in the lower eight bits, and what is counted of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind(u16);

impl Kind {
    #[inline]
    pub(super) fn class(self) -> usize {
        usize::from(self.0 & 0xff)
    }

    #[inline]
    pub(super) fn is_unlisted(self) -> u64 {
        u64::from(self.0 >> 8 & 1)
    }

    #[inline]
    pub(super) fn is_without_category(self) -> u64 {
        u64::from(self.0 >> 9 & 1)
    }
}

/// How lines fall into atoms.
pub(super) struct Asked<'a> {
    pub(super) index: &'a LedgerIndex,
    pub(super) partition: &'a Partition,
    pub(super) assignment: &'a Assignment,
    /// By product code.
    pub(super) kinds: Vec<Kind>,
    /// Whether a product is unlisted or without a category.
    has_odd_kinds: bool,
    /// By product code the product of the partition, [`NONE`] for others.
    pub(super) products: Vec<u32>,
    pub(super) atoms: Vec<Atom>,
    /// The first atom of each span and class, span-major.
    first_atoms: Vec<u16>,
    /// Which flags are told apart in each span and class, span-major.
    splits: Vec<Splits>,
    /// By atom the bits of its role, span and offer, where baskets are counted.
    pub(super) bits: Vec<u32>,
    /// By segment, the places of each span among its days.
    windows: Vec<Vec<Range<usize>>>,
    pub(super) sales: Sales,
    logged: HashSet<(u32, i32, u32)>,
    /// The numbers in which an offer line differs from 0.
    offers: Vec<usize>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(index: &'a LedgerIndex, partition: &'a Partition, assignment: &'a Assignment) -> Result<Self> {
        let products = products(index, partition)?;
        let kinds: Vec<Kind> = products.iter().map(|product| kind(partition, *product)).collect();
        let (classes, spans) = (partition.classes.len(), partition.spans.len());
        let by_class = partition.first_atoms();
        let places = || (0..spans).flat_map(|span| (0..classes).map(move |class| (class, span)));
        let atoms = partition.atoms();
        let offer = |atom: &Atom| visits::bits(atom.class.role, atom.span as u8, atom.offer == Some(true));
        let window = |segment: &Segment| partition.spans.iter().map(|s| segment.days_within(s.days.first.epoch(), s.days.last.epoch())).collect();
        let logged = match &partition.offer {
            OfferRule::Log(log) => log.iter().map(|r| (r.customer, r.day, r.product.unwrap_or(NONE))).collect(),
            _ => HashSet::new(),
        };
        let offers = match &partition.offer {
            OfferRule::Discounts(columns) => columns.iter().map(|column| index.number(column)).collect::<Result<_>>()?,
            _ => Vec::new(),
        };
        let sales = match &partition.markdown {
            MarkdownRule::None => Sales::None,
            MarkdownRule::Flag => {
                let promotion = partition.spans.iter().find(|s| s.period == Period::Promotion).map(|s| s.days);
                Sales::Flag(checked_flags(index, partition, &products, promotion)?)
            }
            MarkdownRule::Calendar(_) => Sales::Calendar(Sales::calendar(&partition.markdown, index.has_integer_stores())),
        };
        Ok(Self {
            index,
            partition,
            assignment,
            has_odd_kinds: kinds.iter().any(|kind| kind.0 > u16::from(u8::MAX)),
            kinds,
            products,
            first_atoms: places().map(|(class, span)| by_class[class * spans + span]).collect(),
            splits: places().map(|(class, span)| partition.splits(partition.classes[class], &partition.spans[span])).collect(),
            bits: if partition.baskets { atoms.iter().map(offer).collect() } else { Vec::new() },
            atoms,
            windows: index.segments.iter().map(window).collect(),
            sales,
            logged,
            offers,
        })
    }

    /// The segments that have lines in the windows, with the places of the spans among their days.
    pub(super) fn segments(&self) -> impl Iterator<Item = (&'a Segment, &[Range<usize>])> {
        let windows = self.index.segments.iter().zip(&self.windows);
        windows.filter(|(_, windows)| windows.iter().any(|days| !days.is_empty())).map(|(segment, windows)| (segment, windows.as_slice()))
    }

    /// The runs of a customer's lines in each span that has any, in the order of time.
    #[inline]
    pub(super) fn runs(segment: &Segment, windows: &[Range<usize>], customer: u32, run: impl FnMut(usize, Range<usize>)) {
        Self::runs_of(segment, windows, segment.lines_of(customer), run);
    }

    /// The same where the lines of the customer are known.
    #[inline]
    pub(super) fn runs_of(segment: &Segment, windows: &[Range<usize>], lines: Range<usize>, mut run: impl FnMut(usize, Range<usize>)) {
        let days = &segment.day[lines.clone()];
        // Windows mostly follow each other, so that the end of one is the beginning of the next.
        let (mut from, mut known) = (0, 0);
        for (span, window) in windows.iter().enumerate() {
            if window.start > known {
                from += before(&days[from..], window.start);
            }
            let to = from + before(&days[from..], window.end);
            if to > from {
                run(span, lines.start + from..lines.start + to);
            }
            (from, known) = (to, window.end.max(known));
        }
    }

    /// The atoms of the lines of a run, and how many of them are unlisted or without a category.
    #[inline]
    pub(super) fn atoms_of(&self, segment: &Segment, customer: u32, span: usize, run: Range<usize>, atoms: &mut Vec<u16>) -> (u64, u64) {
        let (mut unlisted, mut without_category) = (0, 0);
        let classes = self.partition.classes.len();
        let first_atoms = &self.first_atoms[span * classes..][..classes];
        let splits = &self.splits[span * classes..][..classes];
        if splits.iter().any(|splits| splits.offer || splits.marked_down) {
            for at in run {
                let kind = self.kinds[segment.product[at] as usize];
                unlisted += kind.is_unlisted();
                without_category += kind.is_without_category();
                atoms.push(first_atoms[kind.class()] + self.within(segment, customer, at, splits[kind.class()]));
            }
        } else if !self.has_odd_kinds {
            atoms.extend(segment.product[run].iter().map(|product| first_atoms[usize::from(self.kinds[*product as usize].0)]));
        } else {
            atoms.extend(segment.product[run].iter().map(|product| {
                let kind = self.kinds[*product as usize];
                unlisted += kind.is_unlisted();
                without_category += kind.is_without_category();
                first_atoms[kind.class()]
            }));
        }
        (unlisted, without_category)
    }

    /// Which of the atoms of its class and span a line is in.
    fn within(&self, segment: &Segment, customer: u32, at: usize, splits: Splits) -> u16 {
        let mut atom = u16::from(splits.offer && self.is_offer(segment, customer, at));
        if splits.marked_down {
            let (product, day) = (self.products[segment.product[at] as usize], segment.day_of(at));
            let flag = || segment.flag.as_ref().is_some_and(|flags| flags[at] == 1);
            let store = || segment.store.as_ref().and_then(|stores| self.index.store_key(stores[at]));
            atom += if self.sales.hold(product, day, flag, store) { 1 + u16::from(splits.offer) } else { 0 };
        }
        atom
    }

    fn is_offer(&self, segment: &Segment, customer: u32, at: usize) -> bool {
        match &self.partition.offer {
            OfferRule::None => false,
            OfferRule::Discounts(_) => match self.offers.as_slice() {
                [number] => segment.numbers[*number].is_nonzero(at),
                several => several.iter().map(|number| segment.numbers[*number].get(at)).sum::<f64>() != 0.0,
            },
            OfferRule::Target => self.assignment.arm[customer as usize] == Arm::Target,
            OfferRule::Log(_) => {
                let (product, day) = (self.products[segment.product[at] as usize], segment.day_of(at));
                self.logged.contains(&(customer, day, product)) || self.logged.contains(&(customer, day, NONE))
            }
        }
    }
}

/// How many of the days, which are in order, lie before one: counted where they are few, which needs no guess of where to look next.
#[inline]
fn before(days: &[u16], day: usize) -> usize {
    const FEW: usize = 192;
    let Ok(day) = u16::try_from(day) else { return days.len() };
    if days.len() > FEW {
        return days.partition_point(|d| *d < day);
    }
    usize::from(days.iter().map(|d| u16::from(*d < day)).sum::<u16>())
}

fn kind(partition: &Partition, product: u32) -> Kind {
    let class = u16::from(partition.class_of_product.get(product as usize).copied().unwrap_or(0));
    let listed = (product as usize) < partition.listed;
    let without_category = listed && partition.without_category.get(product as usize).copied().unwrap_or(false);
    Kind(class | if listed { 0 } else { UNLISTED } | if without_category { WITHOUT_CATEGORY } else { 0 })
}

/// By product code the product of the partition, [`NONE`] for others. The partition of a study that was planned on this index lists the product table first.
fn products(index: &LedgerIndex, partition: &Partition) -> Result<Vec<u32>> {
    let (table, listed) = (&index.kept.products.ids, index.kept.products.len());
    if partition.listed != listed || !begins_with(&partition.products, table) {
        return by_id(index, &partition.products, 0).map(|found| found.unwrap_or_else(|| vec![NONE; index.products.len()]));
    }
    let mut products = index.listed.clone();
    if partition.products.len() > listed
        && let Some(found) = by_id(index, &partition.products, listed)?
    {
        products.iter_mut().zip(found).filter(|(product, _)| **product == NONE).for_each(|(product, found)| *product = found);
    }
    Ok(products)
}

fn begins_with(ids: &Ids, first: &Ids) -> bool {
    match (ids, first) {
        (Ids::Integers(ids), Ids::Integers(first)) => ids.starts_with(first),
        (Ids::Texts(ids), Ids::Texts(first)) => ids.starts_with(first),
        // Without a product table the ids are those of the selections.
        (_, first) => first.is_empty(),
    }
}

/// By product code the place of its id in a list, from some place on; `None` where no id of the list is known.
fn by_id(index: &LedgerIndex, ids: &Ids, from: usize) -> Result<Option<Vec<u32>>> {
    let codes = index
        .products
        .codes(&slice(ids, from))
        .ok_or_else(|| crate::Error::from(Lookup::id_types(ids.kind(), index.products.kind(), "product", Input::Promotion)))?;
    if codes.iter().all(|code| *code == NONE) {
        return Ok(None);
    }
    let mut products = vec![NONE; index.products.len()];
    for (code, place) in codes.iter().zip(from as u32..).filter(|(code, _)| **code != NONE) {
        products[*code as usize] = place;
    }
    Ok(Some(products))
}

fn slice(ids: &Ids, from: usize) -> Ids {
    match ids {
        Ids::Integers(ids) => Ids::Integers(ids[from..].to_vec()),
        Ids::Texts(ids) => Ids::Texts(ids[from..].to_vec()),
    }
}

/// Code and row of the customers of an assignment: [`CUSTOMERS`] that stand together in it after the other, among these by code, which is their order in memory.
/// Each code stands there once; those not known have [`NONE`].
pub(super) fn places(index: &LedgerIndex, assignment: &Assignment) -> Result<Vec<(u32, u32)>> {
    let ids = &assignment.customers;
    let codes =
        index.customers.codes(ids).ok_or_else(|| crate::Error::from(Lookup::id_types(ids.kind(), index.customers.kind(), "customer", Input::Assignment)))?;
    let mut places: Vec<(u32, u32)> = codes.into_iter().zip(0..).collect();
    // A customer that stands twice has its lines where it stands last.
    let mut is_placed = vec![false; index.customers.len()];
    for (code, _) in places.iter_mut().rev() {
        if is_placed.get_mut(*code as usize).is_none_or(|is_placed| std::mem::replace(is_placed, true)) {
            *code = NONE;
        }
    }
    places.par_chunks_mut(CUSTOMERS).for_each(<[_]>::sort_unstable);
    Ok(places)
}
