//! The promises of the crate, one module each, through the public API only.
mod cells_elsewhere;
mod additivity;
mod compare;
mod complete_journey;
mod plain_twin;
mod rct;
mod shop;
mod worked_example;
