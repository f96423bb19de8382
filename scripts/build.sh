#!/usr/bin/env bash
# Build everything a user gets, and leave it in .venv: `make build`, `make web`, `make dev`.
#
#   scripts/build.sh web    the viewer's page, web/dist
#   scripts/build.sh venv   .venv with the sondage wheel in it (builds the page first)
#   scripts/build.sh dev    the same, and what tests and checks need
#
# Each step looks at what changed and skips when nothing did.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

python=${PYTHON:-python3}
venv=$root/.venv

build_web() {
  if ! command -v npm >/dev/null; then
    [ -f web/dist/index.html ] && return 0
    fail "the viewer's page is not built (web/dist) and npm is missing" "install Node 20 or later"
  fi
  if newer web/node_modules/.package-lock.json web/package-lock.json; then
    say "web: npm ci"
    (cd web && npm ci --no-audit --no-fund --loglevel=error)
  fi
  if newer web/dist/index.html web/src web/index.html web/package-lock.json web/vite.config.*; then
    say "web: building the page"
    (cd web && npm run --silent build)
    touch web/dist/index.html
  fi
}

make_venv() {
  [ -x "$venv/bin/pip" ] && return 0
  command -v "$python" >/dev/null || fail "no $python on the PATH" "install CPython 3.11 or later"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old" "PYTHON=python3.12 make build"
  # Debian's own Python comes without the part that makes environments.
  "$python" -c 'import ensurepip' 2>/dev/null || need /nonexistent/venv=python3-venv
  say "making .venv with $("$python" --version)"
  rm -rf "$venv"
  "$python" -m venv "$venv"
}

build_wheel() {
  local stamp=$venv/.sondage
  newer "$stamp" crates python/sondage python/backend web/dist Cargo.toml Cargo.lock pyproject.toml || return 0
  command -v cargo >/dev/null || fail "no cargo on the PATH" "install Rust 1.95 or later"
  need c++=g++ # the wheel has Tracy's client in it
  # pip shows nothing while it builds; cargo, asked first, shows its progress.
  say "building the sondage program (the first time takes a few minutes)"
  cargo build --release --locked --package sondage-cli
  say "installing the wheel into .venv"
  touch "$stamp.new"
  "$venv/bin/pip" install -q --force-reinstall --no-deps .
  mv "$stamp.new" "$stamp"
  say "$("$venv/bin/sondage" --version) is in .venv/bin"
}

install_dev_tools() {
  newer "$venv/.dev" pyproject.toml || return 0
  say "installing the tools of tests and checks into .venv"
  "$venv/bin/python" - <<'PY' | xargs "$venv/bin/pip" install -q
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
print("\n".join(project["optional-dependencies"]["dev"]))
PY
  touch "$venv/.dev"
}

case ${1:-venv} in
  web) build_web ;;
  venv) build_web && make_venv && build_wheel ;;
  dev) build_web && make_venv && build_wheel && install_dev_tools ;;
  tools) make_venv && install_dev_tools ;;
  *) fail "unknown step $1" ;;
esac
