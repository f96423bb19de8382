/** The frames of one name: how many, how long, and the longest of them. */
import { For, type JSX } from "solid-js";
import type { FrameSet } from "../api/types.ts";
import { count, counted, duration } from "../layout/format.ts";
import { useApp } from "./app.ts";

export function FrameCard(props: { set: FrameSet }): JSX.Element {
  const app = useApp();
  const most = () => Math.max(1, ...props.set.histogram.count);
  const facts = (): readonly (readonly [string, string])[] => [
    ["Frames", count(props.set.count)],
    ["A second", props.set.perSecond.toFixed(1)],
    ["Median", duration(props.set.p50)],
    ["95 %", duration(props.set.p95)],
    ["99 %", duration(props.set.p99)],
    ["Longest", duration(props.set.max)],
  ];
  return (
    <section class="card">
      <h2>{props.set.name === "" ? "Frames" : props.set.name}</h2>
      <p class="muted">{app.process(props.set.process)?.name}</p>
      <dl>
        <For each={facts()}>
          {([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          )}
        </For>
      </dl>
      <div class="histogram" aria-label="How many frames took how long" role="img">
        <div class="bars">
          <For each={props.set.histogram.count}>
            {(number, i) => (
              <span
                class="bar-column"
                title={`${counted(number, "frame")} of ${duration(props.set.histogram.from[i()])} to ${duration(props.set.histogram.to[i()])}`}
              >
                <i
                  style={{ height: `${String(number === 0 ? 0 : Math.max(3, (100 * number) / most()))}%` }}
                />
              </span>
            )}
          </For>
        </div>
        <div class="ends muted">
          <span>{duration(props.set.histogram.from[0] ?? 0)}</span>
          <span>{duration(props.set.histogram.to.at(-1) ?? 0)}</span>
        </div>
      </div>
      <table>
        <caption class="hidden-table">The longest frames</caption>
        <thead>
          <tr>
            <th>Longest</th>
            <th class="num">Begins</th>
            <th class="num">Duration</th>
          </tr>
        </thead>
        <tbody>
          <For each={props.set.worst.number}>
            {(number, i) => (
              <tr>
                <td>
                  <button
                    class="button quiet"
                    title="Select its time"
                    onClick={() => {
                      const start = props.set.worst.start[i()];
                      const end = start + Math.max(1, props.set.worst.duration[i()]);
                      app.store.change({ range: [start, end] });
                      app.timelineKeys.current.zoomToSelection?.();
                    }}
                  >
                    {number}
                  </button>
                </td>
                <td class="num">{duration(props.set.worst.start[i()])}</td>
                <td class="num">{duration(props.set.worst.duration[i()])}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </section>
  );
}
