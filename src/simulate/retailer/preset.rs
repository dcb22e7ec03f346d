//! Retailers with a name: after published decompositions, and broken ones.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Allocation, Draw, Offer, Reaction, Retailer, SupplierFunding};
use crate::error::known_names;
use crate::study::{Costs, Goal};

/// A retailer with a name.
///
/// The first three are calibrated so that the units of the direct effect (the gross lift) are made up as published: switched from substitutes, bought
/// forward, incremental. In the population the shares are within about a point of those figures; in the 10,000 target customers of 20,000 they scatter by two or
/// three points, since few large households redeem much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Preset {
    /// About 45 % switching, 10 % forward buying, 45 % incremental, and 0.16 units of halo for each unit of gross lift: Ailawadi, Harlam, Cesar and Trounce
    /// (2006, 2007) on the promotions of CVS in 2003.
    Cvs,
    /// A third each of switching, forward buying and category expansion: van Heerde, Leeflang and Wittink (2004) on four store data sets.
    VanHeerde,
    /// 22 % cross-item, 6 % forward buying, 72 % expansion, and net effects between categories of 9 % of the own one: Leeflang, Parreno-Selva, van
    /// Dijk and Wittink (2008) on a hypermarket.
    Leeflang,
    /// A 10 % coupon on meat, as in [`SeniorMeat`](crate::simulate::SeniorMeat) and with its parts: 13 % switching, 12 % forward buying, 75 % incremental,
    /// and a halo of 0.34.
    SeniorMeat,
    /// Nobody reacts: every true effect is zero.
    Null,
    /// Stores are drawn, not customers.
    StoreClusters,
    /// Three offers at once, two of them in one category, with general sales and an announced one: nothing is broken.
    Several,
    /// Broken: the target was chosen by past spend.
    ChosenTargets,
    /// Broken: three controls in ten get the coupon.
    ControlLeak,
    /// Broken: one in five target customers is missing from the assignment.
    SampleRatioFault,
    /// Broken: another live promotion goes to the target three times as often as to the control.
    UnbalancedOther,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 11] = [
        Self::Cvs,
        Self::VanHeerde,
        Self::Leeflang,
        Self::SeniorMeat,
        Self::Null,
        Self::StoreClusters,
        Self::Several,
        Self::ChosenTargets,
        Self::ControlLeak,
        Self::SampleRatioFault,
        Self::UnbalancedOther,
    ];

    /// The name in files and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cvs => "cvs",
            Self::VanHeerde => "van_heerde",
            Self::Leeflang => "leeflang",
            Self::SeniorMeat => "senior_meat",
            Self::Null => "null",
            Self::StoreClusters => "store_clusters",
            Self::Several => "several",
            Self::ChosenTargets => "chosen_targets",
            Self::ControlLeak => "control_leak",
            Self::SampleRatioFault => "sample_ratio_fault",
            Self::UnbalancedOther => "unbalanced_other",
        }
    }

    /// Whether a study of its first offer ought to be refused.
    #[must_use]
    pub const fn is_broken(self) -> bool {
        matches!(self, Self::ChosenTargets | Self::ControlLeak | Self::SampleRatioFault | Self::UnbalancedOther)
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no preset has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no preset \"{name}\". {remedy}")]
pub struct NotAPreset {
    name: String,
    remedy: String,
}

impl FromStr for Preset {
    type Err = NotAPreset;

    fn from_str(name: &str) -> Result<Self, NotAPreset> {
        let known = Self::ALL.map(Self::name);
        let found = Self::ALL.into_iter().find(|p| p.name() == name);
        found.ok_or_else(|| NotAPreset { name: name.to_owned(), remedy: known_names(name, &known) })
    }
}

impl Retailer {
    /// The retailer of a preset. Its fields may be changed before it is drawn.
    #[must_use]
    pub fn preset(preset: Preset) -> Self {
        let one = |offer: Offer| Self { offers: vec![offer], ..Self::default() };
        let cvs = || Offer { id: "cvs".into(), reaction: CVS, ..Offer::default() };
        let allocated = |id: &str, allocation| Offer { id: id.into(), allocation, ..cvs() };
        match preset {
            Preset::Cvs => one(cvs()),
            Preset::VanHeerde => one(Offer { id: "van-heerde".into(), reaction: VAN_HEERDE, ..Offer::default() }),
            Preset::Leeflang => one(Offer { id: "leeflang".into(), reaction: LEEFLANG, ..Offer::default() }),
            Preset::SeniorMeat => one(senior_meat()),
            Preset::Null => one(Offer { id: "null".into(), reaction: Reaction::none(), ..Offer::default() }),
            Preset::StoreClusters => {
                let allocation = Allocation { draw: Draw::Stores { target_share: 0.5 }, ..Allocation::default() };
                Self { stores: 60, ..one(allocated("store-clusters", allocation)) }
            }
            Preset::Several => several(),
            Preset::ChosenTargets => {
                let draw = Draw::PastSpend { days: 28, above: 80.0, likely: 0.8, unlikely: 0.2 };
                one(allocated("chosen-targets", Allocation { draw, ..Allocation::default() }))
            }
            Preset::ControlLeak => one(allocated("control-leak", Allocation { leak: 0.3, ..Allocation::default() })),
            Preset::SampleRatioFault => one(allocated("sample-ratio-fault", Allocation { lost: 0.2, ..Allocation::default() })),
            Preset::UnbalancedOther => {
                let draw = Draw::Along { offer: 0, of_target: 0.6, of_control: 0.2 };
                let other = Offer { id: "other".into(), brand: 2, allocation: Allocation { draw, ..Allocation::default() }, ..cvs() };
                Self { offers: vec![allocated("unbalanced-other", Allocation::default()), other], ..Self::default() }
            }
        }
    }
}

const CVS: Reaction = Reaction {
    redemption: 0.35,
    switching: 0.439,
    expansion: 0.16,
    stocking: 0.087,
    stock_days: 14.0,
    halo: 0.16,
    carry_over: 0.0,
    exposure: 0.1,
    postponing: 0.0,
};

const VAN_HEERDE: Reaction = Reaction { switching: 0.483, expansion: 0.195, stocking: 0.301, stock_days: 21.0, ..CVS };

const LEEFLANG: Reaction = Reaction { switching: 0.232, expansion: 0.281, stocking: 0.0586, halo: 0.0913, ..CVS };

/// The seed case: 10 % off, half of it paid by the supplier, and a goal.
fn senior_meat() -> Offer {
    Offer {
        id: "senior-meat-10".into(),
        discount_percent: 10,
        post_days: 28,
        funding: Some(SupplierFunding::ShareOfDiscount { percent: 50 }),
        costs: Costs { design: 250.0, execute: 120.0, measure: 100.0, per_contact: 0.05, per_redemption: 0.02, contacts: None },
        goals: vec![Goal::relative("meat +10 %", "direct", "net_sales", 0.1)],
        reaction: Reaction { switching: 0.104, expansion: 0.273, stocking: 0.105, halo: 0.345, ..CVS },
        ..Offer::default()
    }
}

fn several() -> Retailer {
    let one = Offer { id: "first".into(), reaction: CVS, ..Offer::default() };
    let beside = Offer { id: "beside".into(), brand: 3, start: 91, ..one.clone() };
    let elsewhere = Offer {
        id: "elsewhere".into(),
        category: 2,
        brand: 2,
        announced_days: 7,
        funding: Some(SupplierFunding::PerUnit { cents: 15 }),
        reaction: Reaction { postponing: 0.3, carry_over: 0.05, ..CVS },
        post_days: 28,
        allocation: Allocation { reach: 0.8, strata: 4, ..Allocation::default() },
        ..one.clone()
    };
    Retailer { offers: vec![one, beside, elsewhere], general_sales: vec![super::GeneralSale::default()], ..Retailer::default() }
}
