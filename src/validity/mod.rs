//! Trust before numbers: the checks, and the conclusion they allow.

mod balance;
mod checks;
mod conclusion;
mod draw;
mod permutation;
mod placebo;

pub(crate) use checks::{Evidence, all};
pub use conclusion::{Conclusion, Hazard, Warning, conclude};

use serde::Serialize;

use crate::known::{Known, Reason};

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing to object.
    Pass,
    /// Worth knowing; the conclusion stands.
    Warn,
    /// The numbers may not be called effects of the promotion.
    Fail,
    /// It could not be run.
    NotRun,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CheckResult {
    /// The check.
    pub check: &'static str,
    /// Its outcome.
    pub status: Status,
    /// The statistic.
    pub statistic: Known<f64>,
    /// The p-value, for tests.
    pub p_value: Known<f64>,
    /// The threshold that decided.
    pub threshold: f64,
    /// What it found, in words.
    pub text: String,
}

impl Serialize for CheckResult {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("check", self.check)?;
        map.serialize_entry("status", &self.status)?;
        if self.status == Status::NotRun {
            map.serialize_entry("reason", &self.statistic.reason())?;
            return map.end();
        }
        match self.statistic {
            Known::Value(value) => map.serialize_entry("statistic", &value)?,
            Known::Missing(reason) => {
                map.serialize_entry("statistic", &None::<f64>)?;
                map.serialize_entry("statistic_reason", &reason)?;
            }
        }
        if let Known::Value(p) = self.p_value {
            map.serialize_entry("p_value", &p)?;
        }
        map.serialize_entry("threshold", &self.threshold)?;
        map.serialize_entry("text", &self.text)?;
        map.end()
    }
}

impl CheckResult {
    /// A check that could not be run.
    #[must_use]
    pub fn not_run(check: &'static str, reason: Reason) -> Self {
        let missing = Known::Missing(reason);
        Self { check, status: Status::NotRun, statistic: missing, p_value: missing, threshold: 0.0, text: format!("not run: {}", reason.text()) }
    }
}
