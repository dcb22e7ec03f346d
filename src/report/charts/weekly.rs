//! Net sales week by week: above what each week contributed, with the band of all weeks together; below the sum to date, with its own band.

use plotters::style::RGBColor;

use super::Chart;
use super::canvas::{Failure, GAIN, LOSS, ZERO, range};
use super::forest::whisker;
use super::timeline::{Band, Date, Frame, LineName, Panel, Timeline};
use crate::estimate::Interval;
use crate::known::Known;
use crate::measure::{Curve, WeekEffect, WeekEstimate, WeekWeights, Weekly};
use crate::report::words::{Voice, customer};
use crate::study::Period;

const BEFORE: RGBColor = RGBColor(243, 244, 246);
const DURING: RGBColor = RGBColor(234, 242, 250);
const AFTER: RGBColor = RGBColor(255, 255, 255);
const RIBBON: RGBColor = RGBColor(190, 213, 235);
/// Half the width of a whisker's cap, in days.
const CAP: f64 = 1.0;

/// The chart, `None` where net sales have no weekly curve.
pub(in crate::report) fn weekly(weekly: &Weekly, voice: Voice, currency: &str) -> Option<Chart> {
    let total = weekly.curve("net_sales", "total")?;
    let gain = weekly.curve("net_sales", "focal_and_substitute");
    let each = range(total.weeks.iter().flat_map(|week| values(&week.effect)))?;
    let sums = || total.weeks.iter().chain(gain.into_iter().flat_map(|gain| &gain.weeks)).filter_map(|week| week.cumulative.value());
    let to_date =
        range(total.weeks.iter().filter_map(|week| week.cumulative.value()).flat_map(|sum| values(&sum)).chain(sums().filter_map(|s| s.value.value())))?;
    let unit = if currency.is_empty() { String::new() } else { format!("{currency} ") };
    let who = customer(weekly.estimand);
    let what = voice.choose("Effect on net sales", "Difference in net sales");
    let frames = [
        Frame { title: format!("{what} in each week, {unit}per {who}"), low: each.0, high: each.1 },
        Frame { title: format!("{what} summed up from the start, {unit}per {who}"), low: to_date.0, high: to_date.1 },
    ];
    let label = format!("{} by week, with bands; the figures stand in the table below", frames[0].title);
    timeline(total).draw(&label, &frames, |panel, canvas| if panel == 0 { weeks(canvas, total) } else { to_the_end(canvas, total, gain) })
}

/// What must be seen of an estimate.
fn values(estimate: &WeekEstimate) -> impl Iterator<Item = f64> + use<> {
    let (interval, band) = (estimate.interval, estimate.band);
    [estimate.value.value(), interval.low(), interval.high(), band.low(), band.high()].into_iter().flatten()
}

fn timeline(total: &Curve) -> Timeline {
    let bands = Period::ALL.into_iter().filter_map(|period| {
        let weeks = || total.weeks.iter().filter(|week| week.period == period);
        let (from, to) = (weeks().next()?.days.first, weeks().next_back()?.days.last);
        let (names, ground) = period_words(period);
        Some(Band { from: f64::from(from.epoch()), to: f64::from(to.epoch()) + 1.0, names, ground })
    });
    // The first days of the periods before those of other weeks.
    let (first, other): (Vec<&WeekEffect>, Vec<&WeekEffect>) = total.weeks.iter().partition(|week| week.week == 1);
    let date = |week: &&WeekEffect| Date { at: f64::from(week.days.first.epoch()), text: week.days.first.to_string() };
    Timeline { bands: bands.collect(), dates: first.iter().rev().chain(&other).map(date).collect() }
}

/// Names of a period, the longest first, and its ground.
fn period_words(period: Period) -> (Vec<&'static str>, RGBColor) {
    match period {
        Period::Baseline => (vec!["before: unadjusted, no effects", "before (unadjusted)", "before"], BEFORE),
        Period::Anticipation => (vec!["announced"], AFTER),
        Period::Promotion => (vec!["promotion", "offer"], DURING),
        Period::Post => (vec!["after the promotion", "after"], AFTER),
    }
}

fn weeks(panel: &mut Panel<'_, '_>, total: &Curve) -> Result<Vec<LineName>, Failure> {
    for week in &total.weeks {
        let Known::Value(value) = week.effect.value else { continue };
        let x = f64::midpoint(f64::from(week.days.first.epoch()), f64::from(week.days.last.epoch()) + 1.0);
        let adjusted = week.weights == WeekWeights::Study;
        let color = if adjusted { GAIN } else { ZERO };
        bar(panel, x, &week.effect.band, color, 1, CAP)?;
        bar(panel, x, &week.effect.interval, color, if adjusted { 4 } else { 2 }, 0.0)?;
        panel.dot((x, value), color, adjusted)?;
    }
    Ok(Vec::new())
}

fn bar(panel: &mut Panel<'_, '_>, x: f64, interval: &Interval, color: RGBColor, width: u32, cap: f64) -> Result<(), Failure> {
    whisker(interval).map_or(Ok(()), |ends| panel.whisker(x, ends.low, ends.high, color, width, cap))
}

/// The sums to date, each at the end of its week.
fn to_the_end(panel: &mut Panel<'_, '_>, total: &Curve, gain: Option<&Curve>) -> Result<Vec<LineName>, Failure> {
    let sums = sums(total);
    let mut ribbon: Vec<(f64, Option<f64>, Option<f64>)> =
        sums.iter().filter_map(|(x, sum)| whisker(&sum.band).map(|ends| (*x, ends.low, ends.high))).collect();
    if let (Some(start), false) = (start(total), ribbon.is_empty()) {
        ribbon.insert(0, (start, Some(0.0), Some(0.0)));
        panel.ribbon(&ribbon, RIBBON)?;
    }
    let mut names = Vec::new();
    if let Some(gain) = gain {
        let points = points(gain);
        panel.dashes(&points, LOSS)?;
        names.extend(points.last().map(|(_, y)| LineName { text: "offer and substitutes", at: *y, color: LOSS }));
    }
    let points = points(total);
    panel.line(&points, GAIN, 2)?;
    points.iter().skip(1).try_for_each(|point| panel.dot(*point, GAIN, true))?;
    names.extend(points.last().map(|(_, y)| LineName { text: "all products", at: *y, color: GAIN }));
    Ok(names)
}

/// Where the sums of a curve begin, at nothing.
fn start(curve: &Curve) -> Option<f64> {
    curve.weeks.iter().find(|week| week.cumulative.value().is_some()).map(|week| f64::from(week.days.first.epoch()))
}

fn sums(curve: &Curve) -> Vec<(f64, WeekEstimate)> {
    curve.weeks.iter().filter_map(|week| Some((f64::from(week.days.last.epoch()) + 1.0, week.cumulative.value()?))).collect()
}

fn points(curve: &Curve) -> Vec<(f64, f64)> {
    let sums = sums(curve);
    start(curve).map(|at| (at, 0.0)).into_iter().chain(sums.iter().filter_map(|(x, sum)| Some((*x, sum.value.value()?)))).collect()
}
