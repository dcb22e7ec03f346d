//! From a study to the design that its estimator fits, and back to the study's names.

use crate::cells::{CellTable, Role};
use crate::effects::{Measure, MeasureKind, measure_by_customer};
use crate::error::{Error, ErrorKind, Fault, Input, Problem, Problems, Result, known_names};
use crate::estimate::{
    ClusterRule, CoarsenedExact, Coarsening, Cuped, Design, DifferenceInDifferences, EntropyBalancing, Estimand, Estimator, Fit, GivenWeights, MatchedPairs,
    Regression, RegressionAtt, Shares, Unadjusted, Undefined,
};
use crate::measure::{ArmCustomers, DesignFacts, Plan, missing_attribute};
use crate::study::{Arm, Codes, CovarianceRule, EstimatorName, Period, Study};

impl Study {
    /// The design of the study with some covariates: arms, strata, clusters, and the pairs or weights that its estimator takes.
    pub(crate) fn own_design<'a>(&'a self, covariates: &'a [&'a [f64]]) -> Design<'a> {
        let mut design = self.design(covariates);
        if let Some(pairs) = &self.assignment.pair {
            design = design.with_pairs(&pairs.codes);
        }
        if let Some(weights) = &self.assignment.weight {
            design = design.with_weights(weights);
        }
        design
    }

    /// The difference between the arms as they were compared before any covariate: within the pairs, under the weights given, within the strata.
    ///
    /// # Errors
    /// As [`Estimator::fit`].
    pub(crate) fn plain_fit(&self) -> std::result::Result<Fit, Undefined> {
        let design = self.own_design(&[]);
        match (design.pairs, design.weights) {
            (Some(_), _) => MatchedPairs.fit(&design),
            (_, Some(_)) => GivenWeights::default().fit(&design),
            _ => Unadjusted.fit(&design),
        }
    }

    /// The design without pairs and weights: arms, strata, clusters.
    pub(crate) fn design<'a>(&'a self, covariates: &'a [&'a [f64]]) -> Design<'a> {
        let mut design = Design::new(&self.assignment.arm).with_covariates(covariates);
        if let Some(strata) = &self.assignment.stratum {
            design = design.with_strata(&strata.codes);
        }
        if let Some(clusters) = &self.assignment.cluster {
            design = design.with_clusters(&clusters.codes, cluster_rule(self.options.covariance));
        }
        design
    }
}

fn cluster_rule(rule: CovarianceRule) -> ClusterRule {
    match rule {
        CovarianceRule::Cr0 => ClusterRule::Cr0,
        CovarianceRule::Cr1 => ClusterRule::Cr1,
        CovarianceRule::Cr2 => ClusterRule::Cr2,
        _ => ClusterRule::Default,
    }
}

/// The columns of some customers of a study, as a design of their own.
pub(super) struct Subset {
    rows: Vec<u32>,
    arm: Vec<Arm>,
    columns: Vec<Vec<f64>>,
    strata: Option<Vec<u32>>,
    clusters: Option<(Vec<u32>, ClusterRule)>,
    pairs: Option<Vec<u32>>,
    weights: Option<Vec<f64>>,
}

impl Subset {
    /// The customers in some rows; `columns` are the covariates of all.
    pub(super) fn new(study: &Study, rows: &[u32], columns: &[Vec<f64>]) -> Self {
        let assignment = &study.assignment;
        let codes = |codes: &Option<Codes>| codes.as_ref().map(|codes| rows.iter().map(|&row| codes.codes[row as usize]).collect::<Vec<u32>>());
        let numbers = |values: &Vec<f64>| rows.iter().map(|&row| values[row as usize]).collect::<Vec<f64>>();
        Self {
            rows: rows.to_vec(),
            arm: rows.iter().map(|&row| assignment.arm[row as usize]).collect(),
            columns: columns.iter().map(numbers).collect(),
            strata: codes(&assignment.stratum),
            clusters: codes(&assignment.cluster).map(|codes| (codes, cluster_rule(study.options.covariance))),
            pairs: codes(&assignment.pair),
            weights: assignment.weight.as_ref().map(numbers),
        }
    }

    /// Fits them by themselves.
    ///
    /// # Errors
    /// As [`Estimator::fit`].
    pub(super) fn fit(&self, estimator: &dyn Estimator) -> std::result::Result<Fit, Undefined> {
        let columns: Vec<&[f64]> = self.columns.iter().map(Vec::as_slice).collect();
        let mut design = Design::new(&self.arm).with_covariates(&columns);
        design.strata = self.strata.as_deref();
        design.clusters = self.clusters.as_ref().map(|(codes, rule)| (codes.as_slice(), *rule));
        design.pairs = self.pairs.as_deref();
        design.weights = self.weights.as_deref();
        estimator.fit(&design).map_err(|undefined| undefined.in_rows(&self.rows))
    }
}

/// The estimator that a study names.
///
/// # Errors
/// Where a rule of coarsening names a covariate that the study does not have, or there is none to match on.
pub(super) fn estimator(study: &Study, plan: &Plan) -> Result<Box<dyn Estimator>> {
    let options = &study.options;
    let covariance = options.covariance;
    Ok(match options.estimator {
        EstimatorName::RegressionAtt => Box::new(RegressionAtt { covariance }),
        EstimatorName::Unadjusted => Box::new(Unadjusted),
        EstimatorName::Regression => Box::new(Regression { covariance, population: options.population }),
        EstimatorName::Cuped => Box::new(Cuped { covariance }),
        EstimatorName::DifferenceInDifferences => Box::new(DifferenceInDifferences),
        EstimatorName::EntropyBalancing => Box::new(EntropyBalancing { covariance }),
        EstimatorName::MatchedPairs => Box::new(MatchedPairs),
        EstimatorName::GivenWeights => Box::new(GivenWeights { augmented: options.augmented }),
        EstimatorName::CoarsenedExact => Box::new(CoarsenedExact { coarsening: coarsening(study, &covariate_names(study, plan)?)? }),
    })
}

/// How each covariate is made coarse.
fn coarsening(study: &Study, names: &[String]) -> Result<Vec<Coarsening>> {
    let rules = study.options.coarsening.clone().unwrap_or_default();
    let mut problems = Problems::default();
    let problem = |key: &str, fault, text: &str| Problem::new(Input::Promotion, fault, text).column(format!("estimation.{key}"));
    if names.is_empty() {
        let problem = problem("covariates", Fault::Contradiction, "coarsened_exact has no covariate to match on");
        problems.push(problem.remedy("Name covariates or customer_covariates, bring lines from before the promotion, or choose another estimator"));
    }
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    for name in rules.names().filter(|name| !known.contains(name)) {
        let problem = problem("coarsening", Fault::UnknownName, "the study has no such covariate").value(name);
        problems.push(problem.remedy(known_names(name, &known)));
    }
    problems.finish()?;
    let rule = |name: &String| match rules.cuts.iter().find(|cuts| cuts.covariate == *name) {
        Some(cuts) => Coarsening::Cuts(cuts.at.clone()),
        None if rules.exact.contains(name) => Coarsening::Exact,
        None => Coarsening::Quantiles(rules.groups),
    };
    Ok(names.iter().map(rule).collect())
}

/// Whose average a study estimates: within strata weighted by the target, that of the target.
pub(super) fn estimand(study: &Study, estimator: &dyn Estimator) -> Estimand {
    let over_target = study.assignment.stratum.is_some() && estimator.shares() == Shares::Target;
    match estimator.estimand() {
        Estimand::AverageOverAssigned if over_target => Estimand::AverageOverTarget,
        estimand => estimand,
    }
}

/// What a reader should know of the weights.
pub(super) fn facts(study: &Study, fit: &Fit) -> DesignFacts {
    let distinct = |codes: &[u32]| codes.iter().collect::<hashbrown::HashSet<_>>().len();
    let assignment = &study.assignment;
    let without = |arm: Arm| assignment.count(arm) - fit.customers(arm);
    let without = ArmCustomers { target: without(Arm::Target), control: without(Arm::Control) };
    let of = |name: EstimatorName| (study.options.estimator == name).then_some(without);
    let uneven = !fit.weighs_evenly(Arm::Target);
    DesignFacts {
        strata: assignment.stratum.as_ref().map(|codes| distinct(&codes.codes)),
        clusters: assignment.cluster.as_ref().and_then(|_| fit.cluster_count()),
        pairs: assignment.pair.as_ref().and_then(|_| fit.cluster_count()),
        unmatched: of(EstimatorName::CoarsenedExact),
        without_weight: of(EstimatorName::GivenWeights),
        target_effective_size: uneven.then(|| fit.effective_size(Arm::Target)),
        target_largest_share: uneven.then(|| fit.largest_share(Arm::Target)),
        control_effective_size: fit.effective_size(Arm::Control),
        control_largest_share: fit.largest_share(Arm::Control),
    }
}

/// The study's own weights, with the names of the covariates they were fitted on.
pub(super) struct Fitted {
    pub(super) fit: Fit,
    pub(super) covariate_names: Vec<String>,
}

/// Fits the design of a study to the cells of a plan.
pub(super) fn fitted(study: &Study, plan: &Plan, table: &CellTable, estimator: &dyn Estimator) -> Result<Fitted> {
    if estimator.differences() && plan.windows.days(Period::Baseline) == 0 {
        let problem = Problem::new(Input::Promotion, Fault::OutsideLedger, "difference_in_differences needs a baseline").column("baseline_days");
        return Err(problem.remedy("Bring lines from before the promotion, or choose another estimator").into());
    }
    let (names, columns) = covariates(study, plan, table)?;
    let columns: Vec<&[f64]> = if estimator.adjusts() { columns.iter().map(Vec::as_slice).collect() } else { Vec::new() };
    let covariate_names = if estimator.adjusts() { names } else { Vec::new() };
    let fit = estimator.fit(&study.own_design(&columns)).map_err(|u| named(u, &covariate_names, study))?;
    Ok(Fitted { fit, covariate_names })
}

/// The names of a study's covariates, in their order.
fn covariate_names(study: &Study, plan: &Plan) -> Result<Vec<String>> {
    Ok(covariates_by(study, plan, |_| ())?.0)
}

/// The covariates of a study: baselines of its measures per role, then attributes.
pub(super) fn covariates(study: &Study, plan: &Plan, table: &CellTable) -> Result<(Vec<String>, Vec<Vec<f64>>)> {
    covariates_by(study, plan, |source| match source {
        Source::Baseline(measure, role) => measure_by_customer(table, measure, |a| a.class.role == role && a.period == Period::Baseline),
        Source::Attribute(values) => values.to_vec(),
    })
}

/// Where a covariate comes from.
enum Source<'a> {
    Baseline(&'a Measure, Role),
    Attribute(&'a [f64]),
}

/// The covariates of a study by name, each as what `column` makes of its source.
fn covariates_by<T>(study: &Study, plan: &Plan, column: impl Fn(Source<'_>) -> T) -> Result<(Vec<String>, Vec<T>)> {
    let (mut names, mut columns) = (Vec::new(), Vec::new());
    for name in &study.options.covariates {
        let Some(measure) = plan.measures.iter().find(|m| m.name == *name && m.kind != MeasureKind::Baskets) else {
            let known: Vec<&str> = plan.measures.iter().map(|m| m.name.as_str()).filter(|n| *n != "baskets").collect();
            let hint = crate::error::nearest(name, known.iter().copied()).map(|n| format!("Did you mean {n}? ")).unwrap_or_default();
            let problem = Problem::new(Input::Promotion, Fault::UnknownName, "no such measure to take the baseline of").column("estimation.covariates");
            return Err(problem.value(name).remedy(format!("{hint}Known are {}", known.join(", "))).into());
        };
        if plan.windows.days(Period::Baseline) > 0 {
            for role in Role::ALL {
                names.push(format!("{role}.baseline.{name}"));
                columns.push(column(Source::Baseline(measure, role)));
            }
        }
    }
    for name in &study.options.customer_covariates {
        let values = study.assignment.attribute(name).ok_or_else(|| missing_attribute(name, "estimation.customer_covariates"))?;
        names.push(name.clone());
        columns.push(column(Source::Attribute(values)));
    }
    Ok((names, columns))
}

/// An estimator's answer that there is none, with the names of covariates and customers.
pub(super) fn named(undefined: Undefined, names: &[String], study: &Study) -> Error {
    if let Undefined::Stratum { stratum, reason } = undefined {
        let name = study.assignment.stratum.as_ref().and_then(|codes| codes.names.get(stratum as usize)).cloned().unwrap_or_default();
        let within = named(*reason, names, study);
        let text = format!("in stratum {name}: {}", within.problems().first().map_or_else(|| within.to_string(), |problem| problem.text.clone()));
        let problem = Problem::new(Input::Design, Fault::Contradiction, text).column("assignment.stratum").value(name);
        return problem.remedy("Merge small strata, use fewer covariates, or the estimator unadjusted").into();
    }
    let text = match &undefined {
        Undefined::Infeasible { covariate, imbalance } => {
            let name = names.get(*covariate).map_or("", String::as_str);
            let text = format!("the controls cannot be weighted until {name} is that of the target: {imbalance:.2} standard deviations are left");
            let problem = Problem::new(Input::Design, Fault::Contradiction, text).column("estimation.estimator");
            return problem
                .remedy("The target bought what no mix of controls did: use regression_att, fewer covariates, or a control more like the target")
                .into();
        }
        Undefined::ClusterLeverageOne { cluster } => {
            let name = study.assignment.cluster.as_ref().and_then(|codes| codes.names.get(*cluster as usize)).cloned().unwrap_or_default();
            let problem = Problem::new(Input::Design, Fault::Contradiction, "one cluster alone fixes a coefficient").column("assignment.cluster").value(name);
            return problem.remedy("Use covariance = \"CR1\", or leave out the covariate in which only it differs").into();
        }
        Undefined::NotAPair { pair } => {
            let name = study.assignment.pair.as_ref().and_then(|codes| codes.names.get(*pair as usize)).cloned().unwrap_or_default();
            let text = format!("pair {name} is not one target and one control customer here");
            let problem = Problem::new(Input::Design, Fault::IncompletePair, text).column("assignment.pair").value(name);
            return problem.remedy("Pair customers within the groups that are looked at, or use another estimator").into();
        }
        Undefined::AllTheWeight { arm, row } => {
            let text = format!("customer {} carries all the weight of the {arm} arm", study.assignment.customers.text(*row));
            let problem = Problem::new(Input::Design, Fault::Contradiction, text).column("assignment.weight");
            return problem.remedy("Its spread cannot be told: spread the weight over more customers").into();
        }
        Undefined::Unmatched { target, control } => {
            let text = format!("{target} target and {control} control customers have a match, and 2 of each are needed");
            let problem = Problem::new(Input::Design, Fault::Contradiction, text).column("estimation.coarsening");
            return problem.remedy("Match on fewer covariates, cut them into fewer groups, or choose another estimator").into();
        }
        Undefined::Collinear { arm, covariate } => {
            format!("the covariate {} is collinear with the others within the {arm} arm", names.get(*covariate).map_or("", String::as_str))
        }
        Undefined::LeverageOne { arm, row } => format!("customer {} alone fixes a slope in the {arm} arm", study.assignment.customers.text(*row)),
        _ => return ErrorKind::Estimate(undefined).into(),
    };
    let problem = Problem::new(Input::Design, Fault::Contradiction, text).column("estimation.covariates");
    problem.remedy("Leave the covariate out, or use the estimator unadjusted").into()
}
