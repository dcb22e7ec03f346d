//! Values that may be absent, with the reason why. Never NaN, never a silent zero.

use serde::Serialize;

/// A value, or the reason why there is none.
///
/// In JSON the value, or `null` with `<field>_reason` beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<T> {
    /// The value.
    Value(T),
    /// Why there is none.
    Missing(Reason),
}

impl<T> Known<T> {
    /// The value, if there is one.
    #[must_use]
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing(_) => None,
        }
    }

    /// A reference to the value, if there is one.
    #[must_use]
    pub const fn as_ref(&self) -> Known<&T> {
        match self {
            Self::Value(value) => Known::Value(value),
            Self::Missing(reason) => Known::Missing(*reason),
        }
    }

    /// Why there is none.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Value(_) => None,
            Self::Missing(reason) => Some(*reason),
        }
    }

    /// The value changed by `change`.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Value(value) => Known::Value(change(value)),
            Self::Missing(reason) => Known::Missing(reason),
        }
    }

    /// The value of `option`, or `reason`.
    #[must_use]
    pub fn from_option(option: Option<T>, reason: Reason) -> Self {
        option.map_or(Self::Missing(reason), Self::Value)
    }
}

/// Why a value is absent or undefined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Nothing was announced before the start.
    NotAnnounced,
    /// No day between the announcement and the start is in the ledger.
    NoAnticipationWindow,
    /// There is no day after the promotion in the ledger, or none was asked for.
    NoPostWindow,
    /// There is no day before the promotion in the ledger, or none was asked for.
    NoBaseline,
    /// The baseline has fewer than 14 days.
    ShortBaseline,
    /// No calendar of general sales is given.
    NoMarkdown,
    /// No discount column is declared.
    NoDiscount,
    /// No discount of the offer is declared.
    NoOfferDiscount,
    /// Neither unit costs nor a margin rate are given.
    NoCost,
    /// No supplier-paid discount is declared.
    NoSupplierPaid,
    /// No funding term by line is declared.
    NoFunding,
    /// The supplier's margin per unit is not known.
    NoSupplierMargin,
    /// The measure is not a sum over lines, so that it has no such part.
    NotAdditive,
    /// Where the offer is redeemed cannot be told.
    OfferLinesUnknown,
    /// Nobody redeemed the offer.
    NoRedemptions,
    /// Redemptions are counted, but no unit lies on offer lines.
    RedemptionsWithoutUnits,
    /// Offer lines are those of the target by declaration, so that the control has none.
    OfferLinesOfTarget,
    /// No assigned customer bought anything in any window.
    NothingBought,
    /// The outcome does not vary, so that no interval can be made.
    ZeroVariance,
    /// The normal distribution is used: there are no degrees of freedom.
    Normal,
    /// There are too few segments.
    FewSegments,
    /// Clusters have customers of several segments, whose estimates are then not independent.
    ClustersCrossSegments,
    /// It needs the offer lines, which are not told apart by week.
    NotByWeek,
    /// It lies before the announcement, or the start.
    BeforeStart,
    /// It was not given.
    NotGiven,
    /// It was not asked for.
    NotAsked,
    /// It stands beside the family of answers that are adjusted for each other.
    NotInFamily,
    /// The cap is not above zero.
    CapNotPositive,
    /// The assumption that it needs is not stated.
    AssumptionNotStated,
    /// The procedure did not select it.
    NotSelected,
    /// The denominator is not above zero.
    DenominatorNotPositive,
    /// The denominator is zero.
    DenominatorZero,
    /// The denominator of an arm's ratio cannot be told from zero.
    DenominatorNearZero,
    /// The quantity is a nonlinear function for which no interval is given.
    NoInterval,
    /// No intended share of the target is given.
    NoIntendedShare,
    /// No table of other promotions is given.
    NoOtherPromotions,
    /// The cells were summed elsewhere, and this was not handed over.
    NotInCells,
    /// The estimator has no answer for the held-out design.
    Undefined,
    /// The rates are not both above zero.
    RatesNotPositive,
    /// One of two groups has no customer.
    EmptyGroup,
    /// The interval is bounded on the other side only.
    OneSided,
    /// The interval is not bounded.
    Unbounded,
    /// The number is too large for 64 bits.
    OutOfReach,
}

impl Reason {
    /// In words, for tables.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotAnnounced => "nothing was announced before the start",
            Self::NoAnticipationWindow => "no day between the announcement and the start is covered",
            Self::NoPostWindow => "no day after the promotion is covered",
            Self::NoBaseline => "no day before the promotion is covered",
            Self::ShortBaseline => "the baseline has fewer than 14 days",
            Self::NoMarkdown => "no calendar of general sales is given",
            Self::NoDiscount => "no discount column is declared",
            Self::NoOfferDiscount => "no discount of the offer is declared",
            Self::NoCost => "neither unit costs nor a margin rate are given",
            Self::NoSupplierPaid => "no discount is paid by a supplier",
            Self::NoFunding => "no funding by line is declared",
            Self::NoSupplierMargin => "the supplier's margin per unit is not known",
            Self::NotAdditive => "the measure is not a sum over lines",
            Self::OfferLinesUnknown => "where the offer is redeemed cannot be told",
            Self::NoRedemptions => "nobody redeemed the offer",
            Self::RedemptionsWithoutUnits => "redemptions are counted, but no unit lies on offer lines",
            Self::OfferLinesOfTarget => "offer lines are those of the target by declaration, so that the control has none",
            Self::NothingBought => "no assigned customer bought anything",
            Self::ZeroVariance => "the outcome does not vary",
            Self::Normal => "the normal distribution is used",
            Self::FewSegments => "there are too few segments",
            Self::ClustersCrossSegments => "clusters have customers of several segments, so that the segments are not independent",
            Self::NotByWeek => "offer lines are not told apart by week",
            Self::BeforeStart => "it lies before the announcement or the start",
            Self::NotGiven => "it was not given",
            Self::NotAsked => "it was not asked for",
            Self::NotInFamily => "it stands beside the family of answers",
            Self::CapNotPositive => "the cap is not above zero",
            Self::AssumptionNotStated => "the assumption that it needs is not stated",
            Self::NotSelected => "it was not selected",
            Self::DenominatorNotPositive => "the denominator is not above zero",
            Self::DenominatorZero => "the denominator is zero",
            Self::DenominatorNearZero => "the denominator of an arm cannot be told from zero",
            Self::NoInterval => "no interval is given for this quantity",
            Self::NoIntendedShare => "no intended share of the target is given",
            Self::NoOtherPromotions => "no table of other promotions is given",
            Self::NotInCells => "the cells were summed elsewhere without it",
            Self::Undefined => "the estimator has no answer there: too few customers, or covariates that do not tell them apart",
            Self::RatesNotPositive => "the rates are not both above zero",
            Self::EmptyGroup => "one of the groups has no customer",
            Self::OneSided => "the interval is one-sided",
            Self::Unbounded => "the interval is not bounded",
            Self::OutOfReach => "the number is too large to be written",
        }
    }
}

/// Implements `Serialize` for a struct some of whose fields are [`Known`]: those give the value, or null and `<field>_reason`.
macro_rules! serialize_known {
    ($type:ty { $($kind:ident $field:ident),* $(,)? }) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                $(serialize_known!(@ $kind self $field map);)*
                map.end()
            }
        }
    };
    (@ plain $self:ident $field:ident $map:ident) => {
        $map.serialize_entry(stringify!($field), &$self.$field)?;
    };
    (@ known $self:ident $field:ident $map:ident) => {
        match $self.$field.as_ref() {
            $crate::known::Known::Value(value) => $map.serialize_entry(stringify!($field), value)?,
            $crate::known::Known::Missing(reason) => {
                $map.serialize_entry(stringify!($field), &None::<()>)?;
                $map.serialize_entry(concat!(stringify!($field), "_reason"), &reason)?;
            }
        }
    };
}
pub(crate) use serialize_known;
