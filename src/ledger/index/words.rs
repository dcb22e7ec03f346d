//! Numbers, lists and texts in a file of little-endian words of eight bytes, with a sum in which every changed word shows.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};

use super::file::Broken;
use crate::error::Result;

/// Numbers that are turned into bytes together.
const TOGETHER: usize = 1 << 16;

/// A sum over words of eight bytes in which every changed word shows.
#[derive(Default, Clone, Copy)]
pub(super) struct Sum(pub(super) u64);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for word in bytes.chunks_exact(8) {
            let word = u64::from_le_bytes(std::array::from_fn(|byte| word[byte]));
            self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }
}

/// A number in a file.
pub(super) trait Word: Copy {
    const SIZE: usize;
    fn put(self, bytes: &mut Vec<u8>);
    fn get(bytes: &[u8]) -> Self;
}

macro_rules! words {
    ($($word:ty),*) => {$(
        impl Word for $word {
            const SIZE: usize = size_of::<$word>();

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn get(bytes: &[u8]) -> Self {
                Self::from_le_bytes(std::array::from_fn(|byte| bytes[byte]))
            }
        }
    )*};
}

words!(u8, i8, u16, u32, i32, u64, i64, f64);

/// What is written.
pub(super) struct Out {
    pub(super) file: BufWriter<File>,
    pub(super) length: u64,
    pub(super) sum: Sum,
    pub(super) bytes: Vec<u8>,
}

impl Out {
    pub(super) fn number(&mut self, number: u64) -> Result<()> {
        self.list_of(&[number])
    }

    /// A list behind its length.
    pub(super) fn list<T: Word>(&mut self, list: &[T]) -> Result<()> {
        self.number(list.len() as u64)?;
        self.list_of(list)
    }

    pub(super) fn list_of<T: Word>(&mut self, list: &[T]) -> Result<()> {
        for some in list.chunks(TOGETHER) {
            self.bytes.clear();
            for word in some {
                word.put(&mut self.bytes);
            }
            // All but the last are whole words of eight bytes already.
            self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
            self.sum.add(&self.bytes);
            self.length += self.bytes.len() as u64;
            self.file.write_all(&self.bytes)?;
        }
        Ok(())
    }

    pub(super) fn text(&mut self, text: &str) -> Result<()> {
        self.list(text.as_bytes())
    }

    /// Texts as their lengths and all of them together.
    pub(super) fn texts<'t>(&mut self, texts: impl Iterator<Item = &'t str> + Clone) -> Result<()> {
        self.list(&texts.clone().map(|text| text.len() as u64).collect::<Vec<_>>())?;
        self.list(&texts.flat_map(str::bytes).collect::<Vec<_>>())
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T) -> Result<()>) -> Result<()> {
        self.number(u64::from(value.is_some()))?;
        value.map_or(Ok(()), |value| write(self, value))
    }
}

/// What is read. Nothing is taken for longer than what is left of the file.
pub(super) struct Source {
    pub(super) file: BufReader<File>,
    pub(super) left: u64,
    pub(super) sum: Sum,
    pub(super) bytes: Vec<u8>,
}

pub(super) type Reading<T> = std::result::Result<T, Broken>;

impl Source {
    pub(super) fn number(&mut self) -> Reading<u64> {
        Ok(self.list_of::<u64>(1)?[0])
    }

    pub(super) fn length(&mut self) -> Reading<usize> {
        let length = self.number()?;
        if length > self.left { Err(Broken::Changed) } else { Ok(length as usize) }
    }

    pub(super) fn list<T: Word>(&mut self) -> Reading<Vec<T>> {
        let length = self.length()?;
        self.list_of(length)
    }

    pub(super) fn list_of<T: Word>(&mut self, length: usize) -> Reading<Vec<T>> {
        let bytes = (length as u64).checked_mul(T::SIZE as u64).map(|bytes| bytes.next_multiple_of(8));
        if bytes.is_none_or(|bytes| bytes > self.left) {
            return Err(Broken::Changed);
        }
        let mut list = Vec::with_capacity(length);
        while list.len() < length {
            let some = (length - list.len()).min(TOGETHER);
            self.bytes.resize((some * T::SIZE).next_multiple_of(8), 0);
            self.file.read_exact(&mut self.bytes)?;
            self.sum.add(&self.bytes);
            self.left -= self.bytes.len() as u64;
            list.extend(self.bytes.chunks_exact(T::SIZE).take(some).map(T::get));
        }
        Ok(list)
    }

    pub(super) fn text(&mut self) -> Reading<String> {
        String::from_utf8(self.list()?).map_err(|_| Broken::Changed)
    }

    pub(super) fn texts(&mut self) -> Reading<Vec<String>> {
        let lengths: Vec<u64> = self.list()?;
        let bytes: Vec<u8> = self.list()?;
        let mut rest = bytes.as_slice();
        let mut texts = Vec::with_capacity(lengths.len());
        for length in lengths {
            let (text, later) = rest.split_at_checked(length as usize).ok_or(Broken::Changed)?;
            texts.push(std::str::from_utf8(text).map_err(|_| Broken::Changed)?.to_owned());
            rest = later;
        }
        if rest.is_empty() { Ok(texts) } else { Err(Broken::Changed) }
    }

    pub(super) fn flag(&mut self) -> Reading<bool> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Broken::Changed),
        }
    }

    pub(super) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Reading<T>) -> Reading<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    pub(super) fn many<T>(&mut self, read: impl Fn(&mut Self) -> Reading<T>) -> Reading<Vec<T>> {
        let length = self.length()?;
        (0..length).map(|_| read(self)).collect()
    }
}
