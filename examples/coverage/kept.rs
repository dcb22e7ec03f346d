//! What settings showed, kept in a file as they are run.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use super::proof::tally::Tally;

/// Tallies by what they are of, one a line of a file.
pub(crate) struct Kept {
    known: HashMap<String, Tally>,
    file: Option<File>,
}

impl Kept {
    /// Reads the file, where there is one.
    ///
    /// # Errors
    /// Where it cannot be read or written, or a line is not a tally.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let Some(path) = path else { return Ok(Self { known: HashMap::new(), file: None }) };
        let text = if path.exists() { std::fs::read_to_string(path)? } else { String::new() };
        let known = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Self { known, file: Some(OpenOptions::new().create(true).append(true).open(path)?) })
    }

    /// The tally that is known, or the one made now.
    ///
    /// # Errors
    /// As `make`; where the file cannot be written.
    pub(crate) fn or_made(&mut self, key: String, make: impl FnOnce() -> promolift::Result<Tally>) -> Result<Tally, Box<dyn Error>> {
        if let Some(tally) = self.known.remove(&key) {
            return Ok(tally);
        }
        let named = (key, make()?);
        if let Some(file) = &mut self.file {
            writeln!(file, "{}", serde_json::to_string(&named)?)?;
        }
        Ok(named.1)
    }
}
