#!/usr/bin/env bash
# Chrome exports in Tracy: `tracy-import-chrome` takes them, and `tracy-csvexport` shows every zone,
# slice, plot and message of them. Needs these two programs on the PATH, which no package brings;
# without them it says so and checks nothing. Prints `N passed, N failed`.
#
#   tests/consumers/tracy.sh [RECORDING…]    besides the recordings of the tests
#
#   SONDAGE   the program to test; built here when not set
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for program in tracy-import-chrome tracy-csvexport; do
  if ! command -v "$program" >/dev/null; then
    echo "skipped: no $program on the PATH; build it from Tracy's source (docs/guide/tracy.md)"
    exit 0
  fi
done

target=${CARGO_TARGET_DIR:-$PWD/target}
if [ -z "${SONDAGE:-}" ]; then
  cargo build --quiet --locked -p sondage-cli
  SONDAGE=$target/debug/sondage
fi
cargo build --quiet --locked -p sondage-formats --example fixtures
fixtures=$target/debug/examples/fixtures
folder=$(mktemp -d "${TMPDIR:-/tmp}/sondage-tracy-XXXXXX")
trap 'rm -rf "$folder"' EXIT

for name in $("$fixtures" names); do
  "$fixtures" "$name" "$folder/$name"
done
for recording in "$@"; do
  name=$folder/$(basename "$recording" .sondage)
  mkdir -p "$name"
  cp "$recording" "$name/recording.sondage"
  "$SONDAGE" report "$recording" --json --limit 65535 |
    python3 -c 'import json, sys; sys.path.insert(0, "tests/consumers"); from truth import Truth; json.dump(Truth.of_report(json.load(sys.stdin)), sys.stdout)' \
      >"$name/truth.json"
done
for name in "$folder"/*; do
  "$SONDAGE" export "$name/recording.sondage" --format chrome -o "$name/all.trace.json" 2>"$name/stderr" ||
    { cat "$name/stderr" >&2; exit 1; }
done
CONSUMERS=$folder python3 tests/consumers/tracy.py "$folder"/*
