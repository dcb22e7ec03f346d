//! What settings showed, kept in a file as they are run.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::Path;

use super::proof::tally::Tally;
use super::whole_file::written_whole;

/// Tallies by what they are of, one a line of a file: the setting, the first draw, the one after the last, and what was counted of those between.
pub(crate) struct Kept {
    known: HashMap<String, Vec<(Range<usize>, Tally)>>,
    file: Option<File>,
}

impl Kept {
    /// Reads the file, where there is one. Where draws are made they are added to it, and what is named with the end given is forgotten.
    ///
    /// # Errors
    /// Where it cannot be read or written, or a line is not a tally.
    pub(crate) fn open(path: Option<&Path>, makes: bool, forgotten: Option<&str>) -> Result<Self, Box<dyn Error>> {
        let Some(path) = path else { return Ok(Self { known: HashMap::new(), file: None }) };
        let text = if path.exists() { std::fs::read_to_string(path)? } else { String::new() };
        let mut known: HashMap<String, Vec<_>> = HashMap::new();
        // A line that was cut off where the program was stopped is made again.
        let (whole, torn) = text.rsplit_once('\n').unwrap_or(("", &text));
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(whole.lines()) {
            let read: Result<(String, usize, usize, Tally), _> = serde_json::from_str(line);
            let (name, first, end, tally) = read.map_err(|error| format!("{}, line {number}: {error}", path.display()))?;
            if forgotten.is_none_or(|forgotten| !name.ends_with(forgotten)) {
                lines.push(format!("{line}\n"));
                known.entry(name).or_default().push((first..end, tally));
            }
        }
        if makes && (!torn.is_empty() || forgotten.is_some()) {
            written_whole(path, |beside| std::fs::write(beside, lines.concat()))?;
        }
        let file = if makes { Some(OpenOptions::new().create(true).append(true).open(path)?) } else { None };
        Ok(Self { known, file })
    }

    /// The first so many draws of a setting: those that are known, and the rest made now, where `make` is given.
    ///
    /// # Errors
    /// As `make`; where the file cannot be written.
    pub(crate) fn or_made(
        &mut self,
        name: String,
        draws: usize,
        make: Option<impl FnOnce(Range<usize>) -> promolift::Result<Tally>>,
    ) -> Result<Tally, Box<dyn Error>> {
        let mut known = self.known.remove(&name).unwrap_or_default();
        known.sort_by_key(|(range, _)| range.start);
        let (mut tally, mut next) = (Tally::default(), 0);
        for (range, part) in known {
            if range.start == next && range.end <= draws {
                next = range.end;
                tally.merge(part);
            }
        }
        if let (true, Some(make)) = (next < draws, make) {
            let line = (name, next, draws, make(next..draws)?);
            // What a pass does not look at is no line.
            if let Some(file) = self.file.as_mut().filter(|_| line.3.draws + line.3.studies > 0) {
                writeln!(file, "{}", serde_json::to_string(&line)?)?;
            }
            tally.merge(line.3);
        }
        Ok(tally)
    }
}
