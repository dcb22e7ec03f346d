//! What can go wrong with the inputs, said so that a person can mend it.
//!
//! Statistical hazards are not errors: they are warnings and typed absences inside the result. An [`Error`] means that
//! the inputs cannot be measured at all; it carries *all* problems found, each with its place, count and remedy.

use std::fmt;

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a study could not be measured.
///
/// `Display` prints every problem on a line of its own; [`Error::kind`] gives them as values.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(Box<ErrorKind>);

/// The kinds of [`Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// One or more inputs are unusable; every problem found is listed.
    #[error("{}", Lines(.0))]
    Input(Vec<Problem>),
    /// The estimator has no answer for this design.
    #[error("the estimator has no answer for this design: {0}")]
    Estimate(crate::estimate::Undefined),
    /// What was measured could not be written.
    #[error("output: {0}")]
    Output(String),
    /// A frame operation failed for a reason that is not a problem of the data.
    #[error("the frames could not be read: {0}")]
    Frame(String),
}

impl Error {
    /// The kind, to match on.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// The problems of the inputs, empty for other kinds.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match &*self.0 {
            ErrorKind::Input(problems) => problems,
            _ => &[],
        }
    }

    /// The same error once more.
    pub(crate) fn again(&self) -> Self {
        match self.kind() {
            ErrorKind::Input(problems) => ErrorKind::Input(problems.clone()),
            ErrorKind::Estimate(undefined) => ErrorKind::Estimate(undefined.clone()),
            ErrorKind::Output(text) => ErrorKind::Output(text.clone()),
            ErrorKind::Frame(text) => ErrorKind::Frame(text.clone()),
        }
        .into()
    }

    /// Whether one of the problems is `fault`.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.problems().iter().any(|p| p.fault == fault)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        ErrorKind::Input(vec![problem]).into()
    }
}

impl From<crate::estimate::Undefined> for Error {
    fn from(undefined: crate::estimate::Undefined) -> Self {
        ErrorKind::Estimate(undefined).into()
    }
}

impl From<polars::error::PolarsError> for Error {
    fn from(error: polars::error::PolarsError) -> Self {
        ErrorKind::Frame(error.to_string()).into()
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        ErrorKind::Output(error.to_string()).into()
    }
}

/// Gathers problems, so that all are reported at once.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Takes the problems of `result` in, or gives its value.
    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) => match *error.0 {
                ErrorKind::Input(problems) => {
                    self.0.extend(problems);
                    Ok(None)
                }
                kind => Err(kind.into()),
            },
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Ok` when nothing was found.
    pub(crate) fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(ErrorKind::Input(self.0).into()) }
    }
}

/// Which input a [`Problem`] is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// The transaction lines.
    Transactions,
    /// The product table.
    Products,
    /// The assignment of customers to arms.
    Assignment,
    /// The attributes of customers.
    Customers,
    /// The promotion (file).
    Promotion,
    /// The redemption log.
    Redemptions,
    /// The calendar of general sales.
    Calendar,
    /// The table of other live promotions.
    OtherPromotions,
    /// Cells summed elsewhere.
    Cells,
    /// The design handed to an estimator.
    Design,
    /// The file of a ledger index.
    Index,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transactions => "transactions",
            Self::Products => "products",
            Self::Assignment => "assignments",
            Self::Customers => "customers",
            Self::Promotion => "promotion",
            Self::Redemptions => "redemptions",
            Self::Calendar => "calendar",
            Self::OtherPromotions => "other promotions",
            Self::Cells => "cells",
            Self::Design => "design",
            Self::Index => "ledger index",
        })
    }
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A required column is not there.
    MissingColumn,
    /// A column has a type that cannot be used.
    WrongType,
    /// A value is null where one is needed.
    Null,
    /// A value is not a day.
    NotADay,
    /// A number is NaN or infinite.
    NotFinite,
    /// A text is not a number.
    NotANumber,
    /// A frame has no rows.
    Empty,
    /// A customer stands more than once in one arm.
    DuplicateCustomer,
    /// A customer stands in both arms.
    BothArms,
    /// An arm is neither `target` nor `control`.
    UnknownArm,
    /// An arm has no customer.
    EmptyArm,
    /// An arm has one customer only.
    OneCustomer,
    /// A pair is not one target and one control customer.
    IncompletePair,
    /// No product of the offer is in the product table or the lines.
    NoFocalProduct,
    /// A listed substitute is a product of the offer.
    SubstituteIsFocal,
    /// A window ends before it starts, or is announced after it starts.
    WindowOrder,
    /// The promotion lies outside the days of the ledger.
    OutsideLedger,
    /// A product has two categories.
    TwoCategories,
    /// A line has no cost, and no margin rate is given.
    NoCost,
    /// A funding term names a supplier that is not declared.
    UnknownSupplier,
    /// A funding term refers to a discount that the supplier already pays.
    FundingOnSupplierPaid,
    /// Something needs the offer lines, which are unknown.
    OfferLinesUnknown,
    /// The general-sale flag differs within a product and day.
    FlagDiffers,
    /// A measure's expression aggregates; it must be row-wise.
    NotRowWise,
    /// A number lies outside its range.
    OutOfRange,
    /// Ids are of different types in two inputs.
    IdTypes,
    /// Ids of two inputs have no value in common.
    NoCommonIds,
    /// A key or name is not known.
    UnknownName,
    /// Two things that exclude each other are both given, or a needed one is not.
    Contradiction,
    /// A file cannot be opened or read.
    Unreadable,
    /// A file is not UTF-8, not the format its name says, or is cut off.
    Malformed,
    /// What is asked is not supported by this version.
    Unsupported,
}

/// One problem of one input: where it is, what it is, how often, and what to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The input it is in.
    pub input: Input,
    /// What is wrong.
    pub fault: Fault,
    /// The fault in words.
    pub text: String,
    /// The file, where the input came from one.
    pub file: Option<String>,
    /// The column; in a promotion the key, with its table: `estimation.confidence`.
    pub column: Option<String>,
    /// The first row, counted from 1 without a header. `Display` calls it a data row: in a CSV file without line ends inside values and without
    /// empty lines it stands one line further down.
    pub row: Option<u64>,
    /// The first offending value.
    pub value: Option<String>,
    /// How many rows have it.
    pub count: Option<u64>,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// A problem without a place yet.
    pub(crate) fn new(input: Input, fault: Fault, text: impl Into<String>) -> Self {
        Self { input, fault, text: text.into(), file: None, column: None, row: None, value: None, count: None, remedy: String::new() }
    }

    pub(crate) fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// The first offending row, counted from 0.
    pub(crate) fn first(mut self, index: usize) -> Self {
        self.row = Some(index as u64 + 1);
        self
    }

    pub(crate) fn value(mut self, value: impl fmt::Display) -> Self {
        self.value = Some(value.to_string());
        self
    }

    pub(crate) fn count(mut self, count: usize) -> Self {
        self.count = Some(count as u64);
        self
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Whether `column` is a key of the promotion or the design; what is missing is a column of a table, which a key only names.
    fn names_a_key(&self) -> bool {
        matches!(self.input, Input::Promotion | Input::Design) && self.fault != Fault::MissingColumn
    }

    #[cfg(feature = "files")]
    pub(crate) fn file(mut self, file: impl fmt::Display) -> Self {
        self.file = Some(file.to_string());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.input)?;
        if let Some(file) = &self.file {
            write!(f, " ({file})")?;
        }
        if let Some(column) = &self.column {
            let what = if self.names_a_key() { "key" } else { "column" };
            write!(f, ", {what} `{}`", short(column))?;
        }
        if let Some(row) = self.row {
            write!(f, ", data row {row}")?;
        }
        write!(f, ": {}", self.text)?;
        if let Some(value) = &self.value {
            write!(f, ": \"{}\"", short(value))?;
        }
        match self.count {
            Some(1) => write!(f, " (1 row)")?,
            Some(count) => write!(f, " ({count} rows)")?,
            None => {}
        }
        if self.remedy.is_empty() { Ok(()) } else { write!(f, ". {}", self.remedy) }
    }
}

/// Prints one problem a line.
struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// A name or value on one line and cut to a length that leaves a message readable.
pub(crate) fn short(text: &str) -> String {
    cut(text, 80)
}

/// A text on one line, cut to `most` letters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut letters = text.chars().map(plain);
    let kept: String = letters.by_ref().take(most).collect();
    if letters.next().is_none() { kept } else { kept + "…" }
}

/// The first names of a list, and how many more there are.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    listed_up_to(20, names)
}

fn listed_up_to<'a>(most: usize, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(most).map(|name| cut(name, 40)).collect();
    let more = names.count();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// The remedy for a name that is not among those known: the nearest, and what there is.
pub(crate) fn known_names(name: &str, known: &[&str]) -> String {
    let hint = nearest(name, known.iter().copied()).map(|found| format!("Did you mean `{}`? ", short(found))).unwrap_or_default();
    // The keys of a promotion are some thirty, and all of them are wanted.
    format!("{hint}Known are {}", listed_up_to(40, known.iter().copied()))
}

/// The known name nearest to `name` by edit distance, when it is near enough to be meant: few letters differ, fewer than either name holds,
/// or one of the two, of three letters or more, is part of the other.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let near = |distance: usize, k: &str| distance <= 1 + length / 3 && distance < length.min(k.chars().count());
    let holds = |long: &str, short: &str| short.chars().count() > 2 && long.contains(short);
    known
        .into_iter()
        .map(|k| (edit_distance(&name.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(distance, k)| near(*distance, k) || holds(k, name) || holds(name, k))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// Levenshtein's distance (insertions, deletions and replacements).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("netsales", ["day", "net_sales", "store"]), Some("net_sales"));
        assert_eq!(nearest("qantity", ["quantity", "product"]), Some("quantity"));
        assert_eq!(nearest("zzzzzz", ["quantity", "product"]), None);
        assert_eq!(nearest("customer_age", ["id", "customer"]), Some("customer"));
        assert_eq!(nearest("day", ["a", "d", "", "store"]), None);
    }

    #[test]
    fn a_report_that_cannot_be_written_is_an_error_of_the_crate() {
        fn write() -> Result<()> {
            std::fs::write("/nowhere/at/all/report.html", "")?;
            Ok(())
        }
        let error = write().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Output(_)) && error.problems().is_empty());
        assert!(error.to_string().starts_with("output: "), "{error}");
    }

    #[test]
    fn a_promotion_has_keys_and_tables_have_columns() {
        let key = Problem::new(Input::Promotion, Fault::OutOfRange, "too large").column("estimation.confidence");
        assert_eq!(key.to_string(), "promotion, key `estimation.confidence`: too large");
        let column = Problem::new(Input::Promotion, Fault::MissingColumn, "the products have no such column").column("brand");
        assert_eq!(column.to_string(), "promotion, column `brand`: the products have no such column");
        assert_eq!(Problem::new(Input::Products, Fault::Null, "empty").column("product").to_string(), "products, column `product`: empty");
    }

    #[test]
    fn huge_names_values_and_lists_are_cut_and_stay_on_one_line() {
        let huge = "ä".repeat(5_000);
        let problem = Problem::new(Input::Products, Fault::NotANumber, "not a number").column(&huge).value(format!("two\nlines{huge}"));
        let shown = problem.to_string();
        assert!(shown.chars().count() < 250 && shown.contains("two lines") && shown.contains('…') && !shown.contains('\n'), "{shown}");
        assert_eq!(short("as it is"), "as it is");
        assert_eq!(listed(["a", "b"]), "a, b");
        let many: Vec<String> = (0..1_000).map(|i| format!("{i}{huge}")).collect();
        let names = listed(many.iter().map(String::as_str));
        assert!(names.chars().count() < 1_000 && names.ends_with(" and 980 more"), "{names}");
        assert!(known_names("quantty", &["quantity", "day"]).starts_with("Did you mean `quantity`? Known are quantity, day"));
    }

    #[test]
    fn a_problem_names_its_place_and_remedy() {
        let problem = Problem::new(Input::Transactions, Fault::NotADay, "not a day")
            .column("day")
            .first(16)
            .value("2017-13-01")
            .count(3)
            .remedy("Write days as YYYY-MM-DD");
        assert_eq!(problem.to_string(), "transactions, column `day`, data row 17: not a day: \"2017-13-01\" (3 rows). Write days as YYYY-MM-DD");
    }
}
