/** How many zones of a place took how long; a bar leads to one of them. */
import { createMemo, createSignal, For, Show, type JSX } from "solid-js";
import type { Histogram } from "../api/types.ts";
import { counted, duration } from "../layout/format.ts";
import { useApp } from "./app.ts";
import { goToNumber } from "./zone-state.ts";

export function ZoneHistogram(props: { histogram: Histogram; here: number | null }): JSX.Element {
  const app = useApp();
  const most = createMemo(() => Math.max(1, ...props.histogram.count));
  /** Which example of a bucket comes next. */
  const [turns, setTurns] = createSignal<ReadonlyMap<number, number>>(new Map());
  const isHere = (i: number) =>
    props.here !== null && props.here >= props.histogram.from[i] && props.here < props.histogram.to[i];
  const open = (i: number) => {
    const examples = props.histogram.examples[i] ?? [];
    if (examples.length === 0) return;
    const turn = turns().get(i) ?? 0;
    setTurns(new Map(turns()).set(i, turn + 1));
    goToNumber(app, examples[turn % examples.length]);
  };
  const says = (i: number) =>
    `${counted(props.histogram.count[i], "zone")} of ${duration(props.histogram.from[i])} to ${duration(props.histogram.to[i])}, together ${duration(props.histogram.total[i])}`;
  return (
    <div class="histogram" role="group" aria-label="Durations: how many zones took how long">
      <div class="bars">
        <For each={props.histogram.count}>
          {(number, i) => (
            <button
              class="bar-column"
              classList={{ here: isHere(i()) }}
              disabled={number === 0}
              tabIndex={number === 0 ? -1 : 0}
              title={`${says(i())}; click: go to one`}
              aria-label={`${says(i())}; go to one`}
              onClick={() => {
                open(i());
              }}
            >
              <i style={{ height: `${String(number === 0 ? 0 : Math.max(3, (100 * number) / most()))}%` }} />
            </button>
          )}
        </For>
      </div>
      <div class="ends muted">
        <span>{duration(props.histogram.from[0] ?? 0)}</span>
        <Show when={props.histogram.to.length > 1}>
          <span>{duration(props.histogram.to.at(-1) ?? 0)}</span>
        </Show>
      </div>
    </div>
  );
}
