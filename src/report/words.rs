//! The names of effects, measures, rows, ratios and checks, as a category manager would say them.
//!
//! A name that is not listed is shown as it is, with spaces for underscores, so that a new effect or check needs no entry here.

use std::borrow::Cow;

use crate::estimate::Estimand;
use crate::measure::Measurement;
use crate::study::EstimatorName;
use crate::validity::Conclusion;

/// Whether the figures may be called effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// They may.
    Effects,
    /// The study is refused: they are differences, and the word "incremental" is not used.
    Differences,
}

impl Voice {
    /// The voice that the conclusion allows.
    pub(super) const fn of(measurement: &Measurement) -> Self {
        Self::of_conclusion(&measurement.conclusion)
    }

    /// The voice that a conclusion allows.
    pub(super) const fn of_conclusion(conclusion: &Conclusion) -> Self {
        if conclusion.is_refused() { Self::Differences } else { Self::Effects }
    }

    /// One of two wordings.
    pub(super) const fn choose<'a>(self, effects: &'a str, differences: &'a str) -> &'a str {
        match self {
            Self::Effects => effects,
            Self::Differences => differences,
        }
    }

    /// A sentence from elsewhere in the result, in words that this voice may use, with a capital and a full stop.
    pub(super) fn sentence(self, text: &str) -> String {
        let text = self.says(text.trim());
        let mut letters = text.chars();
        let Some(first) = letters.next() else { return String::new() };
        let stop = if text.ends_with(['.', '!', '?', ':']) { "" } else { "." };
        format!("{}{}{stop}", first.to_uppercase(), letters.as_str())
    }

    /// A text in words that this voice may use.
    fn says(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Differences if text.to_lowercase().contains("incremental") => {
                Cow::Owned(text.replace("incremental", "additional").replace("Incremental", "Additional").replace("INCREMENTAL", "ADDITIONAL"))
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// A name without an entry.
    fn name(self, name: &str) -> String {
        self.says(&name.replace('_', " ")).into_owned()
    }
}

/// The short name of an effect; a part of one, such as `direct.marked_down`, by its part.
pub(super) fn effect(name: &str, voice: Voice) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    match last {
        "carry_over" => "carry-over".to_owned(),
        "marked_down" => "on general sale".to_owned(),
        "full_price" => "at full price".to_owned(),
        other => voice.name(other),
    }
}

/// What an effect holds, in a few words.
pub(super) fn effect_meaning(name: &str) -> Option<&'static str> {
    Some(match name {
        "direct" => "products of the offer, during the promotion",
        "cannibalisation" => "their substitutes, during the promotion",
        "halo" => "everything else, during the promotion",
        "forward_buying" => "offer and substitutes, afterwards",
        "carry_over" => "everything else, afterwards",
        "anticipation" => "all products, from the announcement to the start",
        "overlap" => "baskets counted in more than one part",
        "total" => "all of it",
        _ => return None,
    })
}

/// A measure in words.
pub(super) fn measure(name: &str, voice: Voice) -> String {
    match name {
        "shelf_value" => "value at shelf prices".to_owned(),
        "supplier_paid" => "discount paid by suppliers".to_owned(),
        "supplier_margin" => "margin of suppliers".to_owned(),
        other => voice.name(other),
    }
}

/// A row of a bridge.
pub(super) struct BridgeRow {
    /// Its name.
    pub(super) label: String,
    /// Whether it sums up the rows above.
    pub(super) sum: bool,
}

/// A row of the retailer's bridge.
pub(super) fn retailer_row(row: &str, voice: Voice) -> BridgeRow {
    let label = match row {
        "direct_at_shelf_margin" => "margin on the offer, at shelf prices",
        "promotional_discount" => "offer discount given",
        "cannibalised_margin" => "margin on substitutes",
        "halo_margin" => "margin on everything else",
        "anticipated_margin" => "margin from announcement to start",
        "forward_bought_margin" => "margin on offer and substitutes, after",
        "carry_over_margin" => "margin on everything else, after",
        "incremental_margin" => voice.choose("incremental margin", "difference in margin"),
        "supplier_subsidy" => "paid by suppliers",
        "internal_cost" => "own costs of the promotion",
        "net_profit" => voice.choose("net profit", "difference after all costs"),
        "offer_discount_outside_focal" => "memo: offer discount on other products",
        other => return BridgeRow { label: voice.name(other), sum: false },
    };
    BridgeRow { label: label.to_owned(), sum: matches!(row, "incremental_margin" | "net_profit") }
}

/// A row of a supplier's bridge.
pub(super) fn supplier_row(row: &str, voice: Voice) -> BridgeRow {
    let label = match row {
        "margin_on_promoted" => "margin on its promoted products",
        "margin_on_other_own_products" => "margin on its other products",
        "funding_paid" => "funding and discounts it paid",
        "fixed_cost" => "its fixed costs",
        "net_profit" => voice.choose("net profit", "difference after all costs"),
        other => return BridgeRow { label: voice.name(other), sum: false },
    };
    BridgeRow { label: label.to_owned(), sum: row == "net_profit" }
}

/// How a ratio is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RatioUnit {
    /// Per cent.
    Percent,
    /// Money, or money for each unit of money spent.
    Money,
}

/// A ratio in words, with its unit.
pub(super) fn ratio(name: &str, voice: Voice) -> (String, RatioUnit) {
    let percent = |text: &str| (text.to_owned(), RatioUnit::Percent);
    match name {
        "roi_on_gross_cost" => percent("return on gross cost (discount and own costs, no funding)"),
        "roi_on_retailer_cost" => percent("return on the retailer's cost (after suppliers' funding)"),
        "iroas" => (voice.choose("revenue gained for each 1 of gross cost", "difference in revenue for each 1 of gross cost").to_owned(), RatioUnit::Money),
        "cost_per_incremental_unit" => {
            (voice.choose("gross cost per incremental unit of the offer", "gross cost per unit of difference").to_owned(), RatioUnit::Money)
        }
        "net_to_direct" => percent(voice.choose("what is left of the direct effect in the total", "total difference in terms of the direct one")),
        "break_even_uplift" => percent("break-even uplift of the offer's units"),
        "break_even_uplift_direct" => percent("break-even uplift, if only the offer's units moved"),
        "redemption_incrementality" => percent(voice.choose("direct effect per redeemed unit (overstates)", "direct difference per redeemed unit")),
        other => (voice.name(other), RatioUnit::Money),
    }
}

/// A check by the question it asks.
pub(super) fn check(name: &str, voice: Voice) -> String {
    match name {
        "sample_ratio" => "group sizes as intended".to_owned(),
        "baseline_balance" => "groups alike before".to_owned(),
        "placebo" => "no difference before start (placebo)".to_owned(),
        "control_leak" => "control kept off the offer".to_owned(),
        "other_promotions" => "other promotions alike".to_owned(),
        "window_coverage" => "all days in the ledger".to_owned(),
        "focal_share" => "offer a small part of the shop".to_owned(),
        "small_arms" => "groups large enough".to_owned(),
        "on_sale_share" => "little on general sale anyway".to_owned(),
        "silence" => "equally many went silent".to_owned(),
        other => voice.name(other),
    }
}

/// The estimator in words.
pub(super) const fn estimator(name: EstimatorName) -> &'static str {
    match name {
        EstimatorName::RegressionAtt => "target against control, the control adjusted by regression to what the target bought before",
        EstimatorName::Unadjusted => "plain difference between the means of target and control",
        EstimatorName::Regression => "target against control, both adjusted by regression to what all customers bought before",
        EstimatorName::Cuped => "target against control, both adjusted by one common slope on what customers bought before (CUPED)",
        EstimatorName::DifferenceInDifferences => "change since the baseline, target against control (difference in differences)",
        EstimatorName::EntropyBalancing => "target against control, the control weighted until it bought before what the target bought (entropy balancing)",
        EstimatorName::MatchedPairs => "each target customer against his partner in the control (matched pairs)",
        EstimatorName::GivenWeights => "target against control, customers weighted as given",
        EstimatorName::CoarsenedExact => {
            "target against control, the control weighted to the target within groups of customers alike before; those without a match are left out \
             (coarsened exact matching)"
        }
    }
}

/// Whose average the figures per customer are.
pub(super) const fn customer(estimand: Estimand) -> &'static str {
    match estimand {
        Estimand::AverageOverTarget | Estimand::AverageOverTargetIfParallel => "target customer",
        Estimand::AverageOverMatchedTarget => "matched target customer",
        Estimand::AverageOverAssigned => "assigned customer",
        Estimand::AverageOverPopulation | Estimand::AverageAsWeighted => "customer",
    }
}
