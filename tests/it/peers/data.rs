//! The peers' data, and what promolift says of it.

use std::fs;
use std::path::PathBuf;

use promolift::estimate::{Contrast, Design, Estimate, Estimator, Interval, Level, Outcome, Ratio, Unadjusted};
use promolift::study::{Arm, DfRule};
use serde_json::Value;

use crate::compare::at;

use super::{Case, NONE};

pub(super) fn text(file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/peers").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The inputs of a case that has no file.
pub(super) fn input(case: &str, name: &str) -> Vec<f64> {
    let expected: Value = serde_json::from_str(&text("expected.json")).unwrap();
    super::peer(at(&expected, &["cases", case, "inputs", name]))
}

/// The rows of a CSV file.
pub(super) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn read(file: &str) -> Self {
        let text = text(file);
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        Self { header: lines.next().unwrap(), rows: lines.collect() }
    }

    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let place = self.header.iter().position(|h| h == name).unwrap_or_else(|| panic!("no column {name}"));
        self.rows.iter().map(move |row| row[place].as_str())
    }

    /// Empty cells are NaN.
    pub(super) fn column(&self, name: &str) -> Vec<f64> {
        self.texts(name).map(|cell| if cell.is_empty() { f64::NAN } else { cell.parse().unwrap() }).collect()
    }

    /// 1 is the target.
    pub(super) fn arms(&self, name: &str) -> Vec<Arm> {
        self.column(name).into_iter().map(|arm| if arm == 1.0 { Arm::Target } else { Arm::Control }).collect()
    }

    /// Whole numbers.
    pub(super) fn codes(&self, name: &str) -> Vec<u32> {
        self.column(name).into_iter().map(|code| code as u32).collect()
    }
}

/// Two samples as arms: the target's values, then the control's.
pub(super) fn two(target: &[f64], control: &[f64]) -> Contrast {
    let arm: Vec<Arm> = target.iter().map(|_| Arm::Target).chain(control.iter().map(|_| Arm::Control)).collect();
    means(&arm, &[target, control].concat())
}

/// The difference in means of one outcome.
pub(super) fn means(arm: &[Arm], y: &[f64]) -> Contrast {
    contrast(&Unadjusted, &Design::new(arm), &[y])
}

pub(super) fn contrast(estimator: &dyn Estimator, design: &Design<'_>, outcomes: &[&[f64]]) -> Contrast {
    let outcomes: Vec<Outcome<'_>> = outcomes.iter().map(|values| Outcome::new(values)).collect();
    estimator.fit(design).unwrap().contrast(&outcomes).unwrap()
}

/// At 95 %, with other degrees of freedom.
pub(super) fn with_df(df: DfRule) -> Level {
    Level { df, ..Level::default() }
}

/// The effect on the first outcome.
pub(super) fn effect(contrast: &Contrast, level: Level) -> Estimate {
    contrast.estimate(&contrast.effect(&[1.0]), level)
}

pub(super) fn t(estimate: &Estimate) -> f64 {
    estimate.value / estimate.std_error
}

pub(super) fn p(estimate: &Estimate) -> f64 {
    estimate.p_value.value().unwrap()
}

pub(super) fn df(estimate: &Estimate) -> f64 {
    estimate.df.value().unwrap().value()
}

/// Both limits; infinite where there is none.
pub(super) fn limits(interval: &Interval) -> [f64; 2] {
    match *interval {
        Interval::Bounded { low, high } => [low, high],
        Interval::AtLeast { low } => [low, f64::INFINITY],
        Interval::AtMost { high } => [f64::NEG_INFINITY, high],
        other => panic!("{other:?} has no limits"),
    }
}

/// Effect, standard error, t, p and limits.
pub(super) fn six(estimate: &Estimate) -> [f64; 6] {
    let [low, high] = limits(&estimate.interval);
    [estimate.value, estimate.std_error, t(estimate), p(estimate), low, high]
}

pub(super) const LOG_DELTA: &str = "An interval on the logarithm of the ratio; promolift inverts the test of the effect (Fieller), so that both say the same.";
const DELTA: &str = "The delta method, symmetric about the ratio; promolift inverts the test of the effect (Fieller).";
const DELTA_P: &str = "The p-value of the delta interval, another than that of the effect; promolift has one p-value for both.";
const DELTA_SE: &str = "Fieller's interval has no standard error; promolift gives none for a ratio.";

/// What two libraries of experiments report of one metric.
pub(super) struct Answer {
    pub(super) control: f64,
    pub(super) target: f64,
    pub(super) estimate: Estimate,
    pub(super) relative: Ratio,
}

impl Answer {
    pub(super) fn of(contrast: &Contrast) -> Self {
        let level = Level::default();
        Self {
            control: contrast.value(&contrast.level(&[1.0])),
            target: contrast.value(&contrast.target_mean(&[1.0])),
            estimate: effect(contrast, level),
            relative: contrast.relative(&[1.0], level),
        }
    }

    /// The rows of tea-tasting; with a reason, promolift's answer is another.
    pub(super) fn tea(&self, case: &mut Case, reason: Option<&str>) {
        let [low, high] = limits(&self.estimate.interval);
        case.unless("tea.control", self.control, reason);
        case.unless("tea.treatment", self.target, reason);
        case.unless("tea.effect_size", self.estimate.value, reason);
        case.unless("tea.effect_size_ci_lower", low, reason);
        case.unless("tea.effect_size_ci_upper", high, reason);
        case.unless("tea.rel_effect_size", self.relative.estimate.value().unwrap(), reason);
        let [low, high] = limits(&self.relative.interval);
        case.differs("tea.rel_effect_size_ci_lower", low, LOG_DELTA);
        case.differs("tea.rel_effect_size_ci_upper", high, LOG_DELTA);
        case.unless("tea.pvalue", p(&self.estimate), reason);
        case.unless("tea.statistic", t(&self.estimate), reason);
    }

    /// The rows of gbstats.
    pub(super) fn gb(&self, case: &mut Case, reason: Option<&str>) {
        case.unless("gb.abs.effect", self.estimate.value, reason);
        case.unless("gb.abs.se", self.estimate.std_error, reason);
        case.unless("gb.abs.ci", limits(&self.estimate.interval), reason);
        case.unless("gb.abs.p", p(&self.estimate), reason);
        case.unless("gb.rel.effect", self.relative.estimate.value().unwrap(), reason);
        self.gb_relative(case);
    }

    pub(super) fn gb_relative(&self, case: &mut Case) {
        case.differs("gb.rel.se", NONE, DELTA_SE);
        case.differs("gb.rel.ci", limits(&self.relative.interval), DELTA);
        case.differs("gb.rel.p", p(&self.estimate), DELTA_P);
    }
}
