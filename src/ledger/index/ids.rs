//! Ids as dense codes that never change: the first id seen has code 0, ids of later lines follow.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::{HashSet, HashTable};
use polars::prelude::{PolarsDataType, StringType};
use rayon::prelude::*;

use crate::ledger::frames::IdColumn;
use crate::ledger::lookup::{Integers, NONE, text_key};
use crate::spelling::plain_id;
use crate::study::Ids;

/// Rows in which unknown ids are looked for together.
const LEARNED_TOGETHER: usize = 1 << 18;
/// Rows encoded together.
const ENCODED_TOGETHER: usize = 1 << 14;

/// A chunk of texts.
type TextArray = <StringType as PolarsDataType>::Array;

/// The codes of ids.
#[derive(Debug, Clone)]
pub(super) enum Dictionary {
    /// A null is `i64::MIN`, an id like others.
    Integers {
        ids: Vec<i64>,
        codes: Integers,
    },
    Texts(Texts),
}

/// Texts by code.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    spelled: Vec<String>,
    /// The code of a null, whose text is empty.
    null: Option<u32>,
    codes: HashTable<u32>,
}

impl Texts {
    pub(super) fn new(texts: Vec<String>, null: Option<u32>) -> Self {
        let mut codes = HashTable::with_capacity(texts.len());
        for (text, code) in texts.iter().zip(0..).filter(|(_, code)| Some(*code) != null) {
            codes.insert_unique(text_key(text), code, |code| text_key(&texts[*code as usize]));
        }
        Self { spelled: texts, null, codes }
    }

    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.codes.find(text_key(text), |code| self.spelled[*code as usize] == text).copied()
    }

    /// The text of a code, `None` for a null.
    pub(super) fn get(&self, code: u32) -> Option<&str> {
        if self.null == Some(code) { None } else { self.spelled.get(code as usize).map(String::as_str) }
    }

    pub(super) fn list(&self) -> &[String] {
        &self.spelled
    }

    pub(super) fn null(&self) -> Option<u32> {
        self.null
    }

    fn add(&mut self, text: Option<&str>) {
        let code = self.spelled.len() as u32;
        match text {
            None if self.null.is_none() => {
                self.null = Some(code);
                self.spelled.push(String::new());
            }
            Some(text) if self.find(text).is_none() => {
                self.spelled.push(text.to_owned());
                let texts = &self.spelled;
                self.codes.insert_unique(text_key(text), code, |code| text_key(&texts[*code as usize]));
            }
            _ => {}
        }
    }

    fn code(&self, text: Option<&str>) -> u32 {
        text.map_or(self.null, |text| self.find(text)).unwrap_or(NONE)
    }
}

impl Dictionary {
    /// The codes of a list of ids without repeats, which are their places.
    pub(super) fn of(ids: &Ids) -> Self {
        match ids {
            Ids::Integers(ids) => Self::integers(ids.clone()),
            Ids::Texts(ids) => Self::Texts(Texts::new(ids.clone(), None)),
        }
    }

    pub(super) fn integers(ids: Vec<i64>) -> Self {
        Self::Integers { codes: Integers::new(&ids), ids }
    }

    /// An empty dictionary for a column.
    pub(super) fn for_column(column: &IdColumn) -> Self {
        match column {
            IdColumn::Integers(_) => Self::integers(Vec::new()),
            IdColumn::Texts(_) => Self::Texts(Texts::default()),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Integers { ids, .. } => ids.len(),
            Self::Texts(texts) => texts.spelled.len(),
        }
    }

    /// What kind the ids are, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Integers { .. } => "integers",
            Self::Texts(_) => "text",
        }
    }

    /// The id of a code as text, `None` for a null.
    pub(super) fn text(&self, code: u32) -> Option<String> {
        match self {
            Self::Integers { ids, .. } => ids.get(code as usize).filter(|id| **id != i64::MIN).map(ToString::to_string),
            Self::Texts(texts) => texts.get(code).map(str::to_owned),
        }
    }

    /// A key of the id: equal for equal ids, and the one by which lines of a ledger are ordered.
    pub(super) fn key(&self, code: u32) -> u64 {
        match self {
            Self::Integers { ids, .. } => ids.get(code as usize).map_or(0, |id| *id as u64),
            Self::Texts(texts) => texts.get(code).map_or(0, text_key),
        }
    }

    /// A key of the id as above, `None` for a null.
    pub(super) fn known_key(&self, code: u32) -> Option<u64> {
        match self {
            Self::Integers { ids, .. } => ids.get(code as usize).filter(|id| **id != i64::MIN).map(|id| *id as u64),
            Self::Texts(texts) => texts.get(code).map(text_key),
        }
    }

    /// The codes of a list of ids, [`NONE`] for those not known; `None` where the ids are of another type.
    pub(super) fn codes(&self, ids: &Ids) -> Option<Vec<u32>> {
        match (self, ids) {
            (Self::Integers { codes, .. }, Ids::Integers(ids)) => Some(ids.par_iter().with_min_len(ENCODED_TOGETHER).map(|id| codes.get(*id)).collect()),
            (Self::Texts(texts), Ids::Texts(ids)) => Some(ids.par_iter().with_min_len(ENCODED_TOGETHER / 8).map(|id| texts.find(id).unwrap_or(NONE)).collect()),
            _ => None,
        }
    }

    /// The codes of a column, one a row; ids not known yet are learned first. `None` where the ids are of another type.
    pub(super) fn encode(&mut self, column: &IdColumn) -> Option<Vec<u32>> {
        match (self, column) {
            (Self::Integers { ids, codes }, IdColumn::Integers(column)) => {
                let chunks: Vec<&[i64]> = column.downcast_iter().map(|array| array.values().as_slice()).collect();
                let known = if ids.is_empty() { None } else { encoded(codes, &chunks) };
                Some(known.unwrap_or_else(|| {
                    learn(ids, codes, &chunks);
                    *codes = Integers::new(ids);
                    encoded(codes, &chunks).unwrap_or_default()
                }))
            }
            (Self::Texts(texts), IdColumn::Texts(column)) => {
                let chunks: Vec<&TextArray> = column.downcast_iter().collect();
                learn_texts(texts, &chunks);
                Some(filled(&chunks.iter().map(|chunk| chunk.len()).collect::<Vec<_>>(), |chunk, rows, out| {
                    let mut last = (None, NONE);
                    for (code, row) in out.iter_mut().zip(rows) {
                        let text = chunks[chunk].get(row);
                        if last.1 == NONE || last.0 != text {
                            last = (text, texts.code(text));
                        }
                        *code = last.1;
                    }
                }))
            }
            _ => None,
        }
    }
}

/// The codes of integers, if all are known.
fn encoded(codes: &Integers, chunks: &[&[i64]]) -> Option<Vec<u32>> {
    let unknown = AtomicBool::new(false);
    let lengths: Vec<usize> = chunks.iter().map(|chunk| chunk.len()).collect();
    let encoded = filled(&lengths, |chunk, rows, out| {
        let mut all_known = !unknown.load(Ordering::Relaxed);
        if all_known {
            for (code, id) in out.iter_mut().zip(&chunks[chunk][rows]) {
                *code = codes.get(*id);
                all_known &= *code != NONE;
            }
        }
        unknown.fetch_or(!all_known, Ordering::Relaxed);
    });
    (!unknown.into_inner()).then_some(encoded)
}

/// Adds the integers that are not known.
fn learn(ids: &mut Vec<i64>, codes: &Integers, chunks: &[&[i64]]) {
    let ends = |ids: &[i64]| ids.iter().fold((i64::MAX, i64::MIN), |(low, high), id| (low.min(*id), high.max(*id)));
    let both = |(low, high): (i64, i64), (a, b): (i64, i64)| (low.min(a), high.max(b));
    let lines: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let of_lines = chunks.par_iter().flat_map(|chunk| chunk.par_chunks(ENCODED_TOGETHER)).map(ends).reduce(|| (i64::MAX, i64::MIN), both);
    let (low, high) = both(of_lines, ends(ids));
    let range = i128::from(high) - i128::from(low) + 1;
    if lines > 0 && range <= (lines as i128 / 2).max(1 << 16) {
        learn_near(ids, chunks, low, range as usize);
    } else {
        learn_far(ids, codes, chunks);
    }
}

/// Those of a range, marked one by one.
fn learn_near(ids: &mut Vec<i64>, chunks: &[&[i64]], low: i64, range: usize) {
    let place = |id: i64| id.wrapping_sub(low) as usize;
    let mut seen = vec![false; range];
    for id in &*ids {
        seen[place(*id)] = true;
    }
    for run in chunks.iter().flat_map(|chunk| chunk.chunk_by(|a, b| a == b)) {
        if !std::mem::replace(&mut seen[place(run[0])], true) {
            ids.push(run[0]);
        }
    }
}

/// Those of any range.
fn learn_far(ids: &mut Vec<i64>, codes: &Integers, chunks: &[&[i64]]) {
    let unknown = |values: &[i64]| {
        let (mut seen, mut found, mut last) = (HashSet::new(), Vec::new(), None);
        for &id in values {
            if last != Some(id) && codes.get(id) == NONE && seen.insert(id) {
                found.push(id);
            }
            last = Some(id);
        }
        found
    };
    let mut seen = HashSet::new();
    for chunk in chunks {
        let found: Vec<Vec<i64>> = chunk.par_chunks(LEARNED_TOGETHER).map(unknown).collect();
        ids.extend(found.into_iter().flatten().filter(|id| seen.insert(*id)));
    }
}

/// Adds the texts that are not known.
fn learn_texts(texts: &mut Texts, chunks: &[&TextArray]) {
    for chunk in chunks {
        let known = &*texts;
        let found: Vec<Vec<Option<&str>>> = pieces(chunk.len(), LEARNED_TOGETHER)
            .into_par_iter()
            .map(|rows| {
                let (mut seen, mut found, mut last) = (HashSet::new(), Vec::new(), None);
                for row in rows {
                    let text = chunk.get(row);
                    if last != Some(text) && known.code(text) == NONE && seen.insert(text) {
                        found.push(text);
                    }
                    last = Some(text);
                }
                found
            })
            .collect();
        found.into_iter().flatten().for_each(|text| texts.add(text));
    }
}

/// Ranges of at most `size` that make up `0..length`.
fn pieces(length: usize, size: usize) -> Vec<Range<usize>> {
    (0..length).step_by(size).map(|from| from..length.min(from + size)).collect()
}

/// A list of values made piece by piece, in parallel, from chunks of these lengths.
pub(super) fn filled<T: Copy + Default + Send>(lengths: &[usize], fill: impl Fn(usize, Range<usize>, &mut [T]) + Sync) -> Vec<T> {
    let mut values = vec![T::default(); lengths.iter().sum()];
    let mut rest = values.as_mut_slice();
    for (chunk, &length) in lengths.iter().enumerate() {
        let (here, later) = rest.split_at_mut(length);
        here.par_chunks_mut(ENCODED_TOGETHER).enumerate().for_each(|(piece, out)| {
            let from = piece * ENCODED_TOGETHER;
            fill(chunk, from..from + out.len(), out);
        });
        rest = later;
    }
    values
}

/// Texts by their plain form: which of them are one id in other spellings.
#[derive(Debug, Clone)]
pub(super) struct Spellings(HashTable<u32>);

impl Spellings {
    pub(super) fn new(texts: &Texts) -> Self {
        let plain_key = |code: u32| texts.get(code).map(|text| text_key(plain_id(text).as_ref()));
        let mut codes = HashTable::with_capacity(texts.list().len());
        for code in 0..texts.list().len() as u32 {
            if let Some(key) = plain_key(code) {
                codes.insert_unique(key, code, |code| plain_key(*code).unwrap_or(0));
            }
        }
        Self(codes)
    }

    /// The codes of the texts with this plain form.
    pub(super) fn of<'s>(&'s self, plain: &'s str, texts: &'s Texts) -> impl Iterator<Item = u32> + 's {
        let same = move |code: &u32| texts.get(*code).is_some_and(|text| plain_id(text) == plain);
        self.0.iter_hash(text_key(plain)).copied().filter(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{Column, StringChunked};

    fn texts(ids: &[Option<&str>]) -> IdColumn {
        IdColumn::Texts(ids.iter().copied().collect::<StringChunked>())
    }

    #[test]
    fn codes_stay_when_later_lines_bring_more_ids() {
        let first = texts(&[Some("b"), None, Some("a"), Some("b")]);
        let mut dictionary = Dictionary::for_column(&first);
        assert_eq!(dictionary.encode(&first), Some(vec![0, 1, 2, 0]));
        assert_eq!(dictionary.encode(&texts(&[Some("c"), Some("a"), Some(""), None])), Some(vec![3, 2, 4, 1]));
        assert_eq!(dictionary.text(1), None);
        assert_eq!(dictionary.text(4).as_deref(), Some(""));
        let wanted = Ids::from(["a", "", "nobody"]);
        assert_eq!(dictionary.codes(&wanted), Some(vec![2, 4, NONE]));
        assert_eq!(dictionary.codes(&Ids::from([1])), None);
    }

    #[test]
    fn integers_far_apart_and_near_have_codes_in_the_order_seen() {
        let column = |ids: Vec<i64>| IdColumn::new(&Column::new("id".into(), ids), crate::error::Input::Transactions).unwrap();
        let first = column(vec![9, 9, -4, i64::MAX, 9]);
        let mut dictionary = Dictionary::for_column(&first);
        assert_eq!(dictionary.encode(&first), Some(vec![0, 0, 1, 2, 0]));
        assert_eq!(dictionary.encode(&column(vec![0, i64::MAX, i64::MIN])), Some(vec![3, 2, 4]));
        assert_eq!(dictionary.text(4), None);
    }

    #[test]
    fn spellings_of_one_id_are_found() {
        let list = Texts::new(["007", "7", "8", "a"].map(str::to_owned).to_vec(), None);
        let spellings = Spellings::new(&list);
        let mut found: Vec<u32> = spellings.of("7", &list).collect();
        found.sort_unstable();
        assert_eq!(found, [0, 1]);
        assert_eq!(spellings.of("b", &list).count(), 0);
    }
}
