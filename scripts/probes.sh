#!/usr/bin/env bash
# What the usual tests leave out of the probes: that compiled out they are nothing, what they are
# without Tracy, the layer of `tracing`, and every order in which a thread and a collector can meet.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
target=${CARGO_TARGET_DIR:-$root/target}

say "Probes that are compiled out leave no instruction"
cargo build --quiet --release --locked --package sondage --no-default-features --example off
# The instructions of a function, without addresses.
body() {
  objdump --disassemble="$1" --no-show-raw-insn "$target/release/examples/liboff.so" |
    sed -n 's/^ *[0-9a-f]*:\t//p' | sed "s/<$1/</; s/[0-9a-f]\{3,\}/_/g"
}
# The compiler may have found out by itself and given one function both names.
address() { nm --dynamic "$target/release/examples/liboff.so" | sed -n "s/ T $1\$//p"; }
[ -n "$(address with_probes)" ] || fail "the example has no function with probes"
if [ "$(address with_probes)" != "$(address without_probes)" ]; then
  [ -n "$(body without_probes)" ] || fail "the function without probes has no instructions"
  diff <(body with_probes) <(body without_probes) || fail "probes are there"
fi
if nm "$target/release/examples/liboff.so" | grep -q 'sondage.*\(SITE\|TEXT\|LOCAL\|SHARED\)'; then
  fail "data of probes is there"
fi

say "What builds with probes builds without"
cargo test --quiet --locked --package sondage --no-default-features --test raw_api

say "Probes without Tracy, which a build of the whole workspace has, and the layer of tracing"
cargo test --quiet --locked --package sondage --features tracing --lib \
  --test probes --test switch --test alloc --test tracing

say "Models of the arena"
RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="$target/loom" \
  cargo test --quiet --locked --release --package sondage-wire --lib --test loom
