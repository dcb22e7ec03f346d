//! What settings showed, kept in a file as they are run.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::Path;

use super::proof::tally::Tally;

/// Tallies by what they are of, one a line of a file: the setting, the first draw, the one after the last, and what was counted of those between.
pub(crate) struct Kept {
    known: HashMap<String, Vec<(Range<usize>, Tally)>>,
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
        let mut known: HashMap<String, Vec<_>> = HashMap::new();
        // A line that was cut off where the program was stopped is made again.
        let (whole, torn) = text.rsplit_once('\n').unwrap_or(("", &text));
        if !torn.is_empty() {
            std::fs::write(path, if whole.is_empty() { String::new() } else { format!("{whole}\n") })?;
        }
        for line in whole.lines() {
            let (name, first, end, tally): (String, usize, usize, Tally) = serde_json::from_str(line)?;
            known.entry(name).or_default().push((first..end, tally));
        }
        Ok(Self { known, file: Some(OpenOptions::new().create(true).append(true).open(path)?) })
    }

    /// The first so many draws of a setting: those that are known, and the rest made now.
    ///
    /// # Errors
    /// As `make`; where the file cannot be written.
    pub(crate) fn or_made(&mut self, name: String, draws: usize, make: impl FnOnce(Range<usize>) -> promolift::Result<Tally>) -> Result<Tally, Box<dyn Error>> {
        let mut known = self.known.remove(&name).unwrap_or_default();
        known.sort_by_key(|(range, _)| range.start);
        let (mut tally, mut next) = (Tally::default(), 0);
        for (range, part) in known {
            if range.start == next && range.end <= draws {
                next = range.end;
                tally.merge(part);
            }
        }
        if next < draws {
            let line = (name, next, draws, make(next..draws)?);
            if let Some(file) = &mut self.file {
                writeln!(file, "{}", serde_json::to_string(&line)?)?;
            }
            tally.merge(line.3);
        }
        Ok(tally)
    }
}
