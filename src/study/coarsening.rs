//! How covariates are made coarse for exact matching.

use serde::{Deserialize, Serialize};

use crate::error::{Fault, Input, Problem, Problems};

/// How the covariates of `coarsened_exact` are made coarse; the table `[estimation.coarsening]`.
///
/// Covariates are called as in the result: `focal.baseline.net_sales`, `age`. One that is named nowhere here is cut into `groups` groups of like size at the
/// quantiles of all customers ([`Coarsening::Quantiles`](crate::estimate::Coarsening::Quantiles)). More groups compare more alike customers, and leave more of
/// them without a match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoarseningRules {
    /// Groups of like size of each covariate that is not named below; default 5.
    pub groups: usize,
    /// Covariates of which only equal values match.
    pub exact: Vec<String>,
    /// Covariates cut at given values.
    pub cuts: Vec<Cuts>,
}

/// Where a covariate is cut.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cuts {
    /// The covariate.
    pub covariate: String,
    /// Ascending; a value belongs to the last cut at or below it. Of a baseline measure: for the whole baseline.
    pub at: Vec<f64>,
}

impl Default for CoarseningRules {
    fn default() -> Self {
        Self { groups: 5, exact: Vec::new(), cuts: Vec::new() }
    }
}

impl CoarseningRules {
    /// The covariates that are named.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.exact.iter().chain(self.cuts.iter().map(|cuts| &cuts.covariate)).map(String::as_str)
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        let at = |key: &str, fault, text: &str| Problem::new(Input::Promotion, fault, text).column(format!("estimation.coarsening.{key}"));
        if !(2..=1000).contains(&self.groups) {
            let problem = at("groups", Fault::OutOfRange, "a covariate is cut into 2 to 1000 groups");
            problems.push(problem.value(self.groups).remedy("Write groups = 5, or leave the covariate out if it is not to count"));
        }
        for cuts in &self.cuts {
            if cuts.at.is_empty() || !cuts.at.iter().all(|cut| cut.is_finite()) || !cuts.at.windows(2).all(|pair| pair[0] < pair[1]) {
                let problem = at("cuts", Fault::OutOfRange, "cuts must be finite numbers in ascending order, at least one").value(format!("{:?}", cuts.at));
                problems.push(problem.remedy(format!("Write {{ covariate = \"{}\", at = [10.0, 20.0] }}", cuts.covariate)));
            }
        }
        let names: Vec<&str> = self.names().collect();
        if let Some((_, twice)) = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
            let problem = at("cuts", Fault::Contradiction, "a covariate is made coarse in two ways").value(twice);
            problems.push(problem.remedy("Name it once, under `exact` or under `cuts`"));
        }
    }
}
