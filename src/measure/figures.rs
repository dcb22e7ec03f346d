//! What a study says of each customer, for what combines several studies: sums over promotions, two promotions on the same customers, waves.

use super::design::covariates;
use super::{Job, Measurement};
use crate::cells::CellSource;
use crate::error::Result;
use crate::estimate::{ArmForm, Contrast, Estimator, Outcome};
use crate::known::{Known, Reason};
use crate::study::Study;

/// Money of a study, in sum over its target customers, and what each customer adds to its covariance with that of another study.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// Effects on the columns below: net sales, net profit, retailer cost.
    pub(crate) contrast: Contrast,
    pub(crate) net_sales: Known<Figure>,
    pub(crate) net_profit: Known<Figure>,
    /// Discount and internal cost less what suppliers pay.
    pub(crate) retailer_cost: ArmForm,
}

/// A figure: its form over the contrast, and each customer's score ([`Fit::scores`](crate::estimate::Fit::scores)).
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) form: ArmForm,
    pub(crate) scores: Vec<f64>,
}

/// A study's covariates and its effects on one measure, customer by customer.
#[derive(Debug)]
pub(crate) struct CustomerColumns {
    pub(crate) estimator: Box<dyn Estimator>,
    pub(crate) covariates: Vec<Vec<f64>>,
    /// By effect, in the order of the result: one value a customer, differenced where the estimator does so.
    pub(crate) effects: Vec<(String, Known<Vec<f64>>)>,
}

impl Study {
    /// Measures the promotion as [`Study::measure`], and keeps what each customer adds to its money.
    ///
    /// # Errors
    /// As [`Study::measure`].
    pub(crate) fn measure_with_figures(&self, source: &(impl CellSource + ?Sized)) -> Result<(Measurement, Figures)> {
        self.with_job(source, |job| Ok((job.measure()?, job.figures()?)))
    }

    /// The study's columns for the effects on a measure; `None` where it has no such measure.
    ///
    /// # Errors
    /// As [`Study::measure`].
    pub(crate) fn customer_columns(&self, source: &(impl CellSource + ?Sized), measure: &str) -> Result<Option<CustomerColumns>> {
        self.with_job(source, |job| job.columns(measure))
    }
}

impl Job<'_> {
    fn figures(&self) -> Result<Figures> {
        let books = self.books()?;
        let net_sales = books.measure("net_sales").map(|measure| books.money(books.total(Some(measure))));
        let cost = books.promotional_discount().plus_constant(books.internal_cost).plus(-1.0, &books.subsidy());
        let profit = books.net_profit();
        let columns: Vec<Vec<f64>> = [net_sales.as_ref(), profit.as_ref(), Some(&cost)].map(|form| self.values(form)).to_vec();
        let outcomes: Vec<Outcome<'_>> = columns.iter().map(|column| Outcome::new(column)).collect();
        let fit = self.fit.clone().of_differences();
        let contrast = fit.contrast(&outcomes)?;
        let form = |at: usize, of: &ArmForm| {
            let mut unit = vec![0.0; at + 1];
            unit[at] = 1.0;
            contrast.effect(&unit).plus_constant(of.constant)
        };
        let mut scores = fit.scores(&outcomes[..2])?.into_iter();
        let mut figure = |at: usize, of: Option<&ArmForm>, reason: Reason| {
            let scores = scores.next().unwrap_or_default();
            Known::from_option(of.map(|of| Figure { form: form(at, of), scores }), reason)
        };
        let net_sales = figure(0, net_sales.as_ref(), Reason::NotInCells);
        let net_profit = figure(1, profit.as_ref(), Reason::NoCost);
        let retailer_cost = form(2, &cost);
        Ok(Figures { contrast, net_sales, net_profit, retailer_cost })
    }

    /// A form's value for each customer, without its constant.
    fn values(&self, form: Option<&ArmForm>) -> Vec<f64> {
        form.map_or_else(|| vec![0.0; self.table.customers], |form| self.grid.by_customer(form.target.get(..self.grid.len()).unwrap_or_default()))
    }

    fn columns(self, measure: &str) -> Result<Option<CustomerColumns>> {
        let Some(measure) = self.plan.measures.iter().find(|m| m.name == measure) else { return Ok(None) };
        let effects = self.forms(measure).into_iter().map(|(name, form)| (name, form.map(|form| self.grid.by_customer(&form)))).collect();
        let columns = if self.estimator.adjusts() { covariates(self.study, self.plan, self.table)?.1 } else { Vec::new() };
        Ok(Some(CustomerColumns { covariates: columns, effects, estimator: self.estimator }))
    }
}
