//! The promotion file: what is asked, and what the columns of the other files are called.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::keys::{self, Document};
use super::source::{Format, Source};
use super::{Files, lists, together};
use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::ledger::{AssignmentColumns, Columns, NAMES};
use crate::study::{Day, EstimatorName, Ids, Markdown, Options, Promotion, Selection};

/// The keys that are lists of tables, each written in double brackets.
const LISTS: [&str; 8] = ["discounts", "suppliers", "funding", "measures", "goals", "ratios", "redemptions", "other_promotions"];

/// The keys that are one table, written in single brackets.
const TABLES: [&str; 10] = ["focal", "substitutes", "money", "markdown", "margin", "costs", "columns", "ledger", "assignment", "estimation"];

/// The keys of a promotion that have no default.
const REQUIRED: [&str; 5] = ["id", "randomised", "start", "end", "focal"];

/// What a promotion file (TOML) says.
///
/// Its keys are those of [`Promotion`] with four tables more: `[columns]` (promolift's name = the files' name), `[ledger]`
/// (`first_day`, `last_day`), `[assignment]` ([`AssignmentColumns`]) and `[estimation]` ([`Options`]). Lists may stand in
/// files of their own, CSV or Parquet, with paths relative to the promotion file: `products_file` in `[focal]` and
/// `[substitutes]`, `redemptions_file`, `other_promotions_file`, and `calendar_file` in `[markdown]`.
///
/// ```
/// use promolift::files::PromotionFile;
/// let text = r#"
///     id = "senior-meat-10"
///     randomised = true
///     start = 2017-05-08
///     end = 2017-06-25
///     [focal]
///     category = "meat"
///     [columns]
///     customer = "household_id"
/// "#;
/// let file = PromotionFile::parse(text, std::path::Path::new("."))?;
/// assert_eq!(file.columns.name("customer"), "household_id");
/// # Ok::<(), promolift::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PromotionFile {
    /// The promotion, its lists in place.
    pub promotion: Promotion,
    /// What the columns are called, and which the promotion needs.
    pub columns: Columns,
    /// Which columns of the assignments or customers are read.
    pub assignment: AssignmentColumns,
    /// How to estimate.
    pub options: Options,
    /// The files that it names, after itself where it was read from a file.
    pub files: Files,
}

impl PromotionFile {
    /// Reads a promotion file and the files it names.
    ///
    /// # Errors
    /// An input error that lists every unknown key, unusable value and unreadable file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let source = Source::new(path, Input::Promotion);
        if Format::of(path).is_some() {
            source.check()?;
            let problem = source.problem(Fault::Malformed, "it is a table, and the promotion is a TOML file");
            return Err(problem.remedy("Check which file is given as what").into());
        }
        let files = Files::default().with(Input::Promotion, path);
        let mut read = Self::parse(&source.text()?, path.parent().unwrap_or(Path::new(""))).map_err(|error| files.explain(error))?;
        read.files = files.and(read.files);
        Ok(read)
    }

    /// Reads the text of a promotion file; the files it names are relative to `dir`.
    ///
    /// # Errors
    /// As [`PromotionFile::read`].
    pub fn parse(text: &str, dir: &Path) -> Result<Self> {
        let document = Document(text);
        let table = DeTable::parse(text).map_err(|error| document.not_toml(&error))?;
        Reading { document, dir, root: table.span(), table: table.into_inner(), problems: Problems::default(), files: Files::default() }.finish()
    }
}

/// The table `[ledger]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LedgerDays {
    first_day: Option<Day>,
    last_day: Option<Day>,
}

/// The lists that stood in files of their own.
#[derive(Debug, Default)]
struct Lists {
    focal: Option<Ids>,
    substitutes: Option<Ids>,
    redemptions: Option<Vec<crate::study::Redemption>>,
    other_promotions: Option<Vec<crate::study::LiveElsewhere>>,
    calendar: Option<Vec<crate::study::Sale>>,
}

/// A promotion file while it is read: what is left of its table, and the problems so far.
struct Reading<'a> {
    document: Document<'a>,
    dir: &'a Path,
    root: Range<usize>,
    table: DeTable<'a>,
    problems: Problems,
    files: Files,
}

impl<'a> Reading<'a> {
    fn finish(mut self) -> Result<PromotionFile> {
        self.check_brackets();
        let columns = self.columns();
        let days: LedgerDays = self.section("ledger")?;
        let mut assignment: AssignmentColumns = self.section("assignment")?;
        self.check_estimator()?;
        let options: Options = self.section("estimation")?;
        let lists = self.lists(&columns)?;
        self.check_days(&days);
        let promotion = self.promotion();
        let problems = self.problems.finish();
        let mut promotion = match (promotion, problems) {
            (Ok(promotion), Ok(())) => promotion,
            (promotion, problems) => return Err(together([problems.err(), promotion.err()])),
        };
        lists.put_into(&mut promotion);
        for attribute in options.customer_covariates.iter().chain(&promotion.costs.contacts) {
            if !assignment.attributes.contains(attribute) {
                assignment.attributes.push(attribute.clone());
            }
        }
        let columns = promotion.columns_from(columns).first_day(days.first_day).last_day(days.last_day);
        Ok(PromotionFile { promotion, columns, assignment, options, files: self.files })
    }

    /// `[discounts]` where `[[discounts]]` is needed, and the other way round. What is meant is clear, so that the rest is read as if it stood there.
    fn check_brackets(&mut self) {
        for (key, value) in &mut self.table {
            let (name, span) = (key.get_ref().to_string(), value.span());
            let told = match value.get_mut() {
                DeValue::Table(table) if LISTS.contains(&name.as_str()) => {
                    let table = Spanned::new(span.clone(), DeValue::Table(std::mem::take(table)));
                    *value.get_mut() = DeValue::Array(std::iter::once(table).collect());
                    ("it is written as one table, and there may be several", format!("Write [[{name}]] with double brackets"))
                }
                DeValue::Array(array) if TABLES.contains(&name.as_str()) => {
                    let first = array.iter_mut().next().map(|first| std::mem::replace(first.get_mut(), DeValue::Boolean(false)));
                    let Some(DeValue::Table(table)) = first else { continue };
                    *value.get_mut() = DeValue::Table(table);
                    ("it is written as a list, and there is only one", format!("Write [{name}] with single brackets, once"))
                }
                _ => continue,
            };
            self.problems.push(self.document.problem(&name, &span, Fault::WrongType, told.0).remedy(told.1));
        }
    }

    /// A table of the file's own with defaults for all its keys.
    fn section<T: serde::de::DeserializeOwned + Default>(&mut self, name: &str) -> Result<T> {
        let Some(table) = self.table.remove(name).and_then(|value| self.table_of(name, value)) else { return Ok(T::default()) };
        Ok(self.problems.take(keys::deserialize(self.document, table, name, &[]))?.unwrap_or_default())
    }

    fn table_of(&mut self, key: &str, value: Spanned<DeValue<'a>>) -> Option<Spanned<DeTable<'a>>> {
        let span = value.span();
        if let DeValue::Table(table) = value.into_inner() {
            return Some(Spanned::new(span, table));
        }
        let problem = self.document.problem(key, &span, Fault::WrongType, "it must be a table");
        self.problems.push(problem.remedy(format!("Write [{key}] and its keys below")));
        None
    }

    /// `[columns]`: every name must be one of promolift's or a declared discount column.
    fn columns(&mut self) -> Columns {
        let mut columns = Columns::default();
        let discounts = self.discount_columns();
        let Some(table) = self.table.remove("columns").and_then(|value| self.table_of("columns", value)) else { return columns };
        let known: Vec<&str> = NAMES.into_iter().chain(discounts.iter().map(String::as_str)).collect();
        for (name, value) in table.into_inner() {
            let key = format!("columns.{}", name.get_ref());
            if !known.contains(&name.get_ref().as_ref()) {
                self.problems.push(keys::unknown_key(self.document, &key, &name.span(), &known));
            } else if let Some(in_file) = value.get_ref().as_str() {
                columns = columns.rename(name.get_ref().to_string(), in_file);
            } else {
                let problem = self.document.problem(&key, &value.span(), Fault::WrongType, "the name of a column must be a text");
                self.problems.push(problem.remedy("Write it in quotation marks"));
            }
        }
        columns
    }

    fn discount_columns(&self) -> Vec<String> {
        let discounts = self.table.get("discounts").and_then(|value| value.get_ref().as_array());
        let columns = discounts.into_iter().flat_map(|discounts| discounts.iter().filter_map(|d| d.get_ref().as_table()?.get("column")?.get_ref().as_str()));
        columns.map(str::to_owned).collect()
    }

    /// An unknown estimator is told with the words the command line uses.
    fn check_estimator(&mut self) -> Result<()> {
        let Some(DeValue::Table(estimation)) = self.table.get_mut("estimation").map(Spanned::get_mut) else { return Ok(()) };
        let unknown = estimation.get("estimator").and_then(|value| value.get_ref().as_str()).and_then(|name| name.parse::<EstimatorName>().err());
        if let Some(error) = unknown {
            estimation.remove("estimator");
            self.problems.take::<()>(Err(error))?;
        }
        Ok(())
    }

    fn check_days(&mut self, days: &LedgerDays) {
        if let (Some(first), Some(last)) = (days.first_day, days.last_day)
            && last < first
        {
            let problem = Problem::new(Input::Promotion, Fault::WindowOrder, "the ledger ends before it starts");
            self.problems.push(problem.column("ledger.last_day").value(last).remedy(format!("Its first day is {first}; mend one of the two")));
        }
    }

    /// What is left is the promotion itself. Required keys are looked for here, since serde names only the first that is missing.
    fn promotion(&mut self) -> Result<Promotion> {
        let table = Spanned::new(self.root.clone(), std::mem::take(&mut self.table));
        let missing: Vec<&str> = REQUIRED.into_iter().filter(|key| !table.get_ref().contains_key(*key)).collect();
        for key in &missing {
            let problem = Problem::new(Input::Promotion, Fault::Contradiction, "the key is missing").column(*key);
            self.problems.push(problem.remedy("It has no default: add it, above the first [table]"));
        }
        keys::deserialize(self.document, table, "", &missing)
    }

    /// Reads the lists that stand in files, and takes their keys out.
    fn lists(&mut self, columns: &Columns) -> Result<Lists> {
        let focal = self.list(Some("focal"), "products_file", "products", Input::Promotion, |source| lists::products(source, columns))?;
        let substitutes = self.list(Some("substitutes"), "products_file", "products", Input::Promotion, |source| lists::products(source, columns))?;
        let redemptions = self.list(None, "redemptions_file", "redemptions", Input::Redemptions, |source| lists::redemptions(source, columns))?;
        let other_promotions =
            self.list(None, "other_promotions_file", "other_promotions", Input::OtherPromotions, |source| lists::other_promotions(source, columns))?;
        let calendar = self.list(Some("markdown"), "calendar_file", "calendar", Input::Calendar, |source| lists::calendar(source, columns))?;
        Ok(Lists { focal, substitutes, redemptions, other_promotions, calendar })
    }

    /// Reads the list whose file the key `file_key` names; an empty list under `key` holds its place until the promotion is read.
    fn list<T>(&mut self, section: Option<&str>, file_key: &str, key: &'a str, input: Input, read: impl Fn(&Source) -> Result<T>) -> Result<Option<T>> {
        let Some(value) = self.take_key(section, file_key) else { return Ok(None) };
        let path = section.map_or_else(|| file_key.to_owned(), |section| format!("{section}.{file_key}"));
        let Some(file) = value.get_ref().as_str() else {
            let problem = self.document.problem(&path, &value.span(), Fault::WrongType, "a file name must be a text");
            self.problems.push(problem.remedy("Write it in quotation marks"));
            return Ok(None);
        };
        let table = self.table_at(section);
        if table.is_some_and(|table| table.contains_key(key)) {
            let problem = self.document.problem(&path, &value.span(), Fault::Contradiction, &format!("`{key}` and `{file_key}` are both given"));
            self.problems.push(problem.remedy("Keep one of the two"));
            return Ok(None);
        }
        if let Some(table) = self.table_at(section) {
            let place = DeValue::Array(DeArray::default());
            table.insert(Spanned::new(value.span(), key.into()), Spanned::new(value.span(), place));
        }
        let file = self.dir.join(file);
        self.files.push(input, &file);
        self.problems.take(read(&Source::new(&file, input)))
    }

    fn table_at(&mut self, section: Option<&str>) -> Option<&mut DeTable<'a>> {
        match section {
            None => Some(&mut self.table),
            Some(section) => match self.table.get_mut(section)?.get_mut() {
                DeValue::Table(table) => Some(table),
                _ => None,
            },
        }
    }

    fn take_key(&mut self, section: Option<&str>, key: &str) -> Option<Spanned<DeValue<'a>>> {
        self.table_at(section)?.remove(key)
    }
}

impl Lists {
    fn put_into(self, promotion: &mut Promotion) {
        if let Some(ids) = self.focal {
            promotion.focal = Selection::Products(ids);
        }
        if let Some(ids) = self.substitutes {
            promotion.substitutes = Selection::Products(ids);
        }
        if let Some(sales) = self.calendar {
            promotion.markdown = Some(Markdown::Calendar(sales));
        }
        promotion.redemptions = self.redemptions.or(promotion.redemptions.take());
        promotion.other_promotions = self.other_promotions.or(promotion.other_promotions.take());
    }
}
