//! The cells of one promotion: its customers are visited some at a time, these in the order of their codes, each in its own lines only.

use std::ops::Range;

use hashbrown::HashSet;
use rayon::prelude::*;

use super::LedgerIndex;
use super::asked::{Asked, places};
use super::batch::{Batch, Wanted};
use super::columns::BasketKeys;
use super::oddities::Told;
use super::repeats::repeats;
use super::segment::Segment;
use super::table::{Columns, Filling, Layout, Piece, Rows};
use crate::cells::{AmountSource, AmountSpec, BasketCell, CellTable, Facts, LineCounts, OfferRule, Partition, ProductClass};
use crate::error::Result;
use crate::ledger::amounts::AmountPlan;
use crate::ledger::lacking::Lacking;
use crate::ledger::lookup::NONE;
use crate::ledger::matching::{Sales, class_of, on_sale_by_role};
use crate::ledger::oddities::SIZES;
use crate::ledger::scan::{Numbers as Look, look, ticks};
use crate::ledger::{Oddities, Signs, visits};
use crate::study::{Assignment, Period};

/// Customers whose lines one thread sums together: their lines and sums fit into a core's cache. Fixed, so that threads change no bit.
pub(super) const CUSTOMERS: usize = 256;

/// The cells of a promotion.
pub(super) fn cells(index: &LedgerIndex, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<CellTable> {
    let places = places(index, assignment)?;
    let asked = Asked::new(index, partition, assignment)?;
    let plan = amounts.iter().map(|amount| AmountPlan::new(&index.kept, partition, amount)).collect::<Result<Vec<_>>>()?;
    let signed = oddity_columns(index, &plan)?;
    let mut exact: Vec<bool> = plan.iter().map(|plan| is_likely_exact(index, plan)).collect();
    let (mut columns, part) = loop {
        let work = Work::new(&asked, &plan, &signed, &exact)?;
        let (columns, part) = work.sum(&places)?;
        if !part.looks.iter().all(|look| look.usable()) {
            // A rate or a cost that is not known makes NaN too, and is told below.
            index.check()?;
        }
        let found: Vec<bool> = part.looks.iter().map(|look| look.summable()).collect();
        if found == exact {
            break (columns, part);
        }
        exact = found;
    };
    part.lacking.check(&index.kept, partition, &plan)?;
    let (repeats, facts) = rayon::join(|| repeats(&asked, &places, part.lines.used), || Work::new(&asked, &plan, &signed, &exact)?.facts(&places, &part));
    let mut facts = facts?;
    let mut oddities = part.oddities(index, &signed, &asked);
    oddities.repeats = repeats;
    facts.oddities = Some(oddities);
    let redemptions = match &partition.offer {
        OfferRule::None => None,
        OfferRule::Log(log) => {
            let mut counts = vec![0; assignment.len()];
            for redemption in log {
                counts[redemption.customer as usize] += 1;
            }
            Some(counts)
        }
        OfferRule::Discounts(_) | OfferRule::Target => Some(std::mem::take(&mut columns.offers)),
    };
    let (amounts_of_atoms, baskets) = columns.split();
    let baskets = visits::cells(partition).into_iter().zip(baskets).map(|((period, role, _), baskets)| BasketCell { role, period, baskets });
    Ok(CellTable {
        customers: assignment.len(),
        atoms: asked.atoms,
        spans: partition.spans.clone(),
        amounts: amounts.iter().map(|a| a.name.clone()).collect(),
        columns: amounts_of_atoms,
        baskets: if partition.baskets { baskets.collect() } else { Vec::new() },
        seen: columns.seen,
        redemptions,
        facts,
    })
}

/// The numbers whose signs are looked at, by promolift's names: those of amounts that ought to be positive where the quantity is.
fn oddity_columns(index: &LedgerIndex, plan: &[AmountPlan<'_>]) -> Result<Vec<usize>> {
    let columns = crate::ledger::oddities::columns(&index.kept, plan);
    columns.into_iter().skip(SIZES.len()).map(|number| index.number(&number.name)).collect()
}

/// The number that an amount is, where it is one as it stands.
fn plain<'a>(plan: &AmountPlan<'a>) -> Option<&'a str> {
    match plan.source {
        AmountSource::Column { column, ex_vat: false, condition: None } => Some(column),
        _ => None,
    }
}

/// Whether the values of an amount are taken for exact at first.
fn is_likely_exact(index: &LedgerIndex, plan: &AmountPlan<'_>) -> bool {
    plain(plan).and_then(|column| index.number(column).ok()).is_none_or(|number| index.segments.iter().all(|segment| segment.exact[number]))
}

/// A span, and the lines of a customer in it.
type Run = (usize, Range<usize>);

/// Bytes that memory hands over together.
const A_LINE: usize = 64;
/// So many places of a customer's days are read ahead at most.
const MOST_READ: usize = 8;

/// How the lines of one segment are summed.
struct How<'a> {
    segment: &'a Segment,
    windows: &'a [Range<usize>],
    /// Amounts that are ticks of the lines: their place among the exact ones.
    ticks: Vec<(usize, &'a [i32])>,
    /// Amounts that are worked out line by line, and what they are made of.
    computed: Vec<usize>,
    wanted: Wanted,
    /// Quantity, net sales and the signed columns as ticks, where they are.
    sizes: Option<Vec<&'a [i32]>>,
}

/// Everything the threads share.
struct Work<'a> {
    asked: &'a Asked<'a>,
    plan: &'a [AmountPlan<'a>],
    /// Quantity, net sales, and the numbers whose signs are looked at.
    sized: Vec<usize>,
    segments: Vec<How<'a>>,
    layout: Layout,
    basket_masks: Vec<u32>,
}

/// What the lines of some customers tell besides the sums.
struct Part {
    lines: LineCounts,
    looks: Vec<Look>,
    lacking: Lacking,
    told: Told,
    stores: HashSet<u32>,
}

/// Memory that is used again for each customer.
#[derive(Default)]
struct Scratch {
    /// The runs of all customers, and by segment and customer which of them are theirs.
    runs: Vec<Run>,
    theirs: Vec<Range<usize>>,
    lines: Vec<Range<usize>>,
    atoms: Vec<u16>,
    visits: Vec<(u64, u32)>,
    numbers: Vec<Vec<f64>>,
    batches: Vec<Batch>,
    rows: Rows,
}

impl<'a> Work<'a> {
    fn new(asked: &'a Asked<'a>, plan: &'a [AmountPlan<'a>], signed: &[usize], exact: &[bool]) -> Result<Self> {
        let index = asked.index;
        let sized: Vec<usize> = SIZES.iter().map(|name| index.number(name)).chain(signed.iter().map(|number| Ok(*number))).collect::<Result<_>>()?;
        let basket_masks: Vec<u32> =
            if asked.partition.baskets { visits::cells(asked.partition).into_iter().map(|(_, _, mask)| mask).collect() } else { Vec::new() };
        let layout = Layout::new(asked.atoms.len(), exact, basket_masks.len());
        let segments = asked.segments().map(|(segment, windows)| How::new(asked, plan, (segment, windows), &sized, &layout)).collect::<Result<_>>()?;
        Ok(Self { asked, plan, sized, segments, layout, basket_masks })
    }

    /// The sums of all customers, and what their lines tell.
    fn sum(&self, places: &[(u32, u32)]) -> Result<(Columns, Part)> {
        let mut columns = Columns::new(self.layout.clone(), places.len());
        let (pieces, filling) = columns.pieces();
        let parts: Vec<Part> = pieces
            .into_par_iter()
            .zip(places.par_chunks(CUSTOMERS))
            .map_init(Scratch::default, |scratch, (piece, places)| self.customers(places, (piece, filling), scratch))
            .collect::<Result<_>>()?;
        let mut all = self.part();
        for part in parts {
            all.add(part);
        }
        Ok((columns, all))
    }

    fn part(&self) -> Part {
        let looks = vec![Look { exact: true, total: 0.0 }; self.plan.len()];
        Part { lines: LineCounts::default(), looks, lacking: Lacking::default(), told: Told::new(self.sized.len() - SIZES.len()), stores: HashSet::new() }
    }

    /// Sums the lines of some customers, who stand together in the assignment, into their piece of the columns.
    fn customers(&self, places: &[(u32, u32)], (piece, filling): (Piece<'_>, Filling<'_>), scratch: &mut Scratch) -> Result<Part> {
        let mut part = self.part();
        scratch.batches.resize_with(self.segments.len(), Batch::default);
        scratch.batches.iter_mut().for_each(Batch::clear);
        self.find(places, scratch);
        let (all_runs, theirs) = (std::mem::take(&mut scratch.runs), std::mem::take(&mut scratch.theirs));
        let mut rows = std::mem::take(&mut scratch.rows);
        rows.begin(&self.layout, places.len());
        for (local, (_, customer)) in places.iter().enumerate() {
            scratch.visits.clear();
            let own = *customer as usize % CUSTOMERS;
            let Some(row) = rows.exact.chunks_exact_mut(self.layout.width).nth(own) else { continue };
            for (how, place) in self.segments.iter().zip(0..) {
                let runs = &all_runs[theirs[place * places.len() + local].clone()];
                for runs in runs.chunk_by(|(_, a), (_, b)| a.end == b.start) {
                    self.piece(how, (own as u32, place, *customer), runs, row, &mut part, scratch);
                }
            }
            self.count_visits(&mut scratch.visits, row);
        }
        (scratch.runs, scratch.theirs) = (all_runs, theirs);
        for (how, batch) in self.segments.iter().zip(&mut scratch.batches).filter(|(_, batch)| !batch.hits.is_empty()) {
            batch.in_row_order(how.segment);
            self.compute(how, batch, &mut rows, &mut part)?;
        }
        filling.fill(piece, &rows);
        scratch.rows = rows;
        Ok(part)
    }

    /// Finds the runs of some customers. Their lines lie far apart in memory: each step reads what the next one needs of all customers, one place after the
    /// other without waiting for any, so that memory answers many reads at once.
    fn find(&self, places: &[(u32, u32)], scratch: &mut Scratch) {
        scratch.runs.clear();
        scratch.theirs.clear();
        let mut read = 0;
        for how in &self.segments {
            scratch.lines.clear();
            scratch.lines.extend(places.iter().map(|(code, _)| how.segment.lines_of(*code)));
            for lines in &scratch.lines {
                let step = (lines.len() / MOST_READ).max(A_LINE / size_of::<u16>());
                read ^= lines.clone().step_by(step).fold(0, |read, at| read ^ u64::from(how.segment.day[at]));
            }
            let from = scratch.runs.len();
            for lines in &scratch.lines {
                let before = scratch.runs.len();
                Asked::runs_of(how.segment, how.windows, lines.clone(), |span, run| scratch.runs.push((span, run)));
                scratch.theirs.push(before..scratch.runs.len());
            }
            for pieces in scratch.runs[from..].chunk_by(|(_, a), (_, b)| a.end == b.start) {
                if let [(_, first), ..] = pieces {
                    read ^= how.read(first.start..pieces.last().map_or(first.end, |(_, run)| run.end));
                }
            }
        }
        std::hint::black_box(read);
    }

    /// Adds lines of a customer that stand together.
    #[inline]
    fn piece(&self, how: &How<'_>, (own, place, customer): (u32, usize, u32), runs: &[Run], row: &mut [i64], part: &mut Part, scratch: &mut Scratch) {
        let [(_, first), ..] = runs else { return };
        let lines = first.start..runs.last().map_or(first.end, |(_, run)| run.end);
        scratch.atoms.clear();
        for (span, run) in runs {
            row[self.layout.seen()] |= 1 << (*span).min(31);
            let (unlisted, without_category) = self.asked.atoms_of(how.segment, customer, *span, run.clone(), &mut scratch.atoms);
            part.lines.without_product_row += unlisted;
            part.lines.without_category += without_category;
        }
        part.lines.used += lines.len() as u64;
        let (stride, mut columns) = (self.layout.exact.len(), how.ticks.as_slice());
        while let Some((some, rest)) = columns.split_first_chunk::<3>() {
            add(row, stride, &scratch.atoms, some, &lines);
            columns = rest;
        }
        while let Some((some, rest)) = columns.split_first_chunk::<1>() {
            add(row, stride, &scratch.atoms, some, &lines);
            columns = rest;
        }
        self.look(how, &lines, customer, part, &mut scratch.numbers);
        if self.asked.partition.baskets {
            self.visit(how.segment, lines.clone(), &scratch.atoms, &mut scratch.visits);
        }
        if matches!(self.asked.sales, Sales::Calendar(_))
            && let Some(stores) = &how.segment.store
        {
            part.stores.extend(&stores[lines.clone()]);
        }
        if !how.computed.is_empty() {
            let batch = &mut scratch.batches[place];
            for (at, atom) in lines.zip(&scratch.atoms) {
                batch.push(at, own, self.asked.products[how.segment.product[at] as usize], *atom);
            }
        }
    }

    /// Looks at sizes and signs.
    #[inline]
    fn look(&self, how: &How<'_>, lines: &Range<usize>, customer: u32, part: &mut Part, numbers: &mut Vec<Vec<f64>>) {
        let segment = how.segment;
        if let Some([quantity, net_sales, signed @ ..]) = how.sizes.as_deref() {
            let quantity = &quantity[lines.clone()];
            part.told.sizes(segment, lines, customer, quantity, &net_sales[lines.clone()]);
            for ((column, values), number) in signed.iter().enumerate().zip(&self.sized[SIZES.len()..]) {
                part.told.signs(column, segment, lines, quantity, &values[lines.clone()], &segment.numbers[*number]);
            }
            return;
        }
        numbers.resize_with(self.sized.len(), Vec::new);
        for (values, number) in numbers.iter_mut().zip(&self.sized) {
            values.clear();
            segment.numbers[*number].restore(lines.start, lines.end, values);
        }
        if let [quantity, net_sales, signed @ ..] = numbers.as_slice() {
            part.told.sizes(segment, lines, customer, quantity, net_sales);
            for ((column, values), number) in signed.iter().enumerate().zip(&self.sized[SIZES.len()..]) {
                part.told.signs(column, segment, lines, quantity, values, &segment.numbers[*number]);
            }
        }
    }

    /// Adds the visits of some lines; neighbouring lines of one basket are one.
    #[inline]
    fn visit(&self, segment: &Segment, lines: Range<usize>, atoms: &[u16], visits: &mut Vec<(u64, u32)>) {
        let mut add = |key: u64, atom: u16| {
            let bits = self.asked.bits[usize::from(atom)];
            match visits.last_mut() {
                Some((last, mask)) if *last == key => *mask |= bits,
                _ => visits.push((key, bits)),
            }
        };
        if let Some(BasketKeys::Narrow { first, keys }) = &segment.basket
            && !keys[lines.clone()].contains(&super::columns::NARROW_NULL)
        {
            keys[lines].iter().zip(atoms).for_each(|(key, atom)| add(first.wrapping_add(i64::from(*key)) as u64, *atom));
            return;
        }
        lines.zip(atoms).for_each(|(at, atom)| add(self.asked.index.visit_key(segment, at), *atom));
    }

    /// Counts the distinct baskets of a customer.
    #[inline]
    fn count_visits(&self, visits: &mut Vec<(u64, u32)>, row: &mut [i64]) {
        if !visits.is_sorted_by(|(a, _), (b, _)| a < b) {
            visits.sort_unstable();
            visits.dedup_by(|(key, mask), (kept, all)| {
                let same = key == kept;
                *all |= if same { *mask } else { 0 };
                same
            });
        }
        let mut offers = 0;
        let counts = &mut row[self.layout.baskets()..][..self.basket_masks.len()];
        for (_, mask) in visits.iter() {
            counts.iter_mut().zip(&self.basket_masks).for_each(|(count, cell)| *count += i64::from(mask & cell != 0));
            offers += i64::from(visits::has_offer(*mask));
        }
        row[self.layout.seen() + 1] += offers;
    }

    /// Adds the amounts that are worked out line by line.
    fn compute(&self, how: &How<'_>, batch: &Batch, rows: &mut Rows, part: &mut Part) -> Result<()> {
        let columns = batch.columns(self.asked.index, how.segment, &how.wanted);
        for &amount in &how.computed {
            let values = self.plan[amount].values(&&columns)?.of(&batch.hits);
            part.looks[amount] = part.looks[amount].and(look(&values));
            let hits = batch.hits.iter().map(|hit| (hit.customer as usize, usize::from(hit.atom))).zip(&values);
            if let Some(place) = self.layout.exact.iter().position(|a| *a == amount) {
                // What is not exact after all may not fit, and is not used.
                hits.for_each(|((row, atom), value)| {
                    let sum = &mut rows.exact[row * self.layout.width + atom * self.layout.exact.len() + place];
                    *sum = sum.wrapping_add(ticks(*value));
                });
            } else if let Some(place) = self.layout.real.iter().position(|a| *a == amount) {
                hits.for_each(|((row, atom), value)| rows.real[row * self.layout.real_width + atom * self.layout.real.len() + place] += *value);
            }
        }
        let (cost, vat) = (columns.cost_or_product(self.plan), columns.vat_or_product(self.plan));
        if cost.is_some() || vat.is_some() {
            for (hit, at) in batch.hits.iter().zip(&batch.at) {
                part.lacking.look(hit, how.segment.row(*at as usize), cost.as_ref(), vat.as_ref());
            }
        }
        Ok(())
    }

    fn facts(&self, places: &[(u32, u32)], part: &Part) -> Result<Facts> {
        let (index, partition) = (self.asked.index, self.asked.partition);
        let promotion = partition.spans.iter().find(|s| s.period == Period::Promotion).map(|s| s.days);
        let share = promotion.map(|span| self.asked.sales.share(partition.products.len(), span, index.distinct_stores(&part.stores))).unwrap_or_default();
        let in_windows = index.lines_within(partition);
        let lines = LineCounts {
            read: index.len() as u64,
            outside_assignment: in_windows - part.lines.used,
            outside_windows: index.len() as u64 - in_windows,
            zero_quantity: part.told.zero_quantity,
            returns: part.told.returns,
            negative_price: part.told.negative_price,
            without_cost: part.lacking.cost.map_or(0, |bad| bad.count),
            ..part.lines
        };
        Ok(Facts {
            lines: Some(lines),
            on_sale: on_sale_by_role(partition, &share),
            baseline_on_sale: if share.is_empty() { None } else { Some(self.baseline_on_sale(places, &share)?) },
            null_discounts: index.kept.null_discounts(),
            repeated_products: index.kept.products.repeated,
            logged_redemptions: matches!(partition.offer, OfferRule::Log(_)),
            oddities: None,
        })
    }

    /// The lines of the baseline again, each weighted by its product's share of promotion days on sale.
    fn baseline_on_sale(&self, places: &[(u32, u32)], share: &[Option<f64>]) -> Result<Vec<(ProductClass, Vec<Vec<f64>>)>> {
        let partition = self.asked.partition;
        let baseline: Vec<bool> = partition.spans.iter().map(|span| span.period == Period::Baseline).collect();
        let wanted = Wanted::new(self.asked.index, self.plan.iter())?;
        let (amounts, width) = (self.plan.len(), self.plan.len() * partition.classes.len());
        let mut sums = vec![0.0; places.len() * width];
        let rows = sums.par_chunks_mut((CUSTOMERS * width).max(1)).zip(places.par_chunks(CUSTOMERS));
        rows.try_for_each(|(rows, places)| {
            for how in &self.segments {
                let mut batch = Batch::default();
                for ((code, _), local) in places.iter().zip(0..).filter(|((code, _), _)| *code != NONE) {
                    Asked::runs(how.segment, how.windows, *code, |span, run| {
                        let product = |at: usize| self.asked.products[how.segment.product[at] as usize];
                        run.filter(|_| baseline[span]).for_each(|at| batch.push(at, local, product(at), 0));
                    });
                }
                batch.in_row_order(how.segment);
                let columns = batch.columns(self.asked.index, how.segment, &wanted);
                for (amount, plan) in self.plan.iter().enumerate() {
                    let values = plan.values(&&columns)?;
                    for hit in &batch.hits {
                        let share = share.get(hit.product as usize).copied().flatten().unwrap_or(0.0);
                        rows[hit.customer as usize * width + class_of(partition, hit.product) * amounts + amount] += share * values.at(hit);
                    }
                }
            }
            Ok::<_, crate::Error>(())
        })?;
        let column = |place: usize| {
            let mut column = vec![0.0; places.len()];
            places.iter().zip(sums.chunks_exact(width)).for_each(|((_, customer), row)| column[*customer as usize] = row[place]);
            column
        };
        let of_class = |class: usize| (0..amounts).map(|amount| column(class * amounts + amount)).collect();
        Ok(partition.classes.iter().enumerate().map(|(place, class)| (*class, of_class(place))).collect())
    }
}

impl<'a> How<'a> {
    /// Reads of every column once what memory hands over together.
    #[inline]
    fn read(&self, lines: Range<usize>) -> u64 {
        let mut read = read(&self.segment.product[lines.clone()], |product| product);
        for (_, ticks) in &self.ticks {
            read ^= self::read(&ticks[lines.clone()], |ticks| ticks as u32);
        }
        if let Some(BasketKeys::Narrow { keys, .. }) = &self.segment.basket {
            read ^= self::read(&keys[lines], |key| key);
        }
        read.into()
    }

    fn new(
        asked: &'a Asked<'a>,
        plan: &[AmountPlan<'_>],
        (segment, windows): (&'a Segment, &'a [Range<usize>]),
        sized: &[usize],
        layout: &Layout,
    ) -> Result<Self> {
        let index = asked.index;
        let (mut ticks, mut computed) = (Vec::new(), Vec::new());
        for (amount, plan) in plan.iter().enumerate() {
            let column = plain(plan).map(|column| index.number(column)).transpose()?.and_then(|number| segment.numbers[number].ticks());
            match (column, layout.exact.iter().position(|a| *a == amount)) {
                (Some(column), Some(place)) => ticks.push((place, column)),
                _ => computed.push(amount),
            }
        }
        let wanted = Wanted::new(index, plan.iter().enumerate().filter(|(amount, _)| computed.contains(amount)).map(|(_, plan)| plan))?;
        // The size of the largest line is told to the bit.
        let nearest = segment.numbers[sized[1]].is_nearest();
        let largest = sized.iter().map(|number| segment.numbers[*number].ticks()).collect::<Option<Vec<_>>>().filter(|_| nearest);
        Ok(Self { segment, windows, ticks, computed, wanted, sizes: largest })
    }
}

/// Adds some amounts of lines to the sums of their atoms. Several together, since each line waits for the sum that the line before has changed.
#[inline]
fn add<const N: usize>(row: &mut [i64], stride: usize, atoms: &[u16], columns: &[(usize, &[i32]); N], lines: &Range<usize>) {
    let columns = columns.map(|(place, ticks)| (place, &ticks[lines.clone()]));
    for (line, atom) in atoms.iter().enumerate().take(lines.len()) {
        let sums = &mut row[usize::from(*atom) * stride..][..stride];
        for (place, ticks) in &columns {
            sums[*place] += i64::from(ticks[line]);
        }
    }
}

/// Reads once what memory hands over together.
#[inline]
fn read<T: Copy>(values: &[T], word: impl Fn(T) -> u32) -> u32 {
    let first = values.chunks(A_LINE / size_of::<T>()).fold(0, |read, some| read ^ word(some[0]));
    values.last().map_or(first, |last| first ^ word(*last))
}

impl Part {
    fn add(&mut self, more: Self) {
        self.lines = self.lines.plus(more.lines);
        self.looks.iter_mut().zip(more.looks).for_each(|(look, more)| *look = look.and(more));
        self.lacking.add(more.lacking, 0);
        self.told.add(more.told);
        self.stores.extend(more.stores);
    }

    /// The oddities, without repeated lines.
    fn oddities(self, index: &LedgerIndex, signed: &[usize], asked: &Asked<'_>) -> Oddities {
        let named = |(number, signs): (&usize, super::oddities::SignCounts)| {
            let number = &index.kept.numbers[*number];
            Signs { column: number.name.clone(), in_frame: number.in_frame.clone(), nonzero: signs.nonzero, negative: signs.negative, first: signs.first }
        };
        Oddities {
            signs: signed.iter().zip(self.told.signs).map(named).collect(),
            zero_costs: self.lacking.zero_costs,
            repeats: crate::ledger::Repeats::default(),
            magnitude: self.told.magnitude as f64 / crate::ledger::scan::TICKS,
            largest: self.told.largest,
            lines_by_day: index.lines_by_day(asked.partition),
        }
    }
}
