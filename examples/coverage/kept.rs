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
    /// Reads the file, where there is one; it must be where no draws are made. Draws that are made are added to it; those that begin anew count instead of what
    /// stands before them, which is dropped when more are made.
    ///
    /// # Errors
    /// Where it cannot be read or written, or a line is not a tally.
    pub(crate) fn open(path: Option<&Path>, makes: bool) -> Result<Self, Box<dyn Error>> {
        let Some(path) = path else { return Ok(Self { known: HashMap::new(), file: None }) };
        let text = if makes && !path.exists() { Ok(String::new()) } else { std::fs::read_to_string(path) };
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        let mut known: HashMap<String, Vec<(Range<usize>, Tally)>> = HashMap::new();
        // A line that was cut off where the program was stopped is made again.
        let (whole, torn) = text.rsplit_once('\n').unwrap_or(("", &text));
        let (mut lines, mut replaced) = (Vec::new(), false);
        for (number, line) in (1..).zip(whole.lines()) {
            let read: Result<(String, usize, usize, Tally), _> = serde_json::from_str(line);
            let (name, first, end, tally) = read.map_err(|error| format!("{}, line {number}: {error}", path.display()))?;
            let mine = known.entry(name.clone()).or_default();
            if first == 0 && !mine.is_empty() {
                mine.clear();
                lines.retain(|(other, _)| *other != name);
                replaced = true;
            }
            mine.push((first..end, tally));
            lines.push((name, line));
        }
        if makes && (replaced || !torn.is_empty()) {
            let lines: String = lines.iter().flat_map(|(_, line)| [line, "\n"]).collect();
            written_whole(path, |beside| std::fs::write(beside, &lines))?;
        }
        let file = if makes { Some(OpenOptions::new().create(true).append(true).open(path)?) } else { None };
        Ok(Self { known, file })
    }

    /// What is known of a setting is made anew, as many draws.
    pub(crate) fn begin_anew(&mut self, name: &str, draws: usize) -> usize {
        let known = self.known.remove(name).unwrap_or_default();
        known.into_iter().map(|(range, _)| range.end).fold(draws, usize::max)
    }

    /// So many draws of a setting or more: all that are known, and the rest made now, where `make` is given.
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
            if range.start == next {
                next = range.end;
                tally.merge(part);
            }
        }
        if let (true, Some(make)) = (next < draws, make) {
            let line = (name, next, draws, make(next..draws)?);
            // What a pass does not look at is no line.
            if let Some(file) = self.file.as_mut().filter(|_| !line.3.is_empty()) {
                writeln!(file, "{}", serde_json::to_string(&line)?)?;
            }
            tally.merge(line.3);
        }
        Ok(tally)
    }
}
