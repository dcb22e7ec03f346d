//! Effects by segment: each segment is a study of its own, with its own weights.
//!
//! With shares `p_s` (of the target, or of all assigned, as the estimator averages) the segments' effects give the post-stratified effect `sum p_s theta_s`; what the
//! headline has more is the row `between_segments`. Cochran's Q and its joint form over all parts say whether the segments differ by more than chance. From
//! [`LEAST`](crate::estimate::shrinkage::LEAST) segments on each effect also stands drawn towards the others.

use rayon::prelude::*;
use serde::Serialize;

use super::design::{covariates, named};
use super::{Job, Named};
use crate::error::Result;
use crate::estimate::heterogeneity::{Heterogeneity, cochran, joint};
use crate::estimate::shrinkage::shrink;
use crate::estimate::{Contrast, Design, Fit, Outcome, Shares};
use crate::known::{Known, Reason, serialize_known};
use crate::study::{Arm, Codes};

/// The effects by the groups of one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Segmentation {
    /// The column.
    pub column: String,
    /// Whether the segments were named before the results were seen; else they are exploratory.
    pub declared: bool,
    /// The segments.
    pub segments: Vec<Segment>,
    /// The effects, by segment, measure and effect.
    pub effects: Vec<SegmentEffect>,
    /// The headline minus the segments' effects, averaged by their shares; by measure and effect.
    pub between_segments: Vec<BetweenSegments>,
    /// Tests that all segments have the same effect, by measure; `all_parts` tests the parts that sum to the total jointly.
    pub interaction: Named<Named<Interaction>>,
}

/// A segment and who is in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Segment {
    /// The segment.
    pub segment: String,
    /// Target customers.
    pub target: usize,
    /// Control customers.
    pub control: usize,
    /// Its share in the post-stratified effect.
    pub share: f64,
    /// Why the estimator has no answer for it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
}

/// An effect in a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentEffect {
    /// The segment.
    pub segment: String,
    /// The measure.
    pub measure: String,
    /// The effect.
    pub effect: String,
    /// Per target (or assigned) customer of the segment.
    pub per_customer: Known<f64>,
    /// Its standard error.
    pub std_error: Known<f64>,
    /// Degrees of freedom.
    pub df: Known<f64>,
    /// The p-value against no effect, by itself.
    pub p_value: Known<f64>,
    /// The lower limit, by itself.
    pub ci_low: Known<f64>,
    /// The upper limit, by itself.
    pub ci_high: Known<f64>,
    /// Times the segment's target customers.
    pub total: Known<f64>,
    /// Drawn towards the other segments ([`shrink`]).
    pub shrunk: Known<f64>,
    /// The lower limit of that.
    pub shrunk_low: Known<f64>,
    /// The upper limit of that.
    pub shrunk_high: Known<f64>,
}

serialize_known!(SegmentEffect {
    plain segment, plain measure, plain effect, known per_customer, known std_error, known df, known p_value, known ci_low, known ci_high, known total,
    known shrunk, known shrunk_low, known shrunk_high
});

/// What the headline has more than the segments.
#[derive(Debug, Clone, PartialEq)]
pub struct BetweenSegments {
    /// The measure.
    pub measure: String,
    /// The effect.
    pub effect: String,
    /// Headline minus `sum p_s theta_s`.
    pub per_customer: Known<f64>,
    /// Its standard error, from the difference of the customers' scores.
    pub std_error: Known<f64>,
}

serialize_known!(BetweenSegments { plain measure, plain effect, known per_customer, known std_error });

/// A test that all segments have the same effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interaction {
    /// Cochran's Q, or its joint form.
    pub q: Known<f64>,
    /// Degrees of freedom of the chi-square distribution.
    pub df: Known<f64>,
    /// The p-value.
    pub p_value: Known<f64>,
}

serialize_known!(Interaction { known q, known df, known p_value });

impl From<Option<Heterogeneity>> for Interaction {
    fn from(found: Option<Heterogeneity>) -> Self {
        let of = |value: fn(&Heterogeneity) -> f64| Known::from_option(found.as_ref().map(value), Reason::FewSegments);
        Self { q: of(|h| h.q), df: of(|h| h.df), p_value: of(|h| h.p_value) }
    }
}

/// The segmentations of a study, one a column.
pub(super) fn segmentations(job: &Job<'_>) -> Result<Vec<Segmentation>> {
    let assignment = &job.study.assignment;
    if assignment.segments.is_empty() {
        return Ok(Vec::new());
    }
    let (_, columns) = covariates(job.study, job.plan, job.table)?;
    let columns = if job.estimator.adjusts() { columns } else { Vec::new() };
    let measured: Vec<Outcomes> = job.plan.measures.par_iter().map(|measure| Outcomes::new(job, measure)).collect::<Result<_>>()?;
    assignment.segments.iter().map(|(name, codes)| Split::new(job, codes, &columns).measure(name, &measured)).collect()
}

/// The effects of one measure as a column of each customer's values.
struct Outcomes {
    measure: String,
    names: Vec<String>,
    /// The parts that sum to the total, as places in `names`.
    parts: Vec<usize>,
    columns: Vec<Vec<f64>>,
    /// The headline effects and the customers' scores on them.
    headline: Vec<f64>,
    scores: Vec<Vec<f64>>,
}

impl Outcomes {
    fn new(job: &Job<'_>, measure: &crate::effects::Measure) -> Result<Self> {
        let forms: Vec<(String, Vec<f64>)> = job.forms(measure).into_iter().filter_map(|(name, form)| Some((name, form.value()?))).collect();
        let is_part = |name: &str| name != "total" && !name.contains('.');
        let columns: Vec<Vec<f64>> = forms.iter().map(|(_, form)| job.grid.by_customer(form)).collect();
        let outcomes = Nothing::before(&columns);
        Ok(Self {
            measure: measure.name.clone(),
            parts: (0..forms.len()).filter(|&i| is_part(&forms[i].0)).collect(),
            headline: forms.iter().map(|(_, form)| job.contrast.value(&job.contrast.effect(form))).collect(),
            names: forms.into_iter().map(|(name, _)| name).collect(),
            scores: job.fit.scores(&outcomes.of(&columns))?,
            columns,
        })
    }
}

/// Zeros for the before-column of outcomes that are differenced already.
struct Nothing(Vec<f64>);

impl Nothing {
    fn before(columns: &[Vec<f64>]) -> Self {
        Self(vec![0.0; columns.first().map_or(0, Vec::len)])
    }

    fn of<'o>(&'o self, columns: &'o [Vec<f64>]) -> Vec<Outcome<'o>> {
        columns.iter().map(|column| Outcome::new(column).with_before(&self.0, 1.0)).collect()
    }
}

/// A segment with its own fit.
struct Part {
    facts: Segment,
    rows: Vec<u32>,
    fit: Option<Fit>,
}

/// The customers split by a column.
struct Split<'j> {
    job: &'j Job<'j>,
    parts: Vec<Part>,
}

impl<'j> Split<'j> {
    fn new(job: &'j Job<'j>, codes: &Codes, columns: &[Vec<f64>]) -> Self {
        let mut rows = vec![Vec::new(); codes.names.len()];
        codes.codes.iter().zip(0_u32..).for_each(|(code, row)| rows[*code as usize].push(row));
        let shares = job.estimator.shares();
        let counted = |arm: Arm| shares == Shares::Assigned || arm == Arm::Target;
        let all = job.study.assignment.arm.iter().filter(|arm| counted(**arm)).count() as f64;
        let parts = codes.names.par_iter().zip(rows).filter(|(_, rows)| !rows.is_empty()).map(|(name, rows)| {
            let assignment = &job.study.assignment;
            let of = |which: &dyn Fn(Arm) -> bool| rows.iter().filter(|&&row| which(assignment.arm[row as usize])).count();
            let fit = fit(job, &rows, columns);
            let facts = Segment {
                segment: name.clone(),
                target: of(&|arm| arm == Arm::Target),
                control: of(&|arm| arm == Arm::Control),
                share: of(&counted) as f64 / all,
                undefined: fit.as_ref().err().cloned(),
            };
            Part { facts, fit: fit.ok(), rows }
        });
        Self { job, parts: parts.collect() }
    }

    fn measure(&self, column: &str, measured: &[Outcomes]) -> Result<Segmentation> {
        let found: Vec<OfMeasure> = measured.par_iter().map(|outcomes| self.of_measure(outcomes)).collect::<Result<_>>()?;
        let mut interaction = Vec::with_capacity(found.len());
        let (mut effects, mut between_segments) = (Vec::new(), Vec::new());
        for of in found {
            effects.extend(of.effects);
            between_segments.extend(of.between);
            interaction.push((of.measure, Named(of.interaction)));
        }
        let segments = self.parts.iter().map(|part| part.facts.clone()).collect();
        let declared = !self.job.study.assignment.exploratory.iter().any(|name| name == column);
        Ok(Segmentation { column: column.to_owned(), declared, segments, effects, between_segments, interaction: Named(interaction) })
    }

    fn of_measure(&self, outcomes: &Outcomes) -> Result<OfMeasure> {
        let contrasts: Vec<Option<Contrast>> = self.parts.iter().map(|part| part.contrast(outcomes)).collect::<Result<_>>()?;
        let mut of = OfMeasure { measure: outcomes.measure.clone(), effects: Vec::new(), between: Vec::new(), interaction: Vec::new() };
        for (at, name) in outcomes.names.iter().enumerate() {
            let rows = self.effect(outcomes, at, &contrasts);
            let known = |value: fn(&SegmentEffect) -> Known<f64>| rows.iter().filter_map(|row| value(row).value()).collect::<Vec<f64>>();
            of.interaction.push((name.clone(), cochran(&known(|r| r.per_customer), &known(|r| r.std_error)).into()));
            of.effects.extend(rows);
            of.between.push(self.between(outcomes, at, &contrasts)?);
        }
        of.interaction.push(("all_parts".to_owned(), Self::jointly(outcomes, &contrasts)));
        Ok(of)
    }

    /// One effect in all segments.
    fn effect(&self, outcomes: &Outcomes, at: usize, contrasts: &[Option<Contrast>]) -> Vec<SegmentEffect> {
        let mut rows: Vec<SegmentEffect> = self
            .parts
            .iter()
            .zip(contrasts)
            .map(|(part, contrast)| match contrast {
                None => absent(&part.facts.segment, outcomes, at, Reason::Undefined),
                Some(contrast) => {
                    let estimate = contrast.estimate(&contrast.effect(&unit(at, outcomes.names.len())), self.job.level);
                    let (ci_low, ci_high) = crate::profit::limits(&estimate);
                    SegmentEffect {
                        per_customer: Known::Value(estimate.value),
                        std_error: Known::Value(estimate.std_error),
                        df: super::degrees(estimate.df),
                        p_value: estimate.p_value,
                        ci_low,
                        ci_high,
                        total: Known::Value(estimate.value * part.facts.target as f64),
                        ..absent(&part.facts.segment, outcomes, at, Reason::FewSegments)
                    }
                }
            })
            .collect();
        let live: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].std_error.value().is_some_and(|se| se > 0.0)).collect();
        let known = |value: fn(&SegmentEffect) -> Known<f64>| live.iter().filter_map(|&i| value(&rows[i]).value()).collect::<Vec<f64>>();
        if let Some(shrunk) = shrink(&known(|r| r.per_customer), &known(|r| r.std_error), self.job.level.confidence) {
            for (&i, shrunk) in live.iter().zip(shrunk) {
                rows[i].shrunk = Known::Value(shrunk.value);
                rows[i].shrunk_low = Known::from_option(shrunk.interval.low(), Reason::Undefined);
                rows[i].shrunk_high = Known::from_option(shrunk.interval.high(), Reason::Undefined);
            }
        }
        rows
    }

    /// The headline minus the segments' average, with the standard error of the difference of scores.
    fn between(&self, outcomes: &Outcomes, at: usize, contrasts: &[Option<Contrast>]) -> Result<BetweenSegments> {
        let row = |per_customer, std_error| BetweenSegments { measure: outcomes.measure.clone(), effect: outcomes.names[at].clone(), per_customer, std_error };
        let mut scores = outcomes.scores[at].clone();
        let mut average = 0.0;
        for (part, contrast) in self.parts.iter().zip(contrasts) {
            let (Some(contrast), Some(fit)) = (contrast, &part.fit) else {
                return Ok(row(Known::Missing(Reason::Undefined), Known::Missing(Reason::Undefined)));
            };
            average += part.facts.share * contrast.value(&contrast.effect(&unit(at, outcomes.names.len())));
            let column = [part.gather(&outcomes.columns[at])];
            let own = fit.scores(&Nothing::before(&column).of(&column))?;
            for (&row, own) in part.rows.iter().zip(&own[0]) {
                scores[row as usize] -= part.facts.share * own;
            }
        }
        let variance: f64 = match &self.job.study.assignment.cluster {
            None => scores.iter().map(|s| s * s).sum(),
            Some(clusters) => {
                let mut sums = vec![0.0; clusters.names.len()];
                clusters.codes.iter().zip(&scores).for_each(|(code, score)| sums[*code as usize] += score);
                sums.iter().map(|s| s * s).sum()
            }
        };
        Ok(row(Known::Value(outcomes.headline[at] - average), Known::Value(variance.sqrt())))
    }

    /// The joint test over the parts that sum to the total.
    fn jointly(outcomes: &Outcomes, contrasts: &[Option<Contrast>]) -> Interaction {
        let all = outcomes.names.len();
        let (mut estimates, mut covariances) = (Vec::new(), Vec::new());
        for contrast in contrasts.iter().flatten() {
            let forms: Vec<_> = outcomes.parts.iter().map(|&part| contrast.effect(&unit(part, all))).collect();
            estimates.push(forms.iter().map(|form| contrast.value(form)).collect::<Vec<f64>>());
            covariances.push(forms.iter().flat_map(|a| forms.iter().map(move |b| (a, b))).map(|(a, b)| contrast.covariance(a, b)).collect::<Vec<f64>>());
        }
        joint(&estimates, &covariances).into()
    }
}

/// What one measure shows by segment.
struct OfMeasure {
    measure: String,
    effects: Vec<SegmentEffect>,
    between: Vec<BetweenSegments>,
    interaction: Vec<(String, Interaction)>,
}

impl Part {
    fn gather(&self, column: &[f64]) -> Vec<f64> {
        self.rows.iter().map(|&row| column[row as usize]).collect()
    }

    fn contrast(&self, outcomes: &Outcomes) -> Result<Option<Contrast>> {
        let Some(fit) = &self.fit else { return Ok(None) };
        let columns: Vec<Vec<f64>> = outcomes.columns.iter().map(|column| self.gather(column)).collect();
        Ok(Some(fit.contrast(&Nothing::before(&columns).of(&columns))?))
    }
}

/// The fit of some customers by themselves, or why there is none.
fn fit(job: &Job<'_>, rows: &[u32], columns: &[Vec<f64>]) -> std::result::Result<Fit, String> {
    let study = job.study;
    let codes = |codes: &Codes| rows.iter().map(|&row| codes.codes[row as usize]).collect::<Vec<u32>>();
    let arm: Vec<Arm> = rows.iter().map(|&row| study.assignment.arm[row as usize]).collect();
    let columns: Vec<Vec<f64>> = columns.iter().map(|column| rows.iter().map(|&row| column[row as usize]).collect()).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let (strata, clusters) = (study.assignment.stratum.as_ref().map(codes), study.assignment.cluster.as_ref().map(codes));
    let mut design = Design::new(&arm).with_covariates(&columns);
    if let Some(strata) = &strata {
        design = design.with_strata(strata);
    }
    if let (Some(clusters), Some((_, rule))) = (&clusters, study.design(&[]).clusters) {
        design = design.with_clusters(clusters, rule);
    }
    job.estimator.fit(&design).map_err(|undefined| {
        let error = named(undefined, &job.covariate_names, study);
        error.problems().first().map_or_else(|| error.to_string(), |problem| problem.text.clone())
    })
}

/// Zero but for a one.
fn unit(at: usize, length: usize) -> Vec<f64> {
    (0..length).map(|i| f64::from(u8::from(i == at))).collect()
}

fn absent(segment: &str, outcomes: &Outcomes, at: usize, reason: Reason) -> SegmentEffect {
    let none = Known::Missing(reason);
    SegmentEffect {
        segment: segment.to_owned(),
        measure: outcomes.measure.clone(),
        effect: outcomes.names[at].clone(),
        per_customer: none,
        std_error: none,
        df: none,
        p_value: none,
        ci_low: none,
        ci_high: none,
        total: none,
        shrunk: none,
        shrunk_low: none,
        shrunk_high: none,
    }
}
