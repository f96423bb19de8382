#!/usr/bin/env bash
# Run tests and checks section by section: `make test`, `make check`, `.ci/run`.
#
#   scripts/sections.sh test check     both groups
#   scripts/sections.sh rust lints     single sections
#
# A failed section does not stop the others, so that one run shows everything; the exit status is
# not zero if any failed. Logs stay in target/sections/. The last line counts the tests that ran.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

test_sections=(build rust doctests probes python web journeys consumers)
check_sections=(format lints tidy pythonchecks webchecks)

about() {
  case $1 in
    build) echo "build: page, program, wheel into .venv" ;;
    rust) echo "Rust tests" ;;
    doctests) echo "Rust documentation examples" ;;
    probes) echo "probes compiled out, tracing, models" ;;
    python) echo "Python package" ;;
    web) echo "page: unit tests" ;;
    journeys) echo "page: journeys in Chromium" ;;
    consumers) echo "exports in their real readers" ;;
    format) echo "formats: cargo fmt, ruff format" ;;
    lints) echo "lints: clippy" ;;
    tidy) echo "rules of the house: cargo xtask tidy" ;;
    pythonchecks) echo "lints: ruff, mypy --strict" ;;
    webchecks) echo "lints: tsc, eslint" ;;
    *) return 1 ;;
  esac
}

# all COMMAND…: runs each command line, and fails if any did.
all() {
  local command status=0
  for command in "$@"; do eval "$command" || status=1; done
  return $status
}

in_web() { (cd web && PATH=$PWD/node_modules/.bin:$PATH "$@"); }

section_build() { scripts/build.sh dev; }

section_rust() {
  need tmux=tmux c++=g++
  prepare_pythons
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast --show-progress none
  else
    cargo test --workspace --locked --no-fail-fast --bins --lib --tests --examples
  fi
}

# The interpreters that the tests read: pyenv's where they are, Debian sid's unpacked in the cache.
prepare_pythons() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Debian sid's Pythons (skipped when there)"
    scripts/sid.sh || echo "sid.sh failed: tests that need CPython 3.14 and 3.15 will say so" >&2
  fi
}

section_doctests() {
  need c++=g++
  cargo test --workspace --locked --no-fail-fast --doc
}
section_probes() { scripts/probes.sh; }
section_python() { .venv/bin/python -m pytest; }
section_web() { in_web vitest run; }

section_journeys() { SONDAGE="$root/.venv/bin/sondage" scripts/journeys.sh; }

section_consumers() {
  need /usr/bin/chromium=chromium callgrind_annotate=valgrind
  SONDAGE="$root/.venv/bin/sondage" tests/consumers/run.sh
}

section_format() {
  scripts/build.sh tools
  all "cargo fmt --all --check" ".venv/bin/ruff format --check ."
}

section_lints() {
  need c++=g++
  cargo clippy --workspace --all-targets --locked --keep-going -- -D warnings
}
section_tidy() { cargo xtask tidy; }

section_pythonchecks() {
  scripts/build.sh tools
  all ".venv/bin/ruff check ." .venv/bin/mypy
}

section_webchecks() {
  scripts/build.sh web
  all "in_web tsc --noEmit" "in_web eslint ."
}

wanted=()
for name in "$@"; do
  case $name in
    test) wanted+=("${test_sections[@]}") ;;
    check) wanted+=("${check_sections[@]}") ;;
    *) about "$name" >/dev/null || fail "no section '$name'" && wanted+=("$name") ;;
  esac
done
[ ${#wanted[@]} -gt 0 ] || fail "which sections?" "scripts/sections.sh test check"

logs=$root/target/sections
mkdir -p "$logs"
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-always} PIP_DISABLE_PIP_VERSION_CHECK=1

failed=()
summary=()
for name in "${wanted[@]}"; do
  printf '\n\033[1m##### %s\033[0m\n' "$(about "$name")"
  began=$SECONDS
  (set -euo pipefail; "section_$name") 2>&1 </dev/null | tee "$logs/$name.log"
  status=${PIPESTATUS[0]}
  line=$(printf '%-44s %4d s' "$(about "$name")" $((SECONDS - began)))
  if [ "$status" = 0 ]; then
    summary+=("  ok      $line")
  else
    summary+=("  FAILED  $line")
    failed+=("$name")
  fi
done

printf '\n\033[1m##### summary\033[0m\n'
printf '%s\n' "${summary[@]}"
python3 scripts/tally.py "$logs" "${wanted[@]}" -- "${failed[@]}"
[ ${#failed[@]} -eq 0 ]
