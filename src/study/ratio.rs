//! Ratios that are asked for: price per unit, units per basket, redemptions per customer, the share of the offer in the basket.

use serde::{Deserialize, Serialize};

use crate::error::{Fault, Input, Problem, Problems, short};

/// A ratio of two quantities after the baseline; a table of `[[ratios]]`.
///
/// It is measured in each arm as a ratio of the arm's totals under the study's one weight, never as a mean of the customers' own ratios:
/// [`Measurement::asked_ratios`](crate::measure::Measurement::asked_ratios).
///
/// ```
/// use promolift::study::{Counted, RatioQuestion, RatioTerm};
/// let price = RatioQuestion::new("price per unit", RatioTerm::measure("net_sales", ["focal.promotion"]), RatioTerm::measure("units", ["focal.promotion"]));
/// assert_eq!(price.numerator.to_string(), "net_sales in focal.promotion");
/// // Without cells: everything after the baseline.
/// let basket = RatioQuestion::new("units per basket", RatioTerm::total("units"), RatioTerm::total("baskets"));
/// assert_eq!(basket.denominator.to_string(), "baskets in total");
/// let rate = RatioQuestion::new("redemption rate", RatioTerm::count(Counted::Redemptions), RatioTerm::count(Counted::Customers));
/// assert_eq!(rate.denominator.to_string(), "assigned customers");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RatioQuestion {
    /// What it is called; no two ratios share a name.
    pub name: String,
    /// What stands above the line.
    pub numerator: RatioTerm,
    /// What stands below it.
    pub denominator: RatioTerm,
}

/// The numerator or the denominator of a ratio: a measure over some cells, or a count. Exactly one of `measure` and `count` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RatioTerm {
    /// The measure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// Its cells, together: `role.period` (`focal.promotion`), `any.period` for all roles, or an effect (`direct`, `total`). None: the total, every cell
    /// after the baseline. What is named twice counts once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
    /// A count by customer instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Counted>,
}

/// What is counted by customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Counted {
    /// The customers assigned: 1 each, so that the ratio is a mean per customer.
    Customers,
    /// Those who redeem the offer: 1 each, 0 the others.
    Redeemers,
    /// Redemptions of the offer.
    Redemptions,
}

impl Counted {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Customers => "assigned customers",
            Self::Redeemers => "customers who redeem",
            Self::Redemptions => "redemptions",
        }
    }
}

impl RatioQuestion {
    /// A ratio.
    #[must_use]
    pub fn new(name: impl Into<String>, numerator: RatioTerm, denominator: RatioTerm) -> Self {
        Self { name: name.into(), numerator, denominator }
    }

    /// Its terms, with their keys.
    pub(crate) fn terms(&self) -> [(&'static str, &RatioTerm); 2] {
        [("numerator", &self.numerator), ("denominator", &self.denominator)]
    }

    /// Checks what can be checked without data; cells and measures are looked up where they are known.
    pub(super) fn validate(questions: &[Self], problems: &mut Problems) {
        for (index, question) in questions.iter().enumerate() {
            let at = |key: &str, text: &str| Problem::new(Input::Promotion, Fault::Contradiction, text).column(key).value(short(&question.name));
            if question.name.trim().is_empty() {
                problems.push(at("ratios.name", "a ratio has no name").remedy("Name it by what it is, such as \"price per unit\""));
            } else if questions[..index].iter().any(|other| other.name == question.name) {
                problems.push(at("ratios.name", "two ratios have the same name").remedy("Give each its own: the results are told apart by it"));
            }
            for (side, term) in question.terms() {
                if term.measure.is_some() == term.count.is_some() {
                    let problem = at(&format!("ratios.{side}"), "it needs exactly one of measure, count");
                    problems.push(problem.remedy("Write {measure = \"units\", cells = [\"focal.promotion\"]}, or {count = \"customers\"}"));
                } else if term.count.is_some() && !term.cells.is_empty() {
                    let problem = at(&format!("ratios.{side}.cells"), "a count is of customers, not of cells");
                    problems.push(problem.remedy("Leave `cells` out, or give a measure"));
                }
            }
        }
    }
}

impl RatioTerm {
    /// A measure over some cells.
    #[must_use]
    pub fn measure(measure: impl Into<String>, cells: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { measure: Some(measure.into()), cells: cells.into_iter().map(Into::into).collect(), count: None }
    }

    /// A measure over every cell after the baseline.
    #[must_use]
    pub fn total(measure: impl Into<String>) -> Self {
        Self { measure: Some(measure.into()), ..Self::default() }
    }

    /// A count by customer.
    #[must_use]
    pub fn count(count: Counted) -> Self {
        Self { count: Some(count), ..Self::default() }
    }
}

impl std::fmt::Display for RatioTerm {
    /// `net_sales in focal.promotion`, `units in total`, `assigned customers`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.measure, self.count) {
            (Some(measure), _) if self.cells.is_empty() => write!(f, "{measure} in total"),
            (Some(measure), _) => write!(f, "{measure} in {}", self.cells.join(" + ")),
            (None, count) => f.write_str(count.map_or("nothing", Counted::text)),
        }
    }
}
