#!/usr/bin/env bash
# Licences, bans and sources of all dependencies, and known advisories against them: deny.toml says what is allowed.
# Needs cargo-deny (cargo install --locked cargo-deny). The advisories are fetched from the RustSec database; --offline leaves them out and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = "--offline" ]; then
  cargo deny --offline check licenses bans sources
  echo "advisories: not looked at" >&2
else
  cargo deny check
fi
