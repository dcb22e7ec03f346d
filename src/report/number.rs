//! The one place where numbers become strings.
//!
//! Thousands are separated by commas, decimals by a point, and a column of numbers has one number of decimals, so that it adds up to the eye.
//! Zero has no sign. What is not a finite number is shown as absent.

use crate::estimate::Interval;
use crate::known::Known;

/// Stands where there is no number.
pub(crate) const ABSENT: &str = "–";

/// Money from here on is shown without decimals.
const LARGE_MONEY: f64 = 10_000.0;
/// Quantities from here on are shown without decimals.
const LARGE_QUANTITY: f64 = 100.0;

/// How numbers of one column, or of one sentence, are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// With so many decimals.
    Decimals(usize),
    /// Times 100, with one decimal and a percent sign.
    Percent,
}

impl Format {
    /// For money: two decimals, none where the largest value is large, more where all values are below 1.
    pub(crate) fn money(values: impl IntoIterator<Item = f64>) -> Self {
        Self::fitting(values, LARGE_MONEY)
    }

    /// For units and other quantities: as money, but without decimals from 100 on.
    pub(crate) fn quantity(values: impl IntoIterator<Item = f64>) -> Self {
        Self::fitting(values, LARGE_QUANTITY)
    }

    fn fitting(values: impl IntoIterator<Item = f64>, large: f64) -> Self {
        let largest = values.into_iter().filter(|v| v.is_finite()).fold(0.0, |most: f64, v| most.max(v.abs()));
        Self::Decimals(match largest {
            x if x >= large => 0,
            x if x >= 1.0 || x == 0.0 => 2,
            x if x >= 0.1 => 3,
            _ => 4,
        })
    }

    /// The number: `1,234.50`, `-3.0 %`.
    pub(crate) fn show(self, value: f64) -> String {
        let text = self.bare(value);
        if self == Self::Percent && value.is_finite() { text + " %" } else { text }
    }

    /// The number with its sign: `+1,234.50`, `-3.0 %`, `0.00`.
    pub(crate) fn signed(self, value: f64) -> String {
        let text = self.show(value);
        let positive = value > 0.0 && text.contains(|c: char| ('1'..='9').contains(&c));
        if positive { format!("+{text}") } else { text }
    }

    /// The number with its sign, or the sign of absence.
    pub(crate) fn known(self, value: Known<f64>) -> String {
        value.value().map_or_else(|| ABSENT.to_owned(), |v| self.signed(v))
    }

    /// An interval in a table: `7.42 .. 20.00`, `at least 7.42`, `outside -3.00 .. 4.00`, `not bounded`.
    pub(crate) fn interval(self, interval: &Interval) -> String {
        match *interval {
            Interval::Bounded { low, high } => format!("{} .. {}", self.bare(low), self.show(high)),
            Interval::AtLeast { low } => format!("at least {}", self.show(low)),
            Interval::AtMost { high } => format!("at most {}", self.show(high)),
            Interval::Exclusive { below, above } => format!("outside {} .. {}", self.bare(below), self.show(above)),
            Interval::Unbounded => "not bounded".to_owned(),
            Interval::Missing { .. } => ABSENT.to_owned(),
        }
    }

    /// An interval in a sentence: `7.42 to 20.00 EUR`, `at least 7.42 EUR`, `no limit`.
    pub(crate) fn range(self, interval: &Interval, unit: &str) -> String {
        let with = |value: f64| join(&self.show(value), unit);
        match *interval {
            Interval::Bounded { low, high } => format!("{} to {}", self.bare(low), with(high)),
            Interval::AtLeast { low } => format!("at least {}", with(low)),
            Interval::AtMost { high } => format!("at most {}", with(high)),
            Interval::Exclusive { below, above } => format!("anything but {} to {}", self.bare(below), with(above)),
            Interval::Unbounded => "not bounded".to_owned(),
            Interval::Missing { reason } => format!("none, {}", reason.text()),
        }
    }

    /// Without the percent sign.
    fn bare(self, value: f64) -> String {
        match self {
            Self::Decimals(decimals) => grouped(value, decimals),
            Self::Percent => grouped(value * 100.0, 1),
        }
    }
}

/// A number and its unit, where there is one.
pub(crate) fn join(number: &str, unit: &str) -> String {
    if unit.is_empty() { number.to_owned() } else { format!("{number} {unit}") }
}

/// Money in a sentence, with its currency where that is known: `14,748 EUR`, `-3.20 EUR`.
pub(crate) fn money(value: f64, currency: &str) -> String {
    join(&Format::money([value]).show(value), currency)
}

/// A whole number: `1,076`.
pub(crate) fn count(value: u64) -> String {
    separated(&value.to_string())
}

/// A p-value in a table: `0.023`, `< 0.001`, `> 0.999`.
pub(crate) fn p_value(p: Known<f64>) -> String {
    match p.value() {
        Some(p) if p < 0.001 => "< 0.001".to_owned(),
        Some(p) if p > 0.999 => "> 0.999".to_owned(),
        Some(p) if p.is_finite() => grouped(p, 3),
        _ => ABSENT.to_owned(),
    }
}

/// A confidence: `95 %`, `99.9 %`.
pub(crate) fn confidence(value: f64) -> String {
    let text = grouped(value * 100.0, 1);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// Rounded, thousands separated, no sign at zero.
fn grouped(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let negative = value < 0.0 && digits.contains(|c: char| ('1'..='9').contains(&c));
    let sign = if negative { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", separated(whole))
}

/// Digits in groups of three.
fn separated(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The interval between two limits, one of which may be open.
pub(crate) const fn limits(low: Known<f64>, high: Known<f64>) -> Interval {
    use crate::known::Reason;
    match (low, high) {
        (Known::Value(low), Known::Value(high)) => Interval::Bounded { low, high },
        (Known::Value(low), Known::Missing(_)) => Interval::AtLeast { low },
        (Known::Missing(_), Known::Value(high)) => Interval::AtMost { high },
        (Known::Missing(Reason::Unbounded), Known::Missing(_)) => Interval::Unbounded,
        (Known::Missing(reason), Known::Missing(_)) => Interval::Missing { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known::Reason;

    const CENTS: Format = Format::Decimals(2);

    #[test]
    fn money_has_separators_and_its_decimals_follow_the_largest_of_the_column() {
        let golden = [
            (0.0, "0.00"),
            (-0.0, "0.00"),
            (0.0312, "0.0312"),
            (-0.25, "-0.250"),
            (13.706_295, "13.71"),
            (999.999, "1,000.00"),
            (-1_234.5, "-1,234.50"),
            (14_747.974, "14,748"),
            (-1_234_567.8, "-1,234,568"),
        ];
        for (value, text) in golden {
            assert_eq!(Format::money([value]).show(value), text);
        }
        assert_eq!(Format::money([3.0, 123_456.0]).show(3.2), "3");
        assert_eq!(Format::quantity([1_634.4]).show(1_634.4), "1,634");
        assert_eq!(Format::quantity([0.031]).signed(0.031), "+0.0310");
        assert_eq!(money(-75.3, "EUR"), "-75.30 EUR");
        assert_eq!(money(75.3, ""), "75.30");
    }

    #[test]
    fn zero_never_has_a_sign_and_what_is_not_a_number_is_absent() {
        assert_eq!(CENTS.show(-0.004), "0.00");
        assert_eq!(CENTS.signed(0.004), "0.00");
        assert_eq!(CENTS.signed(-0.001), "0.00");
        assert_eq!(CENTS.signed(0.005_1), "+0.01");
        assert_eq!(Format::Percent.show(-0.000_4), "0.0 %");
        assert_eq!(CENTS.show(f64::NAN), ABSENT);
        assert_eq!(CENTS.signed(f64::INFINITY), ABSENT);
        assert_eq!(Format::Percent.show(f64::NEG_INFINITY), ABSENT);
        assert_eq!(p_value(Known::Value(f64::NAN)), ABSENT);
    }

    #[test]
    fn percents_p_values_and_counts() {
        assert_eq!(Format::Percent.signed(0.173_08), "+17.3 %");
        assert_eq!(Format::Percent.signed(-0.521), "-52.1 %");
        assert_eq!(Format::Percent.show(12.5), "1,250.0 %");
        assert_eq!(p_value(Known::Value(2e-5)), "< 0.001");
        assert_eq!(p_value(Known::Value(0.0)), "< 0.001");
        assert_eq!(p_value(Known::Value(0.0234)), "0.023");
        assert_eq!(p_value(Known::Value(1.0)), "> 0.999");
        assert_eq!(p_value(Known::Missing(Reason::ZeroVariance)), ABSENT);
        assert_eq!(count(0), "0");
        assert_eq!(count(873_240), "873,240");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(confidence(0.95), "95 %");
        assert_eq!(confidence(0.999), "99.9 %");
    }

    #[test]
    fn every_kind_of_interval_has_words() {
        let golden = [
            (Interval::Bounded { low: -7.416, high: 1_020.0 }, "-7.42 .. 1,020.00", "-7.42 to 1,020.00 EUR"),
            (Interval::AtLeast { low: 7.4 }, "at least 7.40", "at least 7.40 EUR"),
            (Interval::AtMost { high: -0.001 }, "at most 0.00", "at most 0.00 EUR"),
            (Interval::Exclusive { below: -3.0, above: 4.0 }, "outside -3.00 .. 4.00", "anything but -3.00 to 4.00 EUR"),
            (Interval::Unbounded, "not bounded", "not bounded"),
            (Interval::Missing { reason: Reason::NoPostWindow }, "–", "none, no day after the promotion is covered"),
        ];
        for (interval, table, sentence) in golden {
            assert_eq!(CENTS.interval(&interval), table);
            assert_eq!(CENTS.range(&interval, "EUR"), sentence);
        }
        assert_eq!(Format::Percent.interval(&Interval::Bounded { low: 0.0892, high: 0.2661 }), "8.9 .. 26.6 %");
    }

    #[test]
    fn limits_may_be_open() {
        let (low, high, none) = (Known::Value(1.0), Known::Value(2.0), Known::Missing(Reason::OneSided));
        assert_eq!(limits(low, high), Interval::Bounded { low: 1.0, high: 2.0 });
        assert_eq!(limits(low, none), Interval::AtLeast { low: 1.0 });
        assert_eq!(limits(none, high), Interval::AtMost { high: 2.0 });
        assert_eq!(limits(Known::Missing(Reason::Unbounded), Known::Missing(Reason::Unbounded)), Interval::Unbounded);
        assert_eq!(limits(none, none), Interval::Missing { reason: Reason::OneSided });
    }
}
