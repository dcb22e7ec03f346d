//! The files of a portfolio: one promotion file each, and the tables they share.

use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, IntoLazy};

use super::{Asked, Portfolio, Question, columns_of};
use crate::error::{Error, ErrorKind, Fault, Input, Problem, Problems, Result};
use crate::files::{Files, PromotionFile, read_assignments, read_customers, read_products, read_transactions};
#[cfg(feature = "parquet")]
use crate::ledger::Batches;
use crate::ledger::{AssignmentColumns, Columns};

/// The paths of a portfolio's files. Tables are CSV, gzip CSV or Parquet by extension, promotions are TOML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortfolioInputs {
    /// The transaction lines.
    pub transactions: PathBuf,
    /// The product table.
    pub products: PathBuf,
    /// Who was assigned to which arm of which promotion.
    pub assignments: PathBuf,
    /// Attributes of customers, one row a customer.
    pub customers: Option<PathBuf>,
    /// The promotion files.
    pub promotions: Vec<PathBuf>,
}

/// What the files of a portfolio say.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenedPortfolio {
    /// The promotions with their customers; one whose file or rows cannot be used keeps its error.
    pub portfolio: Portfolio,
    /// The transaction lines.
    pub transactions: DataFrame,
    /// The product table.
    pub products: DataFrame,
    /// What the columns are called, and which are kept.
    pub columns: Columns,
    /// Which file each input came from.
    pub files: PortfolioFiles,
}

/// What the files of a portfolio say, the lines in batches.
#[cfg(feature = "parquet")]
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenedPortfolioBatches {
    /// The promotions with their customers; one whose file or rows cannot be used keeps its error.
    pub portfolio: Portfolio,
    /// The transaction lines and the product table, checked.
    pub batches: Batches,
    /// Which file each input came from.
    pub files: PortfolioFiles,
}

/// Which file each input of a portfolio came from, to name it in problems that are found later.
#[derive(Debug, Clone)]
pub struct PortfolioFiles {
    tables: Vec<(Input, PathBuf)>,
    of_promotion: Vec<(String, Files)>,
}

/// The promotion files as they were read, with all that they ask of the tables.
struct Promotions {
    /// By the name of the file.
    read: Vec<(String, Result<PromotionFile>)>,
    columns: Columns,
    wanted: AssignmentColumns,
}

impl PortfolioInputs {
    /// The tables that all promotions share, and the promotion files (`*.toml`) of a folder in the order of their names.
    ///
    /// # Errors
    /// Where the folder cannot be read, or has no such file.
    pub fn of_folder(
        folder: impl AsRef<Path>,
        transactions: impl Into<PathBuf>,
        products: impl Into<PathBuf>,
        assignments: impl Into<PathBuf>,
    ) -> Result<Self> {
        let promotions = promotion_files(folder.as_ref())?;
        Ok(Self { transactions: transactions.into(), products: products.into(), assignments: assignments.into(), customers: None, promotions })
    }

    /// The same with a file of attributes of customers.
    #[must_use]
    pub fn with_customers(mut self, path: impl Into<PathBuf>) -> Self {
        self.customers = Some(path.into());
        self
    }

    /// Reads all files, each once. A promotion file that cannot be used stands in the portfolio with its error, under the name of its file, and the others are
    /// read all the same.
    ///
    /// # Errors
    /// Where no promotion file can be used; promotions that name columns or days of the ledger differently; problems of the tables, those of all of them.
    pub fn open(&self) -> Result<OpenedPortfolio> {
        let promotions = self.read()?;
        let transactions = read_transactions(&self.transactions, &promotions.columns);
        let products = read_products(&self.products, &promotions.columns);
        let (assignments, customers) = self.assigned(&promotions);
        match (transactions, products, assignments, customers) {
            (Ok(transactions), Ok(products), Ok(assignments), Ok(customers)) => {
                let (portfolio, files) = self.asked(&promotions, assignments, customers)?;
                let portfolio = portfolio.with_unreadable(promotions.read);
                Ok(OpenedPortfolio { portfolio, transactions, products, columns: promotions.columns, files })
            }
            (a, b, c, d) => Err(together([a.err(), b.err(), c.err(), d.err()].into_iter().flatten())),
        }
    }

    /// Reads all files but the transaction lines, which stay where they are: a Parquet file, or a folder of such, in batches as by
    /// [`Batches::from_parquet`].
    ///
    /// # Errors
    /// As [`PortfolioInputs::open`] and [`Batches::from_parquet`]; what is wrong with lines is told once the other files are as they should be.
    #[cfg(feature = "parquet")]
    pub fn open_batches(&self) -> Result<OpenedPortfolioBatches> {
        let promotions = self.read()?;
        let products = read_products(&self.products, &promotions.columns);
        let (assignments, customers) = self.assigned(&promotions);
        match (products, assignments, customers) {
            (Ok(products), Ok(assignments), Ok(customers)) => {
                let (portfolio, files) = self.asked(&promotions, assignments, customers)?;
                let batches = Batches::from_parquet([&self.transactions], products, &promotions.columns).map_err(|error| files.explain(None, error))?;
                Ok(OpenedPortfolioBatches { portfolio: portfolio.with_unreadable(promotions.read), batches, files })
            }
            (a, b, c) => Err(together([a.err(), b.err(), c.err()].into_iter().flatten())),
        }
    }

    /// Reads the promotion files.
    fn read(&self) -> Result<Promotions> {
        let read: Vec<(String, Result<PromotionFile>)> = self.promotions.iter().map(|path| (stem(path), PromotionFile::read(path))).collect();
        let usable = usable(&read);
        if usable.is_empty() {
            return Err(together(read.into_iter().filter_map(|(_, file)| file.err())));
        }
        check_ids(&usable)?;
        let (columns, wanted) = (columns(&usable)?, wanted(&usable));
        Ok(Promotions { read, columns, wanted })
    }

    /// Reads the assignments and the attributes of customers.
    fn assigned(&self, promotions: &Promotions) -> (Result<DataFrame>, Result<Option<DataFrame>>) {
        let Promotions { columns, wanted, .. } = promotions;
        let customers = self.customers.as_ref().map(|path| read_customers(path, columns, wanted)).transpose();
        (read_assignments(&self.assignments, columns, wanted), customers)
    }

    /// The promotions with their customers.
    fn asked(&self, promotions: &Promotions, assignments: DataFrame, customers: Option<DataFrame>) -> Result<(Portfolio, PortfolioFiles)> {
        let usable = usable(&promotions.read);
        let of_promotion = usable.iter().map(|file| (file.promotion.id.clone(), file.files.clone())).collect();
        let files = PortfolioFiles { tables: self.tables(), of_promotion };
        let question =
            |file: &&PromotionFile| Question { promotion: file.promotion.clone(), assignment: file.assignment.clone(), options: file.options.clone() };
        let questions = usable.iter().map(question);
        let portfolio = Portfolio::from_frames(questions, assignments.lazy(), customers.map(IntoLazy::lazy), &promotions.columns);
        Ok((portfolio.map_err(|error| explained(error, &files.tables))?, files))
    }

    fn tables(&self) -> Vec<(Input, PathBuf)> {
        let tables = [(Input::Transactions, &self.transactions), (Input::Products, &self.products), (Input::Assignment, &self.assignments)];
        tables.into_iter().chain(self.customers.iter().map(|path| (Input::Customers, path))).map(|(input, path)| (input, path.clone())).collect()
    }
}

impl PortfolioFiles {
    /// An error of the ledger, or of a promotion, with the file named in each problem that came from one.
    #[must_use]
    pub fn explain(&self, promotion: Option<&str>, error: Error) -> Error {
        let error = explained(error, &self.tables);
        match self.of_promotion.iter().find(|(id, _)| Some(id.as_str()) == promotion) {
            Some((_, files)) => files.explain(error),
            None => error,
        }
    }

    /// An error of a promotion in words, with the file named in each problem that came from one.
    #[must_use]
    pub fn explain_text(&self, promotion: &str, error: &Error) -> String {
        self.explain(Some(promotion), error.again()).to_string()
    }

    /// All files that were read, the lists that promotion files name among them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.tables.iter().map(|(_, path)| path.as_path()).chain(self.of_promotion.iter().flat_map(|(_, files)| files.paths()))
    }
}

impl Portfolio {
    /// The same with promotions behind the others whose file cannot be used. A name that is taken is told apart.
    fn with_unreadable(mut self, read: Vec<(String, Result<PromotionFile>)>) -> Self {
        for (name, error) in read.into_iter().filter_map(|(name, file)| file.err().map(|error| (name, error))) {
            let taken = self.promotions().any(|id| id == name);
            let promotion = if taken { format!("{name} (file)") } else { name };
            self.asked.push(Asked { promotion, study: Err(error) });
        }
        self
    }
}

/// The promotion files of a folder, in the order of their names.
fn promotion_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let problem = |fault, text: String| Problem::new(Input::Promotion, fault, text).file(folder.display());
    let entries = std::fs::read_dir(folder)
        .map_err(|error| problem(Fault::Unreadable, format!("the folder cannot be read: {error}")).remedy("Name the folder that holds the promotion files"))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| problem(Fault::Unreadable, format!("the folder cannot be read: {error}")).remedy("Check the disk"))?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
            files.push(path);
        }
    }
    files.sort_unstable();
    if files.is_empty() {
        return Err(problem(Fault::Empty, "the folder has no promotion file".to_owned()).remedy("Put one TOML file a promotion into it").into());
    }
    Ok(files)
}

/// The promotion files that could be read.
fn usable(read: &[(String, Result<PromotionFile>)]) -> Vec<&PromotionFile> {
    read.iter().filter_map(|(_, file)| file.as_ref().ok()).collect()
}

/// No two files describe a promotion of the same id.
fn check_ids(files: &[&PromotionFile]) -> Result<()> {
    let mut problems = Problems::default();
    let path = |file: &PromotionFile| file.files.of(Input::Promotion).map(|path| path.display().to_string()).unwrap_or_default();
    let mut first = hashbrown::HashMap::new();
    for file in files {
        let id = file.promotion.id.as_str();
        if let Some(known) = first.insert(id, path(file)) {
            let problem = Problem::new(Input::Promotion, Fault::Contradiction, format!("{known} has the same id")).file(path(file)).column("id").value(id);
            problems.push(problem.remedy("Give each promotion an id of its own; the waves of one action too"));
        }
    }
    problems.finish()
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The names and days of all promotion files as one; they must agree where several say something.
fn columns(files: &[&PromotionFile]) -> Result<Columns> {
    let (mut problems, mut columns) = (Problems::default(), Columns::default());
    for file in files {
        let problem = |key: String, text: String, value: String| {
            let path = file.files.of(Input::Promotion).map(|path| path.display().to_string()).unwrap_or_default();
            let problem = Problem::new(Input::Promotion, Fault::Contradiction, text).file(path).column(key).value(value);
            problem.remedy("The tables are read once for all promotions: write the same in all promotion files")
        };
        for (name, in_file) in file.columns.renamed() {
            if columns.is_renamed(name) && columns.name(name) != in_file {
                let text = format!("another promotion calls the column {}", columns.name(name));
                problems.push(problem(format!("columns.{name}"), text, in_file.clone()));
            }
            columns = columns.rename(name, in_file);
        }
        let (known, own) = (columns.ledger_days(), file.columns.ledger_days());
        for (key, known, own) in [("ledger.first_day", known.0, own.0), ("ledger.last_day", known.1, own.1)] {
            if let (Some(known), Some(own)) = (known, own)
                && known != own
            {
                problems.push(problem(key.to_owned(), format!("another promotion says {known}"), own.to_string()));
            }
        }
        columns = columns.first_day(own.0).last_day(own.1);
    }
    problems.finish()?;
    columns_of(files.iter().map(|file| &file.promotion), columns)
}

/// Every column of the assignments or customers that any promotion reads.
fn wanted(files: &[&PromotionFile]) -> AssignmentColumns {
    let mut wanted = AssignmentColumns::default();
    for own in files.iter().map(|file| &file.assignment) {
        let texts = own.stratum.iter().chain(&own.cluster).chain(&own.pair).chain(&own.variant).chain(&own.segments).chain(&own.exploratory_segments);
        texts.for_each(|name| push_new(&mut wanted.segments, name));
        own.attributes.iter().chain(&own.weight).for_each(|name| push_new(&mut wanted.attributes, name));
    }
    // A column that one promotion reads as names and another as numbers is read as text, and told where numbers are needed.
    wanted.attributes.retain(|name| !wanted.segments.contains(name));
    wanted
}

fn push_new(list: &mut Vec<String>, name: &str) {
    if !list.iter().any(|known| known == name) {
        list.push(name.to_owned());
    }
}

/// The same error with the table's file in each problem that does not name one yet.
fn explained(error: Error, tables: &[(Input, PathBuf)]) -> Error {
    let ErrorKind::Input(problems) = error.kind() else { return error };
    let mut named = Problems::default();
    for problem in problems {
        let path = tables.iter().find(|(input, _)| *input == problem.input && problem.file.is_none());
        named.push(match path {
            Some((_, path)) => problem.clone().file(path.display()),
            None => problem.clone(),
        });
    }
    named.finish().err().unwrap_or(error)
}

/// One error with the problems of all; an error of another kind stands for them all.
fn together(errors: impl Iterator<Item = Error>) -> Error {
    let mut problems = Problems::default();
    for error in errors {
        match error.kind() {
            ErrorKind::Input(found) => found.iter().for_each(|problem| problems.push(problem.clone())),
            _ => return error,
        }
    }
    problems.finish().err().unwrap_or_else(|| ErrorKind::Frame("nothing was read".into()).into())
}
