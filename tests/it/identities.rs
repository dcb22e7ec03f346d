//! What holds whatever the numbers are, for every estimator in every design that it takes: sums, signs, units, orders, and intervals against their tests. And for
//! every shop: ledgers in parts, lines in pieces, other names, other days, lines and customers that say nothing.

use std::ops::Range;

use promolift::cells::{AmountSpec, Catalogue, CellSource, CellTable, Partition};
use promolift::estimate::{
    ClusterRule, CoarsenedExact, Coarsening, Contrast, Cuped, Design, DifferenceInDifferences, EntropyBalancing, Estimator, Fit, GivenWeights, Level,
    MatchedPairs, Outcome, Regression, RegressionAtt, Unadjusted,
};
use promolift::polars::prelude::{Column, col, lit};
use promolift::prelude::*;
use promolift::study::{Alternative, Cap, CovarianceRule, DfRule, Ids, Margin, Markdown, Multiplicity, Population};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;

use crate::compare::{IDENTITY, near};
use crate::shop::{BASELINE_DAYS, Dice, END, FIRST_DAY, LAST_DAY, Line, POST_DAYS, START, Shop, Traits, money, supply};

/// Outcomes of a sample.
const OUTCOMES: usize = 4;
/// Days before over days after.
const EXPOSURE: f64 = 0.75;

/// Customers of a design with everything that any estimator asks for.
#[derive(Clone)]
struct Sample {
    arm: Vec<Arm>,
    x: Vec<Vec<f64>>,
    y: Vec<Vec<f64>>,
    before: Vec<Vec<f64>>,
    stratum: Vec<u32>,
    cluster: Vec<u32>,
    pair: Vec<u32>,
    weight: Vec<f64>,
}

impl Sample {
    fn new(seed: u64, [target, control]: [usize; 2]) -> Self {
        let mut dice = Dice(seed);
        let mut arm = vec![Arm::Target; target];
        arm.resize(target + control, Arm::Control);
        dice.shuffle(&mut arm);
        let n = arm.len();
        let taste: Vec<f64> = (0..n).map(|_| 4.0 + dice.normal()).collect();
        let of_taste = |dice: &mut Dice, spread: f64| -> Vec<f64> { taste.iter().map(|t| t + spread * dice.normal()).collect() };
        let x = vec![of_taste(&mut dice, 1.0), of_taste(&mut dice, 2.0)];
        let before = (0..OUTCOMES).map(|_| of_taste(&mut dice, 1.0)).collect();
        let effect = 3.0 * dice.unit() - 1.5;
        let y = |dice: &mut Dice| (0..n).map(|i| 2.0 + taste[i] + dice.normal() + if arm[i] == Arm::Target { effect } else { 0.0 }).collect();
        let y = (0..OUTCOMES).map(|_| y(&mut dice)).collect();
        let mut places = [0_u32; 2];
        let pair: Vec<u32> = arm
            .iter()
            .map(|arm| {
                let place = &mut places[usize::from(*arm == Arm::Control)];
                *place += 1;
                *place - 1
            })
            .collect();
        let stratum = pair.iter().map(|place| place % 2).collect();
        let cluster = (0..n).map(|_| dice.below(9) as u32).collect();
        let weight = (0..n).map(|_| dice.below(4) as f64 / 2.0 + 0.25).collect();
        Self { arm, x, y, before, stratum, cluster, pair, weight }
    }

    fn fit(&self, case: &Case) -> Option<Fit> {
        let covariates: Vec<&[f64]> = self.x.iter().map(Vec::as_slice).collect();
        let mut design = Design::new(&self.arm).with_covariates(&covariates);
        if case.strata {
            design = design.with_strata(&self.stratum);
        }
        if let Some(rule) = case.clusters {
            design = design.with_clusters(&self.cluster, rule);
        }
        if case.estimator.takes_pairs() {
            design = design.with_pairs(&self.pair);
        }
        if case.estimator.takes_weights() {
            design = design.with_weights(&self.weight);
        }
        case.estimator.fit(&design).ok()
    }

    fn contrast(&self, case: &Case) -> Option<Contrast> {
        let outcomes: Vec<Outcome<'_>> = self.y.iter().zip(&self.before).map(|(y, before)| Outcome::new(y).with_before(before, EXPOSURE)).collect();
        Some(self.fit(case)?.contrast(&outcomes).unwrap())
    }

    /// The same customers in another order.
    fn reordered(&self, order: &[usize]) -> Self {
        fn take<T: Copy>(list: &[T], order: &[usize]) -> Vec<T> {
            order.iter().map(|i| list[*i]).collect()
        }
        let all = |lists: &[Vec<f64>]| lists.iter().map(|list| take(list, order)).collect();
        Self {
            arm: take(&self.arm, order),
            x: all(&self.x),
            y: all(&self.y),
            before: all(&self.before),
            stratum: take(&self.stratum, order),
            cluster: take(&self.cluster, order),
            pair: take(&self.pair, order),
            weight: take(&self.weight, order),
        }
    }

    /// `sum_i |w_i c'y_i|`, before-columns too: what rounding is measured against.
    fn scale(&self, fit: &Fit, c: &[f64]) -> f64 {
        let of = |i: usize| (0..OUTCOMES).map(|j| (c[j] * self.y[j][i]).abs() + (c[j] * EXPOSURE * self.before[j][i]).abs()).sum::<f64>();
        fit.effect.iter().enumerate().map(|(i, w)| w.abs() * of(i)).sum()
    }
}

/// An estimator in a design.
struct Case {
    estimator: Box<dyn Estimator>,
    strata: bool,
    clusters: Option<ClusterRule>,
}

impl Case {
    fn name(&self) -> String {
        format!("{:?}, strata {}, clusters {:?}", self.estimator, self.strata, self.clusters)
    }

    /// Whether it is the same comparison seen from the other arm.
    fn is_even(&self) -> bool {
        let average_over_target = ["regression_att", "entropy_balancing", "coarsened_exact"].contains(&self.estimator.name());
        let augmented = self.estimator.name() == "given_weights" && self.estimator.adjusts();
        // Strata count by the target's customers, but for the two that average over all.
        let by_target = self.strata && !["regression", "cuped"].contains(&self.estimator.name());
        !average_over_target && !augmented && !by_target
    }
}

fn estimators() -> Vec<Box<dyn Estimator>> {
    let coarse = vec![Coarsening::Quantiles(2), Coarsening::Quantiles(2)];
    vec![
        Box::new(RegressionAtt::default()),
        Box::new(RegressionAtt { covariance: CovarianceRule::Hc3 }),
        Box::new(Unadjusted),
        Box::new(Regression::default()),
        Box::new(Regression { covariance: CovarianceRule::Hc3, population: Population::Super }),
        Box::new(Cuped::default()),
        Box::new(Cuped { covariance: CovarianceRule::Hc2 }),
        Box::new(DifferenceInDifferences),
        Box::new(EntropyBalancing::default()),
        Box::new(MatchedPairs),
        Box::new(GivenWeights::default()),
        Box::new(GivenWeights { augmented: true }),
        Box::new(CoarsenedExact { coarsening: coarse }),
    ]
}

fn cases() -> Vec<Case> {
    use ClusterRule::{Cr0, Cr1, Cr2, Default};
    let designs = [
        (false, None),
        (true, None),
        (false, Some(Default)),
        (false, Some(Cr0)),
        (false, Some(Cr1)),
        (false, Some(Cr2)),
        (true, Some(Default)),
        (true, Some(Cr1)),
    ];
    designs.into_iter().flat_map(|(strata, clusters)| estimators().into_iter().map(move |estimator| Case { estimator, strata, clusters })).collect()
}

/// A sample of two arms, of the same size where pairs are asked for, with the case.
fn each(seed: u64, sizes: [usize; 2], mut look: impl FnMut(&str, &Case, &Sample, &Fit)) {
    let (uneven, even) = (Sample::new(seed, sizes), Sample::new(seed, [sizes[0]; 2]));
    let mut fitted = 0;
    for case in cases() {
        let sample = if case.estimator.takes_pairs() { &even } else { &uneven };
        if let Some(fit) = sample.fit(&case) {
            look(&case.name(), &case, sample, &fit);
            fitted += 1;
        }
    }
    assert!(fitted >= 50, "only {fitted} of {} designs have an answer", cases().len());
}

fn sizes() -> impl Strategy<Value = [usize; 2]> {
    [14..34_usize, 14..34_usize]
}

fn coefficients() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec((-40..40_i32).prop_map(|c| f64::from(c) / 8.0), OUTCOMES)
}

/// `sum_jk |a_j V_jk b_k|`.
fn spread(contrast: &Contrast, a: &[f64], b: &[f64]) -> f64 {
    let unit = |j: usize| {
        let mut form = vec![0.0; OUTCOMES];
        form[j] = 1.0;
        contrast.effect(&form)
    };
    let entry = |j: usize, k: usize| (a[j] * contrast.covariance(&unit(j), &unit(k)) * b[k]).abs();
    (0..OUTCOMES).flat_map(|j| (0..OUTCOMES).map(move |k| (j, k))).map(|(j, k)| entry(j, k)).sum()
}

const SIDES: [Alternative; 3] = [Alternative::TwoSided, Alternative::Greater, Alternative::Less];

proptest! {
    #![proptest_config(ProptestConfig { cases: cases_of(12), max_shrink_iters: 16, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    /// The effect is the weighted sum of the outcomes, whatever they are; that of a sum of outcomes is the sum of the effects, with the variance `a'Va`.
    #[test]
    fn parts_add_up_in_every_design(seed in any::<u64>(), sizes in sizes(), a in coefficients(), b in coefficients()) {
        each(seed, sizes, |name, case, sample, fit| {
            let contrast = sample.contrast(case).unwrap();
            let differences = case.estimator.differences();
            let combined = |columns: &[Vec<f64>]| -> Vec<f64> { (0..sample.arm.len()).map(|i| (0..OUTCOMES).map(|j| a[j] * columns[j][i]).sum()).collect() };
            let (y, before) = (combined(&sample.y), combined(&sample.before));
            let whole = fit.contrast(&[Outcome::new(&y).with_before(&before, EXPOSURE)]).unwrap();
            let (of_parts, of_whole) = (contrast.effect(&a), whole.effect(&[1.0]));
            let scale = sample.scale(fit, &a);
            near(&format!("{name}: parts"), contrast.value(&of_parts), whole.value(&of_whole), scale, IDENTITY);
            let weighted = (0..y.len()).map(|i| fit.effect[i] * (y[i] - if differences { EXPOSURE * before[i] } else { 0.0 })).sum::<f64>();
            near(&format!("{name}: weights"), whole.value(&of_whole), weighted, scale, IDENTITY);
            near(&format!("{name}: variance"), contrast.variance(&of_parts), whole.variance(&of_whole), spread(&contrast, &a, &a), IDENTITY);

            let other = contrast.effect(&b);
            let sum = contrast.effect(&a.iter().zip(&b).map(|(a, b)| a + b).collect::<Vec<_>>());
            near(&format!("{name}: sum"), contrast.value(&of_parts) + contrast.value(&other), contrast.value(&sum), scale + sample.scale(fit, &b), IDENTITY);
            let of_sum = contrast.variance(&of_parts) + contrast.variance(&other) + 2.0 * contrast.covariance(&of_parts, &other);
            let largest = spread(&contrast, &a, &a) + spread(&contrast, &b, &b) + 2.0 * spread(&contrast, &a, &b);
            near(&format!("{name}: variance of the sum"), of_sum, contrast.variance(&sum), largest, IDENTITY);
            // The target's mean is the counterfactual and the effect.
            let side = contrast.target_mean(&a);
            near(&format!("{name}: sides"), contrast.value(&contrast.level(&a)) + contrast.value(&of_parts), contrast.value(&side), scale, IDENTITY);
        });
    }

    #[test]
    fn the_order_of_customers_is_nothing_in_every_design(seed in any::<u64>(), sizes in sizes(), a in coefficients()) {
        each(seed, sizes, |name, case, sample, fit| {
            let mut order: Vec<usize> = (0..sample.arm.len()).collect();
            Dice(seed ^ 1).shuffle(&mut order);
            let (found, expected) = (sample.reordered(&order).contrast(case).unwrap(), sample.contrast(case).unwrap());
            let (one, two) = (found.effect(&a), expected.effect(&a));
                        near(name, found.value(&one), expected.value(&two), sample.scale(fit, &a), IDENTITY);
            near(name, found.variance(&one), expected.variance(&two), spread(&expected, &a, &a), IDENTITY);
        });
    }

    /// The two arms in each other's place: every sign turns, every width and degree of freedom stays, in all designs that do not ask what the *target* would have done.
    #[test]
    fn swapping_the_arms_flips_signs_in_every_even_design(seed in any::<u64>(), sizes in sizes(), a in coefficients()) {
        let mut swapped = 0;
        each(seed, sizes, |name, case, sample, fit| {
            let mut other = sample.clone();
            other.arm.iter_mut().for_each(|arm| *arm = if *arm == Arm::Target { Arm::Control } else { Arm::Target });
            let (Some(found), expected) = (other.contrast(case), sample.contrast(case).unwrap()) else { return };
            let (one, two) = (found.effect(&a), expected.effect(&a));
            let scale = sample.scale(fit, &a);
            if !case.is_even() {
                return;
            }
            swapped += 1;
            near(name, found.value(&one), -expected.value(&two), scale, IDENTITY);
            near(name, found.variance(&one), expected.variance(&two), spread(&expected, &a, &a), IDENTITY);
            let df = |contrast: &Contrast, form| contrast.df(form, DfRule::Satterthwaite).value();
            if expected.variance(&two) > 0.0 && df(&expected, &two).is_finite() {
                near(&format!("{name}: df"), df(&found, &one), df(&expected, &two), 0.0, 1e-9);
            }
        });
        assert!(swapped >= 25, "{swapped} designs swapped");
    }

    /// Units of covariates and a constant on every outcome: neither changes an effect or its spread.
    #[test]
    fn units_and_constants_change_nothing(seed in any::<u64>(), sizes in sizes(), a in coefficients(), power in -20..20_i32, constant in -16..16_i32) {
        each(seed, sizes, |name, case, sample, fit| {
            let mut other = sample.clone();
            // A power of two changes no digit; a constant takes part in the sums.
            other.x.iter_mut().flatten().for_each(|x| *x *= 2.0_f64.powi(power));
            other.y.iter_mut().flatten().for_each(|y| *y += f64::from(constant));
            let (found, expected) = (other.contrast(case).unwrap(), sample.contrast(case).unwrap());
            let (one, two) = (found.effect(&a), expected.effect(&a));
            let scale = sample.scale(fit, &a) + other.scale(fit, &a);
            near(name, found.value(&one), expected.value(&two), scale, IDENTITY);
            near(name, found.variance(&one), expected.variance(&two), spread(&expected, &a, &a), IDENTITY);
        });
    }

    /// 0 lies outside an interval exactly when its test rejects: effects, relative uplifts, whatever the design, side, confidence and rule for df.
    #[test]
    fn intervals_and_tests_agree_in_every_design(seed in any::<u64>(), sizes in sizes(), a in coefficients(), confidence in 0.51..0.9999_f64) {
        let (mut rejected, mut kept) = (0, 0);
        each(seed, sizes, |name, case, sample, _| {
            let contrast = sample.contrast(case).unwrap();
            let form = contrast.effect(&a);
            for alternative in SIDES {
                for df in [DfRule::Satterthwaite, DfRule::Residual, DfRule::Normal] {
                    let level = Level { confidence, alternative, df };
                    let found = contrast.estimate(&form, level);
                    let Known::Value(p) = found.p_value else { continue };
                    let rejects = p < 1.0 - confidence;
                    assert_eq!(rejects, !found.interval.contains(0.0), "{name} {level:?}: p {p}, {:?}", found.interval);
                    let relative = contrast.relative(&a, level);
                    if relative.estimate.value().is_some() {
                        assert_eq!(rejects, !relative.interval.contains(0.0), "{name} {level:?}: p {p}, {:?}", relative.interval);
                    }
                    rejected += usize::from(rejects);
                    kept += usize::from(!rejects);
                }
            }
        });
        assert!(rejected + kept > 400);
    }
}

/// So many cases, or more where the environment asks for them.
fn cases_of(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

/// The same inputs in every run, but for those who ask for a number of them: they look for new ones.
pub(crate) fn seed() -> RngSeed {
    if std::env::var_os("PROPTEST_CASES").is_some() { RngSeed::Random } else { RngSeed::Fixed(22) }
}

// Shops.

fn shops() -> impl Strategy<Value = Shop> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (any::<u64>(), 4..12_u64, flags, any::<bool>()).prop_map(|(seed, lines_per_customer, (returns, leak, announced, markdown), exact)| {
        let mut shop = Shop::random(seed, &Traits { customers_per_arm: 24, lines_per_customer, returns, leak, announced, markdown });
        // A rate of .25 keeps every cost exact; sums of others are rounded.
        shop.promotion.margin = Some(Margin { rate: if exact { 0.25 } else { 0.3 } });
        shop
    })
}

fn table_of(shop: &Shop, source: &impl CellSource) -> CellTable {
    let study = shop.study(EstimatorName::Unadjusted);
    let plan = study.plan(&source.catalogue()).unwrap();
    source.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap()
}

fn table(shop: &Shop) -> CellTable {
    table_of(shop, &shop.ledger())
}

/// The largest sum of magnitudes that any cell is made of.
fn magnitude(shop: &Shop) -> f64 {
    shop.lines.iter().map(|l| 10.0 * (l.quantity.abs() + l.net_sales.abs() + l.coupon.abs() + l.rebate.abs())).sum()
}

/// The same cells: bit for bit, or up to rounding where a scale is given.
#[track_caller]
fn same_cells(found: &CellTable, expected: &CellTable, scale: Option<f64>) {
    assert_eq!((found.atoms.len(), &found.amounts), (expected.atoms.len(), &expected.amounts));
    let alike = |path: &str, found: &[f64], expected: &[f64], scale: Option<f64>| match scale {
        None => assert_eq!(found, expected, "{path}"),
        Some(scale) => found.iter().zip(expected).for_each(|(a, b)| near(path, *a, *b, scale, IDENTITY)),
    };
    for (index, (a, b)) in found.columns.iter().zip(&expected.columns).enumerate() {
        alike(&format!("{} of atom {}", found.amounts[index % found.amounts.len()], index / found.amounts.len()), a, b, scale);
    }
    assert_eq!(found.baskets, expected.baskets);
    assert_eq!((&found.seen, &found.redemptions), (&expected.seen, &expected.redemptions));
    assert_eq!(found.facts.on_sale, expected.facts.on_sale);
    // Shares of days on sale are no decimals: their sums are rounded in the order of lines.
    let on_sale = |table: &CellTable| table.facts.baseline_on_sale.iter().flatten().flat_map(|(_, amounts)| amounts.clone()).collect::<Vec<_>>();
    on_sale(found).iter().zip(on_sale(expected)).for_each(|(a, b)| alike("baseline on sale", a, &b, Some(scale.unwrap_or(1e5))));
}

/// The lines of a shop in so many ledgers, one of which may be empty in every window.
fn parts(shop: &Shop, ledgers: u64, place: impl Fn(usize, &Line) -> u64) -> Vec<Ledger> {
    let part = |index: u64| {
        let mut part = shop.clone();
        part.lines = shop.lines.iter().enumerate().filter(|(row, line)| place(*row, line) % ledgers == index).map(|(_, line)| line.clone()).collect();
        // A ledger has a line at least: one before all windows, which is then counted.
        if part.lines.is_empty() {
            part.lines.push(Line { day: FIRST_DAY, ..shop.lines[0].clone() });
        }
        Ledger::from_frames(part.transactions(), part.product_table(), &shop.columns()).unwrap()
    };
    (0..ledgers).map(part).collect()
}

fn merged(shop: &Shop, parts: &[Ledger], order: &[usize]) -> CellTable {
    let tables = order.iter().map(|at| table_of(shop, &parts[*at]));
    tables.reduce(|sum, table| sum.merge(table).unwrap()).unwrap()
}

/// Without stores in the calendar: how many there are is seen in the lines, and a part may not see all.
fn without_stores(mut shop: Shop) -> Shop {
    if let Some(Markdown::Calendar(sales)) = &mut shop.promotion.markdown {
        sales.iter_mut().for_each(|sale| sale.store = None);
    }
    shop
}

/// In how many ledgers, a seed for who goes where, and the order in which they are merged.
fn deals() -> impl Strategy<Value = (u64, u64, Vec<usize>)> {
    (2..6_u64, any::<u64>()).prop_flat_map(|(ledgers, seed)| (Just(ledgers), Just(seed), Just((0..ledgers as usize).collect::<Vec<_>>()).prop_shuffle()))
}

fn mixed(seed: u64, value: u64) -> u64 {
    Dice(seed ^ value.wrapping_mul(0x9e37_79b9)).next()
}

/// A study's result, the keys given left out, or why there is none.
fn result(study: &Study, ledger: &Ledger, without: &[&str]) -> Result<Value, String> {
    let measurement = study.measure(ledger).map_err(|error| error.to_string())?;
    let mut json = serde_json::to_value(measurement).unwrap();
    without.iter().for_each(|key| drop(json.as_object_mut().unwrap().remove(*key).unwrap()));
    Ok(json)
}

/// The days that no window holds, before and behind them.
fn outside() -> [Range<i32>; 2] {
    [FIRST_DAY..START - 5 - BASELINE_DAYS as i32, END + POST_DAYS as i32 + 1..LAST_DAY]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases_of(16), max_shrink_iters: 8, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    /// Customers, days, or rows that split no basket, dealt to ledgers in any way and merged in any order.
    #[test]
    fn any_partition_of_the_ledger_merges_to_the_whole(shop in shops(), (ledgers, seed, order) in deals()) {
        let shop = without_stores(shop);
        let whole = table(&shop);
        let scale = Some(magnitude(&shop));
        let by_customer = parts(&shop, ledgers, |_, line| mixed(seed, line.customer.unsigned_abs()));
        same_cells(&merged(&shop, &by_customer, &order), &whole, None);
        // Merging in pairs first is merging one by one.
        let (left, right) = order.split_at(order.len() / 2);
        same_cells(&merged(&shop, &by_customer, left).merge(merged(&shop, &by_customer, right)).unwrap(), &whole, None);
        let lines = merged(&shop, &by_customer, &order).facts.lines.unwrap();
        let expected = whole.facts.lines.unwrap();
        let read = by_customer.iter().map(|ledger| ledger.len() as u64).sum::<u64>();
        assert_eq!((lines.used, lines.outside_assignment, lines.returns, lines.read), (expected.used, expected.outside_assignment, expected.returns, read));

        let basket = |line: &Line| line.basket.map_or_else(|| mixed(line.customer.unsigned_abs(), line.day.unsigned_abs().into()), |basket| basket.unsigned_abs());
        let by_basket = parts(&shop, ledgers, |_, line| mixed(seed, basket(line)));
        same_cells(&merged(&shop, &by_basket, &order), &whole, scale);

        // Without baskets a visit is a customer's day in a store.
        let mut plain = shop.clone();
        plain.lines.iter_mut().for_each(|line| line.basket = None);
        let by_day = parts(&plain, ledgers, |_, line| mixed(seed, line.day.unsigned_abs().into()));
        same_cells(&merged(&plain, &by_day, &order), &table(&plain), scale);
    }

    /// Rows in any order, lines cut anywhere, every name another one that sorts the other way round: the same cells.
    #[test]
    fn rows_pieces_and_names_are_nothing(shop in shops(), seed in any::<u64>()) {
        let expected = table(&shop);
        let exact = shop.promotion.margin.is_some_and(|margin| margin.rate == 0.25);
        let scale = (!exact).then(|| magnitude(&shop));
        let mut shuffled = shop.clone();
        Dice(seed).shuffle(&mut shuffled.lines);
        same_cells(&table(&shuffled), &expected, scale);

        let mut dice = Dice(seed);
        let mut cut = shop.clone();
        cut.lines = shop.lines.iter().flat_map(|line| pieces(&mut dice, line)).collect();
        assert!(cut.lines.len() > shop.lines.len());
        same_cells(&table(&cut), &expected, scale);

        let (renamed, transactions) = renamed(&shop);
        let ledger = Ledger::from_frames(transactions, renamed.product_table(), &renamed.columns()).unwrap();
        same_cells(&table_of(&renamed, &ledger), &expected, None);
    }

}

proptest! {
    // Whole studies, with the permutations of their checks.
    #![proptest_config(ProptestConfig { cases: cases_of(4), max_shrink_iters: 4, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    /// All days shifted by as much: the same study, told with other dates.
    #[test]
    fn shifting_every_day_shifts_nothing_else(shop in shops(), days in -6000..9000_i32, estimator in 0..EstimatorName::ALL.len()) {
        let mut later = shop.clone();
        let shift = |day: Day| day.plus(days.into());
        later.lines.iter_mut().for_each(|line| line.day += days);
        let promotion = &mut later.promotion;
        (promotion.start, promotion.end, promotion.announced) = (shift(promotion.start), shift(promotion.end), promotion.announced.map(shift));
        if let Some(Markdown::Calendar(sales)) = &mut promotion.markdown {
            sales.iter_mut().for_each(|sale| (sale.start, sale.end) = (shift(sale.start), shift(sale.end)));
        }
        let (first, last) = (Day::from_epoch(FIRST_DAY), Day::from_epoch(LAST_DAY));
        let ledger = |shop: &Shop, days: [Day; 2]| {
            Ledger::from_frames(shop.transactions(), shop.product_table(), &shop.promotion.columns().days(days[0], days[1])).unwrap()
        };
        let estimator = EstimatorName::ALL[estimator];
        let told_with_days = ["windows", "warnings", "checks"];
        let expected = result(&shop.study(estimator), &ledger(&shop, [first, last]), &told_with_days);
        let found = result(&later.study(estimator), &ledger(&later, [shift(first), shift(last)]), &told_with_days);
        assert_eq!(found, expected);
    }

    /// Lines on days of no window, and of customers nobody assigned, are counted, and change no other number.
    #[test]
    fn lines_that_do_not_count_are_only_counted(shop in shops(), seed in any::<u64>(), estimator in 0..EstimatorName::ALL.len()) {
        // Stores, and lines in a window by day, are looked at for all customers.
        let shop = without_stores(shop);
        let mut dice = Dice(seed);
        let estimator = EstimatorName::ALL[estimator];
        let measured = shop.study(estimator).measure(&shop.ledger());
        prop_assume!(measured.is_ok());
        let expected = measured.unwrap();
        let mut more = shop.clone();
        let [before, behind] = outside();
        for _ in 0..40 {
            let line = &shop.lines[dice.below(shop.lines.len() as u64) as usize];
            let days = if dice.chance(0.5) { &before } else { &behind };
            let day = days.start + dice.below(days.len() as u64) as i32;
            more.lines.push(Line { day, net_sales: money(dice.below(1 << 30) as i64), ..line.clone() });
        }
        let inside = |line: &&Line| (START - 20..END).contains(&line.day);
        let strangers: Vec<Line> = shop.lines.iter().filter(inside).take(25).map(|line| Line { customer: -1_000_000 - line.customer.abs(), ..line.clone() }).collect();
        more.lines.extend(strangers.iter().cloned());
        let found = shop.study(estimator).measure(&more.ledger()).unwrap();
        let (lines, counted) = (expected.lines.unwrap(), found.lines.unwrap());
        assert_eq!(counted.outside_windows, lines.outside_windows + 40);
        assert_eq!(counted.outside_assignment, lines.outside_assignment + strangers.len() as u64);
        assert_eq!(counted.read, lines.read + 40 + strangers.len() as u64);
        let rest = |measurement: &Measurement| {
            let mut json = serde_json::to_value(measurement).unwrap();
            ["lines", "warnings"].iter().for_each(|key| drop(json.as_object_mut().unwrap().remove(*key).unwrap()));
            json
        };
        assert_eq!(rest(&found), rest(&expected));
    }

    /// Customers without lines: they are counted, no sum changes whatever the estimator, means are over more customers.
    #[test]
    fn customers_without_lines_change_counts_and_no_sum(shop in shops(), [targets, controls] in [1..30_usize, 1..30_usize], other in 0..EstimatorName::ALL.len()) {
        let ledger = shop.ledger();
        let mut more = shop.clone();
        let mut customers = shop.customers().to_vec();
        customers.extend((0..(targets + controls) as i64).map(|i| 7_000_000 + i));
        let mut arms = shop.assignment.arm.clone();
        arms.extend((0..targets + controls).map(|i| if i < targets { Arm::Target } else { Arm::Control }));
        more.assignment = Assignment::new(customers, arms);
        // Matched pairs have no place for a customer without a pair.
        for estimator in [EstimatorName::Unadjusted, EstimatorName::ALL[other]].into_iter().filter(|estimator| *estimator != EstimatorName::MatchedPairs) {
            let of = |shop: &Shop| {
                let mut study = shop.study(estimator);
                supply(&mut study);
                study.measure(&ledger)
            };
            let (Ok(before), Ok(after)) = (of(&shop), of(&more)) else {
                prop_assert!(estimator != EstimatorName::Unadjusted);
                continue;
            };
            let n = |measurement: &Measurement| [measurement.arms.target, measurement.arms.control].map(|arm| arm.customers);
            assert_eq!(n(&after), [n(&before)[0] + targets, n(&before)[1] + controls]);
            assert_eq!(after.arms.target.without_lines, before.arms.target.without_lines + targets);
            assert_eq!(after.arms.control.without_lines, before.arms.control.without_lines + controls);
            assert_eq!(after.lines, before.lines);
            for ((measure, cells), (_, expected)) in after.cells.iter().zip(before.cells.iter()) {
                for ((cell, found), (_, expected)) in cells.iter().zip(expected.iter()) {
                    assert_eq!((found.target.sum, found.control.sum), (expected.target.sum, expected.control.sum), "{estimator} {measure} {cell}");
                    assert_eq!(found.target.mean, found.target.sum / n(&after)[0] as f64);
                }
            }
            for (found, expected) in after.effects.iter().zip(&before.effects) {
                let (Known::Value(target), Known::Value(control)) = (expected.target_mean, expected.control_mean) else { continue };
                let (Known::Value(with_target), Known::Value(with_control)) = (found.target_mean, found.control_mean) else { continue };
                let what = format!("{estimator} {} {}", found.measure, found.effect);
                let shrunk = |mean: f64, arm: usize| mean * n(&before)[arm] as f64 / n(&after)[arm] as f64;
                let scale = magnitude(&shop) / 24.0;
                near(&what, with_target, shrunk(target, 0), scale, IDENTITY);
                near(&what, with_control, shrunk(control, 1), scale, IDENTITY);
                if let (EstimatorName::Unadjusted, Known::Value(effect)) = (estimator, found.per_customer) {
                    near(&what, effect, shrunk(target, 0) - shrunk(control, 1), scale, IDENTITY);
                }
            }
        }
    }

    /// A measure times a factor: effects, standard errors and limits times it; degrees of freedom, p-values and the size of relative effects as before.
    #[test]
    fn scaling_a_measure_scales_its_effects(
        shop in shops(), power in -40..40_i32, hundredths in (1..900_i32, any::<bool>()), estimator in 0..EstimatorName::ALL.len(),
    ) {
        let decimal = f64::from(hundredths.0) / if hundredths.1 { 100.0 } else { -100.0 };
        let factors = [("same", 1.0), ("binary", 2_f64.powi(power)), ("decimal", decimal)];
        let columns = factors.iter().fold(shop.columns(), |columns, (name, factor)| columns.measure(*name, col("net_sales") * lit(*factor)));
        let ledger = Ledger::from_frames(shop.transactions(), shop.product_table(), &columns).unwrap();
        let mut study = shop.study(EstimatorName::ALL[estimator]);
        supply(&mut study);
        let measured = study.measure(&ledger);
        prop_assume!(measured.is_ok());
        let measurement = measured.unwrap();
        let of = |measure: &str| measurement.effects.iter().filter(|e| e.measure == measure).collect::<Vec<_>>();
        prop_assert!(!of("same").is_empty());
        let times = |known: Known<f64>, factor: f64| known.value().map(|value| value * factor);
        let mut compared = 0;
        for (name, factor) in &factors[1..] {
            let (scaled, plain) = (of(name), of("same"));
            assert_eq!(scaled.len(), plain.len());
            for (scaled, plain) in scaled.into_iter().zip(plain) {
                let what = format!("{} {name} {factor} {}", measurement.estimator, plain.effect);
                let (low, high) = if *factor > 0.0 { (plain.ci_low, plain.ci_high) } else { (plain.ci_high, plain.ci_low) };
                let found = [scaled.per_customer, scaled.std_error, scaled.ci_low, scaled.ci_high].map(Known::value);
                let expected = [times(plain.per_customer, *factor), times(plain.std_error, factor.abs()), times(low, *factor), times(high, *factor)];
                let scale = magnitude(&shop) * factor.abs();
                for (found, expected) in found.into_iter().zip(expected) {
                    assert_eq!(found.is_some(), expected.is_some(), "{what}");
                    found.zip(expected).into_iter().for_each(|(found, expected)| near(&what, found, expected, scale, IDENTITY));
                }
                // Of an effect that varies at all; what is left of it else is rounding.
                if plain.std_error.value().is_some_and(|error| error > 1e-6 * magnitude(&shop)) {
                    let ratios = [(scaled.p_value, plain.p_value), (scaled.df, plain.df), (scaled.relative.estimate, plain.relative.estimate)];
                    for ((found, expected), sign) in ratios.into_iter().zip([1.0, 1.0, factor.signum()]) {
                        assert_eq!(found.value().is_some(), expected.value().is_some(), "{what}");
                        let (found, expected) = (found.value().unwrap_or_default(), sign * expected.value().unwrap_or_default());
                        assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{what}: {found} and {expected}");
                    }
                    compared += 1;
                }
            }
        }
        assert!(compared > 5, "{compared} effects");
    }

    /// Every interval of a result leaves zero out exactly when its p-value lies below 1 - confidence: effects, and their families.
    #[test]
    fn intervals_and_p_values_of_a_result_agree(
        shop in shops(), estimator in 0..EstimatorName::ALL.len(), side in 0..3_usize, confidence in 0.6..0.999_f64, cap in any::<bool>(), family in 0..3_usize,
    ) {
        let mut study = shop.study(EstimatorName::ALL[estimator]);
        (study.options.alternative, study.options.confidence) = (SIDES[side], confidence);
        study.options.multiplicity = [Multiplicity::None, Multiplicity::Bonferroni, Multiplicity::MaxT][family];
        study.options.cap = cap.then(|| Cap::at_quantile(0.9).scaled());
        supply(&mut study);
        // A small shop's controls may not reach the target's means: a typed outcome.
        let measured = study.measure(&shop.ledger());
        prop_assume!(measured.is_ok());
        let measurement = measured.unwrap();
        let mut compared = 0;
        for effect in measurement.effects.iter().chain(&measurement.effects_scaled) {
            let excludes = |low: Known<f64>, high: Known<f64>| low.value().is_some_and(|low| low > 0.0) || high.value().is_some_and(|high| high < 0.0);
            let what = format!("{} {} {effect:?}", measurement.estimator, effect.effect);
            if let Known::Value(p) = effect.p_value {
                assert_eq!(p < 1.0 - confidence, excludes(effect.ci_low, effect.ci_high), "{what}");
                if effect.relative.estimate.value().is_some() {
                    assert_eq!(p < 1.0 - confidence, !effect.relative.interval.contains(0.0), "{what}");
                }
                compared += 1;
            }
            if let (Known::Value(joint), Known::Value(p)) = (effect.p_value_joint, effect.p_value) {
                assert!(joint >= p, "{what}");
                if effect.joint_low.value().or(effect.joint_high.value()).is_some() {
                    assert_eq!(joint < 1.0 - confidence, excludes(effect.joint_low, effect.joint_high), "{what}");
                }
            }
        }
        assert!(compared > 20, "{compared} tests");
    }
}

/// A line in one to four lines that sum to it; each keeps a coupon where there was one, so that an offer line stays one.
fn pieces(dice: &mut Dice, line: &Line) -> Vec<Line> {
    let mut rest = line.clone();
    let mut pieces = Vec::new();
    let cents = |value: f64| (value * 100.0).round() as i64;
    for _ in 0..dice.below(4) {
        let share = dice.unit();
        let of = |value: f64| (cents(value) as f64 * share).trunc() as i64;
        let piece = Line {
            quantity: (rest.quantity * share).trunc(),
            net_sales: money(of(rest.net_sales)),
            coupon: money(of(rest.coupon)),
            rebate: money(of(rest.rebate)),
            ..line.clone()
        };
        let left = |whole: f64, piece: f64| money(cents(whole) - cents(piece));
        let remainder = Line {
            quantity: rest.quantity - piece.quantity,
            net_sales: left(rest.net_sales, piece.net_sales),
            coupon: left(rest.coupon, piece.coupon),
            rebate: left(rest.rebate, piece.rebate),
            ..line.clone()
        };
        if line.coupon == 0.0 || (piece.coupon != 0.0 && remainder.coupon != 0.0) {
            pieces.push(piece);
            rest = remainder;
        }
    }
    pieces.push(rest);
    pieces
}

/// Customers and baskets as texts that sort the other way round, products too; everything that names them follows.
fn renamed(shop: &Shop) -> (Shop, promolift::polars::prelude::DataFrame) {
    let text = |id: i64| format!("{:010}", 5_000_000_000_i64 - id);
    let product = |id: &str| format!("z{}", 9 - id[1..].parse::<i64>().unwrap());
    let mut renamed = shop.clone();
    renamed.lines.iter_mut().for_each(|line| line.product = product(&line.product));
    renamed.products.iter_mut().for_each(|row| row.id = product(&row.id));
    renamed.promotion.focal = Selection::products(vec![product("p0"), product("p1")]);
    if let Some(Markdown::Calendar(sales)) = &mut renamed.promotion.markdown {
        sales.iter_mut().filter_map(|sale| sale.product.as_mut()).for_each(|id| *id = product(id));
    }
    let customers: Vec<String> = shop.customers().iter().map(|id| text(*id)).collect();
    let mut transactions = renamed.transactions();
    transactions.with_column(Column::new("customer".into(), shop.lines.iter().map(|line| text(line.customer)).collect::<Vec<_>>())).unwrap();
    transactions.with_column(Column::new("basket".into(), shop.lines.iter().map(|line| line.basket.map(text)).collect::<Vec<_>>())).unwrap();
    renamed.assignment.customers = Ids::Texts(customers);
    (renamed, transactions)
}

/// The ledgers as one source are the whole in a study too.
struct Merged(Vec<Ledger>);

impl CellSource for Merged {
    fn catalogue(&self) -> Catalogue<'_> {
        self.0[0].catalogue()
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> promolift::Result<CellTable> {
        let mut tables = self.0.iter().map(|ledger| ledger.cells(partition, assignment, amounts));
        let first = tables.next().unwrap()?;
        tables.try_fold(first, |sum, table| sum.merge(table?))
    }
}

#[test]
fn a_curve_of_ledgers_in_parts_is_the_curve_of_the_whole() {
    let mut shop = without_stores(Shop::random(77, &Traits { customers_per_arm: 30, ..Traits::default() }));
    shop.promotion.margin = Some(Margin { rate: 0.25 });
    let merged = Merged(parts(&shop, 3, |_, line| line.customer.unsigned_abs()));
    let study = shop.study(EstimatorName::RegressionAtt);
    let weekly = |source: &dyn CellSource| serde_json::to_value(study.weekly(source).unwrap()).unwrap();
    assert_eq!(weekly(&merged), weekly(&shop.ledger()));
}
