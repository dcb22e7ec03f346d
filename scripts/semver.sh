#!/usr/bin/env bash
# Does the public API keep its promises since the last tag, for the version in Cargo.toml?
# Needs cargo-semver-checks (cargo install --locked cargo-semver-checks).
set -euo pipefail
cd "$(dirname "$0")/.."
if ! tag=$(git describe --tags --abbrev=0 2>/dev/null); then
  echo "there is no tag yet: nothing was promised, nothing is compared" >&2
  exit 0
fi
cargo semver-checks --baseline-rev "$tag" --default-features
