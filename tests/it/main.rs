//! The promises of the crate, one module each, through the public API only.
mod cells_elsewhere;
