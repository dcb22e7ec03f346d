//! Everything that was counted, one line an interval of a setting.

use std::fmt::Write as _;

use super::page::Ran;
use super::proof::binomial::Band;
use super::proof::tally::{OF_INTERVALS, RELATIVE, TOGETHER, Tally};

/// The whole file.
pub(crate) fn csv(ran: &[Ran]) -> String {
    let mut text =
        "section,setting,interval,claimed,draws,unbounded,without,coverage,band_low,band_high,below,above,size,bias,std_error,warned,warnings,verdict\n"
            .to_owned();
    for ran in ran {
        for row in ran.rows() {
            let counts = row.counts;
            let Band { low, high } = counts.band();
            let share = |count: u64| format!("{:.4}", count as f64 / counts.draws as f64);
            let [below, above] = if counts.outside > 0 { [String::new(), String::new()] } else { [share(counts.below), share(counts.above)] };
            let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
            let _ = writeln!(
                text,
                "\"{}\",\"{}\",\"{}\",{},{},{},{},{:.4},{low:.4},{high:.4},{below},{above},{},{},{},{},{},{}",
                ran.section.title,
                row.case.name.replace('"', "\"\""),
                row.interval,
                row.case.claimed,
                counts.draws,
                counts.unbounded,
                counts.without,
                counts.coverage(),
                number(counts.size()),
                number(counts.bias()),
                number(counts.claimed_spread()),
                number(row.share_unsure()),
                warnings(&row.case.tally),
                row.verdict.text()
            );
        }
    }
    text
}

/// The warnings that speak of intervals, with the share of results that carry them.
fn warnings(tally: &Tally) -> String {
    let named = OF_INTERVALS.iter().chain([&RELATIVE, &TOGETHER]).map(|name| (name, tally.share_warned(name))).filter(|(_, share)| *share > 0.0);
    named.map(|(name, share)| format!("{name} {share:.2}")).collect::<Vec<_>>().join("; ")
}
