//! A setting: a world, how it is measured, and whose truth the intervals are held against.

use std::ops::Range;

use promolift::Known;
use promolift::estimate::{Df, Estimate, Interval, Ratio};
use promolift::measure::{Measurement, WeekEffect, Weekly};
use promolift::study::{Alternative, Arm, EstimatorName, Options};
use promolift::validity::Warning;
use rayon::prelude::*;

use super::cells::Shop;
use super::dice::Dice;
use super::slices::{self, Found};
use super::tally::{Seen, Tally};
use super::truth::{EFFECTS, Measure, Over, Truth};
use super::world::{Customers, Drawing, Effect, World};

/// Draws that one thread makes in a row; fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 20;

/// A world and how it is measured.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Its name, from which its random numbers come.
    pub(crate) name: String,
    /// The world.
    pub(crate) world: World,
    /// How it is measured.
    pub(crate) options: Options,
    /// Whose truth is meant.
    pub(crate) over: Over,
    /// Whose truth is meant by relative effects: where customers are drawn within clusters that of those drawn, for an estimator with covariates speaks of the
    /// level of customers with their baselines.
    relative_over: Over,
    /// What is asked of each draw.
    pub(crate) asked: Asked,
}

/// What is asked of each draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The effects on net sales on slices; of one draw in so many the whole study too, which must say the same, and says what it warns of.
    Effects {
        /// One draw in so many is measured as a study.
        studies: usize,
    },
    /// The whole study.
    Study,
    /// The weekly curve.
    Weeks,
}

/// The two passes over the draws of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// All draws, on slices, where effects are asked for: what intervals hold.
    Slices,
    /// The draws that are measured as a study: all, or one in so many: what only a study says, warnings above all.
    Studies,
}

/// One draw in so many is measured as a study too, unless said otherwise.
const STUDIES: usize = 25;

/// Names of the relative effects, in the order of [`EFFECTS`].
const RELATIVE: [&str; 6] =
    ["relative direct", "relative cannibalisation", "relative halo", "relative forward_buying", "relative carry_over", "relative total"];
const RATIOS: [&str; 6] = ["roi_on_gross_cost", "roi_on_retailer_cost", "iroas", "cost_per_incremental_unit", "net_to_direct", "redemption_incrementality"];

impl Setting {
    /// A setting of an estimator with its own average.
    pub(crate) fn new(name: impl Into<String>, world: World, estimator: EstimatorName) -> Self {
        let mut options = Options::default();
        options.estimator = estimator;
        if world.drawing == Drawing::Grades && estimator == EstimatorName::CoarsenedExact {
            (options.covariates, options.customer_covariates) = (Vec::new(), vec!["grade".to_owned()]);
        }
        let assigned = matches!(estimator, EstimatorName::Unadjusted | EstimatorName::Regression | EstimatorName::Cuped | EstimatorName::GivenWeights);
        // Within strata unadjusted counts customers as the target has them.
        let within = world.drawing == Drawing::Strata && estimator == EstimatorName::Unadjusted;
        let drawn = if assigned && !within { Over::Assigned } else { Over::Target };
        let over = if matches!(world.drawing, Drawing::Straddling(_)) { Over::Expected } else { drawn };
        Self { name: name.into(), world, options, over, relative_over: drawn, asked: Asked::Effects { studies: STUDIES } }
    }

    /// The same with other options.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// The same against another truth.
    pub(crate) fn against(mut self, over: Over) -> Self {
        (self.over, self.relative_over) = (over, over);
        self
    }

    /// The same with so many draws of slices to one of a whole study.
    pub(crate) fn one_study_in(self, studies: usize) -> Self {
        self.asking(Asked::Effects { studies })
    }

    /// The same with another question.
    pub(crate) fn asking(mut self, asked: Asked) -> Self {
        self.asked = asked;
        self
    }

    /// The share of intervals that should hold.
    pub(crate) fn claimed(&self) -> f64 {
        self.options.confidence
    }

    /// Makes these draws and measures each, in both passes.
    ///
    /// # Errors
    /// As [`Setting::pass`].
    pub(crate) fn run(&self, draws: Range<usize>) -> promolift::Result<Tally> {
        let mut tally = self.pass(draws.clone(), Pass::Slices)?;
        tally.merge(self.pass(draws, Pass::Studies)?);
        Ok(tally)
    }

    /// Makes these draws and measures each that belongs to the pass.
    ///
    /// # Errors
    /// Where the shop itself cannot be made.
    pub(crate) fn pass(&self, draws: Range<usize>, pass: Pass) -> promolift::Result<Tally> {
        let shop = Shop::new(self.world.money)?;
        let (every, counted) = match (self.asked, pass) {
            (Asked::Study | Asked::Weeks, Pass::Slices) => return Ok(Tally::default()),
            (Asked::Effects { studies }, Pass::Studies) => (studies, false),
            _ => (1, true),
        };
        let draws: Vec<usize> = draws.filter(|draw| draw.is_multiple_of(every)).collect();
        let found: Vec<Tally> = draws.par_chunks(CHUNK).map(|draws| self.chunk(&shop, draws, pass, counted)).collect();
        let mut tally = Tally::default();
        for other in found {
            tally.merge(other);
        }
        Ok(tally)
    }

    /// Measures draws, which count as draws of the setting in one of its passes only.
    fn chunk(&self, shop: &Shop, draws: &[usize], pass: Pass, counted: bool) -> Tally {
        let mut tally = Tally::default();
        for &draw in draws {
            tally.draws += u64::from(counted);
            if let Err(why) = self.one(shop, draw, pass, &mut tally) {
                *tally.refused.entry(why).or_default() += 1;
            }
        }
        tally
    }

    /// One draw.
    fn one(&self, shop: &Shop, draw: usize, pass: Pass, tally: &mut Tally) -> Result<(), String> {
        let customers = self.world.draw(&mut Dice::new(&self.name, draw));
        let truth = Truth::over(self.over, &self.world, &customers);
        let study = || customers.study(&self.world, self.options.clone());
        let drawn = shop.with(&customers);
        match self.asked {
            Asked::Weeks => {
                let found = study().weekly(&drawn).map_err(in_words)?;
                of_weeks(&found, &truth, tally);
                warnings(&found.warnings, tally);
            }
            Asked::Study => {
                let found = study().measure(&drawn).map_err(in_words)?;
                self.of_effects(&effects_of(&found)?, &truth, &customers, tally);
                self.of_study(&found, &truth, tally);
                self.of_segments(&found, &customers, draw, tally);
                of_variants(&found, &customers, draw, tally);
                self.of_some(&found, &customers, &truth, tally);
                if self.world.money {
                    self.of_money(&found, &customers, &truth, tally);
                }
            }
            Asked::Effects { .. } => {
                let found = slices::effects(&self.world, &customers, &self.options).map_err(|undefined| undefined.to_string());
                match pass {
                    Pass::Slices => self.of_effects(&found?, &truth, &customers, tally),
                    Pass::Studies => {
                        // What slices have no answer to is counted where they are.
                        let Ok(found) = found else { return Ok(()) };
                        let whole = study().measure(&drawn).map_err(in_words)?;
                        same(&found, &effects_of(&whole)?)?;
                        self.of_study(&whole, &truth, tally);
                    }
                }
            }
        }
        Ok(())
    }

    fn of_effects(&self, found: &[Found], truth: &Truth, customers: &Customers, tally: &mut Tally) {
        let level = 1.0 - self.options.confidence;
        let other = (self.relative_over != self.over).then(|| Truth::over(self.relative_over, &self.world, customers));
        let of_relative = other.as_ref().unwrap_or(truth);
        for ((name, relative), found) in EFFECTS.into_iter().zip(RELATIVE).zip(found) {
            let effect = truth.effect(Measure::Sales, name);
            let alone = Seen::interval(&found.effect.interval, effect).of(found.effect.value, found.effect.std_error, effect);
            tally.add(name, alone.tested(found.effect.p_value, self.world.effect == Effect::None, level));
            let base = of_relative.level(Measure::Sales, name);
            if base != 0.0 {
                tally.add(relative, Seen::interval(&found.relative.interval, of_relative.effect(Measure::Sales, name) / base.abs()));
            }
        }
    }

    /// What only a whole study says: intervals that hold together, and warnings.
    fn of_study(&self, found: &Measurement, truth: &Truth, tally: &mut Tally) {
        let joint = found.effects.iter().filter(|row| row.measure == "net_sales" && EFFECTS.contains(&row.effect.as_str()));
        let joint = joint.map(|row| Seen::limits(row.joint_low, row.joint_high, truth.effect(Measure::Sales, &row.effect)));
        if self.options.alternative == Alternative::TwoSided {
            tally.add("all effects at once", Seen::all(joint));
        }
        warnings(&found.warnings, tally);
    }

    fn of_segments(&self, found: &Measurement, customers: &Customers, draw: usize, tally: &mut Tally) {
        let Some(segments) = found.segments.first() else { return };
        // One segment a draw, so that draws stay independent.
        let own = draw % segments.segments.len().max(1);
        let Some(segment) = segments.segments.get(own) else { return };
        let Ok(code) = segment.segment.parse::<u32>() else { return };
        let mine = |row: usize| customers.group[row] == code && (self.over == Over::Assigned || customers.arm[row] == Arm::Target);
        let truth = Truth::of(customers, self.world.money, mine).effect(Measure::Sales, "total");
        let row = segments.effects.iter().find(|e| e.segment == segment.segment && e.measure == "net_sales" && e.effect == "total");
        if let Some(row) = row {
            tally.add("segment", Seen::limits(row.ci_low, row.ci_high, truth).of_known(row.per_customer, row.std_error, truth));
            tally.add("segment, shrunk", Seen::limits(row.shrunk_low, row.shrunk_high, truth));
        }
    }

    /// Those who redeem, and all but some who are left out.
    fn of_some(&self, found: &Measurement, customers: &Customers, truth: &Truth, tally: &mut Tally) {
        for (name, effect) in [("direct, a redeemer", "direct"), ("total, a redeemer", "total")] {
            let row = found.redeemers.effects.iter().find(|row| row.measure == "net_sales" && row.effect == effect);
            if let Some(row) = row.filter(|row| row.per_redeemer.value().is_some()) {
                tally.add(name, Seen::interval(&row.interval, truth.effect(Measure::Sales, effect) / truth.share_of_redeemers()));
            }
        }
        let Some((left_out, limit)) = found.left_out.as_ref().and_then(|left_out| Some((left_out, left_out.rule.above.value()?))) else { return };
        let mine = |row: usize| customers.before(row) <= limit && (self.over == Over::Assigned || customers.arm[row] == Arm::Target);
        let truth = Truth::of(customers, self.world.money, mine);
        for (name, effect) in [("direct, some left out", "direct"), ("total, some left out", "total")] {
            if let Some(row) = left_out.effects.iter().find(|row| row.measure == "net_sales" && row.effect == effect) {
                let value = truth.effect(Measure::Sales, effect);
                tally.add(name, Seen::limits(row.ci_low, row.ci_high, value).of_known(row.per_customer, row.std_error, value));
            }
        }
    }

    fn of_money(&self, found: &Measurement, customers: &Customers, truth: &Truth, tally: &mut Tally) {
        // Money is of the target customers, whoever the average is over.
        let target = Truth::over(Over::Target, &self.world, customers);
        let money = target.money();
        for (name, value) in [("incremental_margin", money.margin), ("net_profit", money.net_profit())] {
            if let Some(row) = found.profit.retailer.iter().find(|row| row.row == name) {
                tally.add(name, Seen::limits(row.ci_low, row.ci_high, value).of_known(row.estimate, row.std_error, value));
            }
        }
        for name in RATIOS {
            if let (Some(row), Some(value)) = (found.ratios.iter().find(|row| row.ratio == name), money.ratio(name)) {
                tally.add(name, Seen::interval(&row.interval, value));
            }
        }
        let burned = &found.burned_budget.units;
        tally.add("burned budget", Seen::limits(burned.ci_low, burned.ci_high, target.burned));
        if let Some(price) = found.asked_ratios.first() {
            // An arm's own ratio is of all customers like those in it, as its interval is; the difference is that of the drawn.
            tally.add("price, target", Seen::interval(&price.target.interval, self.world.expected_price(true)));
            tally.add("price, control", Seen::interval(&price.control.interval, self.world.expected_price(false)));
            let [with, without] = [truth.focal_price(true), truth.focal_price(false)];
            let change = &price.difference;
            tally.add(
                "price, difference",
                Seen::limits(change.ci_low, change.ci_high, with - without).of_known(change.estimate, change.std_error, with - without),
            );
            tally.add("price, relative", Seen::interval(&price.relative.interval, (with - without) / without));
        }
    }
}

/// Variants of the offer, each against the control and against the others; one of each a draw, so that draws stay independent.
fn of_variants(found: &Measurement, customers: &Customers, draw: usize, tally: &mut Tally) {
    let Some(variants) = &found.variants else { return };
    let of = |variant: &str| {
        let code = variant.parse::<u32>().ok();
        Truth::of(customers, false, |row| customers.arm[row] == Arm::Target && Some(customers.group[row]) == code).effect(Measure::Sales, "total")
    };
    let total = |measure: &str, effect: &str| measure == "net_sales" && effect == "total";
    let effects: Vec<_> = variants.effects.iter().filter(|row| total(&row.measure, &row.effect)).map(|row| (row, of(&row.variant))).collect();
    if let Some((row, value)) = effects.get(draw % effects.len().max(1)) {
        tally.add("variant", Seen::limits(row.ci_low, row.ci_high, *value).of_known(row.per_customer, row.std_error, *value));
    }
    let differences = variants.differences.iter().filter(|row| total(&row.measure, &row.effect));
    let differences: Vec<_> = differences.map(|row| (row, of(&row.variant) - of(&row.against))).collect();
    if let Some((row, value)) = differences.get(draw % differences.len().max(1)) {
        tally.add("variant less another", Seen::limits(row.ci_low, row.ci_high, *value).of_known(row.per_customer, row.std_error, *value));
    }
    tally.add("all variants at once", Seen::all(effects.iter().map(|(row, value)| Seen::limits(row.joint_low, row.joint_high, *value))));
    tally.add("all pairs of variants at once", Seen::all(differences.iter().map(|(row, value)| Seen::limits(row.joint_low, row.joint_high, *value))));
}

fn of_weeks(found: &Weekly, truth: &Truth, tally: &mut Tally) {
    for (part, [one, band, sums]) in
        [("direct", ["direct, one week", "direct, all weeks", "direct, all sums"]), ("total", ["total, one week", "total, all weeks", "total, all sums"])]
    {
        let Some(curve) = found.curve("net_sales", part) else { continue };
        let weeks = || curve.weeks.iter().filter(|week| week.cumulative.value().is_some()).enumerate();
        let sum_to = |last: usize| (0..=last).map(|week| truth.week(part, week)).sum::<f64>();
        if let Some((week, found)) = weeks().nth(1) {
            tally.add(one, Seen::interval(&found.effect.interval, truth.week(part, week)));
        }
        tally.add(band, Seen::all(weeks().map(|(week, found)| Seen::interval(&found.effect.band, truth.week(part, week)))));
        let of_sum = |(week, found): (usize, &WeekEffect)| match found.cumulative {
            Known::Value(sum) => Seen::interval(&sum.band, sum_to(week)),
            Known::Missing(reason) => Seen::interval(&Interval::Missing { reason }, 0.0),
        };
        tally.add(sums, Seen::all(weeks().map(of_sum)));
    }
}

/// Counts the warnings of a study by their names.
pub(crate) fn warnings(found: &[Warning], tally: &mut Tally) {
    let name = |warning| serde_json::to_value(warning).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    let mut names: Vec<String> = found.iter().map(|warning| name(warning.warning)).collect();
    names.sort_unstable();
    names.dedup();
    tally.warned(&names);
}

/// The first problem of an error.
#[allow(clippy::needless_pass_by_value, reason = "it is mapped over errors")]
pub(crate) fn in_words(error: promolift::Error) -> String {
    error.problems().first().map_or_else(|| error.to_string(), |problem| problem.text.clone())
}

/// The effects on net sales of a whole study, as slices give them.
fn effects_of(found: &Measurement) -> Result<Vec<Found>, String> {
    let of = |name: &&str| {
        let row = found.effects.iter().find(|row| row.measure == "net_sales" && row.effect == **name).ok_or_else(|| format!("no {name}"))?;
        let interval = match (row.ci_low, row.ci_high) {
            (Known::Value(low), Known::Value(high)) => Interval::Bounded { low, high },
            (Known::Value(low), _) => Interval::AtLeast { low },
            (_, Known::Value(high)) => Interval::AtMost { high },
            (Known::Missing(reason), _) => Interval::Missing { reason },
        };
        let number = |known: Known<f64>| known.value().ok_or_else(|| format!("no number for {name}"));
        let effect = Estimate { value: number(row.per_customer)?, std_error: number(row.std_error)?, df: row.df.map(Df::T), p_value: row.p_value, interval };
        Ok(Found { effect, relative: Ratio { estimate: row.relative.estimate, interval: row.relative.interval } })
    };
    EFFECTS.iter().map(of).collect()
}

/// Whether slices and the whole study say the same.
fn same(slices: &[Found], study: &[Found]) -> Result<(), String> {
    let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-7 * a.abs().max(1.0),
        (a, b) => a.is_none() && b.is_none(),
    };
    let numbers = |found: &Found| {
        let (alone, relative) = (&found.effect.interval, &found.relative.interval);
        let p_value = found.effect.p_value.value();
        [Some(found.effect.value), Some(found.effect.std_error), p_value, alone.low(), alone.high(), relative.low(), relative.high()]
    };
    let differs = slices.iter().zip(study).position(|(a, b)| !numbers(a).into_iter().zip(numbers(b)).all(|(a, b)| near(a, b)));
    differs.map_or(Ok(()), |at| Err(format!("slices and study differ on {}", EFFECTS[at])))
}
