//! Intervals hold the truth as often as they say: the quick grid of `examples/coverage`, whose full one makes the tables of `promolift::coverage`.
//!
//! Worlds are drawn with little skew, so that the claim is exact or nearly so, and coverage must lie where a binomial count at the claim lies but once in a
//! million runs on either side. Seeds are fixed: a run is always the same. Each test says which mistake it is there for.

// The example uses more of these modules than the tests do.
#[allow(dead_code)]
#[path = "../../examples/coverage/proof/mod.rs"]
mod proof;

use promolift::simulate::{Preset, Response};
use promolift::study::{Alternative, Arm, CovarianceRule, EstimatorName, Options, Period, Population};
use promolift::validity::Hazard;

use proof::binomial::{at_most, believable, clopper_pearson};
use proof::cells::Shop;
use proof::lines::{Lines, Shop as Source};
use proof::setting::{Asked, Setting};
use proof::tally::{Kind, Tally};
use proof::truth::Over;
use proof::world::{Customers, Drawing, Effect, World};

/// The tail beyond which a count is not believed.
const ONE_IN_A_MILLION: f64 = 1e-6;

/// Almost normal customers.
fn even(customers: usize, share: f64, effect: Effect) -> World {
    World { customers, share, skew: 0.1, noise: 0.1, effect, ..World::default() }
}

/// Runs a setting, in which every draw must have its answer, on slices and as a study alike.
#[track_caller]
fn run(setting: &Setting, draws: usize) -> Tally {
    let tally = setting.run(0..draws).unwrap();
    assert!(tally.refused.is_empty(), "{}: {:?}", setting.name, tally.refused);
    tally
}

/// Neither short nor wide.
#[track_caller]
fn exact(tally: &Tally, interval: &str, claimed: f64) {
    let counts = tally.get(interval).unwrap();
    assert_eq!(counts.draws, tally.draws, "{interval}");
    assert!(believable(counts.held(), counts.draws, claimed, ONE_IN_A_MILLION), "{interval}: {:.4} of {}", counts.coverage(), counts.draws);
}

/// Not short: where effects differ, or bounds are shown, an interval is wider than the claim.
#[track_caller]
fn not_short(tally: &Tally, interval: &str, claimed: f64) {
    let counts = tally.get(interval).unwrap();
    assert!(counts.draws > 0, "{interval}");
    assert!(at_most(counts.held(), counts.draws, claimed) >= ONE_IN_A_MILLION, "{interval}: {:.4} of {}", counts.coverage(), counts.draws);
}

/// No bias beyond what the draws can hide, 5 standard errors of their mean.
#[track_caller]
fn unbiased(tally: &Tally, interval: &str) {
    let counts = tally.get(interval).unwrap();
    let bias = counts.bias().unwrap();
    assert!(bias.abs() < 5.0 / (counts.draws as f64).sqrt(), "{interval}: {bias:.3} standard deviations");
}

#[test]
fn binomial_bands_are_the_published_ones() {
    // Sums of binomial terms, by hand.
    assert!((at_most(2, 5, 0.5) - 0.5).abs() < 1e-14);
    assert!((at_most(1, 4, 0.25) - (0.75_f64.powi(4) + 0.75_f64.powi(3))).abs() < 1e-14);
    assert!((at_most(9, 10, 0.9) - (1.0 - 0.9_f64.powi(10))).abs() < 1e-12);
    // Clopper and Pearson of no hit and of all: 1 - tail^(1/n) and tail^(1/n).
    let (none, all) = (clopper_pearson(0, 20, 0.025), clopper_pearson(20, 20, 0.025));
    assert!(none.low == 0.0 && (none.high - (1.0 - 0.025_f64.powf(0.05))).abs() < 1e-12);
    assert!(all.high == 1.0 && (all.low - 0.025_f64.powf(0.05)).abs() < 1e-12);
    assert!(believable(950, 1000, 0.95, 1e-6) && !believable(900, 1000, 0.95, 1e-6) && !believable(1000, 1000, 0.95, 1e-6));
}

/// For degrees of freedom that are not those of the small arm: with N - 2 of them, or the normal distribution, 89 % would hold.
#[test]
fn six_controls() {
    let setting = Setting::new("six controls", even(60, 0.9, Effect::Constant(0.5)), EstimatorName::Unadjusted).one_study_in(200);
    let tally = run(&setting, 4000);
    for interval in ["direct", "halo", "total", "relative direct", "relative total"] {
        exact(&tally, interval, 0.95);
    }
    unbiased(&tally, "total");
}

/// For a variance pooled over the arms: the target varies three times as much as the control, of which there are few, and all would hold.
#[test]
fn arms_that_vary_unlike() {
    let setting = Setting::new("arms unlike", even(400, 0.9, Effect::Sized(2.0)), EstimatorName::Unadjusted).against(Over::Expected);
    let tally = run(&setting.one_study_in(100), 3000);
    exact(&tally, "direct", 0.95);
    exact(&tally, "total", 0.95);
}

/// For slopes that cost no degrees of freedom, the wrong residuals, or an average over other customers than the truth's.
#[test]
fn adjusting_estimators() {
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::Regression, EstimatorName::Cuped, EstimatorName::EntropyBalancing] {
        let setting = Setting::new(format!("adjusted by {estimator}"), even(400, 0.8, Effect::Constant(0.5)), estimator);
        let tally = run(&setting.one_study_in(100), 1500);
        for interval in ["direct", "cannibalisation", "forward_buying", "carry_over", "total", "relative total"] {
            exact(&tally, interval, 0.95);
        }
        unbiased(&tally, "total");
    }
}

/// For a baseline scaled by the wrong days, or selection that is not taken out: the target is chosen by what it bought before.
#[test]
fn chosen_targets() {
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::DifferenceInDifferences, EstimatorName::EntropyBalancing] {
        let world = World { drawing: Drawing::Chosen, skew: 0.3, ..even(400, 0.5, Effect::Constant(0.3)) };
        let tally = run(&Setting::new(format!("chosen, {estimator}"), world, estimator).one_study_in(100), 1500);
        exact(&tally, "total", 0.95);
        unbiased(&tally, "total");
    }
}

/// For pairs, weights, matches, strata and clusters of which the variance does not know: customers taken one by one would hold 70 % within clusters.
#[test]
fn designs() {
    let of = |name: &str, drawing, estimator| Setting::new(name, World { drawing, ..even(400, 0.5, Effect::Constant(0.3)) }, estimator).one_study_in(100);
    exact(&run(&of("pairs", Drawing::Pairs, EstimatorName::MatchedPairs), 1500), "total", 0.95);
    not_short(&run(&of("weights", Drawing::Grades, EstimatorName::GivenWeights), 1500), "total", 0.95);
    exact(&run(&of("matches", Drawing::Grades, EstimatorName::CoarsenedExact), 1500), "total", 0.95);
    exact(&run(&of("strata", Drawing::Strata, EstimatorName::RegressionAtt), 1500), "total", 0.95);
    exact(&run(&of("strata, plain", Drawing::Strata, EstimatorName::Unadjusted), 1500), "total", 0.95);
    for (name, drawing) in [("whole clusters", Drawing::Clusters(40)), ("within clusters", Drawing::Straddling(40))] {
        not_short(&run(&of(name, drawing, EstimatorName::Unadjusted), 1500), "total", 0.95);
        let setting = of(&format!("{name}, CR1"), drawing, EstimatorName::Unadjusted).with(|o| o.covariance = CovarianceRule::Cr1);
        not_short(&run(&setting, 1500), "total", 0.94);
    }
}

/// For a p-value of the other side, of one side where two are asked for, or of another level than the interval's: no effect is found as often as is said.
#[test]
fn tests_of_nothing() {
    let world = even(400, 0.75, Effect::None);
    let two = Setting::new("nothing", world, EstimatorName::RegressionAtt).one_study_in(100);
    let one = |alternative| Setting::new("nothing", world, EstimatorName::RegressionAtt).with(|o| o.alternative = alternative).one_study_in(100);
    let ninety = Setting::new("nothing", world, EstimatorName::Unadjusted).with(|o| o.confidence = 0.9).one_study_in(100);
    for (setting, claimed) in [(two, 0.95), (one(Alternative::Greater), 0.95), (one(Alternative::Less), 0.95), (ninety, 0.9)] {
        let tally = run(&setting, 2000);
        exact(&tally, "total", claimed);
        let counts = tally.get("total").unwrap();
        // The test and the interval are one.
        assert_eq!(counts.tests, counts.draws);
        assert_eq!(counts.rejected, counts.below + counts.above);
    }
}

/// For the term of `population = super` left out or added where it is not asked for: effects go with size, so that it matters.
#[test]
fn a_population() {
    let world = World { skew: 0.4, ..even(200, 0.5, Effect::Sized(3.0)) };
    let of =
        |population, over| Setting::new("population", world, EstimatorName::Regression).with(|o| o.population = population).against(over).one_study_in(200);
    let everybody = run(&of(Population::Super, Over::Expected), 2000);
    not_short(&everybody, "direct", 0.95);
    let drawn_only = of(Population::Assigned, Over::Expected).run(0..2000).unwrap();
    let counts = drawn_only.get("direct").unwrap();
    assert!(at_most(counts.held(), counts.draws, 0.95) < ONE_IN_A_MILLION, "the term does nothing here: {:.4}", counts.coverage());
}

/// For money: a discount or a subsidy counted twice, a cell or a cost left out, intervals of several effects that do not hold together, segments that are not.
#[test]
fn whole_studies() {
    let world = World { money: true, ..even(400, 0.5, Effect::Responders(0.5)) };
    let tally = run(&Setting::new("money", world, EstimatorName::RegressionAtt).asking(Asked::Study), 300);
    for interval in ["net_profit", "incremental_margin"] {
        not_short(&tally, interval, 0.95);
        unbiased(&tally, interval);
    }
    for interval in ["roi_on_gross_cost", "roi_on_retailer_cost", "iroas", "cost_per_incremental_unit", "net_to_direct", "redemption_incrementality"] {
        not_short(&tally, interval, 0.95);
    }
    for interval in ["burned budget", "all effects at once", "price, target", "price, control", "price, difference", "price, relative"] {
        not_short(&tally, interval, 0.95);
    }
    let world = World { drawing: Drawing::Segments(8), ..even(600, 0.5, Effect::Constant(0.5)) };
    let tally = run(&Setting::new("segments", world, EstimatorName::RegressionAtt).asking(Asked::Study), 200);
    not_short(&tally, "segment", 0.95);
    not_short(&tally, "segment, shrunk", 0.95);
}

/// For weeks that overlap or leave a day out, and bands that do not hold together.
#[test]
fn weeks() {
    let world = World { weeks: true, ..even(400, 0.5, Effect::Constant(0.5)) };
    let tally = run(&Setting::new("weeks", world, EstimatorName::RegressionAtt).asking(Asked::Weeks), 60);
    for interval in ["direct, one week", "direct, all weeks", "direct, all sums", "total, one week", "total, all weeks", "total, all sums"] {
        not_short(&tally, interval, 0.95);
    }
}

/// For what lies between the lines and the cells: a window that is off by days, a role, a coupon or a funding term that is read wrongly.
#[test]
fn from_the_lines_up() {
    let lines = Lines {
        name: "lines".into(),
        customers: 600,
        shop: Source::Coupon(0.5, Response { redemption: 0.9, extra_redeeming: 0.9, forward_buying: 0.6, ..Response::default() }),
        estimator: EstimatorName::RegressionAtt,
    };
    let tally = lines.run(0..60);
    assert!(tally.refused.is_empty(), "{:?}", tally.refused);
    for interval in
        ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "total", "relative total", "net_profit", "roi_on_gross_cost", "burned budget"]
    {
        not_short(&tally, interval, 0.95);
    }
    for interval in ["direct", "forward_buying", "total", "net_profit"] {
        unbiased(&tally, interval);
    }
}

fn retailers(presets: impl Iterator<Item = Preset>, customers: u32, draws: usize) -> impl Iterator<Item = (Preset, Tally)> {
    presets.map(move |preset| {
        let lines = Lines { name: preset.to_string(), customers, shop: Source::Named(preset), estimator: EstimatorName::RegressionAtt };
        let tally = lines.run(0..draws);
        assert!(tally.refused.is_empty(), "{preset}: {:?}", tally.refused);
        (preset, tally)
    })
}

/// For whatever the simulated retailers have that cells drawn by hand have not: stocks, stores, several offers, announcements. Every component, the money and the
/// burned budget hold their truth over all clean presets together, and no more of them are refused than chance refuses: four checks, each once in a thousand.
#[test]
fn clean_retailers_are_found_and_not_refused() {
    let mut all = Tally::default();
    for (_, tally) in retailers(Preset::ALL.into_iter().filter(|preset| !preset.is_broken()), 600, 24) {
        all.merge(tally);
    }
    for interval in
        ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "total", "relative total", "incremental_margin", "net_profit", "burned budget"]
    {
        assert!(all.get(interval).unwrap().draws > 140, "{interval}");
        not_short(&all, interval, 0.95);
    }
    for interval in ["direct", "cannibalisation", "halo", "forward_buying", "total", "net_profit"] {
        unbiased(&all, interval);
    }
    assert!(at_most(all.studies - all.refusals, all.studies, 0.996) >= ONE_IN_A_MILLION, "{:?}", all.failed);
}

/// For checks that say nothing: each broken preset is refused in nearly every draw, for what is broken.
#[test]
fn broken_retailers_are_refused() {
    for (preset, tally) in retailers(Preset::ALL.into_iter().filter(|preset| preset.is_broken()), 2000, 8) {
        let check = match preset {
            Preset::ChosenTargets => "placebo",
            Preset::ControlLeak => "control_leak",
            Preset::SampleRatioFault => "sample_ratio",
            _ => "other_promotions",
        };
        let fired = tally.failed.get(check).copied().unwrap_or_default();
        assert!(fired >= 7 && tally.refusals >= fired, "{preset}: {:?} of {}", tally.failed, tally.studies);
    }
}

/// The share of results that carry a warning.
fn share_warned(name: &str, setting: &Setting, draws: usize) -> f64 {
    run(setting, draws).share_warned(name)
}

/// A result whose smaller arm is of long tail warns of its intervals, whatever the estimator, and one with equal arms or hardly any skew does not.
#[test]
fn small_and_skewed_arms_are_warned_of() {
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::Unadjusted] {
        let of = |name: &str, world: World| share_warned("skewed_arm", &Setting::new(name, world, estimator).asking(Asked::Study), 20);
        let long_tail = World { skew: 1.5, noise: 0.6, ..even(1000, 0.95, Effect::Responders(0.5)) };
        assert!(of("long tail, small control", long_tail) >= 0.7);
        assert!(of("long tail, small target", World { share: 0.05, ..long_tail }) >= 0.7);
        assert!(of("long tail, equal arms", World { share: 0.5, ..long_tail }) <= 0.1);
        assert!(of("no tail, small control", World { skew: 0.1, noise: 0.1, ..even(1000, 0.9, Effect::Constant(0.3)) }) <= 0.1);
    }
}

/// The warning of a skewed arm comes exactly where an interval is short by three quarters of a point, at a skewness of the estimate of 0.174: by hand, of customers
/// whose skewness and number are known.
#[test]
fn the_threshold_of_a_skewed_arm() {
    let spend: Vec<f64> = (0..10).map(|i| f64::from(i).exp()).collect();
    let mean = spend.iter().sum::<f64>() / 10.0;
    let moment = |power: i32| spend.iter().map(|y| (y - mean).powi(power)).sum::<f64>() / 10.0;
    let gamma = moment(3) / moment(2).powf(1.5);
    // Multipliers 1/sqrt(n (n - 1)) in arms of c and 9c customers.
    let sum = |c: f64, power: f64, sign: f64| 9.0 * c * (9.0 * c * (9.0 * c - 1.0)).powf(-power / 2.0) + sign * c * (c * (c - 1.0)).powf(-power / 2.0);
    let skewness = |controls: usize| gamma * (sum(controls as f64, 3.0, -1.0) / sum(controls as f64, 2.0, 1.0).powf(1.5)).abs();
    // 2 phi(1.96) 1.96 (1.96^4 + 2 x 1.96^2 - 3) / 18 = 0.24742 of its square.
    let least = (0.0075_f64 / 0.247_42).sqrt();
    let last = (1..100).map(|tens| 10 * tens).take_while(|controls| skewness(*controls) > least).last().unwrap();
    assert!(last >= 100);
    for (controls, warns) in [(last, true), (last + 10, false)] {
        let world = World { customers: 10 * controls, ..World::default() };
        let bins = world.bins();
        let mut kept = vec![vec![0.0; world.customers]; 3 * bins.len()];
        let promotion = bins.iter().position(|bin| bin.period == Period::Promotion).unwrap();
        kept[promotion] = (0..world.customers).map(|i| spend[i % 10]).collect();
        let arm = (0..world.customers).map(|i| if i < controls { Arm::Control } else { Arm::Target }).collect();
        let price = vec![vec![4.0; world.customers]; kept.len()];
        let (redeems, group) = (vec![false; world.customers], vec![0; world.customers]);
        let customers = Customers { arm, bins, offered: kept.clone(), kept, price, redeems, group, weight: Vec::new() };
        let mut options = Options::default();
        options.estimator = EstimatorName::Unadjusted;
        let found = customers.study(&world, options).measure(&Shop::new(false).unwrap().with(&customers)).unwrap();
        assert_eq!(found.warnings.iter().any(|w| w.warning == Hazard::SkewedArm), warns, "{controls} controls, skewness {:.3}", skewness(controls));
    }
}

/// A target that the offer makes alike is warned of, and of relative effects one that gains the same whatever its customers buy; one in which some respond, and much, is not.
#[test]
fn a_target_that_varies_less_is_warned_of() {
    let of = |warning: &str, name: &str, world: World, estimator| share_warned(warning, &Setting::new(name, world, estimator).asking(Asked::Study), 20);
    let world = |effect| World { customers: 1000, effect, ..World::default() };
    let (alike, same, much) = (world(Effect::Levelling), world(Effect::Constant(1.5)), world(Effect::Responders(2.0)));
    let att = EstimatorName::RegressionAtt;
    assert!(of("target_varies_less", "alike", alike, att) >= 0.7);
    assert!(of("target_varies_less", "the same to all", same, att) <= 0.2);
    assert!(of("effect_not_in_proportion", "the same to all", same, att) >= 0.7);
    // Clusters vary by what their customers have in common.
    let clusters = World { drawing: Drawing::Clusters(200), customers: 2000, ..alike };
    assert!(of("target_varies_less", "whole clusters", clusters, att) >= 0.7);
    // Within strata the controls count as the target has them, and unadjusted is an average over the target too.
    let strata = World { drawing: Drawing::Strata, ..same };
    assert!(of("effect_not_in_proportion", "strata", strata, att) >= 0.7);
    assert!(of("effect_not_in_proportion", "strata, plain", strata, EstimatorName::Unadjusted) >= 0.7);
    let chosen = World { drawing: Drawing::Chosen, ..same };
    assert!(of("effect_not_in_proportion", "chosen", chosen, att) >= 0.7);
    assert!(of("effect_not_in_proportion", "chosen, differences", chosen, EstimatorName::DifferenceInDifferences) >= 0.5);
    // It comes where nothing is done too, at one standard error of two effects, but not often; and not where all lose the same.
    assert!(of("effect_not_in_proportion", "nothing", world(Effect::None), att) <= 0.4);
    assert!(of("effect_not_in_proportion", "all lose the same", world(Effect::Constant(-0.3)), att) <= 0.1);
    assert!(of("target_varies_less", "some", world(Effect::Responders(0.5)), att) <= 0.1);
    for warning in ["target_varies_less", "effect_not_in_proportion"] {
        assert!(of(warning, "much", much, att) <= 0.2, "{warning}");
        // An average over all assigned is right about them all the same.
        for world in [alike, same] {
            assert!(of(warning, "all assigned", world, EstimatorName::Unadjusted) < 0.01, "{warning}");
        }
    }
}

/// Joint intervals and bands are short where no interval by itself is: they look farther out. With arms of equal size none is.
#[test]
fn intervals_that_hold_together_are_warned_of() {
    for (what, weeks, asked) in [("effects", false, Asked::Study), ("weeks", true, Asked::Weeks)] {
        let of = |share: f64| {
            let world = World { customers: 5000, share, weeks, ..World::default() };
            run(&Setting::new(format!("{what} at {share}"), world, EstimatorName::RegressionAtt).asking(asked), 20)
        };
        let (small, even) = (of(0.9), of(0.5));
        assert!(small.share_warned("skewed_cells") >= 0.8, "{what}: {}", small.share_warned("skewed_cells"));
        assert!(small.share_unsure(Kind::Alone).unwrap() <= 0.2, "{what}");
        assert!(even.share_unsure(Kind::Together).unwrap() <= 0.05, "{what}: {:?}", even.share_unsure(Kind::Together));
    }
}

/// Single effects are more skewed than their total: where theirs are short and its is not, results warn. To one side the skew counts where it is to the wrong one.
#[test]
fn single_effects_of_a_small_arm_are_warned_of() {
    let world = World { customers: 1000, share: 0.9, ..World::default() };
    let of = |name: &str, world: World, alternative: Alternative| {
        let setting = Setting::new(name, world, EstimatorName::RegressionAtt).with(|options| options.alternative = alternative);
        share_warned("skewed_arm", &setting.asking(Asked::Study), 20)
    };
    assert!(of("both sides", world, Alternative::TwoSided) >= 0.5);
    // A small control turns the skew to the left: the lower limit is too high.
    assert!(of("greater", world, Alternative::Greater) >= 0.9);
    assert!(of("less", world, Alternative::Less) <= 0.3);
    assert!(of("equal arms", World { share: 0.5, ..world }, Alternative::TwoSided) <= 0.05);
}

/// Weeks are warned of as effects are.
#[test]
fn weekly_results_warn_of_intervals() {
    let world = World { skew: 1.5, weeks: true, ..even(400, 0.95, Effect::None) };
    let tally = run(&Setting::new("weeks of few", world, EstimatorName::RegressionAtt).asking(Asked::Weeks), 3);
    assert_eq!(tally.share_unsure(Kind::Alone), Some(1.0));
    // Weeks have no relative effects to warn of.
    let world = World { weeks: true, ..even(400, 0.5, Effect::Constant(1.5)) };
    let same_to_all = |asked| share_warned("effect_not_in_proportion", &Setting::new("weeks", world, EstimatorName::RegressionAtt).asking(asked), 6);
    assert!(same_to_all(Asked::Study) > 0.5 && same_to_all(Asked::Weeks) == 0.0);
}
