//! The grid: which worlds are drawn, how they are measured, and what is shown of them.

use promolift::simulate::{Preset, Response};
use promolift::study::{Alternative, CovarianceRule, EstimatorName, LeaveOut, Population, RedeemerAssumption};

use super::proof::lines::{Lines, Shop};
use super::proof::setting::{Asked, Setting};
use super::proof::truth::Over;
use super::proof::world::{Drawing, Effect, World};

/// A part of the table.
pub(crate) struct Section {
    /// Its heading.
    pub(crate) title: &'static str,
    /// What it shows, in a sentence or two.
    pub(crate) text: &'static str,
    /// The intervals shown.
    pub(crate) shown: &'static [&'static str],
    /// Its cases.
    pub(crate) cases: Vec<Case>,
}

/// A setting with its draws in a full run.
pub(crate) struct Case {
    pub(crate) of: Of,
    pub(crate) draws: usize,
}

/// How customers are drawn.
pub(crate) enum Of {
    /// Cell by cell.
    Cells(Box<Setting>),
    /// Line by line.
    Lines(Lines),
}

const ATT: EstimatorName = EstimatorName::RegressionAtt;
/// Settings that are drawn with another skew than their section.
const LONG_TAIL: &str = "sigma 1";
const LONGEST_TAIL: &str = "sigma 1.5";

/// All sections.
pub(crate) fn sections() -> Vec<Section> {
    vec![
        skew(),
        null(),
        small(),
        effects(),
        zeros(),
        estimators(),
        chosen(),
        clusters(),
        strata(),
        segments(),
        others(),
        population(),
        money(),
        joint(),
        weeks(),
        lines(),
        presets(),
        broken(),
    ]
}

/// Draws of a setting drawn cell by cell: fewer where customers are many.
const fn draws(customers: usize) -> usize {
    if customers <= 5000 { 10_000 } else { 2000 }
}

fn case(setting: Setting) -> Case {
    Case { draws: draws(setting.world.customers), of: Of::Cells(Box::new(setting)) }
}

/// The split as percentages of target and control.
fn split(share: f64) -> String {
    format!("{:.0}/{:.0}", 100.0 * share, 100.0 - 100.0 * share)
}

/// Names as they are read: thousands apart.
fn count(n: usize) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", n / 1000, n % 1000) }
}

fn skew() -> Section {
    let mut cases = Vec::new();
    for sigma in [0.5, 1.0, 1.5] {
        for share in [0.5, 0.9, 0.95, 0.1] {
            for customers in [200, 500, 1000, 2000, 5000, 20_000, 50_000] {
                let world = World { customers, share, skew: sigma, effect: Effect::Responders(0.5), ..World::default() };
                cases.push(case(Setting::new(format!("sigma {sigma}, {}, {} customers", split(share), count(customers)), world, ATT)));
            }
        }
    }
    Section {
        title: "Skew, split and size",
        text: "The default estimator on customers whose size is lognormal with this standard deviation of the logarithm (sigma 0.5, 1, 1.5: skewness 1.8, 6.2, 33); \
               some of them respond. Split: target/control.",
        shown: &["total", "relative total", "direct", "relative direct"],
        cases,
    }
}

fn null() -> Section {
    let mut cases = Vec::new();
    for estimator in [ATT, EstimatorName::Unadjusted] {
        for sigma in [0.5, 1.5] {
            for share in [0.5, 0.95] {
                for customers in [200, 1000, 5000] {
                    let world = World { customers, share, skew: sigma, ..World::default() };
                    let name = format!("{estimator}, sigma {sigma}, {}, {} customers", split(share), count(customers));
                    cases.push(case(Setting::new(name, world, estimator)));
                }
            }
        }
    }
    let one_sided = |alternative, name: &str| {
        let world = World { customers: 1000, share: 0.8, ..World::default() };
        case(Setting::new(format!("{ATT}, one-sided ({name}), sigma 0.5, 80/20, 1,000 customers"), world, ATT).with(|o| o.alternative = alternative))
    };
    cases.extend([one_sided(Alternative::Greater, "greater"), one_sided(Alternative::Less, "less")]);
    for confidence in [0.8, 0.9, 0.99] {
        let world = World { customers: 1000, ..World::default() };
        cases.push(case(
            Setting::new(format!("{ATT}, {:.0} %, sigma 0.5, 50/50, 1,000 customers", 100.0 * confidence), world, ATT).with(|o| o.confidence = confidence),
        ));
    }
    Section {
        title: "No effect: the size of the test",
        text: "The offer does nothing. `size` is the share of draws in which the test says it did something, which should be one less the confidence.",
        shown: &["total", "direct", "halo"],
        cases,
    }
}

fn small() -> Section {
    let mut cases = Vec::new();
    for estimator in [EstimatorName::Unadjusted, ATT, EstimatorName::Regression, EstimatorName::Cuped] {
        for (customers, share) in [(20, 0.5), (40, 0.75), (60, 0.5), (60, 0.9), (100, 0.9)] {
            let world = World { customers, share, skew: 0.1, effect: Effect::Constant(0.5), ..World::default() };
            cases.push(case(Setting::new(format!("{estimator}, {}, {customers} customers", split(share)), world, estimator)));
        }
    }
    Section {
        title: "A few customers",
        text: "Arms of five to fifty customers without much skew (sigma 0.1): what degrees of freedom are for.",
        shown: &["total", "relative total"],
        cases,
    }
}

fn effects() -> Section {
    let kinds = [
        ("no effect", Effect::None),
        ("the same to all, small", Effect::Constant(0.1)),
        ("the same to all, large", Effect::Constant(1.0)),
        ("with size, large", Effect::Sized(1.0)),
        ("some respond, little", Effect::Responders(0.1)),
        ("some respond, much", Effect::Responders(2.0)),
        ("levels all out", Effect::Levelling),
    ];
    let mut cases = Vec::new();
    for (kind, effect) in kinds {
        for estimator in [ATT, EstimatorName::Unadjusted] {
            for (customers, share) in [(1000, 0.5), (1000, 0.9), (5000, 0.9)] {
                let world = World { customers, share, effect, ..World::default() };
                cases.push(case(Setting::new(format!("{kind}; {estimator}, {}, {} customers", split(share), count(customers)), world, estimator)));
            }
        }
    }
    for (kind, effect) in [("the same to all, large", Effect::Constant(1.0)), ("levels all out", Effect::Levelling)] {
        let world = World { effect, ..World::default() };
        cases.push(case(Setting::new(format!("{kind}, of all there could be; {ATT}, 50/50, 1,000 customers"), world, ATT).against(Over::Expected)));
    }
    Section {
        title: "Kinds of effect, and every cell",
        text: "Effects that are alike for all, grow with the customer's size, come from the few who respond, or make all customers more alike. The truth is that of the \
               drawn customers: of the target (regression_att) or of all assigned (unadjusted), so that effects that differ make intervals wider than they need be; where \
               it says so, that of all customers there could be.",
        shown: &["total", "direct", "cannibalisation", "halo", "forward_buying", "carry_over", "relative total", "relative direct"],
        cases,
    }
}

fn zeros() -> Section {
    let mut cases = Vec::new();
    for zeros in [0.5, 0.9, 0.98] {
        for share in [0.5, 0.9] {
            for customers in [500, 2000, 10_000] {
                let world = World { customers, share, zeros, effect: Effect::Responders(0.3), ..World::default() };
                cases.push(case(Setting::new(format!("{:.0} % without, {}, {} customers", 100.0 * zeros, split(share), count(customers)), world, ATT)));
            }
        }
    }
    Section {
        title: "Customers who do not buy",
        text: "So many customers buy no focal product in a period.",
        shown: &["direct", "relative direct", "total"],
        cases,
    }
}

fn estimators() -> Section {
    let mut cases = Vec::new();
    let all = [
        EstimatorName::Unadjusted,
        ATT,
        EstimatorName::Regression,
        EstimatorName::Cuped,
        EstimatorName::DifferenceInDifferences,
        EstimatorName::EntropyBalancing,
        EstimatorName::MatchedPairs,
    ];
    for estimator in all {
        let paired = estimator == EstimatorName::MatchedPairs;
        let drawing = if paired { Drawing::Pairs } else { Drawing::Simple };
        for share in if paired { &[0.5][..] } else { &[0.5, 0.9][..] } {
            for customers in [200, 1000, 5000] {
                let world = World { customers, share: *share, skew: 0.75, effect: Effect::Responders(0.5), drawing, ..World::default() };
                cases.push(case(Setting::new(format!("{estimator}, {}, {} customers", split(*share), count(customers)), world, estimator)));
            }
        }
    }
    Section { title: "Estimators, target drawn", text: "Sigma 0.75; some respond.", shown: &["total", "relative total", "direct", "relative direct"], cases }
}

fn chosen() -> Section {
    let mut cases = Vec::new();
    for estimator in [ATT, EstimatorName::EntropyBalancing, EstimatorName::DifferenceInDifferences, EstimatorName::Regression] {
        for customers in [500, 2000, 10_000] {
            let world = World { customers, effect: Effect::Constant(0.3), drawing: Drawing::Chosen, ..World::default() };
            cases.push(case(Setting::new(format!("chosen by what they bought; {estimator}, {} customers", count(customers)), world, estimator)));
        }
    }
    for estimator in [EstimatorName::GivenWeights, EstimatorName::CoarsenedExact] {
        for customers in [500, 2000, 10_000] {
            let world = World { customers, effect: Effect::Responders(0.5), drawing: Drawing::Grades, ..World::default() };
            cases.push(case(Setting::new(format!("chosen by grade; {estimator}, {} customers", count(customers)), world, estimator)));
        }
    }
    Section {
        title: "Estimators, target chosen",
        text: "The target is chosen by what customers bought before (later sales are those of before plus noise, so that all four estimators are right), or by a grade of \
               customers (weights: one over the known chance; coarsened: within grades).",
        shown: &["total", "relative total", "direct", "relative direct"],
        cases,
    }
}

fn clusters() -> Section {
    let mut cases = Vec::new();
    let all = [
        EstimatorName::Unadjusted,
        EstimatorName::Cuped,
        EstimatorName::Regression,
        ATT,
        EstimatorName::DifferenceInDifferences,
        EstimatorName::EntropyBalancing,
    ];
    for estimator in all {
        for clusters in [10, 20, 50, 150] {
            let world = World { customers: 2000, effect: Effect::Constant(0.3), drawing: Drawing::Clusters(clusters), ..World::default() };
            cases.push(case(Setting::new(format!("whole clusters drawn; {estimator}, {clusters} clusters"), world, estimator)));
        }
    }
    for (estimator, rule, name) in [
        (EstimatorName::Unadjusted, CovarianceRule::Default, "CR2"),
        (EstimatorName::Unadjusted, CovarianceRule::Cr1, "CR1"),
        (EstimatorName::Regression, CovarianceRule::Default, "CR2"),
        (ATT, CovarianceRule::Default, "CR1"),
    ] {
        for clusters in [10, 20, 50, 150] {
            let world = World { customers: 2000, effect: Effect::Constant(0.5), drawing: Drawing::Straddling(clusters), ..World::default() };
            cases.push(case(
                Setting::new(format!("customers drawn within clusters; {estimator}, {name}, {clusters} clusters"), world, estimator)
                    .with(|o| o.covariance = rule),
            ));
        }
    }
    Section {
        title: "Clusters",
        text: "2,000 customers of clusters with levels, shocks and (within clusters) effects of their own. CR2 for unadjusted, cuped and regression, CR1 for the others, \
               unless it says otherwise. Customers drawn within clusters are drawn one by one, whatever their cluster; the truth is that of all clusters there could be, of \
               relative effects that of the customers drawn, for estimators with covariates speak of the level of their baselines; against the relative effect of all \
               clusters they are short. For the customers drawn these intervals allow for differences between clusters that are none of theirs, and most are wide.",
        shown: &["total", "relative total", "relative direct"],
        cases,
    }
}

fn strata() -> Section {
    let mut cases = Vec::new();
    for estimator in [EstimatorName::Unadjusted, ATT, EstimatorName::Regression, EstimatorName::Cuped, EstimatorName::DifferenceInDifferences] {
        for customers in [500, 2000, 5000] {
            let world = World { customers, effect: Effect::Responders(0.5), drawing: Drawing::Strata, ..World::default() };
            cases.push(case(Setting::new(format!("{estimator}, {} customers", count(customers)), world, estimator)));
        }
    }
    Section {
        title: "Strata",
        text: "Five strata, of which 30 to 70 % are drawn into the target, the more the more their customers buy.",
        shown: &["total", "relative total", "relative direct"],
        cases,
    }
}

fn segments() -> Section {
    let mut cases = Vec::new();
    for estimator in [ATT, EstimatorName::Unadjusted] {
        for customers in [600, 2000, 5000] {
            let world = World { customers, skew: 0.3, effect: Effect::Constant(0.5), drawing: Drawing::Segments(10), ..World::default() };
            cases.push(case(Setting::new(format!("{estimator}, {} customers", count(customers)), world, estimator).asking(Asked::Study)));
        }
        let world = World { customers: 5000, share: 0.9, skew: 1.0, effect: Effect::Responders(0.5), drawing: Drawing::Segments(10), ..World::default() };
        cases.push(case(Setting::new(format!("{estimator}, {LONG_TAIL}, {}, 5,000 customers", split(0.9)), world, estimator).asking(Asked::Study)));
    }
    Section {
        title: "Segments",
        text: "Ten segments of unequal size, whose effects are drawn from a normal distribution in every draw; one of them is looked at, in turn. Shrunk intervals hold on \
               average over the segments, as such intervals do.",
        shown: &["segment", "segment, shrunk", "total", "relative direct"],
        cases,
    }
}

fn others() -> Section {
    let study = |name: String, world, estimator| Setting::new(name, world, estimator).asking(Asked::Study);
    let mut cases = Vec::new();
    for (estimator, customers) in [(ATT, 600), (ATT, 2000), (EstimatorName::DifferenceInDifferences, 2000)] {
        let world = World { customers, share: 0.75, effect: Effect::Constant(0.3), drawing: Drawing::Variants(3), ..World::default() };
        cases.push(case(study(format!("three variants and a control; {estimator}, {} customers", count(customers)), world, estimator)));
    }
    for (estimator, customers) in [(ATT, 500), (ATT, 2000), (EstimatorName::Unadjusted, 2000)] {
        let world = World { customers, skew: 1.0, effect: Effect::Responders(0.5), ..World::default() };
        let setting = study(format!("the largest fiftieth left out; {estimator}, {LONG_TAIL}, 50/50, {} customers", count(customers)), world, estimator);
        cases.push(case(setting.with(|o| o.leave_out = Some(LeaveOut::above_quantile("net_sales", 0.98)))));
    }
    for (estimator, customers) in [(ATT, 500), (ATT, 2000), (EstimatorName::Unadjusted, 2000)] {
        let world = World { customers, money: true, effect: Effect::Responders(0.5), ..World::default() };
        let setting = study(format!("effects a redeemer; {estimator}, 50/50, {} customers", count(customers)), world, estimator);
        cases.push(case(setting.with(|o| o.redeemers = Some(RedeemerAssumption::Exclusion))));
    }
    Section {
        title: "Variants, some left out, redeemers",
        text: "Three variants of the offer, of which one is looked at in turn, and a difference of two: the truth is that of each variant's own target customers. Effects on \
               the customers kept where the largest are left out, by what they bought before. Effects over the share of those who redeem (the ratio; whether it is an effect \
               on redeemers is an assumption).",
        shown: &[
            "variant",
            "variant less another",
            "all variants at once",
            "all pairs of variants at once",
            "total, some left out",
            "direct, some left out",
            "total, a redeemer",
            "direct, a redeemer",
        ],
        cases,
    }
}

fn population() -> Section {
    let mut cases = Vec::new();
    for customers in [200, 1000, 5000] {
        let world = World { customers, skew: 0.5, effect: Effect::Sized(1.5), ..World::default() };
        let of = |name: &str, population, over| {
            let setting = Setting::new(format!("population = \"{name}\", {} customers", count(customers)), world, EstimatorName::Regression);
            case(setting.against(over).with(|o| o.population = population))
        };
        cases.push(of("assigned", Population::Assigned, Over::Assigned));
        cases.push(of("super", Population::Super, Over::Expected));
    }
    Section {
        title: "The customers assigned, or all there could be",
        text: "`regression` with an effect that grows with the customer's size: against the mean effect of the customers drawn (assigned) and against the expectation (super).",
        shown: &["total", "direct"],
        cases,
    }
}

fn money() -> Section {
    let mut cases = Vec::new();
    for estimator in [ATT, EstimatorName::Unadjusted] {
        for (gain, lift) in [("small", 0.3), ("large", 1.5)] {
            for (customers, share) in [(500, 0.5), (2000, 0.5), (2000, 0.9), (10_000, 0.5)] {
                let world = World { customers, share, effect: Effect::Responders(lift), money: true, ..World::default() };
                let name = format!("{estimator}, {gain} effect, {}, {} customers", split(share), count(customers));
                cases.push(case(Setting::new(name, world, estimator).asking(Asked::Study)));
            }
        }
        let world = World { customers: 2000, share: 0.95, skew: 1.5, effect: Effect::Responders(0.5), money: true, ..World::default() };
        cases.push(case(Setting::new(format!("{estimator}, {LONGEST_TAIL}, {}, 2,000 customers", split(0.95)), world, estimator).asking(Asked::Study)));
    }
    Section {
        title: "Money, ratios, burned budget",
        text: "A coupon of 10 %, half of it paid by the supplier, costs of the promotion, prices that vary. The money is that of the target customers drawn. The price in an \
               arm is that of all customers there could be, the difference of prices that of the drawn.",
        shown: &[
            "net_profit",
            "incremental_margin",
            "roi_on_gross_cost",
            "roi_on_retailer_cost",
            "iroas",
            "cost_per_incremental_unit",
            "net_to_direct",
            "redemption_incrementality",
            "burned budget",
            "price, target",
            "price, control",
            "price, difference",
            "price, relative",
        ],
        cases,
    }
}

fn joint() -> Section {
    let mut cases = Vec::new();
    for (kind, effect) in [("no effect", Effect::None), ("some respond", Effect::Responders(0.5))] {
        for estimator in [ATT, EstimatorName::Unadjusted] {
            for (customers, share) in [(500, 0.5), (2000, 0.5), (1000, 0.9), (2000, 0.9)] {
                let world = World { customers, share, effect, ..World::default() };
                let name = format!("{kind}; {estimator}, {}, {} customers", split(share), count(customers));
                cases.push(case(Setting::new(name, world, estimator).asking(Asked::Study)));
            }
            let world = World { customers: 2000, share: 0.95, skew: 1.5, effect, ..World::default() };
            let name = format!("{kind}; {estimator}, {LONGEST_TAIL}, {}, 2,000 customers", split(0.95));
            cases.push(case(Setting::new(name, world, estimator).asking(Asked::Study)));
        }
    }
    Section {
        title: "All effects at once",
        text: "The max-t intervals of the six effects on net sales: the share of draws in which all of them hold.",
        shown: &["all effects at once"],
        cases,
    }
}

fn weeks() -> Section {
    let mut cases = Vec::new();
    for (kind, effect) in [("no effect", Effect::None), ("some respond", Effect::Responders(0.5))] {
        for (customers, share) in [(500, 0.5), (1000, 0.9), (5000, 0.9)] {
            let world = World { customers, share, effect, weeks: true, ..World::default() };
            cases.push(case(Setting::new(format!("{kind}; {ATT}, {}, {} customers", split(share), count(customers)), world, ATT).asking(Asked::Weeks)));
        }
    }
    Section {
        title: "Weekly bands",
        text: "Four weeks of promotion and four after it: the interval of one week by itself, and the share of draws in which the band holds in all weeks, or the band of the \
               sums to date does.",
        shown: &["direct, one week", "direct, all weeks", "direct, all sums", "total, one week", "total, all weeks", "total, all sums"],
        cases,
    }
}

/// The estimators that speak of the target or of all assigned as drawn, each on whole shops.
const ON_LINES: [EstimatorName; 6] =
    [ATT, EstimatorName::Unadjusted, EstimatorName::Regression, EstimatorName::Cuped, EstimatorName::DifferenceInDifferences, EstimatorName::EntropyBalancing];

/// Headings of the clean retailers and of those that ought to be refused.
pub(crate) const NAMED: &str = "Retailers with a name";
pub(crate) const BROKEN: &str = "Broken retailers";

/// Draws of a whole shop.
const SHOPS: usize = 400;

fn shop(what: &str, customers: u32, shop: Shop, estimator: EstimatorName) -> Case {
    let name = format!("{what}, {} customers", count(customers as usize));
    Case { of: Of::Lines(Lines { name, customers, shop, estimator }), draws: SHOPS }
}

fn lines() -> Section {
    let much = Response { redemption: 0.6, extra_redeeming: 0.5, ..Response::default() };
    let mut cases = Vec::new();
    for (kind, response) in [("no response", Response::none()), ("as bundled", Response::default()), ("strong response", much)] {
        for estimator in ON_LINES {
            for share in [0.5, 0.9, 0.95] {
                for customers in [300, 1000] {
                    let what = format!("{kind}; {estimator}, {}", split(share));
                    cases.push(shop(&what, customers, Shop::Coupon(share, response), estimator));
                }
            }
        }
    }
    Section {
        title: "Line by line",
        text: "The simulated shop of `simulate::SeniorMeat`, drawn anew with its customers for every draw and measured from its lines up. The truth is that of the drawn \
               customers; money is that of the target.",
        shown: &["total", "direct", "relative total", "relative direct", "net_profit", "roi_on_gross_cost", "burned budget"],
        cases,
    }
}

fn presets() -> Section {
    let mut cases = Vec::new();
    for preset in Preset::ALL.into_iter().filter(|preset| !preset.is_broken()) {
        for estimator in ON_LINES {
            for customers in [300, 1000] {
                cases.push(shop(&format!("{preset}; {estimator}"), customers, Shop::Named(preset), estimator));
            }
        }
    }
    Section {
        title: NAMED,
        text: "The clean presets of `simulate::Retailer`, half of the customers in the target, measured from their lines up: every component, money and the bounds of the \
               burned budget. Of several offers each draw looks at another one.",
        shown: &[
            "total",
            "direct",
            "cannibalisation",
            "halo",
            "forward_buying",
            "carry_over",
            "relative total",
            "relative direct",
            "incremental_margin",
            "net_profit",
            "roi_on_gross_cost",
            "roi_on_retailer_cost",
            "iroas",
            "cost_per_incremental_unit",
            "burned budget",
        ],
        cases,
    }
}

fn broken() -> Section {
    let broken = Preset::ALL.into_iter().filter(|preset| preset.is_broken());
    let cases = broken.flat_map(|preset| [1000, 3000].map(|customers| shop(&format!("{preset}; {ATT}"), customers, Shop::Named(preset), ATT)));
    Section { title: BROKEN, text: "The broken presets of `simulate::Retailer`, which ought to be refused.", shown: &[], cases: cases.collect() }
}
