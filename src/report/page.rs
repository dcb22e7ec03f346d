//! The whole report as finished strings, in the order of reading; text and HTML are two layouts of it.

use super::number::count;
use super::table::Table;
use super::verdict::{Verdict, verdict};
use super::words::{Voice, estimator};
use super::{asked, closing, effects, headline, money, segments, together, trust, variants};
use crate::measure::{ArmCustomers, Measurement};
use crate::study::DaySpan;

/// The report.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// The promotion.
    pub(super) title: String,
    /// When, who, how.
    pub(super) facts: Vec<Fact>,
    /// What may be believed.
    pub(super) verdict: Verdict,
    /// The answer in sentences.
    pub(super) headline: Vec<String>,
    /// What the section of effects is called.
    pub(super) effects_title: String,
    /// Effects on net sales and units.
    pub(super) effects: Vec<Table>,
    /// The bridges.
    pub(super) bridges: Vec<Table>,
    /// The ratios.
    pub(super) ratios: Option<Table>,
    /// The burned budget.
    pub(super) burned: Table,
    /// Effects by segment, a table a column.
    pub(super) segments: Vec<Table>,
    pub(super) variants: Vec<Table>,
    /// The effects per redeemer.
    pub(super) redeemers: Option<Table>,
    /// The ratios that are asked for.
    pub(super) asked_ratios: Option<Table>,
    /// The goals.
    pub(super) goals: Option<Table>,
    /// The checks.
    pub(super) checks: Table,
    /// The naive readings.
    pub(super) naive: Table,
    /// The warnings.
    pub(super) warnings: Vec<String>,
    /// Counts and absences.
    pub(super) footer: Vec<String>,
    /// What to conclude, in everyday words.
    pub(super) closing: String,
}

/// A fact about the study.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    /// What it is about.
    pub(super) about: &'static str,
    /// It.
    pub(super) text: String,
}

impl Page {
    /// The report of a measurement.
    pub(super) fn of(measurement: &Measurement) -> Self {
        let voice = Voice::of(measurement);
        Self {
            title: format!("Promotion {}", measurement.promotion),
            facts: facts(measurement),
            verdict: verdict(measurement),
            headline: headline::headline(measurement),
            effects_title: voice.choose("Effects", "Differences (arithmetic, not effects)").to_owned(),
            effects: effects::first(measurement),
            bridges: money::bridges(measurement),
            ratios: money::ratios(measurement),
            burned: money::burned(measurement),
            segments: segments::tables(measurement),
            variants: variants::tables(measurement),
            redeemers: together::redeemers(measurement),
            asked_ratios: asked::ratios(measurement),
            goals: trust::goals(measurement),
            checks: trust::checks(measurement),
            naive: trust::naive(measurement),
            warnings: trust::warnings(measurement),
            footer: trust::footer(measurement),
            closing: closing::closing(measurement),
        }
    }

    /// The tables of money in order.
    pub(super) fn money(&self) -> Vec<&Table> {
        self.bridges.iter().chain(&self.ratios).chain([&self.burned]).chain(&self.redeemers).collect()
    }
}

fn facts(measurement: &Measurement) -> Vec<Fact> {
    let windows = &measurement.windows;
    let mut facts = Vec::new();
    let mut window = |about: &'static str, span: Option<DaySpan>| {
        if let Some(span) = span {
            facts.push(Fact { about, text: days(span) });
        }
    };
    window("Promotion", windows.promotion);
    window("Baseline", windows.baseline);
    window("Announced", windows.anticipation);
    window("Followed up", windows.post);
    for cut in &windows.cut {
        let text = format!("{} has {} of the {} days asked for", cut.window, count(u64::from(cut.days)), count(u64::from(cut.asked_days)));
        facts.push(Fact { about: "Cut short", text });
    }
    let arms = measurement.arms;
    let drawn = if measurement.randomised { "drawn at random" } else { "chosen, not drawn at random" };
    let customers = format!("{} target ({drawn}), {} control", count(arms.target.customers as u64), count(arms.control.customers as u64));
    facts.push(Fact { about: "Customers", text: customers });
    let outside = measurement.design.outside();
    if outside != ArmCustomers::default() {
        let why = if measurement.design.unmatched.is_some() { "without a match" } else { "with a weight of 0" };
        let text = format!(
            "{} target and {} control customers, {why}: they are in no effect and no total",
            count(outside.target as u64),
            count(outside.control as u64)
        );
        facts.push(Fact { about: "Not counted", text });
    }
    let estimand = measurement.estimand.text();
    facts.push(Fact { about: "Compared by", text: format!("{}; {estimand} ({})", estimator(measurement.estimator), measurement.estimator.name()) });
    facts
}

fn days(span: DaySpan) -> String {
    let days = span.days();
    format!("{span} ({} {})", count(u64::from(days)), if days == 1 { "day" } else { "days" })
}
