//! From hits to cells: sums of amounts, distinct baskets, counts of lines.
//!
//! Blocks of a part of the lines are matched and read in parallel; then each thread adds the values of its own range of customers, in row order, so that no bit
//! depends on the number of threads or parts. Every value is looked at as it is read: what is not finite stops, what is a whole number of ticks is summed as
//! integers. An amount is taken for exact until a value is found that is not; then the sums begin again.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashSet;
use rayon::prelude::*;

use super::Ledger;
use super::amounts::{AmountPlan, LineColumns, LineOrProduct, OfChunk, Values};
use super::kept::Kept;
use super::lacking::Lacking;
use super::lookup::{Keys, NONE, mix};
use super::matching::{Asked, BlockHits, Hit, IdColumns, Matcher, Sales, on_sale_by_role, role_of};
use super::oddities::{self, BlockOddities, Gathered, Raw, RepeatedLine, Repeats};
use super::parts::Parts;
use super::passes::{OnSale, cells};
use super::repeats::{Customers, Found, Sampled};
use super::scan::{Numbers, TICKS, look, ticks};
use super::unmet::{Unmet, unmet};
use super::visits::{self, Visits};
use crate::cells::{AmountSource, AmountSpec, Catalogue, CellRequest, CellSource, CellTable, Facts, LineCounts, OfferRule, Partition};
use crate::error::Result;
use crate::study::{Assignment, Day};

/// Blocks matched before their hits are summed: bounds the memory of hits.
pub(super) const BLOCKS_AT_ONCE: usize = 64;

impl CellSource for Ledger {
    fn catalogue(&self) -> Catalogue<'_> {
        self.kept.catalogue()
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<CellTable> {
        cells(self, CellRequest { partition, assignment, amounts })
    }

    fn unmet(&self, partition: &Partition, assignment: &Assignment, cells: &CellTable) -> Result<Option<Unmet>> {
        unmet(self, partition, assignment, cells).map(Some)
    }
}

/// A request ready to be summed.
pub(super) struct Question<'a> {
    pub(super) request: CellRequest<'a>,
    pub(super) kept: &'a Kept,
    pub(super) asked: Asked<'a>,
    pub(super) plan: Vec<AmountPlan<'a>>,
}

/// A chunk of the ledger as summing sees it.
pub(super) struct Chunk<'c> {
    /// Lines before it, those of earlier parts among them.
    offset: u64,
    days: &'c [i32],
    quantity: &'c [f64],
    net_sales: &'c [f64],
    pub(super) amounts: Vec<Values<'c>>,
    /// The columns that are looked at for oddities.
    raw: Vec<Raw<'c>>,
    /// The unit cost of each line; `None` where no cost is asked for.
    unit_cost: Option<LineOrProduct<'c>>,
    /// The VAT rate of each line; `None` where no amount is taken out of VAT line by line.
    vat: Option<LineOrProduct<'c>>,
}

impl<'c> Chunk<'c> {
    fn new(ledger: &'c Ledger, question: &'c Question<'_>, chunk: usize, offset: u64) -> Result<Self> {
        let lines = OfChunk { ledger, chunk };
        let plan = &question.plan;
        let cost = plan.iter().find_map(|plan| match plan.source {
            AmountSource::Cost { unit_cost, .. } => Some(unit_cost),
            _ => None,
        });
        let vat = plan.iter().find(|plan| plan.ex_vat);
        let (line_cost, line_vat) = (lines.unit_cost()?, lines.vat()?);
        Ok(Self {
            offset,
            days: ledger.day_chunk(chunk)?,
            quantity: ledger.number_chunk("quantity", chunk)?,
            net_sales: ledger.number_chunk("net_sales", chunk)?,
            amounts: plan.iter().map(|plan| plan.values(&lines)).collect::<Result<_>>()?,
            raw: oddities::columns(question.kept, plan).into_iter().map(|column| Raw::new(ledger, plan, &column.name, chunk)).collect::<Result<_>>()?,
            unit_cost: cost.map(|product| LineOrProduct { line: line_cost, product }),
            vat: vat.map(|plan| LineOrProduct { line: line_vat, product: &plan.vat }),
        })
    }
}

/// Matches the blocks of a part and reads the values of their hits.
pub(super) struct Reader<'r> {
    pub(super) question: &'r Question<'r>,
    pub(super) matcher: Matcher<'r>,
    part: &'r Ledger,
    pub(super) chunks: Vec<Chunk<'r>>,
    baskets: Option<Keys<'r>>,
}

/// What a block gives.
struct BlockRead {
    hits: Vec<Hit>,
    /// By amount, one value a hit.
    values: Vec<Vec<f64>>,
    /// What a look at the values of each amount found.
    looks: Vec<Numbers>,
    lines: LineCounts,
    visits: Visits,
    lacking: Lacking,
    oddities: BlockOddities,
    offset: u64,
    stores: HashSet<u64>,
}

impl<'r> Reader<'r> {
    /// Of a part before which so many lines stand.
    pub(super) fn new(part: &'r Ledger, before: u64, question: &'r Question<'r>, ids: &'r IdColumns) -> Result<Self> {
        let matcher = Matcher::new(part, &question.asked, ids)?;
        let mut offset = before;
        let mut chunks = Vec::with_capacity(part.chunks());
        for chunk in 0..part.chunks() {
            chunks.push(Chunk::new(part, question, chunk, offset)?);
            offset += part.day_chunk(chunk)?.len() as u64;
        }
        Ok(Self { question, matcher, part, chunks, baskets: ids.basket.as_ref().map(Keys::new) })
    }

    /// The blocks, by chunk.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (usize, usize)> + use<'r> {
        self.part.blocks.iter().enumerate().flat_map(|(chunk, blocks)| (0..blocks.len()).map(move |block| (chunk, block)))
    }

    /// Adds the lines of a block to those `used` so far.
    fn block(&self, chunk: usize, block: usize, used: &AtomicU64) -> Result<BlockRead> {
        let BlockHits { hits, outside_assignment, days } = self.matcher.block(chunk, block)?;
        let view = &self.chunks[chunk];
        let sample = self.sample(chunk, &hits, used);
        let values: Vec<Vec<f64>> = view.amounts.iter().map(|amount| amount.of(&hits)).collect();
        let raw: Vec<_> = view.raw.iter().map(|raw| raw.of(&hits, &values)).collect();
        let oddities = BlockOddities::new(&hits, &raw, days, sample);
        let mut read = BlockRead {
            looks: values.iter().map(|values| look(values)).collect(),
            values,
            lines: LineCounts { used: hits.len() as u64, outside_assignment, ..LineCounts::default() },
            visits: Visits::default(),
            lacking: Lacking::default(),
            oddities,
            offset: view.offset,
            stores: HashSet::new(),
            hits,
        };
        let partition = self.question.request.partition;
        let wants_stores = matches!(self.question.asked.sales, Sales::Calendar(_));
        for hit in &read.hits {
            let row = hit.row as usize;
            self.count_line(&mut read.lines, hit, view.quantity[row], view.net_sales[row]);
            read.lacking.look(hit, hit.row.into(), view.unit_cost.as_ref(), view.vat.as_ref());
            if partition.baskets {
                read.visits.add(hit.customer, self.visit_key(chunk, row), role_of(partition, hit.product), hit.span, hit.offer);
            }
            if wants_stores {
                read.stores.extend(self.store(chunk, row));
            }
        }
        Ok(read)
    }

    /// The basket, else the day and store.
    fn visit_key(&self, chunk: usize, row: usize) -> u64 {
        let basket = self.baskets.as_ref().and_then(|keys| keys.get(chunk, row));
        visits::key(basket, self.store(chunk, row), self.chunks[chunk].days[row])
    }

    /// Lines among which repeats are looked for. How many lines are used so far hangs on the order of threads; in the end all are counted, and what is too
    /// much falls away.
    fn sample(&self, chunk: usize, hits: &[Hit], used: &AtomicU64) -> Vec<Sampled> {
        let here = hits.len() as u64;
        let customers = Customers::new(used.fetch_add(here, Ordering::Relaxed) + here);
        let view = &self.chunks[chunk];
        let sampled = |hit: &Hit| Sampled {
            key: self.line_key(chunk, hit),
            customer: hit.customer,
            day: view.days[hit.row as usize],
            product: self.matcher.products.key(chunk, hit.row as usize),
            row: view.offset + u64::from(hit.row),
        };
        hits.iter().filter(|hit| customers.contain(hit.customer)).map(sampled).collect()
    }

    /// Of all that makes two lines the same.
    fn line_key(&self, chunk: usize, hit: &Hit) -> u64 {
        let (row, view) = (hit.row as usize, &self.chunks[chunk]);
        let parts = [
            u64::from(hit.customer) << 32 | u64::from(view.days[row] as u32),
            self.matcher.products.key(chunk, row),
            self.baskets.as_ref().and_then(|keys| keys.get(chunk, row)).unwrap_or(0),
            self.store(chunk, row).unwrap_or(0),
            view.quantity[row].to_bits(),
            view.net_sales[row].to_bits(),
        ];
        // Not begun at 0, which the mix leaves as it is.
        parts.into_iter().fold(1, |key, part| mix(key ^ part))
    }

    fn store(&self, chunk: usize, row: usize) -> Option<u64> {
        self.matcher.stores.as_ref().and_then(|keys| keys.get(chunk, row))
    }

    fn count_line(&self, lines: &mut LineCounts, hit: &Hit, quantity: f64, net_sales: f64) {
        let (partition, product) = (self.question.request.partition, hit.product as usize);
        let listed = hit.product != NONE && product < partition.listed;
        lines.without_product_row += u64::from(!listed);
        lines.without_category += u64::from(listed && partition.without_category[product]);
        lines.zero_quantity += u64::from(quantity == 0.0);
        lines.returns += u64::from(quantity < 0.0);
        lines.negative_price += u64::from(quantity * net_sales < 0.0);
    }
}

/// How far reading came.
pub(super) enum Read {
    Whole,
    /// These amounts have values that are not exact.
    NotExact(Vec<usize>),
}

/// The sums while they grow.
pub(super) struct Sums {
    pub(super) tables: Tables,
    pub(super) told: Told,
    /// Whether all lines were looked at for values that cannot be reckoned with.
    checked: bool,
}

/// What lines tell besides their sums.
#[derive(Clone)]
pub(super) struct Told {
    /// What was found of each amount so far.
    looks: Vec<Numbers>,
    pub(super) visits: Visits,
    pub(super) lines: LineCounts,
    pub(super) stores: HashSet<u64>,
    pub(super) lacking: Lacking,
    gathered: Gathered,
}

/// Sums by customer, atom and amount.
pub(super) struct Tables {
    customers: usize,
    atoms: usize,
    amounts: usize,
    /// Row-major: customer, atom, amount. The amounts that are exact, in ticks.
    exact: Vec<i64>,
    /// The same for the others.
    real: Vec<f64>,
    /// Which amounts have a place in `exact`, in `real`.
    exact_amounts: Vec<usize>,
    real_amounts: Vec<usize>,
    pub(super) seen: Vec<u32>,
}

impl Sums {
    pub(super) fn new(question: &Question<'_>, is_exact: &[bool], told: Told) -> Self {
        Self { tables: Tables::new(question, is_exact), told, checked: false }
    }

    /// Sums all blocks of a part, or names amounts that are not exact and were taken for it.
    pub(super) fn read(&mut self, reader: &Reader<'_>, parts: &dyn Parts) -> Result<Read> {
        let blocks: Vec<(usize, usize)> = reader.blocks().collect();
        let used = AtomicU64::new(self.told.lines.used);
        for some in blocks.chunks(BLOCKS_AT_ONCE) {
            let read: Vec<BlockRead> = some.par_iter().map(|&(chunk, block)| reader.block(chunk, block, &used)).collect::<Result<_>>()?;
            let looks = &mut self.told.looks;
            for block in &read {
                looks.iter_mut().zip(&block.looks).for_each(|(all, look)| *all = all.and(*look));
            }
            if !self.checked && !looks.iter().all(|look| look.usable()) {
                // A rate or a cost that is not known makes NaN too, and is told when all lines are counted.
                parts.check()?;
                self.checked = true;
            }
            let not_exact: Vec<usize> = self.tables.exact_amounts.iter().copied().filter(|&amount| !looks[amount].summable()).collect();
            if !not_exact.is_empty() {
                return Ok(Read::NotExact(not_exact));
            }
            self.tables.add(&read);
            for block in read {
                self.tables.see(&block, reader.question.request.partition);
                self.told.add(block);
            }
        }
        Ok(Read::Whole)
    }
}

impl Tables {
    fn new(question: &Question<'_>, is_exact: &[bool]) -> Self {
        let CellRequest { partition, assignment, amounts } = question.request;
        let (customers, atoms) = (assignment.len(), partition.atoms().len());
        let (exact_amounts, real_amounts): (Vec<usize>, Vec<usize>) = (0..amounts.len()).partition(|&amount| is_exact[amount]);
        Self {
            customers,
            atoms,
            amounts: amounts.len(),
            exact: vec![0; customers * atoms * exact_amounts.len()],
            real: vec![0.0; customers * atoms * real_amounts.len()],
            exact_amounts,
            real_amounts,
            seen: vec![0; customers],
        }
    }

    /// Adds the amounts of some blocks. Each thread owns a range of customers and visits all hits in row order.
    fn add(&mut self, read: &[BlockRead]) {
        let ranges = rayon::current_num_threads().clamp(1, 16);
        let per_range = self.customers.div_ceil(ranges).max(1);
        let (exact_width, real_width) = (self.atoms * self.exact_amounts.len(), self.atoms * self.real_amounts.len());
        let (exact_amounts, real_amounts) = (&self.exact_amounts, &self.real_amounts);
        let exact_pieces = pieces(&mut self.exact, per_range * exact_width, ranges);
        let real_pieces = pieces(&mut self.real, per_range * real_width, ranges);
        exact_pieces.into_par_iter().zip(real_pieces).enumerate().for_each(|(range, (exact, real))| {
            let mine = (range * per_range) as u32..((range + 1) * per_range) as u32;
            for block in read {
                let exact_values: Vec<&[f64]> = exact_amounts.iter().map(|&amount| block.values[amount].as_slice()).collect();
                let real_values: Vec<&[f64]> = real_amounts.iter().map(|&amount| block.values[amount].as_slice()).collect();
                for (index, hit) in block.hits.iter().enumerate().filter(|(_, hit)| mine.contains(&hit.customer)) {
                    let place = (hit.customer - mine.start) as usize;
                    let base = place * exact_width + usize::from(hit.atom) * exact_values.len();
                    for (slot, values) in exact[base..base + exact_values.len()].iter_mut().zip(&exact_values) {
                        *slot += ticks(values[index]);
                    }
                    let base = place * real_width + usize::from(hit.atom) * real_values.len();
                    for (slot, values) in real[base..base + real_values.len()].iter_mut().zip(&real_values) {
                        *slot += values[index];
                    }
                }
            }
        });
    }

    /// Marks the spans in which customers have lines.
    fn see(&mut self, block: &BlockRead, partition: &Partition) {
        if partition.baskets {
            block.visits.spans().for_each(|(customer, spans)| self.seen[customer as usize] |= spans);
        } else {
            block.hits.iter().for_each(|hit| self.seen[hit.customer as usize] |= 1 << hit.span.min(31));
        }
    }

    /// The columns of atoms and amounts, customers in order. Some rows at a time, of which every column takes what is its own: read column by column, each
    /// value would come from far away. A large table gives back the memory of its last rows as soon as the columns have them.
    pub(super) fn into_columns(mut self) -> Vec<Vec<f64>> {
        const ROWS: usize = 64;
        const LARGE: usize = 1 << 20;
        let (exact_width, real_width) = (self.atoms * self.exact_amounts.len(), self.atoms * self.real_amounts.len());
        let pieces = if self.exact.len() + self.real.len() > LARGE { 16 } else { 1 };
        let a_piece = self.customers.div_ceil(pieces).max(1);
        // Each made for itself: memory that is not yet written takes no room.
        let mut columns: Vec<Vec<f64>> = (0..self.atoms * self.amounts).map(|_| vec![0.0; self.customers]).collect();
        let a_thread = columns.len().div_ceil(rayon::current_num_threads()).max(1);
        let mut end = self.customers;
        while end > 0 {
            let begin = (end - 1) / a_piece * a_piece;
            let sources: Vec<Source<'_>> =
                (0..self.atoms).flat_map(|atom| (0..self.amounts).map(move |amount| (atom, amount))).map(|at| self.source(at)).collect();
            columns.par_chunks_mut(a_thread).zip(sources.par_chunks(a_thread)).for_each(|(columns, sources)| {
                for from in (begin..end).step_by(ROWS) {
                    let some = from..(from + ROWS).min(end);
                    columns.iter_mut().zip(sources).for_each(|(column, source)| source.read(some.clone(), &mut column[some.clone()]));
                }
            });
            if begin > 0 {
                self.exact.truncate(begin * exact_width);
                self.exact.shrink_to_fit();
                self.real.truncate(begin * real_width);
                self.real.shrink_to_fit();
            }
            end = begin;
        }
        columns
    }

    /// Where the column of an atom and amount stands.
    fn source(&self, (atom, amount): (usize, usize)) -> Source<'_> {
        let place = |list: &[usize]| list.iter().position(|a| *a == amount).map(|at| (self.atoms * list.len(), atom * list.len() + at));
        if let Some((stride, offset)) = place(&self.exact_amounts) {
            return Source::Exact { sums: &self.exact, stride, offset };
        }
        let (stride, offset) = place(&self.real_amounts).unwrap_or_default();
        Source::Real { sums: &self.real, stride, offset }
    }
}

impl Told {
    pub(super) fn new(question: &Question<'_>) -> Self {
        let Question { kept, asked, plan, .. } = question;
        Self {
            looks: vec![Numbers { exact: true, total: 0.0 }; plan.len()],
            visits: Visits::default(),
            lines: LineCounts::default(),
            stores: HashSet::new(),
            lacking: Lacking::default(),
            gathered: Gathered::new(&oddities::columns(kept, plan), asked.first_day, asked.days()),
        }
    }

    /// Takes in what a block tells.
    fn add(&mut self, block: BlockRead) {
        self.lines = self.lines.plus(block.lines);
        self.visits.extend(block.visits);
        self.lacking.add(block.lacking, block.offset);
        self.gathered.add(block.oddities, block.offset);
        self.stores.extend(block.stores);
    }

    pub(super) fn facts(&mut self, parts: &dyn Parts, question: &Question<'_>, on_sale: Option<OnSale>) -> Result<Facts> {
        let read = parts.lines();
        let outside_windows = read - self.lines.used - self.lines.outside_assignment;
        let without_cost = self.lacking.cost.map_or(0, |bad| bad.count);
        let lines = LineCounts { read, outside_windows, without_cost, ..self.lines };
        let partition = question.request.partition;
        let gathered = std::mem::take(&mut self.gathered);
        let repeats = self.repeats(parts, &gathered)?;
        Ok(Facts {
            lines: Some(lines),
            on_sale: on_sale.as_ref().and_then(|on_sale| on_sale_by_role(partition, &on_sale.share)),
            baseline_on_sale: on_sale.map(|on_sale| on_sale.classes),
            null_discounts: question.kept.null_discounts(),
            repeated_products: question.kept.products.repeated,
            logged_redemptions: matches!(partition.offer, OfferRule::Log(_)),
            oddities: Some(gathered.finish(self.lacking.zero_costs, repeats)),
        })
    }

    fn repeats(&self, parts: &dyn Parts, gathered: &Gathered) -> Result<Repeats> {
        let Found { looked_at, repeated, least } = Found::among(&gathered.sample, Customers::new(self.lines.used));
        let mut repeats = Repeats { looked_at, repeated, example: None };
        if let Some(Sampled { customer, day, row, .. }) = least {
            repeats.example = Some(RepeatedLine { customer, day: Day::from_epoch(day), product: parts.product(row)? });
        }
        Ok(repeats)
    }
}

/// One column of the row-major sums.
enum Source<'s> {
    Exact { sums: &'s [i64], stride: usize, offset: usize },
    Real { sums: &'s [f64], stride: usize, offset: usize },
}

impl Source<'_> {
    /// Writes the values of some customers.
    fn read(&self, customers: Range<usize>, column: &mut [f64]) {
        match self {
            Self::Exact { sums, stride, offset } => {
                column.iter_mut().zip(customers).for_each(|(value, customer)| *value = sums[customer * stride + offset] as f64 / TICKS);
            }
            Self::Real { sums, stride, offset } => column.iter_mut().zip(customers).for_each(|(value, customer)| *value = sums[customer * stride + offset]),
        }
    }
}

/// Splits a table into `ranges` pieces of `size`, the last ones shorter or empty.
fn pieces<T>(table: &mut [T], size: usize, ranges: usize) -> Vec<&mut [T]> {
    let mut pieces = Vec::with_capacity(ranges);
    let mut rest = table;
    for _ in 0..ranges {
        let (piece, tail) = rest.split_at_mut(size.min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_table_becomes_the_columns_that_a_small_one_becomes() {
        // 7 atoms of 3 amounts, of which the second is not exact; the larger table is given back in pieces.
        for customers in [0, 1, 63, 1_000, 60_001] {
            let (atoms, exact, real) = (7, 2, 1);
            let table = Tables {
                customers,
                atoms,
                amounts: exact + real,
                exact: (0..(customers * atoms * exact) as i64).map(|at| 10_000 * at).collect(),
                real: (0..customers * atoms * real).map(|at| at as f64 / 2.0).collect(),
                exact_amounts: vec![0, 2],
                real_amounts: vec![1],
                seen: Vec::new(),
            };
            let columns = table.into_columns();
            assert_eq!(columns.len(), 21);
            for (place, column) in columns.iter().enumerate() {
                let (atom, amount) = (place / 3, place % 3);
                let value = |customer: usize| match amount {
                    1 => (customer * atoms + atom) as f64 / 2.0,
                    _ => ((customer * atoms + atom) * exact + amount / 2) as f64,
                };
                assert_eq!(column.len(), customers);
                assert!(column.iter().enumerate().all(|(customer, found)| *found == value(customer)), "{customers} {place}");
            }
        }
    }
}
