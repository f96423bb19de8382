#!/usr/bin/env bash
# Run every benchmark and leave its Markdown in bench/out/: `make bench`. About half an hour; close
# what else runs. `bench/run.sh NAME…` runs only these.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

out=$root/bench/out
mkdir -p "$out"
need valgrind=valgrind
[ "$(id -u)" != 0 ] || scripts/sid.sh
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
python=$root/.venv/bin/python

failed=()
bench() {
  local name=$1
  shift
  if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then return; fi
  say "bench: $name"
  if "$@" >"$out/$name.md.part"; then
    mv "$out/$name.md.part" "$out/$name.md"
    cat "$out/$name.md"
  else
    failed+=("$name")
  fi
}
example() { cargo run --quiet --release --locked --package "$1" --example "${@:2}"; }

# Ten million samples, as a program would write them in an hour at three thousand a second.
latency() {
  local file=$out/10m.sondage
  echo "Ten million samples (\`crates/recording/examples/synth.rs\`):"
  echo '```'
  example sondage-recording synth -- "$file" rows=10000000
  stat --format='%s bytes' "$file"
  example sondage-recording open -- "$file"
  example sondage-serve latency -- "$file"
  echo '```'
  rm -f "$file"
}

oracle() {
  cargo build --quiet --release --locked --package sondage-inspect --example rate &&
    "$python" bench/oracle.py
}

# The rivals live in an environment of their own: they are nobody's dependency.
python_spans() {
  local venv=$cache/bench-spans
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || return
  "$venv/bin/pip" install -q opentelemetry-sdk viztracer || return
  local packages
  packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))') || return
  PYTHONPATH=$packages "$venv/bin/python" bench/python_spans.py --python "$venv/bin/python"
}

wanted=("$@")
bench rate "$python" bench/rate.py
bench oracle oracle
bench import_time "$python" bench/import_time.py
bench python_spans python_spans
bench overhead "$python" bench/overhead.py
bench threads "$python" bench/threads.py
bench rust bench/rust/run.sh
bench latency latency

[ ${#failed[@]} -eq 0 ] || fail "these did not finish: ${failed[*]}"
