//! Ids that never meet would be a study of zeros, which looks like a result.

use crate::cells::{CellTable, Partition};
use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::study::Assignment;

/// Refuses cells in which no assigned customer has a line, or no line a listed product.
pub(super) fn check(table: &CellTable, partition: &Partition, assignment: &Assignment) -> Result<()> {
    let mut problems = Problems::default();
    let lines = table.facts.lines;
    // A ledger without any line in the windows has no ids that could meet.
    let others = lines.is_none_or(|l| l.outside_assignment > 0);
    if others && table.seen.iter().all(|spans| *spans == 0) {
        let problem = Problem::new(Input::Assignment, Fault::NoCommonIds, "no assigned customer has a line in the windows").column("customer");
        let problem = problem.value(assignment.customers.text(0)).count(assignment.len());
        problems.push(problem.remedy("Compare the ids with those of the transactions: 7 and 007 are different customers"));
    }
    if partition.listed > 0 && lines.is_some_and(|l| l.used > 0 && l.without_product_row == l.used) {
        let problem = Problem::new(Input::Products, Fault::NoCommonIds, "no product sold is in the product table").column("product");
        let problem = problem.value(partition.products.text(0)).count(partition.listed);
        problems.push(problem.remedy("Compare the ids with those of the transactions: 7 and 007 are different products"));
    }
    problems.finish()
}
