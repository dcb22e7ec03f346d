//! Answers besides the effects themselves: families that hold together, caps, effects per redeemer, goals by margins.

use promolift::Reason;
use promolift::estimate::{Interval, cap_at};
use promolift::measure::{EffectEstimate, GoalAnswer, Measurement};
use promolift::prelude::*;
use promolift::study::{Alternative, Cap, CapForm, Goal, GoalScale, Multiplicity, OfferLines, RedeemerAssumption};

use crate::compare::{IDENTITY, near, relative};
use crate::shop::{END, Line, START, Shop, Traits};

fn shop() -> Shop {
    Shop::random(5, &Traits { customers_per_arm: 120, ..Traits::default() })
}

fn row<'a>(found: &'a Measurement, measure: &str, effect: &str) -> &'a EffectEstimate {
    found.effects.iter().find(|e| e.measure == measure && e.effect == effect).unwrap_or_else(|| panic!("no {effect} on {measure}"))
}

fn each(row: &EffectEstimate) -> f64 {
    row.per_customer.value().unwrap()
}

#[test]
fn joint_p_values_and_joint_intervals_agree_at_every_level_and_side() {
    let shop = shop();
    let ledger = shop.ledger();
    let mut decided = [0, 0];
    for alternative in [Alternative::TwoSided, Alternative::Greater, Alternative::Less] {
        for multiplicity in [Multiplicity::MaxT, Multiplicity::Bonferroni, Multiplicity::Fcr] {
            for confidence in [0.6, 0.9, 0.99] {
                let mut study = shop.study(EstimatorName::RegressionAtt);
                study.options.alternative = alternative;
                study.options.multiplicity = multiplicity;
                study.options.confidence = confidence;
                let found = study.measure(&ledger).unwrap();
                for e in found.effects.iter().filter(|e| e.std_error.value().is_some_and(|s| s > 0.0)) {
                    let path = format!("{alternative:?} {multiplicity:?} {confidence} {} {}", e.measure, e.effect);
                    let joint = e.p_value_joint.value().unwrap();
                    // A common number of degrees of freedom, the smallest, can only raise it; max-t averages over directions.
                    assert!(joint >= e.p_value.value().unwrap() * 0.95 && joint <= 1.0, "{path}: {joint}");
                    let excludes = |low: Known<f64>, high: Known<f64>| low.value().is_some_and(|x| x > 0.0) || high.value().is_some_and(|x| x < 0.0);
                    let rejected = joint < 1.0 - confidence;
                    decided[usize::from(rejected)] += 1;
                    if multiplicity == Multiplicity::Fcr && !rejected {
                        assert_eq!(e.joint_low.reason(), Some(Reason::NotSelected), "{path}");
                    } else {
                        assert_eq!(excludes(e.joint_low, e.joint_high), rejected, "{path}: p {joint}");
                    }
                    if let (Known::Value(wide), Known::Value(low)) = (e.joint_low, e.ci_low) {
                        assert!(wide <= low + 0.02 * e.std_error.value().unwrap(), "{path}");
                    }
                    assert_eq!(e.joint_high.value().is_none(), e.joint_high.reason().is_some());
                }
            }
        }
    }
    assert!(decided[0] > 100 && decided[1] > 100, "{decided:?}");
}

#[test]
fn a_family_names_its_members_its_method_and_its_promise() {
    let shop = shop();
    let ledger = shop.ledger();
    let mut study = shop.study(EstimatorName::RegressionAtt);
    let found = study.measure(&ledger).unwrap();
    let family = found.families.iter().find(|f| f.measure == "net_sales").unwrap();
    assert_eq!(family.method, Multiplicity::MaxT);
    for name in ["direct", "direct.marked_down", "direct.full_price", "halo", "anticipation", "total"] {
        assert!(family.members.iter().any(|m| m == name), "{name}");
    }
    assert!(family.promise.contains("hold at once"), "{}", family.promise);
    assert!(found.families.iter().find(|f| f.measure == "baskets").unwrap().members.contains(&"overlap".to_owned()));
    // Nothing but the joint numbers depends on the method, and those on the seed only a little.
    let again = study.measure(&ledger).unwrap();
    assert_eq!(found.effects, again.effects);
    study.options.seed = 99;
    let other = study.measure(&ledger).unwrap();
    for (a, b) in found.effects.iter().zip(&other.effects) {
        assert_eq!((a.per_customer, a.ci_low, a.p_value), (b.per_customer, b.ci_low, b.p_value));
        if let (Known::Value(a), Known::Value(b)) = (a.p_value_joint, b.p_value_joint) {
            assert!((a - b).abs() <= 0.15 * a.max(b), "{a} {b}");
        }
    }
    study.options.multiplicity = Multiplicity::None;
    let none = study.measure(&ledger).unwrap();
    assert_eq!(row(&none, "net_sales", "total").p_value_joint.reason(), Some(Reason::NotAsked));
    assert!(none.families.iter().all(|f| f.method == Multiplicity::None && f.promise.contains("by itself only")));
    // An effect that cannot be measured says why there, too.
    study.options.multiplicity = Multiplicity::MaxT;
    study.promotion.post_days = 0;
    let short = study.measure(&ledger).unwrap();
    assert_eq!(row(&short, "units", "carry_over").joint_low.reason(), Some(Reason::NoPostWindow));
}

#[test]
fn bonferroni_of_a_family_is_its_p_value_times_its_members() {
    let shop = shop();
    let mut study = shop.study(EstimatorName::Unadjusted);
    study.options.multiplicity = Multiplicity::Bonferroni;
    let found = study.measure(&shop.ledger()).unwrap();
    for family in &found.families {
        for member in &family.members {
            let e = row(&found, &family.measure, member);
            relative(member, e.p_value_joint.value().unwrap(), (e.p_value.value().unwrap() * family.members.len() as f64).min(1.0), 1e-12);
        }
    }
}

#[test]
fn the_report_says_what_holds_alone_and_what_together() {
    let found = shop().measure(EstimatorName::RegressionAtt);
    let text = found.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("each holds by itself."), "{text}");
    assert!(text.contains("Taken together (max-t),"), "{text}");
}

/// Net sales of each customer after the baseline, by a plain loop.
fn sales_after(shop: &Shop) -> Vec<f64> {
    let first = shop.promotion.announced.map_or(START, Day::epoch);
    let last = END + shop.promotion.post_days as i32;
    let of = |customer: &i64| shop.lines.iter().filter(|l| l.customer == *customer && (first..=last).contains(&l.day)).map(|l| l.net_sales).sum();
    shop.customers().iter().map(of).collect()
}

fn mean_difference(shop: &Shop, values: &[f64]) -> f64 {
    let mean = |arm: Arm| {
        let of: Vec<f64> = values.iter().zip(&shop.assignment.arm).filter(|(_, a)| **a == arm).map(|(v, _)| *v).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    mean(Arm::Target) - mean(Arm::Control)
}

#[test]
fn total_and_above_cap_are_the_capped_total() {
    let shop = shop();
    let ledger = shop.ledger();
    let sales = sales_after(&shop);
    let cap = cap_at(&sales, 0.9).unwrap();
    let low = -1.0;
    let capped: Vec<f64> = sales.iter().map(|x| x.min(cap).max(low)).collect();
    for estimator in EstimatorName::ALL {
        let raw = shop.study(estimator).measure(&ledger).unwrap();
        let mut study = shop.study(estimator);
        study.options.cap = Some(Cap::at_quantile(0.9).with_low(low).scaled());
        let found = study.measure(&ledger).unwrap();
        let result = found.cap.as_ref().unwrap();
        relative("cap", result.cap.value().unwrap(), cap, 1e-12);
        let total = row(&found, "net_sales", "total");
        let above = row(&found, "net_sales", "above_cap");
        let scale = total.target_mean.value().unwrap();
        near(estimator.name(), each(total) + each(above), each(&result.capped_total), scale, IDENTITY);
        let scaled = |effect: &str| each(found.effects_scaled.iter().find(|e| e.measure == "net_sales" && e.effect == effect).unwrap());
        near(estimator.name(), scaled("total"), each(&result.capped_total), scale, 1e-11);
        let parts = ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "anticipation"];
        near(estimator.name(), parts.map(scaled).iter().sum(), scaled("total"), scale, 1e-11);
        let cut = |arm: Arm| sales.iter().zip(&capped).zip(&shop.assignment.arm).filter(|((x, c), a)| x != c && **a == arm).count();
        assert_eq!((result.cut.target, result.cut.control), (cut(Arm::Target), cut(Arm::Control)));
        if estimator == EstimatorName::Unadjusted {
            near("by hand", each(&result.capped_total), mean_difference(&shop, &capped), scale, 1e-12);
            assert!(result.capped_total.std_error.value() < total.std_error.value());
        }
        assert_eq!(above.p_value_joint.reason(), Some(Reason::NotInFamily));
        // Everything else is as without a cap: effects, money, burned budget.
        let others: Vec<_> = found.effects.iter().filter(|e| e.effect != "above_cap").cloned().collect();
        assert_eq!(others, raw.effects);
        assert_eq!(found.profit, raw.profit);
        assert_eq!(found.burned_budget, raw.burned_budget);
        assert!(raw.cap.is_none() && raw.effects_scaled.is_empty());
    }
}

#[test]
fn a_cap_by_amount_is_told_and_no_goal_can_name_it() {
    let shop = shop();
    let ledger = shop.ledger();
    let mut study = shop.study(EstimatorName::RegressionAtt);
    study.options.cap = Some(Cap::at_net_sales(40.0));
    let found = study.measure(&ledger).unwrap();
    let result = found.cap.as_ref().unwrap();
    assert_eq!((result.form, result.cap, result.quantile.reason()), (CapForm::AboveCap, Known::Value(40.0), Some(Reason::NotGiven)));
    assert!(found.effects_scaled.is_empty());
    assert!(found.to_string().contains("capped at 40.00"), "{found}");
    study.promotion.goals = vec![Goal::per_customer("no", "above_cap", "net_sales", 1.0)];
    assert!(study.measure(&ledger).unwrap_err().to_string().contains("above_cap"));
    // Most customers of a shop that sells to few have no sales: the quantile is zero, and no cap.
    let mut quiet = shop.clone();
    quiet.lines.retain(|l| l.customer % 10 == 1 || l.day < START - 5);
    let mut study = quiet.study(EstimatorName::Unadjusted);
    study.options.cap = Some(Cap::at_quantile(0.3).scaled());
    let found = study.measure(&quiet.ledger()).unwrap();
    assert_eq!(row(&found, "net_sales", "above_cap").per_customer.reason(), Some(Reason::CapNotPositive));
    assert_eq!(found.cap.unwrap().cap.reason(), Some(Reason::CapNotPositive));
    assert!(found.effects_scaled.is_empty());
}

/// Ten customers an arm: 4 of the target and 1 of the control redeem, and each redeemer buys ten more units at 2.00.
fn redeeming() -> Shop {
    let mut shop = Shop::random(1, &Traits { customers_per_arm: 10, announced: false, markdown: false, ..Traits::default() });
    shop.lines.clear();
    let customers = shop.customers().to_vec();
    let mut of_arm = [0, 0];
    for customer in customers {
        let arm = usize::from(shop.arm(customer) == Some(Arm::Control));
        let place = of_arm[arm];
        of_arm[arm] += 1;
        let redeems = place < [4, 1][arm];
        let mut line = |day: i32, quantity: i64, coupon: f64| {
            let net_sales = 2.0 * quantity as f64;
            let (product, store) = ("p0".to_owned(), "north".to_owned());
            shop.lines.push(Line { customer, day, product, quantity: quantity as f64, net_sales, coupon, rebate: 0.0, basket: None, store });
        };
        // The same spread in both arms.
        let usual = 3 + i64::from(place % 5);
        line(START - 9, usual, 0.0);
        line(START + 3, usual, 0.0);
        if redeems {
            line(START + 4, 10, 0.5);
        }
    }
    shop
}

#[test]
fn an_effect_per_redeemer_is_what_each_of_them_bought_more() {
    let shop = redeeming();
    let ledger = shop.ledger();
    let mut study = shop.study(EstimatorName::Unadjusted);
    let without = study.measure(&ledger).unwrap().redeemers;
    assert!(without.assumption.reason() == Some(Reason::AssumptionNotStated) && without.effects.len() == 4);
    assert!(without.effects.iter().all(|e| e.per_redeemer.reason() == Some(Reason::AssumptionNotStated)));
    study.options.redeemers = Some(RedeemerAssumption::Exclusion);
    let found = study.measure(&ledger).unwrap();
    let per = &found.redeemers;
    assert!(per.assumption.value().unwrap().contains("the offer changes only what those buy who redeem it"));
    near("target", per.target_share.value().unwrap(), 0.4, 1.0, 1e-12);
    near("control", per.control_share.value().unwrap(), 0.1, 1.0, 1e-12);
    near("difference", per.difference.value().unwrap(), 0.3, 1.0, 1e-12);
    // Difference of means: 4 x 10 / 10 - 1 x 10 / 10 = 3 units, over a difference of shares of 0.3: 10 units, 20.00.
    for (row, expected) in per.effects.iter().zip([20.0, 20.0, 10.0, 10.0]) {
        relative(row.effect, row.per_redeemer.value().unwrap(), expected, 1e-12);
    }
    assert!(found.to_string().contains("Effects per redeemer, under an assumption") || found.conclusion.is_refused());
    // Anderson and Rubin: zero is inside exactly when the effect's own test does not reject, whatever the shares.
    for (subject, confidence) in [("units", 0.5), ("units", 0.9), ("units", 0.999), ("net_sales", 0.7), ("net_sales", 0.99)] {
        study.options.confidence = confidence;
        let found = study.measure(&ledger).unwrap();
        let alone = row(&found, subject, "direct").p_value.value().unwrap();
        let interval = found.redeemers.effects.iter().find(|e| e.measure == subject && e.effect == "direct").unwrap().interval;
        if !matches!(interval, Interval::Exclusive { .. }) {
            assert_eq!(interval.contains(0.0), alone >= 1.0 - confidence, "{subject} {confidence} {interval:?}");
        }
    }
}

#[test]
fn without_redemptions_there_is_no_effect_per_redeemer() {
    let mut shop = redeeming();
    shop.promotion.offer_lines = Some(OfferLines::Unknown);
    shop.promotion.costs.per_redemption = 0.0;
    shop.promotion.funding.clear();
    let mut study = shop.study(EstimatorName::Unadjusted);
    study.options.redeemers = Some(RedeemerAssumption::Exclusion);
    let found = study.measure(&shop.ledger()).unwrap().redeemers;
    assert_eq!((found.difference.reason(), found.assumption.value().is_some()), (Some(Reason::OfferLinesUnknown), true));
    let mut shop = redeeming();
    shop.lines.iter_mut().for_each(|l| l.coupon = 0.0);
    let mut study = shop.study(EstimatorName::Unadjusted);
    study.options.redeemers = Some(RedeemerAssumption::Exclusion);
    let found = study.measure(&shop.ledger()).unwrap().redeemers;
    assert_eq!(found.effects[0].per_redeemer.reason(), Some(Reason::NoRedemptions));
    // As many controls as targets redeem: no denominator.
    let mut shop = redeeming();
    shop.lines.iter_mut().filter(|l| l.day == START + 3).for_each(|l| l.coupon = 0.1);
    let mut study = shop.study(EstimatorName::Unadjusted);
    study.options.redeemers = Some(RedeemerAssumption::Exclusion);
    let found = study.measure(&shop.ledger()).unwrap().redeemers;
    assert_eq!(found.effects[0].per_redeemer.reason(), Some(Reason::DenominatorNotPositive));
}

#[test]
fn goals_by_margins_turn_where_the_one_sided_limits_lie() {
    let shop = shop();
    let ledger = shop.ledger();
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::DifferenceInDifferences, EstimatorName::Cuped] {
        let mut study = shop.study(estimator);
        // The limits of two one-sided tests at 95 % are those of a 90 % interval.
        study.options.confidence = 0.9;
        let wide = study.measure(&ledger).unwrap();
        study.options.confidence = 0.95;
        for (effect, measure) in [("direct", "net_sales"), ("total", "units"), ("overlap", "baskets")] {
            let e = row(&wide, measure, effect);
            let per_customer = (e.ci_low.value().unwrap(), e.ci_high.value().unwrap(), GoalScale::PerCustomer);
            let bounded = match e.relative.interval {
                Interval::Bounded { low, high } => Some((low, high, GoalScale::Relative)),
                _ => None,
            };
            for (low, high, scale) in [Some(per_customer), bounded].into_iter().flatten() {
                let step = 1e-6 * (high - low);
                let not_below = |x: f64| Goal::not_below("g", effect, measure, x).on_scale(scale);
                let within = |a: f64, b: f64| Goal::within("g", effect, measure, [a, b]).on_scale(scale);
                study.promotion.goals = vec![
                    not_below(low - step),
                    not_below(low + step),
                    not_below(high - step),
                    not_below(high + step),
                    within(low - step, high + step),
                    within(low + step, high + step),
                    within(low - step, high - step),
                    within(high + step, high + 1.0),
                    within(low - 1.0, low - step),
                    within(low + step, low + 2.0 * step),
                ];
                let found = study.measure(&ledger).unwrap();
                use GoalAnswer::{Met, Missed, Undecided};
                let expected = [Met, Undecided, Undecided, Missed, Met, Undecided, Undecided, Missed, Missed, Undecided];
                let answers: Vec<GoalAnswer> = found.goals.iter().map(|g| g.answer).collect();
                assert_eq!(answers, expected, "{estimator} {effect} {measure} {scale:?}");
                let tested = &found.goals[4];
                let (a, b) = (tested.p_above_low.value().unwrap(), tested.p_below_high.value().unwrap());
                near("p", tested.p_value.value().unwrap(), a.max(b), 1.0, 1e-15);
                assert!((a - 0.05).abs() < 1e-4 && (b - 0.05).abs() < 1e-4, "{a} {b}");
                assert_eq!(found.goals[0].p_below_high.reason(), Some(Reason::NotGiven));
            }
        }
    }
}

#[test]
fn what_is_no_option_or_no_goal_is_refused_with_its_place() {
    let shop = shop();
    let ledger = shop.ledger();
    let refused = |change: &dyn Fn(&mut Study)| {
        let mut study = shop.study(EstimatorName::RegressionAtt);
        change(&mut study);
        study.measure(&ledger).unwrap_err().to_string()
    };
    let mut both = Cap::at_quantile(0.9);
    both.net_sales = Some(9.0);
    for (cap, key) in [
        (both, "estimation.cap"),
        (Cap::default(), "estimation.cap"),
        (Cap::at_quantile(0.0), "cap.quantile"),
        (Cap::at_quantile(f64::NAN), "cap.quantile"),
        (Cap::at_quantile(1.5), "cap.quantile"),
        (Cap::at_net_sales(-3.0), "cap.net_sales"),
        (Cap::at_net_sales(f64::INFINITY), "cap.net_sales"),
        (Cap::at_quantile(0.9).with_low(0.0), "cap.low"),
    ] {
        let text = refused(&|study| study.options.cap = Some(cap));
        assert!(text.contains(key), "{key}: {text}");
    }
    let total = || Goal::within("g", "total", "net_sales", [-1.0, 1.0]);
    for (goal, part) in [
        (Goal { relative: Some(0.1), ..total() }, "exactly one of"),
        (Goal { within: Some([1.0, 1.0]), ..total() }, "the lower margin must lie below"),
        (Goal { within: Some([f64::NAN, 1.0]), ..total() }, "finite"),
        (Goal::relative("g", "total", "net_sales", 0.1).on_scale(GoalScale::Relative), "scale belongs to"),
        (Goal { effect: None, measure: None, row: Some("net_profit".into()), ..total() }, "for an effect on a measure"),
        (Goal::not_below("g", "totl", "net_sales", 0.0), "Did you mean"),
    ] {
        let text = refused(&|study| study.promotion.goals = vec![goal.clone()]);
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_file_names_options_and_the_nearest_of_those_that_are_unknown() {
    let file = |estimation: &str, goal: &str| {
        let text = format!(
            "id = \"a\"\nrandomised = true\nstart = 2017-05-08\nend = 2017-06-25\n[focal]\ncategory = \"meat\"\n[estimation]\n{estimation}\n\
             [[goals]]\nname = \"g\"\neffect = \"halo\"\nmeasure = \"net_sales\"\n{goal}\n"
        );
        promolift::files::PromotionFile::parse(&text, std::path::Path::new("."))
    };
    let asked = "multiplicity = \"fcr\"\ncap = {quantile = 0.99, low = -20.0, form = \"scaled\"}\nredeemers = \"exclusion\"";
    let read = file(asked, "within = [-0.02, 0.02]\nscale = \"relative\"").unwrap();
    assert_eq!(read.options.multiplicity, Multiplicity::Fcr);
    assert_eq!(read.options.cap, Some(Cap::at_quantile(0.99).with_low(-20.0).scaled()));
    assert_eq!(read.options.redeemers, Some(RedeemerAssumption::Exclusion));
    let goal = &read.promotion.goals[0];
    assert_eq!((goal.within, goal.scale), (Some([-0.02, 0.02]), Some(GoalScale::Relative)));
    for (estimation, part) in [
        ("multiplicity = \"maxt\"", "Did you mean `max_t`?"),
        ("multiplicity = \"bonferoni\"", "Did you mean `bonferroni`?"),
        ("redeemers = \"exclusions\"", "Did you mean `exclusion`?"),
        ("cap = {quantle = 0.9}", "Did you mean `quantile`?"),
        ("cap = {quantile = 0.9, form = \"scale\"}", "Did you mean `scaled`?"),
    ] {
        let text = file(estimation, "not_below = -1.0").unwrap_err().to_string();
        assert!(text.contains(part), "{estimation}: {text}");
    }
}
