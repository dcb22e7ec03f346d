//! Measurements made by hand: a sound study, and a refused one in which much is absent.

use crate::cells::LineCounts;
use crate::estimate::{Estimand, Interval};
use crate::known::{Known, Reason};
use crate::measure::{
    AbsentMeasure, ArmCount, Arms, Covariates, Descriptive, DesignFacts, EffectEstimate, Family, GoalAnswer, GoalResult, Measurement, Naive, NaiveReading,
    Named, Redeemers, RelativeUplift, WindowSpans,
};
use crate::profit::{BurnedBounds, BurnedBudget, BurnedState, MoneyRow, Profit, RatioEstimate, SupplierBridge};
use crate::study::{Alternative, Cut, Day, DaySpan, EstimatorName, GoalThreshold, Multiplicity, Period};
use crate::validity::{CheckResult, Conclusion, Hazard, Status, Warning};

const TARGETS: f64 = 1_076.0;

fn missing<T>(reason: Reason) -> Known<T> {
    Known::Missing(reason)
}

fn span(first: &str, last: &str) -> Option<DaySpan> {
    let day = |text: &str| text.parse::<Day>().unwrap();
    DaySpan::new(day(first), day(last))
}

/// An effect with a standard error, 95 % by the normal distribution.
pub(super) fn effect(measure: &str, name: &str, each: f64, std_error: f64, p: f64) -> EffectEstimate {
    let level = 80.0;
    EffectEstimate {
        measure: measure.to_owned(),
        effect: name.to_owned(),
        target_mean: Known::Value(level + each),
        control_mean: Known::Value(level),
        per_customer: Known::Value(each),
        std_error: Known::Value(std_error),
        df: Known::Value(2_461.0),
        p_value: Known::Value(p),
        ci_low: Known::Value(each - 1.96 * std_error),
        ci_high: Known::Value(each + 1.96 * std_error),
        total: Known::Value(each * TARGETS),
        mde: Known::Value(2.8 * std_error),
        p_value_joint: Known::Value((5.0 * p).min(1.0)),
        joint_low: Known::Value(each - 2.58 * std_error),
        joint_high: Known::Value(each + 2.58 * std_error),
        relative: RelativeUplift {
            estimate: Known::Value(each / level),
            level: Known::Value(level),
            interval: Interval::Bounded { low: (each - 1.96 * std_error) / level, high: (each + 1.96 * std_error) / level },
        },
    }
}

/// An effect without a number.
pub(super) fn absent(measure: &str, name: &str, reason: Reason) -> EffectEstimate {
    let none = missing(reason);
    EffectEstimate {
        target_mean: none,
        control_mean: none,
        per_customer: none,
        std_error: none,
        df: none,
        p_value: none,
        ci_low: none,
        ci_high: none,
        total: none,
        mde: none,
        p_value_joint: none,
        joint_low: none,
        joint_high: none,
        relative: RelativeUplift { estimate: none, level: none, interval: Interval::Missing { reason } },
        ..effect(measure, name, 0.0, 1.0, 1.0)
    }
}

fn money(row: &'static str, estimate: f64, std_error: f64) -> MoneyRow {
    let at = |shift: f64| Known::Value(estimate + shift * std_error);
    MoneyRow { row, estimate: at(0.0), std_error: Known::Value(std_error), ci_low: at(-1.96), ci_high: at(1.96) }
}

fn no_money(row: &'static str, reason: Reason) -> MoneyRow {
    MoneyRow { row, estimate: missing(reason), std_error: missing(reason), ci_low: missing(reason), ci_high: missing(reason) }
}

fn check(check: &'static str, status: Status, text: &str) -> CheckResult {
    CheckResult { check, status, statistic: Known::Value(1.0), p_value: Known::Value(0.4), threshold: 0.05, text: text.to_owned() }
}

/// A randomised study whose checks pass; it sold more and earned money; the coupon was not announced.
pub(super) fn sound() -> Measurement {
    Measurement {
        schema: 1,
        promotion: "senior-meat-10".to_owned(),
        estimator: EstimatorName::RegressionAtt,
        estimand: Estimand::AverageOverTarget,
        design: DesignFacts { control_effective_size: 1393.0, control_largest_share: 0.001, ..DesignFacts::default() },
        confidence: 0.95,
        alternative: Alternative::TwoSided,
        randomised: true,
        currency: Some("EUR".to_owned()),
        covariates: Covariates { used: vec!["focal.baseline.net_sales".to_owned()], dropped: Vec::new() },
        windows: WindowSpans {
            baseline: span("2017-03-13", "2017-05-07"),
            anticipation: None,
            promotion: span("2017-05-08", "2017-06-25"),
            post: span("2017-06-26", "2017-07-02"),
            cut: vec![Cut { window: Period::Post, asked_days: 28, days: 7 }],
        },
        lines: Some(LineCounts { read: 873_240, used: 401_200, outside_assignment: 250_000, outside_windows: 222_040, returns: 312, ..LineCounts::default() }),
        arms: Arms { target: ArmCount { customers: 1_076, without_lines: 3 }, control: ArmCount { customers: 1_393, without_lines: 5 } },
        cells: Named::default(),
        absent: vec![AbsentMeasure { measure: "supplier_paid".to_owned(), reason: Reason::NoSupplierPaid }],
        effects: sound_effects(),
        families: vec![Family::new("net_sales", Multiplicity::MaxT), Family::new("units", Multiplicity::MaxT)],
        cap: None,
        effects_scaled: Vec::new(),
        left_out: None,
        redeemers: Redeemers::missing(Reason::AssumptionNotStated),
        covariance: Named::default(),
        descriptive: Descriptive { dilution: Known::Value(0.31) },
        profit: sound_profit(),
        ratios: sound_ratios(),
        asked_ratios: Vec::new(),
        burned_budget: BurnedBudget {
            units: bounds(410.0, 655.0, 380.0, 702.0),
            money: bounds(512.5, 818.75, 475.0, 877.5),
            state: BurnedState::Bounded,
            assumption: "the offer takes no focal unit away",
        },
        segments: Vec::new(),
        variants: None,
        naive: Naive {
            before_after: Known::Value(NaiveReading { per_customer: 21.7 }),
            redeemers_against_rest: Known::Value(NaiveReading { per_customer: 58.2 }),
        },
        goals: vec![goal()],
        checks: sound_checks(),
        warnings: vec![Warning::new(Hazard::WindowCoverage, "post 7 of 28 days; bring the missing days; a short post window hides forward buying")],
        conclusion: Conclusion::Experiment,
    }
}

fn bounds(low: f64, high: f64, ci_low: f64, ci_high: f64) -> BurnedBounds {
    BurnedBounds { low: Known::Value(low), high: Known::Value(high), ci_low: Known::Value(ci_low), ci_high: Known::Value(ci_high) }
}

fn sound_effects() -> Vec<EffectEstimate> {
    vec![
        effect("net_sales", "direct", 13.706_295, 3.207, 2e-5),
        effect("net_sales", "cannibalisation", -2.31, 0.98, 0.018),
        effect("net_sales", "halo", 1.42, 2.6, 0.585),
        effect("net_sales", "forward_buying", -1.87, 0.71, 0.008_4),
        effect("net_sales", "carry_over", -0.001, 1.9, 0.999_8),
        effect("net_sales", "total", 10.945_295, 4.32, 0.011_3),
        effect("net_sales", "direct.marked_down", 3.2, 1.1, 0.003_6),
        effect("net_sales", "direct.full_price", 10.506_295, 2.9, 3e-4),
        effect("units", "direct", 0.911, 0.21, 2e-5),
        effect("units", "cannibalisation", -0.15, 0.08, 0.06),
        effect("units", "total", 0.761, 0.25, 0.002_3),
        effect("margin", "total", 3.1, 1.1, 0.005),
    ]
}

fn sound_profit() -> Profit {
    let no_announcement = Reason::NotAnnounced;
    Profit {
        retailer: vec![
            money("direct_at_shelf_margin", 5_095.21, 1_119.74),
            money("promotional_discount", -1_310.40, 61.2),
            money("cannibalised_margin", -803.5, 340.1),
            money("halo_margin", 382.0, 699.4),
            no_money("anticipated_margin", no_announcement),
            money("forward_bought_margin", -603.61, 229.0),
            money("carry_over_margin", -0.3, 12.0),
            money("incremental_margin", 2_759.4, 1_011.0),
            money("supplier_subsidy", 655.2, 30.6),
            money("internal_cost", -1_300.0, 0.0),
            money("net_profit", 2_114.6, 1_003.0),
        ],
        memo: vec![money("offer_discount_outside_focal", 0.0, 0.0)],
        suppliers: vec![SupplierBridge {
            supplier: "Danone & Sons <dairy>".to_owned(),
            rows: vec![
                money("margin_on_promoted", 229.5, 10.0),
                money("margin_on_other_own_products", -31.0, 7.5),
                money("funding_paid", -655.2, 30.6),
                money("fixed_cost", 0.0, 0.0),
                money("net_profit", -456.7, 33.0),
            ],
        }],
    }
}

fn sound_ratios() -> Vec<RatioEstimate> {
    let known = |ratio, estimate, interval| RatioEstimate { ratio, estimate: Known::Value(estimate), interval };
    vec![
        known("roi_on_gross_cost", 0.559, Interval::Bounded { low: -0.2, high: 1.31 }),
        known("roi_on_retailer_cost", 1.081, Interval::AtLeast { low: 0.1 }),
        known("iroas", 4.5, Interval::AtMost { high: 9.1 }),
        known("cost_per_incremental_unit", 2.66, Interval::Exclusive { below: -3.0, above: 1.2 }),
        known("net_to_direct", 0.798, Interval::Unbounded),
        RatioEstimate { ratio: "break_even_uplift", estimate: Known::Value(0.42), interval: Interval::Missing { reason: Reason::NoInterval } },
        RatioEstimate {
            ratio: "redemption_incrementality",
            estimate: missing(Reason::DenominatorNotPositive),
            interval: Interval::Missing { reason: Reason::DenominatorNotPositive },
        },
    ]
}

fn goal() -> GoalResult {
    GoalResult {
        goal: "meat +10 %".to_owned(),
        effect: Some("total".to_owned()),
        measure: Some("net_sales".to_owned()),
        row: None,
        threshold: GoalThreshold::Relative(0.1),
        estimate: Known::Value(0.137),
        p_value: Known::Value(0.02),
        p_above_low: Known::Value(0.02),
        p_below_high: missing(Reason::NotGiven),
        answer: GoalAnswer::Met,
    }
}

fn sound_checks() -> Vec<CheckResult> {
    vec![
        check("sample_ratio", Status::Pass, "43.58 % of the customers are in the target, 44.00 % were intended"),
        check("baseline_balance", Status::Pass, "largest standardised difference of baseline net sales 0.04 between the arms, 0.00 under the weights"),
        check("placebo", Status::Pass, "before the promotion the method finds 1.20 per customer in total (-3.10 to 5.50, t = 0.55)"),
        check("control_leak", Status::Warn, "1.40 % of the controls redeemed, 22.10 % of the target"),
        CheckResult::not_run("other_promotions", Reason::NoOtherPromotions),
    ]
}

/// A study of a chosen target that the placebo refuses; no day after the promotion, no cost, no offer lines.
pub(super) fn refused() -> Measurement {
    let mut refused = sound();
    refused.promotion = "campaign-8".to_owned();
    refused.randomised = false;
    refused.currency = None;
    refused.windows.post = None;
    refused.lines = None;
    refused.effects.retain(|e| e.effect == "direct" || e.effect == "total");
    refused.effects.push(absent("net_sales", "forward_buying", Reason::NoPostWindow));
    refused.effects.push(absent("net_sales", "carry_over", Reason::NoPostWindow));
    for row in &mut refused.profit.retailer {
        let costed = matches!(row.row, "promotional_discount" | "supplier_subsidy" | "internal_cost");
        if !costed {
            *row = no_money(row.row, Reason::NoCost);
        }
    }
    refused.burned_budget.state = BurnedState::OfferLinesUnknown;
    refused.burned_budget.units = no_bounds();
    refused.burned_budget.money = no_bounds();
    refused.naive.redeemers_against_rest = missing(Reason::OfferLinesUnknown);
    refused.goals[0].answer = GoalAnswer::Undecided;
    refused.goals.push(GoalResult {
        goal: "earn something".to_owned(),
        effect: None,
        measure: None,
        row: Some("incremental_margin".to_owned()),
        threshold: GoalThreshold::Total(1_000.0),
        estimate: missing(Reason::NoCost),
        p_value: missing(Reason::NoCost),
        p_above_low: missing(Reason::NoCost),
        p_below_high: missing(Reason::NoCost),
        answer: GoalAnswer::Undecided,
    });
    refused.checks[2] = check("placebo", Status::Fail, "before the promotion the method finds 9.81 incremental units");
    refused.checks[2].p_value = Known::Value(0.000_2);
    refused.warnings.push(Warning::new(Hazard::FocalShare, "Incremental sales of the offer say little apart"));
    refused.conclusion = Conclusion::Refused { reasons: vec!["placebo".to_owned(), "no_placebo".to_owned(), "something_new".to_owned()] };
    refused
}

fn no_bounds() -> BurnedBounds {
    let none = missing(Reason::OfferLinesUnknown);
    BurnedBounds { low: none, high: none, ci_low: none, ci_high: none }
}
