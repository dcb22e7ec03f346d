//! What was drawn, as far as an assignment tells it, and whether that draw can be repeated.
//!
//! A randomisation test exchanges labels that could as well have fallen the other way. Who may change places with whom:
//!
//! | assignment | exchanged | within |
//! |---|---|---|
//! | pairs | customers | their pair |
//! | no clusters | customers | their stratum |
//! | no cluster straddles the arms | whole clusters | their stratum; all of them where clusters straddle strata, which then cannot have been drawn by stratum |
//! | clusters straddle the arms | customers | their cluster (and stratum) |
//! | some straddle, and the arms are still mostly told by the cluster | nobody | |
//! | weights given | nobody: with which chance each customer was drawn cannot be told | |
//!
//! Within split clusters the exchange holds however customers were drawn one by one, by cluster, by stratum or out of all: given how many of each cluster are
//! in the target, every split of it is as likely as any other. Where only some straddle, whole clusters seem to have been drawn and some customers to have
//! changed sides; those who did are no sample of their cluster, and no exchange is justified. The line is drawn where half of the arms' variation lies within
//! clusters (a quantity of the assignment alone): it is all of it where each cluster is split as the whole is, and none where clusters are whole.

use crate::study::{Arm, Assignment};

/// Below so many drawn units in the smaller arm, F distributions are too short-tailed for skewed sales. Units are customers; clusters where whole clusters
/// were drawn, since then it is their number that makes sums normal and spreads known.
pub(super) const SMALL: usize = 200;
/// The least share of the arms' variation within clusters that are taken for split by a draw of customers.
const WITHIN: f64 = 0.5;

/// How the p-value of a test of the draw is to be found.
#[derive(Debug)]
pub(super) enum Draw {
    /// Both arms have units enough for the F distribution.
    Large,
    /// An arm is small: by drawing anew.
    Anew(Redraw),
    /// An arm is small, and customers have weights: they were not drawn alike.
    Weighted,
    /// An arm is small, but what was drawn cannot be told: the F distribution, for want of a better one.
    Unclear,
}

/// A draw that can be repeated, codes by customer.
#[derive(Debug)]
pub(super) struct Redraw {
    /// What carries one label: the customer, or its cluster.
    pub(super) unit: Vec<u32>,
    /// Units of one block change places.
    pub(super) block: Vec<u32>,
    /// Columns are looked at less their mean in this group: the block, or the stratum where clusters straddle strata.
    level: Vec<u32>,
    manner: Manner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Customers,
    CustomersWithinPairs,
    CustomersWithinStrata,
    CustomersWithinClusters,
    Clusters,
    ClustersWithinStrata,
}

impl Draw {
    pub(super) fn of(assignment: &Assignment) -> Self {
        let customers = assignment.count(Arm::Target).min(assignment.count(Arm::Control));
        if assignment.weight.is_some() {
            return if customers < SMALL { Self::Weighted } else { Self::Large };
        }
        if let Some(pairs) = &assignment.pair {
            return if customers < SMALL { Self::Anew(Redraw::pairs(assignment, &pairs.codes)) } else { Self::Large };
        }
        let Some(clusters) = assignment.cluster.as_ref().map(|codes| codes.codes.as_slice()) else {
            return if customers < SMALL { Self::Anew(Redraw::customers(assignment)) } else { Self::Large };
        };
        if let Some(arms) = arm_of_each(clusters, &assignment.arm) {
            let of = |which: Arm| arms.iter().filter(|arm| **arm == Some(which)).count();
            return if of(Arm::Target).min(of(Arm::Control)) < SMALL { Self::Anew(Redraw::clusters(assignment, clusters)) } else { Self::Large };
        }
        if customers >= SMALL {
            return Self::Large;
        }
        let strata = strata(assignment);
        let block = both(clusters, &strata);
        if variation(&assignment.arm, &block) < WITHIN * variation(&assignment.arm, &strata) {
            return Self::Unclear;
        }
        Self::Anew(Redraw { unit: own(assignment), level: block.clone(), block, manner: Manner::CustomersWithinClusters })
    }

    /// The draw, where it is to be repeated.
    pub(super) fn anew(&self) -> Option<&Redraw> {
        match self {
            Self::Anew(redraw) => Some(redraw),
            Self::Large | Self::Unclear | Self::Weighted => None,
        }
    }

    /// What is to be said of a p-value by the F distribution.
    pub(super) fn caveat(&self) -> &'static str {
        match self {
            Self::Large | Self::Anew(_) => "",
            Self::Weighted => "; p by the F distribution, too short-tailed for so small an arm: with weights given it cannot be told how customers were drawn",
            Self::Unclear => {
                "; p by the F distribution, too short-tailed for so small an arm: some clusters are split between the arms and others are not, so that the \
                 draw cannot be repeated"
            }
        }
    }
}

impl Redraw {
    fn customers(assignment: &Assignment) -> Self {
        let block = strata(assignment);
        let manner = if assignment.stratum.is_some() { Manner::CustomersWithinStrata } else { Manner::Customers };
        Self { unit: own(assignment), level: block.clone(), block, manner }
    }

    fn pairs(assignment: &Assignment, pairs: &[u32]) -> Self {
        Self { unit: own(assignment), level: pairs.to_vec(), block: pairs.to_vec(), manner: Manner::CustomersWithinPairs }
    }

    fn clusters(assignment: &Assignment, clusters: &[u32]) -> Self {
        let level = strata(assignment);
        let nested = assignment.stratum.is_some() && arm_of_each(clusters, &level).is_some();
        let (block, manner) = if nested { (level.clone(), Manner::ClustersWithinStrata) } else { (vec![0; level.len()], Manner::Clusters) };
        Self { unit: clusters.to_vec(), block, level, manner }
    }

    /// How a p-value by this draw was found.
    pub(super) fn words(&self) -> &'static str {
        match self.manner {
            Manner::Customers => "; p by drawing the groups anew",
            Manner::CustomersWithinPairs => "; p by drawing the groups anew within pairs",
            Manner::CustomersWithinStrata => "; p by drawing the groups anew within strata",
            Manner::CustomersWithinClusters => "; p by drawing the groups anew within clusters",
            Manner::Clusters => "; p by drawing whole clusters anew",
            Manner::ClustersWithinStrata => "; p by drawing whole clusters anew within strata",
        }
    }

    /// Columns less their mean in the group of each customer, arms ignored; a group whose values differ by rounding only is zero.
    pub(super) fn centred<'c>(&self, columns: impl IntoIterator<Item = &'c [f64]>) -> Vec<Vec<f64>> {
        columns.into_iter().map(|column| centred(column, &self.level)).collect()
    }
}

/// Every customer a code of its own.
fn own(assignment: &Assignment) -> Vec<u32> {
    (0..assignment.len() as u32).collect()
}

/// The stratum of each customer; without strata all are in one.
fn strata(assignment: &Assignment) -> Vec<u32> {
    assignment.stratum.as_ref().map_or_else(|| vec![0; assignment.len()], |codes| codes.codes.clone())
}

/// The label that all members of each group share, by the group's code; `None` where the members of a group differ.
pub(super) fn arm_of_each<T: Copy + PartialEq>(groups: &[u32], labels: &[T]) -> Option<Vec<Option<T>>> {
    let mut found = vec![None; count(groups)];
    groups.iter().zip(labels).all(|(group, label)| *found[*group as usize].get_or_insert(*label) == *label).then_some(found)
}

/// One more than the largest code.
fn count(codes: &[u32]) -> usize {
    codes.iter().max().map_or(0, |code| *code as usize + 1)
}

/// Dense codes for the pairs of two codes, in the order they are met.
fn both(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut seen = hashbrown::HashMap::new();
    a.iter()
        .zip(b)
        .map(|pair| {
            let next = seen.len() as u32;
            *seen.entry(pair).or_insert(next)
        })
        .collect()
}

/// The variation of the arm within groups, `sum_g T_g C_g / n_g`.
fn variation(arm: &[Arm], groups: &[u32]) -> f64 {
    let mut counts = vec![[0.0; 2]; count(groups)];
    groups.iter().zip(arm).for_each(|(group, arm)| counts[*group as usize][usize::from(*arm == Arm::Control)] += 1.0);
    counts.iter().filter(|[t, c]| t + c > 0.0).map(|[t, c]| t * c / (t + c)).sum()
}

fn centred(column: &[f64], groups: &[u32]) -> Vec<f64> {
    #[derive(Clone, Copy, Default)]
    struct Group {
        size: f64,
        sum: f64,
        largest: f64,
        varies: bool,
    }
    let mut found = vec![Group::default(); count(groups)];
    for (value, group) in column.iter().zip(groups) {
        let group = &mut found[*group as usize];
        group.size += 1.0;
        group.sum += value;
        group.largest = group.largest.max(value.abs());
    }
    for (value, group) in column.iter().zip(groups) {
        let group = &mut found[*group as usize];
        group.varies |= (value - group.sum / group.size).abs() > 1e-12 * group.largest;
    }
    let less = |(value, group): (&f64, &u32)| {
        let group = found[*group as usize];
        if group.varies { value - group.sum / group.size } else { 0.0 }
    };
    column.iter().zip(groups).map(less).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::Codes;

    fn codes(codes: Vec<u32>) -> Codes {
        Codes { names: (0..count(&codes)).map(|code| format!("g{code}")).collect(), codes }
    }

    /// An assignment of customers that are target where `target` says so.
    fn assignment(n: u32, target: impl Fn(u32) -> bool, cluster: Option<&dyn Fn(u32) -> u32>, stratum: Option<&dyn Fn(u32) -> u32>) -> Assignment {
        let arm = (0..n).map(|i| if target(i) { Arm::Target } else { Arm::Control }).collect();
        let mut assignment = Assignment::new((0..i64::from(n)).collect::<Vec<_>>(), arm);
        let of = |group: &dyn Fn(u32) -> u32| codes((0..n).map(group).collect());
        assignment.cluster = cluster.map(of);
        assignment.stratum = stratum.map(of);
        assignment
    }

    fn manner(assignment: &Assignment) -> Manner {
        match Draw::of(assignment) {
            Draw::Anew(redraw) => redraw.manner,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_smaller_arm_counts_what_was_drawn() {
        let draw = |target: u32, each: u32| {
            let arm = move |i: u32| i < target * each;
            Draw::of(&assignment(600 * each, arm, (each > 1).then_some(&|i| i / each), None))
        };
        assert!(matches!(draw(200, 1), Draw::Large));
        assert!(matches!(draw(199, 1), Draw::Anew(_)));
        assert!(matches!(draw(401, 1), Draw::Anew(_)), "199 controls");
        // Households of three: 597 customers are 199 units.
        assert!(matches!(draw(200, 3), Draw::Large));
        assert!(matches!(draw(199, 3), Draw::Anew(_)));
    }

    #[test]
    fn whole_clusters_change_places_within_strata_that_hold_them() {
        let odd = |i: u32| (i / 5) % 2 == 1;
        assert_eq!(manner(&assignment(100, odd, None, None)), Manner::Customers);
        assert_eq!(manner(&assignment(100, odd, None, Some(&|i| i % 3))), Manner::CustomersWithinStrata);
        assert_eq!(manner(&assignment(100, odd, Some(&|i| i / 5), None)), Manner::Clusters);
        assert_eq!(manner(&assignment(100, odd, Some(&|i| i / 5), Some(&|i| i / 50))), Manner::ClustersWithinStrata);
        let across = assignment(100, odd, Some(&|i| i / 5), Some(&|i| i % 3));
        assert_eq!(manner(&across), Manner::Clusters, "a cluster is in all strata");
        let Draw::Anew(redraw) = Draw::of(&across) else { panic!("small") };
        assert!(redraw.block.iter().all(|block| *block == 0));
        // What strata explain is taken out all the same.
        let column: Vec<f64> = (0..100_u32).map(|i| f64::from(i % 3) * 100.0 + f64::from(i / 50)).collect();
        let centred = &redraw.centred([column.as_slice()])[0];
        for stratum in 0..3 {
            let sum: f64 = centred.iter().skip(stratum).step_by(3).sum();
            assert!(sum.abs() < 1e-12, "{sum}");
        }
        assert!(centred.iter().all(|v| v.abs() < 0.6));
    }

    #[test]
    fn split_clusters_are_blocks_unless_the_arms_follow_them() {
        let stores: Option<&dyn Fn(u32) -> u32> = Some(&|i| i / 20);
        let within = assignment(200, |i| i.is_multiple_of(3), stores, Some(&|i| i % 2));
        assert_eq!(manner(&within), Manner::CustomersWithinClusters);
        let Draw::Anew(redraw) = Draw::of(&within) else { panic!("small") };
        assert_eq!(count(&redraw.block), 20, "ten stores in two strata");
        // Whole stores, in each of which one customer of twenty is on the other side.
        let moved = |i: u32| (i / 20).is_multiple_of(2) != i.is_multiple_of(20);
        let unclear = Draw::of(&assignment(200, moved, stores, None));
        assert!(matches!(unclear, Draw::Unclear) && unclear.caveat().contains("cannot be repeated"));
    }

    #[test]
    fn the_variation_within_is_that_of_the_pooled_regression() {
        // Three groups of 2 + 2, 1 + 3, 4 + 0: 4/4 + 3/4 + 0.
        let arm: Vec<Arm> = "TTCCTCCCTTTT".chars().map(|c| if c == 'T' { Arm::Target } else { Arm::Control }).collect();
        let groups: Vec<u32> = (0..12).map(|i| i / 4).collect();
        assert_eq!(variation(&arm, &groups), 1.75);
    }
}
