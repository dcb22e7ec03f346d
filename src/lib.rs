#![doc = include_str!("../README.md")]

pub mod cells;
pub mod coverage;
pub mod effects;
pub mod elsewhere;
pub mod error;
pub mod estimate;
#[cfg(feature = "files")]
pub mod files;
mod known;
pub mod ledger;
pub mod measure;
pub mod portfolio;
pub mod profit;
pub mod report;
pub mod simulate;
mod spelling;
pub mod study;
pub mod validity;
mod whole_file;

pub use error::{Error, Result};
pub use known::{Known, Reason};
pub use polars;

/// What most callers need.
pub mod prelude {
    pub use crate::estimate::Interval;
    pub use crate::ledger::{Columns, Ledger};
    pub use crate::measure::Measurement;
    pub use crate::study::{Arm, Assignment, Day, EstimatorName, Options, Promotion, Selection, Study};
    pub use crate::{Error, Known};
}
