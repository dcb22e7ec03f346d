//! What must stand in a report, and what must not.

use super::fixture::{refused, sound};
use crate::estimate::Interval;
use crate::known::{Known, Reason};
use crate::measure::Measurement;
use crate::profit::BurnedState;
use crate::study::{Cut, Period};
use crate::validity::{Conclusion, Status};

/// The text in one line, so that sentences may break anywhere.
fn flat(measurement: &Measurement) -> String {
    measurement.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is not in\n{text}");
    }
}

#[track_caller]
fn lacks(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(!text.contains(part), "\"{part}\" is in\n{text}");
    }
}

const NEVER: [&str; 6] = ["NaN", "-0.00 ", "-0.0 ", "inf ", "None", "Missing"];

#[test]
fn a_sound_study_gives_the_verdict_first_and_then_the_answer() {
    let text = flat(&sound());
    holds(
        &text,
        &[
            "Promotion senior-meat-10",
            "2017-05-08 to 2017-06-25 (49 days)",
            "post has 7 of the 28 days asked for",
            "1,076 target (drawn at random), 1,393 control",
            "Verdict: EXPERIMENT. The figures below are estimates of what the promotion caused.",
            "It sold more: 10.95 EUR more net sales per target customer, +13.7 % (95 % interval 2.48 to 19.41 EUR), 11,777 EUR more in total (2,666 to 20,888 EUR).",
            "It earned 2,114.60 EUR after all costs and suppliers' payments (95 % interval 148.72 to 4,080.48 EUR).",
            "Of the discount, between 512.50 and 818.75 EUR went to units that would have been bought anyway (burned budget).",
        ],
    );
    let order = [
        "Verdict:",
        "It sold more",
        "direct",
        "Money of the retailer",
        "Ratios",
        "Burned budget:",
        "Goals",
        "Checks",
        "naive reading",
        "Warnings",
        "Lines:",
        "In plain words:",
    ];
    let at: Vec<usize> = order.iter().map(|part| text.find(part).unwrap()).collect();
    assert!(at.is_sorted(), "{at:?}");
    lacks(&text, &NEVER);
}

#[test]
fn the_tables_hold_the_figures_in_words() {
    let text = flat(&sound());
    holds(
        &text,
        &[
            "direct +13.71 7.42 .. 19.99 +17.1 % 9.3 .. 25.0 % < 0.001 +14,748",
            "on general sale +3.20",
            "at full price +10.51",
            "carry-over 0.00 -3.72 .. 3.72 0.0 % -4.7 .. 4.7 % > 0.999 -1",
            "total +10.95",
            "margin on the offer, at shelf prices +5,095.21 2,900.52 .. 7,289.90",
            "offer discount given -1,310.40",
            "margin from announcement to start – –",
            "– margin from announcement to start: nothing was announced before the start.",
            "own costs of the promotion -1,300.00 exact",
            "= incremental margin +2,759.40",
            "= net profit +2,114.60",
            "Danone & Sons <dairy>",
            "55.9 % -20.0 .. 131.0 %",
            "at least 10.0 %",
            "at most 9.10",
            "outside -3.00 .. 1.20",
            "not bounded",
            "break-even uplift of the offer's units: no interval is given for this quantity.",
            "the denominator is not above zero.",
            "Assumption: the offer takes no focal unit away.",
            "meat +10 % total net sales +10.0 % +13.7 % 0.020 met",
            "pass group sizes as intended",
            "WARN control kept off the offer 1.40 % of the controls redeemed",
            "not run other promotions alike Not run: no table of other promotions is given.",
            "customers who redeemed against those who did not +58.20",
            "measured here, same weeks +12.82",
            "873,240 read; 401,200 used, 250,000 of customers outside the assignment, 222,040 outside the windows.",
            "Not measured: discount paid by suppliers: no discount is paid by a supplier.",
        ],
    );
}

#[test]
fn a_refused_study_is_arithmetic_and_never_incremental() {
    for text in [flat(&refused()), every_html(&refused())] {
        assert!(!text.to_lowercase().contains("incremental"), "{text}");
        lacks(&text, &NEVER);
        holds(
            &text,
            &[
                "REFUSED. The figures below must not be read as effects of the promotion.",
                "They are arithmetic, not effects",
                "already finds a difference where there is nothing to find",
                "What to do:",
                "Bring at least 14 days before the promotion",
                "something new",
                "Differences (arithmetic, not effects)",
                "cannot be told from these groups",
                "Not known: where the offer is redeemed cannot be told from the lines.",
            ],
        );
        lacks(&text, &["It sold", "It earned", "caused.", "burned budget)", "per incremental"]);
    }
    let text = flat(&refused());
    holds(
        &text,
        &[
            "– forward buying, carry-over: no day after the promotion is covered.",
            "neither unit costs nor a margin rate are given",
            "cells were summed elsewhere",
        ],
    );
}

#[test]
fn a_loss_an_open_question_and_an_absent_profit_have_sentences() {
    let mut study = sound();
    let net = study.profit.retailer.last_mut().unwrap();
    (net.estimate, net.ci_low, net.ci_high) = (Known::Value(-900.0), Known::Value(-1_500.0), Known::Value(-300.0));
    holds(&flat(&study), &["It lost 900.00 EUR after all costs and suppliers' payments (95 % interval of the loss 300.00 to 1,500.00 EUR)."]);

    let net = study.profit.retailer.last_mut().unwrap();
    net.ci_high = Known::Value(20.0);
    holds(
        &flat(&study),
        &["It is not clear whether it earned or lost money: the estimate is a net loss of 900.00 EUR (95 % interval -1,500.00 to 20.00 EUR)."],
    );

    let net = study.profit.retailer.last_mut().unwrap();
    net.estimate = Known::Missing(Reason::NoCost);
    holds(&flat(&study), &["What it earned cannot be said: neither unit costs nor a margin rate are given."]);
}

#[test]
fn an_effect_that_may_be_zero_is_not_called_more() {
    let mut study = sound();
    let total = study.effects.iter_mut().find(|e| e.effect == "total").unwrap();
    total.ci_low = Known::Value(-1.0);
    let text = flat(&study);
    holds(&text, &["It is not clear whether it sold more: the estimate is 10.95 EUR more net sales per target customer"]);
    lacks(&text, &["It sold more:"]);
}

#[test]
fn one_sided_and_unbounded_intervals_have_words() {
    let mut study = sound();
    let total = study.effects.iter_mut().find(|e| e.effect == "total").unwrap();
    total.ci_high = Known::Missing(Reason::OneSided);
    total.relative.interval = Interval::Exclusive { below: -0.5, above: 0.1 };
    let text = flat(&study);
    holds(&text, &["(95 % interval at least 2.48 EUR)", "outside -50.0 .. 10.0 %"]);
}

#[test]
fn every_conclusion_has_a_verdict() {
    let mut study = sound();
    study.conclusion = Conclusion::Inconclusive { reasons: vec!["meat +10 %".to_owned()] };
    holds(
        &flat(&study),
        &[
            "INCONCLUSIVE.",
            "Goal \"meat +10 %\": both reaching it and falling short of it fit the data.",
            "drawn at random and no check that could be run objects (not run: other promotions alike)",
        ],
    );
    study.randomised = false;
    study.conclusion = Conclusion::Observational;
    holds(&flat(&study), &["OBSERVATIONAL.", "no check can rule one out", "If nothing else sets the groups apart, it sold more"]);
}

#[test]
fn an_experiment_says_which_checks_were_not_run() {
    let mut study = sound();
    holds(&flat(&study), &["and no check that could be run objects (not run: other promotions alike)."]);
    study.checks.retain(|c| c.status != Status::NotRun);
    holds(&flat(&study), &["and no check objects."]);
}

#[test]
fn a_chosen_target_has_a_condition_on_every_sentence() {
    let mut study = sound();
    study.randomised = false;
    study.conclusion = Conclusion::Observational;
    holds(
        &flat(&study),
        &[
            "If nothing else sets the groups apart, it sold more: 10.95 EUR",
            "If nothing else sets the groups apart, it earned 2,114.60 EUR",
            "If nothing else sets the groups apart, of the discount between 512.50 and 818.75 EUR went to",
            "What the groups bought before is accounted for;",
        ],
    );
    let total = study.effects.iter_mut().find(|e| e.measure == "net_sales" && e.effect == "total").unwrap();
    total.ci_low = Known::Value(-1.0);
    study.profit.retailer.last_mut().unwrap().ci_low = Known::Value(-1.0);
    holds(
        &flat(&study),
        &[
            "Even if nothing else sets the groups apart, it is not clear whether it sold more: the",
            "Even if nothing else sets the groups apart, it is not clear whether it earned or lost money: the",
        ],
    );
    study.covariates.used.clear();
    holds(&flat(&study), &["What the groups bought before is not accounted for;"]);
}

#[test]
fn a_placebo_that_is_only_too_wide_is_not_said_to_find_something() {
    let mut study = refused();
    let placebo = study.checks.iter_mut().find(|c| c.check == "placebo").unwrap();
    placebo.p_value = Known::Value(0.4);
    let text = flat(&study);
    lacks(&text, &["already finds a difference"]);
    holds(&text, &["is too uncertain to exclude one that would matter", "What to do: Bring a longer baseline or more customers"]);
}

#[test]
fn redemptions_that_meet_no_line_are_not_nobody() {
    let mut study = sound();
    study.burned_budget.state = BurnedState::RedemptionsWithoutUnits;
    let text = flat(&study);
    lacks(&text, &["Nobody redeemed", "went to units that would have been bought anyway"]);
    holds(&text, &["redemptions are counted, and charged where they cost, but no unit lies on the lines that they should mark"]);
}

/// Text and page, where there is one.
fn both(measurement: &Measurement) -> [String; 2] {
    [flat(measurement), every_html(measurement)]
}

#[test]
fn the_last_words_are_plain() {
    let mut study = sound();
    let says = |study: &Measurement, words: &str| {
        for text in both(study) {
            holds(&text, &[&format!("In plain words: {words}")]);
        }
        assert!(flat(study).ends_with(words), "{}", flat(study));
    };
    let earned = ", and after all costs it earned about 2,114.60 EUR (between 148.72 and 4,080.48 EUR).";
    says(&study, &format!("the promotion sold about 10.95 EUR more per target customer (between 2.48 and 19.41 EUR){earned}"));
    let net = study.profit.retailer.last_mut().unwrap();
    (net.estimate, net.ci_low, net.ci_high) = (Known::Value(-900.0), Known::Value(-1_500.0), Known::Value(-300.0));
    let sold = "the promotion sold about 10.95 EUR more per target customer (between 2.48 and 19.41 EUR)";
    says(&study, &format!("{sold}, and after all costs it lost about 900.00 EUR (between 300.00 and 1,500.00 EUR)."));
    study.profit.retailer.last_mut().unwrap().ci_high = Known::Value(20.0);
    says(&study, &format!("{sold}; whether it earned or lost money after all costs cannot be told (between -1,500.00 and 20.00 EUR)."));
    study.profit.retailer.last_mut().unwrap().estimate = Known::Missing(Reason::NoCost);
    says(&study, &format!("{sold}; what it earned or lost is not known."));
    let total = study.effects.iter_mut().find(|e| e.measure == "net_sales" && e.effect == "total").unwrap();
    total.ci_low = Known::Value(-1.0);
    let unclear =
        "whether the promotion sold more or less cannot be told (per target customer between -1.00 and 19.41 EUR); what it earned or lost is not known.";
    says(&study, unclear);
    study.randomised = false;
    study.conclusion = Conclusion::Observational;
    says(&study, &format!("the customers were chosen, so only if nothing else sets the two groups apart: {unclear}"));
    study.randomised = true;
    study.conclusion = Conclusion::Inconclusive { reasons: vec!["meat +10 %".to_owned()] };
    says(&study, &format!("it cannot be told whether the goal was reached; {unclear}"));
}

#[test]
fn the_last_words_of_a_refused_study_say_what_not_to_do() {
    let mut study = refused();
    let told = "In plain words: do not use these numbers to judge the promotion: the same comparison finds a difference already before it; whether the two \
        groups would have bought alike anyway could not be tested; the check";
    let text = flat(&study);
    holds(&text, &[told]);
    let last = &text[text.find("In plain words").unwrap()..];
    lacks(last, &["earned", "lost", "sold", "EUR"]);
    study.checks.iter_mut().find(|c| c.check == "placebo").unwrap().p_value = Known::Value(0.4);
    holds(&flat(&study), &["judge the promotion: whether the two groups differed already before it is too uncertain;"]);
}

#[test]
fn the_verdict_says_which_days_are_in_the_data() {
    let mut study = sound();
    for text in both(&study) {
        lacks(&text, &["days of the promotion are in the data", "No day before"]);
    }
    study.windows.cut.push(Cut { window: Period::Promotion, asked_days: 15, days: 5 });
    study.windows.baseline = None;
    study.windows.cut.push(Cut { window: Period::Baseline, asked_days: 56, days: 0 });
    let none = "No day before the promotion is in the data: nothing that the groups bought before could be adjusted for or checked.";
    for text in both(&study) {
        holds(&text, &["Only 5 of the 15 days of the promotion are in the data; this is the effect of those days.", none]);
        let [verdict, part, day, sales] = ["EXPERIMENT.", "Only 5 of", "No day before", "It sold more"].map(|words| text.find(words).unwrap());
        assert!(verdict < part && part < day && day < sales, "{text}");
    }
    study.windows.cut = vec![Cut { window: Period::Promotion, asked_days: 15, days: 1 }];
    study.windows.anticipation = study.windows.promotion;
    for text in both(&study) {
        holds(
            &text,
            &["Only 1 of the 15 days of the promotion is in the data; this is the effect of that day.", "No day before the announcement was asked for:"],
        );
    }
    study.conclusion = Conclusion::Refused { reasons: vec!["placebo".to_owned()] };
    holds(&flat(&study), &["is in the data; the figures are of that day."]);
}

#[test]
fn the_text_fits_a_terminal() {
    for study in [sound(), refused()] {
        for line in study.to_string().lines() {
            assert!(line.chars().count() <= 104, "{} columns: {line}", line.chars().count());
            assert_eq!(line, line.trim_end());
        }
    }
}

#[test]
fn the_effects_frame_is_tidy() {
    let frame = refused().effects_frame().unwrap();
    let names: Vec<String> = frame.get_column_names().iter().map(ToString::to_string).collect();
    let expected = "promotion estimator measure effect target_mean control_mean per_customer std_error df p_value ci_low ci_high total mde p_value_joint joint_low joint_high relative relative_low \
        relative_high relative_interval missing_reason";
    assert_eq!(names.join(" "), expected);
    assert_eq!(frame.height(), refused().effects.len());
    let reasons = frame.column("missing_reason").unwrap().str().unwrap();
    assert_eq!(reasons.get(0), None);
    assert_eq!(reasons.iter().flatten().next(), Some("no_post_window"));
    assert_eq!(frame.column("per_customer").unwrap().null_count(), 2);
    let kinds = frame.column("relative_interval").unwrap().str().unwrap();
    assert_eq!((kinds.get(0), kinds.get(frame.height() - 1)), (Some("bounded"), Some("missing")));
}

#[test]
fn money_and_checks_have_frames() {
    let study = sound();
    let money = study.profit_frame().unwrap();
    assert_eq!(money.height(), 11 + 1 + 5);
    assert_eq!(money.column("supplier").unwrap().null_count(), 12);
    assert_eq!(money.column("missing_reason").unwrap().str().unwrap().get(4), Some("not_announced"));
    let checks = study.checks_frame().unwrap();
    assert_eq!(checks.column("status").unwrap().str().unwrap().get(4), Some("not_run"));
    assert_eq!(checks.column("statistic").unwrap().null_count(), 1);
    assert_eq!(checks.column("threshold").unwrap().null_count(), 1);
}

#[cfg(not(feature = "report"))]
fn every_html(measurement: &Measurement) -> String {
    flat(measurement)
}

#[cfg(feature = "report")]
fn every_html(measurement: &Measurement) -> String {
    measurement.report().html()
}

#[cfg(feature = "report")]
mod page {
    use super::*;

    /// The names of the elements that are open at the end, or the first that closes another.
    fn unbalanced(html: &str) -> Vec<String> {
        const VOID: [&str; 4] = ["meta", "!DOCTYPE", "br", "link"];
        let mut open: Vec<String> = Vec::new();
        for tag in html.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
            let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default().to_owned();
            if tag.starts_with('/') {
                if open.pop().as_deref() != Some(name.as_str()) {
                    return vec![format!("/{name}")];
                }
            } else if !tag.ends_with('/') && !VOID.contains(&name.as_str()) {
                open.push(name);
            }
        }
        open
    }

    #[test]
    fn a_page_is_well_formed_and_asks_for_nothing() {
        for study in [sound(), refused()] {
            let html = study.report().html();
            assert_eq!(unbalanced(&html), Vec::<String>::new());
            lacks(&html, &["<script", "http", "src=", "href=", "@import", "url("]);
            lacks(&html, &NEVER);
        }
    }

    #[test]
    fn a_page_escapes_what_users_name() {
        let mut study = sound();
        study.promotion = "<b>\"5 < 6\" & more".to_owned();
        let html = study.report().html();
        holds(&html, &["&lt;b&gt;", "Danone &amp; Sons &lt;dairy&gt;"]);
        lacks(&html, &["<b>\"5", "<dairy>"]);
    }

    #[test]
    fn charts_are_drawn_named_and_their_figures_stand_in_tables() {
        let html = sound().report().html();
        assert_eq!(html.matches("<svg role=\"img\" aria-label=").count(), 2);
        holds(&html, &["<th scope=\"col\"", "<th scope=\"row\"", "<caption>", "+13.71 (7.42 .. 19.99)", "<td class=\"number\">7.42 .. 19.99</td>"]);
        // Without costs there is no bridge to draw.
        assert_eq!(refused().report().html().matches("<svg ").count(), 1);
    }

    #[test]
    fn a_written_page_is_whole_and_leaves_nothing_beside() {
        let folder = std::env::temp_dir().join(format!("promolift-report-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("report.html");
        sound().report().write_html(&path).unwrap();
        refused().report().write_html(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), refused().report().html());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
        let error = sound().report().write_html(folder.join("none/report.html")).unwrap_err();
        assert!(error.to_string().contains("report.html could not be written"), "{error}");
    }
}
