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
//! changed sides; those who did are no sample of their cluster, and no exchange is justified. The line is drawn at half of the variation of the arms that a
//! draw of customers is expected to leave within the clusters of two or more; whole clusters leave none there. It depends on how many of each cluster are in
//! either arm only, which the exchange keeps, so that a test that has passed it is exact.

use crate::study::{Arm, Assignment};

/// Below so many drawn units in the smaller arm, F distributions are too short-tailed for skewed sales. Units are customers; clusters where whole clusters
/// were drawn, since then it is their number that makes sums normal and spreads known.
pub(super) const SMALL: usize = 200;
/// Clusters are taken for split by a draw of customers from this share on of the variation that such a draw is expected to leave within them.
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
        let (found, expected) = within(&assignment.arm, &block, &strata);
        // None is expected where strata leave no two customers of a cluster together: nobody could change places.
        if expected <= 0.0 || found < WITHIN * expected {
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

/// The variation of the arm within blocks of two or more, `sum_b T_b C_b / n_b`, and what is expected of it if customers are drawn one by one: of the
/// variation `T C / n` of those blocks' customers in a stratum the share `(n - B) / (n - 1)`, with B blocks. For couples that is a half.
fn within(arm: &[Arm], block: &[u32], stratum: &[u32]) -> (f64, f64) {
    #[derive(Clone, Copy, Default)]
    struct Tally {
        target: f64,
        size: f64,
        blocks: f64,
        stratum: usize,
    }
    impl Tally {
        fn variation(&self) -> f64 {
            self.target * (self.size - self.target) / self.size
        }
    }
    let mut blocks = vec![Tally::default(); count(block)];
    for ((arm, block), stratum) in arm.iter().zip(block).zip(stratum) {
        let tally = &mut blocks[*block as usize];
        tally.target += f64::from(u8::from(*arm == Arm::Target));
        tally.size += 1.0;
        tally.stratum = *stratum as usize;
    }
    blocks.retain(|block| block.size > 1.5);
    let mut strata = vec![Tally::default(); count(stratum)];
    for block in &blocks {
        let tally = &mut strata[block.stratum];
        tally.target += block.target;
        tally.size += block.size;
        tally.blocks += 1.0;
    }
    let share = |s: &Tally| (s.size - s.blocks) / (s.size - 1.0);
    let expected = strata.iter().filter(|s| s.blocks > 0.0).map(|s| share(s) * s.variation()).sum();
    (blocks.iter().map(Tally::variation).sum(), expected)
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
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::seq::SliceRandom;

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

    /// Blocks of these sizes.
    fn sized(sizes: impl IntoIterator<Item = u32>) -> Vec<u32> {
        sizes.into_iter().zip(0..).flat_map(|(size, code)| std::iter::repeat_n(code, size as usize)).collect()
    }

    /// 550 customers, by households: of one to three, couples, half of them singles, singles but for thirty couples, and shops.
    fn populations() -> [(&'static str, Vec<u32>); 5] {
        [
            ("one to three", sized((0..276).map(|h| if h < 275 { 1 + h % 3 } else { 1 }))),
            ("couples", sized([2; 275])),
            ("half couples", sized((0..366).map(|h| 1 + h % 2).chain([1]))),
            ("few couples", sized((0..520).map(|h| if h < 30 { 2 } else { 1 }))),
            ("shops", sized([55; 10])),
        ]
    }

    fn target(arm: &[Arm]) -> usize {
        arm.iter().filter(|arm| **arm == Arm::Target).count()
    }

    fn drawn(cluster: &[u32], stratum: Option<&dyn Fn(u32) -> u32>, arm: &[Arm]) -> Draw {
        let target = |i: u32| arm[i as usize] == Arm::Target;
        Draw::of(&assignment(arm.len() as u32, target, Some(&|i| cluster[i as usize]), stratum))
    }

    #[test]
    fn customers_drawn_one_by_one_are_known_by_any_size_of_household() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(17);
        for (name, cluster) in populations() {
            assert_eq!(cluster.len(), 550, "{name}");
            let mut unclear = [0; 2];
            for _ in 0..200 {
                let mut arm = vec![Arm::Control; 550];
                arm[..50].fill(Arm::Target);
                arm.shuffle(&mut rng);
                let strata: [Option<&dyn Fn(u32) -> u32>; 2] = [None, Some(&|i| i / 200)];
                for (unclear, stratum) in unclear.iter_mut().zip(strata) {
                    *unclear += usize::from(matches!(drawn(&cluster, stratum, &arm), Draw::Unclear));
                }
            }
            assert!(unclear.iter().all(|n| *n < 4), "{name}: {unclear:?} of 200 without and with strata");
        }
    }

    #[test]
    fn whole_clusters_with_one_straddling_customer_are_unclear() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(18);
        for (name, cluster) in populations().into_iter().filter(|(name, _)| *name != "few couples") {
            for _ in 0..200 {
                let mut order: Vec<u32> = (0..count(&cluster) as u32).collect();
                order.shuffle(&mut rng);
                // So many clusters that 50 customers are reached.
                let mut arm = vec![Arm::Control; 550];
                while target(&arm) < 50 {
                    let next = order.pop().unwrap();
                    arm.iter_mut().zip(&cluster).filter(|(_, c)| **c == next).for_each(|(arm, _)| *arm = Arm::Target);
                }
                let shared = |i: usize| cluster.iter().filter(|c| **c == cluster[i]).count() > 1;
                let moved = (0..550).filter(|i| shared(*i)).nth(target(&arm) * 3).unwrap();
                arm[moved] = if arm[moved] == Arm::Target { Arm::Control } else { Arm::Target };
                assert!(matches!(drawn(&cluster, None, &arm), Draw::Unclear), "{name}");
            }
        }
    }

    #[test]
    fn strata_that_part_every_couple_leave_nobody_to_change_places() {
        let draw = Draw::of(&assignment(100, |i| i % 4 < 2 || i % 4 == i / 25, Some(&|i| i / 2), Some(&|i| i % 2)));
        assert!(matches!(draw, Draw::Unclear), "{draw:?}");
    }

    #[test]
    fn the_variation_within_against_that_of_all_draws() {
        // Blocks of 2 + 2, 1 + 3, 4 + 0 and a single: 4/4 + 3/4 + 0.
        let arm: Vec<Arm> = "TTCCTCCCTTTTC".chars().map(|c| if c == 'T' { Arm::Target } else { Arm::Control }).collect();
        let groups: Vec<u32> = (0..13).map(|i| i / 4).collect();
        let (found, expected) = within(&arm, &groups, &[0; 13]);
        assert_eq!(found, 1.75);
        approx::assert_relative_eq!(expected, 9.0 / 11.0 * 7.0 * 5.0 / 12.0, max_relative = 1e-12);
        // A couple and three; two couples and a single control: the mean over all draws of two in each stratum.
        let (block, stratum) = ([0, 0, 1, 1, 1, 2, 2, 3, 3, 4], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
        let draws = (0..1024_u32).filter(|set| (set & 0x1f).count_ones() == 2 && (set & 0x1e0).count_ones() == 2 && set >> 9 == 0);
        let found: Vec<(f64, f64)> = draws
            .map(|set| (0..10).map(|i| if set >> i & 1 == 1 { Arm::Target } else { Arm::Control }).collect::<Vec<_>>())
            .map(|arm| within(&arm, &block, &stratum))
            .collect();
        let mean = found.iter().map(|f| f.0).sum::<f64>() / found.len() as f64;
        assert_eq!(found.len(), 60);
        for (_, expected) in found {
            approx::assert_relative_eq!(expected, mean, max_relative = 1e-12);
        }
    }
}
