//! Who was in which other promotion at the same time.

use serde::Serialize;

use super::Portfolio;
use crate::estimate::{Adjustment, Proportion, Proportions, ShareTest, adjusted};
use crate::known::{Known, Reason, serialize_known};
use crate::study::{Alternative, Arm, DaySpan, LiveElsewhere, Study};

/// Below so many customers the test is Fisher's exact one.
const EXACT_BELOW: u64 = 1_000;
/// How a customer is marked who is in the target, or in the control, of another promotion.
pub(super) const TARGET: u8 = 1;
const CONTROL: u8 = 2;

/// The customers of a promotion who were in another one whose days overlap with its own.
///
/// Days are those of the promotion windows, from start to end. Exposed is who was in the *target* of the other promotion: its controls were offered nothing.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Overlap {
    /// The promotion.
    pub promotion: String,
    /// The other one.
    pub other: String,
    /// The days both ran.
    pub days: DaySpan,
    /// Customers of the promotion who are assigned in the other too, in either arm.
    pub shared_customers: usize,
    /// Target customers of this promotion who are in the target of the other.
    pub exposed_target: usize,
    /// Control customers of this promotion who are in the target of the other.
    pub exposed_control: usize,
    /// Their share of the target.
    pub target_share: Known<f64>,
    /// Their share of the control.
    pub control_share: Known<f64>,
    /// That chance alone sets the two shares so far apart: Fisher's exact test below 1,000 customers, else Pearson's chi-squared; customers are independent.
    pub p_value: Known<f64>,
    /// The same among all overlaps of the portfolio (Holm 1979).
    pub p_value_adjusted: Known<f64>,
}

serialize_known!(Overlap {
    plain promotion, plain other, plain days, plain shared_customers, plain exposed_target, plain exposed_control, known target_share, known control_share,
    known p_value, known p_value_adjusted
});

/// The customers of a promotion who were in any other one while it ran: what the check `other_promotions` sees.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Exposure {
    /// The promotion.
    pub promotion: String,
    /// How many others of the portfolio ran on days of its own.
    pub others: usize,
    /// Share of the target that was in the target of one or more of them.
    pub target_share: Known<f64>,
    /// The same of the control.
    pub control_share: Known<f64>,
    /// That chance alone sets the two shares so far apart, as in [`Overlap::p_value`].
    pub p_value: Known<f64>,
}

serialize_known!(Exposure { plain promotion, plain others, known target_share, known control_share, known p_value });

/// The overlaps of a portfolio.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct Overlaps {
    /// Each promotion with each other one whose days overlap and which shares a customer; both ways, since the shares are of the first one's arms.
    pub overlaps: Vec<Overlap>,
    /// One a promotion whose assignment could be read.
    pub exposures: Vec<Exposure>,
}

impl Portfolio {
    /// Who was in which other promotion of this portfolio while each ran.
    ///
    /// Of two promotions whose targets are drawn independently the shares differ by chance only. Where they differ by more, the effect of the other promotion is
    /// in the estimate of this one: [`Portfolio::checking_overlaps`] has the check `other_promotions` decide on it.
    pub fn overlaps(&self) -> Overlaps {
        let (mut overlaps, mut exposures) = (Vec::new(), Vec::new());
        for place in 0..self.len() {
            let Some(study) = self.read(place) else { continue };
            let mut anywhere = vec![false; study.assignment.len()];
            let others = self.overlapping(place);
            let rows = self.roster.rows(place);
            for &(other, days) in &others {
                let seen = self.seen_in(&rows, study.assignment.len(), other);
                seen.iter().zip(&mut anywhere).for_each(|(mark, any)| *any |= *mark == TARGET);
                overlaps.extend(self.overlap(place, other, days, &seen));
            }
            let [target, control] = shares(study, |row| anywhere[row]);
            exposures.push(Exposure {
                promotion: study.promotion.id.clone(),
                others: others.len(),
                target_share: share(target),
                control_share: share(control),
                p_value: imbalance(target, control),
            });
        }
        adjust(&mut overlaps);
        Overlaps { overlaps, exposures }
    }

    /// The rows of the other promotions that a promotion's customers were in the target of.
    pub(super) fn live_elsewhere(&self, place: usize) -> Vec<LiveElsewhere> {
        let Some(study) = self.read(place) else { return Vec::new() };
        let (mut live, rows) = (Vec::new(), self.roster.rows(place));
        for (other, _) in self.overlapping(place) {
            let Some(elsewhere) = self.read(other) else { continue };
            let seen = self.seen_in(&rows, study.assignment.len(), other);
            let exposed = seen.into_iter().enumerate().filter(|(_, mark)| *mark == TARGET).map(|(row, _)| row);
            live.extend(exposed.map(|row| LiveElsewhere {
                customer: study.assignment.customers.text(row),
                promotion: elsewhere.promotion.id.clone(),
                start: elsewhere.promotion.start,
                end: elsewhere.promotion.end,
            }));
        }
        live
    }

    fn read(&self, place: usize) -> Option<&Study> {
        self.asked.get(place)?.study.as_ref().ok()
    }

    /// The other promotions that ran on days of this one, with those days.
    fn overlapping(&self, place: usize) -> Vec<(usize, DaySpan)> {
        let Some(own) = self.read(place).and_then(|study| study.promotion.span()) else { return Vec::new() };
        let days = |other: usize| self.read(other)?.promotion.span()?.intersection(own);
        (0..self.len()).filter(|other| *other != place).filter_map(|other| Some((other, days(other)?))).collect()
    }

    /// For each of the customers of a promotion, whose `rows` by code are given, his mark in another: [`TARGET`], [`CONTROL`] or 0.
    pub(super) fn seen_in(&self, rows: &[Option<u32>], customers: usize, other: usize) -> Vec<u8> {
        let mut seen = vec![0; customers];
        let (Some(there), Some(study)) = (self.roster.of(other), self.read(other)) else { return seen };
        for (code, arm) in there.codes.iter().zip(&study.assignment.arm) {
            let row = rows.get(*code as usize).copied().flatten();
            if let Some(mark) = row.and_then(|row| seen.get_mut(row as usize)) {
                *mark = if *arm == Arm::Target { TARGET } else { CONTROL };
            }
        }
        seen
    }

    fn overlap(&self, place: usize, other: usize, days: DaySpan, seen: &[u8]) -> Option<Overlap> {
        let study = self.read(place)?;
        let shared_customers = seen.iter().filter(|mark| **mark != 0).count();
        let [target, control] = shares(study, |row| seen[row] == TARGET);
        (shared_customers > 0).then(|| Overlap {
            promotion: study.promotion.id.clone(),
            other: self.asked[other].promotion.clone(),
            days,
            shared_customers,
            exposed_target: target.count as usize,
            exposed_control: control.count as usize,
            target_share: share(target),
            control_share: share(control),
            p_value: imbalance(target, control),
            p_value_adjusted: Known::Missing(Reason::ZeroVariance),
        })
    }
}

/// How many customers of target and control meet a condition.
fn shares(study: &Study, meets: impl Fn(usize) -> bool) -> [Proportion; 2] {
    [Arm::Target, Arm::Control].map(|arm| {
        let of_arm = || study.assignment.arm.iter().take(study.assignment.len()).enumerate().filter(|(_, own)| **own == arm);
        Proportion::new(of_arm().filter(|(row, _)| meets(*row)).count() as u64, of_arm().count() as u64)
    })
}

fn share(of: Proportion) -> Known<f64> {
    Known::from_option((of.customers > 0).then(|| of.share()), Reason::EmptyGroup)
}

/// The p-value of the difference of two shares; missing where nobody or everybody meets the condition, or an arm is empty.
pub(super) fn imbalance(target: Proportion, control: Proportion) -> Known<f64> {
    let Ok(both) = Proportions::new(target, control) else { return Known::Missing(Reason::EmptyGroup) };
    let test = both.test(ShareTest::Pearson, Alternative::TwoSided).map(|test| test.p_value);
    if target.customers + control.customers < EXACT_BELOW { test.map(|_| both.fisher(Alternative::TwoSided)) } else { test }
}

/// Adjusts the p-values of all overlaps that have one.
fn adjust(overlaps: &mut [Overlap]) {
    let tested: Vec<usize> = (0..overlaps.len()).filter(|&at| overlaps[at].p_value.value().is_some()).collect();
    let p: Vec<f64> = tested.iter().filter_map(|&at| overlaps[at].p_value.value()).collect();
    for (at, p) in tested.into_iter().zip(adjusted(&p, Adjustment::Holm)) {
        overlaps[at].p_value_adjusted = Known::Value(p);
    }
}
