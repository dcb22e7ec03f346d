//! From ids to dense codes.

use hashbrown::HashMap;
use polars::prelude::{PolarsDataType, StringType};

use super::frames::IdColumn;
use crate::error::{Fault, Input, Problem, Result};
use crate::study::Ids;

/// A chunk of texts.
type TextArray = <StringType as PolarsDataType>::Array;

/// The code of an id that is not in the list.
pub(crate) const NONE: u32 = u32::MAX;

/// Codes of integer ids: a plain table where the ids are near each other, else a hash map.
#[derive(Debug, Clone)]
pub(crate) enum Integers {
    Direct { first: i64, codes: Vec<u32> },
    Hashed(HashMap<i64, u32>),
}

impl Integers {
    pub(crate) fn new(ids: &[i64]) -> Self {
        let (low, high) = ids.iter().fold((i64::MAX, i64::MIN), |(low, high), &id| (low.min(id), high.max(id)));
        let range = i128::from(high) - i128::from(low) + 1;
        if ids.is_empty() || range > (ids.len() as i128 * 16).max(1 << 20) {
            return Self::Hashed(ids.iter().copied().zip(0..).collect());
        }
        let mut codes = vec![NONE; usize::try_from(range).unwrap_or(0)];
        for (&id, code) in ids.iter().zip(0..) {
            if let Some(slot) = usize::try_from(id - low).ok().and_then(|at| codes.get_mut(at)) {
                *slot = code;
            }
        }
        Self::Direct { first: low, codes }
    }

    #[inline]
    pub(crate) fn get(&self, id: i64) -> u32 {
        match self {
            Self::Direct { first, codes } => codes.get(id.wrapping_sub(*first) as u64 as usize).copied().unwrap_or(NONE),
            Self::Hashed(map) => map.get(&id).copied().unwrap_or(NONE),
        }
    }
}

/// Codes of a list of ids.
#[derive(Debug)]
pub(crate) enum Lookup<'a> {
    Integers(Integers),
    Texts(HashMap<&'a str, u32>),
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(ids: &'a Ids) -> Self {
        match ids {
            Ids::Integers(ids) => Self::Integers(Integers::new(ids)),
            Ids::Texts(ids) => Self::Texts(ids.iter().map(String::as_str).zip(0..).collect()),
        }
    }

    /// Binds the codes to a column of the ledger; ids of different types never meet and are an error.
    pub(crate) fn bind<'l>(&'l self, column: &'l IdColumn, name: &str, input: Input, ids: &Ids) -> Result<Codes<'l>> {
        match (self, column) {
            (Self::Integers(lookup), IdColumn::Integers(ids)) => {
                Ok(Codes::Integers(lookup, ids.downcast_iter().map(|array| array.values().as_slice()).collect()))
            }
            (Self::Texts(lookup), IdColumn::Texts(ids)) => Ok(Codes::Texts(lookup, ids.downcast_iter().collect())),
            _ => Err(Self::id_types(ids.kind(), column.kind(), name, input).into()),
        }
    }

    /// The problem of ids of different types.
    pub(crate) fn id_types(here: &str, there: &str, name: &str, input: Input) -> Problem {
        let text = format!("{name} ids are {here} here and {there} in the transactions");
        Problem::new(input, Fault::IdTypes, text).column(name).remedy("Cast one of the two, so that ids can meet: 7 and \"7\" are different ids")
    }
}

/// Codes of the ids of a column, chunk by chunk.
#[derive(Debug)]
pub(crate) enum Codes<'l> {
    Integers(&'l Integers, Vec<&'l [i64]>),
    Texts(&'l HashMap<&'l str, u32>, Vec<&'l TextArray>),
}

impl Codes<'_> {
    /// The code of one row.
    #[inline]
    pub(crate) fn get(&self, chunk: usize, row: usize) -> u32 {
        match self {
            Self::Integers(lookup, chunks) => lookup.get(chunks[chunk][row]),
            // What stands under a null is no value.
            Self::Texts(lookup, chunks) => chunks[chunk].get(row).and_then(|id| lookup.get(id)).copied().unwrap_or(NONE),
        }
    }

    /// A key of the id of one row, listed or not: equal for equal ids, and so the same in every chunk.
    pub(crate) fn key(&self, chunk: usize, row: usize) -> u64 {
        match self {
            Self::Integers(_, chunks) => chunks[chunk][row] as u64,
            Self::Texts(_, chunks) => chunks[chunk].get(row).map_or(0, text_key),
        }
    }
}

/// A 64-bit key for a basket or store id. Integers are their own key; texts are hashed, with a chance of 1e-15 that two baskets of a
/// customer meet.
#[derive(Debug)]
pub(crate) enum Keys<'l> {
    Integers(Vec<&'l [i64]>),
    Texts(Vec<&'l TextArray>),
}

impl<'l> Keys<'l> {
    pub(crate) fn new(column: &'l IdColumn) -> Self {
        match column {
            IdColumn::Integers(ids) => Self::Integers(ids.downcast_iter().map(|array| array.values().as_slice()).collect()),
            IdColumn::Texts(ids) => Self::Texts(ids.downcast_iter().collect()),
        }
    }

    /// The key, `None` for a null.
    #[inline]
    pub(crate) fn get(&self, chunk: usize, row: usize) -> Option<u64> {
        match self {
            Self::Integers(chunks) => Some(chunks[chunk][row]).filter(|id| *id != i64::MIN).map(|id| id as u64),
            Self::Texts(chunks) => chunks[chunk].get(row).map(text_key),
        }
    }
}

/// FNV-1a with a final mix: the same on every machine and in every run.
pub(crate) fn text_key(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    mix(hash)
}

/// A bijection that spreads bits (the finaliser of splitmix64).
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
