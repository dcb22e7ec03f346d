//! A year of promotions in one pass: many studies, one source of cells.
//!
//! A [`Portfolio`] is a list of promotions, each with its own customers. [`Portfolio::measure`] measures each as [`Study::measure`] does, bit for bit, and keeps
//! what cannot be measured beside what can ([`Measured`]). Four questions that no single study can answer come after:
//!
//! * which promotion earned most, when many are looked at ([`Measured::league`]);
//! * who was in which other promotion at the same time ([`Portfolio::overlaps`]), and what two promotions did together ([`Portfolio::factorial`]);
//! * what all of them earned together, where they share customers or a universal control ([`Measured::total`]);
//! * what an always-on action did over its waves, and whether one wave reaches into the next ([`Portfolio::waves`]; promotions say whose waves they are by
//!   [`Promotion::wave_of`]: [`Portfolio::actions`]).
//!
//! ```
//! use promolift::portfolio::{Portfolio, Ranking, TotalOf};
//! use promolift::prelude::*;
//! use promolift::simulate::SeniorMeat;
//!
//! let world = SeniorMeat { customers: 400, ..SeniorMeat::default() }.draw()?;
//! let ledger = Ledger::from_frames(world.transactions, world.products, &world.promotion.columns())?;
//! let mut again = world.promotion.clone();
//! again.id = "the same, drawn again".into();
//! let swapped = world.assignment.arm.iter().map(|arm| if *arm == Arm::Target { Arm::Control } else { Arm::Target }).collect();
//! let other = Assignment::new(world.assignment.customers.clone(), swapped);
//!
//! let portfolio = Portfolio::new([Study::new(world.promotion, world.assignment), Study::new(again, other)])?;
//! let measured = portfolio.measure(&ledger);
//! assert_eq!(measured.measurements().count(), 2);
//! println!("{}", measured.league(&Ranking::default())?);
//! println!("{}", measured.total(TotalOf::NetProfit)?);
//! # Ok::<(), Error>(())
//! ```

mod assignments;
mod factorial;
#[cfg(any(feature = "csv", feature = "parquet"))]
mod inputs;
mod league;
mod league_rows;
mod made;
mod measured;
mod overlaps;
mod roster;
mod text;
mod total;
mod waves;

pub use assignments::{Question, UnaskedRows};
pub use factorial::{Factorial, FactorialCell, FactorialEffect, Inseparable};
#[cfg(feature = "parquet")]
pub use inputs::OpenedPortfolioBatches;
#[cfg(any(feature = "csv", feature = "parquet"))]
pub use inputs::{OpenedPortfolio, PortfolioFiles, PortfolioInputs};
pub use league::{Control, League, RankBy, Ranking};
pub use league_rows::{Apart, LeagueRow, Standing};
pub use measured::{Entry, Measured, write_json_lines};
pub use overlaps::{Exposure, Overlap, Overlaps};
pub use total::{LeftOutOfTotal, PairCovariance, Total, TotalOf};
pub use waves::{CarryOver, StackedEffect, Wave, WaveEffect, Waves};

use std::borrow::Cow;
use std::collections::BTreeMap;

use hashbrown::HashSet;
use rayon::prelude::*;

use crate::cells::CellSource;
use crate::error::{Error, Fault, Input, Problem, Problems, Result};
use crate::ledger::Columns;
use crate::study::{Day, Promotion, Study};
use made::{Made, Tables};
use roster::Roster;

/// Many promotions, to be measured on one source.
#[derive(Debug)]
pub struct Portfolio {
    asked: Vec<Asked>,
    roster: Roster,
    checks_overlaps: bool,
    unasked: Vec<UnaskedRows>,
}

/// A promotion with its study, or why there is none.
#[derive(Debug)]
struct Asked {
    promotion: String,
    study: Result<Study>,
}

/// How far a portfolio has been measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Promotions that are done.
    pub done: usize,
    /// All of them.
    pub of: usize,
    /// The last one done.
    pub promotion: &'a str,
    /// Whether it could be measured; a refused study was measured.
    pub measured: bool,
}

impl Portfolio {
    /// A portfolio of studies, each with its own assignment, in this order.
    ///
    /// # Errors
    /// An input error where there is no study, or two have the same promotion id.
    pub fn new(studies: impl IntoIterator<Item = Study>) -> Result<Self> {
        let asked = studies.into_iter().map(|study| Asked { promotion: study.promotion.id.clone(), study: Ok(study) }).collect();
        Self::of(asked, Vec::new())
    }

    fn of(asked: Vec<Asked>, unasked: Vec<UnaskedRows>) -> Result<Self> {
        check_ids(asked.iter().map(|asked| asked.promotion.as_str()))?;
        let roster = Roster::new(asked.iter().map(|asked| asked.study.as_ref().ok().map(|study| &study.assignment)));
        Ok(Self { asked, roster, checks_overlaps: false, unasked })
    }

    /// The same, where each study is also told which of its customers were in the target of another promotion of this portfolio while it ran: the check
    /// `other_promotions` then has its table ([`Promotion::other_promotions`]), and the conclusion takes it into account. A table that a promotion already has
    /// stays, with these rows behind it.
    #[must_use]
    pub fn checking_overlaps(mut self) -> Self {
        self.checks_overlaps = true;
        self
    }

    /// How many promotions there are, those that cannot be measured included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether there is none; never, since [`Portfolio::new`] refuses that.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// The promotions' ids, in order.
    pub fn promotions(&self) -> impl Iterator<Item = &str> {
        self.asked.iter().map(|asked| asked.promotion.as_str())
    }

    /// The actions whose waves the promotions say they are ([`Promotion::wave_of`]), by name, each with the ids of its waves in the order of time. Waves that
    /// cannot be measured are left out.
    #[must_use]
    pub fn actions(&self) -> Vec<(&str, Vec<&str>)> {
        let mut actions: BTreeMap<&str, Vec<(Day, &str)>> = BTreeMap::new();
        for study in self.asked.iter().filter_map(|asked| asked.study.as_ref().ok()) {
            if let Some(action) = &study.promotion.wave_of {
                actions.entry(action).or_default().push((study.promotion.start, &study.promotion.id));
            }
        }
        for waves in actions.values_mut() {
            waves.sort_unstable();
        }
        actions.into_iter().map(|(action, waves)| (action, waves.into_iter().map(|(_, id)| id).collect())).collect()
    }

    /// Rows of the assignments that are of no promotion asked for, by the promotion that they name.
    #[must_use]
    pub fn unasked_rows(&self) -> &[UnaskedRows] {
        &self.unasked
    }

    /// The study of a promotion exactly as it is measured, with the rows of [`Portfolio::checking_overlaps`]; `None` where the promotion is not there or has no
    /// usable assignment.
    #[must_use]
    pub fn study(&self, promotion: &str) -> Option<Cow<'_, Study>> {
        self.study_at(self.place(promotion)?)
    }

    fn place(&self, promotion: &str) -> Option<usize> {
        self.asked.iter().position(|asked| asked.promotion == promotion)
    }

    fn study_at(&self, place: usize) -> Option<Cow<'_, Study>> {
        let study = self.asked.get(place)?.study.as_ref().ok()?;
        if !self.checks_overlaps {
            return Some(Cow::Borrowed(study));
        }
        let live = self.live_elsewhere(place);
        let mut study = study.clone();
        study.promotion.other_promotions.get_or_insert_default().extend(live);
        Some(Cow::Owned(study))
    }

    /// A study as it is asked for, or the problem that it is not there.
    fn plain_study(&self, promotion: &str) -> Result<(usize, &Study)> {
        let Some(place) = self.place(promotion) else {
            let known: Vec<&str> = self.promotions().collect();
            let problem = Problem::new(Input::Promotion, Fault::UnknownName, "the portfolio has no such promotion").column("id").value(promotion);
            return Err(problem.remedy(crate::error::known_names(promotion, &known)).into());
        };
        self.asked[place].study.as_ref().map(|study| (place, study)).map_err(Error::again)
    }

    /// The columns that all promotions need of one ledger, added to `columns` that already hold names or days.
    ///
    /// # Errors
    /// Where promotions name different columns for the general-sale flag, or for the VAT rate: a ledger has one of each.
    pub fn columns_from(&self, columns: Columns) -> Result<Columns> {
        columns_of(self.asked.iter().filter_map(|asked| asked.study.as_ref().ok()).map(|study| &study.promotion), columns)
    }

    /// The same from promolift's own names.
    ///
    /// # Errors
    /// As [`Portfolio::columns_from`].
    pub fn columns(&self) -> Result<Columns> {
        self.columns_from(Columns::default())
    }

    /// Measures all promotions, in order. What one cannot be measured for is kept with it, and the others are measured all the same.
    pub fn measure(&self, source: &(impl CellSource + Sync + ?Sized)) -> Measured {
        self.measure_with(source, |_| {})
    }

    /// The same, telling after each promotion how far it is.
    pub fn measure_with(&self, source: &(impl CellSource + Sync + ?Sized), mut progress: impl FnMut(Progress<'_>)) -> Measured {
        let mut entries = Vec::with_capacity(self.len());
        for entry in self.measurements(source) {
            progress(Progress { done: entries.len() + 1, of: self.len(), promotion: &entry.promotion, measured: entry.result.is_ok() });
            entries.push(entry);
        }
        Measured::new(entries, self.unasked.clone())
    }

    /// Measures the promotions in order as they are asked for, up to four at once where there are threads for them, each with the memory that it needs by
    /// itself; nothing else is held but what the caller keeps. From a [`LedgerIndex`](crate::ledger::LedgerIndex) each reads its own customers' lines only.
    /// Of [`Batches`](crate::ledger::Batches) the cells of several promotions are made in one pass, as many as the source holds
    /// ([`CellSource::bytes_at_once`]).
    pub fn measurements<'a, S: CellSource + Sync + ?Sized>(&'a self, source: &'a S) -> impl ExactSizeIterator<Item = Entry> + use<'a, S> {
        Measuring { portfolio: self, source, tables: Tables::default(), next: 0, ready: Vec::new().into_iter() }
    }

    fn entry(&self, place: usize, source: &(impl CellSource + ?Sized)) -> Entry {
        let asked = &self.asked[place];
        let measured = match (&asked.study, self.study_at(place)) {
            (Ok(_), Some(study)) => study.measure_with_figures(source),
            (Err(error), _) => Err(error.again()),
            (Ok(study), None) => study.measure_with_figures(source),
        };
        Entry::new(&asked.promotion, measured, || self.roster.of(place))
    }
}

/// So many promotions are measured at once at most: a promotion by itself leaves threads idle between its steps, and each needs memory of its own.
const AT_ONCE: usize = 4;

/// A portfolio under way.
struct Measuring<'a, S: ?Sized> {
    portfolio: &'a Portfolio,
    source: &'a S,
    tables: Tables,
    /// The first promotion that is neither measured nor ready.
    next: usize,
    ready: std::vec::IntoIter<Entry>,
}

impl<S: CellSource + Sync + ?Sized> Iterator for Measuring<'_, S> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if self.ready.len() == 0 {
            let tables = self.tables.take(self.portfolio, self.source, self.next, rayon::current_num_threads().min(AT_ONCE));
            let some = self.next..self.next + tables.len();
            self.next = some.end;
            let measured = some.into_par_iter().zip(tables).map(|(place, table)| self.portfolio.entry(place, &Made::new(self.source, table)));
            self.ready = measured.collect::<Vec<Entry>>().into_iter();
        }
        self.ready.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.portfolio.len() - self.next + self.ready.len();
        (left, Some(left))
    }
}

impl<S: CellSource + Sync + ?Sized> ExactSizeIterator for Measuring<'_, S> {}

/// The columns that several promotions need of one ledger.
///
/// # Errors
/// As [`Portfolio::columns_from`].
pub(crate) fn columns_of<'p>(promotions: impl Iterator<Item = &'p Promotion>, columns: Columns) -> Result<Columns> {
    let mut problems = Problems::default();
    let mut columns = columns;
    for promotion in promotions {
        let own = promotion.columns();
        let pairs = [("markdown.column", columns.flag_column(), own.flag_column()), ("money.vat_column", columns.vat_column(), own.vat_column())];
        for (key, known, wanted) in pairs {
            if let (Some(known), Some(wanted)) = (known, wanted)
                && known != wanted
            {
                let text = format!("promotion {} names {wanted} where others name {known}, and a ledger has one such column", promotion.id);
                problems
                    .push(Problem::new(Input::Promotion, Fault::Contradiction, text).column(key).value(wanted).remedy("Name the same column in all of them"));
            }
        }
        columns = promotion.columns_from(columns);
    }
    problems.finish()?;
    Ok(columns)
}

/// There is a promotion, and no two have the same id.
fn check_ids<'a>(ids: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut problems = Problems::default();
    let mut seen = HashSet::new();
    for (row, id) in ids.enumerate() {
        if !seen.insert(id) {
            let problem = Problem::new(Input::Promotion, Fault::Contradiction, "two promotions have the same id").column("id").first(row).value(id);
            problems.push(problem.remedy("Give each promotion an id of its own; the waves of one action too"));
        }
    }
    if seen.is_empty() {
        problems.push(Problem::new(Input::Promotion, Fault::Empty, "the portfolio has no promotion").remedy("Bring one promotion or more"));
    }
    problems.finish()
}
