//! Effects by segment: each segment is a study of its own, with its own weights.
//!
//! With shares `p_s` (of the target, or of all assigned, as the estimator averages) the segments' effects give the post-stratified effect `sum p_s theta_s`; what the
//! headline has more is the row `between_segments`. Cochran's Q and its joint form over all parts say whether the segments differ by more than chance. From
//! [`LEAST`](crate::estimate::shrinkage::LEAST) segments on each effect also stands drawn towards the others. Tests and drawing take the segments to be
//! independent: where a cluster has customers of several segments they are missing ([`Reason::ClustersCrossSegments`]).

use std::ops::Range;

use rayon::prelude::*;
use serde::Serialize;

use super::design::{Subset, covariates, named};
use super::outcomes::{Outcomes, outcomes};
use super::{Job, Named};
use crate::error::Result;
use crate::estimate::heterogeneity::{Heterogeneity, cochran, joint};
use crate::estimate::shrinkage::shrink;
use crate::estimate::{Estimate, Fit, Level, Shares, dot};
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
    /// Tests that all segments have the same effect, by measure; `all_parts` tests the parts that sum to the total jointly. Missing where a cluster has
    /// customers of several segments.
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
    /// Times the segment's target customers (those with a match, or a weight).
    pub total: Known<f64>,
    /// Drawn towards the other segments ([`shrink`]); missing where a cluster has customers of several segments.
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
    /// Its standard error, from the difference of the customers' scores, summed by cluster; 0 for matched pairs, which no segment cuts.
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

impl From<Known<Heterogeneity>> for Interaction {
    fn from(found: Known<Heterogeneity>) -> Self {
        Self { q: found.map(|h| h.q), df: found.map(|h| h.df), p_value: found.map(|h| h.p_value) }
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
    assignment.segments.iter().map(|(name, codes)| Split::new(job, codes, &columns).measure(name)).collect()
}

/// The effects of one measure over the customers in the order by segment, with the headline.
struct Measured {
    of: Outcomes,
    /// The headline effects.
    headline: Vec<f64>,
    /// The customers' scores on them, less those on the segments' average.
    rest: Vec<Vec<f64>>,
}

/// A segment with its own fit, and its customers' places in the order by segment.
struct Part {
    facts: Segment,
    place: Range<usize>,
    fit: Option<Fit>,
    /// Target customers whom its effects are of.
    counted: usize,
}

/// The customers split by a column.
struct Split<'j> {
    job: &'j Job<'j>,
    /// The customers' rows, segment by segment and arm by arm.
    order: Vec<u32>,
    /// The headline's fit of the customers in that order.
    headline: Fit,
    parts: Vec<Part>,
    /// Whether a cluster has customers of several segments.
    crossed: bool,
}

impl<'j> Split<'j> {
    fn new(job: &'j Job<'j>, codes: &Codes, columns: &[Vec<f64>]) -> Self {
        let mut order: Vec<u32> = (0..codes.codes.len()).zip(0..).map(|(_, row)| row).collect();
        let arms = &job.study.assignment.arm;
        order.sort_by_key(|&row| (codes.codes[row as usize], arms[row as usize] != Arm::Target));
        let shares = job.estimator.shares();
        let counted = |arm: Arm| shares == Shares::Assigned || arm == Arm::Target;
        let all = job.study.assignment.arm.iter().filter(|arm| counted(**arm)).count() as f64;
        // Where not all target customers count alike, a segment counts by the weight they have in the headline.
        let weighted = job.study.options.estimator.is_matched();
        let weight = |rows: &[u32]| rows.iter().map(|&row| job.fit.effect[row as usize]).filter(|w| *w > 0.0).sum::<f64>();
        let of_one = order.chunk_by(|a, b| codes.codes[*a as usize] == codes.codes[*b as usize]);
        let ends = of_one.scan(0, |end, rows| {
            *end += rows.len();
            Some(*end - rows.len()..*end)
        });
        let places: Vec<Range<usize>> = ends.collect();
        let part = |place: Range<usize>| {
            let rows = &order[place.clone()];
            let assignment = &job.study.assignment;
            let of = |which: &dyn Fn(Arm) -> bool| rows.iter().filter(|&&row| which(assignment.arm[row as usize])).count();
            let fit = fit(job, rows, columns);
            let facts = Segment {
                segment: rows.first().map_or("", |&row| &codes.names[codes.codes[row as usize] as usize]).to_owned(),
                target: of(&|arm| arm == Arm::Target),
                control: of(&|arm| arm == Arm::Control),
                share: if weighted { weight(rows) } else { of(&counted) as f64 / all },
                undefined: fit.as_ref().err().cloned(),
            };
            let counted = fit.as_ref().map_or(0, |fit| fit.customers(Arm::Target));
            Part { facts, fit: fit.ok().map(Fit::of_differences), place, counted }
        };
        let parts = places.into_par_iter().map(part).collect();
        let crossed = job.study.assignment.cluster.as_ref().is_some_and(|clusters| crosses(clusters, codes));
        let headline = job.fit.clone().of_differences().in_order(&order);
        Self { job, order, headline, parts, crossed }
    }

    /// What holds of independent segments only.
    fn independent<T>(&self, found: Option<T>) -> Known<T> {
        match found {
            Some(_) if self.crossed => Known::Missing(Reason::ClustersCrossSegments),
            found => Known::from_option(found, Reason::FewSegments),
        }
    }

    fn measure(&self, column: &str) -> Result<Segmentation> {
        let found: Vec<OfMeasure> = self.job.plan.measures.par_iter().map(|measure| self.of_measure(self.measured(measure)?)).collect::<Result<_>>()?;
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

    fn measured(&self, measure: &crate::effects::Measure) -> Result<Measured> {
        let mut of = Outcomes::new(self.job, measure);
        of.columns.par_iter_mut().for_each(|column| *column = self.order.iter().map(|&row| column[row as usize]).collect());
        let rest = self.headline.scores(&of.outcomes())?;
        let contrast = &self.job.contrast;
        Ok(Measured { headline: of.forms.iter().map(|form| contrast.value(&contrast.effect(form))).collect(), rest, of })
    }

    /// The rows of each part, of some columns.
    fn by_part<'c>(&self, columns: &'c mut [Vec<f64>]) -> Vec<Vec<&'c mut [f64]>> {
        let mut of_parts: Vec<Vec<&mut [f64]>> = self.parts.iter().map(|_| Vec::with_capacity(columns.len())).collect();
        for column in columns {
            let mut left = column.as_mut_slice();
            for (part, of) in self.parts.iter().zip(&mut of_parts) {
                let (own, others) = left.split_at_mut(part.place.len());
                of.push(own);
                left = others;
            }
        }
        of_parts
    }

    fn of_measure(&self, mut measured: Measured) -> Result<OfMeasure> {
        let by_part = self.by_part(&mut measured.rest);
        let parts = self.parts.par_iter().zip(by_part);
        let found: Vec<Option<OfPart>> = parts.map(|(part, rest)| part.measure(&measured.of, rest, self.job.level)).collect::<Result<_>>()?;
        let measured = &measured;
        let mut of = OfMeasure { measure: measured.of.measure.clone(), effects: Vec::new(), between: Vec::new(), interaction: Vec::new() };
        for (at, name) in measured.of.names.iter().enumerate() {
            let rows = self.effect(measured, at, &found);
            let known = |value: fn(&SegmentEffect) -> Known<f64>| rows.iter().filter_map(|row| value(row).value()).collect::<Vec<f64>>();
            of.interaction.push((name.clone(), self.independent(cochran(&known(|r| r.per_customer), &known(|r| r.std_error))).into()));
            of.effects.extend(rows);
            of.between.push(self.between(measured, at, &found));
        }
        of.interaction.push(("all_parts".to_owned(), self.jointly(measured, &found)));
        Ok(of)
    }

    /// One effect in all segments.
    fn effect(&self, measured: &Measured, at: usize, found: &[Option<OfPart>]) -> Vec<SegmentEffect> {
        let mut rows: Vec<SegmentEffect> = self
            .parts
            .iter()
            .zip(found)
            .map(|(part, found)| match found {
                None => absent(&part.facts.segment, &measured.of, at, Reason::Undefined),
                Some(OfPart { estimates, .. }) => {
                    let estimate = &estimates[at];
                    let (ci_low, ci_high) = crate::profit::limits(estimate);
                    SegmentEffect {
                        per_customer: Known::Value(estimate.value),
                        std_error: Known::Value(estimate.std_error),
                        df: super::degrees(estimate.df),
                        p_value: estimate.p_value,
                        ci_low,
                        ci_high,
                        total: Known::Value(estimate.value * part.counted as f64),
                        ..absent(&part.facts.segment, &measured.of, at, Reason::FewSegments)
                    }
                }
            })
            .collect();
        let live: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].std_error.value().is_some_and(|se| se > 0.0)).collect();
        let known = |value: fn(&SegmentEffect) -> Known<f64>| live.iter().filter_map(|&i| value(&rows[i]).value()).collect::<Vec<f64>>();
        match self.independent(shrink(&known(|r| r.per_customer), &known(|r| r.std_error), self.job.level.confidence)) {
            Known::Value(shrunk) => {
                for (&i, shrunk) in live.iter().zip(shrunk) {
                    rows[i].shrunk = Known::Value(shrunk.value);
                    rows[i].shrunk_low = Known::from_option(shrunk.interval.low(), Reason::Undefined);
                    rows[i].shrunk_high = Known::from_option(shrunk.interval.high(), Reason::Undefined);
                }
            }
            Known::Missing(reason) => {
                let none = Known::Missing(reason);
                for &i in &live {
                    (rows[i].shrunk, rows[i].shrunk_low, rows[i].shrunk_high) = (none, none, none);
                }
            }
        }
        rows
    }

    /// The headline minus the segments' average, with the standard error of the difference of scores.
    fn between(&self, measured: &Measured, at: usize, found: &[Option<OfPart>]) -> BetweenSegments {
        let row =
            |per_customer, std_error| BetweenSegments { measure: measured.of.measure.clone(), effect: measured.of.names[at].clone(), per_customer, std_error };
        let mut average = 0.0;
        for (part, found) in self.parts.iter().zip(found) {
            let Some(found) = found else {
                return row(Known::Missing(Reason::Undefined), Known::Missing(Reason::Undefined));
            };
            average += part.facts.share * found.estimates[at].value;
        }
        let rest = &measured.rest[at];
        let assignment = &self.job.study.assignment;
        let variance: f64 = match &assignment.cluster {
            // A pair lies in one segment, or the segment has no answer: the segments' average is the headline itself, whatever is bought.
            None if assignment.pair.is_some() => 0.0,
            None => dot(rest, rest),
            Some(clusters) => {
                let mut sums = vec![0.0; clusters.names.len()];
                self.order.iter().zip(rest).for_each(|(&row, score)| sums[clusters.codes[row as usize] as usize] += score);
                dot(&sums, &sums)
            }
        };
        row(Known::Value(measured.headline[at] - average), Known::Value(variance.sqrt()))
    }

    /// The joint test over the parts that sum to the total.
    fn jointly(&self, measured: &Measured, found: &[Option<OfPart>]) -> Interaction {
        let (estimates, covariances): (Vec<_>, Vec<_>) = found
            .iter()
            .flatten()
            .map(|found| (measured.of.parts.iter().map(|&part| found.estimates[part].value).collect::<Vec<f64>>(), found.covariance.clone()))
            .unzip();
        self.independent(joint(&estimates, &covariances)).into()
    }
}

/// What one measure shows by segment.
struct OfMeasure {
    measure: String,
    effects: Vec<SegmentEffect>,
    between: Vec<BetweenSegments>,
    interaction: Vec<(String, Interaction)>,
}

/// What one measure shows in one segment, by effect.
struct OfPart {
    estimates: Vec<Estimate>,
    /// The covariance of the parts that sum to the total, row-major.
    covariance: Vec<f64>,
}

impl Part {
    /// One measure's effects here; takes the segment's share of its customers' scores from `rest`.
    fn measure(&self, of: &Outcomes, rest: Vec<&mut [f64]>, level: Level) -> Result<Option<OfPart>> {
        let Some(fit) = &self.fit else { return Ok(None) };
        let columns: Vec<&[f64]> = of.columns.iter().map(|column| &column[self.place.clone()]).collect();
        let (found, scores) = if let Some(found) = fit.singles(&columns, level) {
            let (estimates, scores): (Vec<Estimate>, Vec<Vec<f64>>) = found.into_iter().map(|single| (single.estimate, single.scores)).unzip();
            let covariance = symmetric(&of.parts, |a, b| dot(&scores[a], &scores[b]));
            (OfPart { estimates, covariance }, scores)
        } else {
            let (contrast, scores) = fit.contrast_with_scores(&outcomes(columns.into_iter()))?;
            let forms: Vec<_> = (0..scores.len()).map(|at| contrast.effect(&unit(at, scores.len()))).collect();
            let estimates = forms.iter().map(|form| contrast.estimate(form, level)).collect();
            let covariance = symmetric(&of.parts, |a, b| contrast.covariance(&forms[a], &forms[b]));
            (OfPart { estimates, covariance }, scores)
        };
        for (rest, own) in rest.into_iter().zip(&scores) {
            rest.iter_mut().zip(own).for_each(|(rest, own)| *rest -= self.facts.share * own);
        }
        Ok(Some(found))
    }
}

/// A symmetric matrix of some of the effects, row-major.
fn symmetric(of: &[usize], entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let k = of.len();
    let mut matrix = vec![0.0; k * k];
    for i in 0..k {
        for j in 0..=i {
            let value = entry(of[i], of[j]);
            (matrix[i * k + j], matrix[j * k + i]) = (value, value);
        }
    }
    matrix
}

/// The fit of some customers by themselves, or why there is none.
pub(super) fn fit(job: &Job<'_>, rows: &[u32], columns: &[Vec<f64>]) -> std::result::Result<Fit, String> {
    let study = job.study;
    Subset::new(study, rows, columns).fit(job.estimator.as_ref()).map_err(|undefined| {
        let error = named(undefined, &job.covariate_names, study);
        error.problems().first().map_or_else(|| error.to_string(), |problem| problem.text.clone())
    })
}

/// Whether a group of the first codes is in several of the second.
fn crosses(groups: &Codes, segments: &Codes) -> bool {
    let mut first: Vec<Option<u32>> = vec![None; groups.names.len()];
    groups.codes.iter().zip(&segments.codes).any(|(group, segment)| first[*group as usize].get_or_insert(*segment) != segment)
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
