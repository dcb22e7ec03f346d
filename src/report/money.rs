//! The money: bridges, ratios, burned budget.

use super::effects::absences;
use super::headline::currency;
use super::number::{ABSENT, Format, confidence, join, limits};
use super::table::{RowKind, Set, Table};
use super::words::{BridgeRow, RatioUnit, Voice, ratio, retailer_row, supplier_row};
use crate::estimate::Interval;
use crate::known::Known;
use crate::measure::Measurement;
use crate::profit::{BurnedBounds, BurnedState, MoneyRow};

/// The bridges of the retailer and of the suppliers.
pub(super) fn bridges(measurement: &Measurement) -> Vec<Table> {
    let profit = &measurement.profit;
    let mut tables = Vec::new();
    if !profit.retailer.is_empty() {
        let mut rows: Vec<&MoneyRow> = profit.retailer.iter().collect();
        rows.extend(profit.memo.iter().filter(|row| row.estimate.value().is_some_and(|v| v != 0.0)));
        tables.push(bridge(measurement, "Money of the retailer", &rows, retailer_row));
    }
    for supplier in &profit.suppliers {
        let rows: Vec<&MoneyRow> = supplier.rows.iter().collect();
        tables.push(bridge(measurement, &format!("Money of the supplier {}", supplier.supplier), &rows, supplier_row));
    }
    tables
}

fn bridge(measurement: &Measurement, title: &str, rows: &[&MoneyRow], name: fn(&str, Voice) -> BridgeRow) -> Table {
    let voice = Voice::of(measurement);
    let title = match currency(measurement) {
        "" => format!("{title}, all target customers"),
        currency => format!("{title}, all target customers, {currency}"),
    };
    let level = format!("{} interval", confidence(measurement.confidence));
    let mut table = Table::new(title, &[("", Set::Name), (voice.choose("estimate", "difference"), Set::Number), (level.as_str(), Set::Number)]);
    let format = Format::money(rows.iter().flat_map(|r| [r.estimate, r.ci_low, r.ci_high]).filter_map(Known::value));
    for row in rows {
        let BridgeRow { label, sum } = name(row.row, voice);
        let kind = if sum { RowKind::Sum } else { RowKind::Part };
        let label = if sum { format!("= {label}") } else { label };
        table.push(kind, vec![label, format.known(row.estimate), range(row, format)]);
    }
    table.notes = absences(rows.iter().map(|row| (name(row.row, voice).label, row.estimate.reason())));
    table
}

/// The interval of a row; what is known without error says so.
pub(super) fn range(row: &MoneyRow, format: Format) -> String {
    match limits(row.ci_low, row.ci_high) {
        _ if row.estimate.value().is_some() && row.std_error.value() == Some(0.0) => "exact".to_owned(),
        interval => format.interval(&interval),
    }
}

/// The ratios.
pub(super) fn ratios(measurement: &Measurement) -> Option<Table> {
    if measurement.ratios.is_empty() {
        return None;
    }
    let voice = Voice::of(measurement);
    let level = format!("{} interval", confidence(measurement.confidence));
    let mut table = Table::new("Ratios", &[("", Set::Name), (voice.choose("estimate", "value"), Set::Number), (level.as_str(), Set::Number)]);
    for row in &measurement.ratios {
        let (label, unit) = ratio(row.ratio, voice);
        let format = match unit {
            RatioUnit::Percent => Format::Percent,
            RatioUnit::Money => Format::money(row.estimate.value()),
        };
        let interval = if row.estimate.value().is_some() || !matches!(row.interval, Interval::Missing { .. }) {
            format.interval(&row.interval)
        } else {
            ABSENT.to_owned()
        };
        table.push(RowKind::Part, vec![label, row.estimate.value().map_or_else(|| ABSENT.to_owned(), |v| format.show(v)), interval]);
    }
    table.notes = absences(measurement.ratios.iter().map(|row| {
        let missing = match row.interval {
            Interval::Missing { reason } => Some(reason),
            _ => None,
        };
        (ratio(row.ratio, voice).0, row.estimate.reason().or(missing))
    }));
    Some(table)
}

/// The burned budget, as bounds.
pub(super) fn burned(measurement: &Measurement) -> Table {
    let burned = &measurement.burned_budget;
    let level = format!("{} interval of the bounds", confidence(measurement.confidence));
    let columns = [("", Set::Name), ("at least", Set::Number), ("at most", Set::Number), (level.as_str(), Set::Number)];
    let mut table = Table::new("Burned budget: discount on what would have been bought anyway", &columns);
    if matches!(burned.state, BurnedState::Bounded | BurnedState::Crossed) {
        let bounds = |b: &BurnedBounds| [b.low, b.high, b.ci_low, b.ci_high].into_iter().filter_map(Known::value).collect::<Vec<_>>();
        let units = Format::quantity(bounds(&burned.units));
        let money = Format::money(bounds(&burned.money));
        table.push(RowKind::Part, bound("units", &burned.units, units));
        table.push(RowKind::Part, bound(&join("discount", currency(measurement)), &burned.money, money));
    }
    table.notes = burned_notes(measurement);
    table
}

fn bound(label: &str, bounds: &BurnedBounds, format: Format) -> Vec<String> {
    let show = |value: Known<f64>| value.value().map_or_else(|| ABSENT.to_owned(), |v| format.show(v));
    vec![label.to_owned(), show(bounds.low), show(bounds.high), format.interval(&limits(bounds.ci_low, bounds.ci_high))]
}

fn burned_notes(measurement: &Measurement) -> Vec<String> {
    let burned = &measurement.burned_budget;
    let state = match burned.state {
        BurnedState::Bounded => "It is bounded, not known: the offer also advertises to those who do not redeem it.",
        BurnedState::Crossed => {
            "The lower bound came out above the upper one: chance, or the assumption does not hold. Neither number may be quoted as the burned budget."
        }
        BurnedState::OfferLinesUnknown => return vec![format!("{ABSENT} Not known: where the offer is redeemed cannot be told from the lines.")],
        BurnedState::NoRedemptions => return vec![format!("{ABSENT} Nobody redeemed the offer, so nothing was burned by it.")],
        BurnedState::RedemptionsWithoutUnits => {
            let text = "Not known: redemptions are counted, and charged where they cost, but no unit lies on the lines that they should mark.";
            return vec![format!("{ABSENT} {text}")];
        }
    };
    let mut notes = vec![format!("{state} Assumption: {}. Money is exact only where all discounts per unit are equal.", burned.assumption)];
    if Voice::of(measurement) == Voice::Differences {
        notes.push("In a refused study these bounds are arithmetic, too.".to_owned());
    }
    notes
}
