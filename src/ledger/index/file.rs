//! An index as a file: a header with format, version, length and checksum, then every list with its length, all little-endian, in steps of eight bytes.
//!
//! A file is written beside its place and takes that place when it is whole, so that an interruption leaves the old file or none. What is read is checked
//! against the length and the checksum, and every list against the others, before it is used.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::LedgerIndex;
use super::words::{Out, Source, Sum};
use crate::error::{Error, Fault, Input, Problem, Result};
use crate::whole_file::written_whole;

/// The first bytes of every file.
const MAGIC: [u8; 8] = *b"prolftix";
const VERSION: u64 = 1;
/// Magic, version, length and checksum of what follows.
const HEADER: u64 = 32;

impl LedgerIndex {
    /// Writes the index to a file, which is replaced only once the new one is whole.
    ///
    /// # Errors
    /// An output error where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        written_whole(path.as_ref(), |beside| write_file(self, beside))
    }

    /// Reads an index that was saved.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] where the file cannot be opened or read, [`Fault::Malformed`] where it is no index, is cut off, or was changed since it was
    /// written, [`Fault::Unsupported`] where another version wrote it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        read_file(path).map_err(|fault| fault.of(path))
    }
}

fn write_file(index: &LedgerIndex, path: &Path) -> Result<()> {
    let mut out = Out { file: BufWriter::with_capacity(1 << 20, File::create(path)?), length: 0, sum: Sum::default(), bytes: Vec::new() };
    out.file.write_all(&[0; HEADER as usize])?;
    index.write(&mut out)?;
    let Out { file, length, sum, .. } = out;
    let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.seek(SeekFrom::Start(0))?;
    let numbers = [VERSION, length, sum.0].map(u64::to_le_bytes).concat();
    file.write_all(&[MAGIC.as_slice(), &numbers].concat())?;
    Ok(file.sync_all()?)
}

fn read_file(path: &Path) -> std::result::Result<LedgerIndex, Broken> {
    let file = File::open(path)?;
    let there = file.metadata()?.len();
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut header = [0; HEADER as usize];
    if there < HEADER || file.read_exact(&mut header).is_err() || header[..8] != MAGIC {
        return Err(Broken::NoIndex);
    }
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| header[at + byte]));
    let (version, length, sum) = (number(8), number(16), number(24));
    if version != VERSION {
        return Err(Broken::Version(version));
    }
    if there - HEADER != length {
        return Err(Broken::Length { there: there - HEADER, length });
    }
    let mut source = Source { file, left: length, sum: Sum::default(), bytes: Vec::new() };
    let index = LedgerIndex::read(&mut source)?;
    if source.left > 0 || source.sum.0 != sum || !index.is_sound() {
        return Err(Broken::Changed);
    }
    Ok(index)
}

/// Why a file cannot be used.
pub(super) enum Broken {
    Unreadable(std::io::Error),
    NoIndex,
    Version(u64),
    Length { there: u64, length: u64 },
    Changed,
    Other(Error),
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Broken {
    fn of(self, path: &Path) -> Error {
        let again = "Make the index again from the lines, and save it";
        let (fault, text, remedy) = match self {
            Self::Unreadable(error) => (Fault::Unreadable, format!("the file cannot be read ({error})"), "Look for the file, and for leave to read it"),
            Self::NoIndex => (Fault::Malformed, "the file is no ledger index".to_owned(), "Name a file that `LedgerIndex::save` wrote"),
            Self::Version(version) => (Fault::Unsupported, format!("the file has version {version}, this library reads {VERSION}"), again),
            Self::Length { there, length } if there < length => (Fault::Malformed, format!("the file is cut off: {there} of {length} bytes"), again),
            Self::Length { .. } => (Fault::Malformed, "the file is longer than it was written".to_owned(), again),
            Self::Changed => (Fault::Malformed, "the file is not as it was written: the checksum differs".to_owned(), again),
            Self::Other(error) => return error,
        };
        let mut problem = Problem::new(Input::Index, fault, text).remedy(remedy);
        problem.file = Some(path.display().to_string());
        problem.into()
    }
}
