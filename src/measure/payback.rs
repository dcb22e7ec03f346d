//! By which week forward buying has eaten the gain of a promotion.

use serde::Serialize;

use super::weekly::{WeekEffect, WeekEstimate};
use crate::estimate::Interval;
use crate::known::{Known, Reason};
use crate::study::{Day, Period};

/// By which week the gain on focal products and substitutes was eaten by what was only bought earlier.
///
/// The gain to date `G(k)` is the sum of the effects on focal products and substitutes from the start to the end of week `k` (curve `focal_and_substitute`,
/// `cumulative`): direct effect plus cannibalisation at the end of the promotion, plus the forward buying since. It is paid back by the first week after the end with
/// `G(k)` no longer above zero. With the confidence of the band that week lies from `earliest` to `latest`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Payback {
    /// The measure.
    pub measure: String,
    /// The week by the estimate.
    pub week: PaybackWeek,
    /// The first week in which the band allows it: its lower limit is not above zero.
    pub earliest: PaybackWeek,
    /// The first week in which the band forces it: its upper limit is not above zero.
    pub latest: PaybackWeek,
}

/// The answer to when a gain was paid back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PaybackWeek {
    /// There is nothing to pay back: at the end of the promotion the gain is not above zero.
    NothingGained,
    /// By the end of this week after the promotion.
    Week {
        /// The week of the post period, counted from 1.
        week: u32,
        /// Its last day.
        last_day: Day,
    },
    /// Not by the end of the windows.
    NotWithinWindows,
    /// It cannot be said.
    Missing {
        /// Why.
        reason: Reason,
    },
}

/// The first week from the end of the promotion on whose sum to date meets a condition.
pub(super) fn paid_back(weeks: &[WeekEffect], meets: &dyn Fn(usize, &WeekEstimate) -> Known<bool>) -> PaybackWeek {
    let post = weeks.iter().position(|week| week.period == Period::Post);
    let Some(end) = post.and_then(|post| post.checked_sub(1)) else { return PaybackWeek::Missing { reason: Reason::NoPostWindow } };
    for (index, week) in weeks.iter().enumerate().skip(end) {
        let met = match week.cumulative {
            Known::Value(sum) => meets(index, &sum),
            Known::Missing(reason) => Known::Missing(reason),
        };
        match met {
            Known::Value(false) => {}
            Known::Value(true) if index == end => return PaybackWeek::NothingGained,
            Known::Value(true) => return PaybackWeek::Week { week: week.week, last_day: week.days.last },
            Known::Missing(reason) => return PaybackWeek::Missing { reason },
        }
    }
    PaybackWeek::NotWithinWindows
}

/// Whether a band holds values that are not above zero.
pub(super) fn allows(band: Interval) -> Known<bool> {
    match band {
        Interval::Bounded { low, .. } | Interval::AtLeast { low } => Known::Value(low <= 0.0),
        Interval::AtMost { .. } | Interval::Unbounded | Interval::Exclusive { .. } => Known::Value(true),
        Interval::Missing { reason } => Known::Missing(reason),
    }
}

/// Whether a band holds no value above zero.
pub(super) fn forces(band: Interval) -> Known<bool> {
    match band {
        Interval::Bounded { high, .. } | Interval::AtMost { high } => Known::Value(high <= 0.0),
        Interval::AtLeast { .. } | Interval::Unbounded | Interval::Exclusive { .. } => Known::Value(false),
        Interval::Missing { reason } => Known::Missing(reason),
    }
}
