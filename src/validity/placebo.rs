//! The held-out placebo: the same estimator, asked about days before the promotion, must find nothing.

use super::CheckResult;
use super::checks::{Check, Evidence, fail_or_warn, result};
use super::draw::{Draw, Redraw};
use super::permutation::{Test, permuted};
use crate::cells::{Atom, Role};
use crate::effects::measure_by_customer;
use crate::estimate::{ArmForm, Contrast, Known, Outcome, pooled_residuals};
use crate::known::Reason;
use crate::study::{Alternative, Arm, DaySpan, EstimatorName, Period};

/// The largest share of the counterfactual mean that can be said not to matter.
const MARGIN: f64 = 0.05;

/// Outcomes are the three roles' net sales in the second half of the baseline. Baseline covariates, and what difference in differences subtracts, come
/// from the first half **only**: with those of the whole baseline it would always pass, since the weights annihilate them. Customer attributes enter as
/// in the study: they are fixed before the promotion by the user's word, and without them another estimator would be tested.
///
/// The test is the joint Wald test of the estimator. Its F distribution is too short-tailed for skewed sales in a small arm (50 customers of 550,
/// log-normal with sigma 1.2: 1.7 % of clean draws fall below .001), so that for a drawn target whose smaller arm has fewer than 200 customers (clusters,
/// where whole clusters were drawn) a randomisation test takes its place: the second half less what least squares on the same covariates, arms ignored,
/// says of it (Freedman and Lane 1983), the joint Wald statistic of the plain difference within strata, arms drawn anew within strata, clusters whole (split
/// ones: within clusters). Covariates and outcomes are taken from their means in the stratum (a split cluster), whatever the arm, before the regression. No
/// arm enters the residuals, so that under a draw the test is exact. Where clusters are partly whole and partly split no draw can be repeated: the Wald
/// test stays, and the check says so.
///
/// It can object to a chosen target for two reasons: it finds a difference, or it is too wide to show that there is none. The interval of the total
/// must stay within a margin that would not matter: half the smallest goal on total net sales, but never more than 5 % of the counterfactual mean, so that
/// an ambitious goal buys no licence. A goal in money is compared per day: half of it times the days of the second half over those after the baseline.
pub(super) struct Placebo;

impl Check for Placebo {
    fn name(&self) -> &'static str {
        "placebo"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        if evidence.nothing_bought() {
            return CheckResult::not_run(self.name(), Reason::NothingBought);
        }
        if evidence.windows.days(Period::Baseline) == 0 {
            return CheckResult::not_run(self.name(), Reason::NoBaseline);
        }
        if evidence.windows.days(Period::Baseline) < 14 {
            return CheckResult::not_run(self.name(), Reason::ShortBaseline);
        }
        match held_out(evidence) {
            Known::Value(found) => self.judge(evidence, &found),
            Known::Missing(reason) => CheckResult::not_run(self.name(), reason),
        }
    }
}

/// What the held-out estimate says.
struct HeldOut {
    test: Test,
    total: f64,
    std_error: f64,
    low: f64,
    high: f64,
    /// What would not matter.
    margin: f64,
}

impl Placebo {
    fn judge(&self, evidence: &Evidence<'_>, found: &HeldOut) -> CheckResult {
        let margin = found.margin;
        let reaches = !(found.low >= -margin && found.high <= margin);
        let randomised = evidence.study.promotion.randomised;
        let p = found.test.p_value;
        let fail = if randomised { p < 0.001 } else { p < 0.05 || reaches };
        let status = fail_or_warn(fail, p < 0.05);
        let threshold = if randomised && fail { 0.001 } else { 0.05 };
        let t = if found.std_error > 0.0 { format!(", t = {:.2}", found.total / found.std_error) } else { String::new() };
        let mut text = format!("before the promotion the method finds {:.2} per customer in total ({:.2} to {:.2}{t})", found.total, found.low, found.high);
        text.push_str(&found.test.words);
        let attributes = &evidence.study.options.customer_covariates;
        if evidence.estimator.adjusts() && !attributes.is_empty() {
            text = format!("{text}; accounted for as in the study, taken as fixed before the promotion: {}", attributes.join(", "));
        }
        if !randomised && reaches {
            text = format!("{text}; that interval reaches beyond the {margin:.2} that would not matter");
        }
        result(self.name(), status, found.test.statistic, Some(p), threshold, text)
    }
}

/// The difference per customer in the second half that would not matter; `level` is the counterfactual mean there.
fn margin(evidence: &Evidence<'_>, level: f64, second: DaySpan) -> f64 {
    let goals = evidence.study.promotion.goals.iter().filter(|g| g.effect.as_deref() == Some("total") && g.measure.as_deref() == Some("net_sales"));
    let after: u32 = [Period::Anticipation, Period::Promotion, Period::Post].map(|period| evidence.windows.days(period)).iter().sum();
    let per_day = f64::from(second.days()) / f64::from(after.max(1));
    let targets = evidence.fit.customers(Arm::Target) as f64;
    let halves = goals.filter_map(|goal| {
        let whole = goal.relative.map(|r| r * level).or_else(|| goal.per_customer.map(|x| x * per_day)).or_else(|| goal.total.map(|x| x / targets * per_day));
        whole.map(|whole| whole.abs() / 2.0)
    });
    halves.fold(MARGIN * level.abs(), f64::min)
}

/// The second half with the design of the first.
struct Halves {
    second: DaySpan,
    /// Net sales of each role in the second half.
    outcomes: Vec<Vec<f64>>,
    /// The same in the first, for difference in differences.
    before: Vec<Vec<f64>>,
    exposure: f64,
    covariates: Vec<Vec<f64>>,
}

impl Halves {
    fn new(evidence: &Evidence<'_>) -> Option<Self> {
        let (first, second) = evidence.windows.baseline_halves()?;
        let in_half = |half: u8| move |atom: &Atom| evidence.cells.spans.get(atom.span).is_some_and(|s| s.period == Period::Baseline && s.half == Some(half));
        let by_role = |role: Role, half: u8| evidence.net_sales_where(|a| a.class.role == role && in_half(half)(a));
        let outcomes = Role::ALL.iter().map(|r| by_role(*r, 2)).collect();
        let before = Role::ALL.iter().map(|r| by_role(*r, 1)).collect();
        let covariates = if evidence.estimator.adjusts() { covariates(evidence, first, &in_half(1)) } else { Vec::new() };
        Some(Self { second, outcomes, before, exposure: f64::from(second.days()) / f64::from(first.days()), covariates })
    }

    fn columns(&self) -> Vec<&[f64]> {
        self.covariates.iter().map(Vec::as_slice).collect()
    }

    /// Whether nobody bought anything in either half.
    fn is_empty(&self) -> bool {
        self.outcomes.iter().chain(&self.before).flatten().all(|v| *v == 0.0)
    }

    fn contrast(&self, evidence: &Evidence<'_>) -> Option<Contrast> {
        let fit = evidence.estimator.fit(&evidence.study.own_design(&self.columns())).ok()?;
        let outcomes: Vec<Outcome<'_>> = self.outcomes.iter().zip(&self.before).map(|(y, b)| Outcome::new(y).with_before(b, self.exposure)).collect();
        fit.contrast(&outcomes).ok()
    }

    /// What the covariates, or the first half, leave of the outcomes within what the draw is repeated in; no arm enters.
    fn residuals(&self, differences: bool, redraw: &Redraw) -> Vec<Vec<f64>> {
        if differences {
            // The test takes out the means itself.
            return self.outcomes.iter().zip(&self.before).map(|(y, b)| y.iter().zip(b).map(|(y, b)| y - self.exposure * b).collect()).collect();
        }
        let [outcomes, covariates] = [&self.outcomes, &self.covariates].map(|columns| redraw.centred(columns.iter().map(Vec::as_slice)));
        pooled_residuals(&outcomes, &covariates.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

fn held_out(evidence: &Evidence<'_>) -> Known<HeldOut> {
    let Some(halves) = Halves::new(evidence) else { return Known::Missing(Reason::ShortBaseline) };
    if halves.is_empty() {
        return Known::Missing(Reason::ZeroVariance);
    }
    let Some(contrast) = halves.contrast(evidence) else { return Known::Missing(Reason::Undefined) };
    let form = contrast.effect(&[1.0; 3]);
    let level = evidence.level().with_alternative(Alternative::TwoSided).with_confidence(0.95);
    let mut total = contrast.estimate(&form, level);
    if contrast.is_nothing(&form) {
        // No sign of rounding in the text.
        total.value = 0.0;
    }
    let test = test(evidence, &halves, &contrast);
    test.map(|test| HeldOut {
        test,
        total: total.value,
        std_error: total.std_error,
        low: total.interval.low().unwrap_or(total.value),
        high: total.interval.high().unwrap_or(total.value),
        margin: margin(evidence, contrast.value(&contrast.level(&[1.0; 3])), halves.second),
    })
}

/// The joint test of the three roles. Where only rounding varies, nothing is found if the differences are rounding too. No test where arms are to be drawn
/// anew and nothing varies among those who may change places.
fn test(evidence: &Evidence<'_>, halves: &Halves, contrast: &Contrast) -> Known<Test> {
    let forms: Vec<ArmForm> = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].iter().map(|c| contrast.effect(c)).collect();
    let wald = contrast.wald(&forms);
    if wald.value().is_none() && forms.iter().all(|f| contrast.is_nothing(f)) {
        return Known::Value(Test { statistic: 0.0, p_value: 1.0, words: String::new() });
    }
    // A chosen target was not drawn: its arms cannot be drawn anew.
    let draw = if evidence.study.promotion.randomised { Draw::of(&evidence.study.assignment) } else { Draw::Large };
    let Some(redraw) = draw.anew() else { return wald.map(|wald| Test::by_f(&wald, &draw)) };
    let residuals = halves.residuals(evidence.estimator.differences(), redraw);
    Known::from_option(permuted(redraw, &evidence.study.assignment.arm, &residuals, evidence.study.options.seed), Reason::ZeroVariance)
}

/// The study's covariates: its measures in the first half, and the customers' attributes. Cuts are given for the whole baseline, so that where customers are
/// matched the first half stands for as many days.
fn covariates(evidence: &Evidence<'_>, first: DaySpan, first_half: &impl Fn(&Atom) -> bool) -> Vec<Vec<f64>> {
    let options = &evidence.study.options;
    let longer = f64::from(evidence.windows.days(Period::Baseline)) / f64::from(first.days());
    let factor = if options.estimator == EstimatorName::CoarsenedExact { longer } else { 1.0 };
    let measures = options.covariates.iter().filter_map(|name| evidence.measures.iter().find(|m| m.name == *name));
    let half = |measure, role: Role| measure_by_customer(evidence.cells, measure, |a| a.class.role == role && first_half(a));
    let baselines = measures.flat_map(|m| Role::ALL.map(|role| half(m, role).into_iter().map(|value| factor * value).collect()));
    let attributes = options.customer_covariates.iter().filter_map(|name| evidence.study.assignment.attribute(name)).map(<[f64]>::to_vec);
    baselines.chain(attributes).collect()
}
