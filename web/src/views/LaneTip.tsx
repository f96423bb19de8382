/** What a lane shows under the pointer. */
import { createMemo, For, Show, type JSX } from "solid-js";
import { STATE_NAMES } from "../api/types.ts";
import { valueAt } from "../layout/curve.ts";
import { duration, instant, percent } from "../layout/format.ts";
import { laneMoment, type Lane } from "../layout/lanes.ts";
import { STATE_LABELS, useApp } from "./app.ts";
import { seriesOf, unitText } from "./lane-values.ts";
import { StateSwatch } from "./parts.tsx";
import type { TimelineState } from "./timeline-state.ts";

export function LaneTip(props: {
  lane: Lane;
  time: number;
  timeline: TimelineState;
  width: number;
}): JSX.Element {
  const app = useApp();
  const data = () => props.timeline.detail.data() ?? props.timeline.overview.data();
  const perPixel = () =>
    (props.timeline.window().to - props.timeline.window().from) / Math.max(1, props.width);
  const moment = createMemo(() => {
    const [lane, timeline] = [props.lane, data()];
    if (lane.kind !== "thread" || !timeline) return null;
    const tile = timeline.threads.find((one) => one.thread === lane.thread);
    if (!tile) return null;
    const half = Math.max(perPixel() * 1.5, timeline.width * 0.5);
    return {
      ...laneMoment(tile, timeline.width, props.time - half, props.time + half),
      names: timeline.names,
      span: 2 * half,
    };
  });
  const title = () => {
    const { lane } = props;
    if (lane.kind === "thread") return app.thread(lane.thread)?.name ?? "";
    if (lane.kind === "quiet")
      return lane.processes
        .map((id) => app.process(id)?.name ?? "")
        .filter((name, i, all) => name !== "" && all.indexOf(name) === i)
        .join(", ");
    if (lane.kind === "frames") return lane.name === "" ? "Frames" : `Frames “${lane.name}”`;
    return lane.kind === "process" ? (app.process(lane.process)?.name ?? "") : lane.track.label;
  };
  return (
    <>
      <h3>{title()}</h3>
      <div class="where">at {instant(props.time, perPixel())}</div>
      <Show when={props.lane.kind === "process" && app.process(props.lane.process)}>
        {(process) => (
          <div class="where">
            {process().command}
            <br />
            {process().runtime}, pid {process().pid}
          </div>
        )}
      </Show>
      <Show when={props.lane.kind === "counter" && props.lane}>
        {(lane) => {
          const value = () => valueAt(seriesOf(data(), lane().track), props.time);
          return <h3>{value() === null ? "not recorded yet" : unitText(value() ?? 0, lane().track)}</h3>;
        }}
      </Show>
      <Show when={moment()}>
        {(now) => (
          <Show when={now().total > 0} fallback={<div class="where">no samples here</div>}>
            <Show when={now().name >= 0 && now().names[now().name]}>
              <h3 style={{ "margin-top": "6px" }}>{now().names[now().name]}</h3>
            </Show>
            <dl>
              <For each={STATE_NAMES.filter((name) => now().states[name] > 0)}>
                {(name) => (
                  <>
                    <dt>
                      <StateSwatch state={name} />
                      {STATE_LABELS[name]}
                    </dt>
                    <dd>{percent(now().states[name], now().total)}</dd>
                    <dd class="note">{duration(now().states[name])}</dd>
                    <dd />
                  </>
                )}
              </For>
              <Show when={now().gil > 0}>
                <dt>
                  <span class="swatch" />
                  holds the GIL
                </dt>
                <dd>{percent(now().gil, now().total)}</dd>
                <dd class="note">{duration(now().gil)}</dd>
                <dd />
              </Show>
            </dl>
          </Show>
        )}
      </Show>
    </>
  );
}
