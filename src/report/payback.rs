//! By which week the gain was eaten, in sentences.

use super::number::confidence;
use super::words::{Voice, measure};
use crate::measure::{Payback, PaybackWeek, Weekly};

impl Weekly {
    /// By which week forward buying had eaten the gain, a sentence a measure; empty where no measure can be paid back.
    ///
    /// Those of a refused study speak of differences, and say that they are no effects.
    #[must_use]
    pub fn payback_text(&self) -> String {
        sentences(self, Voice::of_conclusion(&self.conclusion)).join("\n")
    }
}

/// The sentences.
pub(super) fn sentences(weekly: &Weekly, voice: Voice) -> Vec<String> {
    let mut sentences: Vec<String> = weekly.paybacks.iter().map(|payback| sentence(weekly, payback, voice)).collect();
    if voice == Voice::Differences && !sentences.is_empty() {
        sentences.push("The study is refused: these are differences between the groups, not effects of the promotion.".to_owned());
    }
    sentences
}

fn sentence(weekly: &Weekly, payback: &Payback, voice: Voice) -> String {
    let measure = measure(&payback.measure, voice);
    let says = match voice {
        Voice::Effects => gain(payback.week),
        Voice::Differences => difference(payback.week),
    };
    let condition = if weekly.randomised || voice == Voice::Differences { "" } else { "if nothing else sets the groups apart, " };
    let certain = [payback.earliest, payback.latest] == [payback.week; 2];
    let missing = matches!(payback.week, PaybackWeek::Missing { .. });
    let estimated = if certain || missing { "" } else { "as estimated, " };
    voice.sentence(&format!("{measure}: {condition}{estimated}{says}{}", band(weekly, payback)))
}

fn gain(week: PaybackWeek) -> String {
    match week {
        PaybackWeek::Week { .. } => format!("by {} the gain on the offer and its substitutes was eaten by what had only been bought earlier", point(week)),
        PaybackWeek::NotWithinWindows => "at the end of the days followed up a part of the gain on the offer and its substitutes was left".to_owned(),
        PaybackWeek::NothingGained => "at the end of the promotion there was no gain on the offer and its substitutes that could be eaten later".to_owned(),
        PaybackWeek::Missing { reason } => format!("whether the gain on the offer and its substitutes was eaten later cannot be said: {}", reason.text()),
    }
}

fn difference(week: PaybackWeek) -> String {
    const WHAT: &str = "the difference on the offer and its substitutes, summed from the start,";
    match week {
        PaybackWeek::Week { .. } => format!("by {} {WHAT} was no longer above zero", point(week)),
        PaybackWeek::NotWithinWindows => format!("{WHAT} was still above zero at the end of the days followed up"),
        PaybackWeek::NothingGained => format!("{WHAT} was not above zero at the end of the promotion"),
        PaybackWeek::Missing { reason } => format!("how {WHAT} went on after the promotion cannot be said: {}", reason.text()),
    }
}

/// What the band allows and forces; nothing where it says neither.
fn band(weekly: &Weekly, payback: &Payback) -> String {
    if matches!(payback.earliest, PaybackWeek::Missing { .. }) && matches!(payback.latest, PaybackWeek::Missing { .. }) {
        return String::new();
    }
    let level = confidence(weekly.confidence);
    if [payback.earliest, payback.latest] == [payback.week; 2] {
        return format!(" (the {level} band says the same)");
    }
    format!(" ({level} band: at the earliest {}, at the latest {})", point(payback.earliest), point(payback.latest))
}

/// A point in time.
fn point(week: PaybackWeek) -> String {
    match week {
        PaybackWeek::NothingGained => "the end of the promotion".to_owned(),
        PaybackWeek::Week { week, last_day } => format!("week {week} after the promotion (to {last_day})"),
        PaybackWeek::NotWithinWindows => "after the days followed up, if ever".to_owned(),
        PaybackWeek::Missing { reason } => format!("unknown, {}", reason.text()),
    }
}
