//! The last line: what to conclude, in everyday words, for those who read the end first.

use super::headline::{Side, currency, find, like, money_range, negative};
use super::number::{join, limits};
use super::verdict::refusal_in_short;
use super::words::customer;
use crate::estimate::Interval;
use crate::known::Known;
use crate::measure::Measurement;
use crate::validity::Conclusion;

/// The closing line.
pub(super) fn closing(measurement: &Measurement) -> String {
    let finding = || format!("{}{}", sold(measurement), earned(measurement));
    let text = match &measurement.conclusion {
        Conclusion::Refused { reasons } => {
            let reasons: Vec<String> = reasons.iter().map(|reason| refusal_in_short(measurement, reason)).collect();
            return format!("In plain words: do not use these numbers to judge the promotion: {}.", reasons.join("; "));
        }
        Conclusion::Inconclusive { reasons } => {
            let goals = if reasons.len() == 1 { "the goal was reached" } else { "all goals were reached" };
            format!("it cannot be told whether {goals}; {}{}", condition(measurement), finding())
        }
        Conclusion::Observational | Conclusion::Experiment => format!("{}{}", condition(measurement), finding()),
    };
    format!("In plain words: {text}.")
}

/// Under what the finding is one.
fn condition(measurement: &Measurement) -> &'static str {
    if measurement.randomised { "" } else { "the customers were chosen, so only if nothing else sets the two groups apart: " }
}

/// An estimate of money with its interval.
struct Amount<'a> {
    value: f64,
    interval: Interval,
    currency: &'a str,
}

impl<'a> Amount<'a> {
    fn new(measurement: &'a Measurement, value: f64, low: Known<f64>, high: Known<f64>) -> Self {
        Self { value, interval: limits(low, high), currency: currency(measurement) }
    }

    /// Its size, without a sign.
    fn size(&self) -> String {
        like(&self.interval, self.value, self.value.abs(), self.currency)
    }

    /// The limits of its size: turned round below zero.
    fn limits_of_size(&self) -> String {
        let interval = if self.value < 0.0 { negative(self.interval) } else { self.interval };
        between(&interval, self.value, self.currency)
    }

    fn limits(&self) -> String {
        between(&self.interval, self.value, self.currency)
    }
}

/// An interval as one would say it.
fn between(interval: &Interval, value: f64, currency: &str) -> String {
    match *interval {
        Interval::Bounded { low, high } => {
            let (low, high) = (like(interval, value, low, ""), like(interval, value, high, ""));
            format!("between {low} and {}", join(&high, currency))
        }
        Interval::Missing { reason } => format!("no interval: {}", reason.text()),
        _ => money_range(interval, value, currency),
    }
}

fn sold(measurement: &Measurement) -> String {
    let Some((total, each)) = find(measurement, "net_sales", "total").and_then(|total| Some((total, total.per_customer.value()?))) else {
        return "what the promotion sold cannot be told".to_owned();
    };
    let amount = Amount::new(measurement, each, total.ci_low, total.ci_high);
    let who = customer(measurement.estimand);
    match Side::of(&amount.interval) {
        Side::Above => format!("the promotion sold about {} more per {who} ({})", amount.size(), amount.limits_of_size()),
        Side::Below => format!("the promotion sold about {} less per {who} ({})", amount.size(), amount.limits_of_size()),
        Side::Either => format!("whether the promotion sold more or less cannot be told (per {who} {})", amount.limits()),
    }
}

fn earned(measurement: &Measurement) -> String {
    let net = measurement.profit.retailer.iter().find(|row| row.row == "net_profit");
    let Some((net, value)) = net.and_then(|net| Some((net, net.estimate.value()?))) else {
        return "; what it earned or lost is not known".to_owned();
    };
    let amount = Amount::new(measurement, value, net.ci_low, net.ci_high);
    match Side::of(&amount.interval) {
        Side::Above => format!(", and after all costs it earned about {} ({})", amount.size(), amount.limits_of_size()),
        Side::Below => format!(", and after all costs it lost about {} ({})", amount.size(), amount.limits_of_size()),
        Side::Either => format!("; whether it earned or lost money after all costs cannot be told ({})", amount.limits()),
    }
}
