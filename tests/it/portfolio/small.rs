//! Small shops for many promotions, as plain numbers, and the least squares that a test works out for itself.

use nalgebra::{DMatrix, DVector};
use promolift::ledger::Columns;
use promolift::polars::prelude::{Column, DataFrame, DataType};
use promolift::prelude::*;

use crate::shop::Dice;

/// The days that the ledger covers, before and after.
pub(crate) const FIRST: i32 = 18_000;
pub(crate) const LAST: i32 = 18_400;

/// A line: customer, day, product, net sales.
pub(crate) type Line = (i64, i32, &'static str, f64);

/// A shop with a few products, each a category of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Small {
    pub(crate) lines: Vec<Line>,
}

impl Small {
    /// Customers who buy on some days of a span, with a level of their own that lasts.
    pub(crate) fn random(seed: u64, customers: std::ops::Range<i64>, days: std::ops::Range<i32>) -> Self {
        let mut dice = Dice(seed);
        let mut lines = Vec::new();
        for customer in customers {
            let level = 4.0 + 12.0 * dice.unit();
            for day in days.clone().step_by(4) {
                let product = ["a", "b", "c", "d"][dice.below(4) as usize];
                lines.push((customer, day + dice.below(4) as i32, product, ((level * (0.5 + dice.unit())) * 100.0).round() / 100.0));
            }
        }
        Self { lines }
    }

    /// The same with more on each line of some customers from a day on.
    pub(crate) fn raised(mut self, who: impl Fn(i64) -> bool, days: std::ops::RangeInclusive<i32>, by: f64) -> Self {
        self.lines.iter_mut().filter(|line| who(line.0) && days.contains(&line.1)).for_each(|line| line.3 += by);
        self
    }

    pub(crate) fn transactions(&self) -> DataFrame {
        let texts: Vec<&str> = self.lines.iter().map(|line| line.2).collect();
        DataFrame::new_infer_height(vec![
            Column::new("customer".into(), self.lines.iter().map(|line| line.0).collect::<Vec<_>>()),
            Column::new("day".into(), self.lines.iter().map(|line| line.1).collect::<Vec<_>>()).cast(&DataType::Date).unwrap(),
            Column::new("product".into(), texts),
            Column::new("quantity".into(), vec![1_i64; self.lines.len()]),
            Column::new("net_sales".into(), self.lines.iter().map(|line| line.3).collect::<Vec<_>>()),
        ])
        .unwrap()
    }

    pub(crate) fn products() -> DataFrame {
        let names = ["a", "b", "c", "d"];
        let cost = Column::new("unit_cost".into(), [1.0, 1.5, 0.5, 2.0]);
        DataFrame::new(4, vec![Column::new("product".into(), names), Column::new("category".into(), names), cost]).unwrap()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let days = Columns::default().days(Day::from_epoch(FIRST), Day::from_epoch(LAST));
        Ledger::from_frames(self.transactions(), Self::products(), &days).unwrap()
    }

    /// What a customer spent in some days.
    pub(crate) fn spent(&self, customer: i64, days: std::ops::RangeInclusive<i32>) -> f64 {
        self.lines.iter().filter(|line| line.0 == customer && days.contains(&line.1)).map(|line| line.3).sum()
    }

    /// The same for one product.
    pub(crate) fn spent_on(&self, customer: i64, product: &str, days: std::ops::RangeInclusive<i32>) -> f64 {
        self.lines.iter().filter(|line| line.0 == customer && line.2 == product && days.contains(&line.1)).map(|line| line.3).sum()
    }
}

/// A promotion of a product, 14 days from a day on, with 28 days before and none after.
pub(crate) fn promotion(id: &str, start: i32, focal: &str) -> Promotion {
    let mut promotion = Promotion::new(id, Day::from_epoch(start), Day::from_epoch(start + 13), Selection::products([focal]));
    promotion.baseline_days = 28;
    promotion.post_days = 0;
    promotion
}

/// Arms for customers, drawn.
pub(crate) fn drawn(seed: u64, customers: std::ops::Range<i64>) -> Assignment {
    let customers: Vec<i64> = customers.collect();
    let mut arms: Vec<Arm> = (0..customers.len()).map(|at| if at % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
    Dice(seed).shuffle(&mut arms);
    Assignment::new(customers, arms)
}

pub(crate) fn ids(assignment: &Assignment) -> Vec<i64> {
    match &assignment.customers {
        promolift::study::Ids::Integers(ids) => ids.clone(),
        promolift::study::Ids::Texts(_) => panic!("customers are integers here"),
    }
}

/// Least squares, with what its sandwich needs.
pub(crate) struct LeastSquares {
    pub(crate) coefficients: DVector<f64>,
    bread: DMatrix<f64>,
    x: DMatrix<f64>,
    residuals: DVector<f64>,
}

impl LeastSquares {
    pub(crate) fn new(rows: &[Vec<f64>], y: &[f64]) -> Self {
        let x = DMatrix::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j]);
        let y = DVector::from_column_slice(y);
        let bread = (x.transpose() * &x).try_inverse().unwrap();
        let coefficients = &bread * x.transpose() * &y;
        let residuals = y - &x * &coefficients;
        Self { coefficients, bread, x, residuals }
    }

    /// `c' beta`.
    pub(crate) fn value(&self, c: &[f64]) -> f64 {
        self.coefficients.dot(&DVector::from_column_slice(c))
    }

    /// Each row's part of `c' beta`, with HC2's factor: `c' (X'X)^-1 x_i e_i / (1 - h_i)^(1/2)`.
    pub(crate) fn scores(&self, c: &[f64], hc2: bool) -> Vec<f64> {
        let direction = &self.bread * DVector::from_column_slice(c);
        (0..self.x.nrows())
            .map(|i| {
                let row = self.x.row(i).transpose();
                let leverage = (row.transpose() * &self.bread * &row)[(0, 0)];
                let factor = if hc2 { (1.0 - leverage).sqrt() } else { 1.0 };
                row.dot(&direction) * self.residuals[i] / factor
            })
            .collect()
    }

    /// The clustered variance of `c' beta` with `G/(G - 1) (N - 1)/(N - K)`.
    pub(crate) fn cr1(&self, c: &[f64], clusters: &[i64]) -> f64 {
        let mut sums = std::collections::BTreeMap::<i64, f64>::new();
        self.scores(c, false).iter().zip(clusters).for_each(|(score, cluster)| *sums.entry(*cluster).or_default() += score);
        let (g, n, k) = (sums.len() as f64, self.x.nrows() as f64, self.x.ncols() as f64);
        g / (g - 1.0) * (n - 1.0) / (n - k) * sums.values().map(|s| s * s).sum::<f64>()
    }
}
