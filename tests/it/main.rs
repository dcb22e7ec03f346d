//! The promises of the crate, one module each, through the public API only.
// The whole of it is test code, helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::pedantic, clippy::needless_range_loop)]

mod additivity;
mod answers;
mod asked_ratios;
mod bad_input;
mod batches;
mod cells_elsewhere;
mod comfort;
mod compare;
mod complete_journey;
mod coverage;
mod designs;
mod estimators;
mod examples;
mod hardening;
mod identities;
mod index;
mod invariance;
mod json_contract;
mod leave_out;
mod markdown;
mod matched_studies;
mod meeting;
mod oddities;
mod peers;
mod plain_twin;
mod portfolio;
mod rct;
mod review_inputs;
mod review_statistics;
mod segments;
mod several_arms;
mod shop;
mod simulated;
mod small_arms;
mod straddling_clusters;
mod trust;
mod variants;
mod weekly;
mod worked_example;
