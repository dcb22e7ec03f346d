//! Days and windows of whole local days.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A local calendar day: days since 1970-01-01.
///
/// In TOML it may be a date or a text `"YYYY-MM-DD"`, in JSON the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// The day `days` after 1970-01-01.
    #[must_use]
    pub const fn from_epoch(days: i32) -> Self {
        Self(days)
    }

    /// The day of a calendar date, `None` where there is no such date.
    #[must_use]
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).map(Self::from)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn epoch(self) -> i32 {
        self.0
    }

    /// The day `days` later (earlier when negative); saturates.
    #[must_use]
    pub const fn plus(self, days: i64) -> Self {
        let sum = self.0 as i64 + days;
        if sum > i32::MAX as i64 {
            Self(i32::MAX)
        } else if sum < i32::MIN as i64 {
            Self(i32::MIN)
        } else {
            Self(sum as i32)
        }
    }
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        Self(date.num_days_from_ce() - 719_163)
    }
}

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").map(Self::from).map_err(|_| NotADay(text.to_owned()))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.checked_add(719_163).and_then(NaiveDate::from_num_days_from_ce_opt) {
            Some(date) => write!(f, "{}", date.format("%Y-%m-%d")),
            None => write!(f, "day {}", self.0),
        }
    }
}

/// How to write a `text` that is no day. A date in another order is written out, in both ways where it can be read in two.
pub(crate) fn how_to_write(text: &str) -> String {
    let rule = "Write days as YYYY-MM-DD";
    match readings(text).as_slice() {
        [] => format!("{rule}, like 2017-05-08 for the 8th of May"),
        [day] => format!("{rule}: {day}"),
        [day_first, month_first, ..] => format!("{rule}: {day_first} if the day stands before the month, {month_first} if the month stands first"),
    }
}

/// The days that a date in another order may be: day before month first.
fn readings(text: &str) -> Vec<Day> {
    let date = text.trim().split([' ', 'T']).next().unwrap_or_default();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = if digits(date) && date.len() == 8 { vec![&date[..4], &date[4..6], &date[6..]] } else { date.split(['/', '.', '-']).collect() };
    let &[first, second, third] = parts.as_slice() else { return Vec::new() };
    if !parts.iter().all(|part| digits(part) && part.len() <= 4) {
        return Vec::new();
    }
    let day = |year: &str, month: &str, day: &str| Day::from_ymd(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let mut found: Vec<Day> = match (first.len(), third.len()) {
        (4, _) => day(first, second, third).into_iter().collect(),
        (_, 4) => day(third, second, first).into_iter().chain(day(third, first, second)).collect(),
        _ => Vec::new(),
    };
    found.dedup();
    found
}

/// A text that is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a day; write YYYY-MM-DD")]
pub struct NotADay(pub String);

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DayVisitor)
    }
}

/// Accepts a text, and the map of one key in which toml hands over its own dates.
struct DayVisitor;

impl<'de> Visitor<'de> for DayVisitor {
    type Value = Day;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a day, YYYY-MM-DD")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Day, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Day, A::Error> {
        let Some((_, text)) = map.next_entry::<String, String>()? else {
            return Err(de::Error::custom("a day is missing"));
        };
        self.visit_str(&text)
    }
}

/// A closed span of whole days: both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaySpan {
    /// The first day.
    pub first: Day,
    /// The last day.
    pub last: Day,
}

impl DaySpan {
    /// The span, `None` when it would hold no day.
    #[must_use]
    pub fn new(first: Day, last: Day) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// How many days it holds.
    #[must_use]
    pub fn days(self) -> u32 {
        (i64::from(self.last.0) - i64::from(self.first.0) + 1).try_into().unwrap_or(u32::MAX)
    }

    /// Whether `day` is in it.
    #[must_use]
    pub fn contains(self, day: Day) -> bool {
        self.first <= day && day <= self.last
    }

    /// What it shares with `other`.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }
}

impl Serialize for DaySpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.first, self.last].serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DaySpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [first, last] = <[Day; 2]>::deserialize(deserializer)?;
        Self::new(first, last).ok_or_else(|| de::Error::custom("a span of days ends before it starts"))
    }
}

impl fmt::Display for DaySpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_and_print_as_iso_dates() {
        let day: Day = "2017-05-08".parse().unwrap();
        assert_eq!(day.epoch(), 17_294);
        assert_eq!(day.to_string(), "2017-05-08");
        assert_eq!(Day::from_ymd(1970, 1, 1), Some(Day::from_epoch(0)));
        assert!("2017-02-30".parse::<Day>().is_err());
    }

    #[test]
    fn a_date_in_another_order_is_written_out() {
        for text in ["31/05/2017", "05/31/2017", "31.05.2017", "2017/05/31", "20170531", "31-5-2017 00:00:00"] {
            assert_eq!(how_to_write(text), "Write days as YYYY-MM-DD: 2017-05-31", "{text}");
        }
        let either = "Write days as YYYY-MM-DD: 2017-05-08 if the day stands before the month, 2017-08-05 if the month stands first";
        assert_eq!(how_to_write("08/05/2017"), either);
        assert_eq!(how_to_write("05/05/2017"), "Write days as YYYY-MM-DD: 2017-05-05");
        for text in ["", "yesterday", "42863", "2017-13-01", "99/99/2017", "1/2/3/4", "é1/05/2017", "08/05/17", "99999999999999999999/1/1"] {
            assert!(how_to_write(text).contains(", like 2017-05-08"), "{text}");
        }
    }

    #[test]
    fn a_span_counts_both_ends() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let span = DaySpan::new(day("2017-05-08"), day("2017-06-25")).unwrap();
        assert_eq!(span.days(), 49);
        assert!(DaySpan::new(day("2017-05-08"), day("2017-05-07")).is_none());
    }
}
