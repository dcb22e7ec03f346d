//! Lines in parts, each of them a ledger, in the order of rows: a ledger is its own only part, batches are many.

use std::ops::{ControlFlow, RangeInclusive};

use super::Ledger;
use super::frames::IdColumn;
use super::kept::Kept;
use crate::error::Result;

/// Looks at a part before which so many lines stand, and says whether it wants the next.
pub(super) type Look<'l> = dyn FnMut(&Ledger, u64) -> Result<ControlFlow<()>> + 'l;

/// Lines in parts, which are the same each time.
pub(super) trait Parts: Sync {
    /// What is known of all lines; a part has no product table.
    fn kept(&self) -> &Kept;

    /// How many lines all parts have.
    fn lines(&self) -> u64;

    /// Whether stores have integers for ids.
    fn integer_stores(&self) -> bool;

    /// Hands over the first part, and of the others at least those with a line on one of these days, in order, until `look` breaks off.
    fn each(&self, days: RangeInclusive<i32>, look: &mut Look<'_>) -> Result<()>;

    /// The problems of amounts that cannot be reckoned with, on any line.
    fn check(&self) -> Result<()>;

    /// The product of a line, as text; `None` for a null.
    fn product(&self, row: u64) -> Result<Option<String>>;
}

impl Parts for Ledger {
    fn kept(&self) -> &Kept {
        &self.kept
    }

    fn lines(&self) -> u64 {
        self.len() as u64
    }

    fn integer_stores(&self) -> bool {
        self.kept.has.store && self.ids("store").is_ok_and(|ids| matches!(ids, IdColumn::Integers(_)))
    }

    fn each(&self, _days: RangeInclusive<i32>, look: &mut Look<'_>) -> Result<()> {
        look(self, 0).map(|_| ())
    }

    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn product(&self, row: u64) -> Result<Option<String>> {
        Ok(match self.ids("product")? {
            IdColumn::Integers(ids) => ids.get(row as usize).filter(|id| *id != i64::MIN).map(|id| id.to_string()),
            IdColumn::Texts(ids) => ids.get(row as usize).map(str::to_owned),
        })
    }
}
