//! The effects on one measure as a column each, one value a customer.

use super::Job;
use crate::effects::{Measure, MeasureKind};
use crate::estimate::Outcome;

/// The effects of one measure, each as a column of the customers' values; differenced already, where the estimator differences.
pub(super) struct Outcomes {
    pub(super) measure: String,
    pub(super) names: Vec<String>,
    /// The parts that sum to the total, as places in `names`.
    pub(super) parts: Vec<usize>,
    pub(super) columns: Vec<Vec<f64>>,
    /// The coefficients of each over the cells.
    pub(super) forms: Vec<Vec<f64>>,
}

impl Outcomes {
    pub(super) fn new(job: &Job<'_>, measure: &Measure) -> Self {
        let known = job.forms(measure).into_iter().filter_map(|(name, form)| Some((name, form.value()?)));
        let (names, forms): (Vec<String>, Vec<Vec<f64>>) = known.unzip();
        let parts: Vec<usize> = (0..names.len()).filter(|&at| names[at] != "total" && !names[at].contains('.')).collect();
        let adds_up = measure.kind != MeasureKind::Baskets;
        let mut columns: Vec<Vec<f64>> = Vec::with_capacity(forms.len());
        for (name, form) in names.iter().zip(&forms) {
            let column = if name == "total" && adds_up { sum_of(&parts, &columns) } else { job.grid.by_customer(form) };
            columns.push(column);
        }
        Self { measure: measure.name.clone(), names, parts, columns, forms }
    }

    pub(super) fn outcomes(&self) -> Vec<Outcome<'_>> {
        outcomes(self.columns.iter().map(Vec::as_slice))
    }
}

pub(super) fn outcomes<'o>(columns: impl Iterator<Item = &'o [f64]>) -> Vec<Outcome<'o>> {
    columns.map(Outcome::new).collect()
}

/// The sum of some columns.
fn sum_of(parts: &[usize], columns: &[Vec<f64>]) -> Vec<f64> {
    let mut sum = vec![0.0; columns.first().map_or(0, Vec::len)];
    parts.iter().filter_map(|&part| columns.get(part)).for_each(|column| sum.iter_mut().zip(column).for_each(|(s, v)| *s += v));
    sum
}
