//! One entry; what it does stands beside the tests that run it too.
#![no_main]
#![allow(dead_code)]

#[path = "../../tests/it/hardening/entries/mod.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    entries::run("json_study", bytes);
});
