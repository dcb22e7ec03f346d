//! The table as Markdown.

use std::fmt::Write as _;

use super::grid::Section;
use super::proof::binomial::Band;
use super::proof::tally::{Counts, OF_INTERVALS, Tally};

/// A case with what it showed.
pub(crate) struct Shown {
    /// The setting.
    pub(crate) name: String,
    /// The confidence of its intervals.
    pub(crate) claimed: f64,
    /// What was counted.
    pub(crate) tally: Tally,
}

/// A section with its cases run.
pub(crate) struct Ran {
    pub(crate) section: Section,
    pub(crate) cases: Vec<Shown>,
}

/// How measured coverage stands to what is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// More than claimed, beyond chance.
    Wide,
    /// As claimed, up to chance.
    Holds,
    /// Less, beyond chance, by a point at most.
    Nearly,
    /// Less by more than a point, beyond chance.
    Short,
}

/// A point of coverage.
const POINT: f64 = 0.01;

impl Verdict {
    fn of(counts: &Counts, claimed: f64) -> Self {
        let Band { low, high } = counts.band();
        match counts.coverage() {
            _ if low > claimed => Self::Wide,
            _ if high >= claimed => Self::Holds,
            coverage if coverage >= claimed - POINT => Self::Nearly,
            _ => Self::Short,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Holds => "holds",
            Self::Nearly => "nearly",
            Self::Short => "**short**",
        }
    }
}

/// An interval of a case.
struct Row<'a> {
    case: &'a Shown,
    interval: &'static str,
    counts: &'a Counts,
    verdict: Verdict,
}

impl Row<'_> {
    /// Whether the results say that their intervals are not to be trusted to the last per cent: most of them.
    fn is_warned(&self) -> bool {
        self.case.tally.share_unsure().is_some_and(|share| share >= 0.5)
    }
}

fn rows(ran: &Ran) -> impl Iterator<Item = Row<'_>> {
    ran.cases.iter().flat_map(|case| {
        ran.section.shown.iter().filter_map(move |&interval| {
            let counts = case.tally.get(interval).filter(|counts| counts.draws > 0)?;
            Some(Row { case, interval, counts, verdict: Verdict::of(counts, case.claimed) })
        })
    })
}

/// The whole page.
pub(crate) fn page(ran: &[Ran], command: &str) -> String {
    let draws: u64 = ran.iter().flat_map(|r| &r.cases).map(|case| case.tally.draws).sum();
    let studies: u64 = ran.iter().flat_map(|r| &r.cases).map(|case| case.tally.studies).sum();
    let cases: usize = ran.iter().map(|r| r.cases.len()).sum();
    let mut text = format!(
        "<!-- Written by `{command}`; do not edit. -->\n\nMade by `{command}`: {} draws of {cases} settings, {} of them measured as a whole study. The same command writes the \
         same page on any machine and any number of threads.\n\n",
        thousands(draws),
        thousands(studies)
    );
    text += &summary(ran);
    text += &sizes(ran);
    text += &holes(ran);
    for ran in ran {
        text += &details(ran);
    }
    text
}

/// The kinds of intervals, with the names of each.
const KINDS: [(&str, &[&str]); 11] = [
    ("effects per customer", &["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "total"]),
    ("relative effects (Fieller)", &["relative direct", "relative total"]),
    ("all effects at once (max-t)", &["all effects at once"]),
    ("segments", &["segment"]),
    ("segments, shrunk", &["segment, shrunk"]),
    ("money", &["net_profit", "incremental_margin"]),
    (
        "ratios of money and units (Fieller)",
        &["roi_on_gross_cost", "roi_on_retailer_cost", "iroas", "cost_per_incremental_unit", "net_to_direct", "redemption_incrementality"],
    ),
    ("burned budget (bounds)", &["burned budget"]),
    ("asked ratios: in an arm, difference, relative", &["price, target", "price, control", "price, difference", "price, relative"]),
    ("one week", &["direct, one week", "total, one week"]),
    ("all weeks at once (sup-t)", &["direct, all weeks", "direct, all sums", "total, all weeks", "total, all sums"]),
];

fn summary(ran: &[Ran]) -> String {
    let mut text = "## Summary\n\nEach row counts the cases of all tables below: a case is one interval in one setting.\n\n\
                    | intervals | cases | middle coverage less claimed | least | wide | holds | nearly | short | of those short, warned |\n\
                    |---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for (kind, names) in KINDS {
        let found: Vec<Row<'_>> = ran.iter().flat_map(rows).filter(|row| names.contains(&row.interval)).collect();
        let mut less: Vec<f64> = found.iter().map(|row| row.counts.coverage() - row.case.claimed).collect();
        less.sort_by(f64::total_cmp);
        let (Some(least), Some(middle)) = (less.first(), less.get(less.len() / 2)) else { continue };
        let of = |verdict: Verdict| found.iter().filter(|row| row.verdict == verdict).count();
        let warned = found.iter().filter(|row| row.verdict == Verdict::Short && row.is_warned()).count();
        let [wide, holds, nearly, short] = [Verdict::Wide, Verdict::Holds, Verdict::Nearly, Verdict::Short].map(of);
        let _ = writeln!(text, "| {kind} | {} | {} | {} | {wide} | {holds} | {nearly} | {short} | {warned} |", found.len(), points(*middle), points(*least));
    }
    text + "\n"
}

/// From which size on the default estimator holds, by skew and split.
fn sizes(ran: &[Ran]) -> String {
    let Some(skew) = ran.iter().find(|r| r.section.title == "Skew, split and size") else { return String::new() };
    let mut text = "## From which size on\n\nThe least number of customers, of both arms together, from which on the interval of the default estimator is short by a point at most (of those \
                    tried, and all larger ones).\n\n| customers | total | relative total | direct |\n|---|--:|--:|--:|\n"
        .to_owned();
    let mut worlds: Vec<&str> = skew.cases.iter().filter_map(|case| Some(case.name.rsplit_once(", ")?.0)).collect();
    worlds.dedup();
    for world in worlds {
        let from = |interval: &str| {
            let mine: Vec<Row<'_>> = rows(skew).filter(|row| row.interval == interval && row.case.name.starts_with(&format!("{world}, "))).collect();
            let last_short = mine.iter().rposition(|row| row.verdict == Verdict::Short);
            let first = mine.get(last_short.map_or(0, |at| at + 1));
            first.and_then(|row| row.case.name.rsplit_once(", ")).map_or_else(|| "more".to_owned(), |(_, size)| size.replace(" customers", ""))
        };
        let _ = writeln!(text, "| {world} | {} | {} | {} |", from("total"), from("relative total"), from("direct"));
    }
    text + "\n"
}

/// What is short without a warning.
fn holes(ran: &[Ran]) -> String {
    let short: Vec<(&str, Row<'_>)> =
        ran.iter().flat_map(|r| rows(r).map(|row| (r.section.title, row))).filter(|(_, row)| row.verdict >= Verdict::Nearly && !row.is_warned()).collect();
    let (worse, nearly): (Vec<_>, Vec<_>) = short.iter().partition(|(_, row)| row.verdict == Verdict::Short);
    let mut text = format!(
        "## Short without a warning\n\nShort by more than a point beyond chance, while most results carry no warning that speaks of intervals: {}. Short by a point at most: {}.\n\n",
        worse.len(),
        nearly.len()
    );
    if !worse.is_empty() {
        text += "| section | setting | interval | coverage |\n|---|---|---|--:|\n";
        for (section, row) in worse {
            let _ = writeln!(text, "| {section} | {} | {} | {} |", row.case.name, row.interval, percent(row.counts.coverage()));
        }
        text.push('\n');
    }
    text
}

fn details(ran: &Ran) -> String {
    let section = &ran.section;
    let mut text = format!(
        "## {}\n\n{}\n\n<details><summary>{} settings</summary>\n\n| setting | interval | draws | coverage | 99 % band | truth below / above | size | bias | s.e. | warned | |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|---|---|\n",
        section.title,
        section.text,
        ran.cases.len()
    );
    for row in rows(ran) {
        let counts = row.counts;
        let Band { low, high } = counts.band();
        let shares = [counts.below, counts.above].map(|n| percent(n as f64 / counts.draws as f64));
        let sides = if counts.outside > 0 { "–".to_owned() } else { shares.join(" / ") };
        let size = if counts.tests > 0 { percent(counts.rejected as f64 / counts.tests as f64) } else { String::new() };
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
        let claimed = if (row.case.claimed - 0.95).abs() < 1e-9 { String::new() } else { format!(" of {:.0} %", 100.0 * row.case.claimed) };
        let band = format!("{:.1}–{:.1}", 100.0 * low, 100.0 * high);
        let _ = writeln!(
            text,
            "| {} | {} | {}{} | {}{claimed} | {band} | {sides} | {size} | {} | {} | {} | {} |",
            row.case.name,
            row.interval,
            thousands(counts.draws),
            missing(counts),
            percent(counts.coverage()),
            number(counts.bias()),
            number(counts.claimed_spread()),
            warnings(&row.case.tally),
            row.verdict.text()
        );
    }
    for case in &ran.cases {
        for (why, count) in &case.tally.refused {
            let _ = writeln!(text, "\n{}: {count} of {} draws have no answer: {why}.", case.name, thousands(case.tally.draws));
        }
    }
    text + "\n</details>\n\n"
}

/// Draws without an interval, or with one that is not bounded.
fn missing(counts: &Counts) -> String {
    let mut text = String::new();
    if counts.unbounded > 0 {
        let _ = write!(text, ", {} unbounded", thousands(counts.unbounded));
    }
    if counts.without > 0 {
        let _ = write!(text, ", {} without", thousands(counts.without));
    }
    text
}

/// The warnings that speak of intervals, with the share of results that carry them.
fn warnings(tally: &Tally) -> String {
    let named = OF_INTERVALS.iter().map(|name| (name, tally.share_warned(name))).filter(|(_, share)| *share >= 0.05);
    named.map(|(name, share)| format!("`{name}` {:.0} %", 100.0 * share)).collect::<Vec<_>>().join(", ")
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// A difference of coverages in points.
fn points(difference: f64) -> String {
    format!("{:+.1}", 100.0 * difference)
}

fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
