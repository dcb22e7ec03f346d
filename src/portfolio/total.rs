//! What all promotions did together, where they share customers: the sum over promotions with the covariance counted.

use polars::prelude::{Column, DataFrame};
use serde::Serialize;

use super::measured::Money;
use super::roster::{covariance, shared};
use super::{Entry, Measured};
use crate::error::{Fault, Input, Problem, Result};
use crate::estimate::{Df, Level};
use crate::known::{Known, Reason, serialize_known};
use crate::measure::Figure;
use crate::study::{Alternative, DfRule};

/// What is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TotalOf {
    /// The total effect on net sales, over the target customers of each promotion.
    NetSales,
    /// The net profit of the retailer, over the same.
    NetProfit,
}

/// A promotion that is not in the total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOutOfTotal {
    /// The promotion.
    pub promotion: String,
    /// Why: refused by its checks, not measured, or without this figure.
    pub reason: String,
}

/// The sum over promotions.
///
/// With customers' scores `s_pi` of promotion p ([`Fit::scores`](crate::estimate::Fit::scores)) the estimates of two promotions have the covariance
/// `C_pq = sum_i s_pi s_qi` over the customers that are in both, whatever arms they are in; a universal control is in all of them. Where customers are tied by
/// clusters or pairs the sums over each cluster or pair are multiplied instead; the same cluster name is the same cluster in every promotion. The variance of the
/// sum is `V = sum_p V_p + 2 sum_{p<q} C_pq`, `V_p` as of the promotion alone (stacked estimating equations: Zellner 1962, Weesie 1999). Small-sample factors of
/// clustered rules are in `V_p` and not in `C_pq`; nor is the term of `population = "super"`.
///
/// The interval is Student's with `nu = (V / sum_p |c_p| nu_p^(-1/2))^2`, `c_p = V_p + sum_q C_pq` the share of promotion p in V: the least degrees of freedom that
/// those of the promotions allow, however their variances move together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct Total {
    /// What is summed.
    pub of: TotalOf,
    /// The promotions in it: those measured and not refused, in order.
    pub promotions: Vec<String>,
    /// Those that are not in it, with the reason.
    pub left_out: Vec<LeftOutOfTotal>,
    /// The currency, where all agree on it.
    pub currency: Option<String>,
    /// Confidence of the interval.
    pub confidence: f64,
    /// The sum, in money.
    pub estimate: f64,
    /// Its standard error, shared customers counted.
    pub std_error: f64,
    /// What it would be if no two promotions shared a customer.
    pub std_error_if_apart: f64,
    /// Degrees of freedom; missing where nothing varies or they are infinite.
    pub df: Known<f64>,
    /// The p-value against a sum of 0, two-sided.
    pub p_value: Known<f64>,
    /// The lower limit.
    pub ci_low: Known<f64>,
    /// The upper limit.
    pub ci_high: Known<f64>,
    /// Customers in the assignments of two or more of the promotions summed.
    pub shared_customers: usize,
}

serialize_known!(Total {
    plain of, plain promotions, plain left_out, plain currency, plain confidence, plain estimate, plain std_error, plain std_error_if_apart, known df,
    known p_value, known ci_low, known ci_high, plain shared_customers
});

/// How the estimates of two promotions move together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PairCovariance {
    /// The one promotion.
    pub promotion: String,
    /// The other one; the same for its variance.
    pub other: String,
    /// Customers in both assignments.
    pub shared_customers: usize,
    /// The covariance, in money squared.
    pub covariance: f64,
    /// The same over both standard errors; absent where one has no spread.
    pub correlation: Option<f64>,
}

/// A promotion in the sum.
struct Part<'a> {
    promotion: &'a str,
    money: &'a Money,
    figure: &'a Figure,
    /// As the measurement has it.
    estimate: f64,
    variance: f64,
    df: f64,
}

impl Measured {
    /// The sum over all promotions that are measured and not refused, with its interval at 95 %.
    ///
    /// # Errors
    /// Where no promotion can be summed, or the currencies differ.
    pub fn total(&self, of: TotalOf) -> Result<Total> {
        self.total_at(of, 0.95)
    }

    /// The same with another confidence, strictly between 0 and 1.
    ///
    /// # Errors
    /// As [`Measured::total`]; for a confidence out of range.
    pub fn total_at(&self, of: TotalOf, confidence: f64) -> Result<Total> {
        let level = level(confidence)?;
        let (parts, left_out) = self.parts(of);
        if parts.is_empty() {
            let problem = Problem::new(Input::Promotion, Fault::Empty, "no promotion can be summed");
            let why = left_out.first().map(|left| format!("{}: {}. ", left.promotion, left.reason)).unwrap_or_default();
            return Err(problem.count(left_out.len()).remedy(format!("{why}Mend what is wrong with them")).into());
        }
        let currency = self.currency(&parts)?;
        let own: f64 = parts.iter().map(|part| part.variance).sum();
        let cross = crossed(&parts);
        let variance = (own + cross.iter().sum::<f64>()).max(0.0);
        let spread: f64 = parts.iter().zip(&cross).map(|(part, cross)| (part.variance + cross).abs() / part.df.sqrt()).sum();
        let df = if spread > 0.0 && variance > 0.0 { Df::T((variance / spread) * (variance / spread)) } else { Df::Normal };
        let (estimate, std_error): (f64, f64) = (parts.iter().map(|part| part.estimate).sum(), variance.sqrt());
        let margin = level.critical(df) * std_error;
        let known = |value: f64| if std_error > 0.0 { Known::Value(value) } else { Known::Missing(Reason::ZeroVariance) };
        Ok(Total {
            of,
            promotions: parts.iter().map(|part| part.promotion.to_owned()).collect(),
            left_out,
            currency,
            confidence,
            estimate,
            std_error,
            std_error_if_apart: own.sqrt(),
            df: Known::from_option(Some(df.value()).filter(|df| df.is_finite()), if std_error > 0.0 { Reason::Normal } else { Reason::ZeroVariance }),
            p_value: known(level.p_value(estimate / std_error, df)),
            ci_low: known(estimate - margin),
            ci_high: known(estimate + margin),
            shared_customers: in_several(&parts),
        })
    }

    /// The variances and covariances of what [`Measured::total`] sums, each pair once, the pairs of one promotion with itself included.
    #[must_use]
    pub fn covariances(&self, of: TotalOf) -> Vec<PairCovariance> {
        let (parts, _) = self.parts(of);
        let mut found = Vec::with_capacity(parts.len() * (parts.len() + 1) / 2);
        for (at, a) in parts.iter().enumerate() {
            for (b, same) in parts[at..].iter().zip(std::iter::once(true).chain(std::iter::repeat(false))) {
                let customers = [&a.money.customers, &b.money.customers];
                let covariance = if same { a.variance } else { covariance(customers, [&a.figure.scores, &b.figure.scores]) };
                let scale = (a.variance * b.variance).sqrt();
                found.push(PairCovariance {
                    promotion: a.promotion.to_owned(),
                    other: b.promotion.to_owned(),
                    shared_customers: shared(customers[0], customers[1]),
                    covariance,
                    correlation: (scale > 0.0).then_some(covariance / scale),
                });
            }
        }
        found
    }

    /// The same as a frame: `promotion, other, shared_customers, covariance, correlation`.
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn covariances_frame(&self, of: TotalOf) -> Result<DataFrame> {
        let pairs = self.covariances(of);
        let text = |name: &str, value: fn(&PairCovariance) -> &str| Column::new(name.into(), pairs.iter().map(value).collect::<Vec<&str>>());
        Ok(DataFrame::new_infer_height(vec![
            text("promotion", |pair| &pair.promotion),
            text("other", |pair| &pair.other),
            Column::new("shared_customers".into(), pairs.iter().map(|pair| pair.shared_customers as u64).collect::<Vec<_>>()),
            Column::new("covariance".into(), pairs.iter().map(|pair| pair.covariance).collect::<Vec<_>>()),
            Column::new("correlation".into(), pairs.iter().map(|pair| pair.correlation).collect::<Vec<_>>()),
        ])?)
    }

    fn parts(&self, of: TotalOf) -> (Vec<Part<'_>>, Vec<LeftOutOfTotal>) {
        let (mut parts, mut left_out) = (Vec::new(), Vec::new());
        for entry in self.entries() {
            match Part::new(entry, of) {
                Ok(part) => parts.push(part),
                Err(reason) => left_out.push(LeftOutOfTotal { promotion: entry.promotion.clone(), reason }),
            }
        }
        (parts, left_out)
    }

    /// The currency of all parts; none where some do not say.
    fn currency(&self, parts: &[Part<'_>]) -> Result<Option<String>> {
        let summed = |m: &&crate::measure::Measurement| parts.iter().any(|part| part.promotion == m.promotion);
        let mut named = self.measurements().filter(summed).map(|m| m.currency.as_deref());
        let first = named.next().flatten();
        let (mut all_alike, mut other) = (first.is_some(), None);
        for currency in named {
            all_alike &= currency == first;
            other = other.or(currency.filter(|currency| first.is_some_and(|first| first != *currency)));
        }
        match (first, other) {
            (Some(first), Some(other)) => {
                let problem = Problem::new(Input::Promotion, Fault::Contradiction, "promotions in different currencies cannot be summed").column("currency");
                Err(problem.value(format!("{first}, {other}")).remedy("Sum the promotions of each currency by themselves").into())
            }
            _ => Ok(first.filter(|_| all_alike).map(str::to_owned)),
        }
    }
}

impl<'a> Part<'a> {
    fn new(entry: &'a Entry, of: TotalOf) -> std::result::Result<Self, String> {
        let measurement = entry.result.as_ref().map_err(|_| "it could not be measured".to_owned())?;
        if let crate::validity::Conclusion::Refused { reasons } = &measurement.conclusion {
            return Err(format!("refused: {}", reasons.join(", ")));
        }
        let money = entry.money.as_ref().ok_or("its customers are not known")?;
        let figure = match of {
            TotalOf::NetSales => &money.figures.net_sales,
            TotalOf::NetProfit => &money.figures.net_profit,
        };
        let figure = match figure {
            Known::Value(figure) => figure,
            Known::Missing(reason) => return Err(reason.text().to_owned()),
        };
        let contrast = &money.figures.contrast;
        let estimate = stated(measurement, of).unwrap_or_else(|| contrast.value(&figure.form));
        let df = contrast.df(&figure.form, DfRule::Satterthwaite).value();
        Ok(Self { promotion: &entry.promotion, money, figure, estimate, variance: contrast.variance(&figure.form), df })
    }
}

/// The figure as the measurement has it, so that the parts agree with their reports to the last digit.
fn stated(measurement: &crate::measure::Measurement, of: TotalOf) -> Option<f64> {
    match of {
        TotalOf::NetSales => measurement.effects.iter().find(|e| e.measure == "net_sales" && e.effect == "total")?.total.value(),
        TotalOf::NetProfit => measurement.profit.retailer.iter().find(|row| row.row == "net_profit")?.estimate.value(),
    }
}

/// For each part the sum of its covariances with all others.
fn crossed(parts: &[Part<'_>]) -> Vec<f64> {
    // Customers without ties: one pass over all of them, with the sum of their scores over all promotions.
    let untied = |part: &Part<'_>| part.money.customers.is_untied();
    let mut sums = hashbrown::HashMap::<u32, f64>::new();
    for part in parts.iter().filter(|part| untied(part)) {
        part.money.customers.codes.iter().zip(&part.figure.scores).for_each(|(code, score)| *sums.entry(*code).or_default() += score);
    }
    let with_untied = |part: &Part<'_>| {
        let scores = part.money.customers.codes.iter().zip(&part.figure.scores);
        scores.map(|(code, score)| score * (sums.get(code).copied().unwrap_or(0.0) - score)).sum::<f64>()
    };
    let mut cross: Vec<f64> = parts.iter().map(|part| if untied(part) { with_untied(part) } else { 0.0 }).collect();
    // Whoever is tied is met pair by pair.
    for a in 0..parts.len() {
        for b in (a + 1..parts.len()).filter(|&b| !(untied(&parts[a]) && untied(&parts[b]))) {
            let pair = [&parts[a], &parts[b]];
            let found = covariance(pair.map(|part| &part.money.customers), pair.map(|part| part.figure.scores.as_slice()));
            cross[a] += found;
            cross[b] += found;
        }
    }
    cross
}

/// Customers in two promotions or more.
fn in_several(parts: &[Part<'_>]) -> usize {
    let mut seen = hashbrown::HashMap::<u32, usize>::new();
    parts.iter().flat_map(|part| part.money.customers.codes.iter()).for_each(|code| *seen.entry(*code).or_default() += 1);
    seen.values().filter(|promotions| **promotions > 1).count()
}

/// A two-sided level.
pub(super) fn level(confidence: f64) -> Result<Level> {
    if confidence > 0.0 && confidence < 1.0 {
        return Ok(Level::default().with_alternative(Alternative::TwoSided).with_confidence(confidence));
    }
    let problem = Problem::new(Input::Promotion, Fault::OutOfRange, "a confidence must lie strictly between 0 and 1").column("confidence");
    Err(problem.value(confidence).remedy("Write 0.95 for 95 %").into())
}

impl std::fmt::Display for Total {
    /// The sum in a sentence or two, and what is not in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        super::text::total(f, self)
    }
}
