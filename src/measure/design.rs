//! From a study to the design that its estimator fits, and back to the study's names.

use crate::cells::{CellTable, Role};
use crate::effects::{MeasureKind, measure_by_customer};
use crate::error::{Error, ErrorKind, Fault, Input, Problem, Result};
use crate::estimate::{ClusterRule, Design, Estimand, Estimator, Fit, Shares};
use crate::measure::{DesignFacts, Plan, missing_attribute};
use crate::study::{Arm, CovarianceRule, Period, Study};

impl Study {
    /// The design of the study with some covariates: arms, strata, clusters.
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
    DesignFacts {
        strata: study.assignment.stratum.as_ref().map(|codes| distinct(&codes.codes)),
        clusters: fit.cluster_count(),
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
    let fit = estimator.fit(&study.design(&columns)).map_err(|u| named(u, &covariate_names, study))?;
    Ok(Fitted { fit, covariate_names })
}

/// The covariates of a study: baselines of its measures per role, then attributes.
pub(super) fn covariates(study: &Study, plan: &Plan, table: &CellTable) -> Result<(Vec<String>, Vec<Vec<f64>>)> {
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
                columns.push(measure_by_customer(table, measure, |a| a.class.role == role && a.period == Period::Baseline));
            }
        }
    }
    for name in &study.options.customer_covariates {
        let values = study.assignment.attribute(name).ok_or_else(|| missing_attribute(name, "estimation.customer_covariates"))?;
        names.push(name.clone());
        columns.push(values.to_vec());
    }
    Ok((names, columns))
}

/// An estimator's answer that there is none, with the names of covariates and customers.
pub(super) fn named(undefined: crate::estimate::Undefined, names: &[String], study: &Study) -> Error {
    use crate::estimate::Undefined;
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
        Undefined::Collinear { arm, covariate } => {
            format!("the covariate {} is collinear with the others within the {arm} arm", names.get(*covariate).map_or("", String::as_str))
        }
        Undefined::LeverageOne { arm, row } => format!("customer {} alone fixes a slope in the {arm} arm", study.assignment.customers.text(*row)),
        _ => return ErrorKind::Estimate(undefined).into(),
    };
    let problem = Problem::new(Input::Design, Fault::Contradiction, text).column("estimation.covariates");
    problem.remedy("Leave the covariate out, or use the estimator unadjusted").into()
}
