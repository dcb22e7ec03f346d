//! What is asked: the promotion, who was assigned to which arm, and how to estimate. Plain data: no path, no frame.

mod answers;
mod assignment;
mod coarsening;
mod day;
mod designs;
mod goal;
mod ids;
mod leave_out;
mod options;
mod promotion;
mod ratio;
mod selection;
mod terms;
mod windows;

pub use answers::{Cap, CapForm, Multiplicity, RedeemerAssumption};
pub use assignment::{Arm, Assignment, Codes};
pub use coarsening::{CoarseningRules, Cuts};
pub(crate) use day::how_to_write;
pub use day::{Day, DaySpan, NotADay};
pub use goal::{Goal, GoalScale, GoalSubject, GoalThreshold};
pub use ids::Ids;
pub use leave_out::LeaveOut;
pub use options::{Alternative, CovarianceRule, DfRule, EstimatorName, Options, Population};
pub use promotion::{LiveElsewhere, OfferLines, Promotion, Redemption, UserMeasure};
pub use ratio::{Counted, RatioQuestion, RatioTerm};
pub use selection::{Selection, Where};
pub use terms::{Costs, Discount, Funding, FundingKind, FundingRate, Margin, Markdown, Money, Payer, Sale, Supplier};
pub use windows::{Cut, Period, Window, Windows};

use serde::{Deserialize, Serialize};

use crate::error::{Problems, Result};

/// One question: what did this promotion do to the customers of this assignment?
///
/// [`Study::measure`](crate::measure) answers it from any source of cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The promotion.
    pub promotion: Promotion,
    /// Who was assigned to which arm.
    pub assignment: Assignment,
    /// How to estimate.
    #[serde(default)]
    pub options: Options,
}

impl Study {
    /// A study with default options: `regression_att`, 95 % two-sided intervals.
    #[must_use]
    pub fn new(promotion: Promotion, assignment: Assignment) -> Self {
        Self { promotion, assignment, options: Options::default() }
    }

    /// The same study with other options.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Checks everything that can be checked without the ledger.
    ///
    /// # Errors
    /// An input error that lists every contradiction, number out of range and unknown name.
    pub fn validate(&self) -> Result<()> {
        let mut problems = Problems::default();
        problems.take(self.promotion.validate())?;
        problems.take(self.assignment.validate())?;
        problems.take(self.options.validate(&self.assignment))?;
        problems.finish()
    }
}
