#!/usr/bin/env bash
# Small changes to the code, one at a time: does a test fail? .cargo/mutants.toml says where (estimate, effects, profit) and with which tests.
# Each mutant is built and tested in a copy of the tree, so that this takes hours; a sample of every n-th is taken, at most 100 by default.
#   scripts/mutants.sh                  100 mutants spread over the files
#   scripts/mutants.sh 10 REGEX         10 of those whose function matches REGEX
# Needs cargo-mutants (cargo install --locked cargo-mutants). What was missed stands in mutants.out/missed.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
sample="${1:-100}"
filter=(${2:+--re "$2"})
count=$(cargo mutants --list "${filter[@]}" | wc -l)
shards=$(( (count + sample - 1) / sample ))
echo "$count mutants, one in $shards" >&2
cargo mutants --shard "0/$(( shards > 0 ? shards : 1 ))" --sharding round-robin "${filter[@]}" --output target
