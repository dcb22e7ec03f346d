//! What happened: transaction lines as amounts, checked, with typed ids. The only room that reads frames.
//!
//! [`Ledger::from_frames`] selects the columns it was told to keep, reports *all* problems of the schema at once, and keeps the columns as they came,
//! without a copy wherever the types allow. Values are looked at as they are read, in the pass that sums them; [`Ledger::check`] looks at all. Dictionaries
//! are made by whoever needs them.
//!
//! Three sources of cells come from lines, and the same lines give the same result to the bit: a [`Ledger`] in memory, a [`LedgerIndex`] ordered once for many
//! promotions, and [`Batches`] of lines that need not fit into memory.

mod amounts;
mod assignment;
pub(crate) mod batches;
mod columns;
pub(crate) mod frames;
mod index;
mod kept;
mod lacking;
mod lines;
mod lookup;
mod matching;
mod oddities;
mod parts;
mod passes;
mod products;
mod repeats;
mod scan;
mod sums;
mod texts;
mod unmet;
mod visits;

pub use assignment::AssignmentColumns;
pub(crate) use assignment::NONE as NO_NAME;
pub use batches::Batches;
pub use columns::{Columns, NAMES};
pub use index::LedgerIndex;
pub use lines::{Ledger, Lines};
pub use oddities::{FirstNegative, LargestLine, Oddities, RepeatedLine, Repeats, Signs};
pub use products::ProductTable;
pub use unmet::{Respelled, Unmet};

pub(crate) use texts::Texts;

pub(crate) use frames::{IdColumn, collect, column, null_problem, numbers};
