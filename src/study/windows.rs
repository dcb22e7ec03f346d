//! The windows of a study: baseline, anticipation, promotion, post, cut to the days the ledger covers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Day, DaySpan, Promotion};
use crate::error::{Fault, Input, Problem, Result};

/// A period of the study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Before the announcement, or the start.
    Baseline,
    /// From the announcement to the day before the start.
    Anticipation,
    /// From the start to the end.
    Promotion,
    /// After the end.
    Post,
}

impl Period {
    /// All periods in the order of time.
    pub const ALL: [Self; 4] = [Self::Baseline, Self::Anticipation, Self::Promotion, Self::Post];

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Anticipation => "anticipation",
            Self::Promotion => "promotion",
            Self::Post => "post",
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A window as it was asked for and as the ledger covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The period.
    pub period: Period,
    /// The days asked for.
    pub asked: DaySpan,
    /// The days of them that the ledger covers, `None` when there is none.
    pub covered: Option<DaySpan>,
}

impl Window {
    /// Covered days.
    #[must_use]
    pub fn days(&self) -> u32 {
        self.covered.map_or(0, DaySpan::days)
    }
}

/// A window that the ledger does not cover wholly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The window.
    pub window: Period,
    /// The days asked for.
    pub asked_days: u32,
    /// The days covered.
    pub days: u32,
}

/// All windows of a study. A window of zero asked days is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

impl Windows {
    /// The windows of `promotion` as far as the days of `ledger` reach.
    ///
    /// # Errors
    /// When the promotion ends before it starts or lies wholly outside the ledger.
    pub fn new(promotion: &Promotion, ledger: DaySpan) -> Result<Self> {
        let epoch = |day: Day| i64::from(day.epoch());
        let (before, start, end) = (epoch(promotion.announced.unwrap_or(promotion.start)), epoch(promotion.start), epoch(promotion.end));
        let asked = [
            (Period::Baseline, before - i64::from(promotion.baseline_days), before - 1),
            (Period::Anticipation, before, start - 1),
            (Period::Promotion, start, end),
            (Period::Post, end + 1, end + i64::from(promotion.post_days)),
        ];
        let windows = Self(
            asked
                .into_iter()
                .filter_map(|(period, first, last)| {
                    let asked = days_between(first, last)?;
                    Some(Window { period, asked, covered: asked.intersection(ledger) })
                })
                .collect(),
        );
        match windows.span(Period::Promotion) {
            Some(_) => Ok(windows),
            None => Err(Problem::new(Input::Promotion, Fault::OutsideLedger, "no day of the promotion is in the ledger")
                .column("start")
                .value(format!("{} to {}", promotion.start, promotion.end))
                .remedy(format!("The ledger covers {ledger}; mend the days, or bring the lines"))
                .into()),
        }
    }

    /// The windows in the order of time.
    #[must_use]
    pub fn all(&self) -> &[Window] {
        &self.0
    }

    /// The covered days of a period.
    #[must_use]
    pub fn span(&self, period: Period) -> Option<DaySpan> {
        self.0.iter().find(|w| w.period == period).and_then(|w| w.covered)
    }

    /// How many days of a period are covered.
    #[must_use]
    pub fn days(&self, period: Period) -> u32 {
        self.span(period).map_or(0, DaySpan::days)
    }

    /// The windows that are not covered wholly.
    pub fn cuts(&self) -> impl Iterator<Item = Cut> {
        self.0.iter().filter(|w| w.days() < w.asked.days()).map(|w| Cut { window: w.period, asked_days: w.asked.days(), days: w.days() })
    }

    /// The covered baseline in two halves, the first the shorter of two unequal ones; `None` under two days.
    #[must_use]
    pub fn baseline_halves(&self) -> Option<(DaySpan, DaySpan)> {
        let span = self.span(Period::Baseline)?;
        let second = span.first.plus(i64::from(span.days() / 2));
        Some((DaySpan::new(span.first, second.plus(-1))?, DaySpan::new(second, span.last)?))
    }
}

/// The days from `first` to `last`, counted from 1970-01-01, as far as there are days; `None` where there is none.
fn days_between(first: i64, last: i64) -> Option<DaySpan> {
    let (lowest, highest) = (i64::from(i32::MIN), i64::from(i32::MAX));
    let day = |days: i64| Day::from_epoch(days.clamp(lowest, highest) as i32);
    let any = first <= last && first <= highest && last >= lowest;
    if any { DaySpan::new(day(first), day(last)) } else { None }
}
