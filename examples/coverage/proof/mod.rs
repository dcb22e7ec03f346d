//! Worlds whose truth is known, measured again and again.

pub(crate) mod binomial;
pub(crate) mod cells;
pub(crate) mod dice;
pub(crate) mod lines;
pub(crate) mod setting;
pub(crate) mod slices;
pub(crate) mod tally;
pub(crate) mod truth;
pub(crate) mod world;
