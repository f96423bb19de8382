/** What stands at the left of a lane: names to choose by, and the figures of curves. */
import { createMemo, Match, Show, Switch, type Accessor, type JSX } from "solid-js";
import { axisTop, largest, valueAt } from "../layout/curve.ts";
import { counted, duration } from "../layout/format.ts";
import type { Lane } from "../layout/lanes.ts";
import { FEW_ROWS } from "../layout/zones.ts";
import { toggled } from "../state/view-state.ts";
import { useApp } from "./app.ts";
import { FoldIcon } from "./icons.tsx";
import { seriesOf, unitText } from "./lane-values.ts";
import { MiddleClip } from "./parts.tsx";
import type { TimelineState } from "./timeline-state.ts";

export function LaneName(props: {
  lane: Lane;
  timeline: TimelineState;
  hover: Accessor<number | null>;
}): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const style = () => ({ top: `${String(props.lane.y)}px`, height: `${String(props.lane.height)}px` });
  const narrowed = () => view().threads.length + view().processes.length > 0;

  const chooseProcess = (id: number, more: boolean) => {
    const { processes, threads } = view();
    if (more) store.change({ processes: toggled(processes, id) });
    else
      store.change(
        processes.length === 1 && threads.length === 0 && processes[0] === id
          ? { processes: [], threads: [] }
          : { processes: [id], threads: [] },
      );
  };
  const chooseThread = (id: number, more: boolean) => {
    const { processes, threads } = view();
    if (more) store.change({ threads: toggled(threads, id) });
    else
      store.change(
        threads.length === 1 && processes.length === 0 && threads[0] === id
          ? { processes: [], threads: [] }
          : { threads: [id], processes: [] },
      );
  };

  return (
    <Switch>
      <Match when={props.lane.kind === "process" && props.lane}>
        {(lane) => {
          const process = () => app.process(lane().process);
          const open = () => !props.timeline.closed().has(lane().process);
          const chosen = () => view().processes.includes(lane().process);
          return (
            <div
              class="lane-name process"
              classList={{ chosen: chosen(), off: narrowed() && !chosen() }}
              style={style()}
            >
              <button
                class="fold"
                aria-expanded={open()}
                aria-label={`${open() ? "Close" : "Open"} process ${process()?.name ?? ""}`}
                onClick={() => {
                  store.change({ folds: toggled(view().folds, lane().process) }, "replace");
                }}
              >
                <FoldIcon />
              </button>
              <button
                class="pick"
                aria-pressed={chosen()}
                title={process()?.command}
                onClick={(event) => {
                  chooseProcess(lane().process, event.ctrlKey || event.metaKey || event.shiftKey);
                }}
              >
                <span class="clip">{process()?.name || "unnamed process"}</span>
                <span class="tail">pid {process()?.pid}</span>
              </button>
            </div>
          );
        }}
      </Match>
      <Match when={props.lane.kind === "quiet" && props.lane}>
        {(lane) => (
          <div class="lane-name process quiet" style={style()}>
            <button
              class="fold"
              aria-expanded={lane().open}
              aria-label={`${lane().open ? "Hide" : "List"} quiet processes`}
              onClick={() => {
                store.change({ quiet: !view().quiet }, "replace");
              }}
            >
              <FoldIcon />
            </button>
            <button
              class="pick"
              title="Wrappers and helpers: less than 2 % of the busiest process's work"
              onClick={() => {
                store.change({ quiet: !view().quiet }, "replace");
              }}
            >
              <span class="clip">{counted(lane().processes.length, "quiet process", "quiet processes")}</span>
            </button>
          </div>
        )}
      </Match>
      <Match when={props.lane.kind === "counter" && props.lane}>
        {(lane) => {
          const series = createMemo(() =>
            seriesOf(props.timeline.detail.data() ?? props.timeline.overview.data(), lane().track),
          );
          const top = createMemo(() =>
            axisTop(largest(series(), props.timeline.window()), lane().track.unit),
          );
          const at = createMemo(() => {
            const time = props.hover();
            return time === null ? null : valueAt(series(), time);
          });
          return (
            <div class="lane-name counter" style={style()}>
              <span class="clip">{lane().track.label}</span>
              <span class="tail" title="value at the pointer, else the upper end of the axis">
                {at() === null ? `0 – ${unitText(top(), lane().track)}` : unitText(at() ?? 0, lane().track)}
              </span>
            </div>
          );
        }}
      </Match>
      <Match when={props.lane.kind === "frames" && props.lane}>
        {(lane) => (
          <div class="lane-name counter" style={style()}>
            <button
              class="pick"
              title="Figures of the frames"
              onClick={() => {
                store.change({ tab: "zones", said: "frames" });
              }}
            >
              <span class="clip">{lane().name === "" ? "Frames" : `Frames: ${lane().name}`}</span>
            </button>
          </div>
        )}
      </Match>
      <Match when={props.lane.kind === "thread" && props.lane}>
        {(lane) => {
          const thread = () => app.thread(lane().thread);
          const chosen = () => view().threads.includes(lane().thread);
          const shared = createMemo(() =>
            store
              .recording()
              .threads.some(
                (other) =>
                  other.id !== lane().thread &&
                  other.process === lane().process &&
                  other.name === thread()?.name,
              ),
          );
          return (
            <div
              class="lane-name thread"
              classList={{
                chosen: chosen(),
                off: narrowed() && !chosen() && !view().processes.includes(lane().process),
              }}
              style={style()}
            >
              <button
                class="pick"
                style={{ height: `${String(lane().head - 1)}px` }}
                aria-pressed={chosen()}
                title={`thread ${String(thread()?.tid ?? "")}; Ctrl+click adds to the selection`}
                onClick={(event) => {
                  chooseThread(lane().thread, event.ctrlKey || event.metaKey || event.shiftKey);
                }}
              >
                <MiddleClip text={thread()?.name || "unnamed thread"} />
                <Show when={shared()}>
                  <span class="tid">{thread()?.tid}</span>
                </Show>
                <span class="tail" title="time on a CPU">
                  {duration(thread()?.weights.cpu ?? 0)}
                </span>
              </button>
              <Show when={lane().zones && (lane().zones?.all ?? 0) > FEW_ROWS + 1 && lane().zones}>
                {(zones) => (
                  <button
                    class="more-rows"
                    aria-expanded={zones().shown === zones().all}
                    onClick={() => {
                      store.change({ deep: toggled(view().deep, lane().thread) }, "replace");
                    }}
                  >
                    {zones().shown === zones().all
                      ? "fewer rows"
                      : `${String(zones().all - zones().shown)} more rows`}
                  </button>
                )}
              </Show>
            </div>
          );
        }}
      </Match>
    </Switch>
  );
}
