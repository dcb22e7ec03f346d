#!/usr/bin/env bash
# Is the peak memory of a measurement within the bound that the crate documentation gives? Each size in a process of its own; prints the peak beside the bound.
# Not in CI: it takes minutes and up to 2 GB. Linux only, where the kernel tells the peak.
#   scripts/memory.sh [LINES ...]       default 1000000 4000000 lines, each with 10,000 and 200,000 customers
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- 1000000 4000000
for lines in "$@"; do
  for customers in 10000 200000; do
    PROMOLIFT_LINES="$lines" PROMOLIFT_CUSTOMERS="$customers" \
      cargo test --locked --quiet --test it hardening::peak_memory_stays_within_the_documented_bound -- --exact --ignored --nocapture | grep -E "MB|panicked|FAILED"
  done
done
