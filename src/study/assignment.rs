//! Who was assigned to which arm.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Ids;
use crate::error::{Fault, Input, Problem, Problems, Result};

/// An arm of the study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// Offered the promotion.
    Target,
    /// Kept out.
    Control,
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Target => "target",
            Self::Control => "control",
        })
    }
}

/// A value per customer out of a few, as codes into a list of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// The names.
    pub names: Vec<String>,
    /// For each customer an index into `names`.
    pub codes: Vec<u32>,
}

/// The customers of a study, their arms, and what was known of them before it.
///
/// Everybody assigned counts, whether seen in the ledger or not (intention to treat).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Assignment {
    /// The customers.
    pub customers: Ids,
    /// The arm of each.
    pub arm: Vec<Arm>,
    /// The share of customers meant to be in the target arm, for the sample-ratio check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_share: Option<f64>,
    /// The stratum of each, for post-stratification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stratum: Option<Codes>,
    /// The cluster of each, for clustered covariance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Codes>,
    /// The pair of each, for `matched_pairs`: one target and one control customer a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<Codes>,
    /// The weight of each within its arm, for `given_weights`: 0 or more, 0 leaves the customer out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<Vec<f64>>,
    /// The variant of the offer that each target customer got, with its column's name; that of a control is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<(String, Codes)>,
    /// Segments, by column name; every column must be fixed before the promotion.
    pub segments: Vec<(String, Codes)>,
    /// Those of `segments` that were not named before results were seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exploratory: Vec<String>,
    /// Numeric attributes fixed before the promotion, by column name.
    pub attributes: Vec<(String, Vec<f64>)>,
}

impl Assignment {
    /// An assignment from two lists of the same length.
    #[must_use]
    pub fn new(customers: impl Into<Ids>, arm: Vec<Arm>) -> Self {
        Self { customers: customers.into(), arm, ..Self::default() }
    }

    /// The same with the share of customers that was meant to be in the target arm.
    #[must_use]
    pub fn with_target_share(mut self, share: f64) -> Self {
        self.target_share = Some(share);
        self
    }

    /// How many customers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.customers.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many customers an arm has.
    #[must_use]
    pub fn count(&self, arm: Arm) -> usize {
        self.arm.iter().filter(|a| **a == arm).count()
    }

    /// A numeric attribute by its column's name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&[f64]> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, values)| values.as_slice())
    }

    /// Checks lengths, arms and duplicates. Rows are those of the assignment itself, counted from 1.
    pub(super) fn validate(&self) -> Result<()> {
        let mut problems = Problems::default();
        let problem = |fault, text: &str| Problem::new(Input::Assignment, fault, text);
        let n = self.len();
        for (name, length) in self.columns() {
            if length != n {
                let text = format!("{length} values for {n} customers");
                problems.push(problem(Fault::Contradiction, &text).column(name).remedy("Give one value a customer"));
            }
        }
        for arm in [Arm::Target, Arm::Control] {
            match self.count(arm) {
                0 => problems.push(
                    problem(Fault::EmptyArm, "an arm has no customer")
                        .column("arm")
                        .value(arm)
                        .remedy("Both arms need customers; a promotion without a control group cannot be measured"),
                ),
                1 => problems.push(
                    problem(Fault::OneCustomer, "an arm has one customer only")
                        .column("arm")
                        .value(arm)
                        .remedy("Two are the least from which an interval can be made"),
                ),
                _ => {}
            }
        }
        if let Some(share) = self.target_share
            && !(share > 0.0 && share < 1.0)
        {
            let problem = problem(Fault::OutOfRange, "the intended target share must lie strictly between 0 and 1");
            problems.push(problem.column("intended_target_share").value(share).remedy("Write 0.5 for one half"));
        }
        for (name, values) in &self.attributes {
            if let Some(row) = values.iter().position(|v| !v.is_finite()) {
                let count = values.iter().filter(|v| !v.is_finite()).count();
                let problem = problem(Fault::NotFinite, "an attribute must be a finite number").column(name);
                problems.push(problem.first(row).value(values[row]).count(count).remedy("Fill it, or leave the column out"));
            }
        }
        self.nameless().into_iter().for_each(|p| problems.push(p));
        if self.arm.len() == n {
            self.duplicates().into_iter().for_each(|p| problems.push(p));
            self.incomplete_pairs().into_iter().chain(self.bad_weights()).for_each(|p| problems.push(p));
        }
        problems.finish()
    }

    /// The problems of codes without a name, one a column; the variant of a control is not read.
    fn nameless(&self) -> Vec<Problem> {
        let of = |what: &str, codes: &Codes, read: &dyn Fn(usize) -> bool| {
            let row = codes.codes.iter().enumerate().position(|(row, code)| read(row) && codes.names.len() <= *code as usize)?;
            let problem = Problem::new(Input::Assignment, Fault::OutOfRange, "a code has no name").column(what).first(row).value(codes.codes[row]);
            Some(problem.remedy("Give a name for each code, counted from 0"))
        };
        let groups = [("stratum", self.stratum.as_ref()), ("cluster", self.cluster.as_ref()), ("pair", self.pair.as_ref())];
        let groups = groups.into_iter().filter_map(|(what, codes)| Some((what, codes?)));
        let everybody = groups.chain(self.segments.iter().map(|(name, codes)| (name.as_str(), codes))).filter_map(|(what, codes)| of(what, codes, &|_| true));
        let targets = self.variant.iter().filter_map(|(name, codes)| of(name, codes, &|row| self.arm.get(row) == Some(&Arm::Target)));
        everybody.chain(targets).collect()
    }

    fn columns(&self) -> Vec<(&str, usize)> {
        let mut columns = vec![("arm", self.arm.len())];
        columns.extend(self.stratum.iter().map(|c| ("stratum", c.codes.len())));
        columns.extend(self.cluster.iter().map(|c| ("cluster", c.codes.len())));
        columns.extend(self.pair.iter().map(|c| ("pair", c.codes.len())));
        columns.extend(self.weight.iter().map(|w| ("weight", w.len())));
        columns.extend(self.variant.iter().map(|(name, c)| (name.as_str(), c.codes.len())));
        columns.extend(self.segments.iter().map(|(name, c)| (name.as_str(), c.codes.len())));
        columns.extend(self.attributes.iter().map(|(name, v)| (name.as_str(), v.len())));
        columns
    }

    /// The problems of customers who stand more than once, in one arm or in both.
    pub(crate) fn duplicates(&self) -> Vec<Problem> {
        fn repeated<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>, arm: &[Arm]) -> [Vec<usize>; 2] {
            let mut seen = hashbrown::HashMap::with_capacity(arm.len());
            let mut found = [Vec::new(), Vec::new()];
            for (row, key) in keys.enumerate() {
                if let Some(first) = seen.insert(key, row) {
                    found[usize::from(arm[first] != arm[row])].push(row);
                }
            }
            found
        }
        let [same, both] = match &self.customers {
            Ids::Integers(ids) => repeated(ids.iter(), &self.arm),
            Ids::Texts(ids) => repeated(ids.iter(), &self.arm),
        };
        let problem = |fault, text: &str, rows: Vec<usize>, remedy: &str| {
            rows.first().map(|&row| {
                Problem::new(Input::Assignment, fault, text).column("customer").first(row).value(self.customers.text(row)).count(rows.len()).remedy(remedy)
            })
        };
        problem(Fault::DuplicateCustomer, "a customer stands twice", same, "Keep one row a customer")
            .into_iter()
            .chain(problem(
                Fault::BothArms,
                "a customer stands in both arms",
                both,
                "A customer is either offered the promotion or kept out; mend the assignment",
            ))
            .collect()
    }
}
