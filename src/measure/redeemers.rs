//! What the offer did to those who redeem it, under an assumption that must be stated.

use super::Job;
use crate::cells::CellTable;
use crate::estimate::Interval;
use crate::known::{Known, Reason, serialize_known};

/// The effects that stand per redeemer: measure and effect.
const SUBJECTS: [(&str, &str); 4] = [("net_sales", "direct"), ("net_sales", "total"), ("units", "direct"), ("units", "total")];

/// The exclusion restriction in words.
const EXCLUSION: &str = "the offer changes only what those buy who redeem it, and keeps nobody from redeeming who otherwise would";

/// Effects per redeemer: `effect / (difference in the share of customers who redeem)`, both under the same weights (Wald 1940; Angrist, Imbens and Rubin 1996).
///
/// They hold under the exclusion restriction only: the offer changes nothing for those who do not redeem it, as if it did not advertise to them. That cannot be
/// seen in the data, so it must be stated by the option `redeemers = "exclusion"`; the bounds of the [burned budget](crate::profit::BurnedBudget) do without it.
/// Where controls redeem too, the difference of the shares takes that into account, and the effect is that on customers who redeem because the offer reached
/// them. The interval is Anderson and Rubin's (1949): all ratios `r` at which `effect - r x difference` is not told from zero, at the critical value of
/// the effect's own test (Fieller's set); it stays valid where few redeem, and says so when it is not bounded.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Redeemers {
    /// What is assumed, in words.
    pub assumption: Known<&'static str>,
    /// The share of target customers who redeem.
    pub target_share: Known<f64>,
    /// The share of control customers who redeem.
    pub control_share: Known<f64>,
    /// Their difference under the weights of the study.
    pub difference: Known<f64>,
    /// The lower limit of the difference.
    pub ci_low: Known<f64>,
    /// The upper limit of the difference.
    pub ci_high: Known<f64>,
    /// Direct and total effect on net sales and units.
    pub effects: Vec<RedeemerEffect>,
}

serialize_known!(Redeemers {
    known assumption, known target_share, known control_share, known difference, known ci_low, known ci_high, plain effects
});

/// An effect per redeemer.
#[derive(Debug, Clone, PartialEq)]
pub struct RedeemerEffect {
    /// The measure.
    pub measure: &'static str,
    /// The effect.
    pub effect: &'static str,
    /// The effect per customer who redeems because the offer reached him.
    pub per_redeemer: Known<f64>,
    /// Anderson and Rubin's interval.
    pub interval: Interval,
}

serialize_known!(RedeemerEffect { plain measure, plain effect, known per_redeemer, plain interval });

impl Redeemers {
    /// None, for one reason.
    pub(crate) fn missing(reason: Reason) -> Self {
        let none = Known::Missing(reason);
        let effect = |(measure, effect)| RedeemerEffect { measure, effect, per_redeemer: none, interval: Interval::Missing { reason } };
        Self {
            assumption: Known::Missing(reason),
            target_share: none,
            control_share: none,
            difference: none,
            ci_low: none,
            ci_high: none,
            effects: SUBJECTS.map(effect).to_vec(),
        }
    }
}

/// 1 for each customer who redeems, 0 for the others; `None` where that cannot be told.
pub(super) fn who(table: &CellTable) -> Option<Vec<f64>> {
    Some(table.redemptions.as_ref()?.iter().map(|count| f64::from(u8::from(*count > 0))).collect())
}

impl Job<'_> {
    /// The effects per redeemer, where the assumption is stated.
    pub(super) fn per_redeemer(&self) -> Redeemers {
        if self.study.options.redeemers.is_none() {
            return Redeemers::missing(Reason::AssumptionNotStated);
        }
        let stated = Known::Value(EXCLUSION);
        let Some(redeems) = &self.beside.redeems else { return Redeemers { assumption: stated, ..Redeemers::missing(Reason::OfferLinesUnknown) } };
        let raw = self.arm_cell(self.by_arm(redeems));
        if raw.target.sum == 0.0 && raw.control.sum == 0.0 {
            return Redeemers { assumption: stated, ..Redeemers::missing(Reason::NoRedemptions) };
        }
        let share = self.contrast.effect(&self.beside.share());
        let found = self.contrast.estimate(&share, self.level);
        let (ci_low, ci_high) = crate::profit::limits(&found);
        let effect = |(measure, effect): (&'static str, &'static str)| {
            let form = self.plan.measures.iter().find(|m| m.name == measure).map(|m| self.forms(m));
            let form = form.and_then(|forms| forms.into_iter().find(|(name, _)| name == effect)).map_or(Known::Missing(Reason::NotInCells), |(_, form)| form);
            let ratio = form.map(|form| self.contrast.ratio(&self.contrast.effect(&form), &share, self.level));
            match ratio {
                Known::Value(ratio) => RedeemerEffect { measure, effect, per_redeemer: ratio.estimate, interval: ratio.interval },
                Known::Missing(reason) => RedeemerEffect { measure, effect, per_redeemer: Known::Missing(reason), interval: Interval::Missing { reason } },
            }
        };
        Redeemers {
            assumption: stated,
            target_share: Known::Value(raw.target.mean),
            control_share: Known::Value(raw.control.mean),
            difference: Known::Value(found.value),
            ci_low,
            ci_high,
            effects: SUBJECTS.map(effect).to_vec(),
        }
    }
}
