//! An action in many waves: one estimate over all of them, and whether a wave reaches into the next.

use serde::Serialize;

use super::Portfolio;
use super::roster::{Customers, Ties};
use crate::cells::CellSource;
use crate::error::{Fault, Input, Problem, Problems, Result, known_names};
use crate::estimate::{ClusterRule, Design, Estimate, Estimator, Fit, Interval, Level, Outcome, Regression, Undefined};
use crate::known::{Known, Reason, serialize_known};
use crate::measure::CustomerColumns;
use crate::study::{Arm, Day, EstimatorName, Study};

/// A wave.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Wave {
    /// The promotion.
    pub promotion: String,
    /// Its first day; waves stand in this order.
    pub start: Day,
    /// Target customers.
    pub target: usize,
    /// Control customers.
    pub control: usize,
    /// Its customers who are in the wave before too; absent in the first.
    pub also_in_the_wave_before: Option<usize>,
}

/// An effect over all waves.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StackedEffect {
    /// The effect.
    pub effect: String,
    /// Per target customer and wave (or customer assigned, as the estimator averages), in the unit of the measure.
    pub per_customer_wave: Known<f64>,
    /// Its standard error, each customer's waves taken together.
    pub std_error: Known<f64>,
    /// Degrees of freedom; missing for the normal distribution.
    pub df: Known<f64>,
    /// The p-value against 0.
    pub p_value: Known<f64>,
    /// The interval.
    pub interval: Interval,
    /// Times the target customers of all waves.
    pub total: Known<f64>,
    /// The standard error that one would have who took the waves of a customer for different customers.
    pub std_error_if_apart: Known<f64>,
}

serialize_known!(StackedEffect {
    plain effect, known per_customer_wave, known std_error, known df, known p_value, plain interval, known total, known std_error_if_apart
});

/// The total effect of a wave by itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WaveEffect {
    /// The promotion.
    pub promotion: String,
    /// Per customer, in the unit of the measure.
    pub per_customer: f64,
    /// Its standard error.
    pub std_error: f64,
    /// The p-value against 0.
    pub p_value: Known<f64>,
    /// The interval.
    pub interval: Interval,
}

serialize_known!(WaveEffect { plain promotion, plain per_customer, plain std_error, known p_value, plain interval });

/// What having been in the target of the wave before does to customers of a wave.
///
/// Regression, over customers `i` of wave `k` who were in wave `k - 1` too: `y_ik = alpha_s + gamma_s D_i,k-1 + (x_i,k-1 - xbar_s)'(beta_s + delta_s D_i,k-1) + e_ik`
/// within each stratum s (a wave; among all customers a wave and the arm in it), `D` 1 in the target, `x` the covariates from before wave `k - 1`; `gamma` is their
/// average over the customers of the strata (Lin 2013), scores summed by customer (CR1; Liang and Zeger 1986). Baselines of wave `k` itself are not taken: they hold
/// what the wave before did. `gamma` is the lag-one effect of a panel experiment (Bojinov, Rambachan and Shephard 2021), where each wave was drawn without regard
/// to the arms before; else the arms of the wave before are not alike among those compared.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CarryOver {
    /// `control`: among the controls of a wave; `all`: among all of its customers, arm by arm.
    pub among: &'static str,
    /// Customer-waves compared that were in the target of the wave before.
    pub target_before: usize,
    /// Those that were in its control.
    pub control_before: usize,
    /// Strata that are not compared: too few customers of either arm of the wave before.
    pub strata_left_out: usize,
    /// `gamma`, per customer and wave, of the total of the measure.
    pub per_customer_wave: Known<f64>,
    /// Its standard error.
    pub std_error: Known<f64>,
    /// The p-value against 0.
    pub p_value: Known<f64>,
    /// The interval.
    pub interval: Interval,
    /// Why there is no answer, in words; absent where there is one.
    pub undefined: Option<String>,
}

serialize_known!(CarryOver {
    plain among, plain target_before, plain control_before, plain strata_left_out, known per_customer_wave, known std_error, known p_value, plain interval, plain undefined
});

/// Waves of one action, stacked.
///
/// A row is a customer in a wave. Each wave is a stratum with the study's estimator and covariates of its own, counted by its target customers (or all assigned, as
/// the estimator averages); scores are summed by customer over all waves, in whatever arms he was (CR1; Cameron and Miller 2015), or by the clusters of the waves where
/// they have some. The effect is `sum_k (n_Tk / n_T) tau_k`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct Waves {
    /// The waves, in the order of time.
    pub waves: Vec<Wave>,
    /// The measure.
    pub measure: String,
    /// The estimator of all waves.
    pub estimator: EstimatorName,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// Customer-waves in all.
    pub customer_waves: usize,
    /// Different customers.
    pub customers: usize,
    /// The effects over all waves.
    pub effects: Vec<StackedEffect>,
    /// The total effect of each wave by itself.
    pub by_wave: Vec<WaveEffect>,
    /// Whether a wave reaches into the next; empty where no two waves in a row share customers.
    pub carry_over: Vec<CarryOver>,
}

/// A wave with its columns.
struct Part<'a> {
    study: &'a Study,
    columns: CustomerColumns,
    customers: Customers,
}

impl Portfolio {
    /// One estimate over the waves of an action, given by their ids in any order, for the effects on a measure; and the test whether a wave reaches into the next.
    ///
    /// # Errors
    /// Fewer than two waves; a wave that stands twice or is not in the portfolio; waves with different options, or some with clusters and some without; an estimator
    /// that has no strata (pairs, given weights, matches); as [`Study::measure`] for each wave; where a wave's design has no answer.
    pub fn waves<I: AsRef<str>>(&self, source: &(impl CellSource + ?Sized), waves: &[I], measure: &str) -> Result<Waves> {
        let places = self.wave_places(waves)?;
        let mut parts = Vec::with_capacity(places.len());
        for place in places {
            let (study, customers) = (self.asked[place].study.as_ref().map_err(crate::Error::again)?, self.roster.of(place));
            let Some(columns) = study.customer_columns(source, measure)? else {
                let problem = Problem::new(Input::Promotion, Fault::UnknownName, format!("promotion {} has no such measure", study.promotion.id));
                return Err(problem.value(measure).remedy(known_names(measure, &["net_sales", "units", "revenue", "margin"])).into());
            };
            parts.extend(customers.map(|customers| Part { study, columns, customers }));
        }
        check(&parts)?;
        Stack::new(&parts).measured(&parts, measure)
    }

    /// The places of the waves, in the order of time.
    fn wave_places<I: AsRef<str>>(&self, waves: &[I]) -> Result<Vec<usize>> {
        let mut problems = Problems::default();
        let mut places = Vec::new();
        let problem = |fault, text: &str| Problem::new(Input::Promotion, fault, text).column("id");
        for (row, wave) in waves.iter().enumerate() {
            let Some((place, study)) = problems.take(self.plain_study(wave.as_ref()))? else { continue };
            if places.iter().any(|(_, known)| *known == place) {
                problems.push(problem(Fault::Contradiction, "a wave stands twice").first(row).value(wave.as_ref()).remedy("Name each wave once"));
            }
            places.push((study.promotion.start, place));
        }
        if waves.len() < 2 {
            problems.push(problem(Fault::Empty, "an action in waves has two or more").count(waves.len()).remedy("Name its waves"));
        }
        problems.finish()?;
        places.sort_unstable();
        Ok(places.into_iter().map(|(_, place)| place).collect())
    }
}

/// Whether waves can be stacked.
fn check(parts: &[Part<'_>]) -> Result<()> {
    let Some(first) = parts.first() else { return Ok(()) };
    let mut problems = Problems::default();
    let problem = |fault, key: &str, text: String| Problem::new(Input::Promotion, fault, text).column(key);
    if !first.columns.estimator.stratifies() {
        let text = format!("waves of {} cannot be stacked: it has no strata", first.columns.estimator.name());
        problems
            .push(problem(Fault::Unsupported, "estimation.estimator", text).remedy("Measure them with regression_att, or another estimator that has strata"));
    }
    for part in &parts[1..] {
        let id = &part.study.promotion.id;
        if part.study.options != first.study.options {
            let text = format!("wave {id} is estimated in another way than {}", first.study.promotion.id);
            problems.push(problem(Fault::Contradiction, "estimation", text).remedy("Give all waves the same [estimation]"));
        } else if part.columns.covariates.len() != first.columns.covariates.len() {
            let text =
                format!("wave {id} has {} covariates and {} has {}", part.columns.covariates.len(), first.study.promotion.id, first.columns.covariates.len());
            problems.push(problem(Fault::Contradiction, "baseline_days", text).remedy("Bring a baseline for all waves, or for none"));
        }
        if part.study.assignment.cluster.is_some() != first.study.assignment.cluster.is_some() {
            let text = format!("of the waves {id} and {} one has clusters and one has none", first.study.promotion.id);
            problems.push(problem(Fault::Contradiction, "assignment.cluster", text).remedy("Give clusters to all waves, or to none"));
        }
    }
    problems.finish()
}

/// The rows of all waves under each other.
struct Stack {
    arm: Vec<Arm>,
    stratum: Vec<u32>,
    cluster: Vec<u32>,
    covariates: Vec<Vec<f64>>,
}

impl Stack {
    fn new(parts: &[Part<'_>]) -> Self {
        let mut stack = Self { arm: Vec::new(), stratum: Vec::new(), cluster: Vec::new(), covariates: Vec::new() };
        let mut strata = hashbrown::HashMap::new();
        for (wave, part) in parts.iter().enumerate() {
            let assignment = &part.study.assignment;
            stack.arm.extend(&assignment.arm);
            for row in 0..assignment.len() {
                let own = assignment.stratum.as_ref().map(|codes| codes.codes[row]);
                let next = u32::try_from(strata.len()).unwrap_or(u32::MAX);
                stack.stratum.push(*strata.entry((wave, own)).or_insert(next));
            }
            stack.cluster.extend(clusters(part));
            stack.covariates.resize(part.columns.covariates.len().max(stack.covariates.len()), Vec::new());
            stack.covariates.iter_mut().zip(&part.columns.covariates).for_each(|(all, own)| all.extend(own));
        }
        stack
    }

    fn measured(&self, parts: &[Part<'_>], measure: &str) -> Result<Waves> {
        let study = parts[0].study;
        let level = Level::from(&study.options);
        let covariates: Vec<&[f64]> = self.covariates.iter().map(Vec::as_slice).collect();
        let design = Design::new(&self.arm).with_covariates(&covariates).with_strata(&self.stratum);
        let estimator = parts[0].columns.estimator.as_ref();
        let apart = estimator.fit(&design)?.of_differences();
        let fit = estimator.fit(&design.with_clusters(&self.cluster, ClusterRule::Default))?.of_differences();
        let effects = parts[0].columns.effects.iter().map(|(name, _)| effect(name, parts, [&fit, &apart], level)).collect::<std::result::Result<_, _>>()?;
        let distinct: hashbrown::HashSet<u32> = parts.iter().flat_map(|part| part.customers.codes.iter().copied()).collect();
        let reaching = ["control", "all"].map(|among| carry_over(parts, among, level));
        Ok(Waves {
            waves: (0..parts.len()).map(|at| wave(parts, at)).collect(),
            measure: measure.to_owned(),
            estimator: study.options.estimator,
            confidence: study.options.confidence,
            customer_waves: self.arm.len(),
            customers: distinct.len(),
            effects,
            by_wave: parts.iter().map(|part| alone(part, level)).collect::<Result<_>>()?,
            carry_over: reaching.into_iter().flatten().collect(),
        })
    }
}

/// Whom each row of a wave is summed with: the customer's other waves, or his cluster's.
fn clusters<'p>(part: &'p Part<'_>) -> impl Iterator<Item = u32> + use<'p> {
    match &part.customers.ties {
        Ties::Clusters(codes) => codes.iter(),
        Ties::None | Ties::Pairs(_) => part.customers.codes.iter(),
    }
    .copied()
}

fn wave(parts: &[Part<'_>], at: usize) -> Wave {
    let study = parts[at].study;
    let before = at.checked_sub(1).map(|before| super::roster::shared(&parts[at].customers, &parts[before].customers));
    Wave {
        promotion: study.promotion.id.clone(),
        start: study.promotion.start,
        target: study.assignment.count(Arm::Target),
        control: study.assignment.count(Arm::Control),
        also_in_the_wave_before: before,
    }
}

/// An effect over all waves; missing where a wave does not have it.
fn effect(name: &str, parts: &[Part<'_>], [fit, apart]: [&Fit; 2], level: Level) -> std::result::Result<StackedEffect, Undefined> {
    let mut column: Vec<f64> = Vec::new();
    for part in parts {
        let own = part.columns.effects.iter().find(|(own, _)| own == name).map_or(Known::Missing(Reason::NotAnnounced), |(_, own)| own.as_ref());
        match own {
            Known::Value(own) => column.extend(own),
            Known::Missing(reason) => return Ok(StackedEffect::missing(name, reason)),
        }
    }
    let outcome = [Outcome::new(&column)];
    let (contrast, apart) = (fit.contrast(&outcome)?, apart.contrast(&outcome)?);
    let estimate = contrast.estimate(&contrast.effect(&[1.0]), level);
    Ok(StackedEffect {
        effect: name.to_owned(),
        per_customer_wave: Known::Value(estimate.value),
        std_error: Known::Value(estimate.std_error),
        df: degrees(&estimate),
        p_value: estimate.p_value,
        interval: estimate.interval,
        total: Known::Value(estimate.value * fit.customers(Arm::Target) as f64),
        std_error_if_apart: Known::Value(apart.variance(&apart.effect(&[1.0])).sqrt()),
    })
}

impl StackedEffect {
    fn missing(name: &str, reason: Reason) -> Self {
        let none = Known::Missing(reason);
        Self {
            effect: name.to_owned(),
            per_customer_wave: none,
            std_error: none,
            df: none,
            p_value: none,
            interval: Interval::Missing { reason },
            total: none,
            std_error_if_apart: none,
        }
    }
}

fn degrees(estimate: &Estimate) -> Known<f64> {
    match estimate.df {
        Known::Value(df) => Known::from_option(Some(df.value()).filter(|df| df.is_finite()), Reason::Normal),
        Known::Missing(reason) => Known::Missing(reason),
    }
}

/// The total effect of one wave, as its own study has it.
fn alone(part: &Part<'_>, level: Level) -> Result<WaveEffect> {
    let covariates: Vec<&[f64]> = part.columns.covariates.iter().map(Vec::as_slice).collect();
    let fit = part.columns.estimator.fit(&part.study.own_design(&covariates))?.of_differences();
    let total = total_of(part).unwrap_or_default();
    let contrast = fit.contrast(&[Outcome::new(total)])?;
    let estimate = contrast.estimate(&contrast.effect(&[1.0]), level);
    let promotion = part.study.promotion.id.clone();
    Ok(WaveEffect { promotion, per_customer: estimate.value, std_error: estimate.std_error, p_value: estimate.p_value, interval: estimate.interval })
}

fn total_of<'p>(part: &'p Part<'_>) -> Option<&'p [f64]> {
    part.columns.effects.iter().find(|(name, _)| name == "total").and_then(|(_, column)| column.as_ref().value()).map(Vec::as_slice)
}

/// Customers of two waves in a row: what they were in the wave before, and what they did in this one.
#[derive(Default)]
struct Followed {
    before: Vec<Arm>,
    outcome: Vec<f64>,
    covariates: Vec<Vec<f64>>,
    stratum: Vec<u32>,
    cluster: Vec<u32>,
}

impl Followed {
    fn new(parts: &[Part<'_>], among: &str) -> Self {
        let mut followed = Self { covariates: vec![Vec::new(); parts[0].columns.covariates.len()], ..Self::default() };
        for (wave, (before, part)) in parts.iter().zip(&parts[1..]).enumerate() {
            let rows: hashbrown::HashMap<u32, usize> = before.customers.codes.iter().enumerate().map(|(row, code)| (*code, row)).collect();
            let total = total_of(part).unwrap_or_default();
            let own = part.customers.codes.iter().zip(&part.study.assignment.arm).zip(total.iter().zip(clusters(part)));
            for ((code, arm), (outcome, cluster)) in own {
                let Some(&row) = rows.get(code).filter(|_| among == "all" || *arm == Arm::Control) else { continue };
                followed.before.push(before.study.assignment.arm[row]);
                followed.outcome.push(*outcome);
                followed.covariates.iter_mut().zip(&before.columns.covariates).for_each(|(all, own)| all.push(own[row]));
                followed.stratum.push(2 * wave as u32 + u32::from(*arm == Arm::Target));
                followed.cluster.push(cluster);
            }
        }
        followed
    }

    /// Leaves the strata that have customers enough in both arms of the wave before; how many have not.
    fn keep_comparable(&mut self) -> usize {
        let needed = self.covariates.len() + 2;
        let mut counts = hashbrown::HashMap::<u32, [usize; 2]>::new();
        self.stratum.iter().zip(&self.before).for_each(|(stratum, arm)| counts.entry(*stratum).or_default()[usize::from(*arm == Arm::Control)] += 1);
        let comparable = |stratum: u32| counts.get(&stratum).is_some_and(|counts| counts.iter().all(|count| *count >= needed));
        let kept: Vec<usize> = (0..self.stratum.len()).filter(|&row| comparable(self.stratum[row])).collect();
        let left_out = counts.keys().filter(|stratum| !comparable(**stratum)).count();
        self.before = kept.iter().map(|&row| self.before[row]).collect();
        self.outcome = kept.iter().map(|&row| self.outcome[row]).collect();
        self.stratum = kept.iter().map(|&row| self.stratum[row]).collect();
        self.cluster = kept.iter().map(|&row| self.cluster[row]).collect();
        self.covariates.iter_mut().for_each(|column| *column = kept.iter().map(|&row| column[row]).collect());
        left_out
    }

    fn estimate(&self, level: Level) -> std::result::Result<Estimate, Undefined> {
        let covariates: Vec<&[f64]> = self.covariates.iter().map(Vec::as_slice).collect();
        let design = Design::new(&self.before).with_covariates(&covariates).with_strata(&self.stratum);
        let fit = Regression::default().fit(&design.with_clusters(&self.cluster, ClusterRule::Default))?;
        let contrast = fit.contrast(&[Outcome::new(&self.outcome)])?;
        Ok(contrast.estimate(&contrast.effect(&[1.0]), level))
    }
}

/// The test among some customers; `None` where no customer is in two waves in a row.
fn carry_over(parts: &[Part<'_>], among: &'static str, level: Level) -> Option<CarryOver> {
    let mut followed = Followed::new(parts, among);
    if followed.before.is_empty() {
        return None;
    }
    let strata_left_out = followed.keep_comparable();
    let count = |arm: Arm| followed.before.iter().filter(|before| **before == arm).count();
    let differences = parts[0].columns.estimator.differences();
    let found = if differences {
        Err("difference_in_differences takes off the wave's own baseline, which holds what the wave before did: use another estimator".to_owned())
    } else if followed.before.is_empty() {
        Err("no wave has customers enough in both arms of the wave before: the arms stay as they were from wave to wave".to_owned())
    } else {
        followed.estimate(level).map_err(|undefined| undefined.to_string())
    };
    let missing = Known::Missing(Reason::Undefined);
    let estimate = found.as_ref().ok();
    Some(CarryOver {
        among,
        target_before: count(Arm::Target),
        control_before: count(Arm::Control),
        strata_left_out,
        per_customer_wave: estimate.map_or(missing, |e| Known::Value(e.value)),
        std_error: estimate.map_or(missing, |e| Known::Value(e.std_error)),
        p_value: estimate.map_or(missing, |e| e.p_value),
        interval: estimate.map_or(Interval::Missing { reason: Reason::Undefined }, |e| e.interval),
        undefined: found.err(),
    })
}

impl std::fmt::Display for Waves {
    /// The effects over all waves, each wave's own, and whether one reaches into the next.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        super::text::waves(f, self)
    }
}
