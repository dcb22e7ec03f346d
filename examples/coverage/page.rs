//! The page as Markdown, short enough to read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::grid::{BROKEN, NAMED, Section};
use super::proof::tally::{Counts, Kind, Tally};
use super::verdict::{POINT, Verdict};

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

/// An interval of a case.
pub(crate) struct Row<'a> {
    pub(crate) case: &'a Shown,
    pub(crate) interval: &'static str,
    pub(crate) counts: &'a Counts,
    pub(crate) verdict: Verdict,
}

impl Row<'_> {
    /// Coverage less what is claimed.
    fn gap(&self) -> f64 {
        self.counts.coverage() - self.case.claimed
    }

    /// The share of results that warn of such an interval; `None` where no study was measured.
    pub(crate) fn share_unsure(&self) -> Option<f64> {
        self.case.tally.share_unsure(Kind::of(self.interval))
    }

    /// Whether most results say that this interval is not to be trusted to the last per cent.
    fn is_warned(&self) -> bool {
        self.share_unsure().is_some_and(|share| share >= 0.5)
    }
}

impl Shown {
    /// What is measured, and of how many customers or clusters.
    fn with_size(&self) -> (&str, &str) {
        let parts = self.name.rsplit_once(", ");
        parts.filter(|(_, size)| size.ends_with(" customers") || size.ends_with(" clusters")).unwrap_or((&self.name, ""))
    }
}

impl Ran {
    /// Its intervals.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.cases.iter().flat_map(|case| self.rows_of(case))
    }

    fn rows_of<'a>(&'a self, case: &'a Shown) -> impl Iterator<Item = Row<'a>> {
        self.section.shown.iter().filter_map(move |&interval| {
            let counts = case.tally.get(interval).filter(|counts| counts.draws > 0)?;
            Some(Row { case, interval, counts, verdict: Verdict::of(counts, case.claimed) })
        })
    }
}

/// The whole page.
pub(crate) fn page(ran: &[Ran], command: &str) -> String {
    let cases = || ran.iter().flat_map(|r| &r.cases);
    let draws: u64 = cases().map(|case| case.tally.draws).sum();
    let studies: u64 = cases().map(|case| case.tally.studies).sum();
    let mut text = format!(
        "<!-- Written by `{command}`; do not edit. -->\n\nMade by `{command}`: {} draws of {} settings, {} of them measured as a whole study. A draw depends \
         on no machine and no number of threads. With `--csv FILE` the command also writes every interval of every setting with all that was counted.\n\n",
        thousands(draws),
        cases().count(),
        thousands(studies)
    );
    text += &summary(ran);
    text += &sizes(ran);
    text += &short(ran);
    text += &refusals(ran);
    text += "# Setting by setting\n\nIn each cell the coverage of the first interval named, and, where there are more, that of the one which is furthest below its claim. **Bold**: one \
             of them is short. *!*: most results warn of the first.\n\n";
    for ran in ran.iter().filter(|ran| !ran.section.shown.is_empty() && !ran.cases.is_empty()) {
        text += &condensed(ran);
    }
    coded(&text)
}

/// The same with names that have an underscore in backticks, where they are not yet.
fn coded(text: &str) -> String {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let outside = |part: &str| {
        let mut coded = String::new();
        let mut rest = part;
        while let Some(first) = rest.find(is_of_name) {
            let (before, from) = rest.split_at(first);
            let (name, after) = from.split_at(from.find(|c| !is_of_name(c)).unwrap_or(from.len()));
            coded.push_str(before);
            let mark = if name.contains('_') { "`" } else { "" };
            coded.extend([mark, name, mark]);
            rest = after;
        }
        coded + rest
    };
    let parts = text.split('`').enumerate().map(|(place, part)| if place % 2 == 0 { outside(part) } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`")
}

/// The kinds of intervals, with the names of each.
const KINDS: [(&str, &[&str]); 15] = [
    ("effects per customer", &["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "total"]),
    ("relative effects (Fieller)", &["relative direct", "relative total"]),
    ("all effects at once (max-t)", &["all effects at once"]),
    ("segments", &["segment"]),
    ("segments, shrunk", &["segment, shrunk"]),
    ("variants, and one less another", &["variant", "variant less another"]),
    ("all variants, all pairs at once (max-t)", &["all variants at once", "all pairs of variants at once"]),
    ("effects, some left out", &["total, some left out", "direct, some left out"]),
    ("effects a redeemer (Anderson and Rubin)", &["total, a redeemer", "direct, a redeemer"]),
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

/// Effects and relative effects.
const EVERY_EFFECT: [&str; 12] = [
    "direct",
    "cannibalisation",
    "halo",
    "forward_buying",
    "carry_over",
    "total",
    "relative direct",
    "relative cannibalisation",
    "relative halo",
    "relative forward_buying",
    "relative carry_over",
    "relative total",
];

fn summary(ran: &[Ran]) -> String {
    let mut text = "# Summary\n\nEach row counts the cases of all tables below: a case is one interval in one setting. In points: the coverage less what is claimed, in the \
                    middle of the cases and the least; on average over the cases the share of draws with the truth below the interval and above it; the share of tests \
                    that find an effect where there is none, less what it should be, on average and the furthest. *Bias*: the largest mean error, in standard deviations \
                    of the estimate.\n\n\
                    | intervals | cases | middle | least | below | above | size | furthest | bias | wide | holds | nearly | short | of those short, warned |\n\
                    |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for (kind, names) in KINDS {
        let found: Vec<Row<'_>> = ran.iter().flat_map(Ran::rows).filter(|row| names.contains(&row.interval)).collect();
        let mut gaps: Vec<f64> = found.iter().map(Row::gap).collect();
        gaps.sort_by(f64::total_cmp);
        let (Some(least), Some(middle)) = (gaps.first(), gaps.get(gaps.len() / 2)) else { continue };
        let of = |verdict: Verdict| found.iter().filter(|row| row.verdict == verdict).count();
        let warned = found.iter().filter(|row| row.verdict == Verdict::Short && row.is_warned()).count();
        let [wide, holds, nearly, short] = [Verdict::Wide, Verdict::Holds, Verdict::Nearly, Verdict::Short].map(of);
        let missed = |of: &dyn Fn(&Counts) -> u64| {
            let shares: Vec<f64> = found.iter().filter(|row| row.counts.outside == 0).map(|row| of(row.counts) as f64 / row.counts.draws as f64).collect();
            mean(&shares).map_or_else(String::new, percent)
        };
        let sizes: Vec<f64> = found.iter().filter_map(|row| Some(row.counts.size()? - (1.0 - row.case.claimed))).collect();
        let biases: Vec<f64> = found.iter().filter_map(|row| row.counts.bias()).collect();
        let _ = writeln!(
            text,
            "| {kind} | {} | {} | {} | {} | {} | {} | {} | {} | {wide} | {holds} | {nearly} | {short} | {warned} |",
            found.len(),
            points(*middle),
            points(*least),
            missed(&|counts| counts.below),
            missed(&|counts| counts.above),
            mean(&sizes).map_or_else(String::new, points),
            furthest(&sizes).map_or_else(String::new, points),
            furthest(&biases).map_or_else(String::new, |bias| format!("{bias:+.2}")),
        );
    }
    text + &alarms(ran)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The one furthest from zero.
fn furthest(values: &[f64]) -> Option<f64> {
    values.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()))
}

/// How often results warn of intervals that hold, and of those that are short.
fn alarms(ran: &[Ran]) -> String {
    let share_of = |is_in: &dyn Fn(&Row<'_>) -> bool| {
        let shares = ran.iter().flat_map(Ran::rows).filter(is_in).filter_map(|row| row.share_unsure());
        let (cases, sum) = shares.fold((0, 0.0), |(cases, sum), share| (cases + 1, sum + share));
        (cases, percent(sum / f64::from(cases.max(1))))
    };
    let (sound, alarms) = share_of(&|row| row.gap() >= -POINT);
    let (short, warned) = share_of(&|row| row.verdict == Verdict::Short);
    let every: Vec<Row<'_>> = ran.iter().flat_map(|ran| &ran.cases).flat_map(every_effect).filter(|row| row.verdict == Verdict::Short).collect();
    let unwarned = every.iter().filter(|row| !row.is_warned()).count();
    format!(
        "\nOf the results of the {sound} cases that are at most a point below their claim {alarms} % warn of that interval, of those of the {short} cases that are short \
         {warned} %. Of all effects and relative effects of all settings, shown below or not, {} are short, {unwarned} of them without a warning.\n\n",
        every.len()
    )
}

/// Every effect of a case, those included that no table shows.
fn every_effect(case: &Shown) -> impl Iterator<Item = Row<'_>> {
    EVERY_EFFECT.iter().filter_map(move |&interval| {
        let counts = case.tally.get(interval).filter(|counts| counts.draws > 0)?;
        Some(Row { case, interval, counts, verdict: Verdict::of(counts, case.claimed) })
    })
}

/// From which size on the default estimator holds, by skew and split.
fn sizes(ran: &[Ran]) -> String {
    let Some(skew) = ran.iter().find(|r| r.section.title == "Skew, split and size") else { return String::new() };
    let mut text = "# From which size on\n\nThe least number of customers, of both arms together, from which on the interval of the default estimator held the truth as often as it says, \
                    to a point (of those tried, and all larger ones), and from which on most results do not warn of \
                    the total.\n\n| customers | total | relative total | direct | total, without a warning |\n\
                    |---|--:|--:|--:|--:|\n"
        .to_owned();
    let mut worlds: Vec<&str> = skew.cases.iter().map(|case| case.with_size().0).collect();
    worlds.dedup();
    for world in worlds {
        let mine = || skew.cases.iter().filter(|case| case.with_size().0 == world);
        // The size behind the last one that is not as it should be.
        let after_last = |is_bad: &dyn Fn(&Shown) -> bool| {
            let sizes: Vec<&Shown> = mine().collect();
            let first = sizes.iter().rposition(|case| is_bad(case)).map_or(0, |at| at + 1);
            sizes.get(first).map_or_else(|| "more".to_owned(), |case| case.with_size().1.replace(" customers", ""))
        };
        let from = |interval: &str| after_last(&|case| skew.rows_of(case).any(|row| row.interval == interval && row.gap() < -POINT));
        let unwarned = after_last(&|case| skew.rows_of(case).any(|row| row.interval == "total" && row.is_warned()));
        let _ = writeln!(text, "| {world} | {} | {} | {} | {unwarned} |", from("total"), from("relative total"), from("direct"));
    }
    text + "\n"
}

/// What is short, with a warning or without.
fn short(ran: &[Ran]) -> String {
    let mut text = String::new();
    for (warned, heading) in [(false, "Short without a warning"), (true, "Short with a warning")] {
        let mut lines = String::new();
        let mut intervals = 0;
        for ran in ran {
            for case in &ran.cases {
                let found: Vec<Row<'_>> = ran.rows_of(case).filter(|row| row.verdict == Verdict::Short && row.is_warned() == warned).collect();
                if found.is_empty() {
                    continue;
                }
                intervals += found.len();
                let each = |told: &dyn Fn(&Row<'_>) -> String| found.iter().map(told).collect::<Vec<_>>().join(", ");
                let coverage = each(&|row| format!("{} {}", row.interval, percent(row.counts.coverage())));
                let share = each(&|row| row.share_unsure().map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share)));
                let _ = writeln!(lines, "| {} | {} | {coverage} | {share} |", ran.section.title, case.name);
            }
        }
        let _ = write!(text, "# {heading}\n\n{}. Intervals: {intervals}.\n\n", if warned { "Most results warn" } else { "Most results do not warn" });
        if intervals > 0 {
            let _ = write!(text, "| section | setting | coverage | results that warn |\n|---|---|---|--:|\n{lines}\n");
        }
    }
    text
}

/// How often whole shops are refused, the broken and the clean ones, under the default estimator.
fn refusals(ran: &[Ran]) -> String {
    let is_named = |ran: &&Ran| ran.section.title == NAMED || ran.section.title == BROKEN;
    let cases = || ran.iter().filter(is_named).flat_map(|ran| &ran.cases).filter(|case| case.name.contains("; regression_att, "));
    if cases().next().is_none() {
        return String::new();
    }
    let share = |count: u64, case: &Shown| percent(count as f64 / case.tally.studies.max(1) as f64);
    let mut lines = String::new();
    for case in cases() {
        let (shop, size) = case.with_size();
        let each: Vec<String> = case.tally.failed.iter().map(|(check, count)| format!("{check} {}", share(*count, case))).collect();
        let shop = shop.trim_end_matches("; regression_att");
        let _ = writeln!(lines, "| {shop} | {size} | {} | {} | {} |", case.tally.studies, share(case.tally.refusals, case), each.join(", "));
    }
    format!(
        "# Refusals\n\nThe retailers of `simulate::Preset`: the per cent of draws whose numbers are not called effects, and of each check that failed. Where the target is \
         drawn at random four checks fail by chance, each once in a thousand studies: sample ratio, balance, placebo, other promotions. The last four retailers are \
         broken.\n\n| retailer | customers | draws | refused | checks that failed |\n|---|---|--:|--:|---|\n{lines}\n"
    )
}

/// A section with a line for what differs in size only.
fn condensed(ran: &Ran) -> String {
    let section = &ran.section;
    let mut sizes: Vec<&str> = Vec::new();
    let mut lines: Vec<(&str, BTreeMap<usize, String>)> = Vec::new();
    for case in &ran.cases {
        let (what, size) = case.with_size();
        let at = sizes.iter().position(|s| *s == size).unwrap_or_else(|| {
            sizes.push(size);
            sizes.len() - 1
        });
        let line = lines.iter().position(|(name, _)| *name == what).unwrap_or_else(|| {
            lines.push((what, BTreeMap::new()));
            lines.len() - 1
        });
        lines[line].1.insert(at, cell(ran, case));
    }
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|at| sizes[*at].chars().filter(char::is_ascii_digit).collect::<String>().parse::<u64>().unwrap_or_default());
    let heads: Vec<&str> = order.iter().map(|at| sizes[*at]).collect();
    let mut text = format!(
        "## {}\n\n{} Intervals: {}. Draws of a setting: {}.\n\n| setting | {} |\n|---|{}\n",
        section.title,
        section.text,
        section.shown.join(", "),
        how_many(ran),
        heads.join(" | "),
        "--:|".repeat(heads.len())
    );
    for (what, cells) in &lines {
        let each: Vec<&str> = order.iter().map(|at| cells.get(at).map_or("", String::as_str)).collect();
        let _ = writeln!(text, "| {what} | {} |", each.join(" | "));
    }
    text + &unanswered(ran) + "\n"
}

/// Draws of each setting, the fewest and the most.
fn how_many(ran: &Ran) -> String {
    let draws = || ran.cases.iter().map(|case| case.tally.draws);
    match (draws().min().unwrap_or_default(), draws().max().unwrap_or_default()) {
        (fewest, most) if fewest < most => format!("{} to {}", thousands(fewest), thousands(most)),
        (_, most) => thousands(most),
    }
}

/// What a setting showed: its first interval and the one furthest below its claim.
fn cell(ran: &Ran, case: &Shown) -> String {
    let rows: Vec<Row<'_>> = ran.rows_of(case).collect();
    let Some(first) = rows.first() else { return "–".to_owned() };
    let least = rows.iter().map(|row| row.counts.coverage()).fold(f64::INFINITY, f64::min);
    let both = if rows.len() > 1 { format!("{} / {}", percent(first.counts.coverage()), percent(least)) } else { percent(least) };
    let marked = if rows.iter().any(|row| row.verdict == Verdict::Short) { format!("**{both}**") } else { both };
    if first.is_warned() { format!("{marked} !") } else { marked }
}

/// Draws without an answer, by why, whichever customers and covariates it names.
fn unanswered(ran: &Ran) -> String {
    let mut reasons: BTreeMap<String, (BTreeSet<&str>, u64)> = BTreeMap::new();
    for case in &ran.cases {
        for (why, count) in &case.tally.refused {
            let (settings, draws) = reasons.entry(without_numbers(why)).or_default();
            settings.insert(&case.name);
            *draws += count;
        }
    }
    let several = |count: u64, what: &str| format!("{} {what}{}", thousands(count), if count == 1 { "" } else { "s" });
    let each = reasons.iter().map(|(why, (settings, draws))| {
        let have = if *draws == 1 { "has" } else { "have" };
        format!("\n{} of {} {have} no answer: {why}\n", several(*draws, "draw"), several(settings.len() as u64, "setting"))
    });
    each.collect()
}

/// A sentence with an ellipsis for each number.
fn without_numbers(text: &str) -> String {
    let is_of_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut plain = String::new();
    let mut rest = text.trim_end_matches('.');
    while let Some(first) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(first);
        let after = from.find(|c| !is_of_number(c)).unwrap_or(from.len());
        plain.push_str(before);
        plain.push('…');
        rest = &from[after..];
    }
    plain + rest + "."
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
