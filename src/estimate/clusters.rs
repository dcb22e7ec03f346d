//! Scores summed by cluster: stores, households, whatever was assigned or shocked together.
//!
//! With `e` the residuals and `w` the signed weights of a fit, the score of cluster g is `u_g = sum over its customers of w_i e_i` (CR0), and the covariance
//! `sum_g u_g u_g'`. CR1 multiplies it by `G/(G - 1) x (N - 1)/(N - K)`. CR2 takes `(I - H_gg)^(-1/2) e_g` for `e_g`, H the hat matrix, which makes the
//! covariance unbiased where customers are independent and alike (Bell and McCaffrey 2002, Pustejovsky and Tipton 2018).

use nalgebra::{DMatrix, SymmetricEigen};
use rayon::prelude::*;

use super::design::ClusterRule;
use super::fit::Fit;
use super::linear::dot;
use super::{Design, Undefined};
use crate::study::Arm;

/// An arm needs customers of so many clusters.
const LEAST: usize = 2;
/// Clusters handled at a time.
const BLOCK: usize = 512;
/// A cluster with an eigenvalue of its hat matrix nearer to 1 than this fixes a coefficient alone.
const LEVERAGE: f64 = 1e-9;

/// The clusters of a fitted design.
#[derive(Debug, Clone)]
pub(super) struct Clusters {
    /// All rows, cluster by cluster.
    rows: Vec<u32>,
    /// Where each cluster begins in `rows`, and the end.
    starts: Vec<usize>,
    /// The factor of the covariance.
    factor: f64,
    /// For each cluster the vectors that carry `Z_g' e_g` into the target's and the control's score; `None` for CR0 and CR1.
    adjusted: Option<Vec<[Vec<f64>; 2]>>,
    /// An orthonormal basis of the regressors, for CR2.
    basis: Vec<Vec<f64>>,
    /// Degrees of freedom, the same for every linear combination.
    pub(super) df: f64,
    /// Degrees of freedom of target and control, where no cluster straddles them and each has its own: `G_a - 1`.
    pub(super) by_arm: Option<[f64; 2]>,
    /// Clusters with customers in the arm that has fewer of them.
    pub(super) smaller_arm: usize,
}

/// `Z_g' w` of a cluster with the eigenvectors and eigenvalues of `Z_g' Z_g`, `Z` an orthonormal basis of the regressors: `H_gg = Z_g Z_g'`.
struct Hat {
    vectors: DMatrix<f64>,
    values: Vec<f64>,
    /// `U' Z_g' w` of target and control.
    along: [Vec<f64>; 2],
    /// `sum w^2`.
    squares: f64,
}

impl Fit {
    /// The same fit with scores summed by cluster.
    pub(super) fn with_clusters(mut self, design: &Design<'_>, codes: &[u32], rule: ClusterRule) -> Result<Self, Undefined> {
        if self.clusters.is_some() {
            return Err(Undefined::Unsupported("pairs are clusters already: matched pairs cannot be clustered again"));
        }
        if self.cells.take().is_some() {
            // Means of cells take with them what customers of one cluster in one cell share: clusters are told from the arm's mean.
            self.coefficients = 2;
        }
        // A customer without weight says nothing.
        let (rows, starts, names) = sorted(codes, |row| self.effect[row] != 0.0);
        let mut in_arm = [0_usize; 2];
        for arm in [Arm::Target, Arm::Control] {
            let holds = |range: &[usize]| rows[range[0]..range[1]].iter().any(|&row| design.arm[row as usize] == arm);
            let clusters = starts.windows(2).filter(|range| holds(range)).count();
            if clusters < LEAST {
                return Err(Undefined::TooFewClusters { arm, clusters, needed: LEAST });
            }
            in_arm[usize::from(arm == Arm::Control)] = clusters;
        }
        spread_within_parts(&self, design, codes)?;
        let (n, count, k) = (rows.len() as f64, names.len() as f64, self.coefficients as f64);
        let basis = self.basis.take();
        let mut clusters =
            Clusters { rows, starts, factor: 1.0, adjusted: None, basis: Vec::new(), df: count - 1.0, by_arm: None, smaller_arm: in_arm[0].min(in_arm[1]) };
        match (rule, basis) {
            (ClusterRule::Cr2 | ClusterRule::Default, Some(basis)) => clusters.adjust(&self, design, basis, &names)?,
            (ClusterRule::Cr2, None) => {
                return Err(Undefined::Unsupported("CR2 is defined for one least squares: unadjusted, regression and cuped without strata; use CR1"));
            }
            (ClusterRule::Cr0, _) => {}
            (ClusterRule::Cr1 | ClusterRule::Default, _) => {
                clusters.factor = count / (count - 1.0) * (n - 1.0) / (n - k);
                let apart = in_arm[0] + in_arm[1] == names.len();
                clusters.by_arm = (rule == ClusterRule::Default && apart).then(|| in_arm.map(|clusters| clusters as f64 - 1.0));
            }
        }
        self.clusters = Some(clusters);
        Ok(self)
    }
}

/// Residuals of an arm of a stratum sum to zero under its weights: where it is one cluster, that cluster's score is zero whatever the data.
fn spread_within_parts(fit: &Fit, design: &Design<'_>, codes: &[u32]) -> Result<(), Undefined> {
    for part in &fit.parts {
        let mut clusters = part.rows.iter().map(|&row| codes[row as usize]);
        let first = clusters.next();
        if clusters.all(|code| Some(code) == first) {
            let reason = Undefined::TooFewClusters { arm: part.arm, clusters: usize::from(first.is_some()), needed: LEAST };
            let stratum = design.strata.zip(part.rows.first()).map(|(strata, &row)| strata[row as usize]);
            return Err(stratum.map_or(reason.clone(), |stratum| Undefined::Stratum { stratum, reason: Box::new(reason) }));
        }
    }
    Ok(())
}

/// Rows cluster by cluster, where each begins, and the codes, clusters in the order of their codes.
fn sorted(codes: &[u32], counts: impl Fn(usize) -> bool) -> (Vec<u32>, Vec<usize>, Vec<u32>) {
    let mut rows: Vec<u32> = (0..codes.len()).zip(0..).filter(|(index, _)| counts(*index)).map(|(_, row)| row).collect();
    rows.sort_by_key(|&row| codes[row as usize]);
    let mut starts: Vec<usize> = (0..rows.len()).filter(|&at| at == 0 || codes[rows[at] as usize] != codes[rows[at - 1] as usize]).collect();
    let names = starts.iter().map(|&at| codes[rows[at] as usize]).collect();
    starts.push(rows.len());
    (rows, starts, names)
}

impl Clusters {
    /// Pairs of one customer of each arm: `G/(G - 1)` makes the covariance that of the differences.
    pub(super) fn pairs(codes: &[u32]) -> Self {
        let (rows, starts, names) = sorted(codes, |_| true);
        let count = names.len() as f64;
        Self { rows, starts, factor: count / (count - 1.0), adjusted: None, basis: Vec::new(), df: count - 1.0, by_arm: None, smaller_arm: names.len() }
    }

    /// The rule as it was used: CR2 where residuals are adjusted.
    pub(super) fn rule(&self) -> ClusterRule {
        match &self.adjusted {
            Some(_) => ClusterRule::Cr2,
            None if self.factor > 1.0 => ClusterRule::Cr1,
            None => ClusterRule::Cr0,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// The rows of each cluster.
    pub(super) fn each(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.count()).map(|cluster| self.rows_of(cluster))
    }

    fn rows_of(&self, cluster: usize) -> &[u32] {
        &self.rows[self.starts[cluster]..self.starts[cluster + 1]]
    }

    /// Prepares CR2, with Bell and McCaffrey's degrees of freedom under customers that are independent and alike.
    fn adjust(&mut self, fit: &Fit, design: &Design<'_>, basis: Vec<Vec<f64>>, names: &[u32]) -> Result<(), Undefined> {
        let hats: Vec<Hat> = (0..self.count()).into_par_iter().map(|cluster| Hat::new(self.rows_of(cluster), fit, design, &basis)).collect();
        if let Some(cluster) = hats.iter().position(|hat| hat.values.iter().any(|d| !(1.0 - d > LEVERAGE))) {
            return Err(Undefined::ClusterLeverageOne { cluster: names[cluster] });
        }
        self.df = bell_mccaffrey(&hats);
        self.adjusted = Some(hats.iter().map(Hat::adjusted).collect());
        self.basis = basis;
        Ok(())
    }

    /// The covariance of the columns' weighted sums: target sums first, then the control's, row-major. `residuals` has a value a row for each column.
    pub(super) fn covariance(&self, fit: &Fit, arm: &[Arm], residuals: &[Vec<f64>]) -> Vec<f64> {
        let p = 2 * residuals.len();
        let mut covariance = vec![0.0; p * p];
        let blocks: Vec<usize> = (0..self.count()).step_by(BLOCK).collect();
        for block in blocks {
            let clusters = block..(block + BLOCK).min(self.count());
            let scores: Vec<[Vec<f64>; 2]> =
                residuals.par_iter().map(|column| clusters.clone().map(|g| self.score(g, fit, arm, column)).unzip_sides()).collect();
            let sides: Vec<&[f64]> = [0, 1].into_iter().flat_map(|side| scores.iter().map(move |s| s[side].as_slice())).collect();
            let products: Vec<Vec<f64>> = sides.par_iter().enumerate().map(|(i, a)| sides[..=i].iter().map(|b| dot(a, b)).collect()).collect();
            for (i, row) in products.iter().enumerate() {
                for (j, product) in row.iter().enumerate() {
                    covariance[i * p + j] += product * self.factor;
                    if i != j {
                        covariance[j * p + i] += product * self.factor;
                    }
                }
            }
        }
        covariance
    }

    /// The target's and the control's score of each cluster, by the cluster's code; the root of the covariance's factor is in them.
    pub(super) fn scores(&self, fit: &Fit, design: &Design<'_>, residual: &[f64]) -> Vec<(u32, [f64; 2])> {
        let codes = design.clusters.map_or(&[][..], |(codes, _)| codes);
        let root = self.factor.sqrt();
        let of = |cluster: usize| {
            let code = self.rows_of(cluster).first().and_then(|&row| codes.get(row as usize)).copied().unwrap_or_default();
            (code, self.score(cluster, fit, design.arm, residual).map(|score| root * score))
        };
        (0..self.count()).map(of).collect()
    }

    /// The target's and the control's score of a cluster.
    fn score(&self, cluster: usize, fit: &Fit, arm: &[Arm], residual: &[f64]) -> [f64; 2] {
        let mut score = [0.0; 2];
        let rows = self.rows_of(cluster);
        for &row in rows {
            score[usize::from(arm[row as usize] == Arm::Control)] += fit.effect[row as usize] * residual[row as usize];
        }
        if let Some(adjusted) = &self.adjusted {
            for (at, direction) in self.basis.iter().enumerate() {
                let along: f64 = rows.iter().map(|&row| direction[row as usize] * residual[row as usize]).sum();
                score.iter_mut().zip(&adjusted[cluster]).for_each(|(score, adjusted)| *score += adjusted[at] * along);
            }
        }
        score
    }
}

/// Pairs as two lists.
trait UnzipSides: Iterator<Item = [f64; 2]> + Sized {
    fn unzip_sides(self) -> [Vec<f64>; 2] {
        let (target, control) = self.map(|[target, control]| (target, control)).unzip();
        [target, control]
    }
}

impl<I: Iterator<Item = [f64; 2]>> UnzipSides for I {}

impl Hat {
    fn new(rows: &[u32], fit: &Fit, design: &Design<'_>, basis: &[Vec<f64>]) -> Self {
        let q = basis.len();
        let mut cross = DMatrix::zeros(q, q);
        let mut along = [vec![0.0; q], vec![0.0; q]];
        let mut squares = 0.0;
        for &row in rows {
            let (row, weight) = (row as usize, fit.effect[row as usize]);
            squares += weight * weight;
            let side = usize::from(design.arm[row] == Arm::Control);
            for i in 0..q {
                along[side][i] += basis[i][row] * weight;
                for j in 0..=i {
                    cross[(i, j)] += basis[i][row] * basis[j][row];
                }
            }
        }
        let cross = DMatrix::from_fn(q, q, |i, j| cross[(i.max(j), i.min(j))]);
        let eigen = SymmetricEigen::new(cross);
        let rotated = |vector: &Vec<f64>| (0..q).map(|m| eigen.eigenvectors.column(m).iter().zip(vector).map(|(u, v)| u * v).sum()).collect();
        let along = [rotated(&along[0]), rotated(&along[1])];
        Self { along, squares, values: eigen.eigenvalues.iter().map(|d: &f64| d.max(0.0)).collect(), vectors: eigen.eigenvectors }
    }

    /// `M Z_g' w` of both arms, where `(I - Z_g Z_g')^(-1/2) = I + Z_g M Z_g'`.
    fn adjusted(&self) -> [Vec<f64>; 2] {
        // ((1 - d)^(-1/2) - 1) / d, written so that it keeps its digits near d = 0.
        let factor = |d: f64| {
            let root = (1.0 - d).sqrt();
            1.0 / (root * (1.0 + root))
        };
        [0, 1].map(|side| {
            let scaled: Vec<f64> = self.along[side].iter().zip(&self.values).map(|(a, d)| a * factor(*d)).collect();
            (0..scaled.len()).map(|i| (0..scaled.len()).map(|m| self.vectors[(i, m)] * scaled[m]).sum()).collect()
        })
    }
}

/// `tr(P)^2 / tr(P^2)` of `P = diag(a_g'a_g) - B B'`, with `a_g = (I - H_gg)^(-1/2) w_g` and the rows of B `b_g = Z_g' a_g`.
fn bell_mccaffrey(hats: &[Hat]) -> f64 {
    let q = hats.first().map_or(0, |hat| hat.values.len());
    let (mut trace, mut square) = (0.0, 0.0);
    let mut cross = vec![0.0; q * q];
    for hat in hats {
        let along: Vec<f64> = hat.along[0].iter().zip(&hat.along[1]).map(|(t, c)| t + c).collect();
        // |w|^2 + (U'Z'w)' diag(1 / (1 - d)) (U'Z'w).
        let a: f64 = hat.squares + along.iter().zip(&hat.values).map(|(v, d)| v * v / (1.0 - d)).sum::<f64>();
        let rotated: Vec<f64> = along.iter().zip(&hat.values).map(|(v, d)| v / (1.0 - d).sqrt()).collect();
        let b: Vec<f64> = (0..q).map(|i| (0..q).map(|m| hat.vectors[(i, m)] * rotated[m]).sum()).collect();
        let bb = dot(&b, &b);
        trace += a - bb;
        square += a * a - 2.0 * a * bb;
        for i in 0..q {
            for j in 0..q {
                cross[i * q + j] += b[i] * b[j];
            }
        }
    }
    trace * trace / (square + dot(&cross, &cross))
}
