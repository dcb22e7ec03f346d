//! Cells by their names: measures and effects as linear forms over atoms and amounts.
//!
//! A measure is a row over amounts, an effect a set of atoms; together they are one form over the outcomes of a contrast, so that everything
//! adds up across effects *and* across measures.

use rayon::prelude::*;

use crate::cells::{Atom, CellTable, Role};
use crate::estimate::{Outcome, dot};
use crate::known::Reason;
use crate::study::{Arm, Period, Windows};

/// A number of a line: `sum of factor x amount`, or the count of baskets.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The name.
    pub name: String,
    /// How it is made.
    pub kind: MeasureKind,
}

/// How a measure is made.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MeasureKind {
    /// A linear form over amounts.
    Sum(Vec<Term>),
    /// Distinct baskets; not a sum over lines.
    Baskets,
}

/// One term of a measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Index of the amount in the cell table.
    pub amount: usize,
    /// Its factor.
    pub factor: f64,
    /// Only products of this supplier.
    pub supplier: Option<u16>,
    /// Only offer lines.
    pub offer_lines: bool,
}

impl Term {
    /// A term over all lines.
    #[must_use]
    pub const fn new(amount: usize, factor: f64) -> Self {
        Self { amount, factor, supplier: None, offer_lines: false }
    }

    /// Whether it counts the lines of an atom.
    #[must_use]
    pub fn counts(&self, atom: &Atom) -> bool {
        let supplier = self.supplier.is_none_or(|s| atom.class.supplier == Some(s));
        supplier && (!self.offer_lines || atom.offer == Some(true))
    }
}

impl Measure {
    /// A measure that is a linear form over amounts.
    #[must_use]
    pub fn sum(name: impl Into<String>, terms: Vec<Term>) -> Self {
        Self { name: name.into(), kind: MeasureKind::Sum(terms) }
    }

    /// Its terms; none for baskets.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        match &self.kind {
            MeasureKind::Sum(terms) => terms,
            MeasureKind::Baskets => &[],
        }
    }

    /// `self + factor x other`, as a new measure.
    #[must_use]
    pub fn plus(&self, name: &str, factor: f64, other: &Self) -> Self {
        let scaled = other.terms().iter().map(|t| Term { factor: factor * t.factor, ..*t });
        Self::sum(name, self.terms().iter().copied().chain(scaled).collect())
    }
}

/// A set of cells after the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The name.
    pub name: String,
    /// Its cells.
    pub cells: Vec<(Role, Period)>,
    /// Only the part on general sale, or off it.
    pub marked_down: Option<bool>,
    /// Why it cannot be measured.
    pub absent: Option<Reason>,
}

impl Effect {
    fn new(name: &str, cells: Vec<(Role, Period)>) -> Self {
        Self { name: name.into(), cells, marked_down: None, absent: None }
    }

    /// Whether it counts the lines of an atom.
    #[must_use]
    pub fn counts(&self, atom: &Atom) -> bool {
        let flagged = self.marked_down.is_none_or(|m| atom.marked_down == Some(m));
        flagged && self.cells.contains(&(atom.class.role, atom.period))
    }

    /// Whether it is one of the parts that sum to the total.
    #[must_use]
    pub fn is_part(&self) -> bool {
        self.marked_down.is_none() && self.name != "total"
    }
}

/// The effects, each a set of cells after the baseline: parts before the total, sub-effects (on general sale, off it) behind their part.
///
/// | effect | cells |
/// |---|---|
/// | `direct` | focal.promotion |
/// | `cannibalisation` | substitute.promotion |
/// | `halo` | other.promotion |
/// | `forward_buying` | focal.post + substitute.post |
/// | `carry_over` | other.post |
/// | `anticipation` | all roles, from the announcement to the start; only if announced |
/// | `total` | every cell after the baseline |
#[must_use]
pub fn effects(windows: &Windows, announced: bool, markdown: bool) -> Vec<Effect> {
    use Period::{Anticipation, Post, Promotion};
    use Role::{Focal, Other, Substitute};
    let mut effects = Vec::new();
    for (name, role) in [("direct", Focal), ("cannibalisation", Substitute), ("halo", Other)] {
        let effect = Effect::new(name, vec![(role, Promotion)]);
        if markdown {
            for (part, flag) in [("marked_down", true), ("full_price", false)] {
                effects.push(Effect { name: format!("{name}.{part}"), marked_down: Some(flag), ..effect.clone() });
            }
        }
        effects.push(effect);
    }
    // The part first, then what it is made of.
    effects.sort_by_key(|e| (["direct", "cannibalisation", "halo"].iter().position(|n| e.name.starts_with(n)), e.marked_down.is_some()));
    let no_post = (windows.days(Post) == 0).then_some(Reason::NoPostWindow);
    effects.push(Effect { absent: no_post, ..Effect::new("forward_buying", vec![(Focal, Post), (Substitute, Post)]) });
    effects.push(Effect { absent: no_post, ..Effect::new("carry_over", vec![(Other, Post)]) });
    if announced {
        let absent = (windows.days(Anticipation) == 0).then_some(Reason::NoAnticipationWindow);
        effects.push(Effect { absent, ..Effect::new("anticipation", Role::ALL.map(|role| (role, Anticipation)).to_vec()) });
    }
    let after = [Anticipation, Promotion, Post];
    effects.push(Effect::new("total", after.into_iter().flat_map(|p| Role::ALL.map(|role| (role, p))).collect()));
    effects
}

/// The outcomes of a study: one for each atom after the baseline and amount, then one for each basket cell after the baseline.
#[derive(Debug)]
pub(crate) struct Grid<'a> {
    table: &'a CellTable,
    atoms: Vec<usize>,
    baskets: Vec<usize>,
    before: Vec<Vec<f64>>,
    exposure: Vec<f64>,
}

impl<'a> Grid<'a> {
    /// Lays the outcomes out; before-columns are made where `differences` asks for them.
    pub(crate) fn new(table: &'a CellTable, windows: &Windows, differences: bool) -> Self {
        let atoms: Vec<usize> = (0..table.atoms.len()).filter(|&a| table.atoms[a].period != Period::Baseline).collect();
        let baskets: Vec<usize> = (0..table.baskets.len()).filter(|&b| table.baskets[b].period != Period::Baseline).collect();
        let mut grid = Self { table, atoms, baskets, before: Vec::new(), exposure: Vec::new() };
        if differences && windows.days(Period::Baseline) > 0 {
            grid.fill_before(windows);
        }
        grid
    }

    /// Whether the estimator takes the baseline off.
    pub(crate) fn differences(&self) -> bool {
        !self.before.is_empty()
    }

    /// How many outcomes there are.
    pub(crate) fn len(&self) -> usize {
        self.atoms.len() * self.table.amounts.len() + self.baskets.len()
    }

    /// The outcomes.
    pub(crate) fn outcomes(&self) -> Vec<Outcome<'_>> {
        (0..self.len())
            .map(|index| {
                let outcome = Outcome::new(self.values(index));
                match self.before.get(index) {
                    Some(before) => outcome.with_before(before, self.exposure[index]),
                    None => outcome,
                }
            })
            .collect()
    }

    fn values(&self, index: usize) -> &'a [f64] {
        let amounts = self.table.amounts.len();
        let sums = self.atoms.len() * amounts;
        if index < sums { self.table.column(self.atoms[index / amounts], index % amounts) } else { &self.table.baskets[self.baskets[index - sums]].baskets }
    }

    /// The baseline of each outcome: that of its product class, given to the atom off the offer lines; a part on general sale has each product's
    /// baseline times the share of its days on sale.
    fn fill_before(&mut self, windows: &Windows) {
        let table = self.table;
        let amounts = table.amounts.len();
        let exposure = |period: Period| f64::from(windows.days(period)) / f64::from(windows.days(Period::Baseline));
        for &index in &self.atoms {
            let atom = &table.atoms[index];
            for amount in 0..amounts {
                let column = if atom.offer == Some(true) {
                    vec![0.0; table.customers]
                } else {
                    let whole = table.sum(amount, |a| a.period == Period::Baseline && a.class == atom.class);
                    match (atom.marked_down, table.baseline_on_sale(atom, amount)) {
                        (Some(true), Some(on_sale)) => on_sale.to_vec(),
                        (Some(false), Some(on_sale)) => whole.iter().zip(on_sale).map(|(w, s)| w - s).collect(),
                        (Some(true), None) => vec![0.0; table.customers],
                        _ => whole,
                    }
                };
                self.before.push(column);
                self.exposure.push(exposure(atom.period));
            }
        }
        for &index in &self.baskets {
            let cell = &table.baskets[index];
            let before = table.baskets.iter().find(|b| b.period == Period::Baseline && b.role == cell.role);
            self.before.push(before.map_or_else(|| vec![0.0; table.customers], |b| b.baskets.clone()));
            self.exposure.push(exposure(cell.period));
        }
    }

    /// A form's value for each customer, the scaled before-columns taken off where the estimator differences.
    pub(crate) fn by_customer(&self, form: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.table.customers];
        for (index, coefficient) in form.iter().enumerate().filter(|(_, c)| **c != 0.0) {
            sum.iter_mut().zip(self.values(index)).for_each(|(s, v)| *s += coefficient * v);
            if let Some(before) = self.before.get(index) {
                let factor = coefficient * self.exposure[index];
                sum.iter_mut().zip(before).for_each(|(s, b)| *s -= factor * b);
            }
        }
        sum
    }

    /// What a form's before-columns come to for each customer, scaled to the days of its outcomes; `None` where the estimator does not difference.
    pub(crate) fn before_by_customer(&self, form: &[f64]) -> Option<Vec<f64>> {
        if self.before.is_empty() {
            return None;
        }
        let mut sum = vec![0.0; self.table.customers];
        for ((coefficient, before), exposure) in form.iter().zip(&self.before).zip(&self.exposure) {
            sum.iter_mut().zip(before).for_each(|(s, b)| *s += coefficient * exposure * b);
        }
        Some(sum)
    }

    /// The coefficients of a measure over the atoms that meet a condition.
    pub(crate) fn form(&self, measure: &Measure, which: impl Fn(&Atom) -> bool) -> Vec<f64> {
        let amounts = self.table.amounts.len();
        let mut form = vec![0.0; self.len()];
        for (place, &index) in self.atoms.iter().enumerate() {
            let atom = &self.table.atoms[index];
            if which(atom) {
                for term in measure.terms().iter().filter(|t| t.counts(atom)) {
                    form[place * amounts + term.amount] += term.factor;
                }
            }
        }
        form
    }

    /// The coefficients of an effect on a measure.
    pub(crate) fn effect(&self, effect: &Effect, measure: &Measure) -> Vec<f64> {
        match measure.kind {
            MeasureKind::Sum(_) => self.form(measure, |atom| effect.counts(atom)),
            MeasureKind::Baskets if effect.name == "total" => self.basket_form(|role, _| role.is_none()),
            MeasureKind::Baskets => self.basket_form(|role, period| role.is_some_and(|role| effect.cells.contains(&(role, period)))),
        }
    }

    /// Baskets counted in more than one part: the sum of the parts minus the total.
    pub(crate) fn overlap(&self) -> Vec<f64> {
        let parts = self.basket_form(|role, _| role.is_some());
        let total = self.basket_form(|role, _| role.is_none());
        parts.iter().zip(total).map(|(p, t)| p - t).collect()
    }

    /// The coefficients of distinct baskets over the cells that meet a condition; without a role those of all roles together.
    pub(crate) fn basket_form(&self, which: impl Fn(Option<Role>, Period) -> bool) -> Vec<f64> {
        let mut form = vec![0.0; self.len()];
        let sums = self.atoms.len() * self.table.amounts.len();
        for (place, &index) in self.baskets.iter().enumerate() {
            let cell = &self.table.baskets[index];
            if which(cell.role, cell.period) {
                form[sums + place] = 1.0;
            }
        }
        form
    }

    /// The sums of a form in both arms.
    pub(crate) fn arm_sums(&self, form: &[f64], sums: &ArmSums) -> [f64; 2] {
        let amounts = self.table.amounts.len();
        let cells = self.atoms.len() * amounts;
        let of = |index: usize| {
            if index < cells { sums.columns[self.atoms[index / amounts] * amounts + index % amounts] } else { sums.baskets[self.baskets[index - cells]] }
        };
        weighted(form.iter().enumerate().filter(|(_, c)| **c != 0.0).map(|(index, coefficient)| (*coefficient, of(index))))
    }
}

/// The sums over target and control of every column of a cell table, made once: sums of cells and forms are linear in them.
#[derive(Debug)]
pub(crate) struct ArmSums {
    columns: Vec<[f64; 2]>,
    baskets: Vec<[f64; 2]>,
}

impl ArmSums {
    pub(crate) fn new(table: &CellTable, arm: &[Arm]) -> Self {
        let ones = [Arm::Target, Arm::Control].map(|of| arm.iter().map(|arm| f64::from(u8::from(*arm == of))).collect::<Vec<f64>>());
        let of = |column: &[f64]| ones.each_ref().map(|ones| dot(column, ones));
        Self { columns: table.columns.par_iter().map(|c| of(c)).collect(), baskets: table.baskets.iter().map(|b| of(&b.baskets)).collect() }
    }

    /// Distinct baskets of the table's cells.
    pub(crate) fn baskets(&self) -> &[[f64; 2]] {
        &self.baskets
    }

    /// A measure over the atoms that meet a condition; any atoms, the baseline's too.
    pub(crate) fn measure(&self, table: &CellTable, measure: &Measure, which: impl Fn(&Atom) -> bool) -> [f64; 2] {
        let amounts = table.amounts.len();
        let atoms = table.atoms.iter().enumerate().filter(|(_, atom)| which(atom));
        weighted(atoms.flat_map(|(index, atom)| {
            measure.terms().iter().filter(move |t| t.counts(atom)).map(move |t| (t.factor, self.columns[index * amounts + t.amount]))
        }))
    }
}

/// `sum of factor x sums`.
fn weighted(terms: impl Iterator<Item = (f64, [f64; 2])>) -> [f64; 2] {
    terms.fold([0.0; 2], |[a, b], (factor, [x, y])| [a + factor * x, b + factor * y])
}

/// The values of a measure summed over the atoms that meet a condition, by customer; any atoms, the baseline's too.
#[must_use]
pub fn measure_by_customer(table: &CellTable, measure: &Measure, which: impl Fn(&Atom) -> bool) -> Vec<f64> {
    let mut sum = vec![0.0; table.customers];
    for (index, atom) in table.atoms.iter().enumerate().filter(|(_, atom)| which(atom)) {
        for term in measure.terms().iter().filter(|t| t.counts(atom)) {
            sum.iter_mut().zip(table.column(index, term.amount)).for_each(|(s, v)| *s += term.factor * v);
        }
    }
    sum
}
