//! From sums to the truth of an offer.

use super::questions::{Questions, to_ticks};
use super::shop::{Plan, Role, supplier_of};
use super::sums::{Amount, Cell, Sums};
use super::tally::{Further, Moments, Tally};
use crate::simulate::truth::{Expected, ExpectedEffect, ExpectedRow, MonteCarlo, TrueEffect, TrueRatio, TrueRow, TrueSupplier, Truth, from_ticks};
use crate::study::Period;

/// The truth of an offer.
pub(super) fn truth(plan: &Plan<'_>, questions: &Questions<'_>, tally: &Tally, further: Option<&Further>) -> Truth {
    let rows = |rows: Vec<(&'static str, i64)>| rows.into_iter().map(|(row, ticks)| TrueRow { row: row.into(), amount: from_ticks(ticks) }).collect::<Vec<_>>();
    let retailer = questions.retailer(&tally.change_of_target, tally.target, tally.redemptions);
    let retailer: Vec<TrueRow> = rows(retailer.into_iter().map(|(row, ticks)| (row, ticks + questions.once(row))).collect());
    let supplier = TrueSupplier { supplier: supplier_of(plan), rows: rows(questions.supplier(&tally.change_of_target)) };
    let ratios = Ratios::new(questions, tally, &retailer).all();
    Truth {
        promotion: Some(plan.offer.id.clone()),
        target_customers: tally.target,
        assigned_customers: tally.assigned,
        redeemers: tally.redeemers,
        redemptions: tally.redemptions,
        effects: effects(questions, tally),
        retailer,
        suppliers: if plan.offer.brand > 0 { vec![supplier] } else { Vec::new() },
        burned_units: tally.burned_units as f64,
        burned_money: from_ticks(tally.burned_money),
        ratios,
        expected: further.map(|f| expected(questions, f, tally.target)),
    }
}

fn effects(questions: &Questions<'_>, tally: &Tally) -> Vec<TrueEffect> {
    let of_target = questions.values(&tally.change_of_target);
    let of_assigned = questions.values(&tally.change_of_assigned);
    let without = questions.values(&tally.without());
    let values = of_target.into_iter().zip(of_assigned).zip(without);
    let effect = |(question, ((target, assigned), without)): (&super::questions::Question, ((i64, i64), i64))| {
        let total = from_ticks(target);
        let per_target_customer = total / f64::from(tally.target);
        let level = from_ticks(without) / f64::from(tally.target);
        TrueEffect {
            effect: questions.effects[question.effect].name.clone(),
            measure: question.measure.into(),
            per_target_customer,
            per_assigned_customer: from_ticks(assigned) / f64::from(tally.assigned),
            total,
            level,
            relative: (level > 0.0).then(|| per_target_customer / level),
        }
    };
    questions.list.iter().zip(values).map(effect).collect()
}

/// What the ratios are made of, in money and units over the target.
struct Ratios<'a> {
    questions: &'a Questions<'a>,
    tally: &'a Tally,
    rows: &'a [TrueRow],
}

impl<'a> Ratios<'a> {
    const fn new(questions: &'a Questions<'a>, tally: &'a Tally, rows: &'a [TrueRow]) -> Self {
        Self { questions, tally, rows }
    }

    fn row(&self, name: &str) -> f64 {
        self.rows.iter().find(|r| r.row == name).map_or(0.0, |r| r.amount)
    }

    fn change(&self, effect: &str, measure: &str) -> f64 {
        from_ticks(self.questions.of(effect, measure, &self.tally.change_of_target))
    }

    fn all(&self) -> Vec<TrueRatio> {
        let discount = -self.row("promotional_discount");
        let gross = discount - self.row("internal_cost");
        let retailer = gross - self.row("supplier_subsidy");
        let units = self.change("direct", "units");
        let redeemed = on_offer_lines(&self.tally.seen)[Amount::OfferUnits as usize] as f64;
        let divide = |numerator: f64, denominator: f64| (denominator > 0.0).then(|| numerator / denominator);
        let [with_others, direct] = self.break_even(redeemed, discount).map_or([None; 2], |[a, b]| [a, b]);
        [
            ("roi_on_gross_cost", divide(self.row("incremental_margin") + discount - gross, gross)),
            ("roi_on_retailer_cost", divide(self.row("net_profit"), retailer)),
            ("iroas", divide(self.change("total", "revenue"), gross)),
            ("cost_per_incremental_unit", divide(gross, units)),
            ("net_to_direct", divide(self.change("total", "net_sales"), self.change("direct", "net_sales"))),
            ("redemption_incrementality", divide(units, redeemed)),
            ("break_even_uplift", with_others),
            ("break_even_uplift_direct", direct),
        ]
        .map(|(ratio, value)| TrueRatio { ratio: ratio.into(), value })
        .into()
    }

    /// With and without the other margins.
    fn break_even(&self, redeemed: f64, discount: f64) -> Option<[Option<f64>; 2]> {
        let offer = on_offer_lines(&self.tally.seen);
        let cents = |amount: Amount| offer[amount as usize] as f64 / 100.0;
        let funded = from_ticks(self.questions.funding(offer[Amount::OfferUnits as usize], offer[Amount::OfferCoupon as usize]));
        let paid = if self.questions.pays_discount() { discount } else { 0.0 };
        let lump = from_ticks(self.questions.once("supplier_subsidy"));
        let anyway = from_ticks(self.questions.of("direct", "units", &self.tally.without()));
        let gained = self.change("direct", "units");
        (redeemed > 0.0 && anyway + gained > 0.0).then(|| {
            let given = (cents(Amount::OfferCoupon) - funded - paid) / (anyway + gained);
            let margin = cents(Amount::OfferMargin) / redeemed;
            let at = |others: f64| {
                let denominator = (margin - given + others) * anyway;
                (denominator > 0.0).then(|| (given * anyway - self.row("internal_cost") - lump) / denominator)
            };
            let others = self.change("total", "margin") - self.change("direct", "margin");
            [(gained > 0.0).then(|| at(others / gained)).flatten(), at(0.0)]
        })
    }
}

fn on_offer_lines(sums: &Sums) -> [i64; super::sums::AMOUNTS] {
    sums.over(&[Cell { role: Role::Focal, period: Period::Promotion, on_sale: None }])
}

/// The truth of the population, for `target` target customers.
fn expected(questions: &Questions<'_>, further: &Further, target: u32) -> Expected {
    let effects = questions.list.iter().enumerate().map(|(place, question)| ExpectedEffect {
        effect: questions.effects[question.effect].name.clone(),
        measure: question.measure.into(),
        per_target_customer: mean(&further.target, place),
        per_assigned_customer: mean(&further.assigned, place),
    });
    let names = questions.retailer(&Sums::default(), 0, 0).into_iter().map(|(row, _)| row);
    let rows = names.enumerate().map(|(place, row)| ExpectedRow {
        row: row.into(),
        amount: mean(&further.target, questions.list.len() + place)
            .map(|m| MonteCarlo { mean: m.mean * f64::from(target) + from_ticks(questions.once(row)), std_error: m.std_error * f64::from(target) }),
    });
    Expected {
        assigned_customers: further.assigned.customers,
        target_customers: further.target.customers,
        effects: effects.collect(),
        retailer: rows.collect(),
    }
}

/// The mean of a value and its standard error: `n sum x^2 - (sum x)^2` is reckoned in integers, so nothing cancels.
fn mean(moments: &Moments, place: usize) -> Option<MonteCarlo> {
    let [sum, squares] = *moments.values.get(place)?;
    let n = i128::from(moments.customers);
    (n > 1).then(|| {
        let count = f64::from(moments.customers);
        let spread = (n * squares - sum * sum) as f64 / (count * count * (count - 1.0));
        MonteCarlo { mean: sum as f64 / count / to_ticks(1.0) as f64, std_error: spread.sqrt() / to_ticks(1.0) as f64 }
    })
}
