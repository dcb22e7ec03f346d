//! A randomisation test of the joint difference of several columns between the arms.
//!
//! The statistic is studentised, so that an arm drawn with large values does not pass for a different one: `d' V^+ d`, with
//!
//! ```text
//! d   = sum_b p_b (mean of the target in b - mean of the control in b),    p_b = n_T,b / n_T
//! V   = sum_b p_b^2 (V_T,b + V_C,b)
//! V_a = G_a / (G_a - 1) x sum_g u_g u_g',    u_g = (S_g - n_g x mean of the arm in b) / n_a
//! ```
//!
//! over blocks b (strata), the arms' customers `n_a` in them and their units g: `S_g` is the sum over the customers of a unit, `n_g` their number. For single
//! customers `V_a` is Welch's, and the whole the joint Wald statistic of `Unadjusted` within strata; for whole clusters it is CR1 by arm. Where an arm has one
//! unit in a block, the spread of the block is that of its units about the mean of both arms, `(G_T/n_T^2 + G_C/n_C^2) sum_g u_g u_g' / (G - 1)` with
//! `u_g = S_g - n_g x mean of b`: for a pair, the square of its difference. A block with one arm only compares nothing and is left out.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

use super::draw::{Draw, Redraw};
use crate::estimate::{Wald, wald_of};
use crate::study::Arm;

/// Permutations drawn; the least p-value is 1 in 2,000.
const DRAWS: usize = 1999;
/// Statistics nearer to each other than this are one: the same split summed in another order.
const TIE: f64 = 1e-6;
/// A variance below this share of the second moment behind it is rounding.
const ROUNDING: f64 = 1e-13;
/// A pivot below this share of its variance leaves the inverse to eigenvalues.
const DEFINITE: f64 = 1e-6;
/// Products of rows are kept where they are no more numbers than this, 32 MB.
const PRODUCTS: usize = 1 << 22;
/// With no more ways to draw than this, no p-value is below .001.
const FEW_WAYS: f64 = 1000.0;

/// What a joint test says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Test {
    pub(super) statistic: f64,
    pub(super) p_value: f64,
    /// How p was found, where that is worth a word; begins with a semicolon.
    pub(super) words: String,
}

impl Test {
    /// A Wald test by its F distribution.
    pub(super) fn by_f(wald: &Wald, draw: &Draw) -> Self {
        Self { statistic: wald.statistic, p_value: wald.p_value, words: draw.caveat().to_owned() }
    }
}

/// Tests whether the arms differ in columns more than other draws of them would; `None` where nothing varies.
///
/// p is `(hits + 1) / (draws + 1)`, but never less than one in all ways to draw.
pub(super) fn permuted(redraw: &Redraw, arm: &[Arm], columns: &[Vec<f64>], seed: u64) -> Option<Test> {
    let blocks = Blocks::new(redraw, arm, columns);
    let statistic = blocks.observed()?;
    let ways = blocks.ways();
    let least = 1.0 / ways;
    let few = if ways > FEW_WAYS { String::new() } else { format!(", which can be done in {ways:.0} ways only, so that p cannot fall below {least:.3}") };
    Some(Test { statistic, p_value: blocks.p_value(statistic, seed, DRAWS).max(least), words: format!("{}{few}", redraw.words()) })
}

/// The lower triangle of `sum_g r_g r_g'` over the units of a group, with `r_g` the sums of the columns over the customers of unit g, then their number,
/// then 1: its last row holds the sums of all.
#[derive(Debug, Clone)]
struct Moments {
    columns: usize,
    triangle: Vec<f64>,
}

impl Moments {
    fn zero(columns: usize) -> Self {
        Self { columns, triangle: vec![0.0; (columns + 2) * (columns + 3) / 2] }
    }

    fn add(&mut self, row: &[f64]) {
        let mut cells = self.triangle.iter_mut();
        for (i, a) in row.iter().enumerate() {
            row[..=i].iter().zip(cells.by_ref()).for_each(|(b, cell)| *cell += a * b);
        }
    }

    fn add_products(&mut self, products: &[f64]) {
        self.triangle.iter_mut().zip(products).for_each(|(cell, product)| *cell += product);
    }

    /// What `whole` holds beside `part`.
    fn set_rest(&mut self, whole: &Self, part: &Self) {
        self.triangle.iter_mut().zip(&whole.triangle).zip(&part.triangle).for_each(|((own, whole), part)| *own = whole - part);
    }

    /// The entry of `i >= j`.
    fn of(&self, i: usize, j: usize) -> f64 {
        self.triangle[i * (i + 1) / 2 + j]
    }

    fn units(&self) -> f64 {
        self.of(self.columns + 1, self.columns + 1)
    }

    fn customers(&self) -> f64 {
        self.of(self.columns + 1, self.columns)
    }

    fn mean(&self, column: usize) -> f64 {
        self.of(self.columns + 1, column) / self.customers()
    }

    /// `sum_g (S_gi - n_g mean_i)(S_gj - n_g mean_j)`, `i >= j`.
    fn spread(&self, i: usize, j: usize) -> f64 {
        let (n, mean_i, mean_j) = (self.columns, self.mean(i), self.mean(j));
        self.of(i, j) - mean_j * self.of(n, i) - mean_i * self.of(n, j) + mean_i * mean_j * self.of(n, n)
    }
}

/// The units among whom labels are exchanged.
#[derive(Debug)]
struct Block {
    /// A row a unit, as in [`Moments`].
    rows: Vec<f64>,
    /// What each row adds to [`Moments`], one after the other; empty where that is too much.
    products: Vec<f64>,
    total: Moments,
    /// The arm that has fewer units here, and which they are.
    arm: Arm,
    smaller: Vec<u32>,
}

impl Block {
    fn new(rows: Vec<f64>, columns: usize, arms: &[Arm], keeps: bool) -> Self {
        let mut total = Moments::zero(columns);
        rows.chunks_exact(columns + 2).for_each(|row| total.add(row));
        let of_row = |row: &[f64]| {
            let mut own = Moments::zero(columns);
            own.add(row);
            own.triangle
        };
        let products = if keeps { rows.chunks_exact(columns + 2).flat_map(of_row).collect() } else { Vec::new() };
        let of = |which: Arm| -> Vec<u32> { arms.iter().zip(0..).filter(|(arm, _)| **arm == which).map(|(_, unit)| unit).collect() };
        let (target, control) = (of(Arm::Target), of(Arm::Control));
        let (arm, smaller) = if target.len() <= control.len() { (Arm::Target, target) } else { (Arm::Control, control) };
        Self { rows, products, total, arm, smaller }
    }

    fn units(&self) -> usize {
        self.rows.len() / (self.total.columns + 2)
    }

    fn row(&self, unit: u32) -> &[f64] {
        let width = self.total.columns + 2;
        &self.rows[unit as usize * width..][..width]
    }
}

/// What a split is judged by, and room for its sums.
struct Joint {
    /// Target customers.
    target: f64,
    difference: Vec<f64>,
    /// Row-major, the lower triangle.
    covariance: Vec<f64>,
    /// The second moments that the variances were left of.
    raw: Vec<f64>,
    group: Moments,
    rest: Moments,
}

impl Joint {
    fn new(columns: usize) -> Self {
        let (group, rest) = (Moments::zero(columns), Moments::zero(columns));
        Self { target: 0.0, difference: vec![0.0; columns], covariance: vec![0.0; columns * columns], raw: vec![0.0; columns], group, rest }
    }

    fn clear(&mut self) {
        self.target = 0.0;
        for values in [&mut self.difference, &mut self.covariance, &mut self.raw] {
            values.fill(0.0);
        }
    }

    /// Adds a block whose smaller side is `group`.
    fn add(&mut self, block: &Block, group: &[u32]) {
        self.group.triangle.fill(0.0);
        if block.products.is_empty() {
            for unit in group {
                self.group.add(block.row(*unit));
            }
        } else {
            let width = self.group.triangle.len();
            for unit in group {
                self.group.add_products(&block.products[*unit as usize * width..][..width]);
            }
        }
        self.rest.set_rest(&block.total, &self.group);
        let (target, control) = if block.arm == Arm::Target { (&self.group, &self.rest) } else { (&self.rest, &self.group) };
        let share = target.customers();
        self.target += share;
        for (j, difference) in self.difference.iter_mut().enumerate() {
            *difference += share * (target.mean(j) - control.mean(j));
        }
        for (factor, moments) in spreads(target, control, &block.total) {
            let factor = share * share * factor;
            for i in 0..self.difference.len() {
                self.raw[i] += factor * moments.of(i, i);
                for j in 0..=i {
                    self.covariance[i * self.difference.len() + j] += factor * moments.spread(i, j);
                }
            }
        }
    }

    /// The Wald statistic; `None` where nothing varies.
    fn statistic(&mut self) -> Option<f64> {
        let k = self.difference.len();
        self.difference.iter_mut().for_each(|d| *d /= self.target);
        let squared = self.target * self.target;
        let live: Vec<bool> = (0..k).map(|i| self.covariance[i * k + i] > ROUNDING * self.raw[i]).collect();
        for i in 0..k {
            for j in 0..=i {
                let entry = if live[i] && live[j] { self.covariance[i * k + j] / squared } else { 0.0 };
                self.covariance[i * k + j] = entry;
                self.covariance[j * k + i] = entry;
            }
        }
        if let Some(statistic) = definite(&self.difference, &self.covariance) {
            return Some(statistic);
        }
        // The degrees of freedom touch its p-value only, which is not used.
        wald_of(&self.difference, &self.covariance, f64::INFINITY).value().map(|wald| wald.statistic)
    }
}

/// What the covariance of a block's difference is made of: factors and whose spread they stand before.
fn spreads<'m>(target: &'m Moments, control: &'m Moments, total: &'m Moments) -> impl Iterator<Item = (f64, &'m Moments)> {
    let squared = |arm: &Moments| arm.customers() * arm.customers();
    let terms = if target.units().min(control.units()) > 1.5 {
        let own = |arm: &Moments| arm.units() / (arm.units() - 1.0) / squared(arm);
        [Some((own(target), target)), Some((own(control), control))]
    } else {
        let pooled = (target.units() / squared(target) + control.units() / squared(control)) / (total.units() - 1.0);
        [Some((pooled, total)), None]
    };
    terms.into_iter().flatten()
}

/// `z' V^-1 z` by Cholesky's factors, a tenth of the work of eigenvalues; `None` where V is not clearly definite.
fn definite(z: &[f64], covariance: &[f64]) -> Option<f64> {
    let k = z.len();
    let mut factor = covariance.to_vec();
    let mut along = z.to_vec();
    let mut sum = 0.0;
    for j in 0..k {
        let pivot = factor[j * k + j];
        if !(pivot > DEFINITE * covariance[j * k + j]) {
            return None;
        }
        sum += along[j] * along[j] / pivot;
        for i in j + 1..k {
            let ratio = factor[i * k + j] / pivot;
            along[i] -= ratio * along[j];
            for m in j + 1..k {
                factor[i * k + m] -= ratio * factor[j * k + m];
            }
        }
    }
    Some(sum)
}

/// The blocks that hold both arms.
#[derive(Debug)]
struct Blocks {
    columns: usize,
    blocks: Vec<Block>,
}

impl Blocks {
    fn new(redraw: &Redraw, arm: &[Arm], columns: &[Vec<f64>]) -> Self {
        let columns = redraw.centred(columns.iter().map(Vec::as_slice));
        let mut order: Vec<u32> = (0..arm.len() as u32).collect();
        let place = |row: u32| (redraw.block[row as usize], redraw.unit[row as usize]);
        order.sort_by_key(|&row| place(row));
        let keeps = order.len() * Moments::zero(columns.len()).triangle.len() <= PRODUCTS;
        let blocks = order.chunk_by(|a, b| place(*a).0 == place(*b).0).map(|rows| {
            let units: Vec<&[u32]> = rows.chunk_by(|a, b| place(*a) == place(*b)).collect();
            let sums = |unit: &&[u32]| -> Vec<f64> {
                let of = |column: &Vec<f64>| unit.iter().map(|&row| column[row as usize]).sum();
                columns.iter().map(of).chain([unit.len() as f64, 1.0]).collect()
            };
            let arms: Vec<Arm> = units.iter().map(|unit| arm[unit[0] as usize]).collect();
            Block::new(units.iter().flat_map(sums).collect(), columns.len(), &arms, keeps)
        });
        Self { columns: columns.len(), blocks: blocks.filter(|block| !block.smaller.is_empty()).collect() }
    }

    /// The statistic of the arms as they are.
    fn observed(&self) -> Option<f64> {
        let mut joint = Joint::new(self.columns);
        self.blocks.iter().for_each(|block| joint.add(block, &block.smaller));
        joint.statistic()
    }

    /// In how many ways labels can fall, each block keeping its numbers.
    fn ways(&self) -> f64 {
        let choose = |n: usize, m: usize| (0..m).fold(1.0, |ways, i| ways * (n - i) as f64 / (i + 1) as f64);
        self.blocks.iter().map(|block| choose(block.units(), block.smaller.len())).product()
    }

    /// How often arms drawn anew differ at least as much as `observed`.
    fn p_value(&self, observed: f64, seed: u64, draws: usize) -> f64 {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut orders: Vec<Vec<u32>> = self.blocks.iter().map(|block| (0..block.units() as u32).collect()).collect();
        let mut joint = Joint::new(self.columns);
        let hits = (0..draws)
            .filter(|_| {
                joint.clear();
                for (block, order) in self.blocks.iter().zip(&mut orders) {
                    let (group, _) = order.partial_shuffle(&mut rng, block.smaller.len());
                    joint.add(block, group);
                }
                // A split within whose arms nothing varies differs as much as can be.
                joint.statistic().is_none_or(|statistic| statistic >= observed * (1.0 - TIE))
            })
            .count();
        (hits + 1) as f64 / (draws + 1) as f64
    }
}

#[cfg(test)]
mod tests;
