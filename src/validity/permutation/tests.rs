//! The randomisation test against plain twins, and its level on clean draws.

use rand::RngExt;
use rayon::prelude::*;

use super::*;
use crate::estimate::{ClusterRule, Contrast, Design, Estimator, Outcome, RegressionAtt, Unadjusted, binomial_two_sided, pooled_residuals};
use crate::study::{Assignment, Codes};

struct Dice(Xoshiro256PlusPlus);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.0.random::<f64>()).sum::<f64>() - 6.0
    }

    fn log_normals(&mut self, n: usize, sigma: f64) -> Vec<f64> {
        (0..n).map(|_| (sigma * self.normal()).exp()).collect()
    }
}

/// Arms with their strata and clusters.
#[derive(Clone)]
struct Plan {
    arm: Vec<Arm>,
    stratum: Option<Vec<u32>>,
    cluster: Option<Vec<u32>>,
}

impl Plan {
    fn assignment(&self) -> Assignment {
        let mut assignment = Assignment::new((0..self.arm.len() as i64).collect::<Vec<_>>(), self.arm.clone());
        let codes = |codes: &Vec<u32>| Codes { names: (0..=*codes.iter().max().unwrap()).map(|c| c.to_string()).collect(), codes: codes.clone() };
        assignment.stratum = self.stratum.as_ref().map(codes);
        assignment.cluster = self.cluster.as_ref().map(codes);
        assignment
    }

    fn redraw(&self) -> Redraw {
        match Draw::of(&self.assignment()) {
            Draw::Anew(redraw) => redraw,
            other => panic!("{other:?}"),
        }
    }

    fn blocks(&self, columns: &[Vec<f64>]) -> Blocks {
        Blocks::new(&self.redraw(), &self.arm, columns)
    }

    fn test(&self, columns: &[Vec<f64>]) -> Test {
        permuted(&self.redraw(), &self.arm, columns, 7).unwrap()
    }

    /// The Wald test of an estimator that knows strata and clusters.
    fn wald(&self, columns: &[Vec<f64>], rule: ClusterRule) -> Wald {
        let mut design = Design::new(&self.arm);
        design.strata = self.stratum.as_deref();
        design.clusters = self.cluster.as_deref().map(|codes| (codes, rule));
        let outcomes: Vec<Outcome<'_>> = columns.iter().map(|c| Outcome::new(c)).collect();
        wald(&Unadjusted.fit(&design).unwrap().contrast(&outcomes).unwrap())
    }
}

fn wald(contrast: &Contrast) -> Wald {
    let unit = |j: usize| (0..contrast.outcomes()).map(|i| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
    contrast.wald(&(0..contrast.outcomes()).map(|j| contrast.effect(&unit(j))).collect::<Vec<_>>()).value().unwrap()
}

/// Arms `T` and `C`.
fn arms(text: &str) -> Vec<Arm> {
    text.chars().map(|c| if c == 'T' { Arm::Target } else { Arm::Control }).collect()
}

/// The arms of units drawn anew within strata, `targets[s]` of each, and given to their customers.
fn drawn(dice: &mut Dice, stratum_of_unit: &[u32], targets: &[usize], unit: &[u32]) -> Vec<Arm> {
    let mut arm = vec![Arm::Control; stratum_of_unit.len()];
    for (stratum, &m) in targets.iter().enumerate() {
        let mut units: Vec<usize> = (0..arm.len()).filter(|&u| stratum_of_unit[u] as usize == stratum).collect();
        units.shuffle(&mut dice.0);
        units[..m].iter().for_each(|&u| arm[u] = Arm::Target);
    }
    unit.iter().map(|&u| arm[u as usize]).collect()
}

/// Four strata of `size` customers, each buying four times what the last does, with so many targets.
fn stratified(seed: u64, size: u32, targets: [usize; 4]) -> (Plan, Vec<Vec<f64>>) {
    let mut dice = Dice::new(seed);
    let stratum: Vec<u32> = (0..4 * size).map(|i| i / size).collect();
    let own: Vec<u32> = (0..4 * size).collect();
    let column = |values: Vec<f64>| values.iter().zip(&stratum).map(|(v, s)| v * 4_f64.powi(*s as i32)).collect();
    let columns = (0..3).map(|_| column(dice.log_normals(stratum.len(), 1.3))).collect();
    (Plan { arm: drawn(&mut dice, &stratum, &targets, &own), stratum: Some(stratum.clone()), cluster: None }, columns)
}

/// Shares of a fifteenth to four tenths.
const UNEVEN: [usize; 4] = [4, 8, 16, 24];

/// Shops of `each` customers, some of them in the target; most of the spread is that of the shops.
fn clustered(seed: u64, shops: usize, each: u32, target: usize) -> (Plan, Vec<Vec<f64>>) {
    let mut dice = Dice::new(seed);
    let cluster: Vec<u32> = (0..shops as u32 * each).map(|i| i / each).collect();
    let mut column = || -> Vec<f64> {
        let own = dice.log_normals(shops, 1.3);
        dice.log_normals(cluster.len(), 0.5).iter().zip(&cluster).map(|(v, c)| v * own[*c as usize]).collect()
    };
    let columns = (0..3).map(|_| column()).collect();
    (Plan { arm: drawn(&mut dice, &vec![0; shops], &[target], &cluster), stratum: None, cluster: Some(cluster) }, columns)
}

/// The same with nine times as much for the target.
fn with_effect((plan, columns): (Plan, Vec<Vec<f64>>)) -> (Plan, Vec<Vec<f64>>) {
    let more = |(value, arm): (&f64, &Arm)| if *arm == Arm::Target { 9.0 * value } else { *value };
    let columns = columns.iter().map(|column| column.iter().zip(&plan.arm).map(more).collect()).collect();
    (plan, columns)
}

/// Ten shops of twenty customers, in each of them 3 to 12 in the target.
fn split(seed: u64) -> (Plan, Vec<Vec<f64>>) {
    let mut dice = Dice::new(seed);
    let cluster: Vec<u32> = (0..200).map(|i| i / 20).collect();
    let own: Vec<u32> = (0..200).collect();
    let targets: Vec<usize> = (3..13).collect();
    let mut column = || -> Vec<f64> {
        let shops = dice.log_normals(10, 1.5);
        dice.log_normals(200, 0.8).iter().zip(&cluster).map(|(v, c)| v * shops[*c as usize]).collect()
    };
    let columns = (0..3).map(|_| column()).collect();
    (Plan { arm: drawn(&mut dice, &cluster, &targets, &own), stratum: None, cluster: Some(cluster) }, columns)
}

#[test]
fn the_statistic_is_the_wald_test_of_the_plain_difference() {
    let (mut plan, columns) = stratified(3, 60, UNEVEN);
    for _ in 0..2 {
        let expected = plan.wald(&columns, ClusterRule::Default);
        approx::assert_relative_eq!(plan.test(&columns).statistic, expected.statistic, max_relative = 1e-9);
        plan.stratum = None;
    }
    // A thousand euros more for everybody change nothing.
    let moved: Vec<Vec<f64>> = columns.iter().map(|c| c.iter().map(|v| v + 1e3).collect()).collect();
    approx::assert_relative_eq!(plan.test(&moved).statistic, plan.test(&columns).statistic, max_relative = 1e-9);
}

#[test]
fn with_as_many_clusters_in_each_arm_it_is_cr0_times_the_arms_factor() {
    // Unequal clusters: sizes 1 to 8, six an arm in each of two strata.
    let sizes: Vec<u32> = (0..24).map(|c| 1 + (c * 5) % 8).collect();
    let cluster: Vec<u32> = (0..24).flat_map(|c| std::iter::repeat_n(c, sizes[c as usize] as usize)).collect();
    let mut dice = Dice::new(5);
    let columns: Vec<Vec<f64>> = (0..3).map(|_| dice.log_normals(cluster.len(), 1.0)).collect();
    let stratum: Vec<u32> = cluster.iter().map(|c| c / 12).collect();
    let arm = cluster.iter().map(|c| if c % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
    let mut plan = Plan { arm, stratum: Some(stratum), cluster: Some(cluster) };
    let cr0 = |plan: &Plan| plan.wald(&columns, ClusterRule::Cr0).statistic;
    approx::assert_relative_eq!(plan.test(&columns).statistic, cr0(&plan) * 5.0 / 6.0, max_relative = 1e-9);
    plan.stratum = None;
    approx::assert_relative_eq!(plan.test(&columns).statistic, cr0(&plan) * 11.0 / 12.0, max_relative = 1e-9);
}

/// The statistic of one column over whole clusters, written down anew: the ratio means, and CR1 by arm.
fn plain(column: &[f64], cluster: &[u32], is_target: impl Fn(u32) -> bool) -> f64 {
    let (mut difference, mut variance) = (0.0, 0.0);
    for (sign, which) in [(1.0, true), (-1.0, false)] {
        let rows: Vec<usize> = (0..column.len()).filter(|&i| is_target(cluster[i]) == which).collect();
        let mean = rows.iter().map(|&i| column[i]).sum::<f64>() / rows.len() as f64;
        let mut scores = std::collections::BTreeMap::new();
        for &i in &rows {
            *scores.entry(cluster[i]).or_insert(0.0) += (column[i] - mean) / rows.len() as f64;
        }
        let count = scores.len() as f64;
        difference += sign * mean;
        variance += count / (count - 1.0) * scores.values().map(|u| u * u).sum::<f64>();
    }
    difference * difference / variance
}

#[test]
fn drawing_anew_counts_as_all_splits_do() {
    // Eight clusters of 2 to 9 customers, three in the target: 56 splits.
    let cluster: Vec<u32> = (0..8).flat_map(|c| std::iter::repeat_n(c, 2 + c as usize)).collect();
    let column = Dice::new(12).log_normals(cluster.len(), 1.0);
    for target in [0b0000_0111_u32, 0b0101_1000, 0b1100_0001] {
        let statistic = |set: u32| plain(&column, &cluster, |c| set >> c & 1 == 1);
        let arm = cluster.iter().map(|c| if target >> c & 1 == 1 { Arm::Target } else { Arm::Control }).collect();
        let plan = Plan { arm, stratum: None, cluster: Some(cluster.clone()) };
        let found = plan.test(std::slice::from_ref(&column));
        approx::assert_relative_eq!(found.statistic, statistic(target), max_relative = 1e-9);
        let splits: Vec<u32> = (0..256).filter(|set: &u32| set.count_ones() == 3).collect();
        let exact = splits.iter().filter(|set| statistic(**set) >= statistic(target) * (1.0 - 1e-9)).count() as f64 / splits.len() as f64;
        let band = 4.0 * (exact * (1.0 - exact) / 2000.0).sqrt();
        assert!((found.p_value - exact).abs() < band + 1.0 / 2000.0, "{} for {exact}", found.p_value);
        assert!(found.words.contains("in 56 ways only, so that p cannot fall below 0.018"), "{}", found.words);
    }
}

#[test]
fn whether_products_are_kept_changes_no_bit() {
    let (plan, columns) = stratified(5, 60, [20, 25, 30, 35]);
    let kept = plan.blocks(&columns);
    let mut made = plan.blocks(&columns);
    assert!(kept.blocks.iter().all(|block| !block.products.is_empty()));
    made.blocks.iter_mut().for_each(|block| block.products.clear());
    let statistic = kept.observed().unwrap();
    assert_eq!(statistic.to_bits(), made.observed().unwrap().to_bits());
    assert_eq!(kept.p_value(statistic, 3, 200).to_bits(), made.p_value(statistic, 3, 200).to_bits());
}

#[test]
fn a_pair_of_clusters_weighs_by_its_difference() {
    // Differences 1, .5, 2.5, .5, -.5 of pairs with as many customers: their sum is 4, the sum of their squares 8.
    let column = [4.0, 6.5, 3.0, 8.0, 5.5, 5.0, 7.0, 5.5, 8.5, 5.0].map(|v| [v - 1.0, v + 1.0]).concat();
    let cluster: Vec<u32> = (0..20).map(|i| i / 2).collect();
    let plan = Plan { arm: arms("CCCCCCCCCCTTTTTTTTTT"), stratum: Some(cluster.iter().map(|c| c % 5).collect()), cluster: Some(cluster) };
    let found = plan.test(&[column]);
    approx::assert_relative_eq!(found.statistic, 2.0, max_relative = 1e-12);
    // Of 32 signs 8 give a sum of 4 or more.
    assert!((found.p_value - 0.25).abs() < 0.04, "{}", found.p_value);
    assert!(found.words.contains("whole clusters anew within strata, which can be done in 32 ways"), "{}", found.words);
}

#[test]
fn few_units_leave_p_no_room_and_nothing_breaks() {
    let cluster: Vec<u32> = (0..12).map(|i| i / 3).collect();
    let columns: Vec<Vec<f64>> = (0..3_u32).map(|j| (0..12_u32).map(|i| f64::from((i / 6) * 100 + (i * 7 + j * 5) % 11)).collect()).collect();
    let plan = Plan { arm: arms("TTTTTTCCCCCC"), stratum: None, cluster: Some(cluster) };
    // Two shops against two, as different as can be: six ways, and each is its mirror's equal.
    let found = plan.test(&columns);
    assert!(found.p_value >= 1.0 / 6.0 && found.p_value <= 1.0, "{found:?}");
    assert!(found.words.ends_with("in 6 ways only, so that p cannot fall below 0.167"), "{found:?}");
    // And where everybody bought the same there is no test.
    let alike = vec![vec![1.0; 12]];
    assert_eq!(permuted(&plan.redraw(), &plan.arm, &alike, 1), None);
}

#[test]
fn p_knows_neither_units_nor_names() {
    let (mut plan, columns) = stratified(8, 60, UNEVEN);
    let expected = plan.test(&columns);
    let same = |found: &Test| {
        approx::assert_relative_eq!(found.statistic, expected.statistic, max_relative = 1e-8);
        assert_eq!(found.p_value, expected.p_value);
    };
    // Cents, sums of columns, and another level in each stratum.
    let stratum = plan.stratum.clone().unwrap();
    let level = |values: Vec<f64>| values.iter().zip(&stratum).map(|(v, s)| 100.0 * v + 1e3 * f64::from(*s)).collect::<Vec<f64>>();
    let sum = columns[0].iter().zip(&columns[1]).map(|(a, b)| a - 2.0 * b).collect();
    same(&plan.test(&[level(columns[0].clone()), level(sum), level(columns[2].clone())]));
    // A fourth column that says nothing new.
    same(&plan.test(&[columns.clone(), vec![columns[0].clone()]].concat()));
    // Customers that are clusters of their own.
    plan.cluster = Some((0..240).collect());
    same(&plan.test(&columns));
    // Without strata, whose weights are those of the target, the arms may change their names.
    let whole = Plan { stratum: None, cluster: None, ..plan };
    let swapped = whole.arm.iter().map(|a| if *a == Arm::Target { Arm::Control } else { Arm::Target }).collect();
    let (left, right) = (whole.test(&columns), Plan { arm: swapped, ..whole.clone() }.test(&columns));
    approx::assert_relative_eq!(left.statistic, right.statistic, max_relative = 1e-9);
    assert_eq!(left.p_value, right.p_value);
}

#[test]
fn split_clusters_are_compared_within() {
    let (plan, columns) = split(4);
    // As strata they say the same, but for the word.
    let strata = Plan { stratum: plan.cluster.clone(), cluster: None, ..plan.clone() };
    let (found, expected) = (plan.test(&columns), strata.test(&columns));
    assert_eq!((found.statistic, found.p_value), (expected.statistic, expected.p_value));
    assert!(found.words.contains("within clusters") && expected.words.contains("within strata"));
    // A shop with one arm only compares nothing, however far off it is.
    let more = Plan { arm: [plan.arm.clone(), arms("TTTT")].concat(), cluster: plan.cluster.map(|c| [c, vec![10; 4]].concat()), stratum: None };
    let columns: Vec<Vec<f64>> = columns.iter().map(|c| [c.clone(), vec![1e4, 2e4, 1e4, 3e4]].concat()).collect();
    let again = more.test(&columns);
    assert_eq!((again.statistic, again.p_value), (found.statistic, found.p_value));
}

/// Worlds of a level, with 199 draws each: the level of a randomisation test is exact with any number of them.
const WORLDS: u64 = 400;

/// How many of the worlds are rejected at 5 %.
fn rejected(p: impl Fn(u64) -> f64 + Sync) -> usize {
    (0..WORLDS).into_par_iter().filter(|seed| p(*seed) <= 0.05).count()
}

fn anew((plan, columns): (Plan, Vec<Vec<f64>>)) -> f64 {
    let blocks = plan.blocks(&columns);
    blocks.p_value(blocks.observed().unwrap(), 7, 199)
}

fn by_f((plan, columns): (Plan, Vec<Vec<f64>>)) -> f64 {
    plan.wald(&columns, ClusterRule::Default).p_value
}

/// Twenty of 400 are meant, with a standard deviation of 4.4.
fn as_said(rejected: usize) -> bool {
    band(rejected, WORLDS, 0.05)
}

/// Whether the exact binomial test of a level does not object at 1 in 2,000.
fn band(rejected: usize, worlds: u64, level: f64) -> bool {
    binomial_two_sided(rejected as u64, worlds, level) > 0.0005
}

#[test]
fn clean_draws_within_strata_are_rejected_as_often_as_said() {
    let even = |seed| stratified(seed, 150, [10; 4]);
    let (found, f) = (rejected(|seed| anew(even(seed))), rejected(|seed| by_f(even(seed))));
    assert!(as_said(found) && f > 40, "{found} anew and {f} by F of {WORLDS}");
    // Labels drawn across strata that buy differently are no draw that was made.
    let uneven = |seed| stratified(seed, 60, UNEVEN);
    let found = rejected(|seed| anew(uneven(seed)));
    let across = rejected(|seed| {
        let (plan, columns) = uneven(seed);
        anew((Plan { stratum: None, ..plan }, columns))
    });
    assert!(as_said(found) && across > 40, "{found} within and {across} across strata of {WORLDS}");
}

#[test]
fn clean_draws_of_whole_clusters_are_rejected_as_often_as_said() {
    let households = |seed| clustered(seed, 200, 3, 24);
    let (found, f) = (rejected(|seed| anew(households(seed))), rejected(|seed| by_f(households(seed))));
    assert!(as_said(found) && f > 40, "{found} anew and {f} by F of {WORLDS}");
    let one_by_one = rejected(|seed| {
        let (plan, columns) = households(seed);
        anew((Plan { cluster: None, ..plan }, columns))
    });
    assert!(one_by_one > 80, "{one_by_one} of {WORLDS}");
}

#[test]
fn five_shops_show_a_difference_that_f_hardly_sees() {
    let shops = |seed| clustered(seed, 40, 8, 5);
    let found = rejected(|seed| anew(shops(seed)));
    let seen = rejected(|seed| anew(with_effect(shops(seed))));
    let f = rejected(|seed| by_f(with_effect(shops(seed))));
    assert!(as_said(found), "{found} of {WORLDS}");
    assert!(seen > 200 && 2 * f < seen, "{seen} anew and {f} by F of {WORLDS}");
}

#[test]
fn clean_draws_within_split_clusters_are_rejected_as_often_as_said() {
    let found = rejected(|seed| anew(split(seed)));
    assert!(as_said(found), "{found} of {WORLDS}");
    for seed in 0..20 {
        let p = anew(with_effect(split(seed)));
        assert!(p <= 0.05, "a difference in world {seed} is missed: {p}");
    }
}

/// 550 customers in households of one to three, 50 of them drawn one by one; most of the spread is that of the households.
fn one_by_one(seed: u64) -> (Plan, Vec<Vec<f64>>) {
    let mut dice = Dice::new(seed);
    let cluster: Vec<u32> = (0..276).flat_map(|h| std::iter::repeat_n(h, if h < 275 { 1 + h as usize % 3 } else { 1 })).collect();
    let own: Vec<u32> = (0..550).collect();
    let mut column = || -> Vec<f64> {
        let households = dice.log_normals(276, 1.3);
        dice.log_normals(550, 0.8).iter().zip(&cluster).map(|(v, c)| v * households[*c as usize]).collect()
    };
    let columns = (0..3).map(|_| column()).collect();
    (Plan { arm: drawn(&mut dice, &[0; 550], &[50], &own), stratum: None, cluster: Some(cluster) }, columns)
}

#[test]
fn clean_draws_one_by_one_in_households_are_rejected_as_often_as_said() {
    assert!(one_by_one(0).0.redraw().words().ends_with("within clusters"));
    let (found, f) = (rejected(|seed| anew(one_by_one(seed))), rejected(|seed| by_f(one_by_one(seed))));
    assert!(as_said(found) && f > 40, "{found} anew and {f} by F of {WORLDS}");
    for seed in 0..20 {
        let p = anew(with_effect(one_by_one(seed)));
        assert!(p <= 0.05, "a difference in world {seed} is missed: {p}");
    }
}

/// The placebo's way: what the same covariates leave of skewed outcomes, against the default estimator's own test. 500 and 50 customers.
mod adjusted {
    use super::*;

    struct World {
        arm: Vec<Arm>,
        before: Vec<Vec<f64>>,
        after: Vec<Vec<f64>>,
    }

    impl World {
        fn new(seed: u64) -> Self {
            let mut dice = Dice::new(seed);
            let before: Vec<Vec<f64>> = (0..3).map(|_| dice.log_normals(550, 0.8)).collect();
            let after = before.iter().map(|b| b.iter().zip(dice.log_normals(550, 0.9)).map(|(b, e)| b * e).collect()).collect();
            Self { arm: (0..550).map(|i| if i < 500 { Arm::Target } else { Arm::Control }).collect(), before, after }
        }

        fn columns(&self) -> Vec<&[f64]> {
            self.before.iter().map(Vec::as_slice).collect()
        }

        fn asymptotic_p(&self) -> f64 {
            let fit = RegressionAtt::default().fit(&Design::new(&self.arm).with_covariates(&self.columns())).unwrap();
            let outcomes: Vec<Outcome<'_>> = self.after.iter().map(|y| Outcome::new(y)).collect();
            wald(&fit.contrast(&outcomes).unwrap()).p_value
        }

        fn permutation_p(&self) -> f64 {
            let plan = Plan { arm: self.arm.clone(), stratum: None, cluster: None };
            anew((plan, pooled_residuals(&self.after, &self.columns())))
        }
    }

    /// Of how many worlds p is at most 0.005 and 0.05, levels that 199 draws have, and whether that is as said.
    fn rejected(p: impl Fn(&World) -> f64 + Sync) -> ([usize; 2], [bool; 2]) {
        let p: Vec<f64> = (0..WORLDS).into_par_iter().map(|seed| p(&World::new(seed))).collect();
        let within = |level: f64| p.iter().filter(|p| **p <= level).count();
        ([0.005, 0.05].map(within), [0.005, 0.05].map(|level| band(within(level), WORLDS, level)))
    }

    #[test]
    fn clean_draws_with_a_small_skewed_arm_are_rejected_as_often_as_said() {
        let (found, as_said) = rejected(World::asymptotic_p);
        assert_eq!(as_said, [false, false], "the F distribution rejects {found:?} of {WORLDS}");
        let (found, as_said) = rejected(World::permutation_p);
        assert_eq!(as_said, [true, true], "the randomisation test rejects {found:?} of {WORLDS}");
    }

    /// 5 and 50 are meant; the F distribution has 59 and 161.
    const WORLDS: u64 = 1000;
}
