//! The promises of the crate, one module each, through the public API only.
mod additivity;
mod bad_input;
mod cells_elsewhere;
mod compare;
mod complete_journey;
mod examples;
mod plain_twin;
mod rct;
mod shop;
mod worked_example;
