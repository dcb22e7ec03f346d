//! Ids that never meet would be a study of zeros, which looks like a result; ids that meet in part would be one of too small effects.

use hashbrown::{HashMap, HashSet};

use super::Plan;
use crate::cells::{CellSource, CellTable, Partition, Role};
use crate::error::{Fault, Input, Problem, Problems, Result, cut, nearest};
use crate::ledger::{Respelled, Unmet};
use crate::spelling::plain_id;
use crate::study::{Arm, Assignment, Ids, Selection, Study};
use crate::validity::{Hazard, Warning};

const REMEDY: &str = "Write ids the same way everywhere, as text: with the same leading zeros and capitals, without spaces or decimals";
/// From this share of the assigned on, customers in another spelling are an error.
const CUSTOMERS: f64 = 0.01;
/// From this share of the used lines on, those of products in another spelling are an error.
const LINES: f64 = 0.1;
/// More lines than this of customers not assigned, and silent customers may be theirs.
const LINES_OF_OTHERS: u64 = 1_000;
/// Ids named in a warning.
const NAMED: usize = 5;

/// Refuses cells in which ids do not meet; of those that meet in part it tells.
pub(super) fn check(study: &Study, source: &(impl CellSource + ?Sized), plan: &Plan, table: &CellTable) -> Result<Vec<Warning>> {
    let unmet = source.unmet(&plan.partition, &study.assignment, table)?.unwrap_or_default();
    let mut found = Meeting { study, partition: &plan.partition, table, unmet: &unmet, problems: Problems::default(), warnings: Vec::new() };
    found.customers();
    found.products();
    found.listed();
    found.problems.finish()?;
    Ok(found.warnings)
}

struct Meeting<'a> {
    study: &'a Study,
    partition: &'a Partition,
    table: &'a CellTable,
    unmet: &'a Unmet,
    problems: Problems,
    warnings: Vec<Warning>,
}

impl Meeting<'_> {
    fn warn(&mut self, hazard: Hazard, text: String) {
        self.warnings.push(Warning::new(hazard, text));
    }

    fn customers(&mut self) {
        let assignment = &self.study.assignment;
        let n = assignment.len();
        let found = self.unmet.customers.len();
        if found > 1 && found as f64 >= CUSTOMERS * n as f64 && !self.spelling_matters() {
            let text = format!("of {n} assigned customers some have lines only under another spelling of their id");
            let problem = Problem::new(Input::Assignment, Fault::NoCommonIds, text).column("customer").count(found);
            self.problems.push(problem.value(self.customer(&self.unmet.customers[0], '\'')).remedy(REMEDY));
            return;
        }
        // A ledger without any line in the windows has no ids that could meet.
        let others = self.table.facts.lines.is_none_or(|l| l.outside_assignment > 0);
        if others && self.table.seen.iter().all(|spans| *spans == 0) {
            let problem = Problem::new(Input::Assignment, Fault::NoCommonIds, "no assigned customer has a line in the windows").column("customer");
            let problem = problem.value(assignment.customers.text(0)).count(n);
            self.problems.push(problem.remedy("Compare the ids with those of the transactions: 7 and 007 are different customers"));
            return;
        }
        self.respelled_customers();
        self.silent_customers();
    }

    /// Whether customers who do meet are found in another spelling as well, at least half as often: then it may be what tells customers apart.
    fn spelling_matters(&self) -> bool {
        let Unmet { customers, customers_without_lines, others, others_respelled, .. } = self.unmet;
        *others_respelled > 1 && 2 * others_respelled * customers_without_lines >= customers.len() * others
    }

    /// How the assignment and the lines write a customer.
    fn customer(&self, found: &Respelled, quote: char) -> String {
        let assigned = self.study.assignment.customers.text(found.index as usize);
        format!("{quote}{assigned}{quote} in the assignments, {quote}{}{quote} in the transactions", found.written)
    }

    fn respelled_customers(&mut self) {
        let Unmet { customers, others, others_respelled, .. } = self.unmet;
        let Some(first) = customers.first() else { return };
        let lines: u64 = customers.iter().map(|r| r.lines).sum();
        let apart = if self.spelling_matters() {
            format!(" So have {others_respelled} of {others} customers who have lines of their own: spelling may be what tells customers apart.")
        } else {
            String::new()
        };
        let text = format!(
            "assigned customers with lines only under another spelling of their id: {} of {} ({}); those {lines} lines are not counted.{apart} {REMEDY}",
            customers.len(),
            self.study.assignment.len(),
            self.customer(first, '"'),
        );
        self.warn(Hazard::RespelledIds, text);
    }

    /// Most customers of both arms without a line, while there are many of others.
    fn silent_customers(&mut self) {
        let Some(others) = self.table.facts.lines.map(|l| l.outside_assignment).filter(|lines| *lines > LINES_OF_OTHERS) else { return };
        let assignment = &self.study.assignment;
        let silent = |arm: Arm| silent(self.table, assignment, arm);
        let [target, control] = [Arm::Target, Arm::Control].map(silent);
        if 2 * target > assignment.count(Arm::Target) && 2 * control > assignment.count(Arm::Control) {
            let text = format!(
                "{} of {} assigned customers have no line in any window, while {others} lines there are of customers not assigned. Compare the ids of the \
                 assignments with those of the transactions",
                target + control,
                assignment.len()
            );
            self.warn(Hazard::SilentCustomers, text);
        }
    }

    fn products(&mut self) {
        let found = &self.unmet.products;
        let lines: u64 = found.iter().map(|r| r.lines).sum();
        let share = lines as f64 / self.unmet.used_lines as f64;
        let focal: Vec<&Respelled> = found.iter().filter(|r| self.role(r.index) == Role::Focal).collect();
        if let Some(first) = focal.first() {
            let problem = self.product_problem(first, focal.len(), "products of the offer are sold only under another spelling of their id");
            self.problems.push(problem);
        } else if let Some(first) = found.first().filter(|_| share >= LINES) {
            let text = format!("{lines} of {} used lines are of products under another spelling of their id", self.unmet.used_lines);
            let problem = self.product_problem(first, found.len(), &text);
            self.problems.push(problem);
        } else if self.partition.listed > 0 && self.table.facts.lines.is_some_and(|l| l.used > 0 && l.without_product_row == l.used) {
            let problem = Problem::new(Input::Products, Fault::NoCommonIds, "no product sold is in the product table").column("product");
            let problem = problem.value(self.partition.products.text(0)).count(self.partition.listed);
            self.problems.push(problem.remedy("Compare the ids with those of the transactions: 7 and 007 are different products"));
        } else if let Some(first) = found.first() {
            let text = format!(
                "products sold only under another spelling of their id: {} ({}); their {lines} of {} used lines count as those of unknown products. {REMEDY}",
                found.len(),
                self.product(first, '"'),
                self.unmet.used_lines
            );
            self.warn(Hazard::RespelledIds, text);
        }
    }

    fn role(&self, product: u32) -> Role {
        let class = self.partition.class_of_product.get(product as usize).map_or(0, |class| usize::from(*class));
        self.partition.classes.get(class).map_or(Role::Other, |class| class.role)
    }

    fn is_listed(&self, product: u32) -> bool {
        (product as usize) < self.partition.listed
    }

    /// How the product table, or else the promotion, and the lines write a product.
    fn product(&self, found: &Respelled, quote: char) -> String {
        let place = if self.is_listed(found.index) { "product table" } else { "promotion" };
        let listed = self.partition.products.text(found.index as usize);
        format!("{quote}{listed}{quote} in the {place}, {quote}{}{quote} in the transactions", found.written)
    }

    fn product_problem(&self, first: &Respelled, count: usize, text: &str) -> Problem {
        let (input, column) = if self.is_listed(first.index) { (Input::Products, "product") } else { (Input::Promotion, key(self.role(first.index))) };
        Problem::new(input, Fault::NoCommonIds, text).column(column).value(self.product(first, '\'')).count(count).remedy(REMEDY)
    }

    /// Products that the promotion lists and nobody knows.
    fn listed(&mut self) {
        for role in [Role::Focal, Role::Substitute] {
            let respelled: HashSet<u32> = self.unmet.products.iter().map(|r| r.index).collect();
            let respelled = |index: u32| respelled.contains(&index);
            let nowhere: Vec<u32> = self.unmet.nowhere.iter().copied().filter(|index| self.role(*index) == role && !respelled(*index)).collect();
            let Some(&first) = nowhere.first() else { continue };
            let twins = self.twins(&nowhere);
            // A product of the offer that has another role because its id is written in another way.
            let stray: Vec<&(u32, u32)> = twins.iter().filter(|(_, twin)| role == Role::Focal && self.role(*twin) != Role::Focal).collect();
            if let Some((index, twin)) = stray.first() {
                let [index, twin] = [index, twin].map(|i| self.partition.products.text(*i as usize));
                let text = "products of the offer are in the product table under another spelling of their id";
                let problem = Problem::new(Input::Promotion, Fault::NoCommonIds, text).column(key(role)).count(stray.len());
                self.problems.push(problem.value(format!("'{index}' in the promotion, '{twin}' in the product table")).remedy(REMEDY));
                continue;
            }
            let near = twins.first().copied().or_else(|| self.near(first).map(|near| (first, near)));
            let hint = near.map(|(index, near)| {
                let [index, near] = [index, near].map(|i| cut(&self.partition.products.text(i as usize), 40));
                format!("; the id nearest to \"{index}\" in the table is \"{near}\"")
            });
            let text = format!(
                "{} of {} ids listed as {} are neither in the product table nor on any used line: {}{}. Compare the ids, or take them out of the list",
                nowhere.len(),
                self.ids_listed(role),
                key(role),
                first_ids(&self.partition.products, &nowhere),
                hint.unwrap_or_default()
            );
            self.warn(Hazard::UnknownProducts, text);
        }
    }

    /// How many ids the promotion lists for a role.
    fn ids_listed(&self, role: Role) -> usize {
        let promotion = &self.study.promotion;
        match if role == Role::Focal { &promotion.focal } else { &promotion.substitutes } {
            Selection::Products(ids) => ids.len(),
            _ => 0,
        }
    }

    /// Those of some products with the first product of the table whose id is another spelling of theirs.
    fn twins(&self, products: &[u32]) -> Vec<(u32, u32)> {
        let Ids::Texts(ids) = &self.partition.products else { return Vec::new() };
        let mut listed = HashMap::with_capacity(self.partition.listed);
        for (id, index) in ids.iter().take(self.partition.listed).zip(0_u32..) {
            listed.entry(plain_id(id)).or_insert(index);
        }
        products.iter().filter_map(|&index| Some((index, *listed.get(&plain_id(ids.get(index as usize)?))?))).collect()
    }

    /// The product of the table whose id is nearest to this one, of those with the same number in it: other numbers are other products.
    fn near(&self, product: u32) -> Option<u32> {
        let Ids::Texts(ids) = &self.partition.products else { return None };
        let id = ids.get(product as usize)?;
        let same: Vec<(&str, u32)> = ids.iter().map(String::as_str).take(self.partition.listed).zip(0..).filter(|(k, _)| number(k).eq(number(id))).collect();
        let near = nearest(id, same.iter().map(|(known, _)| *known))?;
        same.iter().find(|(known, _)| *known == near).map(|(_, index)| *index)
    }
}

/// The digits of an id, without leading zeros.
fn number(id: &str) -> impl Iterator<Item = char> {
    id.chars().filter(char::is_ascii_digit).skip_while(|digit| *digit == '0')
}

/// The key of the promotion that lists products of a role.
const fn key(role: Role) -> &'static str {
    match role {
        Role::Focal => "focal",
        _ => "substitutes",
    }
}

/// Assigned customers of an arm without a line in the windows.
fn silent(table: &CellTable, assignment: &Assignment, arm: Arm) -> usize {
    table.seen.iter().zip(&assignment.arm).filter(|(seen, of)| **seen == 0 && **of == arm).count()
}

/// The first of some ids, and how many more there are.
fn first_ids(ids: &Ids, of: &[u32]) -> String {
    let named: Vec<String> = of.iter().take(NAMED).map(|index| format!("\"{}\"", cut(&ids.text(*index as usize), 40))).collect();
    let more = of.len().saturating_sub(NAMED);
    let named = named.join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}
