#!/usr/bin/env bash
# Record two real programs, print what they show, and open the page: `make demo`.
#
# WireViz (from PyPI) renders a cable harness, with Graphviz as its child process; the bundled batch
# burns CPU. OPEN=0 starts nothing and prints the command instead.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

sondage=$root/.venv/bin/sondage
out=$root/demo
tool=$out/venv
need dot=graphviz
mkdir -p "$out/harness"

if [ ! -x "$tool/bin/wireviz" ]; then
  say "installing WireViz into demo/venv"
  "${PYTHON:-python3}" -m venv "$tool"
  "$tool/bin/pip" install -q wireviz==0.4.1
fi

say "recording: wireviz examples/harness/robot-arm.yml"
"$sondage" run -o "$out/harness.sondage" --label demo=harness -- \
  "$tool/bin/wireviz" -f hpst -o "$out/harness" examples/harness/robot-arm.yml
say "recording: examples/cpu_heavy.py"
"$sondage" run -o "$out/cpu.sondage" --label demo=cpu -- .venv/bin/python examples/cpu_heavy.py

for name in harness cpu; do
  say "sondage report demo/$name.sondage"
  "$sondage" report "$out/$name.sondage"
done

say "the harness that WireViz drew: demo/harness/robot-arm.html"
if [ "${OPEN:-1}" = 0 ]; then
  say "look at both recordings in the browser:"
  echo "  .venv/bin/sondage view demo/cpu.sondage demo/harness.sondage"
else
  say "opening both recordings; Ctrl-C stops the server"
  exec "$sondage" view "$out/cpu.sondage" "$out/harness.sondage"
fi
