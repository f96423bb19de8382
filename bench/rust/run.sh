#!/usr/bin/env bash
# What a zone costs, in time and in instructions, and that probes that are compiled out are nothing:
# `bench/run.sh rust`.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-30}

cargo build --quiet --release --locked
program=${CARGO_TARGET_DIR:-$PWD/target}/release/sondage-bench
echo "A zone around nothing, $seconds s of rounds of 200,000 in turns (\`bench/rust\`), time of the thread:"
echo
"$program" "$seconds"

# Of what the function of that name executes, slow path included.
instructions() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect="sondage_bench::$2" \
    "$program" one "$1" 100000 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
echo
echo "Instructions for each zone (callgrind, of 100,000):"
echo
echo "| | |"
echo "|---|---|"
while IFS='|' read -r name function; do
  echo "| $name | $(instructions "$name" "$function" | awk '{ printf "%.1f", $1 / 100000 }') |"
done <<'END'
empty loop|empty
two clock reads, 24 bytes|floor
sondage zone!|ours
sondage zone!, off|ours_off
END

# A build of its own; what else is in its table is about `tracy-client` on demand.
cargo build --quiet --release --locked --features tracy
echo
echo "With the feature \`tracy\` of sondage, Tracy not asked for:"
echo
"$program" "$seconds" | sed -n '1,2p; /^| \(empty\|two clock\|sondage\)/p'
