//! From hits to cells: sums of amounts, distinct baskets, counts of lines.
//!
//! Blocks are matched and read in parallel; then each thread adds the values of its own range of customers, in row order, so that no bit depends on
//! the number of threads. Every value is looked at as it is read: what is not finite stops, what is a whole number of ticks is summed as integers. An
//! amount is taken for exact until a value is found that is not; then the sums begin again.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashSet;
use rayon::prelude::*;

use super::Ledger;
use super::amounts::{AmountPlan, LineColumns, LineOrProduct, OfChunk, Values};
use super::lacking::Lacking;
use super::lookup::{Keys, NONE, mix};
use super::matching::{BlockHits, Dictionaries, Hit, IdColumns, Matcher, Sales, class_of, on_sale_by_role, role_of};
use super::oddities::{self, BlockOddities, Gathered, Raw, RepeatedLine, Repeats};
use super::repeats::{Customers, Found, Sampled};
use super::scan::{Numbers, TICKS, look, ticks};
use super::unmet::{Unmet, unmet};
use super::visits::{self, Visits};
use crate::cells::{AmountSource, AmountSpec, Catalogue, CellSource, CellTable, Facts, LineCounts, OfferRule, Partition, ProductClass};
use crate::error::Result;
use crate::study::{Assignment, Day, Period};

/// Blocks matched before their hits are summed: bounds the memory of hits.
const BLOCKS_AT_ONCE: usize = 64;

impl CellSource for Ledger {
    fn catalogue(&self) -> Catalogue<'_> {
        self.kept.catalogue()
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<CellTable> {
        let ids = IdColumns::new(self)?;
        let dictionaries = Dictionaries::new(assignment, partition);
        let matcher = Matcher::new(self, partition, assignment, &ids, &dictionaries)?;
        let basket = if self.kept.has.basket { Some(self.ids("basket")?) } else { None };
        let plan = amounts.iter().map(|amount| AmountPlan::new(&self.kept, partition, amount)).collect::<Result<Vec<_>>>()?;
        let reader = Reader::new(self, partition, &matcher, &plan, basket.as_ref().map(Keys::new))?;
        let blocks: Vec<(usize, usize)> =
            self.blocks.iter().enumerate().flat_map(|(chunk, blocks)| (0..blocks.len()).map(move |block| (chunk, block))).collect();
        let mut exact = vec![true; plan.len()];
        let mut sums = loop {
            let mut sums = Sums::new(self, partition, assignment.len(), &plan, &exact);
            sums.gathered = Gathered::new(&oddities::columns(&self.kept, &plan), matcher.first_day, matcher.days());
            match sums.read(&reader, &blocks)? {
                Read::Whole => break sums,
                Read::NotExact(amounts) => amounts.into_iter().for_each(|amount| exact[amount] = false),
            }
        };
        let facts = sums.facts(&matcher, &reader)?;
        sums.finish(amounts, assignment, facts)
    }

    fn unmet(&self, partition: &Partition, assignment: &Assignment, cells: &CellTable) -> Result<Option<Unmet>> {
        unmet(self, partition, assignment, cells).map(Some)
    }
}

/// A chunk of the ledger as summing sees it.
struct Chunk<'c> {
    /// Lines before it.
    offset: u64,
    days: &'c [i32],
    quantity: &'c [f64],
    net_sales: &'c [f64],
    amounts: Vec<Values<'c>>,
    /// The columns that are looked at for oddities.
    raw: Vec<Raw<'c>>,
    /// The unit cost of each line; `None` where no cost is asked for.
    unit_cost: Option<LineOrProduct<'c>>,
    /// The VAT rate of each line; `None` where no amount is taken out of VAT line by line.
    vat: Option<LineOrProduct<'c>>,
}

impl<'c> Chunk<'c> {
    fn new(ledger: &'c Ledger, plan: &'c [AmountPlan<'_>], chunk: usize, offset: u64) -> Result<Self> {
        let lines = OfChunk { ledger, chunk };
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
            raw: oddities::columns(&ledger.kept, plan).into_iter().map(|column| Raw::new(ledger, plan, &column.name, chunk)).collect::<Result<_>>()?,
            unit_cost: cost.map(|product| LineOrProduct { line: line_cost, product }),
            vat: vat.map(|plan| LineOrProduct { line: line_vat, product: &plan.vat }),
        })
    }
}

/// Matches blocks and reads the values of their hits.
struct Reader<'r> {
    partition: &'r Partition,
    matcher: &'r Matcher<'r>,
    chunks: Vec<Chunk<'r>>,
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
    fn new(ledger: &'r Ledger, partition: &'r Partition, matcher: &'r Matcher<'r>, plan: &'r [AmountPlan<'_>], baskets: Option<Keys<'r>>) -> Result<Self> {
        let mut offset = 0;
        let mut chunks = Vec::with_capacity(ledger.chunks());
        for chunk in 0..ledger.chunks() {
            chunks.push(Chunk::new(ledger, plan, chunk, offset)?);
            offset += ledger.day_chunk(chunk)?.len() as u64;
        }
        Ok(Self { partition, matcher, chunks, baskets })
    }

    /// Adds the lines of a block to those `used` so far.
    fn block(&self, chunk: usize, block: usize, used: &AtomicU64) -> Result<BlockRead> {
        let BlockHits { hits, outside_windows, outside_assignment, days } = self.matcher.block(chunk, block)?;
        let view = &self.chunks[chunk];
        let sample = self.sample(chunk, &hits, used);
        let values: Vec<Vec<f64>> = view.amounts.iter().map(|amount| amount.of(&hits)).collect();
        let raw: Vec<_> = view.raw.iter().map(|raw| raw.of(&hits, &values)).collect();
        let oddities = BlockOddities::new(&hits, &raw, days, sample);
        let mut read = BlockRead {
            looks: values.iter().map(|values| look(values)).collect(),
            values,
            lines: LineCounts { used: hits.len() as u64, outside_windows, outside_assignment, ..LineCounts::default() },
            visits: Visits::default(),
            lacking: Lacking::default(),
            oddities,
            offset: view.offset,
            stores: HashSet::new(),
            hits,
        };
        let wants_stores = matches!(self.matcher.sales, Sales::Calendar(_));
        for hit in &read.hits {
            let row = hit.row as usize;
            self.count_line(&mut read.lines, hit, view.quantity[row], view.net_sales[row]);
            read.lacking.look(hit, hit.row.into(), view.unit_cost.as_ref(), view.vat.as_ref());
            if self.partition.baskets {
                read.visits.add(hit.customer, self.visit_key(chunk, row), role_of(self.partition, hit.product), hit.span, hit.offer);
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
        let sampled = |hit: &Hit| Sampled { key: self.line_key(chunk, hit), customer: hit.customer, chunk: chunk as u32, row: hit.row };
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
        let product = hit.product as usize;
        let listed = hit.product != NONE && product < self.partition.listed;
        lines.without_product_row += u64::from(!listed);
        lines.without_category += u64::from(listed && self.partition.without_category[product]);
        lines.zero_quantity += u64::from(quantity == 0.0);
        lines.returns += u64::from(quantity < 0.0);
        lines.negative_price += u64::from(quantity * net_sales < 0.0);
    }
}

/// How far reading came.
enum Read {
    Whole,
    /// These amounts have values that are not exact.
    NotExact(Vec<usize>),
}

/// The sums while they grow.
struct Sums<'a> {
    ledger: &'a Ledger,
    partition: &'a Partition,
    plan: &'a [AmountPlan<'a>],
    customers: usize,
    atoms: usize,
    /// Row-major: customer, atom, amount. The amounts that are exact, in ticks.
    exact: Vec<i64>,
    /// The same for the others.
    real: Vec<f64>,
    /// Which amounts have a place in `exact`, in `real`.
    exact_amounts: Vec<usize>,
    real_amounts: Vec<usize>,
    /// What was found of each amount so far.
    looks: Vec<Numbers>,
    visits: Visits,
    seen: Vec<u32>,
    lines: LineCounts,
    stores: HashSet<u64>,
    lacking: Lacking,
    gathered: Gathered,
}

impl<'a> Sums<'a> {
    fn new(ledger: &'a Ledger, partition: &'a Partition, customers: usize, plan: &'a [AmountPlan<'a>], is_exact: &[bool]) -> Self {
        let atoms = partition.atoms().len();
        let (exact_amounts, real_amounts): (Vec<usize>, Vec<usize>) = (0..plan.len()).partition(|&amount| is_exact[amount]);
        Self {
            ledger,
            partition,
            plan,
            customers,
            atoms,
            exact: vec![0; customers * atoms * exact_amounts.len()],
            real: vec![0.0; customers * atoms * real_amounts.len()],
            looks: vec![Numbers { exact: true, total: 0.0 }; plan.len()],
            exact_amounts,
            real_amounts,
            visits: Visits::default(),
            seen: vec![0; customers],
            lines: LineCounts { read: ledger.len() as u64, ..LineCounts::default() },
            stores: HashSet::new(),
            lacking: Lacking::default(),
            gathered: Gathered::default(),
        }
    }

    /// Sums all blocks, or names amounts that are not exact and were taken for it.
    fn read(&mut self, reader: &Reader<'_>, blocks: &[(usize, usize)]) -> Result<Read> {
        let used = AtomicU64::new(0);
        for some in blocks.chunks(BLOCKS_AT_ONCE) {
            let read: Vec<BlockRead> = some.par_iter().map(|&(chunk, block)| reader.block(chunk, block, &used)).collect::<Result<_>>()?;
            for block in &read {
                self.looks.iter_mut().zip(&block.looks).for_each(|(all, look)| *all = all.and(*look));
            }
            if !self.looks.iter().all(|look| look.usable()) {
                // A rate or a cost that is not known makes NaN too, and is told when all lines are counted.
                self.ledger.check()?;
            }
            let not_exact: Vec<usize> = self.exact_amounts.iter().copied().filter(|&amount| !self.looks[amount].summable()).collect();
            if !not_exact.is_empty() {
                return Ok(Read::NotExact(not_exact));
            }
            self.add(&read);
            self.count(read);
        }
        Ok(Read::Whole)
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

    /// Takes in the counts, customers seen and baskets of some blocks.
    fn count(&mut self, read: Vec<BlockRead>) {
        for block in read {
            self.lines = self.lines.plus(block.lines);
            if self.partition.baskets {
                block.visits.spans().for_each(|(customer, spans)| self.seen[customer as usize] |= spans);
            } else {
                block.hits.iter().for_each(|hit| self.seen[hit.customer as usize] |= 1 << hit.span.min(31));
            }
            self.visits.extend(block.visits);
            self.lacking.add(block.lacking, block.offset);
            self.gathered.add(block.oddities, block.offset);
            self.stores.extend(block.stores);
        }
    }

    fn finish(mut self, amounts: &[AmountSpec], assignment: &Assignment, facts: Facts) -> Result<CellTable> {
        self.lacking.check(&self.ledger.kept, self.partition, self.plan)?;
        let columns = self.columns();
        self.visits.merge();
        Ok(CellTable {
            customers: self.customers,
            atoms: self.partition.atoms(),
            spans: self.partition.spans.clone(),
            amounts: amounts.iter().map(|a| a.name.clone()).collect(),
            columns,
            baskets: if self.partition.baskets { self.visits.cells(self.partition, self.customers) } else { Vec::new() },
            seen: self.seen,
            redemptions: self.visits.redemptions(self.partition, assignment),
            facts,
        })
    }

    /// The columns of atoms and amounts, customers in order. Some rows at a time, of which every column takes what is its own: read column by column, each
    /// value would come from far away.
    fn columns(&self) -> Vec<Vec<f64>> {
        const ROWS: usize = 64;
        let sources: Vec<Source<'_>> = (0..self.atoms).flat_map(|atom| (0..self.plan.len()).map(move |amount| self.source(atom, amount))).collect();
        let a_thread = sources.len().div_ceil(rayon::current_num_threads()).max(1);
        let groups = sources.par_chunks(a_thread).map(|group| {
            let mut columns = vec![Vec::with_capacity(self.customers); group.len()];
            for from in (0..self.customers).step_by(ROWS) {
                let some = from..(from + ROWS).min(self.customers);
                columns.iter_mut().zip(group).for_each(|(column, source)| source.read(some.clone(), column));
            }
            columns
        });
        groups.flatten_iter().collect()
    }

    /// Where the column of an atom and amount stands.
    fn source(&self, atom: usize, amount: usize) -> Source<'_> {
        let place = |list: &[usize]| list.iter().position(|a| *a == amount).map(|at| (self.atoms * list.len(), atom * list.len() + at));
        if let Some((stride, offset)) = place(&self.exact_amounts) {
            return Source::Exact { sums: &self.exact, stride, offset };
        }
        let (stride, offset) = place(&self.real_amounts).unwrap_or_default();
        Source::Real { sums: &self.real, stride, offset }
    }

    fn facts(&mut self, matcher: &Matcher<'_>, reader: &Reader<'_>) -> Result<Facts> {
        self.lines.without_cost = self.lacking.cost.map_or(0, |bad| bad.count);
        let share = matcher.share_on_sale(self.stores.len());
        let baseline_on_sale = if share.is_empty() { None } else { Some(self.baseline_on_sale(reader, &share)?) };
        let logged_redemptions = matches!(self.partition.offer, OfferRule::Log(_));
        let gathered = std::mem::take(&mut self.gathered);
        let repeats = self.repeats(reader, &gathered);
        Ok(Facts {
            lines: Some(self.lines),
            on_sale: on_sale_by_role(self.partition, &share),
            baseline_on_sale,
            null_discounts: self.ledger.kept.null_discounts(),
            repeated_products: self.ledger.kept.products.repeated,
            logged_redemptions,
            oddities: Some(gathered.finish(self.lacking.zero_costs, repeats)),
        })
    }

    fn repeats(&self, reader: &Reader<'_>, gathered: &Gathered) -> Repeats {
        let products = &reader.matcher.products;
        let place = |line: &Sampled| (line.chunk as usize, line.row as usize);
        let day = |(chunk, row): (usize, usize)| reader.chunks[chunk].days[row];
        let order = |line: &Sampled| (line.customer, day(place(line)), products.key(line.chunk as usize, line.row as usize));
        let Found { looked_at, repeated, least } = Found::among(&gathered.sample, Customers::new(self.lines.used), order);
        let example = least.map(|line| {
            let (chunk, row) = place(&line);
            RepeatedLine { customer: line.customer, day: Day::from_epoch(day((chunk, row))), product: products.text(chunk, row) }
        });
        Repeats { looked_at, repeated, example }
    }

    /// A second pass over the baseline, weighting each line by its product's share of promotion days on sale.
    fn baseline_on_sale(&self, reader: &Reader<'_>, share: &[Option<f64>]) -> Result<Vec<(ProductClass, Vec<Vec<f64>>)>> {
        let empty = || vec![vec![0.0; self.customers]; self.plan.len()];
        let mut classes: Vec<(ProductClass, Vec<Vec<f64>>)> = self.partition.classes.iter().map(|class| (*class, empty())).collect();
        for (chunk, blocks) in self.ledger.blocks.iter().enumerate() {
            for block in 0..blocks.len() {
                let found = reader.matcher.block(chunk, block)?;
                for hit in found.hits.iter().filter(|h| self.partition.spans[usize::from(h.span)].period == Period::Baseline) {
                    let share = share.get(hit.product as usize).copied().flatten().unwrap_or(0.0);
                    let columns = &mut classes[class_of(self.partition, hit.product)].1;
                    for (column, values) in columns.iter_mut().zip(&reader.chunks[chunk].amounts) {
                        column[hit.customer as usize] += share * values.at(hit);
                    }
                }
            }
        }
        Ok(classes)
    }
}

/// One column of the row-major sums.
enum Source<'s> {
    Exact { sums: &'s [i64], stride: usize, offset: usize },
    Real { sums: &'s [f64], stride: usize, offset: usize },
}

impl Source<'_> {
    /// Adds the values of some customers to a column.
    fn read(&self, customers: Range<usize>, column: &mut Vec<f64>) {
        match self {
            Self::Exact { sums, stride, offset } => column.extend(customers.map(|customer| sums[customer * stride + offset] as f64 / TICKS)),
            Self::Real { sums, stride, offset } => column.extend(customers.map(|customer| sums[customer * stride + offset])),
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
