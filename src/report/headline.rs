//! Two or three sentences: did it sell more, what did it earn, what was burned.

use super::number::{Format, confidence, join, limits, money};
use super::words::{Voice, customer};
use crate::estimate::Interval;
use crate::known::Known;
use crate::measure::{EffectEstimate, Measurement};
use crate::profit::BurnedState;

/// On which side of zero an interval lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
    Either,
}

impl Side {
    pub(super) fn of(interval: &Interval) -> Self {
        match *interval {
            Interval::Bounded { low, .. } | Interval::AtLeast { low } if low > 0.0 => Self::Above,
            Interval::Bounded { high, .. } | Interval::AtMost { high } if high < 0.0 => Self::Below,
            _ => Self::Either,
        }
    }
}

/// The headline.
pub(super) fn headline(measurement: &Measurement) -> Vec<String> {
    let sentences = match Voice::of(measurement) {
        Voice::Effects => [Some(sales(measurement)), Some(earnings(measurement)), burned(measurement)],
        Voice::Differences => [Some(difference(measurement)), money_difference(measurement), None],
    };
    sentences.into_iter().flatten().collect()
}

/// The beginning of a sentence on an effect: where the target was chosen, with the condition under which it is one.
fn condition(measurement: &Measurement, drawn: &'static str, chosen: &'static str) -> String {
    if measurement.randomised { drawn.to_owned() } else { format!("If nothing else sets the groups apart, {chosen}") }
}

/// What the sentences on sales say in numbers.
struct Sales {
    each: String,
    each_range: String,
    all: String,
    all_range: String,
    relative: Option<String>,
    side: Side,
    above: bool,
}

fn sales_figures(measurement: &Measurement) -> Result<Sales, String> {
    let total = find(measurement, "net_sales", "total").ok_or("no net sales were measured")?;
    let (Known::Value(each), Known::Value(all)) = (total.per_customer, total.total) else {
        let reason = total.per_customer.reason().or(total.total.reason());
        return Err(reason.map_or_else(|| "the estimate is absent".to_owned(), |r| r.text().to_owned()));
    };
    let currency = currency(measurement);
    let interval = limits(total.ci_low, total.ci_high);
    let counted = measurement.arms.target.customers - measurement.design.outside().target;
    let over_target = interval.scaled(counted as f64, 0.0);
    Ok(Sales {
        each: like(&interval, each, each.abs(), currency),
        each_range: money_range(&interval, each, currency),
        all: like(&over_target, all, all.abs(), currency),
        all_range: money_range(&over_target, all, currency),
        relative: total.relative.estimate.value().map(|r| Format::Percent.signed(r)),
        side: Side::of(&interval),
        above: each >= 0.0,
    })
}

/// The effect of a name on a measure.
pub(super) fn find<'a>(measurement: &'a Measurement, measure: &str, effect: &str) -> Option<&'a EffectEstimate> {
    measurement.effects.iter().find(|e| e.measure == measure && e.effect == effect)
}

/// The currency, empty where it is not given.
pub(super) fn currency(measurement: &Measurement) -> &str {
    measurement.currency.as_deref().unwrap_or_default()
}

/// The format that an estimate shares with its interval.
fn format(interval: &Interval, value: f64) -> Format {
    Format::money([value, interval.low().unwrap_or(0.0), interval.high().unwrap_or(0.0)])
}

pub(super) fn money_range(interval: &Interval, value: f64, currency: &str) -> String {
    format(interval, value).range(interval, currency)
}

/// A number shown as `value` and its interval are.
pub(super) fn like(interval: &Interval, value: f64, number: f64, currency: &str) -> String {
    join(&format(interval, value).show(number), currency)
}

fn sales(measurement: &Measurement) -> String {
    let figures = match sales_figures(measurement) {
        Ok(figures) => figures,
        Err(reason) => return format!("What it sold cannot be said: {reason}."),
    };
    let Sales { each, each_range, all, all_range, relative, side, above } = figures;
    let level = confidence(measurement.confidence);
    let who = customer(measurement.estimand);
    let relative = relative.map(|r| format!(", {r}")).unwrap_or_default();
    let way = if above { "more" } else { "less" };
    let amounts = format!("{each} {way} net sales per {who}{relative} ({level} interval {each_range}), {all} {way} in total ({all_range})");
    if side == Side::Either {
        let unclear = even(measurement, "it is not clear whether it sold more");
        return format!("{unclear}: the estimate is {amounts}.");
    }
    format!("{} {way}: {amounts}.", condition(measurement, "It sold", "it sold"))
}

fn earnings(measurement: &Measurement) -> String {
    let Some(net) = measurement.profit.retailer.iter().find(|r| r.row == "net_profit") else {
        return "What it earned was not asked for or cannot be computed.".to_owned();
    };
    let value = match net.estimate {
        Known::Value(value) => value,
        Known::Missing(reason) => return format!("What it earned cannot be said: {}.", reason.text()),
    };
    let currency = currency(measurement);
    let level = confidence(measurement.confidence);
    let interval = limits(net.ci_low, net.ci_high);
    let range = money_range(&interval, value, currency);
    match Side::of(&interval) {
        Side::Above => format!(
            "{} {} after all costs and suppliers' payments ({level} interval {range}).",
            condition(measurement, "It earned", "it earned"),
            like(&interval, value, value, currency)
        ),
        Side::Below => {
            let loss = money_range(&negative(interval), value, currency);
            let opening = condition(measurement, "It lost", "it lost");
            format!("{opening} {} after all costs and suppliers' payments ({level} interval of the loss {loss}).", like(&interval, value, -value, currency))
        }
        Side::Either => {
            let way = if value < 0.0 { "loss" } else { "profit" };
            let amount = like(&interval, value, value.abs(), currency);
            let unclear = even(measurement, "it is not clear whether it earned or lost money");
            format!("{unclear}: the estimate is a net {way} of {amount} ({level} interval {range}).")
        }
    }
}

/// A sentence on what is not clear, even under the condition.
fn even(measurement: &Measurement, unclear: &str) -> String {
    if measurement.randomised { unclear.replacen("it", "It", 1) } else { format!("Even if nothing else sets the groups apart, {unclear}") }
}

/// The interval of the value with the other sign.
pub(super) fn negative(interval: Interval) -> Interval {
    match interval {
        Interval::Bounded { low, high } => Interval::Bounded { low: -high, high: -low },
        Interval::AtLeast { low } => Interval::AtMost { high: -low },
        Interval::AtMost { high } => Interval::AtLeast { low: -high },
        Interval::Exclusive { below, above } => Interval::Exclusive { below: -above, above: -below },
        Interval::Unbounded | Interval::Missing { .. } => interval,
    }
}

fn burned(measurement: &Measurement) -> Option<String> {
    let burned = &measurement.burned_budget;
    let (BurnedState::Bounded, Known::Value(low), Known::Value(high)) = (&burned.state, burned.money.low, burned.money.high) else {
        return None;
    };
    let interval = Interval::Bounded { low, high };
    let range = money_range(&interval, high, currency(measurement)).replacen(" to ", " and ", 1);
    let of = condition(measurement, "Of the discount,", "of the discount");
    Some(format!("{of} between {range} went to units that would have been bought anyway (burned budget)."))
}

fn difference(measurement: &Measurement) -> String {
    match sales_figures(measurement) {
        Err(reason) => format!("How the groups differ in net sales cannot be said: {reason}."),
        Ok(Sales { each, each_range, all, above, .. }) => {
            let way = if above { "more" } else { "less" };
            let level = confidence(measurement.confidence);
            format!(
                "After the baseline the target bought {each} {way} per customer than the comparison with the control gives \
                 ({level} interval {each_range}), {all} in total. How much of that the promotion caused cannot be told from these groups."
            )
        }
    }
}

fn money_difference(measurement: &Measurement) -> Option<String> {
    let net = measurement.profit.retailer.iter().find(|r| r.row == "net_profit")?;
    let value = net.estimate.value()?;
    let amount = money(value, currency(measurement));
    Some(format!("The same arithmetic leaves {amount} after discounts, suppliers' payments and costs; that is no profit or loss of the promotion."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_of_a_loss_turns_round() {
        assert_eq!(negative(Interval::Bounded { low: -9.0, high: -2.0 }), Interval::Bounded { low: 2.0, high: 9.0 });
        assert_eq!(negative(Interval::AtMost { high: -2.0 }), Interval::AtLeast { low: 2.0 });
    }

    #[test]
    fn the_side_of_zero_needs_a_limit_on_it() {
        assert_eq!(Side::of(&Interval::Bounded { low: 0.1, high: 2.0 }), Side::Above);
        assert_eq!(Side::of(&Interval::AtMost { high: -0.1 }), Side::Below);
        assert_eq!(Side::of(&Interval::AtMost { high: 0.1 }), Side::Either);
        assert_eq!(Side::of(&Interval::Unbounded), Side::Either);
    }
}
