//! The weekly curve: what each week contributed to the effects, and by which week forward buying has eaten the gain.
//!
//! Weeks are runs of seven days counted from the first covered day of each period; the last week of a period may be short. With the study's weights `w_i` the effect
//! of week `k` on a measure of some roles is `e_k = sum_i w_i y_ik`, `y_ik` what customer `i` bought of those roles in that week. Difference in differences takes the
//! week's days' share of the baseline from it: `y_ik - (days of k / baseline days) b_i`. The weights are those of [`Study::measure`], so that the weeks of a period
//! add up to the period's effect, and their joint covariance to its variance.
//!
//! Those weights make the baselines of the arms equal, so that a baseline week would be near zero by construction. Baseline weeks are shown by the plain difference
//! in means (within strata, by clusters, where the study has them) and labelled [`WeekWeights::Unadjusted`]: they show how the arms differed before, and are no
//! effects.
//!
//! Bands are single-step max-t ([`MaxT`](crate::estimate::MaxT), seeded by the study): of all weeks of a curve from the announcement or the start on together, and
//! of all its sums to date together. Montiel Olea and Plagborg-Moller (2019) discuss such sup-t bands for curves.

use rayon::prelude::*;
use serde::Serialize;

use super::design::{self, Fitted, fitted};
use super::{AbsentMeasure, Plan, degrees, meeting, oddities};
use crate::cells::{CellSource, CellTable, MarkdownRule, OfferRule, Role, Span};
use crate::effects::{Effect, Measure, MeasureKind, effects, measure_by_customer};
use crate::error::{Fault, Input, Problem, Result};
use crate::estimate::{ArmForm, Contrast, Directions, Estimand, Estimate, Estimator, Fit, Interval, Level, Outcome, Simultaneous, Unadjusted, estimator};
use crate::known::{Known, Reason, serialize_known};
use crate::study::{Alternative, Arm, Day, DaySpan, EstimatorName, Period, Study, Windows};
use crate::validity::Warning;

/// Days of a week.
const DAYS: u32 = 7;
/// Weeks that a partition can hold: spans are numbered in a byte, 0 is no span. With 256 classes of products they are fewer than the 65,535 atoms that have a number.
const MOST_WEEKS: u32 = 254;
/// The measures whose payback is looked for.
const PAID_BACK: [&str; 3] = ["net_sales", "units", "margin"];
/// The curve of focal products and substitutes, which pays back.
const GAIN: &str = "focal_and_substitute";

/// The effects of a study by week.
///
/// It is arithmetic and no verdict: whether the figures may be called effects, [`Study::measure`] says. serde gives JSON, [`Weekly::frame`] a tidy frame.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct Weekly {
    /// The promotion.
    pub promotion: String,
    /// The estimator whose weights are used from the announcement, or the start, on.
    pub estimator: EstimatorName,
    /// Whose average effect it estimates.
    pub estimand: Estimand,
    /// Confidence of intervals and bands.
    pub confidence: f64,
    /// Which departures count.
    pub alternative: Alternative,
    /// The seed of the bands.
    pub seed: u64,
    /// Target customers: times an effect per customer they give the total.
    pub target_customers: usize,
    /// The curves, by measure.
    pub curves: Vec<Curve>,
    /// By which week the gain was eaten, by measure.
    pub paybacks: Vec<Payback>,
    /// Measures that have no weekly curve, and why.
    pub absent: Vec<AbsentMeasure>,
    /// What a reader should know of the inputs.
    pub warnings: Vec<Warning>,
}

/// A measure of some products by week.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// The measure.
    pub measure: String,
    /// An effect (`direct`, `cannibalisation`, `halo`, `forward_buying`, `carry_over`, `anticipation`) in its own weeks; `total`, all products in all weeks; a role
    /// (`focal`, `substitute`, `other`) in all weeks; or `focal_and_substitute` from the start on.
    pub part: String,
    /// The weeks in the order of time. Only `total` and roles have baseline weeks.
    pub weeks: Vec<WeekEffect>,
}

/// A week of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct WeekEffect {
    /// The period.
    pub period: Period,
    /// The week of the period, counted from 1.
    pub week: u32,
    /// Its days: seven, or fewer in the last week of a period.
    pub days: DaySpan,
    /// Whose weights.
    pub weights: WeekWeights,
    /// The effect in this week; in the baseline the plain difference.
    pub effect: WeekEstimate,
    /// The sum of the curve's weeks from the announcement, or the start, to this one (`focal_and_substitute`: from the start). Missing in the baseline.
    pub cumulative: Known<WeekEstimate>,
}

serialize_known!(WeekEffect { plain period, plain week, plain days, plain weights, plain effect, known cumulative });

/// Whose weights a week's figure has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WeekWeights {
    /// Those of the study's estimator.
    Study,
    /// Those of the difference in means: no effect, but how the arms differed before.
    Unadjusted,
}

impl WeekWeights {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Study => "study",
            Self::Unadjusted => "unadjusted",
        }
    }
}

/// An effect per customer, in the measure's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeekEstimate {
    /// The effect.
    pub value: Known<f64>,
    /// Its standard error.
    pub std_error: Known<f64>,
    /// Degrees of freedom.
    pub df: Known<f64>,
    /// The p-value against no effect, of this week by itself.
    pub p_value: Known<f64>,
    /// The interval of this week by itself.
    pub interval: Interval,
    /// The interval that holds together with those of the curve's other weeks; never within the one by itself. Missing in the baseline.
    pub band: Interval,
}

serialize_known!(WeekEstimate { known value, known std_error, known df, known p_value, plain interval, plain band });

/// By which week the gain on focal products and substitutes was eaten by what was only bought earlier.
///
/// The gain to date `G(k)` is the sum of the effects on focal products and substitutes from the start to the end of week `k` (curve `focal_and_substitute`,
/// `cumulative`): direct effect plus cannibalisation at the end of the promotion, plus the forward buying since. It is paid back by the first week after the end with
/// `G(k)` no longer above zero. With the confidence of the band that week lies from `earliest` to `latest`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Payback {
    /// The measure.
    pub measure: String,
    /// The week by the estimate.
    pub week: PaybackWeek,
    /// The first week in which the band allows it: its lower limit is not above zero.
    pub earliest: PaybackWeek,
    /// The first week in which the band forces it: its upper limit is not above zero.
    pub latest: PaybackWeek,
}

/// The answer to when a gain was paid back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PaybackWeek {
    /// There is nothing to pay back: at the end of the promotion the gain is not above zero.
    NothingGained,
    /// By the end of this week after the promotion.
    Week {
        /// The week of the post period, counted from 1.
        week: u32,
        /// Its last day.
        last_day: Day,
    },
    /// Not by the end of the windows.
    NotWithinWindows,
    /// It cannot be said.
    Missing {
        /// Why.
        reason: Reason,
    },
}

impl Study {
    /// Measures each week of the promotion with the weights of [`Study::measure`].
    ///
    /// One pass over the lines, with as many cells as classes of products times weeks; 254 weeks at most.
    ///
    /// # Errors
    /// As [`Study::measure`]; more than 254 weeks; cells that were summed elsewhere, which are not by week ([`Fault::Unsupported`]).
    pub fn weekly(&self, source: &(impl CellSource + ?Sized)) -> Result<Weekly> {
        let mut plan = by_week(self.plan(&source.catalogue())?)?;
        let table = source.cells(&plan.partition, &self.assignment, &plan.amounts)?;
        plan.warnings.extend(meeting::check(self, source, &plan, &table)?);
        oddities::check(&table, &self.promotion)?;
        table.validate(&plan.partition, &self.assignment, &plan.amounts)?;
        Curves::new(self, &plan, &table)?.weekly()
    }
}

impl Weekly {
    /// The curve of a measure and part.
    #[must_use]
    pub fn curve(&self, measure: &str, part: &str) -> Option<&Curve> {
        self.curves.iter().find(|curve| curve.measure == measure && curve.part == part)
    }

    /// The payback of a measure.
    #[must_use]
    pub fn payback(&self, measure: &str) -> Option<&Payback> {
        self.paybacks.iter().find(|payback| payback.measure == measure)
    }
}

/// The plan with a span a week; offer lines, general sales and baskets are not told apart.
fn by_week(mut plan: Plan) -> Result<Plan> {
    let weeks: u32 = plan.windows.all().iter().filter_map(|w| w.covered).map(|days| days.days().div_ceil(DAYS)).fold(0, u32::saturating_add);
    if weeks > MOST_WEEKS {
        let problem = Problem::new(Input::Promotion, Fault::OutOfRange, "the windows have too many weeks for a weekly curve").column("baseline_days");
        return Err(problem.value(weeks).remedy(format!("Choose a shorter baseline or post window: {MOST_WEEKS} weeks at most")).into());
    }
    plan.partition.spans = spans(&plan.windows);
    plan.partition.offer = OfferRule::None;
    plan.partition.markdown = MarkdownRule::None;
    plan.partition.baskets = false;
    Ok(plan)
}

/// The weeks of the covered windows.
fn spans(windows: &Windows) -> Vec<Span> {
    let weeks = |period: Period, days: DaySpan| {
        (0..days.days().div_ceil(DAYS)).filter_map(move |week| {
            let first = days.first.plus(i64::from(week * DAYS));
            let days = DaySpan::new(first, first.plus(i64::from(DAYS) - 1).min(days.last))?;
            Some(Span { period, half: None, week: Some(week + 1), days })
        })
    };
    windows.all().iter().filter_map(|w| w.covered.map(|days| weeks(w.period, days))).flatten().collect()
}

/// Everything the curves of a study need.
struct Curves<'a> {
    study: &'a Study,
    plan: &'a Plan,
    table: &'a CellTable,
    estimator: Box<dyn Estimator>,
    /// The study's weights.
    fit: Fit,
    /// Those of the baseline weeks, where the difference in means has an answer.
    unadjusted: Option<Fit>,
    parts: Vec<Effect>,
    level: Level,
    /// Shared by all bands.
    directions: Directions,
}

/// The contrasts of one measure: outcomes are week x role, weeks from the announcement or the start on in one, those of the baseline in the other.
struct ByWeek<'a> {
    curves: &'a Curves<'a>,
    baseline: Option<Contrast>,
    after: Contrast,
}

/// The curves of one measure.
struct OfMeasure {
    curves: Vec<Curve>,
    payback: Option<Payback>,
}

impl<'a> Curves<'a> {
    fn new(study: &'a Study, plan: &'a Plan, table: &'a CellTable) -> Result<Self> {
        let estimator = estimator(&study.options);
        let Fitted { fit, .. } = fitted(study, plan, table, estimator.as_ref())?;
        let unadjusted = Unadjusted.fit(&study.design(&[])).ok();
        let weeks = table.spans.iter().filter(|span| span.period != Period::Baseline).count();
        let directions = Directions::new(weeks, study.options.seed);
        Ok(Self { study, plan, table, estimator, fit, unadjusted, parts: parts(study, &plan.windows), level: Level::from(&study.options), directions })
    }

    fn weekly(&self) -> Result<Weekly> {
        let (study, plan) = (self.study, self.plan);
        let lacks = |measure: &Measure| match measure.kind {
            MeasureKind::Baskets => Some(Reason::NotAdditive),
            MeasureKind::Sum(_) => measure.terms().iter().any(|term| term.offer_lines).then_some(Reason::NotByWeek),
        };
        let found: Vec<OfMeasure> = plan.measures.par_iter().filter(|m| lacks(m).is_none()).map(|m| self.of_measure(m)).collect::<Result<_>>()?;
        let absent = plan.measures.iter().filter_map(|m| Some(AbsentMeasure { measure: m.name.clone(), reason: lacks(m)? }));
        let (mut curves, mut paybacks) = (Vec::new(), Vec::new());
        for of in found {
            curves.extend(of.curves);
            paybacks.extend(of.payback);
        }
        Ok(Weekly {
            promotion: study.promotion.id.clone(),
            estimator: study.options.estimator,
            estimand: design::estimand(study, self.estimator.as_ref()),
            confidence: study.options.confidence,
            alternative: study.options.alternative,
            seed: study.options.seed,
            target_customers: study.assignment.count(Arm::Target),
            curves,
            paybacks,
            absent: plan.absent.iter().cloned().chain(absent).collect(),
            warnings: plan.warnings.clone(),
        })
    }

    /// The weeks of the baseline, or all others.
    fn weeks(&self, baseline: bool) -> impl Iterator<Item = (usize, &'a Span)> {
        self.table.spans.iter().enumerate().filter(move |(_, span)| (span.period == Period::Baseline) == baseline)
    }

    /// A measure of one role in the spans that meet a condition, by customer.
    fn column(&self, measure: &Measure, role: Role, spans: impl Fn(usize) -> bool) -> Vec<f64> {
        measure_by_customer(self.table, measure, |atom| atom.class.role == role && spans(atom.span))
    }

    fn of_measure(&self, measure: &Measure) -> Result<OfMeasure> {
        let columns = |baseline: bool| -> Vec<Vec<f64>> {
            self.weeks(baseline).flat_map(|(span, _)| Role::ALL.map(|role| self.column(measure, role, |s| s == span))).collect()
        };
        let before: Vec<Vec<f64>> = if self.estimator.differences() {
            let in_baseline = |span: usize| self.table.spans[span].period == Period::Baseline;
            Role::ALL.iter().map(|role| self.column(measure, *role, in_baseline)).collect()
        } else {
            Vec::new()
        };
        let baseline_days = f64::from(self.plan.windows.days(Period::Baseline));
        let after = columns(false);
        let weeks = self.weeks(false).flat_map(|(_, span)| (0..Role::ALL.len()).map(move |role| (span, role)));
        let outcomes: Vec<Outcome<'_>> = after
            .iter()
            .zip(weeks)
            .map(|(values, (span, role))| match before.get(role) {
                Some(before) => Outcome::new(values).with_before(before, f64::from(span.days.days()) / baseline_days),
                None => Outcome::new(values),
            })
            .collect();
        let after = self.fit.contrast(&outcomes)?;
        let baseline = match &self.unadjusted {
            Some(unadjusted) => Some(unadjusted.contrast(&columns(true).iter().map(|values| Outcome::new(values)).collect::<Vec<_>>())?),
            None => None,
        };
        let by_week = ByWeek { curves: self, baseline, after };
        let curves: Vec<Curve> = self.parts.iter().map(|part| by_week.curve(measure, part)).collect();
        let gain = self.parts.iter().zip(&curves).find(|(part, _)| part.name == GAIN).filter(|_| PAID_BACK.contains(&measure.name.as_str()));
        let payback = gain.map(|(part, curve)| by_week.payback(part, curve));
        Ok(OfMeasure { curves: curves.into_iter().filter(|curve| !curve.weeks.is_empty()).collect(), payback })
    }
}

/// The parts that curves are made of, each as the cells it counts.
fn parts(study: &Study, windows: &Windows) -> Vec<Effect> {
    let announced = study.promotion.announced.is_some_and(|a| a < study.promotion.start);
    let cells = |roles: &[Role], periods: &[Period]| periods.iter().flat_map(|period| roles.iter().map(move |role| (*role, *period))).collect();
    let part = |name: &str, roles: &[Role], periods: &[Period]| Effect { name: name.to_owned(), cells: cells(roles, periods), marked_down: None, absent: None };
    let mut parts = effects(windows, announced, false);
    parts.retain(|part| part.name != "total");
    parts.push(part("total", &Role::ALL, &Period::ALL));
    parts.extend(Role::ALL.map(|role| part(role.name(), &[role], &Period::ALL)));
    parts.push(part(GAIN, &[Role::Focal, Role::Substitute], &[Period::Promotion, Period::Post]));
    parts
}

impl ByWeek<'_> {
    /// The form of a part in each of its weeks, with the week.
    fn forms<'s>(&'s self, contrast: &'s Contrast, part: &'s Effect, baseline: bool) -> impl Iterator<Item = (&'s Span, ArmForm)> {
        let roles = Role::ALL.len();
        let weeks = self.curves.weeks(baseline).enumerate().filter(|(_, (_, span))| has_week(part, span));
        weeks.map(move |(place, (_, span))| {
            let mut coefficients = vec![0.0; contrast.outcomes()];
            for (role, coefficient) in Role::ALL.iter().zip(&mut coefficients[place * roles..(place + 1) * roles]) {
                *coefficient = f64::from(u8::from(part.cells.contains(&(*role, span.period))));
            }
            (span, contrast.effect(&coefficients))
        })
    }

    fn curve(&self, measure: &Measure, part: &Effect) -> Curve {
        let mut weeks = self.before(part);
        weeks.extend(self.after(part));
        Curve { measure: measure.name.clone(), part: part.name.clone(), weeks }
    }

    /// The weeks of the baseline.
    fn before(&self, part: &Effect) -> Vec<WeekEffect> {
        let reason = Reason::BeforeStart;
        let week = |span: &Span, effect| week(span, WeekWeights::Unadjusted, effect, Known::Missing(reason));
        let Some(contrast) = &self.baseline else {
            let spans = self.curves.weeks(true).map(|(_, span)| span).filter(|span| has_week(part, span));
            return spans.map(|span| week(span, WeekEstimate::missing(Reason::Undefined))).collect();
        };
        let forms = self.forms(contrast, part, true);
        forms.map(|(span, form)| week(span, WeekEstimate::new(&contrast.estimate(&form, self.curves.level), Interval::Missing { reason }))).collect()
    }

    /// The weeks from the announcement, or the start, on.
    fn after(&self, part: &Effect) -> Vec<WeekEffect> {
        let (spans, forms): (Vec<&Span>, Vec<ArmForm>) = self.forms(&self.after, part, false).unzip();
        let sums = running(&forms);
        let weeks = spans.iter().zip(self.band(&forms)).zip(self.band(&sums));
        weeks.map(|((span, effect), sum)| week(span, WeekWeights::Study, effect, Known::Value(sum))).collect()
    }

    /// Estimates with their band.
    fn band(&self, forms: &[ArmForm]) -> Vec<WeekEstimate> {
        let joint = self.after.simultaneous_over(&self.curves.directions, forms, Simultaneous::MaxT, self.curves.level);
        joint.iter().map(|joint| WeekEstimate::new(&joint.alone, wider(joint.alone.interval, joint.interval))).collect()
    }

    fn payback(&self, part: &Effect, gain: &Curve) -> Payback {
        let answer = |meets: &dyn Fn(usize, &WeekEstimate) -> Known<bool>| paid_back(&gain.weeks, meets);
        let sums = running(&self.forms(&self.after, part, false).map(|(_, form)| form).collect::<Vec<_>>());
        Payback {
            measure: gain.measure.clone(),
            // What is eaten to the cent leaves a rest of rounding, on either side of zero.
            week: answer(&|index, sum| sum.value.map(|value| value <= 0.0 || self.after.is_nothing(&sums[index]))),
            earliest: answer(&|_, sum| allows(sum.band)),
            latest: answer(&|_, sum| forces(sum.band)),
        }
    }
}

/// Whether a part has cells in the period of a week.
fn has_week(part: &Effect, span: &Span) -> bool {
    part.cells.iter().any(|(_, period)| *period == span.period)
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

/// The first week from the end of the promotion on whose sum to date meets a condition.
fn paid_back(weeks: &[WeekEffect], meets: &dyn Fn(usize, &WeekEstimate) -> Known<bool>) -> PaybackWeek {
    let post = weeks.iter().position(|week| week.period == Period::Post);
    let Some(end) = post.and_then(|post| post.checked_sub(1)) else { return PaybackWeek::Missing { reason: Reason::NoPostWindow } };
    for (index, week) in weeks.iter().enumerate().skip(end) {
        let met = match week.cumulative {
            Known::Value(sum) => meets(index, &sum),
            Known::Missing(reason) => Known::Missing(reason),
        };
        match met {
            Known::Value(false) => {}
            Known::Value(true) if index == end => return PaybackWeek::NothingGained,
            Known::Value(true) => return PaybackWeek::Week { week: week.week, last_day: week.days.last },
            Known::Missing(reason) => return PaybackWeek::Missing { reason },
        }
    }
    PaybackWeek::NotWithinWindows
}

/// Whether a band holds values that are not above zero.
fn allows(band: Interval) -> Known<bool> {
    match band {
        Interval::Bounded { low, .. } | Interval::AtLeast { low } => Known::Value(low <= 0.0),
        Interval::AtMost { .. } | Interval::Unbounded | Interval::Exclusive { .. } => Known::Value(true),
        Interval::Missing { reason } => Known::Missing(reason),
    }
}

/// Whether a band holds no value above zero.
fn forces(band: Interval) -> Known<bool> {
    match band {
        Interval::Bounded { high, .. } | Interval::AtMost { high } => Known::Value(high <= 0.0),
        Interval::AtLeast { .. } | Interval::Unbounded | Interval::Exclusive { .. } => Known::Value(false),
        Interval::Missing { reason } => Known::Missing(reason),
    }
}

impl WeekEstimate {
    fn new(estimate: &Estimate, band: Interval) -> Self {
        Self {
            value: Known::Value(estimate.value),
            std_error: Known::Value(estimate.std_error),
            df: degrees(estimate.df),
            p_value: estimate.p_value,
            interval: estimate.interval,
            band,
        }
    }

    fn missing(reason: Reason) -> Self {
        let none = Known::Missing(reason);
        Self { value: none, std_error: none, df: none, p_value: none, interval: Interval::Missing { reason }, band: Interval::Missing { reason } }
    }
}
