//! The checks of the design and the data, one value each.

use super::balance::BaselineBalance;
use super::draw::arm_of_each;
use super::placebo::Placebo;
use super::{CheckResult, Status};
use crate::cells::{CellTable, Role};
use crate::effects::{Measure, measure_by_customer};
use crate::estimate::{Estimator, Fit, Level, Outcome, Unadjusted, binomial_two_sided, chi_squared_sf, normal_sf};
use crate::known::{Known, Reason};
use crate::study::{Alternative, Arm, Assignment, DfRule, Ids, OfferLines, Period, Study, Windows};

/// What a check may look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    /// The study.
    pub study: &'a Study,
    /// The windows as covered.
    pub windows: &'a Windows,
    /// The cells.
    pub cells: &'a CellTable,
    /// The measures over them.
    pub measures: &'a [Measure],
    /// The fitted design.
    pub fit: &'a Fit,
    /// The estimator that fitted it.
    pub estimator: &'a dyn Estimator,
    /// The least total effect on net sales that the design would have found with a power of 80 %.
    pub mde: Option<f64>,
}

impl Evidence<'_> {
    /// Net sales of a role in a period (or all), by customer.
    pub(super) fn net_sales(&self, role: Option<Role>, period: Period) -> Vec<f64> {
        self.net_sales_where(|atom| atom.period == period && role.is_none_or(|r| atom.class.role == r))
    }

    pub(super) fn net_sales_where(&self, which: impl Fn(&crate::cells::Atom) -> bool) -> Vec<f64> {
        match self.measures.iter().find(|m| m.name == "net_sales") {
            Some(measure) => measure_by_customer(self.cells, measure, which),
            None => vec![0.0; self.cells.customers],
        }
    }

    /// Customers of an arm, as a number.
    fn customers(&self, arm: Arm) -> f64 {
        self.study.assignment.count(arm) as f64
    }

    /// How customers are called where not all of them count.
    fn who_count(&self) -> &'static str {
        let all = [Arm::Target, Arm::Control].into_iter().all(|arm| self.fit.customers(arm) == self.study.assignment.count(arm));
        if all { "" } else { " that count" }
    }

    /// The share of an arm's customers that meet a condition.
    fn share(&self, arm: Arm, meets: impl Fn(usize) -> bool) -> f64 {
        let hits = self.study.assignment.arm.iter().enumerate().filter(|(i, a)| **a == arm && meets(*i)).count();
        hits as f64 / self.customers(arm)
    }

    /// Whether no assigned customer bought anything in any window.
    pub(super) fn nothing_bought(&self) -> bool {
        self.cells.columns.iter().flatten().all(|v| *v == 0.0)
    }

    pub(super) fn level(&self) -> Level {
        Level::from(&self.study.options)
    }
}

/// A check: looks at the evidence, says pass, warn, fail or not run.
pub(crate) trait Check: Send + Sync {
    /// The name in files.
    fn name(&self) -> &'static str;

    /// Runs it.
    fn run(&self, evidence: &Evidence<'_>) -> CheckResult;
}

/// All checks, in the order of the result.
#[must_use]
pub(crate) fn all() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(SampleRatio),
        Box::new(BaselineBalance),
        Box::new(Placebo),
        Box::new(ControlLeak),
        Box::new(OtherPromotions),
        Box::new(WindowCoverage),
        Box::new(FocalShare),
        Box::new(SmallArms),
        Box::new(OnSaleShare),
        Box::new(Silence),
    ]
}

/// A finished check.
pub(super) fn result(check: &'static str, status: Status, statistic: f64, p_value: Option<f64>, threshold: f64, text: String) -> CheckResult {
    let p_value = Known::from_option(p_value, Reason::NoInterval);
    CheckResult { check, status, statistic: Known::Value(statistic), p_value, threshold, text }
}

/// Pass, or warn.
fn warn_if(warn: bool) -> Status {
    fail_or_warn(false, warn)
}

/// The outcome of a check that can refuse.
pub(super) fn fail_or_warn(fail: bool, warn: bool) -> Status {
    if fail {
        Status::Fail
    } else if warn {
        Status::Warn
    } else {
        Status::Pass
    }
}

/// Two-sided p of the difference between the arms' shares of customers that meet a condition: pooled (chi-square with one degree of freedom), or by clusters
/// where the design has them.
fn share_test(evidence: &Evidence<'_>, meets: impl Fn(usize) -> bool) -> f64 {
    let assignment = &evidence.study.assignment;
    if assignment.cluster.is_none() {
        let [target, control] = [Arm::Target, Arm::Control].map(|arm| (evidence.share(arm, &meets), evidence.customers(arm)));
        return two_shares(target.0, target.1, control.0, control.1);
    }
    let values: Vec<f64> = (0..assignment.len()).map(|i| f64::from(u8::from(meets(i)))).collect();
    let fit = Unadjusted.fit(&evidence.study.design(&[])).ok();
    let contrast = fit.and_then(|fit| fit.contrast(&[Outcome::new(&values)]).ok());
    let level = Level { df: DfRule::Satterthwaite, ..evidence.level() }.with_alternative(Alternative::TwoSided);
    contrast.and_then(|contrast| contrast.estimate(&contrast.effect(&[1.0]), level).p_value.value()).unwrap_or(1.0)
}

/// Two-sided p of the difference of two shares, pooled.
fn two_shares(a: f64, n_a: f64, b: f64, n_b: f64) -> f64 {
    let pooled = (a * n_a + b * n_b) / (n_a + n_b);
    let variance = pooled * (1.0 - pooled) * (1.0 / n_a + 1.0 / n_b);
    if variance > 0.0 { (2.0 * normal_sf(((a - b) / variance.sqrt()).abs())).min(1.0) } else { 1.0 }
}

/// Are the arms' sizes those that were intended? Exact below 1,000 customers, else chi-square.
struct SampleRatio;

impl Check for SampleRatio {
    fn name(&self) -> &'static str {
        "sample_ratio"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        let Some(share) = evidence.study.assignment.target_share else {
            return CheckResult::not_run(self.name(), Reason::NoIntendedShare);
        };
        let drawn = Drawn::of(&evidence.study.assignment);
        let (target, n) = drawn.counts.iter().fold((0, 0), |(target, n), [t, c]| (target + t, n + t + c));
        let observed = target as f64 / n as f64;
        let live: Vec<[u64; 2]> = drawn.counts.iter().copied().filter(|[t, c]| t + c > 0).collect();
        let p = if live.len() == 1 && n < 1000 {
            binomial_two_sided(target, n, share)
        } else {
            // One chi-square with a degree of freedom a stratum.
            let of = |[t, c]: &[u64; 2]| {
                let n = (t + c) as f64;
                (*t as f64 - share * n) * (*t as f64 - share * n) / (n * share * (1.0 - share))
            };
            chi_squared_sf(live.iter().map(of).sum(), live.len() as f64)
        };
        let status = fail_or_warn(p < 0.001, p < 0.01);
        let within = if live.len() > 1 { format!(" (over {} strata)", live.len()) } else { String::new() };
        let text = format!("{:.2} % of the {} are in the target, {:.2} % were intended{within}", 100.0 * observed, drawn.units, 100.0 * share);
        result(self.name(), status, observed, Some(p), if status == Status::Warn { 0.01 } else { 0.001 }, text)
    }
}

/// What was drawn: customers, or whole clusters where no cluster straddles the arms; target and control units by stratum.
struct Drawn {
    units: &'static str,
    counts: Vec<[u64; 2]>,
}

impl Drawn {
    fn of(assignment: &Assignment) -> Self {
        let side = |arm: Arm| usize::from(arm == Arm::Control);
        if let Some(arms) = assignment.cluster.as_ref().and_then(|clusters| arm_of_each(&clusters.codes, &assignment.arm)) {
            let of = |which: Arm| arms.iter().filter(|arm| **arm == Some(which)).count() as u64;
            return Self { units: "clusters", counts: vec![[of(Arm::Target), of(Arm::Control)]] };
        }
        let strata = assignment.stratum.as_ref();
        let mut counts = vec![[0; 2]; strata.map_or(1, |codes| codes.names.len())];
        for (index, arm) in assignment.arm.iter().enumerate() {
            counts[strata.map_or(0, |codes| codes.codes[index] as usize)][side(*arm)] += 1;
        }
        Self { units: "customers", counts }
    }
}

/// Do controls redeem?
struct ControlLeak;

impl Check for ControlLeak {
    fn name(&self) -> &'static str {
        "control_leak"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        if evidence.study.promotion.offer_lines() == OfferLines::All {
            // Every focal line of the target and no other is one: the control could not leak.
            return CheckResult::not_run(self.name(), Reason::OfferLinesOfTarget);
        }
        let Some(redemptions) = &evidence.cells.redemptions else {
            return CheckResult::not_run(self.name(), Reason::OfferLinesUnknown);
        };
        let rate = |arm| evidence.share(arm, |i| redemptions[i] > 0);
        let (target, control) = (rate(Arm::Target), rate(Arm::Control));
        if target == 0.0 && control == 0.0 {
            return CheckResult::not_run(self.name(), Reason::NoRedemptions);
        }
        // Controls who redeem where no target does leak without measure.
        let leak = if target > 0.0 { control / target } else { 1.0 };
        let status = fail_or_warn(leak > 0.1, leak > 0.01);
        let text = format!("{:.2} % of the controls redeemed, {:.2} % of the target", 100.0 * control, 100.0 * target);
        result(self.name(), status, leak, None, if status == Status::Warn { 0.01 } else { 0.1 }, text)
    }
}

/// Who was in another live promotion?
struct OtherPromotions;

impl Check for OtherPromotions {
    fn name(&self) -> &'static str {
        "other_promotions"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        let study = evidence.study;
        let Some(table) = &study.promotion.other_promotions else {
            return CheckResult::not_run(self.name(), Reason::NoOtherPromotions);
        };
        let (start, end) = (study.promotion.start, study.promotion.end);
        let live = table.iter().filter(|l| l.promotion != study.promotion.id && l.start <= end && l.end >= start);
        let customers: hashbrown::HashSet<&str> = live.map(|l| l.customer.as_str()).collect();
        let in_other = |i: usize| match &study.assignment.customers {
            Ids::Texts(ids) => customers.contains(ids[i].as_str()),
            ids @ Ids::Integers(_) => customers.contains(ids.text(i).as_str()),
        };
        let (target, control) = (evidence.share(Arm::Target, in_other), evidence.share(Arm::Control, in_other));
        let p = share_test(evidence, in_other);
        let status = fail_or_warn(p < 0.001 && (target - control).abs() > 0.05, target.max(control) > 0.2);
        let text = format!("{:.1} % of the target and {:.1} % of the control were in another live promotion", 100.0 * target, 100.0 * control);
        result(self.name(), status, target - control, Some(p), if status == Status::Warn { 0.2 } else { 0.05 }, text)
    }
}

/// Does the ledger cover the windows?
struct WindowCoverage;

impl Check for WindowCoverage {
    fn name(&self) -> &'static str {
        "window_coverage"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        let covered = |w: &crate::study::Window| f64::from(w.days()) / f64::from(w.asked.days());
        let windows = evidence.windows.all();
        let least = windows.iter().map(covered).fold(1.0, f64::min);
        let cut: Vec<String> = evidence.windows.cuts().map(|c| format!("{} {} of {} days", c.window, c.days, c.asked_days)).collect();
        let text = if cut.is_empty() { "every window is covered".to_owned() } else { format!("covered only partly: {}", cut.join(", ")) };
        result(self.name(), warn_if(least < 1.0), least, None, 1.0, text)
    }
}

/// Is the offer much of the shop?
struct FocalShare;

impl Check for FocalShare {
    fn name(&self) -> &'static str {
        "focal_share"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        let all: f64 = evidence.net_sales(None, Period::Baseline).iter().sum();
        if !(all > 0.0) {
            return CheckResult::not_run(self.name(), Reason::NoBaseline);
        }
        let share = evidence.net_sales(Some(Role::Focal), Period::Baseline).iter().sum::<f64>() / all;
        let text = format!("focal products are {:.1} % of baseline sales", 100.0 * share);
        result(self.name(), warn_if(share > 0.2), share, None, 0.2, text)
    }
}

/// Is an arm small?
struct SmallArms;

impl Check for SmallArms {
    fn name(&self) -> &'static str {
        "small_arms"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        // Those without a match, or with a weight of 0, say nothing.
        let smaller = evidence.fit.customers(Arm::Target).min(evidence.fit.customers(Arm::Control)) as f64;
        let mde = evidence.mde.map_or_else(String::new, |mde| format!("; the least total effect on net sales it would find is {mde:.2} per customer"));
        result(self.name(), warn_if(smaller < 100.0), smaller, None, 100.0, format!("the smaller arm has {smaller} customers{}{mde}", evidence.who_count()))
    }
}

/// Is much of the control's focal sales on general sale anyway?
struct OnSaleShare;

impl Check for OnSaleShare {
    fn name(&self) -> &'static str {
        "on_sale_share"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        if evidence.study.promotion.markdown.is_none() {
            return CheckResult::not_run(self.name(), Reason::NoMarkdown);
        }
        let of_controls =
            |values: Vec<f64>| -> f64 { values.iter().zip(&evidence.study.assignment.arm).filter(|(_, a)| **a == Arm::Control).map(|(v, _)| v).sum() };
        let focal = |atom: &crate::cells::Atom| atom.class.role == Role::Focal && atom.period == Period::Promotion;
        let all = of_controls(evidence.net_sales_where(focal));
        let on_sale = of_controls(evidence.net_sales_where(|a| focal(a) && a.marked_down == Some(true)));
        let share = if all > 0.0 { on_sale / all } else { 0.0 };
        result(self.name(), warn_if(share > 0.5), share, None, 0.5, format!("{:.1} % of the control's focal sales are on general sale", 100.0 * share))
    }
}

/// Do the arms differ in how many customers fall silent?
struct Silence;

impl Check for Silence {
    fn name(&self) -> &'static str {
        "silence"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        let cells = evidence.cells;
        let after = cells.spans.iter().enumerate().filter(|(_, s)| matches!(s.period, Period::Promotion | Period::Post)).fold(0_u32, |m, (i, _)| m | 1 << i);
        let is_silent = |i: usize| cells.seen[i] & after == 0;
        let silent = |arm| evidence.share(arm, is_silent);
        let (target, control) = (silent(Arm::Target), silent(Arm::Control));
        let p = share_test(evidence, is_silent);
        let text = format!("{:.1} % of the target and {:.1} % of the control have no line after the start", 100.0 * target, 100.0 * control);
        result(self.name(), warn_if(p < 0.001), target - control, Some(p), 0.001, text)
    }
}
