//! Counts, shares, and many p-values at once.

use promolift::estimate::{Adjustment, DifferenceRule, Level, Proportion, Proportions, RiskRule, SampleRatio, ShareTest, adjusted, exact_share};
use promolift::study::Alternative;

use crate::compare::relative;

use super::data::{input, limits};
use super::{Case, NONE};

pub(super) fn cases() -> Vec<Case> {
    vec![
        proportions(),
        multiplicity("multiplicity_bh1995", "The fifteen p-values of Benjamini and Hochberg's paper, adjusted for each other."),
        multiplicity("multiplicity_edges", "Ties, a p-value of 1, and one so small that 1 - (1 - p)^m loses it."),
        sample_ratio(),
        power(),
    ]
}

fn proportions() -> Case {
    let mut case = Case::new("proportions", "118 of 1,000 against 90 of 1,000: the rules agree to two or three digits, with p-values between .040 and .048.");
    let count = |name: &str| input("proportions", name)[0] as u64;
    let both = Proportions::new(Proportion::new(count("x1"), count("n1")), Proportion::new(count("x0"), count("n0"))).unwrap();
    let level = Level::default();
    let difference = |rule| limits(&both.difference(rule, level));
    let risk = |rule| limits(&both.relative_risk(rule, level).interval);
    let test = |rule| both.test(rule, Alternative::TwoSided).value().unwrap();
    case.ours("ztest.pooled.z", test(ShareTest::Pearson).z);
    case.ours("ztest.pooled.p", test(ShareTest::Pearson).p_value);
    case.ours("ci.diff.wald", difference(DifferenceRule::Wald));
    case.ours("ci.diff.agresti-caffo", difference(DifferenceRule::AgrestiCaffo));
    case.ours("ci.diff.newcomb", difference(DifferenceRule::default()));
    let wrong =
        "In this version the likeliest shares of a given difference take a count where the formula has the customers; promolift's maximise the likelihood.";
    case.differs("ci.diff.score", difference(DifferenceRule::Score), wrong);
    likeliest();
    case.ours("ci.ratio.log", risk(RiskRule::Log));
    case.ours("ci.ratio.log-adjusted", risk(RiskRule::LogAdjusted));
    case.ours("ci.ratio.score", risk(RiskRule::default()));
    case.ours("test.diff.wald.p", test(ShareTest::Wald).p_value);
    case.ours("test.diff.agresti-caffo.p", test(ShareTest::AgrestiCaffo).p_value);
    case.ours("test.diff.score.p", test(ShareTest::Score).p_value);
    case.ours("fisher.p", both.fisher(Alternative::TwoSided));
    case.ours("chi2.pearson.p", test(ShareTest::Pearson).p_value);
    case.ours("chi2.yates.p", test(ShareTest::Yates).p_value);
    case.ours("g.p", test(ShareTest::LikelihoodRatio).p_value);
    let tea = |[low, high]: [f64; 2], [below, above]: [f64; 2], p: f64| [low, high, below - 1.0, above - 1.0, p];
    let wald = tea(difference(DifferenceRule::Wald), risk(RiskRule::Log), test(ShareTest::Wald).p_value);
    case.option("tea.corr_False.pooled_False", wald, "the rules Wald and Log");
    let own = tea(difference(DifferenceRule::default()), risk(RiskRule::default()), test(ShareTest::default()).p_value);
    case.differs(
        "tea.corr_False.pooled_True",
        own,
        "Intervals from the variance under no effect, which do not hold where there is one; the p-value is promolift's.",
    );
    let corrected = "A continuity correction widens the intervals; the score intervals keep their confidence without. The corrected p is the test Yates.";
    case.differs("tea.corr_True.pooled_False", own, corrected);
    case.differs("tea.corr_True.pooled_True", own, corrected);
    let ratio = both.relative_risk(RiskRule::default(), level);
    case.ours("gb.rel.effect", ratio.estimate.value().unwrap() - 1.0);
    case.differs("gb.rel.se", NONE, "The delta method; a score interval has no standard error.");
    case.differs(
        "gb.rel.ci",
        [own[2], own[3]],
        "The delta method with t, symmetric about the ratio; it holds 0 where every test of the shares rejects at 5 %.",
    );
    case.differs("gb.rel.p", own[4], "The p-value of the delta interval; promolift has one p-value for difference and ratio.");
    case
}

/// The limits of the score interval by scipy: `brentq` on the statistic at the shares that `brentq` on the likelihood's slope finds.
fn likeliest() {
    let both = Proportions::new(Proportion::new(118, 1_000), Proportion::new(90, 1_000)).unwrap();
    let [low, high] = limits(&both.difference(DifferenceRule::Score, Level::default()));
    relative("score, low", low, 0.001_244_645_170_982_124_5, 1e-10);
    relative("score, high", high, 0.055_002_294_436_228_616, 1e-10);
}

fn multiplicity(key: &'static str, shows: &'static str) -> Case {
    let mut case = Case::new(key, shows);
    let raw = input(key, "p");
    let by = |rule| adjusted(&raw, rule);
    let rejected = |p: &[f64]| -> Vec<f64> { p.iter().map(|p| f64::from(u8::from(*p <= 0.05))).collect() };
    for (name, rule) in [
        ("bonferroni", Adjustment::Bonferroni),
        ("sidak", Adjustment::Sidak),
        ("holm-sidak", Adjustment::HolmSidak),
        ("holm", Adjustment::Holm),
        ("simes-hochberg", Adjustment::Hochberg),
        ("hommel", Adjustment::Hommel),
        ("fdr_bh", Adjustment::BenjaminiHochberg),
        ("fdr_by", Adjustment::BenjaminiYekutieli),
    ] {
        case.ours(name, by(rule));
        case.ours(&format!("{name}.reject"), rejected(&by(rule)));
    }
    let one_stage = by(Adjustment::BenjaminiHochberg);
    for name in ["fdr_tsbh", "fdr_tsbky"] {
        let why =
            "In two stages, with the share of true nulls estimated; promolift takes Benjamini and Hochberg's one stage, for which its intervals are made.";
        case.differs(name, one_stage.clone(), why);
        case.differs(&format!("{name}.reject"), rejected(&one_stage), why);
    }
    case.ours("scipy.bh", one_stage);
    case.ours("scipy.by", by(Adjustment::BenjaminiYekutieli));
    case.differs(
        "tea.fwer.sidak.hochberg",
        by(Adjustment::Hochberg),
        "Hochberg's steps with Sidak's levels; promolift takes those of Bonferroni, as published.",
    );
    case.ours("tea.fwer.bonferroni.hochberg", by(Adjustment::Hochberg));
    let lost = (key == "multiplicity_edges").then_some("1 - (1 - p)^m rounds to 0 for p = 1e-20; promolift computes it by expm1 and log1p.");
    case.unless("tea.fwer.sidak.holm", by(Adjustment::HolmSidak), lost);
    case.ours("tea.fwer.bonferroni.holm", by(Adjustment::Holm));
    case
}

fn sample_ratio() -> Case {
    let mut case = Case::new("srm", "Were the arms drawn as intended? An arm that nobody was meant for adds no degree of freedom.");
    let counts = |name: &str| -> Vec<u64> { input("srm", name).into_iter().map(|n| n as u64).collect() };
    let two = SampleRatio::new(&counts("two_arm"), &input("srm", "two_w")).unwrap();
    case.ours("two.chi2", two.statistic);
    case.ours("two.p", two.p_value);
    case.ours("two.gbstats", two.p_value);
    let three = SampleRatio::new(&counts("three_arm"), &input("srm", "three_w")).unwrap();
    case.ours("three.chi2", three.statistic);
    case.ours("three.p", three.p_value);
    case.ours("three.gbstats", three.p_value);
    let mut with_none = (counts("two_arm"), input("srm", "two_w"));
    with_none.0.push(0);
    with_none.1.push(0.0);
    let found = SampleRatio::new(&with_none.0, &with_none.1).unwrap();
    case.differs("zero_weight.gbstats_WRONG_DF", found.p_value, "The peer counts an arm of share 0 as a degree of freedom.");
    let small = counts("small");
    case.ours("small.binom_exact", exact_share(small[1], small[0] + small[1], 0.5).unwrap());
    case.differs(
        "two.tea.corr_True",
        two.p_value,
        "With a continuity correction; promolift takes the exact binomial test where counts are small, and none where they are large.",
    );
    case.ours("two.tea.corr_False", two.p_value);
    case.ours("two.spotify", two.p_value);
    case
}

fn power() -> Case {
    let mut case = Case::new("power", "Sizes of samples and smallest effects, from an effect in standard deviations.");
    let why = "promolift does not plan from an effect in standard deviations.";
    for entry in [
        "t.power(d=0.2,n1=300,ratio=1.0,two-sided)",
        "t.power(d=0.2,n1=300,ratio=0.25,two-sided)",
        "t.power(d=0.15,n1=500,ratio=1.0,larger)",
        "t.power(d=0.5,n1=12,ratio=1.0,two-sided)",
        "t.n1(d=.1,power=.8,ratio=1.0)",
        "t.n1(d=.1,power=.8,ratio=0.25)",
        "t.mde(n1=1000,power=.8)",
        "z.power(d=.2,n1=300)",
        "z.n1(d=.1,power=.8)",
        "cohen_h(.055,.05)",
        "z.n1(prop .05->.055)",
    ] {
        case.differs(entry, NONE, why);
    }
    for entry in ["tea.plain.n_obs", "tea.plain.power", "tea.plain.mde_rel", "tea.cuped.n_obs", "tea.cuped.power", "tea.cuped.mde_rel"] {
        case.differs(entry, NONE, "promolift does not plan the size of a test yet.");
    }
    case
}
