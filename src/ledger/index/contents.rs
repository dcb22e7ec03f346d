//! What stands in the file of an index, part by part, and whether the parts fit to each other.

use super::columns::{BasketKeys, Numbers};
use super::file::Broken;
use super::flags::FlagDay;
use super::ids::{Dictionary, Texts};
use super::segment::Segment;
use super::words::{Out, Reading, Source};
use super::{LedgerIndex, products};
use crate::error::Result;
use crate::ledger::kept::{Has, Kept, Number};
use crate::study::{Day, DaySpan};

impl LedgerIndex {
    pub(super) fn write(&self, out: &mut Out) -> Result<()> {
        write_kept(&self.kept, out)?;
        write_dictionary(&self.customers, out)?;
        write_dictionary(&self.products, out)?;
        out.option(self.stores.as_ref(), |out, stores| write_dictionary(stores, out))?;
        out.number(self.texts.len() as u64)?;
        self.texts.iter().try_for_each(|texts| write_dictionary(texts, out))?;
        out.number(self.segments.len() as u64)?;
        self.segments.iter().try_for_each(|segment| write_segment(segment, out))
    }

    pub(super) fn read(source: &mut Source) -> Reading<Self> {
        let mut index = Self {
            kept: read_kept(source)?,
            lines: 0,
            customers: read_dictionary(source)?,
            products: read_dictionary(source)?,
            stores: source.option(read_dictionary)?,
            texts: source.many(read_dictionary)?,
            listed: Vec::new(),
            segments: source.many(read_segment)?,
            spellings: Default::default(),
        };
        index.lines = index.segments.iter().map(|segment| segment.len() as u64).sum();
        index.list_products();
        Ok(index)
    }

    /// Whether every code and every length fits to the others.
    pub(super) fn is_sound(&self) -> bool {
        let below = |codes: &[u32], length: usize| codes.iter().all(|code| (*code as usize) < length);
        let mut first_row = 0;
        self.texts.len() == self.kept.texts.len()
            && self.stores.is_some() == self.kept.has.store
            && self.segments.iter().all(|segment| {
                let lines = segment.len();
                let texts = segment.texts.iter().zip(&self.texts).all(|(codes, dictionary)| codes.len() == lines && below(codes, dictionary.len()));
                let stores = match (&segment.store, &self.stores) {
                    (Some(codes), Some(stores)) => codes.len() == lines && below(codes, stores.len()),
                    (None, None) => true,
                    _ => false,
                };
                let in_order = segment.first_row == first_row;
                first_row += lines as u64;
                in_order
                    && texts
                    && stores
                    && segment.texts.len() == self.texts.len()
                    && segment.numbers.len() == self.kept.numbers.len()
                    && is_sound(segment, self.kept.has)
                    && segment.customers.last().is_none_or(|code| (*code as usize) < self.customers.len())
                    && segment.product.len() == lines
                    && below(&segment.product, self.products.len())
                    && segment.flag_days.iter().all(|entry| (entry.product as usize) < self.products.len() && usize::from(entry.day) < segment.days.len())
            })
    }
}

/// Whether the lists of a segment fit to each other.
fn is_sound(segment: &Segment, has: Has) -> bool {
    let lines = segment.len();
    let numbers = segment.numbers.iter().chain(&segment.unit_cost).chain(&segment.vat).all(|numbers| numbers.is_sound() && numbers.len() == lines);
    numbers
        && segment.exact.len() == segment.numbers.len()
        && segment.customers.is_sorted_by(|a, b| a < b)
        && segment.starts.len() == segment.customers.len() + 1
        && segment.starts.is_sorted()
        && segment.starts.first() == Some(&0)
        && segment.starts.last().map(|end| *end as usize) == Some(lines)
        && segment.days.is_sorted_by(|a, b| a < b)
        && segment.days.len() == segment.lines_by_day.len()
        && segment.day.len() == lines
        && segment.day.iter().all(|day| usize::from(*day) < segment.days.len())
        && segment.basket.as_ref().map(BasketKeys::len) == has.basket.then_some(lines)
        && segment.unit_cost.is_some() == has.unit_cost
        && segment.vat.is_some() == has.vat
        && segment.flag.as_ref().map(Vec::len) == has.flag.then_some(lines)
        && segment.flag.iter().flatten().all(|flag| *flag < 2)
}

fn write_kept(kept: &Kept, out: &mut Out) -> Result<()> {
    out.texts(kept.numbers.iter().map(|n| n.name.as_str()))?;
    out.texts(kept.numbers.iter().map(|n| n.in_frame.as_str()))?;
    out.list(&kept.numbers.iter().map(|n| n.nulls as u64).collect::<Vec<_>>())?;
    out.texts(kept.texts.iter().map(String::as_str))?;
    out.texts(kept.user_measures.iter().map(String::as_str))?;
    let Has { basket, store, unit_cost, flag, vat } = kept.has;
    out.list_of(&[basket, store, unit_cost, flag, vat].map(u64::from))?;
    out.list_of(&[kept.days.first, kept.days.last].map(|day| i64::from(day.epoch())))?;
    products::write(&kept.products, out)
}

fn read_kept(source: &mut Source) -> Reading<Kept> {
    let (names, in_frame, nulls) = (source.texts()?, source.texts()?, source.list::<u64>()?);
    if in_frame.len() != names.len() || nulls.len() != names.len() {
        return Err(Broken::Changed);
    }
    let numbers = names.into_iter().zip(in_frame).zip(nulls).map(|((name, in_frame), nulls)| Number { name, in_frame, nulls: nulls as usize }).collect();
    let (texts, user_measures) = (source.texts()?, source.texts()?);
    let has = Has { basket: source.flag()?, store: source.flag()?, unit_cost: source.flag()?, flag: source.flag()?, vat: source.flag()? };
    let days = source.list_of::<i64>(2)?;
    let day = |at: usize| i32::try_from(days[at]).map(Day::from_epoch).map_err(|_| Broken::Changed);
    let days = DaySpan::new(day(0)?, day(1)?).ok_or(Broken::Changed)?;
    Ok(Kept { numbers, texts, has, products: products::read(source)?, days, user_measures })
}

fn write_dictionary(dictionary: &Dictionary, out: &mut Out) -> Result<()> {
    match dictionary {
        Dictionary::Integers { ids, .. } => {
            out.number(0)?;
            out.list(ids)
        }
        Dictionary::Texts(texts) => {
            out.number(1)?;
            out.texts(texts.list().iter().map(String::as_str))?;
            out.option(texts.null(), |out, null| out.number(null.into()))
        }
    }
}

fn read_dictionary(source: &mut Source) -> Reading<Dictionary> {
    if !source.flag()? {
        return Ok(Dictionary::integers(source.list()?));
    }
    let texts = source.texts()?;
    let null = source.option(Source::number)?.map(|null| u32::try_from(null).map_err(|_| Broken::Changed)).transpose()?;
    Ok(Dictionary::Texts(Texts::new(texts, null)))
}

fn write_segment(segment: &Segment, out: &mut Out) -> Result<()> {
    out.number(segment.first_row)?;
    out.list(&segment.customers)?;
    out.list(&segment.starts)?;
    out.list(&segment.days)?;
    out.list(&segment.lines_by_day)?;
    out.list(&segment.rows)?;
    out.list(&segment.day)?;
    out.list(&segment.product)?;
    out.number(segment.numbers.len() as u64)?;
    segment.numbers.iter().try_for_each(|numbers| write_numbers(numbers, out))?;
    out.list(&segment.exact.iter().map(|exact| u8::from(*exact)).collect::<Vec<_>>())?;
    out.option(segment.unit_cost.as_ref(), |out, numbers| write_numbers(numbers, out))?;
    out.option(segment.vat.as_ref(), |out, numbers| write_numbers(numbers, out))?;
    out.option(segment.basket.as_ref(), |out, keys| match keys {
        BasketKeys::Narrow { first, keys } => {
            out.number(0)?;
            out.list_of(&[*first])?;
            out.list(keys)
        }
        BasketKeys::Wide(keys) => {
            out.number(1)?;
            out.list(keys)
        }
    })?;
    out.option(segment.store.as_ref(), |out, codes| out.list(codes))?;
    out.option(segment.flag.as_ref(), |out, flags| out.list(flags))?;
    out.number(segment.texts.len() as u64)?;
    segment.texts.iter().try_for_each(|codes| out.list(codes))?;
    out.list(&segment.flag_days.iter().map(|entry| entry.day).collect::<Vec<_>>())?;
    out.list(&segment.flag_days.iter().map(|entry| entry.seen).collect::<Vec<_>>())?;
    out.list(&segment.flag_days.iter().map(|entry| entry.product).collect::<Vec<_>>())?;
    out.list(&segment.flag_days.iter().map(|entry| entry.store).collect::<Vec<_>>())
}

fn read_segment(source: &mut Source) -> Reading<Segment> {
    Ok(Segment {
        first_row: source.number()?,
        customers: source.list()?,
        starts: source.list()?,
        days: source.list()?,
        lines_by_day: source.list()?,
        rows: source.list()?,
        day: source.list()?,
        product: source.list()?,
        numbers: source.many(read_numbers)?,
        exact: source.list::<u8>()?.into_iter().map(|exact| exact != 0).collect(),
        unit_cost: source.option(read_numbers)?,
        vat: source.option(read_numbers)?,
        basket: source.option(|source| {
            Ok(if source.flag()? { BasketKeys::Wide(source.list()?) } else { BasketKeys::Narrow { first: source.list_of::<i64>(1)?[0], keys: source.list()? } })
        })?,
        store: source.option(Source::list)?,
        flag: source.option(Source::list)?,
        texts: source.many(Source::list)?,
        flag_days: read_flag_days(source)?,
    })
}

fn read_flag_days(source: &mut Source) -> Reading<Vec<FlagDay>> {
    let (days, seen, products, stores) = (source.list::<u16>()?, source.list::<u8>()?, source.list::<u32>()?, source.list::<u32>()?);
    if [seen.len(), products.len(), stores.len()] != [days.len(); 3] {
        return Err(Broken::Changed);
    }
    let entry = |(((day, seen), product), store)| FlagDay { day, seen, product, store };
    Ok(days.into_iter().zip(seen).zip(products).zip(stores).map(entry).collect())
}

fn write_numbers(numbers: &Numbers, out: &mut Out) -> Result<()> {
    match numbers {
        Numbers::Ticks { ticks, ulps } => {
            out.number(0)?;
            out.list(ticks)?;
            out.option(ulps.as_ref(), |out, ulps| out.list(ulps))
        }
        Numbers::Real(values) => {
            out.number(1)?;
            out.list(values)
        }
    }
}

fn read_numbers(source: &mut Source) -> Reading<Numbers> {
    if source.flag()? {
        return Ok(Numbers::Real(source.list()?));
    }
    Ok(Numbers::Ticks { ticks: source.list()?, ulps: source.option(Source::list)? })
}
