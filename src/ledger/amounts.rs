//! The value of an amount on a line.

use super::Ledger;
use super::frames::texts as column_texts;
use super::kept::Kept;
use super::matching::Hit;
use crate::cells::{AmountSource, AmountSpec, Partition};
use crate::error::{Error, Fault, Input, Problem, Result};
use crate::study::Where;

/// How the value of an amount on a line is found.
pub(super) struct AmountPlan<'a> {
    pub(super) source: &'a AmountSource,
    /// Product mask of a condition on a product column.
    mask: Option<Vec<bool>>,
    /// Whether VAT is taken out line by line.
    pub(super) ex_vat: bool,
    /// VAT rate by product, NaN where unknown.
    pub(super) vat: Vec<f64>,
}

impl<'a> AmountPlan<'a> {
    pub(super) fn new(kept: &Kept, partition: &Partition, amount: &'a AmountSpec) -> Result<Self> {
        let source = &amount.source;
        let known = |column: &str| {
            kept.number(column).ok_or_else(|| {
                let remedy = format!("{}Keep it when the ledger is made: `promotion.columns()` names all that a promotion needs", kept.number_hint(column));
                let problem = Problem::new(Input::Transactions, Fault::MissingColumn, "the ledger did not keep this column").column(column);
                Error::from(problem.remedy(remedy))
            })
        };
        let (mask, ex_vat) = match source {
            AmountSource::Column { column, ex_vat, condition } => {
                let mask = condition.as_ref().map(|c| mask(kept, partition, c)).transpose()?.flatten();
                known(column)?;
                (mask, *ex_vat)
            }
            AmountSource::Cost { otherwise, ex_vat, .. } => {
                for (column, _) in otherwise.iter().flatten() {
                    known(column)?;
                }
                (None, !ex_vat.is_empty())
            }
            AmountSource::PerUnit { .. } => (None, false),
        };
        let vat = if ex_vat && kept.products.has("vat") { partition.by_product(&kept.products.numbers("vat")?) } else { Vec::new() };
        Ok(Self { source, mask, ex_vat, vat })
    }

    /// What some lines offer for this amount.
    pub(super) fn values<'s>(&'s self, lines: &impl LineColumns<'s>) -> Result<Values<'s>> {
        let number = |name: &str| lines.number(name);
        let vat = || Ok::<_, Error>(LineOrProduct { line: lines.vat()?, product: &self.vat });
        match self.source {
            AmountSource::Column { column, ex_vat, condition } => {
                let values = number(column)?;
                let base = if *ex_vat { Base::ExVat { values, vat: vat()? } } else { Base::Plain(values) };
                let mask = match (condition, &self.mask) {
                    (None, _) => Mask::All,
                    (Some(_), Some(mask)) => Mask::Products(mask),
                    (Some(condition), None) => Mask::Rows(lines.meeting(condition)?),
                };
                Ok(Values { base, mask })
            }
            AmountSource::Cost { unit_cost, otherwise, ex_vat } => {
                let terms = |terms: &'s Vec<(String, f64)>| {
                    terms
                        .iter()
                        .map(|(name, factor)| Ok(Term { factor: *factor, values: number(name)?, ex_vat: ex_vat.contains(name) }))
                        .collect::<Result<Vec<_>>>()
                };
                let cost = LineOrProduct { line: lines.unit_cost()?, product: unit_cost };
                let otherwise = otherwise.as_ref().map(terms).transpose()?;
                Ok(Values { base: Base::Cost { quantity: number("quantity")?, cost, otherwise, vat: vat()? }, mask: Mask::All })
            }
            AmountSource::PerUnit { value } => Ok(Values { base: Base::PerUnit { quantity: number("quantity")?, value }, mask: Mask::All }),
        }
    }
}

/// The columns of some lines, one value a line.
pub(super) trait LineColumns<'s> {
    /// A numeric column that was kept.
    fn number(&self, name: &str) -> Result<&'s [f64]>;

    /// The unit cost of the lines, NaN where it is not known; `None` where lines have none.
    fn unit_cost(&self) -> Result<Option<&'s [f64]>>;

    /// The VAT rate of the lines, NaN where it is not known; `None` where lines have none.
    fn vat(&self) -> Result<Option<&'s [f64]>>;

    /// Which lines meet a condition on a text column of theirs.
    fn meeting(&self, condition: &Where) -> Result<Vec<bool>>;
}

/// The lines of one chunk of a ledger.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfChunk<'s> {
    pub(super) ledger: &'s Ledger,
    pub(super) chunk: usize,
}

impl<'s> LineColumns<'s> for OfChunk<'s> {
    fn number(&self, name: &str) -> Result<&'s [f64]> {
        self.ledger.number_chunk(name, self.chunk)
    }

    fn unit_cost(&self) -> Result<Option<&'s [f64]>> {
        if self.ledger.kept.has.unit_cost { self.ledger.line_chunk("unit_cost", self.chunk).map(Some) } else { Ok(None) }
    }

    fn vat(&self) -> Result<Option<&'s [f64]>> {
        if self.ledger.kept.has.vat { self.ledger.line_chunk("vat", self.chunk).map(Some) } else { Ok(None) }
    }

    fn meeting(&self, condition: &Where) -> Result<Vec<bool>> {
        let texts = column_texts(&self.ledger.column(&format!("text:{}", condition.column))?.clone().into())?;
        let array = texts.downcast_iter().nth(self.chunk);
        Ok(array.map(|array| array.iter().map(|t| t.is_some_and(|t| condition.holds(t))).collect()).unwrap_or_default())
    }
}

/// The products that meet a condition on a product column; `None` where the column is one of the lines.
fn mask(kept: &Kept, partition: &Partition, condition: &Where) -> Result<Option<Vec<bool>>> {
    if kept.texts.contains(&condition.column) && !kept.products.has(&condition.column) {
        return Ok(None);
    }
    let mut meets = kept.products.texts(&condition.column)?.are(|text| condition.holds(text));
    // Products that are sold but not listed have no text.
    meets.resize(partition.products.len(), false);
    Ok(Some(meets))
}

/// A number of the line, else of its product; NaN where neither is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineOrProduct<'c> {
    pub(super) line: Option<&'c [f64]>,
    pub(super) product: &'c [f64],
}

impl LineOrProduct<'_> {
    #[inline]
    pub(super) fn at(&self, hit: &Hit) -> f64 {
        let of_line = self.line.map_or(f64::NAN, |values| values[hit.row as usize]);
        if of_line.is_nan() { self.product.get(hit.product as usize).copied().unwrap_or(f64::NAN) } else { of_line }
    }

    /// Whether it is the line's own.
    pub(super) fn is_of_line(&self, hit: &Hit) -> bool {
        self.line.is_some_and(|values| !values[hit.row as usize].is_nan())
    }
}

/// What a chunk offers for one amount.
pub(super) struct Values<'c> {
    base: Base<'c>,
    mask: Mask<'c>,
}

enum Base<'c> {
    Plain(&'c [f64]),
    ExVat { values: &'c [f64], vat: LineOrProduct<'c> },
    Cost { quantity: &'c [f64], cost: LineOrProduct<'c>, otherwise: Option<Vec<Term<'c>>>, vat: LineOrProduct<'c> },
    PerUnit { quantity: &'c [f64], value: &'c [f64] },
}

/// Which lines count.
enum Mask<'c> {
    All,
    Products(&'c [bool]),
    Rows(Vec<bool>),
}

/// `factor x column`, with VAT taken out or not.
struct Term<'c> {
    factor: f64,
    values: &'c [f64],
    ex_vat: bool,
}

impl Values<'_> {
    /// The values of some lines.
    pub(super) fn of(&self, hits: &[Hit]) -> Vec<f64> {
        match (&self.base, &self.mask) {
            (Base::Plain(values), Mask::All) => hits.iter().map(|hit| values[hit.row as usize]).collect(),
            _ => hits.iter().map(|hit| self.at(hit)).collect(),
        }
    }

    /// The value on a line.
    pub(super) fn at(&self, hit: &Hit) -> f64 {
        let counts = match &self.mask {
            Mask::All => true,
            Mask::Products(mask) => mask.get(hit.product as usize).copied().unwrap_or(false),
            Mask::Rows(mask) => mask[hit.row as usize],
        };
        if counts { self.base.at(hit, hit.row as usize) } else { 0.0 }
    }
}

impl Base<'_> {
    fn at(&self, hit: &Hit, row: usize) -> f64 {
        match self {
            Self::Plain(values) => values[row],
            // A rate that is not known or not a rate is an error once all lines are counted.
            Self::ExVat { values, vat } => values[row] / (1.0 + vat.at(hit)),
            Self::Cost { quantity, cost, otherwise, vat } => {
                let cost = cost.at(hit);
                if !cost.is_nan() {
                    return cost * quantity[row];
                }
                let term = |term: &Term<'_>| term.factor * term.values[row] / if term.ex_vat { 1.0 + vat.at(hit) } else { 1.0 };
                otherwise.as_ref().map_or(f64::NAN, |terms| terms.iter().map(term).sum())
            }
            Self::PerUnit { quantity, value } => quantity[row] * value.get(hit.product as usize).copied().unwrap_or(0.0),
        }
    }
}
