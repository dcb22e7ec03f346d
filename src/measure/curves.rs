//! How the weekly curves are made: some weeks' cells at a time, one measure and one set of roles after the other.

use rayon::prelude::*;

use super::payback::{Payback, allows, forces, paid_back};
use super::weekly::{Curve, WeekEffect, WeekEstimate, WeekWeights, Weekly};
use super::{AbsentMeasure, Job, Plan, design, intervals};
use crate::cells::{Atom, CellSource, CellTable, MarkdownRule, OfferRule, Role, Span};
use crate::effects::{Measure, MeasureKind, effects, measure_by_customer};
use crate::error::{Fault, Input, Problem, Result};
use crate::estimate::{ArmForm, Contrast, Directions, Fit, Interval, Outcome, Simultaneous};
use crate::known::{Known, Reason};
use crate::study::{Arm, DaySpan, Period, Study, Windows};
use crate::validity::{Hazard, Warning};

/// Days of a week.
const DAYS: u32 = 7;
/// The most weeks: spans are numbered in a byte, 0 is no span. With 256 classes of products they are fewer than the 65,535 atoms that have a number.
const MOST_WEEKS: usize = 254;
/// Weeks of the baseline whose cells are held at once.
const WEEKS_AT_ONCE: usize = 12;
/// The measures whose payback is looked for.
const PAID_BACK: [&str; 3] = ["net_sales", "units", "margin"];
/// The curve of focal products and substitutes, which pays back.
pub(crate) const GAIN: &str = "focal_and_substitute";

/// The weeks of the covered windows.
pub(super) struct Weeks {
    /// Those of the baseline.
    pub(super) before: Vec<Span>,
    /// Those from the announcement, or the start, on.
    pub(super) after: Vec<Span>,
}

impl Weeks {
    pub(super) fn new(windows: &Windows) -> Result<Self> {
        let weeks = |period: Period, days: DaySpan| {
            (0..days.days().div_ceil(DAYS)).filter_map(move |week| {
                let first = days.first.plus(i64::from(week * DAYS));
                let days = DaySpan::new(first, first.plus(i64::from(DAYS) - 1).min(days.last))?;
                Some(Span { period, half: None, week: Some(week + 1), days })
            })
        };
        let spans: Vec<Span> = windows.all().iter().filter_map(|w| w.covered.map(|days| weeks(w.period, days))).flatten().collect();
        if spans.len() > MOST_WEEKS {
            let problem = Problem::new(Input::Promotion, Fault::OutOfRange, "the windows have too many weeks for a weekly curve").column("baseline_days");
            return Err(problem.value(spans.len()).remedy(format!("Choose a shorter baseline or post window: {MOST_WEEKS} weeks at most")).into());
        }
        let (before, after) = spans.into_iter().partition(|span| span.period == Period::Baseline);
        Ok(Self { before, after })
    }
}

/// The cells of some weeks; offer lines, general sales and baskets are not told apart.
pub(super) fn cells(study: &Study, plan: &Plan, source: &(impl CellSource + ?Sized), weeks: &[Span]) -> Result<CellTable> {
    let mut partition = plan.partition.clone();
    partition.spans = weeks.to_vec();
    partition.offer = OfferRule::None;
    partition.markdown = MarkdownRule::None;
    partition.baskets = false;
    let table = source.cells(&partition, &study.assignment, &plan.amounts)?;
    table.validate(&partition, &study.assignment, &plan.amounts)?;
    Ok(table)
}

/// Everything the curves of a study need.
pub(super) struct Curves<'a> {
    job: &'a Job<'a>,
    weeks: &'a Weeks,
    /// The weights of the baseline weeks, where the comparison before any covariate has an answer.
    unadjusted: Option<Fit>,
    parts: Vec<Part>,
    /// Shared by all bands.
    directions: Directions,
}

/// What a curve is of: some roles in some periods.
struct Part {
    name: String,
    /// Which roles, in the order of [`Role::ALL`]; the same in every period of the part.
    roles: [bool; 3],
    periods: Vec<Period>,
}

/// The weeks of some roles on one measure: an outcome a week, from the announcement or the start on.
struct ByWeek<'a> {
    curves: &'a Curves<'a>,
    roles: [bool; 3],
    contrast: Contrast,
}

/// The curves of one measure.
struct OfMeasure {
    curves: Vec<Curve>,
    payback: Option<Payback>,
}

/// The figures of a measure's baseline: by week, then by part that has a baseline.
type Before = Vec<Vec<WeekEstimate>>;

impl<'a> Curves<'a> {
    pub(super) fn new(job: &'a Job<'a>, weeks: &'a Weeks) -> Self {
        let study = job.study;
        let unadjusted = study.plain_fit().ok();
        let directions = Directions::new(weeks.after.len(), study.options.seed);
        Self { job, weeks, unadjusted, parts: parts(study, &job.plan.windows), directions }
    }

    /// All curves; `after` are the cells of the weeks from the announcement, or the start, on.
    pub(super) fn weekly(&self, source: &(impl CellSource + ?Sized), after: &CellTable) -> Result<Weekly> {
        let (study, plan) = (self.job.study, self.job.plan);
        let lacks = |measure: &Measure| match measure.kind {
            MeasureKind::Baskets => Some(Reason::NotAdditive),
            MeasureKind::Sum(_) => measure.terms().iter().any(|term| term.offer_lines).then_some(Reason::NotByWeek),
        };
        let measures: Vec<&Measure> = plan.measures.iter().filter(|m| lacks(m).is_none()).collect();
        let absent = plan.measures.iter().filter_map(|m| Some(AbsentMeasure { measure: m.name.clone(), reason: lacks(m)? }));
        let before = self.baselines(source, &measures)?;
        let (mut curves, mut paybacks) = (Vec::new(), Vec::new());
        // One measure after the other: its columns are let go before those of the next are made.
        for (measure, before) in measures.into_iter().zip(before) {
            let found = self.of_measure(after, measure, &before)?;
            curves.extend(found.curves);
            paybacks.extend(found.payback);
        }
        Ok(Weekly {
            promotion: study.promotion.id.clone(),
            estimator: study.options.estimator,
            estimand: design::estimand(study, self.job.estimator.as_ref()),
            confidence: study.options.confidence,
            alternative: study.options.alternative,
            seed: study.options.seed,
            randomised: study.promotion.randomised,
            conclusion: self.job.concluded(&self.job.books()?, None)?.conclusion,
            target_customers: self.job.fit.customers(Arm::Target),
            curves,
            paybacks,
            absent: plan.absent.iter().cloned().chain(absent).collect(),
            warnings: self.warnings(after),
        })
    }

    /// What a reader should know of the inputs and of the intervals, bands included.
    fn warnings(&self, after: &CellTable) -> Vec<Warning> {
        let of_intervals = intervals::warnings(self.job);
        // Weeks have no relative effects.
        let of_intervals = of_intervals.into_iter().filter(|warning| warning.warning != Hazard::EffectNotInProportion);
        let mut warnings: Vec<Warning> = self.job.plan.warnings.iter().cloned().chain(of_intervals).collect();
        if let Some(net_sales) = self.job.plan.measures.iter().find(|measure| measure.name == "net_sales") {
            warnings.extend(intervals::skewed_weeks(self.job, || self.skewness(after, net_sales)));
        }
        warnings
    }

    /// The skewness of the estimate of each week, all products together.
    fn skewness(&self, after: &CellTable, measure: &Measure) -> Vec<(String, f64)> {
        let before = self.before(measure, [true; 3]);
        let mut columns = self.columns(after, measure, [true; 3]);
        let weeks = columns.par_iter_mut().zip(&self.weeks.after);
        let of_week = |(column, span): (&mut Vec<f64>, &Span)| {
            if let Some(before) = &before {
                column.iter_mut().zip(before).for_each(|(y, b)| *y -= self.exposure(span) * b);
            }
            (format!("the week from {}", span.days.first), self.job.fit.skewness(column))
        };
        weeks.map(of_week).collect()
    }

    /// The baseline that difference in differences takes from each week.
    fn before(&self, measure: &Measure, roles: [bool; 3]) -> Option<Vec<f64>> {
        self.job.estimator.differences().then(|| column(self.job.table, measure, roles, |atom| atom.period == Period::Baseline))
    }

    /// The days of a week as a share of the baseline's.
    fn exposure(&self, span: &Span) -> f64 {
        f64::from(span.days.days()) / f64::from(self.job.plan.windows.days(Period::Baseline))
    }

    /// A measure of some roles in each week from the announcement, or the start, on, by customer.
    fn columns(&self, after: &CellTable, measure: &Measure, roles: [bool; 3]) -> Vec<Vec<f64>> {
        (0..self.weeks.after.len()).into_par_iter().map(|span| column(after, measure, roles, |atom| atom.span == span)).collect()
    }

    /// The baseline of each measure.
    fn baselines(&self, source: &(impl CellSource + ?Sized), measures: &[&Measure]) -> Result<Vec<Before>> {
        let mut found: Vec<Before> = measures.iter().map(|_| Vec::new()).collect();
        for weeks in self.weeks.before.chunks(WEEKS_AT_ONCE) {
            let table = cells(self.job.study, self.job.plan, source, weeks)?;
            for (measure, found) in measures.iter().zip(&mut found) {
                let weeks: Result<Before> = (0..weeks.len()).into_par_iter().map(|span| self.baseline_week(&table, measure, span)).collect();
                found.extend(weeks?);
            }
        }
        Ok(found)
    }

    /// A week of the baseline, by part: nothing sums over such weeks, so that each stands alone.
    fn baseline_week(&self, table: &CellTable, measure: &Measure, span: usize) -> Result<Vec<WeekEstimate>> {
        let Some(unadjusted) = &self.unadjusted else { return Ok(self.with_baseline().map(|_| WeekEstimate::missing(Reason::Undefined)).collect()) };
        let columns: Vec<Vec<f64>> = self.with_baseline().map(|part| column(table, measure, part.roles, |atom| atom.span == span)).collect();
        let contrast = unadjusted.contrast(&columns.iter().map(|values| Outcome::new(values)).collect::<Vec<_>>())?;
        let band = Interval::Missing { reason: Reason::BeforeStart };
        let estimate = |part: usize| WeekEstimate::new(&contrast.estimate(&unit(&contrast, part), self.job.level), band);
        Ok((0..columns.len()).map(estimate).collect())
    }

    /// The parts that have weeks of the baseline.
    fn with_baseline(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.periods.contains(&Period::Baseline))
    }

    fn of_measure(&self, table: &CellTable, measure: &Measure, before: &Before) -> Result<OfMeasure> {
        let mut by_week: Vec<ByWeek<'_>> = Vec::new();
        for part in &self.parts {
            // Parts of the same roles read the same weeks.
            if by_week.iter().all(|weeks| weeks.roles != part.roles) {
                by_week.push(self.by_week(table, measure, part.roles)?);
            }
        }
        let weeks_of = |part: &Part| by_week.iter().find(|weeks| weeks.roles == part.roles);
        let curve = |part: &Part| {
            let mut weeks = self.baseline_of(part, before);
            weeks.extend(weeks_of(part)?.weeks(part));
            (!weeks.is_empty()).then(|| Curve { measure: measure.name.clone(), part: part.name.clone(), weeks })
        };
        let curves: Vec<Curve> = self.parts.par_iter().filter_map(curve).collect();
        let pays_back = PAID_BACK.contains(&measure.name.as_str());
        let gain = curves.iter().find(|curve| curve.part == GAIN).filter(|_| pays_back);
        let payback = gain.and_then(|curve| {
            let part = self.parts.iter().find(|part| part.name == GAIN)?;
            Some(weeks_of(part)?.payback(part, curve))
        });
        Ok(OfMeasure { curves, payback })
    }

    /// The baseline of a part as rows of its curve.
    fn baseline_of(&self, part: &Part, before: &Before) -> Vec<WeekEffect> {
        let Some(place) = self.with_baseline().position(|other| other.name == part.name) else { return Vec::new() };
        let none = Known::Missing(Reason::BeforeStart);
        let weeks = self.weeks.before.iter().zip(before);
        weeks.filter_map(|(span, estimates)| Some(week(span, WeekWeights::Unadjusted, *estimates.get(place)?, none))).collect()
    }

    fn by_week(&'a self, table: &CellTable, measure: &Measure, roles: [bool; 3]) -> Result<ByWeek<'a>> {
        let job = self.job;
        let before = self.before(measure, roles);
        let columns = self.columns(table, measure, roles);
        let outcomes: Vec<Outcome<'_>> = columns
            .iter()
            .zip(&self.weeks.after)
            .map(|(values, span)| match &before {
                Some(before) => Outcome::new(values).with_before(before, self.exposure(span)),
                None => Outcome::new(values),
            })
            .collect();
        let contrast = job.fit.contrast(&outcomes)?;
        Ok(ByWeek { curves: self, roles, contrast })
    }
}

/// A measure of some roles in the atoms that meet a condition, by customer.
fn column(table: &CellTable, measure: &Measure, roles: [bool; 3], which: impl Fn(&Atom) -> bool) -> Vec<f64> {
    let counts = |role: Role| Role::ALL.iter().zip(roles).any(|(other, counts)| counts && *other == role);
    measure_by_customer(table, measure, |atom| counts(atom.class.role) && which(atom))
}

/// The effect on one outcome.
fn unit(contrast: &Contrast, outcome: usize) -> ArmForm {
    let mut coefficients = vec![0.0; outcome];
    coefficients.push(1.0);
    contrast.effect(&coefficients)
}

/// The parts that curves are made of.
fn parts(study: &Study, windows: &Windows) -> Vec<Part> {
    let announced = study.promotion.announced.is_some_and(|a| a < study.promotion.start);
    let part = |name: &str, roles: [bool; 3], periods: &[Period]| Part { name: name.to_owned(), roles, periods: periods.to_vec() };
    let mut parts: Vec<Part> = Vec::new();
    for effect in effects(windows, announced, false).iter().filter(|effect| effect.name != "total") {
        let roles = Role::ALL.map(|role| effect.cells.iter().any(|(other, _)| *other == role));
        let periods: Vec<Period> = Period::ALL.into_iter().filter(|period| effect.cells.iter().any(|(_, other)| other == period)).collect();
        parts.push(part(&effect.name, roles, &periods));
    }
    parts.push(part("total", [true; 3], &Period::ALL));
    parts.extend(Role::ALL.map(|role| part(role.name(), Role::ALL.map(|other| other == role), &Period::ALL)));
    parts.push(part(GAIN, Role::ALL.map(|role| role != Role::Other), &[Period::Promotion, Period::Post]));
    parts
}

impl ByWeek<'_> {
    /// The weeks of a part with the form of each.
    fn forms<'s>(&'s self, part: &'s Part) -> impl Iterator<Item = (&'s Span, ArmForm)> {
        let weeks = self.curves.weeks.after.iter().enumerate().filter(|(_, span)| part.periods.contains(&span.period));
        weeks.map(|(place, span)| (span, unit(&self.contrast, place)))
    }

    fn weeks(&self, part: &Part) -> Vec<WeekEffect> {
        let (spans, forms): (Vec<&Span>, Vec<ArmForm>) = self.forms(part).unzip();
        let sums = running(&forms);
        let weeks = spans.iter().zip(self.band(&forms)).zip(self.band(&sums));
        weeks.map(|((span, effect), sum)| week(span, WeekWeights::Study, effect, Known::Value(sum))).collect()
    }

    /// Estimates with their band.
    fn band(&self, forms: &[ArmForm]) -> Vec<WeekEstimate> {
        let joint = self.contrast.simultaneous_over(&self.curves.directions, forms, Simultaneous::MaxT, self.curves.job.level);
        joint.iter().map(|joint| WeekEstimate::new(&joint.alone, wider(joint.alone.interval, joint.interval))).collect()
    }

    fn payback(&self, part: &Part, gain: &Curve) -> Payback {
        let answer = |meets: &dyn Fn(usize, &WeekEstimate) -> Known<bool>| paid_back(&gain.weeks, meets);
        let sums = running(&self.forms(part).map(|(_, form)| form).collect::<Vec<_>>());
        Payback {
            measure: gain.measure.clone(),
            // What is eaten to the cent leaves a rest of rounding, on either side of zero.
            week: answer(&|index, sum| sum.value.map(|value| value <= 0.0 || self.contrast.is_nothing(&sums[index]))),
            earliest: answer(&|_, sum| allows(sum.band)),
            latest: answer(&|_, sum| forces(sum.band)),
        }
    }
}

fn week(span: &Span, weights: WeekWeights, effect: WeekEstimate, cumulative: Known<WeekEstimate>) -> WeekEffect {
    WeekEffect { period: span.period, week: span.week.unwrap_or(1), days: span.days, weights, effect, cumulative }
}

/// Each form with all before it.
fn running(forms: &[ArmForm]) -> Vec<ArmForm> {
    let mut sums: Vec<ArmForm> = Vec::with_capacity(forms.len());
    for form in forms {
        let sum = match sums.last() {
            Some(before) => before.clone().plus(1.0, form),
            None => form.clone(),
        };
        sums.push(sum);
    }
    sums
}

/// The interval that holds what either holds: the directions of the band are drawn, which must not make it narrower than one week's own interval.
fn wider(alone: Interval, band: Interval) -> Interval {
    match (alone, band) {
        (Interval::Bounded { low: a, high: b }, Interval::Bounded { low, high }) => Interval::Bounded { low: low.min(a), high: high.max(b) },
        (Interval::AtLeast { low: a }, Interval::AtLeast { low }) => Interval::AtLeast { low: low.min(a) },
        (Interval::AtMost { high: b }, Interval::AtMost { high }) => Interval::AtMost { high: high.max(b) },
        (_, band) => band,
    }
}
