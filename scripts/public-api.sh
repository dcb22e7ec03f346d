#!/usr/bin/env bash
# Is public-api.txt the public API of the crate? `--write` brings it up to date; the difference is then part of the change that is looked at.
# Needs cargo-public-api (cargo install --locked cargo-public-api). rustdoc's JSON is unstable: RUSTC_BOOTSTRAP lets the stable one write it. Only rustdoc is told,
# since all dependencies would be built anew if cargo were.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "${PROMOLIFT_AS_RUSTDOC:-}" ]; then
  RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
fi
PROMOLIFT_AS_RUSTDOC=1 RUSTDOC="$PWD/scripts/public-api.sh" cargo rustdoc --locked --lib --quiet -- -Z unstable-options --output-format json --cap-lints allow
json="${CARGO_TARGET_DIR:-target}/doc/promolift.json"
listing=$(cargo public-api --rustdoc-json "$json" -sss)
if [ "${1:-}" = "--write" ]; then
  printf '%s\n' "$listing" > public-api.txt
elif ! printf '%s\n' "$listing" | diff -u public-api.txt - ; then
  echo "public-api.txt is out of date: scripts/public-api.sh --write" >&2
  exit 1
fi
