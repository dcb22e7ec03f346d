//! Who is assigned to an offer, in which arm, and who has the coupon.

use super::household::Household;
use super::shop::{Plan, Shop};
use super::{Allocation, Draw};
use crate::simulate::stream::{Purpose, Stream};
use crate::study::Arm;

/// A customer's place in the study of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) arm: Arm,
    /// Whether the customer has the coupon: the target, and controls to whom it leaked.
    pub(super) offered: bool,
    /// Whether the customer stands in the assignment.
    pub(super) listed: bool,
    pub(super) stratum: u32,
}

/// The standing of a customer in every offer, in their order; `spent` gives the net sales, in cents, of the days before a plan.
pub(super) fn standings(shop: &Shop<'_>, index: u32, household: &Household, spent: impl Fn(&Plan<'_>, u32) -> i64) -> Vec<Option<Standing>> {
    let mut found: Vec<Option<Standing>> = Vec::with_capacity(shop.plans.len());
    for plan in &shop.plans {
        let mut stream = Stream::of(shop.retailer.seed, index, Purpose::Allocation, plan.place);
        let (reached, lot, leak, loss) = (stream.unit(), stream.unit(), stream.unit(), stream.unit());
        let allocation = &plan.offer.allocation;
        let target = match allocation.draw {
            Draw::Customers { target_share } => Some(lot < target_share),
            Draw::Stores { .. } => plan.target_stores.get(household.home as usize).copied(),
            Draw::PastSpend { days, above, likely, unlikely } => Some(lot < if spent(plan, days) as f64 >= above * 100.0 { likely } else { unlikely }),
            Draw::Along { offer, of_target, of_control } => {
                let other = found.get(offer as usize).copied().flatten();
                other.map(|other| lot < if other.arm == Arm::Target { of_target } else { of_control })
            }
        };
        let standing = target.filter(|_| reached < allocation.reach).map(|target| Standing {
            arm: if target { Arm::Target } else { Arm::Control },
            offered: target || leak < allocation.leak,
            listed: !(target && loss < allocation.lost),
            stratum: stratum(allocation, household.size),
        });
        found.push(standing);
    }
    found
}

/// The value class of a size: sizes above `x` have probability `1 / x^2`, so class `j` of `n` begins at `sqrt(n / (n - j))`.
fn stratum(allocation: &Allocation, size: f64) -> u32 {
    let classes = allocation.strata;
    (1..classes).map(|j| u32::from(size * size * f64::from(classes - j) >= f64::from(classes))).sum()
}
