/** The flame graph with its toolbar, axis and breadcrumbs. */
import { createEffect, createMemo, createSignal, For, on, Show, type JSX } from "solid-js";
import type { Flame } from "../api/types.ts";
import { path, query } from "../api/query.ts";
import { ancestry, indexFlame, rowCovering, type FlameIndex } from "../layout/flame.ts";
import { counted, duration, instant, percent } from "../layout/format.ts";
import { overlap, ticks, toPixel, type Window } from "../layout/scale.ts";
import { tileQuestion } from "../layout/tiles.ts";
import { painted, sizeOf } from "../render/canvas.ts";
import { FONT_SMALL, themeColours } from "../render/theme-colours.ts";
import { ask } from "../state/ask.ts";
import type { FlameZoom } from "../state/view-state.ts";
import { useApp } from "./app.ts";
import { Details } from "./Details.tsx";
import { FlameCanvas } from "./FlameCanvas.tsx";
import { FlameTable } from "./FlameTable.tsx";
import { TableIcon } from "./icons.tsx";
import { Answered, Empty, Segment, Skeleton } from "./parts.tsx";

export function FlameView(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const [width, setWidth] = createSignal(0);
  const px = createMemo(() => Math.max(200, Math.ceil(width() / 100) * 100));

  /** In time order the graph shows what the timeline shows; its x begins with the range. */
  const inTime = () => view().order === "time";
  const span = createMemo<Window>(() => {
    const { start, end } = store.recording().range;
    const [from, to] = view().range ?? [start, end];
    return { from, to: Math.max(to, from + 1) };
  });
  const seenTime = createMemo<Window | null>(() => {
    const window = view().window;
    const part = inTime() && window ? overlap({ from: window[0], to: window[1] }, span()) : null;
    return part ? { from: part.from - span().from, to: part.to - span().from } : null;
  });
  const zoom = createMemo<FlameZoom | null>(() => {
    const time = seenTime();
    return inTime() ? (time ? { x0: time.from, x1: time.to, depth: 0 } : null) : view().zoom;
  });
  const asked = createMemo(() => {
    const time = seenTime();
    if (!time) return { zoom: zoom(), px: px() };
    const tile = tileQuestion(time, { from: 0, to: span().to - span().from }, width());
    return { zoom: { x0: tile.from, x1: tile.to }, px: tile.px };
  });

  const question = (zoom: { x0: number; x1: number } | null) =>
    path(
      "flame",
      store.filter(),
      query({
        order: view().order,
        inverted: view().inverted,
        by: view().byLine ? "line" : "function",
        x0: zoom ? Math.round(zoom.x0) : null,
        x1: zoom ? Math.round(zoom.x1) : null,
        px: asked().px,
      }),
    );
  const answer = ask<Flame>(
    createMemo(() => (width() > 0 ? question(asked().zoom) : null)),
    { wait: 30 },
  );
  const index = createMemo<FlameIndex | null>(() => {
    const flame = answer.data();
    return flame ? indexFlame(flame) : null;
  });
  createEffect(
    on(index, (now) => {
      if (now) for (const name of now.flame.names) app.remember(name);
    }),
  );

  const bounds = createMemo<Window>(
    () => ({ from: 0, to: Math.max(1, index()?.flame.total ?? 1) }),
    { from: 0, to: 1 },
    { equals: (a, b) => a.from === b.from && a.to === b.to },
  );
  const shown = createMemo<Window>(
    () => {
      const now = zoom();
      return now ? { from: now.x0, to: Math.min(now.x1, Math.max(bounds().to, now.x0 + 1)) } : bounds();
    },
    { from: 0, to: 1 },
    { equals: (a, b) => a.from === b.from && a.to === b.to },
  );
  const crumbs = createMemo(() => {
    const [now, to] = [index(), view().zoom];
    if (!now || !to || inTime()) return [];
    const row = rowCovering(now, to);
    return row < 0 ? [] : ancestry(now.flame, row);
  });

  const zoomTo = (row: number) => {
    const now = index();
    if (!now || row < 0) return;
    const { flame } = now;
    const [x0, x1] = [flame.x[row], flame.x[row] + flame.w[row]];
    if (inTime()) {
      store.change({ window: [Math.round(x0 + span().from), Math.round(x1 + span().from)] });
      return;
    }
    const whole = x0 <= 0 && x1 >= flame.total && flame.depth[row] === 0;
    store.change({ zoom: whole ? null : { x0, x1, depth: flame.depth[row] } });
  };
  const setWindow = (next: Window) => {
    if (inTime()) {
      const all = next.from <= 0 && next.to >= bounds().to && !view().range;
      store.change(
        { window: all ? null : [Math.round(next.from + span().from), Math.round(next.to + span().from)] },
        "replace",
      );
      return;
    }
    const whole = next.from <= bounds().from && next.to >= bounds().to;
    store.change(
      {
        zoom: whole
          ? null
          : {
              x0: Math.max(0, Math.round(next.from)),
              x1: Math.round(next.to),
              depth: view().zoom?.depth ?? 0,
            },
      },
      "replace",
    );
  };

  return (
    <div class="view" role="tabpanel" aria-label="Flame graph">
      <div class="bar">
        <Segment
          label="Order"
          value={view().order}
          options={[
            ["left-heavy", "Left-heavy", "Equal stacks merged, heaviest first"],
            ["time", "Time order", "One thread, as it happened"],
          ]}
          choose={(order) => {
            store.change({ order, inverted: order === "time" ? false : view().inverted });
          }}
        />
        <Show when={view().order === "left-heavy"}>
          <Segment
            label="Root"
            value={view().inverted ? "leaves" : "roots"}
            options={[
              ["roots", "Callers first"],
              ["leaves", "Inverted", "Where time was spent at the root, callers above"],
            ]}
            choose={(to) => {
              store.change({ inverted: to === "leaves" });
            }}
          />
        </Show>
        <Segment
          label="Direction"
          value={view().upwards ? "up" : "down"}
          options={[
            ["down", "Icicle", "Roots at the top"],
            ["up", "Flame", "Roots at the bottom"],
          ]}
          choose={(to) => {
            store.change({ upwards: to === "up" }, "replace");
          }}
        />
        <Segment
          label="Frames"
          value={view().byLine ? "line" : "function"}
          options={[
            ["function", "Functions"],
            ["line", "Lines"],
          ]}
          choose={(to) => {
            store.change({ byLine: to === "line" });
          }}
        />
        <Show when={view().order === "time" && answer.data()}>
          {(flame) => (
            <select
              class="select"
              aria-label="Thread"
              value={String(flame().thread ?? "")}
              onChange={(event) => {
                store.change({ threads: [Number(event.currentTarget.value)], processes: [] });
              }}
            >
              <For each={store.recording().threads}>
                {(thread) => (
                  <option value={String(thread.id)}>
                    {app.process(thread.process)?.name} – {thread.name}
                  </option>
                )}
              </For>
            </select>
          )}
        </Show>
        <Show when={view().zoom && !inTime()} fallback={<span class="spacer" />}>
          <nav class="crumbs" aria-label="Zoomed to">
            <button
              onClick={() => {
                store.change({ zoom: null });
              }}
            >
              All
            </button>
            <For each={crumbs().slice(-7)}>
              {(row) => (
                <>
                  <span aria-hidden="true">›</span>
                  <button
                    class="clip"
                    onClick={() => {
                      zoomTo(row);
                    }}
                  >
                    {index()?.flame.names[index()?.flame.name[row] ?? 0]?.label}
                  </button>
                </>
              )}
            </For>
          </nav>
        </Show>
        <Show when={(answer.data()?.omitted ?? 0) > 0}>
          <span
            class="muted clip"
            title="Frames narrower than half a pixel are left out; zoom in to see them"
          >
            {counted(answer.data()?.omitted ?? 0, "frame")} too thin
          </span>
        </Show>
        <label class="muted">
          Colour by{" "}
          <select
            class="select"
            value={view().colour}
            onChange={(event) => {
              store.change({ colour: event.currentTarget.value as "package" | "file" | "self" }, "replace");
            }}
          >
            <option value="package">package</option>
            <option value="file">file</option>
            <option value="self">self time</option>
          </select>
        </label>
        <button
          class="icon small"
          classList={{ on: view().asTable }}
          aria-pressed={view().asTable}
          title="Table in place of the picture (T)"
          aria-label="Table in place of the picture"
          onClick={() => {
            store.change({ asTable: !view().asTable }, "replace");
          }}
        >
          <TableIcon />
        </button>
      </div>
      <div class="columns">
        <div class="grow">
          <Answered to={answer}>
            <Measurer onWidth={setWidth} />
            <Show when={index()} fallback={<Skeleton shape="flame" />}>
              {(now) => (
                <Show when={now().flame.empty === null} fallback={<Empty why={now().flame.empty ?? ""} />}>
                  <Show when={!view().asTable} fallback={<FlameTable index={now()} onZoom={zoomTo} />}>
                    <FlameAxis window={shown()} total={now().flame.total} time={view().order === "time"} />
                    <FlameCanvas
                      index={now()}
                      window={shown()}
                      bounds={bounds()}
                      upwards={view().upwards}
                      colour={view().colour}
                      time={view().order === "time"}
                      label={`Flame graph of ${duration(now().flame.total)} in ${counted(now().flame.x.length, "frame")}`}
                      onZoom={zoomTo}
                      onWindow={setWindow}
                    />
                  </Show>
                </Show>
              )}
            </Show>
          </Answered>
        </div>
        <Details />
      </div>
    </div>
  );
}

/** Tells the width of the column before there is a picture. */
function Measurer(props: { onWidth: (width: number) => void }): JSX.Element {
  const [element, setElement] = createSignal<HTMLDivElement>();
  const size = sizeOf(element);
  createEffect(() => {
    props.onWidth(size().width);
  });
  return <div ref={setElement} style={{ height: 0 }} />;
}

function FlameAxis(props: { window: Window; total: number; time: boolean }): JSX.Element {
  const app = useApp();
  const [host, setHost] = createSignal<HTMLDivElement>();
  const [canvas, setCanvas] = createSignal<HTMLCanvasElement>();
  const size = sizeOf(host);
  const origin = () => (props.time ? (app.store.view().range?.[0] ?? app.store.recording().range.start) : 0);
  const scene = createMemo(() => ({
    window: props.window,
    total: props.total,
    time: props.time,
    origin: origin(),
    css: themeColours().css,
  }));
  painted(canvas, size, scene, (surface, now) => {
    const { step, values } = ticks(now.window, surface.width, 120);
    for (const value of values) {
      const x = toPixel(now.window, surface.width, value);
      surface.line(x, surface.height - 5, x, surface.height, now.css.muted);
      if (x > surface.width - 60) continue;
      const text = now.time
        ? instant(value + now.origin, step)
        : value === 0
          ? "0"
          : `${instant(value, step)}  ${percent(value, now.total)}`;
      surface.text(text, x + 4, surface.height / 2 - 1, now.css.muted, FONT_SMALL);
    }
  });
  return (
    <div class="flame-axis" ref={setHost}>
      <canvas ref={setCanvas} aria-hidden="true" />
    </div>
  );
}
