//! The plan of a study as SQL text.

use std::fmt::Write;

use polars::prelude::{Column, DataFrame};

use super::Warehouse;
use crate::cells::{AmountSource, AmountSpec, Atom, MarkdownRule, OfferRule, Partition, Role, Span};
use crate::error::Result;
use crate::measure::Plan;
use crate::study::{Arm, Day, Ids, Period, Study, Where};

/// The SQL text that makes the cells of a study, and the small tables it refers to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SqlPlan {
    /// One `WITH ... SELECT` statement for DuckDB or `PostgreSQL`: one row a customer, a column an atom and amount.
    pub text: String,
    /// Tables to upload first.
    pub tables: Vec<SqlTable>,
}

/// A table that the SQL text refers to.
#[derive(Debug, Clone)]
pub struct SqlTable {
    /// Its name.
    pub name: &'static str,
    /// Its rows.
    pub frame: DataFrame,
}

impl Warehouse {
    /// The SQL text for a study.
    ///
    /// # Errors
    /// As [`Study::plan`].
    pub fn sql(&self, study: &Study) -> Result<SqlPlan> {
        let plan = study.plan(&self.catalogue())?;
        let writer = Writer { warehouse: self, study, plan: &plan };
        let mut tables =
            vec![SqlTable { name: "promolift_products", frame: writer.products()? }, SqlTable { name: "promolift_assignments", frame: writer.assignments()? }];
        if let MarkdownRule::Calendar(_) = plan.partition.markdown {
            tables.push(SqlTable { name: "promolift_sales", frame: writer.sales()? });
        }
        if let OfferRule::Log(_) = plan.partition.offer {
            tables.push(SqlTable { name: "promolift_redemptions", frame: writer.redemptions()? });
        }
        Ok(SqlPlan { text: writer.text(), tables })
    }
}

struct Writer<'a> {
    warehouse: &'a Warehouse,
    study: &'a Study,
    plan: &'a Plan,
}

/// A quoted identifier.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A quoted text.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn date(day: Day) -> String {
    format!("DATE '{day}'")
}

impl Writer<'_> {
    /// A column of the lines by promolift's name.
    fn line(&self, name: &str) -> String {
        format!("t.{}", identifier(self.warehouse.columns.name(name)))
    }

    /// The day of a line: a time of day is cut off, so that the last day of a window is whole.
    fn day(&self) -> String {
        format!("CAST({} AS DATE)", self.line("day"))
    }

    fn number(&self, name: &str) -> String {
        format!("COALESCE({}, 0)", self.line(name))
    }

    fn text(&self) -> String {
        let partition = &self.plan.partition;
        let mut sql = String::from("WITH line AS (\n");
        let _ = writeln!(sql, "  SELECT a.customer, COALESCE(p.class, 0) AS class, {} AS span,", self.span());
        let _ = writeln!(sql, "    {} AS basket, {} AS offer, {} AS marked_down", self.basket(), self.offer(), self.marked_down());
        for (index, amount) in self.plan.amounts.iter().enumerate() {
            let _ = writeln!(sql, "    , {} AS amount{index}", self.amount(index, amount));
        }
        let _ = writeln!(sql, "  FROM {} t", self.warehouse.lines);
        let _ = writeln!(sql, "  JOIN promolift_assignments a ON a.customer = {}", self.line("customer"));
        let _ = writeln!(sql, "  LEFT JOIN promolift_products p ON p.product = {}", self.line("product"));
        let days: Vec<String> = partition.spans.iter().map(|s| self.between(s)).collect();
        let _ = writeln!(sql, "  WHERE {}\n)\nSELECT customer", days.join(" OR "));
        for (name, expression) in self.cells() {
            let _ = writeln!(sql, "  , {expression} AS {}", identifier(&name));
        }
        sql.push_str("FROM line GROUP BY customer\n");
        sql
    }

    fn between(&self, span: &Span) -> String {
        format!("{} BETWEEN {} AND {}", self.day(), date(span.days.first), date(span.days.last))
    }

    fn span(&self) -> String {
        let cases: Vec<String> = self.plan.partition.spans.iter().enumerate().map(|(i, s)| format!("WHEN {} THEN {i}", self.between(s))).collect();
        format!("CASE {} END", cases.join(" "))
    }

    /// A basket's key: its id, or else the customer's day (and store).
    fn basket(&self) -> String {
        let day = format!("CAST({} AS VARCHAR)", self.day());
        let visit = if self.warehouse.store { format!("{day} || '/' || COALESCE(CAST({} AS VARCHAR), '')", self.line("store")) } else { day };
        if self.warehouse.basket { format!("COALESCE(CAST({} AS VARCHAR), {visit})", self.line("basket")) } else { visit }
    }

    fn offer(&self) -> String {
        match &self.plan.partition.offer {
            OfferRule::None => "FALSE".into(),
            OfferRule::Target => "a.target".into(),
            OfferRule::Discounts(columns) => {
                let sum: Vec<String> = columns.iter().map(|c| self.number(c)).collect();
                format!("({} <> 0)", sum.join(" + "))
            }
            OfferRule::Log(_) => format!(
                "EXISTS (SELECT 1 FROM promolift_redemptions r WHERE r.customer = CAST({} AS VARCHAR) AND r.day = {} AND (r.product IS NULL OR r.product = CAST({} AS VARCHAR)))",
                self.line("customer"),
                self.day(),
                self.line("product")
            ),
        }
    }

    fn marked_down(&self) -> String {
        match &self.plan.partition.markdown {
            MarkdownRule::None => "FALSE".into(),
            MarkdownRule::Flag => format!("COALESCE(CAST({} AS BOOLEAN), FALSE)", self.line(self.warehouse.columns.flag_column().unwrap_or("marked_down"))),
            MarkdownRule::Calendar(_) => {
                let store = if self.warehouse.store { format!(" OR s.store = CAST({} AS VARCHAR)", self.line("store")) } else { String::new() };
                let (day, product) = (self.day(), self.line("product"));
                format!(
                    "EXISTS (SELECT 1 FROM promolift_sales s WHERE s.product = CAST({product} AS VARCHAR) AND {day} BETWEEN s.first AND s.last AND (s.store IS NULL{store}))"
                )
            }
        }
    }

    fn amount(&self, index: usize, amount: &AmountSpec) -> String {
        match &amount.source {
            AmountSource::Column { column, ex_vat, condition } => {
                let value = if *ex_vat { format!("{} / (1 + p.vat)", self.number(column)) } else { self.number(column) };
                match condition {
                    None => value,
                    Some(condition) if self.in_products(condition) => format!("CASE WHEN p.condition{index} THEN {value} ELSE 0 END"),
                    Some(condition) => {
                        let values: Vec<String> = condition.values.iter().map(|v| literal(v)).collect();
                        format!("CASE WHEN CAST({} AS VARCHAR) IN ({}) THEN {value} ELSE 0 END", self.line(&condition.column), values.join(", "))
                    }
                }
            }
            AmountSource::Cost { otherwise, ex_vat, .. } => {
                let unit = if self.warehouse.unit_cost { format!("COALESCE({}, p.unit_cost)", self.line("unit_cost")) } else { "p.unit_cost".into() };
                let term = |(column, factor): &(String, f64)| {
                    let vat = if ex_vat.contains(column) { " / (1 + p.vat)" } else { "" };
                    format!("{factor:?} * {}{vat}", self.number(column))
                };
                let terms = otherwise.as_ref().map_or_else(|| "NULL".to_owned(), |terms| terms.iter().map(term).collect::<Vec<_>>().join(" + "));
                format!("COALESCE({unit} * {}, {terms})", self.number("quantity"))
            }
            AmountSource::PerUnit { .. } => format!("{} * COALESCE(p.per_unit{index}, 0)", self.number("quantity")),
        }
    }

    fn in_products(&self, condition: &Where) -> bool {
        self.warehouse.products.has(&condition.column)
    }

    /// The columns of the answer: sums, baskets, lines by span, lines of which an amount is not known, redemptions.
    fn cells(&self) -> Vec<(String, String)> {
        let partition = &self.plan.partition;
        let mut cells = Vec::new();
        for atom in partition.atoms() {
            let condition = self.condition(&atom);
            for (index, amount) in self.plan.amounts.iter().enumerate() {
                let name = format!("{}:{}", atom.name(partition), amount.name);
                cells.push((name, format!("SUM(CASE WHEN {condition} THEN amount{index} ELSE 0 END)")));
            }
        }
        for period in Period::ALL {
            let spans: Vec<String> = numbers(partition.spans.iter().map(|s| s.period == period));
            if spans.is_empty() {
                continue;
            }
            for role in Role::ALL.into_iter().map(Some).chain([None]) {
                let classes = numbers(partition.classes.iter().map(|c| role.is_none_or(|r| c.role == r)));
                let classes = if classes.is_empty() { "FALSE".to_owned() } else { format!("class IN ({})", classes.join(", ")) };
                let name = format!("baskets:{}.{period}", role.map_or("any", Role::name));
                cells.push((name, format!("COUNT(DISTINCT CASE WHEN span IN ({}) AND {classes} THEN basket END)", spans.join(", "))));
            }
        }
        for (index, span) in partition.spans.iter().enumerate() {
            cells.push((format!("lines:{}", span.name()), format!("COUNT(CASE WHEN span = {index} THEN 1 END)")));
        }
        for (index, amount) in self.plan.amounts.iter().enumerate().filter(|(_, amount)| amount.lack().is_some()) {
            cells.push((format!("missing:{}", amount.name), format!("COUNT(CASE WHEN amount{index} IS NULL THEN 1 END)")));
        }
        if partition.offer != OfferRule::None {
            cells.push(("redemptions".into(), redemption_count(partition)));
        }
        cells
    }

    fn condition(&self, atom: &Atom) -> String {
        let class = self.plan.partition.classes.iter().position(|c| *c == atom.class).unwrap_or(0);
        let mut condition = format!("class = {class} AND span = {}", atom.span);
        for (flag, name) in [(atom.marked_down, "marked_down"), (atom.offer, "offer")] {
            match flag {
                Some(true) => condition.extend([" AND ", name]),
                Some(false) => condition.extend([" AND NOT ", name]),
                None => {}
            }
        }
        condition
    }

    /// Products with their class, unit cost, VAT rate and what amounts ask of them.
    fn products(&self) -> Result<DataFrame> {
        let partition = &self.plan.partition;
        let ids = id_column("product", &partition.products);
        let classes: Vec<i32> = partition.class_of_product.iter().map(|c| i32::from(*c)).collect();
        let mut columns = vec![ids, Column::new("class".into(), classes)];
        let known = |values: &[f64]| values.iter().map(|v| (!v.is_nan()).then_some(*v)).collect::<Vec<_>>();
        for (index, amount) in self.plan.amounts.iter().enumerate() {
            match &amount.source {
                AmountSource::Cost { unit_cost, .. } => columns.push(Column::new("unit_cost".into(), known(unit_cost))),
                AmountSource::PerUnit { value } => columns.push(Column::new(format!("per_unit{index}").into(), value)),
                AmountSource::Column { condition: Some(condition), .. } if self.in_products(condition) => {
                    let mut mask = self.warehouse.products.texts(&condition.column)?.are(|text| condition.holds(text));
                    mask.resize(partition.products.len(), false);
                    columns.push(Column::new(format!("condition{index}").into(), mask));
                }
                AmountSource::Column { .. } => {}
            }
        }
        if self.study.promotion.money.vat_column.is_some() {
            let rates = self.warehouse.products.numbers("vat")?;
            columns.push(Column::new("vat".into(), known(&partition.by_product(&rates))));
        }
        Ok(DataFrame::new(partition.products.len(), columns)?)
    }

    /// Customers with their arm: the study's own, so that neither the labels nor other promotions of a table there can come in between.
    fn assignments(&self) -> Result<DataFrame> {
        let assignment = &self.study.assignment;
        let target: Vec<bool> = assignment.arm.iter().map(|arm| *arm == Arm::Target).collect();
        Ok(DataFrame::new(assignment.len(), vec![id_column("customer", &assignment.customers), Column::new("target".into(), target)])?)
    }

    fn sales(&self) -> Result<DataFrame> {
        let MarkdownRule::Calendar(by_product) = &self.plan.partition.markdown else { return Ok(DataFrame::empty()) };
        let rows: Vec<_> = by_product.iter().enumerate().flat_map(|(i, sales)| sales.iter().map(move |s| (i, s))).collect();
        let products: Vec<String> = rows.iter().map(|(i, _)| self.plan.partition.products.text(*i)).collect();
        let stores: Vec<Option<&str>> = rows.iter().map(|(_, s)| s.store.as_deref()).collect();
        let columns = vec![
            Column::new("product".into(), products),
            days("first", rows.iter().map(|(_, s)| s.days.first))?,
            days("last", rows.iter().map(|(_, s)| s.days.last))?,
            Column::new("store".into(), stores),
        ];
        Ok(DataFrame::new(rows.len(), columns)?)
    }

    fn redemptions(&self) -> Result<DataFrame> {
        let log: Vec<_> = self.study.promotion.redemptions.iter().flatten().collect();
        let columns = vec![
            Column::new("customer".into(), log.iter().map(|r| r.customer.as_str()).collect::<Vec<_>>()),
            days("day", log.iter().map(|r| r.day))?,
            Column::new("product".into(), log.iter().map(|r| r.product.as_deref()).collect::<Vec<_>>()),
        ];
        Ok(DataFrame::new(log.len(), columns)?)
    }
}

fn id_column(name: &str, ids: &Ids) -> Column {
    match ids {
        Ids::Integers(ids) => Column::new(name.into(), ids),
        Ids::Texts(ids) => Column::new(name.into(), ids),
    }
}

/// Distinct baskets with an offer line.
fn redemption_count(partition: &Partition) -> String {
    let focal = numbers(partition.classes.iter().map(|c| c.role == Role::Focal)).join(", ");
    let promotion = numbers(partition.spans.iter().map(|s| s.period == Period::Promotion)).join(", ");
    format!("COUNT(DISTINCT CASE WHEN offer AND class IN ({focal}) AND span IN ({promotion}) THEN basket END)")
}

/// The indices that hold.
fn numbers(holds: impl Iterator<Item = bool>) -> Vec<String> {
    holds.enumerate().filter(|(_, h)| *h).map(|(i, _)| i.to_string()).collect()
}

fn days(name: &str, days: impl Iterator<Item = Day>) -> Result<Column> {
    use polars::prelude::{DataType, NamedFrom, Series};
    let days: Vec<i32> = days.map(Day::epoch).collect();
    Ok(Series::new(name.into(), days).cast(&DataType::Date)?.into())
}
