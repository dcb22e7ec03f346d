//! Differences and ratios of means.

use promolift::estimate::{
    ArmForm, ClusterRule, Contrast, Cuped, Design, DifferenceInDifferences, Estimate, Estimator, Level, Outcome, PostStratified, Shares, Unadjusted, cap_at,
    capped,
};
use promolift::study::{Alternative, Arm, DfRule};

use crate::compare::relative as relative_to;

use super::data::{Answer, LOG_DELTA, Table, contrast, df, effect, input, limits, means, p, t, two, with_df};
use super::{Case, NONE};

const POOLED_VARIANCE: &str = "One variance for both arms; promolift's is Welch's, which holds where they differ.";
const RANKS: &str = "A test of ranks asks whether one arm tends to be larger, which is no amount of money; promolift tests the mean.";
const NOT_RANKS: &str = "promolift gives no quantiles of sales: they do not add up to a total.";
const OWN_RATIO: &str =
    "The slope is another: promolift adjusts both sums by one set of covariates, slopes pooled within the arms, so that all measures add up.";

pub(super) fn cases() -> Vec<Case> {
    vec![
        welch(
            "welch_unequal_n",
            "welch_unequal_n.csv",
            "Two means of arms of different sizes: all agree on the difference and, but for the pooled variance, on its interval.",
        ),
        welch("welch_equal_n", "welch_equal_n.csv", "Two means of arms of one size: the pooled variance gives the same t here, but other degrees of freedom."),
        welch("welch_tiny", "welch_tiny.csv", "Twelve customers: t and z part ways, and so do Fieller, the logarithm and the delta method."),
        extreme(),
        offset(),
        nulls(),
        relative(),
        ratio_delta(),
        ratio_cuped(),
        ranks(),
        paired(),
        compliance(),
        caps_and_strata(),
        sequential(),
        bayes(),
    ]
}

fn trial(file: &str) -> (Vec<Arm>, Vec<f64>) {
    let table = Table::read(file);
    (table.arms("arm"), table.column("y"))
}

fn of(file: &str) -> Contrast {
    let (arm, y) = trial(file);
    means(&arm, &y)
}

fn welch(key: &'static str, file: &str, shows: &'static str) -> Case {
    let mut case = Case::new(key, shows);
    let contrast = of(file);
    for (name, alternative) in [("two-sided", Alternative::TwoSided), ("less", Alternative::Less), ("greater", Alternative::Greater)] {
        let found = effect(&contrast, Level::default().with_alternative(alternative));
        case.ours(&format!("welch.{name}.t"), t(&found));
        case.ours(&format!("welch.{name}.df"), df(&found));
        case.ours(&format!("welch.{name}.p"), p(&found));
        case.ours(&format!("welch.{name}.ci95"), limits(&found.interval));
    }
    let found = effect(&contrast, Level::default());
    // In arms of one size the two statistics are the same.
    case.unless("student.t", t(&found), (key != "welch_equal_n").then_some(POOLED_VARIANCE));
    case.differs("student.p", p(&found), POOLED_VARIANCE);
    case.differs("student.ci95", limits(&found.interval), POOLED_VARIANCE);
    let normal = effect(&contrast, with_df(DfRule::Normal));
    case.option("z.unequal.z", t(&normal), "df = normal");
    case.option("z.unequal.p", p(&normal), "df = normal");
    let answer = Answer::of(&contrast);
    answer.tea(&mut case, None);
    answer.gb(&mut case, None);
    let within = contrast.within(&contrast.effect(&[1.0]), Some(-1.0), Some(1.0), Level::default());
    case.ours("tost.p", within.p_value.value().unwrap());
    case
}

fn extreme() -> Case {
    let mut case = Case::new("extreme_p", "A p-value far in the tail: 1 less the distribution function is exactly 0 here.");
    let found = p(&effect(&of("extreme_p.csv"), Level::default()));
    case.ours("p.scipy", found);
    case.ours("p.tea", found);
    case.differs("p.gbstats_UNDERFLOWS", found, "The peer takes 1 less the distribution function, which rounds to 0; promolift computes the tail.");
    case
}

fn offset() -> Case {
    let mut case = Case::new("large_offset", "A mean of a thousand million with a spread of 1: sums of squares keep no digit of the variance.");
    let (arm, y) = trial("large_offset.csv");
    let contrast = means(&arm, &y);
    let n = |which: Arm| arm.iter().filter(|arm| **arm == which).count() as f64;
    let of = |form: &ArmForm, which: Arm| contrast.variance(form) * n(which);
    let control = of(&contrast.level(&[1.0]), Arm::Control);
    case.ours("var0", control);
    case.ours("var1", of(&contrast.target_mean(&[1.0]), Arm::Target));
    let found = p(&effect(&contrast, Level::default()));
    // By rational arithmetic on the values of the file.
    relative_to("large_offset p", found, 0.000_253_949_009_653_091_9, 1e-9);
    case.differs("p", found, "The peer's means keep six digits of their difference; exact fractions give promolift's p-value.");
    case.differs("var0.gbstats_WRONG", control, "The peer takes the sum of squares less n times the squared mean; promolift centres first.");
    case
}

fn nulls() -> Case {
    let mut case = Case::new("nulls", "Outcomes that are missing: promolift refuses them and names the row; the caller says who is counted.");
    let (arm, y) = trial("nulls.csv");
    let refused = Unadjusted.fit(&Design::new(&arm)).unwrap().contrast(&[Outcome::new(&y)]);
    assert!(refused.is_err(), "a missing outcome is not skipped in silence");
    let (arm, y): (Vec<Arm>, Vec<f64>) = arm.into_iter().zip(y).filter(|(_, y)| !y.is_nan()).unzip();
    let found = effect(&means(&arm, &y), Level::default());
    case.ours("omit.t_df_p", [t(&found), df(&found), p(&found)]);
    case.differs("tea_WRONG.t_p", [t(&found), p(&found)], "The peer's mean and variance skip what is missing, its number of customers does not.");
    case
}

fn relative() -> Case {
    let mut case = Case::new("relative_ci", "Five intervals of one relative effect, where the control's mean is noisy.");
    let contrast = of("relative_ci.csv");
    let normal = with_df(DfRule::Normal);
    let fieller = limits(&contrast.relative(&[1.0], normal).interval);
    case.option("fieller.z", fieller, "df = normal");
    let control = contrast.estimate(&contrast.level(&[1.0]), normal);
    let z = normal.critical(control.df.value().unwrap());
    case.option("fieller.g", (z / t(&control)).powi(2), "df = normal");
    case.option("fieller.z.brentq", fieller, "df = normal");
    let own = limits(&contrast.relative(&[1.0], Level::default()).interval);
    let found = p(&effect(&contrast, Level::default()));
    case.differs("log_delta.tea", own, LOG_DELTA);
    case.differs("delta.gb", own, "The delta method, symmetric about the ratio; too short upwards where the control is noisy.");
    case.differs("delta.gb.p", found, "The p-value of the delta interval, another than that of the effect; promolift has one p-value for both.");
    case.differs("naive.spotify", own, "The interval of the effect over the control's mean, as if that were known.");
    case.ours("absolute.p", found);
    case
}

fn ratio_delta() -> Case {
    let mut case = Case::new(
        "ratio_delta",
        "A ratio of sums (price per unit, units per basket) in each arm, and their difference: all linearise it customer by customer.",
    );
    let table = Table::read("ratio_delta.csv");
    let (arm, num, den) = (table.arms("arm"), table.column("num"), table.column("den"));
    let plain = contrast(&Unadjusted, &Design::new(&arm), &[&num, &den]);
    let answer = ratios(&plain);
    answer.tea(&mut case, None);
    answer.gb(&mut case, None);
    case.ours("se.linearised", answer.estimate.std_error);
    case.ours("wls.cr0.coef", answer.estimate.value);
    // Each customer a cluster: sums of scores as they are, without n / (n - 1).
    let each: Vec<u32> = (0..arm.len() as u32).collect();
    let clustered = contrast(&Unadjusted, &Design::new(&arm).with_clusters(&each, ClusterRule::Cr0), &[&num, &den]);
    case.ours("wls.cr0.se", ratios(&clustered).estimate.std_error);
    case
}

/// The ratio of the first outcome to the second, in both arms.
fn ratios(contrast: &Contrast) -> Answer {
    let found = contrast.arm_ratios(&[1.0, 0.0], &[0.0, 1.0], Level::default());
    Answer {
        control: found.control.estimate.value().unwrap(),
        target: found.target.estimate.value().unwrap(),
        estimate: found.difference.value().unwrap(),
        relative: found.relative,
    }
}

fn ratio_cuped() -> Case {
    let mut case = Case::new("ratio_cuped", "The same ratio adjusted for the time before: the libraries disagree on the slope, all of them consistent.");
    let table = Table::read("ratio_delta.csv");
    let (arm, num, den, before, before_den) = (table.arms("arm"), table.column("num"), table.column("den"), table.column("num_pre"), table.column("den_pre"));
    let covariates: [&[f64]; 2] = [&before, &before_den];
    let answer = ratios(&contrast(&Cuped::default(), &Design::new(&arm).with_covariates(&covariates), &[&num, &den]));
    answer.tea(&mut case, Some(OWN_RATIO));
    case.differs("gb.theta", NONE, OWN_RATIO);
    answer.gb(&mut case, Some(OWN_RATIO));
    case
}

fn ranks() -> Case {
    let mut case = Case::new("mann_whitney", "Tests of ranks and a permutation of all splits, beside promolift's Welch p-value.");
    let (arm, y) = trial("mann_whitney.csv");
    for (name, alternative) in [("two-sided", Alternative::TwoSided), ("greater", Alternative::Greater), ("less", Alternative::Less)] {
        for corrected in ["True", "False"] {
            let own = p(&effect(&means(&arm, &y), Level::default().with_alternative(alternative)));
            case.differs(&format!("asym.cc_{corrected}.{name}"), [f64::NAN, own], RANKS);
        }
    }
    let own = effect(&means(&arm, &y), Level::default());
    case.differs("brunner_munzel", [t(&own), p(&own)], RANKS);
    let small = effect(&two(&input("mann_whitney", "exact_y1"), &input("mann_whitney", "exact_y0")), Level::default());
    case.differs("exact", [f64::NAN, p(&small)], RANKS);
    case.differs("permutation.exact", [small.value, p(&small)], "The p-value counts all splits of eleven customers; promolift's is that of Welch's t.");
    case.differs("quantile80.order_stat_ci", NONE, NOT_RANKS);
    case
}

fn paired() -> Case {
    let mut case =
        Case::new("paired_did", "Difference in differences on pairs of one customer: one estimate, standard errors that differ by small-sample factors.");
    let table = Table::read("paired_did.csv");
    let (arm, before, after) = (table.arms("arm"), table.column("pre"), table.column("post"));
    let fit = DifferenceInDifferences.fit(&Design::new(&arm)).unwrap();
    let found = effect(&fit.contrast(&[Outcome::new(&after).with_before(&before, 1.0)]).unwrap(), Level::default());
    let [low, high] = limits(&found.interval);
    case.ours("first_difference.welch", [found.value, t(&found), df(&found), p(&found), low, high]);
    let three = [found.value, found.std_error, p(&found)];
    let factor = "Counts a customer's two periods as two rows of a regression; promolift takes one difference a customer, with Welch's variance.";
    case.differs("pyfixest.twfe.CRV1", three, factor);
    case.differs("statsmodels.pooled.CR1", three, factor);
    let change: Vec<f64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
    let contrast = means(&arm, &change);
    let target = contrast.estimate(&contrast.target_mean(&[1.0]), Level::default());
    case.ours("paired_t.treated", [t(&target), df(&target), p(&target)]);
    case
}

fn compliance() -> Case {
    let mut case = Case::new("cace_wald", "An offer that not everybody redeems: effect per redeemer as a ratio of two effects.");
    let table = Table::read("cace_wald.csv");
    let contrast = contrast(&Unadjusted, &Design::new(&table.arms("z")), &[&table.column("y"), &table.column("d")]);
    let (bought, redeemed) = (contrast.effect(&[1.0, 0.0]), contrast.effect(&[0.0, 1.0]));
    case.ours("itt", contrast.value(&bought));
    let first_stage = contrast.value(&redeemed);
    case.ours("first_stage", first_stage);
    let ratio = contrast.ratio(&bought, &redeemed, Level::default());
    let wald = ratio.estimate.value().unwrap();
    case.ours("wald", wald);
    let [low, high] = limits(&ratio.interval);
    let itt = contrast.estimate(&bought, Level::default());
    let own = [wald, f64::NAN, t(&itt), p(&itt), low, high];
    let delta = "Two-stage least squares with the delta method; promolift tests the effect itself and inverts that test for the ratio.";
    case.differs("pyfixest.iv.iid", own, delta);
    case.differs("pyfixest.iv.hetero", own, delta);
    case.differs("statsmodels.IV2SLS", [wald, f64::NAN], delta);
    // The linear form (N - wald D) / D, by hand.
    let linear = bought.clone().plus(-wald, &redeemed).times(1.0 / first_stage);
    case.ours("wald.delta_se", contrast.variance(&linear).sqrt());
    let normal = contrast.ratio(&bought, &redeemed, with_df(DfRule::Normal));
    case.option("anderson_rubin.ci95", limits(&normal.interval), "df = normal");
    case
}

fn caps_and_strata() -> Case {
    let mut case = Case::new("winsor_poststrat", "Sales cut at one cap for both arms; and an effect within strata, averaged over them.");
    let (arm, y) = trial("winsor_poststrat.csv");
    for (entry, quantile) in [("cap0.99", 0.99), ("cap0.95", 0.95)] {
        let cap = cap_at(&y, quantile).unwrap();
        let found = effect(&means(&arm, &capped(&y, cap)), Level::default());
        case.ours(entry, [cap, found.value, t(&found), p(&found)]);
    }
    let table = Table::read("winsor_poststrat.csv");
    let strata: Vec<u32> = table.texts("stratum").map(|text| u32::from(text.as_bytes()[0])).collect();
    let estimator = PostStratified { estimator: Unadjusted, shares: Shares::Assigned };
    let contrast = contrast(&estimator, &Design::new(&arm).with_strata(&strata), &[&y]);
    let found = effect(&contrast, Level::default());
    let sampled =
        "Adds the spread of the strata's shares, as if customers were drawn anew; promolift speaks of the customers assigned, whose strata are known.";
    case.differs("gb.poststrat.absolute", [found.value, found.std_error], sampled);
    let relative = contrast.relative(&[1.0], Level::default()).estimate.value().unwrap();
    case.differs("gb.poststrat.relative", [relative, f64::NAN], "The delta method; promolift's interval is Fieller's and has no standard error.");
    case.ours("fixed_weights", [found.value, found.std_error]);
    case
}

fn one_look() -> ([f64; 4], [f64; 4]) {
    let contrast = of("welch_unequal_n.csv");
    let found: Estimate = effect(&contrast, Level::default());
    let ratio = contrast.relative(&[1.0], Level::default());
    let ([low, high], [below, above]) = (limits(&found.interval), limits(&ratio.interval));
    ([found.value, low, high, p(&found)], [ratio.estimate.value().unwrap(), below, above, p(&found)])
}

fn sequential() -> Case {
    let mut case = Case::new("sequential", "Intervals that hold at every look: wider, as they must be; promolift's is for one look.");
    let (absolute, relative) = one_look();
    let why = "A confidence sequence for customers who enter over time; promolift follows the customers of one assignment and looks once.";
    for tuning in ["500", "5000"] {
        case.differs(&format!("gb.asympcs.absolute.{tuning}"), absolute, why);
        case.differs(&format!("gb.asympcs.relative.{tuning}"), relative, why);
    }
    case
}

fn bayes() -> Case {
    let mut case = Case::new("bayes_normal", "A posterior of the relative effect: with a flat prior it is the delta interval with z.");
    let (_, [value, low, high, _]) = one_look();
    let own = [value, f64::NAN, low, high, f64::NAN, f64::NAN, f64::NAN];
    case.differs("proper_False", own, "A posterior under a flat prior; promolift has no priors, and its interval of a ratio is Fieller's.");
    case.differs("proper_True", own, "A posterior under a prior that pulls the effect towards 0; promolift has no priors.");
    case
}
