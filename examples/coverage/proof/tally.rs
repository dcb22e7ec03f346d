//! What the draws of a setting showed, interval by interval.

use std::collections::BTreeMap;

use promolift::Known;
use promolift::estimate::Interval;
use serde::{Deserialize, Serialize};

use super::binomial::{Band, clopper_pearson};

/// The tail of the bands: both together leave out one in ten thousand, so that of three thousand cases a third of one lies outside by chance.
pub(crate) const TAIL: f64 = 0.000_05;

/// How an interval stood to its truth in one draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    /// Where the truth lay.
    pub(crate) lay: Lay,
    /// The estimate less the truth, where it is a plain estimate.
    pub(crate) error: Option<f64>,
    /// Its standard error.
    pub(crate) std_error: Option<f64>,
    /// Whether a test of a true null hypothesis rejected it.
    pub(crate) rejected: Option<bool>,
}

/// Where the truth lay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lay {
    /// Inside.
    Inside,
    /// Inside an interval that is not bounded on both sides.
    InsideUnbounded,
    /// Below the lower limit.
    Below,
    /// Above the upper limit.
    Above,
    /// Outside, of several intervals that should all hold.
    Outside,
    /// There is no interval.
    NoInterval,
}

impl Seen {
    /// An interval by itself.
    pub(crate) fn interval(interval: &Interval, truth: f64) -> Self {
        let lay = match *interval {
            Interval::Missing { .. } => Lay::NoInterval,
            _ if interval.contains(truth) && interval.low().is_some() && interval.high().is_some() => Lay::Inside,
            _ if interval.contains(truth) => Lay::InsideUnbounded,
            _ if interval.low().is_some_and(|low| truth < low) => Lay::Below,
            _ if interval.high().is_some_and(|high| truth > high) => Lay::Above,
            _ => Lay::Outside,
        };
        Self { lay, error: None, std_error: None, rejected: None }
    }

    /// Two limits.
    pub(crate) fn limits(low: Known<f64>, high: Known<f64>, truth: f64) -> Self {
        let interval = match (low, high) {
            (Known::Value(low), Known::Value(high)) => Interval::Bounded { low, high },
            (Known::Value(low), _) => Interval::AtLeast { low },
            (_, Known::Value(high)) => Interval::AtMost { high },
            (Known::Missing(reason), _) => Interval::Missing { reason },
        };
        Self::interval(&interval, truth)
    }

    /// With an estimate and its standard error.
    pub(crate) fn of(mut self, estimate: f64, std_error: f64, truth: f64) -> Self {
        (self.error, self.std_error) = (Some(estimate - truth), Some(std_error));
        self
    }

    /// The same where both are known.
    pub(crate) fn of_known(self, estimate: Known<f64>, std_error: Known<f64>, truth: f64) -> Self {
        match (estimate, std_error) {
            (Known::Value(estimate), Known::Value(std_error)) => self.of(estimate, std_error, truth),
            _ => self,
        }
    }

    /// With the test of no effect, where there is none in truth.
    pub(crate) fn tested(mut self, p_value: Known<f64>, null: bool, level: f64) -> Self {
        self.rejected = p_value.value().filter(|_| null).map(|p| p < level);
        self
    }

    /// Several intervals that should all hold.
    pub(crate) fn all(each: impl IntoIterator<Item = Self>) -> Self {
        let lays: Vec<Lay> = each.into_iter().map(|seen| seen.lay).collect();
        let lay = match lays.iter().find(|lay| matches!(lay, Lay::Below | Lay::Above | Lay::Outside)) {
            Some(_) => Lay::Outside,
            None if lays.contains(&Lay::NoInterval) => Lay::NoInterval,
            None => Lay::Inside,
        };
        Self { lay, error: None, std_error: None, rejected: None }
    }
}

/// Counts of one interval over draws.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Draws with an interval.
    pub(crate) draws: u64,
    /// Of them those not bounded on both sides.
    pub(crate) unbounded: u64,
    /// Truth below the interval, above it, outside of one of several.
    pub(crate) below: u64,
    pub(crate) above: u64,
    pub(crate) outside: u64,
    /// Draws without an interval.
    pub(crate) without: u64,
    /// Tests of a true null hypothesis, and those that rejected it.
    pub(crate) tests: u64,
    pub(crate) rejected: u64,
    errors: f64,
    squares: f64,
    variances: f64,
    estimates: f64,
}

impl Counts {
    fn add(&mut self, seen: Seen) {
        self.draws += u64::from(seen.lay != Lay::NoInterval);
        match seen.lay {
            Lay::Inside => {}
            Lay::InsideUnbounded => self.unbounded += 1,
            Lay::Below => self.below += 1,
            Lay::Above => self.above += 1,
            Lay::Outside => self.outside += 1,
            Lay::NoInterval => self.without += 1,
        }
        if let Some(rejected) = seen.rejected {
            self.tests += 1;
            self.rejected += u64::from(rejected);
        }
        if let (Some(error), Some(std_error)) = (seen.error, seen.std_error) {
            self.errors += error;
            self.squares += error * error;
            self.variances += std_error * std_error;
            self.estimates += 1.0;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.draws += other.draws;
        self.unbounded += other.unbounded;
        self.below += other.below;
        self.above += other.above;
        self.outside += other.outside;
        self.without += other.without;
        self.tests += other.tests;
        self.rejected += other.rejected;
        self.errors += other.errors;
        self.squares += other.squares;
        self.variances += other.variances;
        self.estimates += other.estimates;
    }

    /// Draws in which the truth was inside.
    pub(crate) fn held(&self) -> u64 {
        self.draws - self.below - self.above - self.outside
    }

    /// The share of them.
    pub(crate) fn coverage(&self) -> f64 {
        self.held() as f64 / self.draws.max(1) as f64
    }

    /// The share of tests of a true null hypothesis that rejected it; `None` without such tests.
    pub(crate) fn size(&self) -> Option<f64> {
        (self.tests > 0).then(|| self.rejected as f64 / self.tests as f64)
    }

    /// The shares that fit what was counted.
    pub(crate) fn band(&self) -> Band {
        clopper_pearson(self.held(), self.draws, TAIL)
    }

    /// Mean error, in standard deviations of the estimate; `None` without plain estimates.
    pub(crate) fn bias(&self) -> Option<f64> {
        let mean = self.errors / self.estimates;
        let variance = self.squares / self.estimates - mean * mean;
        (self.estimates > 1.0 && variance > 0.0).then(|| mean / variance.sqrt())
    }

    /// Root of the mean variance claimed over the standard deviation of the estimate.
    pub(crate) fn claimed_spread(&self) -> Option<f64> {
        let mean = self.errors / self.estimates;
        let variance = self.squares / self.estimates - mean * mean;
        (self.estimates > 1.0 && variance > 0.0).then(|| (self.variances / self.estimates / variance).sqrt())
    }
}

/// Everything counted in a setting.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Draws made.
    pub(crate) draws: u64,
    /// Draws measured as a whole study.
    pub(crate) studies: u64,
    /// Draws that were not measured, by why.
    pub(crate) refused: BTreeMap<String, u64>,
    intervals: BTreeMap<String, Counts>,
    /// Studies whose result carries a warning, by its name.
    pub(crate) warnings: BTreeMap<String, u64>,
    /// Studies that were refused, and for which check.
    pub(crate) refusals: u64,
    pub(crate) failed: BTreeMap<String, u64>,
    /// Studies whose result warns that intervals by themselves cannot be trusted to the last per cent.
    unsure: u64,
    /// The same, those included that speak of intervals of relative effects only.
    unsure_relative: u64,
    /// The same of intervals that hold together.
    unsure_together: u64,
}

/// The kind of an interval, as far as warnings tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An interval by itself.
    Alone,
    /// Of a relative effect.
    Relative,
    /// One of several that hold together.
    Together,
}

impl Kind {
    /// That of an interval by its name.
    pub(crate) fn of(interval: &str) -> Self {
        match interval {
            _ if interval.starts_with("relative ") => Self::Relative,
            _ if interval.contains("all ") => Self::Together,
            _ => Self::Alone,
        }
    }
}

/// The warning that speaks of intervals that hold together only.
pub(crate) const TOGETHER: &str = "skewed_cells";
/// The warning that speaks of intervals of relative effects only.
pub(crate) const RELATIVE: &str = "effect_not_in_proportion";
/// The warnings that speak of all intervals.
pub(crate) const OF_INTERVALS: [&str; 4] = ["few_clusters", "few_customers_per_covariate", "skewed_arm", "target_varies_less"];

impl Tally {
    /// Counts an interval.
    pub(crate) fn add(&mut self, interval: &str, seen: Seen) {
        if let Some(counts) = self.intervals.get_mut(interval) {
            return counts.add(seen);
        }
        self.intervals.entry(interval.to_owned()).or_default().add(seen);
    }

    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.draws == 0 && self.studies == 0 && self.refused.is_empty()
    }

    /// Counts the warnings of a study.
    pub(crate) fn warned(&mut self, names: &[String]) {
        self.studies += 1;
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        let of_all = OF_INTERVALS.iter().any(|name| has(name));
        self.unsure += u64::from(of_all);
        self.unsure_relative += u64::from(of_all || has(RELATIVE));
        self.unsure_together += u64::from(of_all || has(TOGETHER));
        for name in names {
            *self.warnings.entry(name.clone()).or_default() += 1;
        }
    }

    /// Counts a refusal with its reasons.
    pub(crate) fn refused_for(&mut self, checks: &[String]) {
        self.refusals += 1;
        for check in checks {
            *self.failed.entry(check.clone()).or_default() += 1;
        }
    }

    /// Adds other draws.
    pub(crate) fn merge(&mut self, other: Self) {
        self.draws += other.draws;
        self.studies += other.studies;
        self.unsure += other.unsure;
        self.unsure_relative += other.unsure_relative;
        self.unsure_together += other.unsure_together;
        for (reason, count) in other.refused {
            *self.refused.entry(reason).or_default() += count;
        }
        for (name, counts) in other.intervals {
            self.intervals.entry(name).or_default().merge(&counts);
        }
        for (name, count) in other.warnings {
            *self.warnings.entry(name).or_default() += count;
        }
        self.refusals += other.refusals;
        for (check, count) in other.failed {
            *self.failed.entry(check).or_default() += count;
        }
    }

    /// What was counted of an interval.
    pub(crate) fn get(&self, interval: &str) -> Option<&Counts> {
        self.intervals.get(interval)
    }

    /// The share of studies whose result carries a warning.
    pub(crate) fn share_warned(&self, name: &str) -> f64 {
        self.warnings.get(name).copied().unwrap_or_default() as f64 / self.studies.max(1) as f64
    }

    /// The share of studies whose result warns of intervals of this kind; `None` where no study was measured.
    pub(crate) fn share_unsure(&self, kind: Kind) -> Option<f64> {
        let unsure = match kind {
            Kind::Alone => self.unsure,
            Kind::Relative => self.unsure_relative,
            Kind::Together => self.unsure_together,
        };
        (self.studies > 0).then(|| unsure as f64 / self.studies as f64)
    }
}
