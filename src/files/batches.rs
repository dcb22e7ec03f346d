//! Transaction lines in Parquet files, some row groups at a time.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::{DataFrame, IntoLazy};

use super::parquet;
use super::read::of_transactions;
use super::source::{Format, Source};
use super::table::Request;
use crate::error::{Fault, Input, Result};
use crate::ledger::batches::Frames;
use crate::ledger::{Batches, Columns};

/// So many lines are read at once, where nothing else is said.
const LINES: usize = 1 << 20;

impl Batches {
    /// Goes through the lines of Parquet files once and checks all of them: the columns that `columns` names, about a million lines at a time.
    ///
    /// The lines are those of the files in the order given; of a folder its `.parquet` files in the order of their names. The files must stay as they are as
    /// long as the batches are used.
    ///
    /// # Errors
    /// As [`Batches::new`]; a path that is not there, or not a Parquet file.
    pub fn from_parquet<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>, products: impl IntoLazy, columns: &Columns) -> Result<Self> {
        Self::from_parquet_by(LINES, paths, products, columns)
    }

    /// The same with so many lines at a time, at most: as many whole row groups as hold no more, or a part of a larger one.
    ///
    /// # Errors
    /// As [`Batches::from_parquet`].
    pub fn from_parquet_by<P: AsRef<Path>>(lines: usize, paths: impl IntoIterator<Item = P>, products: impl IntoLazy, columns: &Columns) -> Result<Self> {
        let mut pieces = Vec::new();
        let request = of_transactions(columns);
        for path in paths {
            for file in files(path.as_ref())? {
                let source = Source::new(&file, Input::Transactions);
                let cuts = cut(&parquet::row_groups(&source, &request)?, lines.max(1));
                pieces.extend(cuts.into_iter().map(|rows| Piece { file: file.clone(), rows }));
            }
        }
        let pieces = Arc::new(Pieces { request, pieces });
        Self::of(Box::new(move || Box::new(Reading { pieces: pieces.clone(), next: 0 })), products, columns)
    }
}

/// Rows of a file that are read together.
#[derive(Debug)]
struct Piece {
    file: PathBuf,
    rows: Range<usize>,
}

#[derive(Debug)]
struct Pieces {
    request: Request,
    pieces: Vec<Piece>,
}

/// One pass through the pieces.
struct Reading {
    pieces: Arc<Pieces>,
    next: usize,
}

impl Iterator for Reading {
    type Item = Result<DataFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        let Piece { file, rows } = self.pieces.pieces.get(self.next)?;
        self.next += 1;
        Some(parquet::read_rows(&Source::new(file, Input::Transactions), &self.pieces.request, rows))
    }
}

impl Frames for Reading {
    fn pass_over(&mut self) -> Option<Result<Option<usize>>> {
        self.pieces.pieces.get(self.next)?;
        self.next += 1;
        Some(Ok(None))
    }
}

/// The file, or the Parquet files of a folder.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let source = Source::new(path, Input::Transactions);
    if !path.is_dir() {
        return match source.format()? {
            Format::Parquet => Ok(vec![path.to_owned()]),
            Format::Csv | Format::GzipCsv => {
                let problem = source.problem(Fault::Unsupported, "lines are read in batches from Parquet files only");
                Err(problem.remedy("Write the lines as Parquet, or measure them in memory").into())
            }
        };
    }
    let entries = fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>());
    let mut files = entries.map_err(|error| source.unreadable(&error))?;
    files.retain(|file| file.is_file() && Format::of(file) == Some(Format::Parquet));
    files.sort_unstable();
    if files.is_empty() {
        return Err(source.problem(Fault::Empty, "the folder has no .parquet file").remedy("Name the folder with the files of the lines").into());
    }
    Ok(files)
}

/// Row groups taken together as far as they have no more than so many rows; a larger one is cut.
fn cut(groups: &[usize], most: usize) -> Vec<Range<usize>> {
    let mut cuts: Vec<Range<usize>> = Vec::new();
    let mut end = 0;
    for rows in groups.iter().copied().filter(|rows| *rows > 0) {
        match cuts.last_mut() {
            Some(last) if last.len() + rows <= most => last.end += rows,
            _ => cuts.extend((end..end + rows).step_by(most).map(|from| from..(from + most).min(end + rows))),
        }
        end += rows;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn row_groups_are_taken_together_and_large_ones_are_cut() {
        assert_eq!(cut(&[3, 3, 3], 6), [0..6, 6..9]);
        assert_eq!(cut(&[10], 4), [0..4, 4..8, 8..10]);
        // What is left of a large one is taken together with the next.
        assert_eq!(cut(&[0, 2, 9, 1, 0, 2], 4), [0..2, 2..6, 6..10, 10..14]);
        assert!(cut(&[], 4).is_empty());
        assert!(cut(&[0], 4).is_empty());
    }
}
