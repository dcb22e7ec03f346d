//! The files an analyst brings: a promotion in TOML, tables in CSV, gzip CSV or Parquet.
//!
//! Files become the plain data and frames that the rest of the crate works with; nothing else in promolift opens a file.
//! [`Inputs::open`] reads all of them and reports the problems of all at once; [`PromotionFile`] and the `read_*` functions
//! read one each. [`Inputs::open_batches`] leaves the transaction lines in their Parquet files, for
//! [`Batches`](crate::ledger::Batches) of them.
//!
//! CSV ids are text in every file, so 007 and 7 differ and ids of different files always meet. Parquet ids keep their type.
//! The features `csv` and `parquet` say which tables can be read.
//!
//! ```no_run
//! use promolift::files::Inputs;
//! let inputs = Inputs::new("tx.csv.gz", "products.csv", "groups.csv", "promotion.toml");
//! let opened = inputs.open()?;
//! println!("{} customers", opened.study.assignment.len());
//! // Problems that are found later know their input, but not its file.
//! let ledger = promolift::ledger::Ledger::from_frames(opened.transactions, opened.products, &opened.columns);
//! let ledger = ledger.map_err(|error| opened.files.explain(error))?;
//! # Ok::<(), promolift::Error>(())
//! ```

// The feature `files` alone reads promotion files and no table.
#![cfg_attr(not(any(feature = "csv", feature = "parquet")), allow(dead_code, unused_variables))]

#[cfg(feature = "parquet")]
mod batches;
#[cfg(feature = "csv")]
mod csv;
mod inputs;
mod keys;
mod lists;
#[cfg(feature = "parquet")]
mod parquet;
mod paths;
mod promotion;
#[cfg(feature = "csv")]
mod quotes;
mod read;
mod source;
mod table;
#[cfg(test)]
#[cfg(feature = "csv")]
mod tests;

use crate::error::{Error, ErrorKind};

#[cfg(feature = "parquet")]
pub use inputs::OpenedBatches;
pub use inputs::{Inputs, Opened};
pub use paths::Files;
pub use promotion::PromotionFile;
pub use read::{read_assignments, read_customers, read_products, read_transactions};

/// One error with the problems of all; an error of another kind stands for them all.
fn together(errors: impl IntoIterator<Item = Option<Error>>) -> Error {
    let mut problems = Vec::new();
    for error in errors.into_iter().flatten() {
        if !matches!(error.kind(), ErrorKind::Input(_)) {
            return error;
        }
        problems.extend_from_slice(error.problems());
    }
    ErrorKind::Input(problems).into()
}
