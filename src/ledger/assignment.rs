//! The assignment of customers to arms, from frames.

use hashbrown::{HashMap, HashSet};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::Columns;
use super::frames::{self, IdColumn};
use crate::error::{ErrorKind, Fault, Input, Problem, Problems, Result, listed};
use crate::study::{Arm, Assignment, Codes, Ids};

/// The name of a missing stratum, cluster or segment.
pub(crate) const NONE: &str = "(none)";

/// Which columns of the assignments (or customers) frame are read besides `customer` and `arm`; the table `[assignment]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssignmentColumns {
    /// The share of customers meant to be in the target arm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intended_target_share: Option<f64>,
    /// The stratum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stratum: Option<String>,
    /// The cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The pair, for `matched_pairs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// The weight within the arm, for `given_weights`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// The variant of the offer that a target customer got; measured against the one control, and with each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Segments, named before the results are seen.
    pub segments: Vec<String>,
    /// Segments looked at afterwards: measured alike, and called exploratory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exploratory_segments: Vec<String>,
    /// Numeric attributes, for covariates and contacts.
    #[serde(skip)]
    pub attributes: Vec<String>,
}

impl AssignmentColumns {
    fn names(&self) -> impl Iterator<Item = &str> {
        let columns = self.stratum.iter().chain(&self.cluster).chain(&self.pair).chain(&self.weight).chain(&self.variant);
        columns.chain(&self.segments).chain(&self.exploratory_segments).chain(&self.attributes).map(String::as_str)
    }
}

impl Assignment {
    /// Reads an assignment from a frame with the columns `customer` and `arm` (`target` or `control`, in any case) and those `wanted`.
    ///
    /// Where the frame has a column `promotion` and `promotion` names one, only its rows are kept. A null stratum, cluster or
    /// segment is called `(none)`. Empty arms are found by [`Study::validate`](crate::study::Study::validate).
    ///
    /// # Errors
    /// An input error that lists every missing column, null, unknown arm, unusable type and customer who stands twice. Rows are counted in the
    /// frame as it came, those of other promotions too.
    pub fn from_frame(frame: impl IntoLazy, columns: &Columns, wanted: &AssignmentColumns, promotion: Option<&str>) -> Result<Self> {
        Self::from_frames(frame, None::<LazyFrame>, columns, wanted, promotion)
    }

    /// The same, with a frame of one row a customer that is asked for every wanted column the assignments lack (`promotion` too).
    ///
    /// An assigned customer without a row there is `(none)` in stratum, cluster and segments, and a problem in an attribute.
    ///
    /// # Errors
    /// As [`Assignment::from_frame`]; also when customers are of different types in the two frames, stand twice in the second, or
    /// have none in common.
    pub fn from_frames(
        assignments: impl IntoLazy,
        customers: Option<impl IntoLazy>,
        columns: &Columns,
        wanted: &AssignmentColumns,
        promotion: Option<&str>,
    ) -> Result<Self> {
        let assigned = Table::new(assignments.lazy(), Input::Assignment, columns, wanted)?;
        let customers = customers.map(|frame| Table::new(frame.lazy(), Input::Customers, columns, wanted)).transpose()?;
        let reading = Reading { assigned, customers, columns, problems: Problems::default() };
        reading.finish(wanted, promotion)
    }
}

/// A frame of customers, with the columns that are wanted of it.
struct Table {
    frame: DataFrame,
    input: Input,
    present: Vec<String>,
}

impl Table {
    fn new(frame: LazyFrame, input: Input, columns: &Columns, wanted: &AssignmentColumns) -> Result<Self> {
        let mut frame = frame;
        let schema = frame.collect_schema()?;
        let needed = ["customer", "arm", "promotion"].into_iter().map(|name| columns.name(name)).chain(wanted.names());
        let mut kept: Vec<&str> = needed.filter(|name| schema.contains(name)).collect();
        kept.sort_unstable();
        kept.dedup();
        let present = schema.iter_names().map(ToString::to_string).collect();
        let frame = frames::collect(frame.select(kept.into_iter().map(col).collect::<Vec<_>>()))?;
        Ok(Self { frame, input, present })
    }

    fn find(&self, name: &str) -> Option<&Column> {
        self.frame.column(name).ok()
    }

    fn column(&self, name: &str) -> Result<&Column> {
        self.find(name).ok_or_else(|| frames::missing(name, self.present.iter().map(String::as_str), self.input).into())
    }

    /// The customers; nulls are a problem.
    fn ids(&self, name: &str) -> Result<IdColumn> {
        let column = self.column(name)?;
        let null = frames::null_problem(column, self.input, "Every row needs a customer; fill it or leave the row out");
        null.map_or_else(|| IdColumn::new(column, self.input), |problem| Err(problem.into()))
    }

    /// Keeps the rows for which `kept` is true, and gives their numbers in the frame as it came.
    fn keep(&mut self, kept: &[bool]) -> Result<Vec<usize>> {
        self.frame = self.frame.filter(&BooleanChunked::from_slice("kept".into(), kept))?;
        Ok(kept.iter().enumerate().filter(|(_, kept)| **kept).map(|(row, _)| row).collect())
    }
}

/// An assignment while it is read.
struct Reading<'a> {
    assigned: Table,
    customers: Option<Table>,
    columns: &'a Columns,
    problems: Problems,
}

impl Reading<'_> {
    fn finish(mut self, wanted: &AssignmentColumns, promotion: Option<&str>) -> Result<Assignment> {
        if self.assigned.frame.height() == 0 && !self.assigned.present.is_empty() {
            self.problems.push(Problem::new(Input::Assignment, Fault::Empty, "there is no row").remedy("Bring one row a customer, of both arms"));
        }
        let rows = self.rows_of_promotion(promotion)?;
        let mut assignment = Assignment { target_share: wanted.intended_target_share, ..Assignment::default() };
        let ids = self.problems.take(self.assigned.ids(self.columns.name("customer")))?;
        assignment.arm = self.arms()?;
        assignment.customers = ids.as_ref().map(IdColumn::to_ids).unwrap_or_default();
        if assignment.arm.len() == assignment.len() {
            assignment.duplicates().into_iter().for_each(|problem| self.problems.push(problem.column(self.columns.name("customer"))));
        }
        let lookup = self.lookup(ids.as_ref())?;
        assignment.stratum = self.codes(wanted.stratum.as_ref(), lookup.as_deref())?;
        assignment.cluster = self.codes(wanted.cluster.as_ref(), lookup.as_deref())?;
        assignment.variant = self.codes(wanted.variant.as_ref(), lookup.as_deref())?.and_then(|codes| Some((wanted.variant.clone()?, codes)));
        self.pairs_and_weights(&mut assignment, wanted, ids.as_ref(), lookup.as_deref())?;
        assignment.exploratory.clone_from(&wanted.exploratory_segments);
        for name in wanted.segments.iter().chain(&wanted.exploratory_segments) {
            assignment.segments.extend(self.codes(Some(name), lookup.as_deref())?.map(|codes| (name.clone(), codes)));
        }
        for name in &wanted.attributes {
            let values = self.attribute(name, ids.as_ref(), lookup.as_deref());
            assignment.attributes.extend(self.problems.take(values)?.map(|values| (name.clone(), values)));
        }
        self.problems.finish().map_err(|error| in_frame_rows(error, rows.as_deref()))?;
        Ok(assignment)
    }

    /// Pairs and weights, checked here where their columns' names are known.
    fn pairs_and_weights(
        &mut self,
        assignment: &mut Assignment,
        wanted: &AssignmentColumns,
        ids: Option<&IdColumn>,
        lookup: Option<&[Option<usize>]>,
    ) -> Result<()> {
        assignment.pair = self.codes(wanted.pair.as_ref(), lookup)?;
        let missing = assignment.pair.as_ref().and_then(|pairs| unpaired(pairs, assignment));
        let broken = missing.or_else(|| assignment.incomplete_pairs());
        if let (Some(problem), Some(name)) = (broken, &wanted.pair) {
            self.problems.push(problem.column(name));
        }
        if let Some(name) = &wanted.weight {
            assignment.weight = self.problems.take(self.attribute(name, ids, lookup))?;
            assignment.bad_weights().into_iter().for_each(|problem| self.problems.push(problem.column(name)));
        }
        Ok(())
    }

    /// Keeps the rows of the promotion, in the assignments or by the customers' frame, and gives them where some were left out.
    fn rows_of_promotion(&mut self, promotion: Option<&str>) -> Result<Option<Vec<usize>>> {
        let name = self.columns.name("promotion").to_owned();
        let Some(id) = promotion else { return Ok(None) };
        let Some(table) = [Some(&self.assigned), self.customers.as_ref()].into_iter().flatten().find(|table| table.find(&name).is_some()) else {
            return Ok(None);
        };
        let found = frames::texts(table.column(&name)?)?;
        let of_promotion: Vec<bool> = found.iter().map(|text| text.is_some_and(|t| t.trim() == id)).collect();
        if !of_promotion.contains(&true) && !of_promotion.is_empty() {
            return Err(no_promotion(id, &name, &found, table.input).into());
        }
        match table.input {
            Input::Assignment => self.assigned.keep(&of_promotion).map(Some),
            _ => self.keep_by_customers(&of_promotion),
        }
    }

    /// Keeps the assigned customers whose row in the customers' frame is `of_promotion`.
    fn keep_by_customers(&mut self, of_promotion: &[bool]) -> Result<Option<Vec<usize>>> {
        let name = self.columns.name("customer");
        // Customers that cannot be read or met are a problem that is told when they are looked up.
        let there = self.customers.as_ref().and_then(|table| table.ids(name).ok()).map(|ids| ids.to_ids());
        let (Ok(ids), Some(there)) = (self.assigned.ids(name), there) else { return Ok(None) };
        let kept = match (ids.to_ids(), there) {
            (Ids::Integers(ids), Ids::Integers(there)) => are_among(&ids, &there, of_promotion),
            (Ids::Texts(ids), Ids::Texts(there)) => are_among(&ids, &there, of_promotion),
            _ => return Ok(None),
        };
        self.assigned.keep(&kept).map(Some)
    }

    /// The arms by their labels; an empty list where there is a problem.
    fn arms(&mut self) -> Result<Vec<Arm>> {
        let column = self.assigned.column(self.columns.name("arm"));
        let Some(column) = self.problems.take(column)? else { return Ok(Vec::new()) };
        let labels = frames::texts(column)?;
        let arms: Vec<Option<Arm>> = labels.iter().map(|label| label.and_then(arm)).collect();
        if let Some(row) = arms.iter().position(Option::is_none) {
            let problem = Problem::new(Input::Assignment, Fault::UnknownArm, "the arm is neither target nor control").column(column.name().as_str());
            let problem = problem.first(row).value(labels.get(row).unwrap_or("null")).count(arms.iter().filter(|a| a.is_none()).count());
            self.problems.push(problem.remedy("Write target for customers who were offered the promotion and control for those kept out"));
        }
        Ok(arms.into_iter().flatten().collect())
    }

    /// For each assigned customer its row in the customers' frame.
    fn lookup(&mut self, ids: Option<&IdColumn>) -> Result<Option<Vec<Option<usize>>>> {
        let Some(customers) = &self.customers else { return Ok(None) };
        let there = self.problems.take(customers.ids(self.columns.name("customer")))?;
        let (Some(ids), Some(there)) = (ids, there) else { return Ok(None) };
        let found = match (ids.to_ids(), there.to_ids()) {
            (Ids::Integers(ids), Ids::Integers(there)) => rows_of(&ids, &there),
            (Ids::Texts(ids), Ids::Texts(there)) => rows_of(&ids, &there),
            (here, there) => {
                let text = format!("customers are {} in the assignments and {} here", here.kind(), there.kind());
                let problem = Problem::new(Input::Customers, Fault::IdTypes, text).column(self.columns.name("customer"));
                self.problems.push(problem.remedy("Give customers the same type in every input; integers and texts never match"));
                return Ok(None);
            }
        };
        if let Some(mut problem) = found.twice {
            problem.column = Some(self.columns.name("customer").to_owned());
            self.problems.push(problem);
        }
        if found.rows.iter().all(Option::is_none) && !found.rows.is_empty() {
            let problem = Problem::new(Input::Customers, Fault::NoCommonIds, "none of the assigned customers has a row").column(self.columns.name("customer"));
            self.problems.push(problem.remedy("Check that both inputs write customers in the same way"));
        }
        Ok(Some(found.rows))
    }

    /// Where a wanted column stands: in the assignments, or else in the customers' frame.
    fn place(&self, name: &str) -> Result<(&Table, &Column)> {
        let tables = || [Some(&self.assigned), self.customers.as_ref()].into_iter().flatten();
        tables().find_map(|table| table.find(name).map(|column| (table, column))).ok_or_else(|| {
            let present: Vec<&str> = tables().flat_map(|table| table.present.iter().map(String::as_str)).collect();
            frames::missing(name, present, Input::Assignment).into()
        })
    }

    fn codes(&mut self, name: Option<&String>, lookup: Option<&[Option<usize>]>) -> Result<Option<Codes>> {
        let Some(name) = name else { return Ok(None) };
        let read = self.place(name).and_then(|(table, column)| {
            let texts = labels(column)?;
            Ok(match (table.input, lookup) {
                (Input::Assignment, _) => Some(encode(texts.iter().map(Option::as_deref))),
                (_, Some(rows)) => Some(encode(rows.iter().map(|row| row.and_then(|row| texts.get(row)?.as_deref())))),
                // The customers could not be met, which is a problem of its own.
                (_, None) => None,
            })
        });
        Ok(self.problems.take(read)?.flatten())
    }

    fn attribute(&self, name: &str, ids: Option<&IdColumn>, lookup: Option<&[Option<usize>]>) -> Result<Vec<f64>> {
        let (table, column) = self.place(name)?;
        let values = frames::numbers(column, table.input)?;
        let values: Vec<Option<f64>> = match (table.input, lookup) {
            (Input::Assignment, _) => values.iter().collect(),
            (_, Some(rows)) => rows.iter().map(|row| row.and_then(|row| values.get(row))).collect(),
            (_, None) => return Ok(Vec::new()),
        };
        let unusable = |value: &Option<f64>| value.is_none_or(|v| !v.is_finite());
        let Some(row) = values.iter().position(unusable) else { return Ok(values.into_iter().flatten().collect()) };
        let (fault, value) = values[row].map_or((Fault::Null, String::new()), |value| (Fault::NotFinite, format!("{value}, ")));
        let problem = Problem::new(Input::Assignment, fault, "an assigned customer has no (finite) value of an attribute").column(name).first(row);
        let customer = ids.map(|ids| ids.to_ids().text(row)).unwrap_or_default();
        let problem = problem.value(format!("{value}customer {customer}")).count(values.iter().filter(|v| unusable(v)).count());
        Err(problem.remedy("Fill it in the assignments or the customers file, or do without the attribute").into())
    }
}

/// The problem of customers without a pair.
fn unpaired(pairs: &Codes, assignment: &Assignment) -> Option<Problem> {
    let none = pairs.names.iter().position(|name| name == NONE)?;
    let without = |code: &u32| *code as usize == none;
    let row = pairs.codes.iter().position(without)?;
    let problem = Problem::new(Input::Assignment, Fault::Null, "an assigned customer has no pair").first(row);
    let customer = if assignment.len() == pairs.codes.len() { assignment.customers.text(row) } else { String::new() };
    let problem = problem.value(format!("customer {customer}")).count(pairs.codes.iter().filter(|code| without(code)).count());
    Some(problem.remedy("Leave customers without a partner out of the assignment (the effect is then that on the paired target), or use another estimator"))
}

fn arm(label: &str) -> Option<Arm> {
    [Arm::Target, Arm::Control].into_iter().find(|arm| label.trim().eq_ignore_ascii_case(&arm.to_string()))
}

fn no_promotion(id: &str, column: &str, found: &StringChunked, input: Input) -> Problem {
    let mut ids: Vec<&str> = found.iter().flatten().map(str::trim).collect();
    ids.sort_unstable();
    ids.dedup();
    let hint = super::columns::did_you_mean(id, ids.iter().copied());
    let problem = Problem::new(input, Fault::UnknownName, "no row is of this promotion").column(column).value(id);
    problem.remedy(format!("{hint}Promotions found: {}", listed(ids)))
}

/// For each of `ids` whether it is one of those of `there` that are `marked`.
fn are_among<K: std::hash::Hash + Eq>(ids: &[K], there: &[K], marked: &[bool]) -> Vec<bool> {
    let among: HashSet<&K> = there.iter().zip(marked).filter(|(_, marked)| **marked).map(|(id, _)| id).collect();
    ids.iter().map(|id| among.contains(id)).collect()
}

/// For each of `ids` its row in `there`, and the problem of customers who stand there twice.
struct Rows {
    rows: Vec<Option<usize>>,
    twice: Option<Problem>,
}

fn rows_of<K: std::hash::Hash + Eq + std::fmt::Display>(ids: &[K], there: &[K]) -> Rows {
    let mut row_of: HashMap<&K, usize> = HashMap::with_capacity(there.len());
    let mut again = Vec::new();
    for (row, id) in there.iter().enumerate() {
        if row_of.insert(id, row).is_some() {
            again.push(row);
        }
    }
    let twice = again.first().map(|&row| {
        let problem = Problem::new(Input::Customers, Fault::DuplicateCustomer, "a customer stands twice").first(row).value(&there[row]);
        problem.count(again.len()).remedy("Keep one row a customer")
    });
    Rows { rows: ids.iter().map(|id| row_of.get(id).copied()).collect(), twice }
}

/// Any column as texts; whole numbers are written without a decimal point.
fn labels(column: &Column) -> Result<Vec<Option<String>>> {
    if column.dtype().is_float() {
        let values = column.cast(&DataType::Float64)?;
        return Ok(values.f64()?.iter().map(|value| value.map(|v| v.to_string())).collect());
    }
    Ok(frames::texts(column)?.iter().map(|text| text.map(str::to_owned)).collect())
}

/// Codes in the order in which names are first seen.
fn encode<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> Codes {
    let mut code_of: HashMap<&str, u32> = HashMap::new();
    let mut names = Vec::new();
    let codes = texts.map(|text| {
        let text = text.unwrap_or(NONE);
        let next = u32::try_from(code_of.len()).unwrap_or(u32::MAX);
        *code_of.entry(text).or_insert_with(|| {
            names.push(text.to_owned());
            next
        })
    });
    let codes = codes.collect();
    Codes { names, codes }
}

/// Counts the rows of problems in the frame as it came, where only `rows` of it were kept.
fn in_frame_rows(error: crate::Error, rows: Option<&[usize]>) -> crate::Error {
    let Some(rows) = rows else { return error };
    let mut problems = error.problems().to_vec();
    for problem in problems.iter_mut().filter(|p| p.input == Input::Assignment) {
        let row = problem.row.and_then(|row| usize::try_from(row).ok()?.checked_sub(1));
        if let Some(row) = row.and_then(|row| rows.get(row)) {
            *problem = problem.clone().first(*row);
        }
    }
    ErrorKind::Input(problems).into()
}

#[cfg(test)]
mod tests;
