//! Inputs that can be measured and are likely wrong, by the facts of the used lines: signs and sizes, repeated lines, days without a line.

use super::Job;
use crate::cells::{CellTable, Span};
use crate::effects::Measure;
use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::ledger::{Oddities, Signs};
use crate::study::{Assignment, Day, Discount, Period, Promotion};
use crate::validity::{Hazard, Warning};

/// What to do about discounts below 0.
const DISCOUNT_REMEDY: &str = "Write discounts as positive amounts: 0.83 off is 0.83; negative only on returns";
/// From this share of lines on that repeat another, they are no chance.
const REPEATED: f64 = 0.1;
/// Above this share of all net sales a line is no purchase.
const HUGE: f64 = 0.05;
/// With fewer lines a large one may well be a large share.
const LINES_FOR_HUGE: u64 = 1_000;
/// With fewer lines a day some days have none by chance.
const LINES_A_DAY: u64 = 20;

/// Refuses discounts most of which are below 0 where goods were sold: they would raise what the customer paid.
pub(super) fn check(table: &CellTable, promotion: &Promotion) -> Result<()> {
    let mut problems = Problems::default();
    for signs in discounts(table.facts.oddities.as_ref(), promotion).filter(|signs| turned(signs)) {
        let problem = Problem::new(Input::Transactions, Fault::OutOfRange, "most discounts on lines with a positive quantity are negative");
        let problem = problem.column(&signs.in_frame).count(signs.negative as usize).remedy(DISCOUNT_REMEDY);
        problems.push(match signs.first {
            Some(first) => problem.first(first.row as usize).value(first.value),
            None => problem,
        });
    }
    problems.finish()
}

/// The signs of each declared discount.
fn discounts<'a>(oddities: Option<&'a Oddities>, promotion: &'a Promotion) -> impl Iterator<Item = &'a Signs> {
    let declared = |signs: &&Signs| promotion.discounts.iter().any(|Discount { column, .. }| *column == signs.column);
    oddities.into_iter().flat_map(|oddities| &oddities.signs).filter(declared)
}

/// Fewer discounts than this may all be corrections.
const ENOUGH: u64 = 20;

/// Whether more than half of the values have the wrong sign, and there are enough of them to say so.
fn turned(signs: &Signs) -> bool {
    signs.nonzero >= ENOUGH && 2 * signs.negative > signs.nonzero
}

/// What is odd and measured all the same.
pub(super) fn warnings(job: &Job<'_>) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = zero_quantity(job).into_iter().chain(negative_margin(job)).collect();
    if let Some(oddities) = &job.table.facts.oddities {
        warnings.extend(discounts(Some(oddities), &job.study.promotion).filter_map(negative_discounts));
        warnings.extend(zero_costs(job, oddities));
        warnings.extend(repeated_lines(oddities, &job.study.assignment));
        warnings.extend(huge_line(job, oddities));
        warnings.extend(empty_days(&job.table.spans, &oddities.lines_by_day));
    }
    warnings
}

fn negative_discounts(signs: &Signs) -> Option<Warning> {
    let first = signs.first?;
    let text = format!(
        "{} of {} discounts in {} are negative on lines with a positive quantity (the first, {}, in data row {}); they are counted as they stand. {DISCOUNT_REMEDY}",
        signs.negative,
        signs.nonzero,
        signs.in_frame,
        first.value,
        first.row + 1,
    );
    Some(Warning::new(Hazard::NegativeDiscounts, text))
}

fn zero_costs(job: &Job<'_>, oddities: &Oddities) -> Option<Warning> {
    (oddities.zero_costs > 0).then(|| {
        let used = job.table.facts.lines.map(|lines| format!(" of {}", lines.used)).unwrap_or_default();
        let text = format!(
            "{}{used} lines have a unit cost of 0: all they bring in counts as margin. Leave the cost empty where it is not known, and give [margin] rate for those lines",
            oddities.zero_costs
        );
        Warning::new(Hazard::ZeroUnitCost, text)
    })
}

fn zero_quantity(job: &Job<'_>) -> Option<Warning> {
    let lines = job.table.facts.lines.filter(|lines| 2 * lines.zero_quantity > lines.used)?;
    let text = format!(
        "{} of {} lines have quantity 0: units, prices and what is paid or funded per unit say nothing. Bring the quantities, or read money only",
        lines.zero_quantity, lines.used
    );
    Some(Warning::new(Hazard::ZeroQuantity, text))
}

fn negative_margin(job: &Job<'_>) -> Option<Warning> {
    let sum = |name: &str| {
        let find = |m: &&Measure| m.name == name;
        let [target, control] = job.sums.measure(job.table, job.plan.measures.iter().find(find)?, |_| true);
        Some(target + control)
    };
    let (margin, revenue) = (sum("margin")?, sum("revenue")?);
    // Less than half a cent is rounding.
    (margin < -0.005).then(|| {
        let text = format!(
            "all lines together cost {:.2} and bring in {revenue:.2}, a margin of {margin:.2}. Check the costs: of one unit and in the money of net sales, not in cents and not by the case",
            revenue - margin
        );
        Warning::new(Hazard::NegativeMargin, text)
    })
}

fn repeated_lines(oddities: &Oddities, assignment: &Assignment) -> Option<Warning> {
    let repeats = &oddities.repeats;
    let share = repeats.repeated as f64 / repeats.looked_at as f64;
    let example = repeats.example.as_ref().filter(|_| share >= REPEATED)?;
    let product = example.product.as_ref().map_or_else(|| "no product".to_owned(), |product| format!("product {product}"));
    let text = format!(
        "{:.1} % of the lines repeat another exactly ({} of {} looked at), as customer {} on {}, {product}. Look whether lines were loaded twice",
        100.0 * share,
        repeats.repeated,
        repeats.looked_at,
        customer(assignment, example.customer),
        example.day,
    );
    Some(Warning::new(Hazard::RepeatedLines, text))
}

fn huge_line(job: &Job<'_>, oddities: &Oddities) -> Option<Warning> {
    job.table.facts.lines.filter(|lines| lines.used >= LINES_FOR_HUGE)?;
    let (line, share) = (oddities.largest?, oddities.largest_share()?);
    (share > HUGE).then(|| {
        let text = format!(
            "one line is {:.1} % of all net sales: {} in data row {}, of customer {}. Look whether it is a total or a slip of the decimal point: every figure rests on it",
            100.0 * share,
            line.value,
            line.row + 1,
            customer(&job.study.assignment, line.customer),
        );
        Warning::new(Hazard::HugeLine, text)
    })
}

/// Days of the windows on which nobody bought anything, other than weekdays on which the shop is mostly shut.
fn empty_days(spans: &[Span], lines_by_day: &[u64]) -> Option<Warning> {
    let first = spans.iter().map(|span| span.days.first.epoch()).min()?;
    let days = |span: &Span| span.days.first.epoch()..=span.days.last.epoch();
    let lines = |day: i32| usize::try_from(day - first).ok().and_then(|at| lines_by_day.get(at)).copied().unwrap_or(0);
    let weekday = |day: i32| day.rem_euclid(7) as usize;
    let (mut open, mut total) = (0, 0);
    // By weekday: days, and those without a line.
    let (mut of_weekday, mut shut) = ([0_u32; 7], [0_u32; 7]);
    for day in spans.iter().flat_map(days) {
        open += u64::from(lines(day) > 0);
        total += lines(day);
        of_weekday[weekday(day)] += 1;
        shut[weekday(day)] += u32::from(lines(day) == 0);
    }
    if open == 0 || total < LINES_A_DAY * open {
        return None;
    }
    let odd = |day: &i32| lines(*day) == 0 && 2 * shut[weekday(*day)] < of_weekday[weekday(*day)];
    let of_period = |period: Period| spans.iter().filter(|span| span.period == period).flat_map(days).filter(odd).count();
    let windows: Vec<(Period, usize)> = Period::ALL.into_iter().map(|period| (period, of_period(period))).filter(|(_, count)| *count > 0).collect();
    let found = spans.iter().flat_map(days).filter(odd).min()?;
    let count: usize = windows.iter().map(|(_, count)| count).sum();
    let windows: Vec<String> = windows.into_iter().map(|(period, count)| format!("{period} {count}")).collect();
    let (noun, verb) = if count == 1 { ("day", "has") } else { ("days", "have") };
    let text = format!(
        "{count} {noun} in the windows ({}) {verb} no line of anybody, others {} on average; the first is {}. Bring the missing days; if the shop was shut, leave it",
        windows.join(", "),
        total / open,
        Day::from_epoch(found),
    );
    Some(Warning::new(Hazard::EmptyDays, text))
}

/// The id of a customer.
fn customer(assignment: &Assignment, index: u32) -> String {
    let index = index as usize;
    if index < assignment.len() { assignment.customers.text(index) } else { "not assigned".to_owned() }
}
