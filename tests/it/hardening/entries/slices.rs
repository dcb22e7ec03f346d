//! Designs and outcomes on slices.

use promolift::estimate::{
    Adjustment, ArmForm, ClusterRule, CoarsenedExact, Coarsening, Contrast, Cuped, Design, Df, DifferenceInDifferences, DifferenceRule, EntropyBalancing,
    Estimator, GivenWeights, Interval, Known, Level, MatchedPairs, MaxT, Outcome, Proportion, Proportions, Regression, RegressionAtt, RiskRule, SampleRatio,
    SeveralArms, ShareTest, Simultaneous, Unadjusted, adjusted, cap_at, capped, exact_share, heterogeneity, shrinkage,
};
use promolift::study::{Alternative, Arm, CovarianceRule, DfRule, Population};

use super::Bytes;

/// Designs and outcomes of odd numbers and lengths through every estimator, and what is made of them.
pub(crate) fn slices(bytes: &[u8]) -> bool {
    let mut choices = Bytes(bytes);
    let choices = &mut choices;
    let n = choices.pick(&[0, 1, 2, 3, 5, 8, 13, 24, 24, 24]);
    let length = |choices: &mut Bytes<'_>| if choices.once_in(40) { n / 2 } else { n };
    let column = |choices: &mut Bytes<'_>| -> Vec<f64> {
        let (odd, constant) = (choices.once_in(6), choices.once_in(12));
        let value = choices.usable();
        (0..length(choices))
            .map(|_| {
                if constant {
                    value
                } else if odd {
                    choices.number()
                } else {
                    choices.below(1000) as f64 / 16.0
                }
            })
            .collect()
    };
    let ids =
        |choices: &mut Bytes<'_>| -> Vec<u32> { (0..length(choices)).map(|_| if choices.once_in(60) { u32::MAX } else { choices.below(4) as u32 }).collect() };
    let arm: Vec<Arm> = (0..n).map(|_| if choices.byte() % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
    let covariates: Vec<Vec<f64>> = (0..choices.below(4)).map(|_| column(choices)).collect();
    let covariates: Vec<&[f64]> = covariates.iter().map(Vec::as_slice).collect();
    let (strata, clusters, weights) = (ids(choices), ids(choices), column(choices));
    let pairs: Vec<u32> = if choices.once_in(2) { ids(choices) } else { (0..n as u32).map(|row| row / 2).collect() };
    let mut design = Design::new(&arm).with_covariates(&covariates);
    if choices.once_in(4) {
        design = design.with_strata(&strata);
    }
    if choices.once_in(4) {
        design = design.with_clusters(&clusters, choices.pick(&[ClusterRule::Default, ClusterRule::Cr0, ClusterRule::Cr1, ClusterRule::Cr2]));
    }
    let estimator = odd_estimator(choices, covariates.len());
    if estimator.takes_pairs() || choices.once_in(12) {
        design = design.with_pairs(&pairs);
    }
    if estimator.takes_weights() || choices.once_in(12) {
        design = design.with_weights(&weights);
    }
    let outcomes: Vec<(Vec<f64>, Vec<f64>)> = (0..choices.below(4)).map(|_| (column(choices), column(choices))).collect();
    let exposure = choices.pick(&[1.0, 0.5, 0.0, 1e8]);
    let outcomes: Vec<Outcome<'_>> = outcomes.iter().map(|(y, before)| Outcome::new(y).with_before(before, exposure)).collect();
    let mut taken = false;
    if let Ok(fit) = estimator.fit(&design) {
        assert!(fit.effect.iter().all(|weight| weight.is_finite()), "{estimator:?}: {:?}", fit.effect);
        let _ = fit.scores(&outcomes);
        let _ = (fit.control_mean(&weights), fit.target_mean(&weights), fit.effective_size(Arm::Control), fit.largest_share(Arm::Target));
        if let Ok(contrast) = fit.contrast(&outcomes) {
            estimates(&contrast, choices);
            taken = true;
        }
    }
    let variant = ids(choices);
    if let Ok(arms) = SeveralArms::fit(estimator.as_ref(), &design, &variant)
        && let Ok(contrast) = arms.contrast(&outcomes)
    {
        estimates(&contrast, choices);
        let _ = arms.coefficients(&contrast, choices.below(9), &[1.0; 9]);
    }
    numbers(choices);
    taken
}

fn odd_estimator(choices: &mut Bytes<'_>, covariates: usize) -> Box<dyn Estimator> {
    use CovarianceRule::{Cr0, Default, Hc0, Hc1, Hc2, Hc3};
    let covariance = choices.pick(&[Default, Default, Hc0, Hc1, Hc2, Hc3, Cr0]);
    let coarse = |choices: &mut Bytes<'_>| match choices.byte() % 4 {
        0 => Coarsening::Exact,
        1 => Coarsening::Cuts((0..choices.below(4)).map(|_| choices.number()).collect()),
        2 => Coarsening::Quantiles(choices.below(4)),
        _ => Coarsening::Quantiles(3),
    };
    match choices.byte() % 10 {
        0 => Box::new(RegressionAtt { covariance }),
        1 => Box::new(Unadjusted),
        2 => Box::new(Regression { covariance, population: choices.pick(&[Population::Assigned, Population::Super]) }),
        3 => Box::new(Cuped { covariance }),
        4 => Box::new(DifferenceInDifferences),
        5 => Box::new(EntropyBalancing { covariance }),
        6 => Box::new(MatchedPairs),
        7 => Box::new(GivenWeights { augmented: choices.byte().is_multiple_of(2) }),
        8 => Box::new(CoarsenedExact { coarsening: (0..covariates).map(|_| coarse(choices)).collect() }),
        _ => Box::new(CoarsenedExact { coarsening: vec![Coarsening::Exact; choices.below(4)] }),
    }
}

fn odd_level(choices: &mut Bytes<'_>) -> Level {
    Level {
        confidence: choices.pick(&[0.95, 0.5, 0.999_999, 1e-9, 0.0, 1.0, -1.0, f64::NAN]),
        alternative: choices.pick(&[Alternative::TwoSided, Alternative::Greater, Alternative::Less]),
        df: choices.pick(&[DfRule::Satterthwaite, DfRule::Residual, DfRule::Normal]),
    }
}

/// No limit of an interval is NaN.
fn limits(interval: &Interval) {
    let whole = match *interval {
        Interval::Bounded { low, high } => !low.is_nan() && !high.is_nan() && low <= high,
        Interval::AtLeast { low } => !low.is_nan(),
        Interval::AtMost { high } => !high.is_nan(),
        Interval::Exclusive { below, above } => !below.is_nan() && !above.is_nan(),
        _ => true,
    };
    assert!(whole, "{interval:?}");
}

/// What is made of a contrast, by forms that fit it and by some that do not.
fn estimates(contrast: &Contrast, choices: &mut Bytes<'_>) {
    let usual = Level { confidence: choices.pick(&[0.95, 0.6, 0.999]), ..Level::default() };
    let ones = vec![1.0; contrast.outcomes()];
    let halves = vec![-0.5; contrast.outcomes()];
    let forms = [contrast.effect(&ones), contrast.level(&halves), contrast.target_mean(&ones), contrast.effect(&[])];
    for form in &forms {
        let found = contrast.estimate(form, usual);
        assert!(!found.value.is_nan() && !found.std_error.is_nan(), "{found:?}");
        if let Known::Value(p) = found.p_value {
            assert!((0.0..=1.0).contains(&p), "{found:?}");
        }
        limits(&found.interval);
    }
    limits(&contrast.relative(&ones, usual).interval);
    limits(&contrast.ratio(&forms[0], &forms[2], usual).interval);
    let ratios = contrast.arm_ratios(&ones, &halves, usual);
    limits(&ratios.relative.interval);
    if let Known::Value(difference) = ratios.difference {
        limits(&difference.interval);
    }
    for rule in [Simultaneous::MaxT, Simultaneous::Bonferroni, Simultaneous::FalseCoverage] {
        contrast.simultaneous(&forms, rule, usual, 3).iter().for_each(|joint| limits(&joint.interval));
    }
    // Anything else must come back, whatever it says.
    let (level, odd) = (odd_level(choices), choices.number());
    let short = ArmForm::zero(choices.below(9)).plus(odd, &forms[choices.below(4)]).plus_constant(choices.number());
    let long = ArmForm { target: vec![odd; choices.below(9)], control: vec![1.0; choices.below(9)], constant: 0.0 };
    for form in [&short, &long] {
        let _ = (contrast.estimate(form, level), contrast.ratio(form, &forms[0], level), contrast.covariance(form, &long), contrast.is_nothing(form));
        let _ = (contrast.within(form, Some(odd), choices.once_in(2).then_some(1.0), level), contrast.df(form, level.df));
    }
    let _ = contrast.wald(&[short.clone(), forms[0].clone(), long]);
    let _ = contrast.simultaneous(&[short, forms[0].clone()], Simultaneous::MaxT, level, 3);
}

/// The functions of numbers alone.
fn numbers(choices: &mut Bytes<'_>) {
    let list = |choices: &mut Bytes<'_>| -> Vec<f64> { (0..choices.below(14)).map(|_| choices.number()).collect() };
    let (a, b) = (list(choices), list(choices));
    let level = odd_level(choices);
    let df = choices.pick(&[
        Df::Normal,
        Df::T(1.0),
        Df::T(3.5),
        Df::T(1e9),
        Df::T(2e7),
        Df::T(0.0),
        Df::T(-1.0),
        Df::T(f64::NAN),
        Df::T(1e-300),
        Df::T(f64::INFINITY),
    ]);
    let at = choices.number();
    let _ = (level.critical(df), level.p_value(at, df), cap_at(&a, at), capped(&a, at));
    for rule in
        [Adjustment::Bonferroni, Adjustment::Holm, Adjustment::Hochberg, Adjustment::Hommel, Adjustment::BenjaminiHochberg, Adjustment::BenjaminiYekutieli]
    {
        assert_eq!(adjusted(&a, rule).len(), a.len());
    }
    if let Known::Value(largest) = MaxT::new(&a, df, level.alternative, choices.word()) {
        let _ = (largest.critical(level.confidence), largest.p_value(at), largest.tail(at));
    }
    let _ =
        (heterogeneity::cochran(&a, &b), heterogeneity::joint(&[a.clone(), b.clone()], &[b.clone(), a.clone()]), shrinkage::shrink(&a, &b, level.confidence));
    let count = |choices: &mut Bytes<'_>| if choices.once_in(6) { choices.word() } else { choices.below(40) as u64 };
    let (target, control) = (Proportion::new(count(choices), count(choices)), Proportion::new(count(choices), count(choices)));
    if let Ok(shares) = Proportions::new(target, control) {
        // Exact tests of many customers are sums of as many terms.
        let few = target.customers.max(control.customers) < 10_000;
        limits(&shares.difference(DifferenceRule::default(), Level::default()));
        limits(&shares.relative_risk(RiskRule::default(), Level::default()).interval);
        let _ = (
            shares.difference(DifferenceRule::default(), level),
            shares.relative_risk(RiskRule::default(), level),
            shares.test(ShareTest::default(), level.alternative),
        );
        if few {
            assert!((0.0..=1.0).contains(&shares.fisher(level.alternative)));
        }
    }
    let customers: Vec<u64> = (0..choices.below(4)).map(|_| count(choices)).collect();
    let _ = (SampleRatio::new(&customers, &a), exact_share(count(choices).min(10_000), count(choices).min(10_000), at));
}
