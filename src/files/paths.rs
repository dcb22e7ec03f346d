//! Which file each input came from, for problems that are found after the files were read.

use std::path::{Path, PathBuf};

use super::source::Format;
use crate::error::{Error, ErrorKind, Fault, Input, Problem};

/// The files of a study, by input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(Vec<(Input, PathBuf)>);

impl Files {
    /// The same with another file.
    #[must_use]
    pub(super) fn with(mut self, input: Input, path: &Path) -> Self {
        self.push(input, path);
        self
    }

    pub(super) fn push(&mut self, input: Input, path: &Path) {
        self.0.push((input, path.to_owned()));
    }

    /// These files, then `others`.
    #[must_use]
    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The file of an input, `None` where it has none.
    #[must_use]
    pub fn of(&self, input: Input) -> Option<&Path> {
        self.0.iter().find(|(known, _)| *known == input).map(|(_, path)| path.as_path())
    }

    /// All files, the lists that the promotion file names among them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(_, path)| path.as_path())
    }

    /// The same error with the file named in each problem whose input came from one and which does not name it yet. Where ids of two files
    /// are of different types, it is said how to write them alike. An error of another kind stays as it is.
    #[must_use]
    pub fn explain(&self, error: Error) -> Error {
        if error.problems().is_empty() {
            return error;
        }
        let mut problems = error.problems().to_vec();
        for problem in problems.iter_mut().filter(|p| p.file.is_none()) {
            problem.file = self.of(problem.input).map(|path| path.display().to_string());
            if problem.fault == Fault::IdTypes
                && let Some(remedy) = self.same_type(problem)
            {
                problem.remedy = remedy;
            }
        }
        ErrorKind::Input(problems).into()
    }

    /// How to write the ids of two files alike. Those of a CSV file are always text.
    fn same_type(&self, problem: &Problem) -> Option<String> {
        let other = match problem.input {
            Input::Promotion => Input::Products,
            Input::Customers => Input::Assignment,
            _ => Input::Transactions,
        };
        let (here, there) = (self.of(problem.input)?, self.of(other)?);
        let (is_csv, here, there) = ([here, there].map(|path| !matches!(Format::of(path), Some(Format::Parquet))), here.display(), there.display());
        let column = problem.column.as_deref().unwrap_or_default();
        let mend = |csv: &dyn std::fmt::Display, parquet: &dyn std::fmt::Display| {
            format!(
                "{csv} is CSV, whose ids are always text: write the column `{column}` of {parquet} as text too, with the same letters, \
                 or save {csv} as Parquet with integers"
            )
        };
        Some(match (problem.input, is_csv) {
            (Input::Promotion, [_, true]) => format!("{there} is CSV, whose ids are always text: write the ids of the promotion in quotation marks"),
            (Input::Promotion, _) => {
                format!("Write the ids of the promotion as {there} has them: text in quotation marks, integers without; a list in a CSV file is always text")
            }
            (_, [true, false]) => mend(&here, &there),
            (_, [false, true]) => mend(&there, &here),
            _ => format!("Write the column `{column}` of {here} and of {there} both as text, or both as integers"),
        })
    }
}
