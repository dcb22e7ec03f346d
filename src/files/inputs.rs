//! All files of a study at once.

use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, IntoLazy};

use super::promotion::PromotionFile;
use super::read::{read_assignments, read_customers, read_products, read_transactions};
use super::source::Source;
use super::{Files, together};
use crate::error::{Input, Problems, Result};
#[cfg(feature = "parquet")]
use crate::ledger::Batches;
use crate::ledger::Columns;
use crate::study::{Assignment, Study};

/// The paths of a study's files. Tables are CSV, gzip CSV or Parquet by extension, the promotion is TOML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The transaction lines.
    pub transactions: PathBuf,
    /// The product table.
    pub products: PathBuf,
    /// Who was assigned to which arm.
    pub assignments: PathBuf,
    /// Attributes of customers, one row a customer.
    pub customers: Option<PathBuf>,
    /// The promotion file.
    pub promotion: PathBuf,
}

/// What the files of a study say.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Opened {
    /// The question: promotion, assignment and options.
    pub study: Study,
    /// The transaction lines.
    pub transactions: DataFrame,
    /// The product table.
    pub products: DataFrame,
    /// What the columns are called, and which are kept.
    pub columns: Columns,
    /// Which file each input came from, to name it in problems that are found later: [`Files::explain`].
    pub files: Files,
}

/// What the files of a study say, the lines in batches.
#[cfg(feature = "parquet")]
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenedBatches {
    /// The question: promotion, assignment and options.
    pub study: Study,
    /// The transaction lines and the product table, checked.
    pub batches: Batches,
    /// Which file each input came from, to name it in problems that are found later: [`Files::explain`].
    pub files: Files,
}

impl Inputs {
    /// The four files that every study has.
    #[must_use]
    pub fn new(transactions: impl Into<PathBuf>, products: impl Into<PathBuf>, assignments: impl Into<PathBuf>, promotion: impl Into<PathBuf>) -> Self {
        Self { transactions: transactions.into(), products: products.into(), assignments: assignments.into(), customers: None, promotion: promotion.into() }
    }

    /// The same with a file of attributes of customers.
    #[must_use]
    pub fn with_customers(mut self, path: impl Into<PathBuf>) -> Self {
        self.customers = Some(path.into());
        self
    }

    /// Reads all files.
    ///
    /// # Errors
    /// An input error that lists the problems of all files. Where the promotion file is unusable, the columns of the others are
    /// not known; then it is only said of them whether they can be opened.
    pub fn open(&self) -> Result<Opened> {
        let file = PromotionFile::read(&self.promotion).map_err(|error| together([Some(error), self.check().err()]))?;
        let transactions = read_transactions(&self.transactions, &file.columns);
        let products = read_products(&self.products, &file.columns);
        let files = self.files(&file.files);
        let assignment = self.assignment(&file).map_err(|error| files.explain(error));
        match (transactions, products, assignment) {
            (Ok(transactions), Ok(products), Ok(assignment)) => {
                let study = Study::new(file.promotion, assignment).with_options(file.options);
                Ok(Opened { study, transactions, products, columns: file.columns, files })
            }
            (transactions, products, assignment) => Err(together([transactions.err(), products.err(), assignment.err()])),
        }
    }

    /// Reads all files but the transaction lines, which stay where they are: a Parquet file, or a folder of such, in batches as by
    /// [`Batches::from_parquet`].
    ///
    /// # Errors
    /// As [`Inputs::open`] and [`Batches::from_parquet`]; what is wrong with lines is told once the other files are as they should be.
    #[cfg(feature = "parquet")]
    pub fn open_batches(&self) -> Result<OpenedBatches> {
        let file = PromotionFile::read(&self.promotion)?;
        let products = read_products(&self.products, &file.columns);
        let files = self.files(&file.files);
        let assignment = self.assignment(&file).map_err(|error| files.explain(error));
        match (products, assignment) {
            (Ok(products), Ok(assignment)) => {
                let batches = Batches::from_parquet([&self.transactions], products, &file.columns).map_err(|error| files.explain(error))?;
                Ok(OpenedBatches { study: Study::new(file.promotion, assignment).with_options(file.options), batches, files })
            }
            (products, assignment) => Err(together([products.err(), assignment.err()])),
        }
    }

    fn assignment(&self, file: &PromotionFile) -> Result<Assignment> {
        let assignments = read_assignments(&self.assignments, &file.columns, &file.assignment);
        let customers = self.customers.as_ref().map(|path| read_customers(path, &file.columns, &file.assignment)).transpose();
        let (assignments, customers) = match (assignments, customers) {
            (Ok(assignments), Ok(customers)) => (assignments, customers),
            (assignments, customers) => return Err(together([assignments.err(), customers.err()])),
        };
        Assignment::from_frames(assignments.lazy(), customers.map(IntoLazy::lazy), &file.columns, &file.assignment, Some(&file.promotion.id))
    }

    /// The files by input, with those that the promotion file names.
    fn files(&self, of_promotion: &Files) -> Files {
        let tables = [(Input::Transactions, &self.transactions), (Input::Products, &self.products), (Input::Assignment, &self.assignments)];
        let customers = self.customers.iter().map(|path| (Input::Customers, path));
        let tables = tables.into_iter().chain(customers).fold(Files::default(), |files, (input, path)| files.with(input, path));
        tables.and(of_promotion.clone())
    }

    /// Whether the files besides the promotion can be opened.
    fn check(&self) -> Result<()> {
        let mut problems = Problems::default();
        let customers = self.customers.as_deref().map(|path| (path, Input::Customers));
        let files: [(&Path, Input); 3] = [(&self.transactions, Input::Transactions), (&self.products, Input::Products), (&self.assignments, Input::Assignment)];
        for (path, input) in files.into_iter().chain(customers) {
            let source = Source::new(path, input);
            problems.take(source.format())?;
            problems.take(source.check())?;
        }
        problems.finish()
    }
}
