//! Several target arms against one control.

use super::contrast::{self, Contrast};
use super::linear::dot;
use super::moments::{PartMoments, Side};
use super::{Design, Estimator, Fit, Outcome, Undefined};
use crate::study::Arm;

/// Several offers, each with customers of its own, against one control.
///
/// Arm `k` is fitted with the control as if the others were not there, so that its effect and standard error are those of a study of its own; its degrees of
/// freedom too, but that those of the control (and of clusters) are the least of all arms, where they differ. The arms' effects are not independent, since the
/// control is in all of them: with scores `s`, target side and control side, `Cov(tau_k, tau_l) = sum over controls of s_k,i s_l,i` for `k != l` (in a
/// clustered design the sum over clusters of their scores' products), and the control's spread counts once in any sum or difference. Unadjusted that is `V_C`;
/// the difference of two arms is then the plain difference of their customers, without the control (Dunnett 1955 is the case of one common variance).
///
/// Each column of an outcome stands once an arm: outcome `j` of arm `k` is column `k x outcomes + j` of the contrast ([`SeveralArms::coefficients`]). All that
/// a [`Contrast`] gives holds for it: sums over arms, differences, ratios, joint tests, simultaneous intervals. `regression` and `cuped` average over the arm
/// and the control, so that differences of their arms compare averages over different customers, alike where the arms were drawn.
///
/// ```
/// use promolift::estimate::{Design, Estimator, Level, Outcome, SeveralArms, Unadjusted};
/// use promolift::study::Arm::{Control, Target};
///
/// let arm = [Target, Target, Target, Target, Control, Control, Control];
/// let coupon = [0, 0, 1, 1, 0, 0, 0];
/// let spend = [12.0, 9.0, 14.0, 11.0, 8.0, 7.0, 9.0];
/// let arms = SeveralArms::fit(&Unadjusted, &Design::new(&arm), &coupon)?;
/// let contrast = arms.contrast(&[Outcome::new(&spend)])?;
/// let (first, second) = (arms.coefficients(&contrast, 0, &[1.0]), arms.coefficients(&contrast, 1, &[1.0]));
/// let second_over_first = contrast.effect(&second).plus(-1.0, &contrast.effect(&first));
/// let estimate = contrast.estimate(&second_over_first, Level::default());
/// assert!((estimate.value - 2.0).abs() < 1e-12);
/// // The control is in both and cancels: (4.5 / 2 + 4.5 / 2)^(1/2).
/// assert!((estimate.std_error - 4.5_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), promolift::estimate::Undefined>(())
/// ```
#[derive(Debug, Clone)]
pub struct SeveralArms {
    arms: Vec<OneArm>,
    /// Controls of the design, by row.
    controls: Vec<u32>,
    customers: usize,
}

/// A target arm with the control.
#[derive(Debug, Clone)]
struct OneArm {
    fit: Fit,
    /// Rows of the whole design.
    rows: Vec<u32>,
    arm: Vec<Arm>,
    clusters: Option<Vec<u32>>,
}

impl SeveralArms {
    /// Fits each target arm with the control. `variant` says for each customer which target arm he is in, codes from 0; that of a control is not read. Without
    /// any target customer there are no arms, and [`SeveralArms::contrast`] has no answer.
    ///
    /// # Errors
    /// [`Undefined::Variant`] with the arm's code and why it has no answer: no customer, whatever the estimator has against it, or `population = super`;
    /// [`Undefined::Unsupported`] with pairs; [`Undefined::Lengths`], [`Undefined::NotFinite`] and [`Undefined::Weight`] of the design.
    pub fn fit(estimator: &dyn Estimator, design: &Design<'_>, variant: &[u32]) -> Result<Self, Undefined> {
        design.validate()?;
        if variant.len() != design.arm.len() {
            return Err(Undefined::Lengths { expected: design.arm.len(), found: variant.len() });
        }
        if design.pairs.is_some() {
            return Err(Undefined::Unsupported("pairs are of one target arm and the control: several arms have no pairs; measure each arm with its own pairs"));
        }
        let targets = design.arm.iter().zip(variant).filter(|(arm, _)| **arm == Arm::Target).map(|(_, code)| *code);
        let codes = targets.max().into_iter().flat_map(|last| 0..=last);
        let arms =
            codes.map(|code| OneArm::new(estimator, design, variant, code).map_err(|reason| Undefined::Variant { variant: code, reason: Box::new(reason) }));
        Ok(Self { arms: arms.collect::<Result<_, _>>()?, controls: design.rows(Arm::Control), customers: design.arm.len() })
    }

    /// The same weights and scores for outcomes that are differenced already.
    #[must_use]
    pub(crate) fn of_differences(mut self) -> Self {
        self.arms = self.arms.into_iter().map(|arm| OneArm { fit: arm.fit.of_differences(), ..arm }).collect();
        self
    }

    /// How many target arms there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.arms.len()
    }

    /// The fit of an arm with the control, on those customers only, its rows counted among them; `None` beyond the last arm.
    #[must_use]
    pub fn fit_of(&self, arm: usize) -> Option<&Fit> {
        self.arms.get(arm).map(|arm| &arm.fit)
    }

    /// Coefficients over one arm's outcomes as coefficients over all columns of `contrast`, which [`SeveralArms::contrast`] made: zero for the other arms, and for
    /// outcomes that are not given.
    #[must_use]
    pub fn coefficients(&self, contrast: &Contrast, arm: usize, coefficients: &[f64]) -> Vec<f64> {
        let outcomes = contrast.outcomes() / self.count().max(1);
        let mut all = vec![0.0; contrast.outcomes()];
        all.iter_mut().skip(arm * outcomes).take(outcomes).zip(coefficients).for_each(|(place, c)| *place = *c);
        all
    }

    /// Applies all fits to outcomes: the effects of all arms with one covariance, in the outcomes' unit per customer.
    ///
    /// # Errors
    /// As [`Fit::contrast`]; [`Undefined::TooFewCustomers`] without arms; [`Undefined::Unsupported`] where the arms do not have the same strata.
    pub fn contrast(&self, outcomes: &[Outcome<'_>]) -> Result<Contrast, Undefined> {
        for outcome in outcomes {
            for column in std::iter::once(outcome.values).chain(outcome.before.map(|(before, _)| before)) {
                if column.len() != self.customers {
                    return Err(Undefined::Lengths { expected: self.customers, found: column.len() });
                }
            }
        }
        let applied: Vec<Applied> = self.arms.iter().map(|arm| arm.apply(outcomes, self.customers)).collect::<Result<_, _>>()?;
        let Some(first) = applied.first() else { return Err(Undefined::TooFewCustomers { arm: Arm::Target, customers: 0, needed: 2 }) };
        let layout = Layout { arms: applied.len(), outcomes: outcomes.len(), columns: first.contrast.columns };
        let parts = if first.clusters.is_some() { clustered(&applied, layout) } else { self.by_customer(&applied, layout)? };
        let residual_df = applied.iter().map(|a| a.contrast.residual_df).fold(f64::INFINITY, f64::min);
        Ok(Contrast { outcomes: layout.arms * layout.outcomes, columns: layout.all(), parts, population: None, residual_df })
    }

    /// One part an arm (and stratum), and one for the control that all share.
    fn by_customer(&self, applied: &[Applied], layout: Layout) -> Result<Vec<PartMoments>, Undefined> {
        let mut parts = Vec::new();
        for (place, applied) in applied.iter().enumerate() {
            parts.extend(applied.side(Arm::Target).map(|part| layout.alone(place, part)));
        }
        let controls: Vec<Vec<&PartMoments>> = applied.iter().map(|a| a.side(Arm::Control).collect()).collect();
        let strata = controls.first().map_or(0, Vec::len);
        if controls.iter().any(|parts| parts.len() != strata) {
            return Err(Undefined::Unsupported("the arms do not have the same strata; leave out the strata in which an arm is missing"));
        }
        for stratum in 0..strata {
            let mine: Vec<&PartMoments> = controls.iter().filter_map(|parts| parts.get(stratum).copied()).collect();
            let rows = self.rows_of(stratum);
            let scores: Vec<Vec<Vec<f64>>> =
                applied.iter().map(|a| a.scores.iter().map(|column| rows.iter().map(|&row| column[row as usize]).collect()).collect()).collect();
            parts.push(layout.shared(&mine, &scores));
        }
        Ok(parts)
    }

    /// The controls of a stratum whom any arm weighs.
    fn rows_of(&self, stratum: usize) -> Vec<u32> {
        let mut weighed = vec![false; self.customers];
        for arm in &self.arms {
            let parts = arm.fit.parts.iter().filter(|part| part.arm == Arm::Control);
            parts.skip(stratum).take(1).flat_map(|part| &part.rows).for_each(|&row| weighed[arm.rows[row as usize] as usize] = true);
        }
        self.controls.iter().copied().filter(|&row| weighed[row as usize]).collect()
    }
}

impl OneArm {
    fn new(estimator: &dyn Estimator, design: &Design<'_>, variant: &[u32], code: u32) -> Result<Self, Undefined> {
        let takes = |row: usize| design.arm[row] == Arm::Control || variant[row] == code;
        let rows: Vec<u32> = (0..design.arm.len()).zip(0..).filter(|(row, _)| takes(*row)).map(|(_, row)| row).collect();
        let arm: Vec<Arm> = rows.iter().map(|&row| design.arm[row as usize]).collect();
        let columns: Vec<Vec<f64>> = design.covariates.iter().map(|column| gathered(&rows, column)).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let codes = |codes: &[u32]| rows.iter().map(|&row| codes[row as usize]).collect::<Vec<u32>>();
        let weights = design.weights.map(|weights| gathered(&rows, weights));
        let (strata, clusters) = (design.strata.map(codes), design.clusters.map(|(c, rule)| (codes(c), rule)));
        let mut own = Design::new(&arm).with_covariates(&columns);
        if let Some(strata) = &strata {
            own = own.with_strata(strata);
        }
        if let Some((clusters, rule)) = &clusters {
            own = own.with_clusters(clusters, *rule);
        }
        if let Some(weights) = &weights {
            own = own.with_weights(weights);
        }
        let fit = estimator.fit(&own).map_err(|undefined| undefined.in_rows(&rows))?;
        if fit.mean_covariance.is_some() {
            return Err(Undefined::Unsupported("population = \"super\" has no rule for several arms; use population = \"assigned\""));
        }
        Ok(Self { fit, rows, arm, clusters: clusters.map(|(codes, _)| codes) })
    }

    fn apply(&self, outcomes: &[Outcome<'_>], customers: usize) -> Result<Applied, Undefined> {
        let values: Vec<Vec<f64>> = outcomes.iter().map(|o| gathered(&self.rows, o.values)).collect();
        let before: Vec<Vec<f64>> = outcomes.iter().map(|o| o.before.map_or_else(Vec::new, |(before, _)| gathered(&self.rows, before))).collect();
        let own: Vec<Outcome<'_>> = outcomes
            .iter()
            .zip(values.iter().zip(&before))
            .map(|(whole, (values, before))| match whole.before {
                Some((_, exposure)) => Outcome::new(values).with_before(before, exposure),
                None => Outcome::new(values),
            })
            .collect();
        let columns = self.fit.columns(&own)?;
        let mut scores = vec![vec![0.0; self.rows.len()]; columns.len()];
        let contrast = contrast::apply(&self.fit, &own, Some(&mut scores))?;
        let clusters = self.fit.clusters.as_ref().map(|clusters| {
            let mut design = Design::new(&self.arm);
            if let Some(codes) = &self.clusters {
                design = design.with_clusters(codes, clusters.rule());
            }
            let of = |column: &[f64]| clusters.scores(&self.fit, &design, &self.fit.residuals(column));
            ClusterScores { columns: columns.iter().map(|column| of(column)).collect(), by_arm: clusters.by_arm, df: clusters.df }
        });
        let scores = scores.iter().map(|own| self.spread(own, customers)).collect();
        Ok(Applied { contrast, scores, clusters })
    }

    /// Values of this arm's customers among all.
    fn spread(&self, own: &[f64], customers: usize) -> Vec<f64> {
        let mut all = vec![0.0; customers];
        self.rows.iter().zip(own).for_each(|(&row, value)| all[row as usize] = *value);
        all
    }
}

fn gathered(rows: &[u32], column: &[f64]) -> Vec<f64> {
    rows.iter().map(|&row| column[row as usize]).collect()
}

/// An arm's effects with the scores they are made of.
struct Applied {
    contrast: Contrast,
    /// By column, of all customers.
    scores: Vec<Vec<f64>>,
    clusters: Option<ClusterScores>,
}

/// Scores by cluster.
struct ClusterScores {
    /// By column: the cluster's code, and its target and control score.
    columns: Vec<Vec<(u32, [f64; 2])>>,
    by_arm: Option<[f64; 2]>,
    df: f64,
}

impl Applied {
    fn side(&self, arm: Arm) -> impl Iterator<Item = &PartMoments> {
        self.contrast.parts.iter().filter(move |part| part.side == Side::One(arm))
    }

    /// Something of both sides by column, the target's first, whether clusters join them or not.
    fn both(&self, of: fn(&PartMoments) -> &[f64]) -> Vec<f64> {
        let columns = self.contrast.columns;
        let mut both = vec![0.0; 2 * columns];
        for part in &self.contrast.parts {
            let from = if part.side == Side::One(Arm::Control) { columns } else { 0 };
            both[from..].iter_mut().zip(of(part)).for_each(|(sum, value)| *sum += value);
        }
        both
    }
}

/// Where the columns of the arms stand: outcomes arm by arm, then before-columns arm by arm.
#[derive(Clone, Copy)]
struct Layout {
    arms: usize,
    outcomes: usize,
    /// Of one arm: outcomes, and before-columns where there are some.
    columns: usize,
}

impl Layout {
    fn all(&self) -> usize {
        self.arms * self.columns
    }

    /// The place of an arm's column among all.
    fn place(&self, arm: usize, column: usize) -> usize {
        let (block, within) = (column / self.outcomes.max(1), column % self.outcomes.max(1));
        block * self.arms * self.outcomes + arm * self.outcomes + within
    }

    fn spread(&self, arm: usize, values: &[f64]) -> Vec<f64> {
        let mut all = vec![0.0; self.all()];
        values.iter().enumerate().for_each(|(column, value)| all[self.place(arm, column)] = *value);
        all
    }

    /// A part that belongs to one arm only.
    fn alone(&self, arm: usize, part: &PartMoments) -> PartMoments {
        let mut covariance = vec![0.0; self.all() * self.all()];
        self.block(&mut covariance, arm, &part.covariance);
        PartMoments {
            sums: self.spread(arm, &part.sums),
            rests: self.spread(arm, &part.rests),
            raw: self.spread(arm, &part.raw),
            means: Vec::new(),
            covariance,
            ..part.clone()
        }
    }

    /// An arm's own covariance, in its place.
    fn block(&self, covariance: &mut [f64], arm: usize, own: &[f64]) {
        for (at, value) in own.iter().enumerate() {
            covariance[self.place(arm, at / self.columns) * self.all() + self.place(arm, at % self.columns)] = *value;
        }
    }

    /// The control's part, in which the arms vary together. `scores` by arm and column.
    fn shared(&self, parts: &[&PartMoments], scores: &[Vec<Vec<f64>>]) -> PartMoments {
        let summed = |of: fn(&PartMoments) -> &[f64]| {
            let mut all = vec![0.0; self.all()];
            for (arm, part) in parts.iter().enumerate() {
                all.iter_mut().zip(self.spread(arm, of(part))).for_each(|(sum, value)| *sum += value);
            }
            all
        };
        let mut covariance = vec![0.0; self.all() * self.all()];
        for (arm, part) in parts.iter().enumerate() {
            self.block(&mut covariance, arm, &part.covariance);
            self.cross(&mut covariance, arm, |other, i, j| dot(&scores[arm][i], &scores[other][j]));
        }
        PartMoments {
            side: Side::One(Arm::Control),
            df: parts.iter().map(|part| part.df).fold(f64::INFINITY, f64::min),
            customers: parts.iter().map(|part| part.customers).fold(0.0, f64::max),
            sums: summed(|part| &part.sums),
            rests: summed(|part| &part.rests),
            means: Vec::new(),
            covariance,
            raw: summed(|part| &part.raw),
        }
    }

    /// The covariance of an arm's columns with those of the arms before it, both ways.
    fn cross(&self, covariance: &mut [f64], arm: usize, product: impl Fn(usize, usize, usize) -> f64) {
        for other in 0..arm {
            for i in 0..self.columns {
                for j in 0..self.columns {
                    let (a, b, value) = (self.place(arm, i), self.place(other, j), product(other, i, j));
                    covariance[a * self.all() + b] = value;
                    covariance[b * self.all() + a] = value;
                }
            }
        }
    }
}

/// One part whose scores are sums over clusters, which may hold customers of several arms.
fn clustered(applied: &[Applied], layout: Layout) -> Vec<PartMoments> {
    let scores: Vec<&ClusterScores> = applied.iter().filter_map(|a| a.clusters.as_ref()).collect();
    let mut codes: Vec<u32> = scores.iter().filter_map(|s| s.columns.first()).flatten().map(|(code, _)| *code).collect();
    codes.sort_unstable();
    codes.dedup();
    // By place, target side first: a score a cluster.
    let mut sides = vec![vec![0.0; codes.len()]; 2 * layout.all()];
    for (arm, found) in scores.iter().enumerate() {
        for (column, found) in found.columns.iter().enumerate() {
            for (code, both) in found {
                let Ok(cluster) = codes.binary_search(code) else { continue };
                for (side, score) in both.iter().enumerate() {
                    sides[side * layout.all() + layout.place(arm, column)][cluster] = *score;
                }
            }
        }
    }
    let covariance = sides.iter().flat_map(|a| sides.iter().map(move |b| dot(a, b))).collect();
    let both = |of: fn(&PartMoments) -> &[f64]| {
        let mut all = vec![0.0; 2 * layout.all()];
        for (arm, applied) in applied.iter().enumerate() {
            for (at, value) in applied.both(of).iter().enumerate() {
                all[at / layout.columns * layout.all() + layout.place(arm, at % layout.columns)] = *value;
            }
        }
        all
    };
    let part = PartMoments {
        side: Side::Both,
        df: scores.iter().map(|s| s.df).fold(f64::INFINITY, f64::min),
        customers: applied.iter().flat_map(|a| &a.contrast.parts).map(|part| part.customers).fold(0.0, f64::max),
        sums: both(|part| &part.sums),
        rests: both(|part| &part.rests),
        means: Vec::new(),
        covariance,
        raw: both(|part| &part.raw),
    };
    let apart: Option<Vec<[f64; 2]>> = scores.iter().map(|s| s.by_arm).collect();
    match apart {
        Some(df) if !df.is_empty() => part.by_arm([0, 1].map(|side| df.iter().map(|df| df[side]).fold(f64::INFINITY, f64::min))),
        _ => vec![part],
    }
}
