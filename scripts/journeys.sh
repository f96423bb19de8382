#!/usr/bin/env bash
# Record an example, serve it, and walk through the page in Chromium: web/tests/e2e/journeys.mjs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

sondage=${SONDAGE:-$root/.venv/bin/sondage}
need /usr/bin/chromium=chromium
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT

"$sondage" run -q -o "$folder/cpu.sondage" -- .venv/bin/python examples/cpu_heavy.py >/dev/null
"$sondage" run -q -o "$folder/threads.sondage" -- .venv/bin/python examples/threads.py --seconds 2
# A program that says what it does: zones, frames, log lines, locks.
cargo run --quiet --locked -p sondage-serve --example talk -- "$folder/talk.sondage" >/dev/null

status=0
walk() { # recordings
  rm -f "$folder/url"
  "$sondage" view --no-open "$@" >"$folder/url" &
  server=$!
  for _ in $(seq 100); do
    [ -s "$folder/url" ] && break
    sleep 0.1
  done
  [ -s "$folder/url" ] || fail "sondage view printed no address within 10 seconds"
  (cd web && node tests/e2e/journeys.mjs "$(head -n 1 "$folder/url")") | tee -a "$folder/log" || status=$?
  kill "$server" 2>/dev/null
  server=
}
walk "$folder/cpu.sondage" "$folder/threads.sondage"
walk "$folder/talk.sondage"
echo "$(grep -c '^ok ' "$folder/log") passed, $(grep -c '^FAIL ' "$folder/log") failed"
exit "$status"
