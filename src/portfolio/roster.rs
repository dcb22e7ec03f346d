//! The customers of a portfolio: one code each, the same in every promotion.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::study::{Assignment, Ids};

/// The customers of all promotions, by promotion.
#[derive(Debug)]
pub(super) struct Roster {
    studies: Vec<Option<Customers>>,
    /// How many different customers there are.
    pub(super) size: usize,
}

/// The customers of one promotion, in the order of its assignment.
#[derive(Debug, Clone)]
pub(super) struct Customers {
    pub(super) codes: Arc<[u32]>,
    pub(super) ties: Ties,
}

/// Which customers of a promotion do not vary independently.
#[derive(Debug, Clone)]
pub(super) enum Ties {
    /// Each by himself.
    None,
    /// Those of one cluster; a name is the same cluster in every promotion.
    Clusters(Arc<[u32]>),
    /// The two of a pair, which is of this promotion only.
    Pairs(Arc<[u32]>),
}

/// What customers are summed over before products are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    Customer(u32),
    Cluster(u32),
    /// Of the first or the second promotion.
    Pair(bool, u32),
}

impl Roster {
    /// Codes in the order in which customers are first seen. Integer and text ids never meet.
    pub(super) fn new<'a>(assignments: impl Iterator<Item = Option<&'a Assignment>>) -> Self {
        let (mut integers, mut texts, mut clusters) = (HashMap::<i64, u32>::new(), HashMap::<&str, u32>::new(), HashMap::<&str, u32>::new());
        let mut size = 0_u32;
        let mut fresh = || {
            size += 1;
            size - 1
        };
        let mut studies = Vec::new();
        for assignment in assignments {
            let study = assignment.map(|assignment| {
                let codes = match &assignment.customers {
                    Ids::Integers(ids) => ids.iter().map(|id| *integers.entry(*id).or_insert_with(&mut fresh)).collect(),
                    Ids::Texts(ids) => ids.iter().map(|id| *texts.entry(id.as_str()).or_insert_with(&mut fresh)).collect(),
                };
                let ties = match (&assignment.cluster, &assignment.pair) {
                    (Some(own), _) => {
                        let names: Vec<u32> = own
                            .names
                            .iter()
                            .zip(0..)
                            .map(|(name, _): (_, u32)| {
                                let next = u32::try_from(clusters.len()).unwrap_or(u32::MAX);
                                *clusters.entry(name.as_str()).or_insert(next)
                            })
                            .collect();
                        // A code without a name is found when the study is validated.
                        Ties::Clusters(own.codes.iter().map(|code| names.get(*code as usize).copied().unwrap_or(u32::MAX)).collect())
                    }
                    (None, Some(pairs)) => Ties::Pairs(pairs.codes.as_slice().into()),
                    (None, None) => Ties::None,
                };
                Customers { codes, ties }
            });
            studies.push(study);
        }
        Self { studies, size: size as usize }
    }

    /// The customers of the promotion at a place; `None` where it has no usable assignment.
    pub(super) fn of(&self, place: usize) -> Option<Customers> {
        self.studies.get(place)?.clone()
    }

    /// The row of each customer of the portfolio in a promotion, by code; `None` where he is not in it.
    pub(super) fn rows(&self, place: usize) -> Vec<Option<u32>> {
        let mut rows = vec![None; self.size];
        if let Some(customers) = self.studies.get(place).and_then(Option::as_ref) {
            customers.codes.iter().zip(0..).for_each(|(code, row)| rows[*code as usize] = Some(row));
        }
        rows
    }
}

impl Customers {
    /// Whether each customer varies by himself.
    pub(super) fn is_untied(&self) -> bool {
        matches!(self.ties, Ties::None)
    }

    fn unit(&self, row: usize, first: bool) -> Option<Unit> {
        match &self.ties {
            Ties::None => None,
            Ties::Clusters(codes) => codes.get(row).map(|code| Unit::Cluster(*code)),
            Ties::Pairs(codes) => codes.get(row).map(|code| Unit::Pair(first, *code)),
        }
    }

    /// The row of each customer, by code.
    fn rows(&self) -> HashMap<u32, usize> {
        self.codes.iter().enumerate().map(|(row, code)| (*code, row)).collect()
    }

    /// The units that customers belong to beside those of another promotion: their own tie, else the other's, else themselves.
    fn units(&self, other: &Self, rows: &HashMap<u32, usize>, first: bool) -> Vec<Unit> {
        let unit = |(row, code): (usize, &u32)| {
            let there = || rows.get(code).and_then(|row| other.unit(*row, !first));
            self.unit(row, first).or_else(there).unwrap_or(Unit::Customer(*code))
        };
        self.codes.iter().enumerate().map(unit).collect()
    }
}

/// `sum of s_i t_j` over the customers `i` of the first and `j` of the second promotion who are one and the same or belong to one cluster or pair.
pub(super) fn covariance([a, b]: [&Customers; 2], [s, t]: [&[f64]; 2]) -> f64 {
    let rows = b.rows();
    if a.is_untied() && b.is_untied() {
        return a.codes.iter().zip(s).filter_map(|(code, s)| Some(s * t.get(*rows.get(code)?)?)).sum();
    }
    let (own, theirs) = (a.units(b, &rows, true), b.units(a, &a.rows(), false));
    let mut sums: HashMap<Unit, f64> = HashMap::new();
    theirs.iter().zip(t).for_each(|(unit, t)| *sums.entry(*unit).or_default() += t);
    let together: f64 = own.iter().zip(s).filter_map(|(unit, s)| Some(s * sums.get(unit)?)).sum();
    // A customer whom the two promotions put into different clusters is still himself.
    let torn = a.codes.iter().zip(&own).zip(s).filter_map(|((code, unit), s)| {
        let row = *rows.get(code)?;
        (theirs.get(row)? != unit).then(|| s * t.get(row).copied().unwrap_or(0.0))
    });
    together + torn.sum::<f64>()
}

/// How many customers two promotions share.
pub(super) fn shared(a: &Customers, b: &Customers) -> usize {
    let rows = b.rows();
    a.codes.iter().filter(|code| rows.contains_key(*code)).count()
}
