//! A file on disk: opened, unpacked, and found to be what its name says.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Fault, Input, Problem, Result};

/// The format of a table, told by the extension of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    GzipCsv,
    Parquet,
}

impl Format {
    /// The format that the extension of a file says, `None` where it says no table.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        match name.rsplit('.').next().unwrap_or_default() {
            "csv" => Some(Self::Csv),
            "gz" => Some(Self::GzipCsv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// A file and the input it stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) input: Input,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a Path, input: Input) -> Self {
        Self { path, input }
    }

    /// A problem of this file.
    pub(super) fn problem(&self, fault: Fault, text: impl Into<String>) -> Problem {
        Problem::new(self.input, fault, text).file(self.path.display())
    }

    /// The format, by the extension.
    pub(super) fn format(&self) -> Result<Format> {
        match Format::of(self.path) {
            Some(format @ (Format::Csv | Format::GzipCsv)) => self.supported(format, cfg!(feature = "csv"), "csv"),
            Some(format @ Format::Parquet) => self.supported(format, cfg!(feature = "parquet"), "parquet"),
            None if self.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) => {
                let problem = self.problem(Fault::Unsupported, "this is a TOML file, and a table is wanted");
                Err(problem.remedy("Check which file is given as what: only the promotion is a TOML file").into())
            }
            None => {
                let problem = self.problem(Fault::Unsupported, "the extension is none of .csv, .csv.gz, .parquet");
                Err(problem.remedy("Save the table as CSV (UTF-8), gzip CSV or Parquet, and name it so").into())
            }
        }
    }

    fn supported(&self, format: Format, compiled: bool, feature: &str) -> Result<Format> {
        if compiled {
            return Ok(format);
        }
        let problem = self.problem(Fault::Unsupported, format!("this build of promolift reads no such file: its feature `{feature}` is off"));
        Err(problem.remedy(format!("Build with the feature `{feature}`, or bring another format")).into())
    }

    /// Whether the file is there and can be opened, without reading it.
    pub(super) fn check(&self) -> Result<()> {
        self.open().map(|_| ())
    }

    /// The file, opened; never a directory.
    pub(super) fn open(&self) -> Result<fs::File> {
        let file = fs::File::open(self.path).map_err(|error| self.unreadable(&error))?;
        let metadata = file.metadata().map_err(|error| self.unreadable(&error))?;
        if metadata.is_dir() {
            return Err(self.problem(Fault::Unreadable, "it is a directory, not a file").remedy("Name the file in it").into());
        }
        Ok(file)
    }

    /// All bytes of the file as they stand there.
    pub(super) fn bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut self.open()?, &mut bytes).map_err(|error| self.unreadable(&error))?;
        if bytes.is_empty() {
            return Err(self.empty("the file is empty"));
        }
        Ok(bytes)
    }

    /// The file as text, without a byte order mark.
    pub(super) fn text(&self) -> Result<String> {
        self.decode(self.bytes()?)
    }

    /// The file as text, unpacked from gzip.
    ///
    /// A file of several gzip members is read to its last; one that is cut off or fails its checksum is a problem, never a shorter text.
    #[cfg(feature = "csv")]
    pub(super) fn unpacked_text(&self) -> Result<String> {
        let packed = self.bytes()?;
        let mut bytes = Vec::with_capacity(packed.len().saturating_mul(4));
        io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(packed.as_slice()), &mut bytes).map_err(|error| self.bad_gzip(&error))?;
        if bytes.is_empty() {
            return Err(self.empty("the gzip file holds nothing"));
        }
        self.decode(bytes)
    }

    #[cfg(feature = "csv")]
    fn bad_gzip(&self, error: &io::Error) -> crate::Error {
        let (text, remedy) = match error.kind() {
            io::ErrorKind::UnexpectedEof => ("the gzip file is cut off before its end".to_owned(), "Copy or export it again: rows are missing"),
            io::ErrorKind::InvalidInput => ("the file is not gzip, or not to its end".to_owned(), "Name it .csv if it is plain, or pack it again"),
            _ => (format!("the gzip data is damaged: {error}"), "Copy or export it again"),
        };
        self.problem(Fault::Malformed, text).remedy(remedy).into()
    }

    fn decode(&self, bytes: Vec<u8>) -> Result<String> {
        if let Some(what) = disguise(&bytes) {
            let problem = self.problem(Fault::Malformed, format!("the file is {what}, not plain text"));
            return Err(problem.remedy("Give it the extension of what it is (.csv.gz, .parquet), or save it as CSV (UTF-8)").into());
        }
        let mut text = String::from_utf8(bytes).map_err(|error| self.not_utf8(error.as_bytes(), error.utf8_error().valid_up_to()))?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        Ok(text)
    }

    fn not_utf8(&self, bytes: &[u8], at: usize) -> crate::Error {
        let line = bytes.iter().take(at).filter(|b| **b == b'\n').count() + 1;
        let byte = bytes.get(at).copied().unwrap_or_default();
        self.problem(Fault::Malformed, format!("the file is not UTF-8: byte {} (line {line})", at + 1))
            .value(format!("0x{byte:02X}"))
            .remedy("Save it as UTF-8; in Excel choose \"CSV UTF-8\"")
            .into()
    }

    pub(super) fn empty(&self, text: &str) -> crate::Error {
        self.problem(Fault::Empty, text).remedy("Export it again, with its rows").into()
    }

    pub(super) fn unreadable(&self, error: &io::Error) -> crate::Error {
        let (text, remedy) = match error.kind() {
            io::ErrorKind::NotFound => ("the file is not there".to_owned(), "Check the path; paths in a promotion file are relative to that file"),
            io::ErrorKind::PermissionDenied => ("the file may not be read".to_owned(), "Grant the right to read it"),
            io::ErrorKind::IsADirectory => ("it is a directory, not a file".to_owned(), "Name the file in it"),
            _ => (format!("the file cannot be read: {error}"), "Check the path and the disk"),
        };
        self.problem(Fault::Unreadable, text).remedy(remedy).into()
    }
}

/// What a file is by its first bytes, when that is no plain text.
fn disguise(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 5] =
        [(b"\x1f\x8b", "gzip"), (b"PAR1", "Parquet"), (b"PK\x03\x04", "a spreadsheet or zip archive"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")];
    known.iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, what)| *what)
}
