//! A randomisation test of the joint difference of several columns between the arms.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

use crate::estimate::{Known, Wald, wald_of};
use crate::study::Arm;

/// Permutations drawn; the least p-value is 1 in 2,000.
const DRAWS: usize = 1999;

/// Several columns over the customers of two arms, with what any split of them into two groups needs.
pub(super) struct TwoGroups<'a> {
    arm: &'a [Arm],
    /// By customer: the columns, centred over all customers.
    rows: Vec<Vec<f64>>,
    /// Sum of the outer products of the rows, row-major.
    products: Vec<f64>,
    smaller: Vec<usize>,
}

impl<'a> TwoGroups<'a> {
    pub(super) fn new(arm: &'a [Arm], columns: &[Vec<f64>]) -> Self {
        let n = arm.len() as f64;
        let centres: Vec<Option<f64>> = columns.iter().map(|column| centre(column, n)).collect();
        let rows: Vec<Vec<f64>> = (0..arm.len()).map(|i| columns.iter().zip(&centres).map(|(c, centre)| centre.map_or(0.0, |m| c[i] - m)).collect()).collect();
        let products = outer_products(rows.iter(), columns.len());
        let of = |which: Arm| -> Vec<usize> { (0..arm.len()).filter(|&i| arm[i] == which).collect() };
        let (target, control) = (of(Arm::Target), of(Arm::Control));
        Self { arm, rows, products, smaller: if target.len() <= control.len() { target } else { control } }
    }

    /// The joint Wald test of the difference in means between the arms, Welch's covariance; `None` where nothing varies.
    pub(super) fn wald(&self) -> Option<Wald> {
        self.split(&self.smaller)
    }

    /// How often arms drawn anew differ at least as much as `observed`: `(hits + 1) / (draws + 1)`.
    pub(super) fn permutation_p(&self, observed: f64, seed: u64) -> f64 {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut order: Vec<usize> = (0..self.arm.len()).collect();
        let hits = (0..DRAWS)
            .filter(|_| {
                let (drawn, _) = order.partial_shuffle(&mut rng, self.smaller.len());
                self.split(drawn).is_some_and(|w| w.statistic >= observed * (1.0 - 1e-12))
            })
            .count();
        (hits + 1) as f64 / (DRAWS + 1) as f64
    }

    /// The Wald test of one group against the rest.
    fn split(&self, group: &[usize]) -> Option<Wald> {
        let k = self.rows.first().map_or(0, Vec::len);
        let (n, m) = (self.rows.len() as f64, group.len() as f64);
        let rest = n - m;
        let sums: Vec<f64> = (0..k).map(|j| group.iter().map(|&i| self.rows[i][j]).sum()).collect();
        let own = outer_products(group.iter().map(|&i| &self.rows[i]), k);
        // The rows are centred, so that the rest sums to minus the group.
        let covariance: Vec<f64> = (0..k * k)
            .map(|at| {
                let product = sums[at / k] * sums[at % k];
                (own[at] - product / m) / (m * (m - 1.0)) + (self.products[at] - own[at] - product / rest) / (rest * (rest - 1.0))
            })
            .collect();
        let difference: Vec<f64> = sums.iter().map(|s| s / m + s / rest).collect();
        // Degrees of freedom: the smaller group's, the least that Satterthwaite's rule can give.
        match wald_of(&difference, &covariance, m - 1.0) {
            Known::Value(wald) => Some(wald),
            Known::Missing(_) => None,
        }
    }
}

/// The mean of a column; none where the values differ from it by rounding only.
fn centre(column: &[f64], n: f64) -> Option<f64> {
    let mean = column.iter().sum::<f64>() / n;
    let largest = column.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    column.iter().any(|v| (v - mean).abs() > 1e-12 * largest).then_some(mean)
}

fn outer_products<'r>(rows: impl Iterator<Item = &'r Vec<f64>>, k: usize) -> Vec<f64> {
    let mut products = vec![0.0; k * k];
    for row in rows {
        for (at, product) in products.iter_mut().enumerate() {
            *product += row[at / k] * row[at % k];
        }
    }
    products
}
