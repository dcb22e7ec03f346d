#!/usr/bin/env bash
# Fuzzes one entry for so many seconds, or lists the entries. What is found is kept in fuzz/artifacts; the same entries run bounded in the tests.
#   scripts/fuzz.sh                     lists the targets
#   scripts/fuzz.sh frames 600          ten minutes
# Needs cargo-fuzz (cargo install --locked cargo-fuzz) and a nightly toolchain. Without them the same functions run longer on stable:
#   PROPTEST_CASES=5000 cargo test --test it hardening::any_
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -eq 0 ]; then
  cargo +nightly fuzz list
else
  cargo +nightly fuzz run "$1" -- -max_total_time="${2:-60}" -rss_limit_mb=2048 -timeout=30 -max_len=8192
fi
