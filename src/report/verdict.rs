//! The conclusion in plain words: what may be believed, why not, and what to do.

use super::number::count;
use super::words::Voice;
use crate::known::Reason;
use crate::measure::Measurement;
use crate::study::{EstimatorName, Period};
use crate::validity::{CheckResult, Conclusion, Status};

/// The verdict.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    /// It, in one line.
    pub(super) line: String,
    /// What the days in the data leave of it.
    pub(super) caveats: Vec<String>,
    /// What follows from it.
    pub(super) text: String,
    /// Why, where it needs reasons.
    pub(super) reasons: Vec<Objection>,
}

/// A reason to refuse or to leave open.
#[derive(Debug, Clone)]
pub(super) struct Objection {
    /// What is wrong.
    pub(super) problem: String,
    /// What was found.
    pub(super) found: Option<String>,
    /// What to do.
    pub(super) remedy: String,
}

/// The checks that can refuse a study.
const REFUSING: [&str; 5] = ["sample_ratio", "baseline_balance", "placebo", "control_leak", "other_promotions"];

/// That no check objects, and which could not be run.
fn objections(measurement: &Measurement) -> String {
    let not_run = measurement.checks.iter().filter(|c| c.status == Status::NotRun && REFUSING.contains(&c.check));
    let names: Vec<String> = not_run.map(|c| super::words::check(c.check, Voice::of(measurement))).collect();
    if names.is_empty() { "no check objects".to_owned() } else { format!("no check that could be run objects (not run: {})", names.join(", ")) }
}

/// What a chosen target allows to say.
fn chosen(measurement: &Measurement) -> String {
    let adjusted = measurement.covariates.used.iter().any(|name| name.contains(".baseline."));
    let before = match measurement.estimator {
        EstimatorName::DifferenceInDifferences => "What each customer bought before is subtracted",
        EstimatorName::MatchedPairs => "Whether the pairs bought alike before is for the checks to say",
        EstimatorName::GivenWeights if !adjusted => "Whether the weights level out what the groups bought before is for the checks to say",
        EstimatorName::CoarsenedExact if adjusted => "Customers who bought about as much before are compared with each other",
        _ if adjusted => "What the groups bought before is accounted for",
        _ => "What the groups bought before is not accounted for",
    };
    let objections = objections(measurement);
    format!(
        "The target group was chosen, not drawn. {before}; {objections}. A difference may be left all the same, and no check can rule one out: the figures \
         are effects only if nothing else sets the groups apart. Draw the next target group at random."
    )
}

/// What the days in the data leave of the promotion and of the time before it.
fn caveats(measurement: &Measurement) -> Vec<String> {
    let windows = &measurement.windows;
    let cut = |period: Period| windows.cut.iter().find(|cut| cut.window == period);
    let mut caveats = Vec::new();
    if let Some(cut) = cut(Period::Promotion) {
        let (days, asked) = (count(u64::from(cut.days)), count(u64::from(cut.asked_days)));
        let (verb, those) = if cut.days == 1 { ("is", "that day") } else { ("are", "those days") };
        let what = Voice::of(measurement).choose("this is the effect of", "the figures are of");
        caveats.push(format!("Only {days} of the {asked} days of the promotion {verb} in the data; {what} {those}."));
    }
    if windows.baseline.is_none() {
        let event = if windows.anticipation.is_some() { "announcement" } else { "promotion" };
        let missing = if cut(Period::Baseline).is_some() { "is in the data" } else { "was asked for" };
        caveats.push(format!("No day before the {event} {missing}: nothing that the groups bought before could be adjusted for or checked."));
    }
    caveats
}

/// The verdict of a measurement.
pub(super) fn verdict(measurement: &Measurement) -> Verdict {
    let caveats = caveats(measurement);
    match &measurement.conclusion {
        Conclusion::Experiment => Verdict {
            caveats,
            line: "EXPERIMENT. The figures below are estimates of what the promotion caused.".to_owned(),
            text: format!("The target group was drawn at random, and {}. What chance leaves open is in the intervals.", objections(measurement)),
            reasons: Vec::new(),
        },
        Conclusion::Observational => {
            let line = "OBSERVATIONAL. The figures below are a fair comparison, not a proof.".to_owned();
            Verdict { line, caveats, text: chosen(measurement), reasons: Vec::new() }
        }
        Conclusion::Inconclusive { reasons } => Verdict {
            caveats,
            line: "INCONCLUSIVE. The data cannot say whether the goal was met.".to_owned(),
            text: inconclusive(measurement),
            reasons: reasons.iter().map(|goal| undecided(goal)).collect(),
        },
        Conclusion::Refused { reasons } => Verdict {
            caveats,
            line: "REFUSED. The figures below must not be read as effects of the promotion.".to_owned(),
            text: "They are arithmetic, not effects: differences between the two groups, some or all of which would be there without the promotion. \
                They are shown so that the comparison can be mended."
                .to_owned(),
            reasons: reasons.iter().map(|reason| objection(measurement, reason)).collect(),
        },
    }
}

fn inconclusive(measurement: &Measurement) -> String {
    if measurement.randomised {
        let objections = objections(measurement);
        format!("The target group was drawn at random and {objections}, so the figures are estimates of effects; they are too uncertain to decide.")
    } else {
        chosen(measurement)
    }
}

fn undecided(goal: &str) -> Objection {
    Objection {
        problem: format!("Goal \"{goal}\": both reaching it and falling short of it fit the data."),
        found: None,
        remedy: "Measure more customers or a longer time, or take the goal as not shown.".to_owned(),
    }
}

/// The check of this name, where it fails.
fn failed<'a>(measurement: &'a Measurement, name: &str) -> Option<&'a CheckResult> {
    measurement.checks.iter().find(|c| c.check == name && c.status == Status::Fail)
}

/// Whether the placebo finds nothing and is too wide to say so.
fn placebo_is_wide(measurement: &Measurement) -> bool {
    failed(measurement, "placebo").and_then(|c| c.p_value.value()).is_some_and(|p| p >= 0.05)
}

/// A reason to refuse in half a sentence.
pub(super) fn refusal_in_short(measurement: &Measurement, reason: &str) -> String {
    let text = match reason {
        "placebo" if placebo_is_wide(measurement) => "whether the two groups differed already before it is too uncertain",
        "placebo" => "the same comparison finds a difference already before it",
        "nothing_bought" => "no customer of the two groups bought anything",
        "no_placebo" => "whether the two groups would have bought alike anyway could not be tested",
        "sample_ratio" => "the two groups are not of the sizes that were drawn",
        "baseline_balance" => "the two groups bought differently already before it",
        "control_leak" => "the control group used the offer too",
        "other_promotions" => "other promotions reached the two groups unequally",
        other => return format!("the check \"{}\" failed", super::words::check(other, Voice::Differences)),
    };
    text.to_owned()
}

fn objection(measurement: &Measurement, reason: &str) -> Objection {
    let failed = failed(measurement, reason);
    let wide = reason == "placebo" && placebo_is_wide(measurement);
    let no_answer = reason == "no_placebo" && measurement.checks.iter().any(|c| c.check == "placebo" && c.statistic.reason() == Some(Reason::Undefined));
    let key = match reason {
        _ if wide => "placebo_width",
        _ if no_answer => "placebo_undefined",
        reason => reason,
    };
    let (problem, remedy) = refusal(key, measurement.randomised);
    let found = failed.map(|c| Voice::Differences.sentence(&c.text)).filter(|text| !text.is_empty());
    Objection { problem, found, remedy: remedy.to_owned() }
}

/// What a reason to refuse means, and what to do about it.
fn refusal(reason: &str, randomised: bool) -> (String, &'static str) {
    let (problem, remedy) = match reason {
        "placebo" => (
            "The same comparison, made in the weeks before the promotion, already finds a difference where there is nothing to find. What it finds \
             later may be that same difference.",
            "Compare with customers who bought alike before, add covariates that explain the difference, or draw the next target group at random.",
        ),
        "placebo_width" => (
            "The same comparison, made in the weeks before the promotion, finds no difference, but is too uncertain to exclude one that would matter. What \
             it finds later may be such a difference.",
            "Bring a longer baseline or more customers, or draw the next target group at random.",
        ),
        "placebo_undefined" => (
            "The target group was chosen, and whether it would have bought like the control anyway could not be tested: on the first half of the weeks before \
             the promotion this way of comparing has no answer (what customers bought then does not tell them apart, or cannot be levelled out).",
            "Use fewer covariates, or another estimator (unadjusted, difference_in_differences), or draw the next target group at random.",
        ),
        "nothing_bought" => (
            "No assigned customer bought anything in any window, so that there is nothing to compare.",
            "Compare the customer ids of the assignment with those of the transactions, and the windows with the days of the ledger.",
        ),
        "no_placebo" => (
            "The target group was chosen, and too few days before the promotion are covered to test whether the groups would have bought alike anyway.",
            "Bring at least 14 days before the promotion, better 56, or draw the next target group at random.",
        ),
        "sample_ratio" => (
            "The sizes of the groups do not fit the intended shares: customers were lost, added or moved after the draw.",
            "Compare the assignment as it was drawn with the one handed over, and measure everybody who was drawn.",
        ),
        "baseline_balance" if randomised => (
            "The groups bought differently before the promotion, by more than a fair draw allows.",
            "Look for customers who were moved or left out after the draw, and measure everybody as drawn.",
        ),
        "baseline_balance" => (
            "The groups bought differently before the promotion, by more than the comparison can account for.",
            "Compare with customers who bought alike before, or draw the next target group at random.",
        ),
        "control_leak" => (
            "Control customers used the offer too, so that they do not show what happens without it.",
            "Find out how the offer reached them, and keep it off the control group next time.",
        ),
        "other_promotions" => (
            "Other promotions of the same time reached the groups unequally, so that their effects are mixed with this one's.",
            "Measure where other promotions reached both groups alike, and plan the next assignment so that they do.",
        ),
        other => return (format!("The check \"{}\" failed.", super::words::check(other, Voice::Differences)), "See the checks below."),
    };
    (problem.to_owned(), remedy)
}
