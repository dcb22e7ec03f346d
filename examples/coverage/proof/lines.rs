//! Whole shops drawn line by line, measured from the ledger up: windows, roles, coupons and funding are in the proof too.

use std::ops::Range;

use promolift::Known;
use promolift::estimate::Interval;
use promolift::ledger::Ledger;
use promolift::measure::Measurement;
use promolift::simulate::{Preset, Response, Retailer, SeniorMeat, Truth};
use promolift::study::{EstimatorName, Study};
use promolift::validity::Conclusion;
use rayon::prelude::*;

use super::dice::Dice;
use super::setting::{in_words, warnings};
use super::tally::{Seen, Tally};

/// A shop and how it is measured.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    /// Its name, from which its seeds come.
    pub(crate) name: String,
    /// Customers.
    pub(crate) customers: u32,
    /// The shop.
    pub(crate) shop: Shop,
    /// The estimator.
    pub(crate) estimator: EstimatorName,
}

/// A simulated shop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shop {
    /// The coupon of the bundled sample: the share of the target, and how customers respond.
    Coupon(f64, Response),
    /// A retailer with a name. Of its offers each draw looks at another one, in turn; of a broken one at the first.
    Named(Preset),
}

/// A shop as drawn.
struct Drawn {
    ledger: Ledger,
    study: Study,
    truth: Truth,
}

impl Shop {
    fn draw(&self, customers: u32, name: &str, draw: usize) -> promolift::Result<Drawn> {
        let seed = Dice::seed(name, draw);
        match *self {
            Self::Coupon(target_share, response) => {
                let world = SeniorMeat { seed, customers, target_share, response }.draw()?;
                let ledger = Ledger::from_frames(world.transactions, world.products, &world.promotion.columns())?;
                Ok(Drawn { ledger, study: Study::new(world.promotion, world.assignment), truth: world.truth })
            }
            Self::Named(preset) => {
                let world = Retailer { seed, customers, ..Retailer::preset(preset) }.draw()?;
                let launch = &world.launches[if preset.is_broken() { 0 } else { draw % world.launches.len() }];
                let study = world.study(launch);
                let truth = launch.truth.clone();
                let ledger = Ledger::from_frames(world.transactions, world.products, &study.promotion.columns())?;
                Ok(Drawn { ledger, study, truth })
            }
        }
    }

    fn does_nothing(&self) -> bool {
        match self {
            Self::Coupon(_, response) => *response == Response::none(),
            Self::Named(preset) => *preset == Preset::Null,
        }
    }
}

/// Draws that one thread makes in a row.
const CHUNK: usize = 4;
const EFFECTS: [&str; 6] = ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "total"];

impl Lines {
    /// Whether it averages over all assigned.
    fn over_assigned(&self) -> bool {
        matches!(self.estimator, EstimatorName::Unadjusted | EstimatorName::Regression | EstimatorName::Cuped)
    }

    /// Makes these draws and measures each.
    pub(crate) fn run(&self, draws: Range<usize>) -> Tally {
        let chunks: Vec<usize> = draws.clone().step_by(CHUNK).collect();
        let chunk = |first: usize| {
            let mut tally = Tally::default();
            for draw in first..draws.end.min(first + CHUNK) {
                tally.draws += 1;
                if let Err(why) = self.one(draw, &mut tally) {
                    *tally.refused.entry(why).or_default() += 1;
                }
            }
            tally
        };
        let found: Vec<Tally> = chunks.into_par_iter().map(chunk).collect();
        let mut tally = Tally::default();
        for other in found {
            tally.merge(other);
        }
        tally
    }

    fn one(&self, draw: usize, tally: &mut Tally) -> Result<(), String> {
        let Drawn { ledger, mut study, truth: all } = self.shop.draw(self.customers, &self.name, draw).map_err(in_words)?;
        study.options.estimator = self.estimator;
        let found = study.measure(&ledger).map_err(in_words)?;
        let null = self.shop.does_nothing();
        for effect in EFFECTS {
            let row = found.effects.iter().find(|row| row.measure == "net_sales" && row.effect == effect);
            let (Some(row), Some(truth)) = (row, all.effect(effect, "net_sales")) else { continue };
            let value = if self.over_assigned() { truth.per_assigned_customer } else { truth.per_target_customer };
            let seen = Seen::limits(row.ci_low, row.ci_high, value).of_known(row.per_customer, row.std_error, value);
            tally.add(effect, seen.tested(row.p_value, null, 0.05));
            let relative = [("total", "relative total"), ("direct", "relative direct")].into_iter().find(|(name, _)| *name == effect);
            if let (false, Some(share), Some((_, relative))) = (self.over_assigned(), truth.relative, relative) {
                tally.add(relative, Seen::interval(&row.relative.interval, share));
            }
        }
        // Totals of an average over all assigned are not the target's.
        if !matches!(self.estimator, EstimatorName::Regression | EstimatorName::Cuped) {
            money(&found, &all, tally);
        }
        warnings(&found.warnings, tally);
        if let Conclusion::Refused { reasons } = &found.conclusion {
            tally.refused_for(reasons);
        }
        Ok(())
    }
}

/// Money, ratios and burned budget, which are of the target.
fn money(found: &Measurement, truth: &Truth, tally: &mut Tally) {
    for (interval, row) in [("incremental_margin", "incremental_margin"), ("net_profit", "net_profit")] {
        if let (Some(row), Some(value)) = (found.profit.retailer.iter().find(|r| r.row == row), truth.row(row)) {
            tally.add(interval, Seen::limits(row.ci_low, row.ci_high, value).of_known(row.estimate, row.std_error, value));
        }
    }
    let amount = |row: &str| truth.row(row).unwrap_or_default();
    let gross = -amount("promotional_discount") - amount("internal_cost");
    let total = |effect: &str, measure: &str| truth.effect(effect, measure).map_or(0.0, |effect| effect.total);
    let ratios = [
        ("roi_on_gross_cost", amount("incremental_margin") - amount("promotional_discount") - gross, gross),
        ("roi_on_retailer_cost", amount("net_profit"), gross - amount("supplier_subsidy")),
        ("iroas", total("total", "revenue"), gross),
        ("cost_per_incremental_unit", gross, total("direct", "units")),
    ];
    for (name, numerator, denominator) in ratios {
        if let Some(row) = found.ratios.iter().find(|row| row.ratio == name && denominator > 0.0) {
            tally.add(name, Seen::interval(&row.interval, numerator / denominator));
        }
    }
    if let (Known::Value(low), Known::Value(high)) = (found.burned_budget.units.ci_low, found.burned_budget.units.ci_high) {
        tally.add("burned budget", Seen::interval(&Interval::Bounded { low, high }, truth.burned_units));
    }
}
