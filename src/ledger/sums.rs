//! From hits to cells: sums of amounts, distinct baskets, counts of lines.

use hashbrown::HashSet;
use rayon::prelude::*;

use super::frames::texts as column_texts;
use super::lookup::{Keys, NONE, mix};
use super::matching::{BlockHits, Dictionaries, Hit, IdColumns, Matcher, class_of, role_of};
use super::scan::{TICKS, ticks};
use super::{Ledger, lines::number_hint};
use crate::cells::{AmountSource, AmountSpec, BasketCell, Catalogue, CellSource, CellTable, Facts, LineCounts, OfferRule, Partition, ProductClass, Role};
use crate::error::{Error, Fault, Input, Problem, Problems, Result};
use crate::study::{Assignment, Period, Where};

/// Blocks matched before their hits are summed: bounds the memory of hits.
const BLOCKS_AT_ONCE: usize = 64;

/// The sum of discount columns on a row.
#[inline]
pub(super) fn discount_sum(discounts: &[&[f64]], row: usize) -> f64 {
    discounts.iter().map(|column| column[row]).sum()
}

impl CellSource for Ledger {
    fn catalogue(&self) -> Catalogue<'_> {
        Catalogue {
            products: &self.products,
            days: self.days(),
            numbers: self.numbers.iter().map(|n| n.name.as_str()).collect(),
            texts: self.texts.iter().map(String::as_str).collect(),
            user_measures: &self.user_measures,
            line_cost: self.has.unit_cost,
            line_vat: self.has.vat,
            flag: self.has.flag,
            baskets: true,
        }
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<CellTable> {
        let ids = IdColumns::new(self)?;
        let dictionaries = Dictionaries::new(assignment, partition);
        let matcher = Matcher::new(self, partition, assignment, &ids, &dictionaries)?;
        let basket = if self.has.basket { Some(self.ids("basket")?) } else { None };
        let plan = amounts.iter().map(|amount| Plan::new(self, partition, amount)).collect::<Result<Vec<_>>>()?;
        let names = amounts.iter().map(|a| a.name.clone()).collect();
        let mut sums = Sums::new(self, partition, assignment.len(), plan, names);
        let blocks: Vec<(usize, usize)> =
            self.blocks.iter().enumerate().flat_map(|(chunk, blocks)| (0..blocks.len()).map(move |block| (chunk, block))).collect();
        for some in blocks.chunks(BLOCKS_AT_ONCE) {
            let found: Vec<BlockHits> = some.par_iter().map(|&(chunk, block)| matcher.block(chunk, block)).collect::<Result<_>>()?;
            sums.add(&found)?;
            sums.count(&found, &matcher, basket.as_ref().map(Keys::new).as_ref())?;
        }
        sums.finish(&matcher, assignment)
    }
}

/// How the value of an amount on a line is found.
struct Plan<'a> {
    source: &'a AmountSource,
    exact: bool,
    /// Product mask of a condition on a product column.
    mask: Option<Vec<bool>>,
    /// Whether VAT is taken out.
    ex_vat: bool,
    /// VAT rate by product, NaN where unknown.
    vat: Vec<f64>,
}

impl<'a> Plan<'a> {
    fn new(ledger: &Ledger, partition: &Partition, amount: &'a AmountSpec) -> Result<Self> {
        let source = &amount.source;
        let kept = |column: &str| {
            ledger.number(column).ok_or_else(|| {
                let remedy = format!("{}Keep it when the ledger is made: `promotion.columns()` names all that a promotion needs", number_hint(ledger, column));
                let problem = Problem::new(Input::Transactions, Fault::MissingColumn, "the ledger did not keep this column").column(column);
                Error::from(problem.remedy(remedy))
            })
        };
        let (exact, mask, ex_vat) = match source {
            AmountSource::Column { column, ex_vat, condition } => {
                let mask = condition.as_ref().map(|c| mask(ledger, partition, c)).transpose()?.flatten();
                (kept(column)?.exact && !ex_vat, mask, *ex_vat)
            }
            AmountSource::Cost { otherwise, ex_vat, .. } => {
                for (column, _) in otherwise.iter().flatten() {
                    kept(column)?;
                }
                (false, None, !ex_vat.is_empty())
            }
            AmountSource::PerUnit { .. } => (false, None, false),
        };
        let vat = if ex_vat && ledger.products.has("vat") { by_product(partition, &ledger.products.numbers("vat")?) } else { Vec::new() };
        Ok(Self { source, exact, mask, ex_vat, vat })
    }

    /// What a chunk offers for this amount.
    fn values<'s>(&'s self, ledger: &'s Ledger, chunk: usize) -> Result<Values<'s>> {
        let number = |name: &str| ledger.number_chunk(name, chunk);
        let line = |there: bool, name: &str| if there { number(name).map(Some) } else { Ok(None) };
        match self.source {
            AmountSource::Column { column, ex_vat, condition } => {
                let values = number(column)?;
                match (ex_vat, condition, &self.mask) {
                    (true, _, mask) => Ok(Values::Vat { values, mask: mask.as_deref(), line: line(ledger.has.vat, "vat")?, product: &self.vat }),
                    (false, None, _) => Ok(Values::Plain(values)),
                    (false, Some(_), Some(mask)) => Ok(Values::Masked { values, mask }),
                    (false, Some(condition), None) => Ok(Values::Text { values, texts: text_mask(ledger, condition, chunk)? }),
                }
            }
            AmountSource::Cost { unit_cost, otherwise, ex_vat } => {
                let terms = |terms: &'s Vec<(String, f64)>| {
                    terms.iter().map(|(name, factor)| Ok((*factor, number(name)?, ex_vat.contains(name)))).collect::<Result<Vec<_>>>()
                };
                Ok(Values::Cost {
                    quantity: number("quantity")?,
                    line: line(ledger.has.unit_cost, "unit_cost")?,
                    product: unit_cost,
                    otherwise: otherwise.as_ref().map(terms).transpose()?,
                    vat_line: line(ledger.has.vat, "vat")?,
                    vat_product: &self.vat,
                })
            }
            AmountSource::PerUnit { value } => Ok(Values::PerUnit { quantity: number("quantity")?, value }),
        }
    }

    /// Whether values are made rather than read, so that their exactness is only known once they are.
    fn made(&self) -> bool {
        matches!(self.source, AmountSource::Cost { .. } | AmountSource::PerUnit { .. })
    }
}

/// The rows of a chunk whose text meets a condition.
fn text_mask(ledger: &Ledger, condition: &Where, chunk: usize) -> Result<Vec<bool>> {
    let texts = column_texts(&ledger.column(&format!("text:{}", condition.column))?.clone().into())?;
    let array = texts.downcast_iter().nth(chunk);
    Ok(array.map(|array| array.iter().map(|t| t.is_some_and(|t| condition.values.iter().any(|v| v == t))).collect()).unwrap_or_default())
}

/// The products that meet a condition on a product column; `None` where the column is one of the lines.
fn mask(ledger: &Ledger, partition: &Partition, condition: &Where) -> Result<Option<Vec<bool>>> {
    if ledger.texts.contains(&condition.column) && !ledger.products.has(&condition.column) {
        return Ok(None);
    }
    let texts = ledger.products.texts(&condition.column)?;
    let meets = |index: usize| texts.get(index).and_then(Option::as_ref).is_some_and(|t| condition.values.contains(t));
    Ok(Some((0..partition.products.len()).map(meets).collect()))
}

/// Values of the product table by product of the partition, NaN where unknown.
pub(crate) fn by_product(partition: &Partition, values: &[Option<f64>]) -> Vec<f64> {
    (0..partition.products.len()).map(|index| values.get(index).copied().flatten().unwrap_or(f64::NAN)).collect()
}

/// What a chunk offers for one amount.
enum Values<'c> {
    Plain(&'c [f64]),
    Masked {
        values: &'c [f64],
        mask: &'c [bool],
    },
    Text {
        values: &'c [f64],
        texts: Vec<bool>,
    },
    Vat {
        values: &'c [f64],
        mask: Option<&'c [bool]>,
        line: Option<&'c [f64]>,
        product: &'c [f64],
    },
    Cost {
        quantity: &'c [f64],
        line: Option<&'c [f64]>,
        product: &'c [f64],
        otherwise: Option<Vec<(f64, &'c [f64], bool)>>,
        vat_line: Option<&'c [f64]>,
        vat_product: &'c [f64],
    },
    PerUnit {
        quantity: &'c [f64],
        value: &'c [f64],
    },
}

/// A number of the line, else of its product; NaN where neither is known.
struct LineOrProduct<'c> {
    line: Option<&'c [f64]>,
    product: &'c [f64],
}

impl LineOrProduct<'_> {
    #[inline]
    fn at(&self, hit: &Hit) -> f64 {
        let of_line = self.line.map_or(f64::NAN, |values| values[hit.row as usize]);
        if of_line.is_nan() { self.product.get(hit.product as usize).copied().unwrap_or(f64::NAN) } else { of_line }
    }
}

/// 1 + the VAT rate of the line, else of the product. A rate that is not known or not a rate is an error once all lines are counted.
#[inline]
fn vat_divisor(line: Option<&[f64]>, product: &[f64], hit: &Hit) -> f64 {
    1.0 + LineOrProduct { line, product }.at(hit)
}

/// Used lines that lack something or have it wrong: the first of them, and how many there are.
#[derive(Debug, Clone, Copy)]
struct BadLines {
    first: u64,
    count: u64,
    product: u32,
    value: f64,
}

/// What was counted in a block.
struct Counted {
    lines: LineCounts,
    baskets: Vec<(u32, u64, u32)>,
    lacking: Lacking,
}

/// What used lines lack.
#[derive(Debug, Clone, Copy, Default)]
struct Lacking {
    cost: Option<BadLines>,
    vat: Option<BadLines>,
    vat_in_range: Option<BadLines>,
}

impl Lacking {
    /// Looks at one line.
    fn look(&mut self, hit: &Hit, cost: Option<&LineOrProduct<'_>>, vat: Option<&LineOrProduct<'_>>) {
        let line = |value: f64| BadLines { first: hit.row.into(), count: 1, product: hit.product, value };
        if let Some(cost) = cost.map(|c| c.at(hit))
            && cost.is_nan()
        {
            self.cost = more(self.cost, Some(line(cost)));
        }
        match vat.map(|v| v.at(hit)) {
            Some(rate) if rate.is_nan() => self.vat = more(self.vat, Some(line(rate))),
            Some(rate) if !(0.0..1.0).contains(&rate) => self.vat_in_range = more(self.vat_in_range, Some(line(rate))),
            _ => {}
        }
    }

    /// Adds what a later block lacks, whose chunk begins at `offset`.
    fn add(&mut self, block: Self, offset: u64) {
        let moved = |bad: Option<BadLines>| bad.map(|bad| BadLines { first: bad.first + offset, ..bad });
        self.cost = more(self.cost, moved(block.cost));
        self.vat = more(self.vat, moved(block.vat));
        self.vat_in_range = more(self.vat_in_range, moved(block.vat_in_range));
    }
}

/// Those found first, with the count of both.
fn more(found: Option<BadLines>, later: Option<BadLines>) -> Option<BadLines> {
    match (found, later) {
        (Some(found), Some(later)) => Some(BadLines { count: found.count + later.count, ..found }),
        (found, later) => found.or(later),
    }
}

impl Values<'_> {
    #[inline]
    fn at(&self, hit: &Hit) -> f64 {
        let row = hit.row as usize;
        let meets = |mask: &[bool]| mask.get(hit.product as usize).copied().unwrap_or(false);
        match self {
            Self::Plain(values) => values[row],
            Self::Masked { values, mask } => {
                if meets(mask) {
                    values[row]
                } else {
                    0.0
                }
            }
            Self::Text { values, texts } => {
                if texts[row] {
                    values[row]
                } else {
                    0.0
                }
            }
            Self::Vat { values, mask, line, product } => {
                if mask.is_none_or(meets) {
                    values[row] / vat_divisor(*line, product, hit)
                } else {
                    0.0
                }
            }
            Self::Cost { quantity, line, product, otherwise, vat_line, vat_product } => {
                let cost = LineOrProduct { line: *line, product }.at(hit);
                if !cost.is_nan() {
                    return cost * quantity[row];
                }
                let divisor = || vat_divisor(*vat_line, vat_product, hit);
                otherwise
                    .as_ref()
                    .map_or(f64::NAN, |terms| terms.iter().map(|(factor, values, vat)| factor * values[row] / if *vat { divisor() } else { 1.0 }).sum())
            }
            Self::PerUnit { quantity, value } => quantity[row] * value.get(hit.product as usize).copied().unwrap_or(0.0),
        }
    }
}

/// The sums while they grow.
struct Sums<'a> {
    ledger: &'a Ledger,
    partition: &'a Partition,
    customers: usize,
    plan: Vec<Plan<'a>>,
    names: Vec<String>,
    atoms: usize,
    /// Row-major: customer, atom, amount. In ticks where the amount is exact.
    exact: Vec<i64>,
    /// The same for the others, and for made amounts until it is known that they are exact.
    real: Vec<f64>,
    /// Which amounts have a place in `exact`, in `real`.
    exact_amounts: Vec<usize>,
    real_amounts: Vec<usize>,
    /// Made amounts that turned out not to be exact.
    inexact: Vec<bool>,
    /// (customer, basket, mask of role x span, 31: an offer line).
    baskets: Vec<(u32, u64, u32)>,
    seen: Vec<u32>,
    lines: LineCounts,
    stores: HashSet<u64>,
    lacking: Lacking,
}

impl<'a> Sums<'a> {
    fn new(ledger: &'a Ledger, partition: &'a Partition, customers: usize, plan: Vec<Plan<'a>>, names: Vec<String>) -> Self {
        let atoms = partition.atoms().len();
        let exact_amounts: Vec<usize> = (0..plan.len()).filter(|&i| plan[i].exact || plan[i].made()).collect();
        let real_amounts: Vec<usize> = (0..plan.len()).filter(|&i| !plan[i].exact).collect();
        Self {
            ledger,
            partition,
            customers,
            atoms,
            exact: vec![0; customers * atoms * exact_amounts.len()],
            real: vec![0.0; customers * atoms * real_amounts.len()],
            inexact: vec![false; plan.len()],
            plan,
            names,
            exact_amounts,
            real_amounts,
            baskets: Vec::new(),
            seen: vec![0; customers],
            lines: LineCounts { read: ledger.len() as u64, ..LineCounts::default() },
            stores: HashSet::new(),
            lacking: Lacking::default(),
        }
    }

    /// Adds the amounts of some blocks. Each thread owns a range of customers and visits all hits in row order: no bit depends on their number.
    fn add(&mut self, found: &[BlockHits]) -> Result<()> {
        let Self { ledger, customers, plan, exact, real, exact_amounts, real_amounts, atoms, .. } = self;
        let (plan, exact_amounts, real_amounts): (&[Plan<'a>], &[usize], &[usize]) = (plan, exact_amounts, real_amounts);
        let mut values = Vec::with_capacity(found.len());
        for block in found {
            values.push(plan.iter().map(|plan| plan.values(ledger, block.chunk)).collect::<Result<Vec<_>>>()?);
        }
        let ranges = rayon::current_num_threads().clamp(1, 16);
        let per_range = customers.div_ceil(ranges).max(1);
        let (exact_width, real_width) = (*atoms * exact_amounts.len(), *atoms * real_amounts.len());
        let exact = chunks(exact, per_range * exact_width, ranges);
        let real = chunks(real, per_range * real_width, ranges);
        let inexact: Vec<Vec<bool>> = exact
            .into_par_iter()
            .zip(real)
            .enumerate()
            .map(|(range, (exact, real))| {
                let mine = (range * per_range) as u32..((range + 1) * per_range) as u32;
                let mut inexact = vec![false; plan.len()];
                for (block, values) in found.iter().zip(&values) {
                    for hit in block.hits.iter().filter(|hit| mine.contains(&hit.customer)) {
                        let customer = (hit.customer - mine.start) as usize;
                        let base = customer * exact_width + usize::from(hit.atom) * exact_amounts.len();
                        for (slot, &amount) in exact[base..base + exact_amounts.len()].iter_mut().zip(exact_amounts) {
                            let value = values[amount].at(hit);
                            let whole = ticks(value);
                            *slot = slot.wrapping_add(whole);
                            if plan[amount].made() {
                                inexact[amount] |= !((value * TICKS - whole as f64).abs() <= (value * TICKS).abs() * 1e-15) || whole.unsigned_abs() > 1 << 40;
                            }
                        }
                        let base = customer * real_width + usize::from(hit.atom) * real_amounts.len();
                        for (slot, &amount) in real[base..base + real_amounts.len()].iter_mut().zip(real_amounts) {
                            *slot += values[amount].at(hit);
                        }
                    }
                }
                inexact
            })
            .collect();
        for found in inexact {
            self.inexact.iter_mut().zip(found).for_each(|(a, b)| *a |= b);
        }
        Ok(())
    }

    /// Counts lines, customers seen, and baskets of some blocks.
    fn count(&mut self, found: &[BlockHits], matcher: &Matcher<'_>, keys: Option<&Keys<'_>>) -> Result<()> {
        let roles: Vec<u32> = Role::ALL.iter().zip(0..).map(|(_, i)| i).collect();
        let partial: Vec<Counted> = found
            .par_iter()
            .map(|block| {
                let (quantity, net_sales) = (self.ledger.number_chunk("quantity", block.chunk)?, self.ledger.number_chunk("net_sales", block.chunk)?);
                let days = self.ledger.day_chunk(block.chunk)?;
                let (cost, vat) = (self.unit_costs(block.chunk)?, self.vat_rates(block.chunk)?);
                let mut lines = LineCounts {
                    used: block.hits.len() as u64,
                    outside_windows: block.outside_windows,
                    outside_assignment: block.outside_assignment,
                    ..LineCounts::default()
                };
                let mut baskets: Vec<(u32, u64, u32)> = Vec::new();
                let mut lacking = Lacking::default();
                for hit in &block.hits {
                    let row = hit.row as usize;
                    self.count_line(&mut lines, hit, quantity[row], net_sales[row]);
                    lacking.look(hit, cost.as_ref(), vat.as_ref());
                    let store = || matcher.stores.as_ref().and_then(|keys| keys.get(block.chunk, row)).unwrap_or(0);
                    let key = match keys.and_then(|keys| keys.get(block.chunk, row)) {
                        Some(key) => key,
                        None => mix(store() ^ (days[row] as u64) << 32) | 1 << 63,
                    };
                    let role = roles[role_of(self.partition, hit.product) as usize];
                    let bits = 1 << (role * 8 + u32::from(hit.span)) | u32::from(hit.offer) << 31;
                    match baskets.last_mut() {
                        Some((customer, basket, mask)) if *customer == hit.customer && *basket == key => *mask |= bits,
                        _ => baskets.push((hit.customer, key, bits)),
                    }
                }
                Ok(Counted { lines, baskets, lacking })
            })
            .collect::<Result<_>>()?;
        for (Counted { lines, baskets, lacking }, block) in partial.into_iter().zip(found) {
            self.lines = self.lines.plus(lines);
            for (customer, _, mask) in &baskets {
                self.seen[*customer as usize] |= (mask | mask >> 8 | mask >> 16) & 0xff;
            }
            self.baskets.extend(baskets);
            let offset = (0..block.chunk).map(|c| self.ledger.day_chunk(c).map_or(0, |d| d.len() as u64)).sum();
            self.lacking.add(lacking, offset);
            if let Some(stores) = &matcher.stores
                && matches!(matcher.sales, super::matching::Sales::Calendar(_))
            {
                self.stores.extend(block.hits.iter().filter_map(|hit| stores.get(block.chunk, hit.row as usize)));
            }
        }
        Ok(())
    }

    fn count_line(&self, lines: &mut LineCounts, hit: &Hit, quantity: f64, net_sales: f64) {
        let product = hit.product as usize;
        let listed = hit.product != NONE && product < self.partition.listed;
        lines.without_product_row += u64::from(!listed);
        lines.without_category += u64::from(listed && self.partition.without_category[product]);
        lines.zero_quantity += u64::from(quantity == 0.0);
        lines.returns += u64::from(quantity < 0.0);
        lines.negative_price += u64::from(quantity * net_sales < 0.0);
    }

    /// The unit cost of each line; `None` where no cost is asked for.
    fn unit_costs(&self, chunk: usize) -> Result<Option<LineOrProduct<'_>>> {
        let cost = self.plan.iter().find_map(|plan| match plan.source {
            AmountSource::Cost { unit_cost, .. } => Some(unit_cost),
            _ => None,
        });
        let Some(product) = cost else { return Ok(None) };
        let line = if self.ledger.has.unit_cost { Some(self.ledger.number_chunk("unit_cost", chunk)?) } else { None };
        Ok(Some(LineOrProduct { line, product }))
    }

    /// The VAT rate of each line; `None` where no amount is taken out of VAT line by line.
    fn vat_rates(&self, chunk: usize) -> Result<Option<LineOrProduct<'_>>> {
        let Some(plan) = self.plan.iter().find(|plan| plan.ex_vat) else { return Ok(None) };
        let line = if self.ledger.has.vat { Some(self.ledger.number_chunk("vat", chunk)?) } else { None };
        Ok(Some(LineOrProduct { line, product: &plan.vat }))
    }

    fn finish(mut self, matcher: &Matcher<'_>, assignment: &Assignment) -> Result<CellTable> {
        self.check()?;
        self.lines.without_cost = self.lacking.cost.map_or(0, |bad| bad.count);
        let amounts = self.plan.len();
        let columns: Vec<Vec<f64>> = (0..self.atoms * amounts).into_par_iter().map(|index| self.column(index / amounts, index % amounts)).collect();
        self.baskets.par_sort_unstable();
        let mut merged: Vec<(u32, u64, u32)> = Vec::with_capacity(self.baskets.len());
        for (customer, basket, mask) in self.baskets.drain(..) {
            match merged.last_mut() {
                Some(last) if (last.0, last.1) == (customer, basket) => last.2 |= mask,
                _ => merged.push((customer, basket, mask)),
            }
        }
        let facts = self.facts(matcher)?;
        Ok(CellTable {
            customers: self.customers,
            atoms: self.partition.atoms(),
            spans: self.partition.spans.clone(),
            amounts: self.names,
            columns,
            baskets: basket_cells(self.partition, &merged, self.customers),
            seen: self.seen,
            redemptions: redemptions(self.partition, &merged, assignment),
            facts,
        })
    }

    /// What no measure can do without.
    fn check(&self) -> Result<()> {
        let mut problems = Problems::default();
        let no_rate = self.plan.iter().any(|plan| matches!(plan.source, AmountSource::Cost { otherwise: None, .. }));
        if let Some(bad) = self.lacking.cost.filter(|_| no_rate) {
            let problem = self.problem(Fault::NoCost, "a line has no unit cost, and no margin rate is given", "unit_cost", bad);
            problems.push(problem.remedy("Fill the unit cost, or give [margin] rate for the lines without one"));
        }
        if let Some(bad) = self.lacking.vat {
            let problem = self.problem(Fault::Null, "neither the line nor its product has a VAT rate", "vat", bad);
            problems.push(problem.remedy("Fill the rate of every product (or line) sold, 0 where there is no VAT, or give one vat_rate"));
        }
        if let Some(bad) = self.lacking.vat_in_range {
            let problem = self.problem(Fault::OutOfRange, "a VAT rate must lie in 0 to 1", "vat", bad);
            problems.push(problem.remedy("Write 0.21 for 21 %"));
        }
        problems.finish()
    }

    /// The problem of lines, which names the product of the first.
    fn problem(&self, fault: Fault, text: &str, column: &str, bad: BadLines) -> Problem {
        let product = if bad.product == NONE { "not in the product table".to_owned() } else { self.partition.products.text(bad.product as usize) };
        let value = if bad.value.is_nan() { format!("product {product}") } else { format!("{}, product {product}", bad.value) };
        Problem::new(Input::Transactions, fault, text).column(column).first(bad.first as usize).value(value).count(bad.count as usize)
    }

    /// The column of an atom and amount, customers in order.
    fn column(&self, atom: usize, amount: usize) -> Vec<f64> {
        let exact = self.plan[amount].exact || (self.plan[amount].made() && !self.inexact[amount]);
        let (list, width) = if exact { (&self.exact_amounts, self.exact_amounts.len()) } else { (&self.real_amounts, self.real_amounts.len()) };
        let Some(place) = list.iter().position(|a| *a == amount) else { return vec![0.0; self.customers] };
        let at = |customer: usize| (customer * self.atoms + atom) * width + place;
        if exact { (0..self.customers).map(|c| self.exact[at(c)] as f64 / TICKS).collect() } else { (0..self.customers).map(|c| self.real[at(c)]).collect() }
    }

    fn facts(&self, matcher: &Matcher<'_>) -> Result<Facts> {
        let share = matcher.share_on_sale(self.stores.len());
        let on_sale = (!share.is_empty()).then(|| {
            let mut sums = [(0.0, 0.0); 3];
            for (product, share) in share.iter().enumerate() {
                if let Some(share) = share {
                    let sum = &mut sums[role_of(self.partition, product as u32) as usize];
                    sum.0 += share;
                    sum.1 += 1.0;
                }
            }
            sums.map(|(sum, n)| if n > 0.0 { sum / n } else { 0.0 })
        });
        let null_discounts = self.ledger.numbers.iter().filter(|n| n.nulls > 0).map(|n| (n.name.clone(), n.nulls)).collect();
        let baseline_on_sale = if share.is_empty() { None } else { Some(self.baseline_on_sale(matcher, &share)?) };
        let logged_redemptions = matches!(self.partition.offer, OfferRule::Log(_));
        Ok(Facts { lines: Some(self.lines), on_sale, baseline_on_sale, null_discounts, repeated_products: self.ledger.products.repeated, logged_redemptions })
    }

    /// A second pass over the baseline, weighting each line by its product's share of promotion days on sale.
    fn baseline_on_sale(&self, matcher: &Matcher<'_>, share: &[Option<f64>]) -> Result<Vec<(ProductClass, Vec<Vec<f64>>)>> {
        let empty = || vec![vec![0.0; self.customers]; self.plan.len()];
        let mut classes: Vec<(ProductClass, Vec<Vec<f64>>)> = self.partition.classes.iter().map(|class| (*class, empty())).collect();
        for (chunk, blocks) in self.ledger.blocks.iter().enumerate() {
            for block in 0..blocks.len() {
                let found = matcher.block(chunk, block)?;
                let values = self.plan.iter().map(|plan| plan.values(self.ledger, chunk)).collect::<Result<Vec<_>>>()?;
                for hit in found.hits.iter().filter(|h| self.partition.spans[usize::from(h.span)].period == Period::Baseline) {
                    let share = share.get(hit.product as usize).copied().flatten().unwrap_or(0.0);
                    let columns = &mut classes[class_of(self.partition, hit.product)].1;
                    for (column, values) in columns.iter_mut().zip(&values) {
                        column[hit.customer as usize] += share * values.at(hit);
                    }
                }
            }
        }
        Ok(classes)
    }
}

/// Splits a table into `ranges` pieces of `size`, the last ones shorter or empty.
fn chunks<T>(table: &mut [T], size: usize, ranges: usize) -> Vec<&mut [T]> {
    let mut pieces = Vec::with_capacity(ranges);
    let mut rest = table;
    for _ in 0..ranges {
        let (piece, tail) = rest.split_at_mut(size.min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// Distinct baskets by role and period, and of any role by period.
fn basket_cells(partition: &Partition, baskets: &[(u32, u64, u32)], customers: usize) -> Vec<BasketCell> {
    let spans_of = |period: Period| partition.spans.iter().enumerate().filter(move |(_, s)| s.period == period).fold(0_u32, |m, (i, _)| m | 1 << i);
    let mut cells = Vec::new();
    for period in Period::ALL.into_iter().filter(|p| spans_of(*p) != 0) {
        for role in Role::ALL.into_iter().map(Some).chain([None]) {
            let spans = spans_of(period);
            let mask = role.map_or(spans | spans << 8 | spans << 16, |role| spans << (role as u32 * 8));
            let mut counts = vec![0.0; customers];
            baskets.iter().filter(|(_, _, bits)| bits & mask != 0).for_each(|(customer, _, _)| counts[*customer as usize] += 1.0);
            cells.push(BasketCell { role, period, baskets: counts });
        }
    }
    cells
}

/// Redemptions by customer: baskets with an offer line, or rows of the log.
fn redemptions(partition: &Partition, baskets: &[(u32, u64, u32)], assignment: &Assignment) -> Option<Vec<u32>> {
    let mut counts = vec![0; assignment.len()];
    match &partition.offer {
        OfferRule::None => return None,
        OfferRule::Log(log) => log.iter().for_each(|r| counts[r.customer as usize] += 1),
        OfferRule::Discounts(_) | OfferRule::Target => {
            baskets.iter().filter(|(_, _, bits)| bits >> 31 == 1).for_each(|(customer, _, _)| counts[*customer as usize] += 1)
        }
    }
    Some(counts)
}
