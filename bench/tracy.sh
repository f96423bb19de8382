#!/usr/bin/env bash
# Ten million zones of one program, recorded by sondage and by Tracy: bytes for each, and how long a
# file of them takes to open. Needs Tracy's `tracy-capture` and `tracy-csvexport` on the PATH, of
# the version that `tracy-client` speaks to (docs/guide/tracy.md); no package brings them.
#
#   bench/tracy.sh [ZONES]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
zones=${1:-10000000}

for program in tracy-capture tracy-csvexport; do
  command -v "$program" >/dev/null || fail "needs $program on the PATH; see docs/guide/tracy.md"
done
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
(cd bench/rust && cargo build --quiet --release --locked)
cargo build --quiet --release --locked --package sondage-cli
cargo build --quiet --release --locked --package sondage-serve --example latency
bench=$CARGO_TARGET_DIR/release/sondage-bench
folder=$(mktemp -d "${TMPDIR:-/tmp}/sondage-tracy-XXXXXX")
trap 'rm -rf "$folder"' EXIT

# Seconds and largest resident size of a command; what it prints is not of interest.
cost() {
  python3 - "$@" <<'PYTHON'
import os, subprocess, sys, time

begun = time.monotonic()
program = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(program.pid, 0)
seconds = time.monotonic() - begun
print(f"{seconds:.2f} s, {used.ru_maxrss >> 10} MB" + (f", exit {status}" if status else ""))
PYTHON
}

bytes() { # bytes FILE COUNT
  local size
  size=$(stat --format=%s "$1")
  awk -v size="$size" -v count="$2" 'BEGIN { printf "%d bytes, %.2f a zone", size, size / count }'
}

"$CARGO_TARGET_DIR/release/sondage" run --output "$folder/ours.sondage" -- "$bench" many ours "$zones" 2>"$folder/said" ||
  { cat "$folder/said" >&2; exit 1; }
kept=$("$CARGO_TARGET_DIR/release/sondage" report --json "$folder/ours.sondage" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["program"]["zones"])')
echo "sondage: $kept zones; $(bytes "$folder/ours.sondage" "$kept"); report $(cost "$CARGO_TARGET_DIR/release/sondage" report "$folder/ours.sondage")"
"$CARGO_TARGET_DIR/release/examples/latency" "$folder/ours.sondage" tracks

tracy-capture -f -o "$folder/theirs.tracy" >"$folder/capture" &
capture=$!
"$bench" many tracy "$zones"
wait "$capture"
kept=$(tracy-csvexport -s '|' "$folder/theirs.tracy" | awk -F'|' 'NR > 1 { sum += $6 } END { print sum }')
echo "Tracy: $kept zones; $(bytes "$folder/theirs.tracy" "$kept"); tracy-csvexport $(cost tracy-csvexport "$folder/theirs.tracy")"
