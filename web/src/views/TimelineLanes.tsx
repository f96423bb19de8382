/** The lanes: names at the left, and a canvas with states, functions and curves at the right. */
import { createEffect, createMemo, createSignal, For, Match, on, onCleanup, onMount, Show, Switch, type Accessor, type JSX } from "solid-js";
import { STATE_NAMES, type Timeline } from "../api/types.ts";
import { axisTop, curvePoints, largest, summed, valueAt, type Series } from "../layout/curve.ts";
import { categoryFill } from "../layout/colour.ts";
import { bytes, counted, duration, figure, instant, percent } from "../layout/format.ts";
import { bucketCount, laneAt, laneMoment, lanePixels, laneRuns, lanesHeight, type Lane, type Pixels, type Track } from "../layout/lanes.ts";
import { overlap, ticks, toPixel, toValue, type Window } from "../layout/scale.ts";
import { Palette, Rects, type Label } from "../layout/scene.ts";
import { fitted } from "../layout/text.ts";
import { summedThreads } from "../layout/tiles.ts";
import { painted, pixelRatio, sizeOf } from "../render/canvas.ts";
import type { Surface } from "../render/surface.ts";
import { FONT_SMALL, fontWidths, themeColours, type ThemeColours } from "../render/theme-colours.ts";
import { toggled } from "../state/view-state.ts";
import { STATE_LABELS, useApp } from "./app.ts";
import { FoldIcon } from "./icons.tsx";
import { MiddleClip, StateSwatch } from "./parts.tsx";
import type { TimelineState } from "./timeline-state.ts";

/** How near (pixels) the pointer must be to an edge of the selection to take hold of it. */
const GRIP = 5;
const STATE_BAND = 18;

export interface LanesProps {
  readonly timeline: TimelineState;
  readonly setWidth: (width: number) => void;
  readonly setInSight: (threads: readonly number[]) => void;
  readonly hover: Accessor<number | null>;
  readonly setHover: (time: number | null) => void;
  readonly draft: Accessor<readonly [number, number] | null>;
  readonly setDraft: (range: readonly [number, number] | null) => void;
}

export function TimelineLanes(props: LanesProps): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  // The timeline's state is made once and lives as long as this view.
  const { lanes, window: shown } = props.timeline;
  const [scroller, setScroller] = createSignal<HTMLDivElement>();
  const [stage, setStage] = createSignal<HTMLDivElement>();
  const [base, setBase] = createSignal<HTMLCanvasElement>();
  const [over, setOver] = createSignal<HTMLCanvasElement>();
  const [scrollTop, setScrollTop] = createSignal(0);
  const outer = sizeOf(scroller);
  const stageSize = sizeOf(stage);
  const size = createMemo(() => ({ width: stageSize().width, height: outer().height }));
  const height = createMemo(() => lanesHeight(lanes()));

  createEffect(() => { props.setWidth(size().width); });
  const inView = createMemo(() => lanes().filter((lane) => lane.y + lane.height > scrollTop() - 200 && lane.y < scrollTop() + size().height + 200));
  createEffect(on(inView, (some) => { props.setInSight(some.flatMap((lane) => (lane.kind === "thread" ? [lane.thread] : []))); }));

  const chosen = (lane: Lane): boolean => {
    const { threads, processes } = view();
    return threads.length + processes.length === 0 || processes.includes(lane.process) || (lane.kind === "quiet" && lane.processes.some((id) => processes.includes(id))) || (lane.kind === "thread" && threads.includes(lane.thread)) || (lane.kind !== "thread" && threads.some((id) => app.thread(id)?.process === lane.process));
  };

  const scene = createMemo(() => ({
    lanes: inView().map((lane) => ({ lane, chosen: chosen(lane) })),
    scrollTop: scrollTop(),
    window: shown(),
    detail: props.timeline.detail.data(),
    overview: props.timeline.overview.data(),
    colours: themeColours(),
    states: app.states(),
    closed: props.timeline.closed(),
  }));
  painted(base, size, scene, (surface, now) => {
    const { values } = ticks(now.window, surface.width, 110);
    for (const { lane, chosen: isChosen } of now.lanes) {
      const y = lane.y - now.scrollTop;
      if (lane.kind === "process" || lane.kind === "quiet") surface.fill({ x: 0, y, w: surface.width, h: lane.height }, now.colours.css.lane);
      for (const value of values) surface.line(toPixel(now.window, surface.width, value), y, toPixel(now.window, surface.width, value), y + lane.height, now.colours.css.line);
      if (lane.kind === "counter") paintCounter(surface, lane.track, y, lane.height, now);
      if (lane.kind === "thread") paintThread(surface, lane, y, now);
      if (lane.kind === "process") {
        const mine = now.closed.has(lane.process) ? store.recording().threads.filter((thread) => thread.process === lane.process) : null;
        if (mine) paintTogether(surface, `process ${String(lane.process)}`, mine.map((thread) => thread.id), y, now);
        else paintLifetime(surface, app.process(lane.process), y, lane.height, now);
      }
      if (lane.kind === "quiet" && !lane.open) {
        const mine = store.recording().threads.filter((thread) => lane.processes.includes(thread.process));
        paintTogether(surface, "quiet", mine.map((thread) => thread.id), y, now);
      }
      surface.line(0, y + lane.height - 1, surface.width, y + lane.height - 1, now.colours.css.line);
      if (!isChosen) surface.fill({ x: 0, y, w: surface.width, h: lane.height - 1 }, now.colours.css.shade);
    }
  });

  const overlay = createMemo(() => ({ window: shown(), range: props.draft() ?? view().range, hover: props.hover(), colours: themeColours() }));
  painted(over, size, overlay, (surface, now) => {
    const { css } = now.colours;
    if (now.range) {
      const left = toPixel(now.window, surface.width, now.range[0]);
      const right = toPixel(now.window, surface.width, now.range[1]);
      if (left > 0) surface.fill({ x: 0, y: 0, w: Math.min(left, surface.width), h: surface.height }, css.shade);
      if (right < surface.width) surface.fill({ x: Math.max(right, 0), y: 0, w: surface.width - Math.max(right, 0), h: surface.height }, css.shade);
      surface.fill({ x: left, y: 0, w: right - left, h: surface.height }, css.select);
      surface.line(left, 0, left, surface.height, css["select-edge"]);
      surface.line(right, 0, right, surface.height, css["select-edge"]);
    }
    if (now.hover !== null) {
      const x = toPixel(now.window, surface.width, now.hover);
      surface.line(x, 0, x, surface.height, css.muted);
    }
  });

  // Pointer ------------------------------------------------------------------------------------
  const timeAt = (event: MouseEvent) => toValue(shown(), size().width, event.clientX - (stage()?.getBoundingClientRect().left ?? 0));
  const laneUnder = (event: MouseEvent) => laneAt(lanes(), event.clientY - (stage()?.getBoundingClientRect().top ?? 0) + scrollTop());
  const edgeNear = (event: MouseEvent): 0 | 1 | null => {
    const range = view().range;
    if (!range) return null;
    const x = event.clientX - (stage()?.getBoundingClientRect().left ?? 0);
    const gaps = range.map((edge) => Math.abs(toPixel(shown(), size().width, edge) - x));
    const nearest = gaps[0] <= gaps[1] ? 0 : 1;
    return gaps[nearest] <= GRIP ? nearest : null;
  };
  let drag: { anchor: number; startX: number; moved: boolean } | null = null;
  const inBounds = (time: number) => Math.round(Math.min(Math.max(time, props.timeline.bounds().from), props.timeline.bounds().to));

  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    const edge = edgeNear(event);
    const range = view().range;
    drag = { anchor: edge !== null && range ? range[1 - edge] : timeAt(event), startX: event.clientX, moved: edge !== null };
    app.setTip(null);
  };
  const move = (event: PointerEvent) => {
    const time = timeAt(event);
    props.setHover(time);
    const target = stage();
    if (target) target.style.cursor = edgeNear(event) !== null ? "ew-resize" : "";
    if (drag) {
      if (Math.abs(event.clientX - drag.startX) > 3) drag.moved = true;
      if (drag.moved) {
        const [a, b] = [inBounds(drag.anchor), inBounds(time)];
        props.setDraft(a < b ? [a, b] : [b, a]);
      }
      return;
    }
    const lane = laneUnder(event);
    if (lane) app.setTip({ x: event.clientX, y: event.clientY, content: () => <LaneTip lane={lane} time={time} timeline={props.timeline} width={size().width} /> });
    else app.setTip(null);
  };
  const up = (event: PointerEvent) => {
    const draft = props.draft();
    if (drag?.moved && draft && draft[1] > draft[0]) store.change({ range: draft });
    else if (drag && !drag.moved) {
      const range = view().range;
      const time = timeAt(event);
      if (range && (time < range[0] || time > range[1])) store.change({ range: null });
    }
    drag = null;
    props.setDraft(null);
  };
  const leave = () => {
    props.setHover(null);
    if (!drag) app.setTip(null);
  };
  const wheel = (event: WheelEvent) => {
    if (event.altKey) return;
    event.preventDefault();
    app.setTip(null);
    const pixels = event.deltaMode === 1 ? 16 : 1;
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways) props.timeline.pan(((event.deltaX || event.deltaY) * pixels) / size().width);
    else props.timeline.zoomAt(timeAt(event), Math.exp(event.deltaY * pixels * (event.ctrlKey ? 0.01 : 0.0022)));
  };
  const twice = () => {
    if (view().window) props.timeline.fit();
    else if (view().range) store.change({ range: null });
  };
  onMount(() => {
    stage()?.addEventListener("wheel", wheel, { passive: false });
    onCleanup(() => stage()?.removeEventListener("wheel", wheel));
  });

  return (
    <div class="lanes" ref={setScroller} onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)} tabIndex={-1}>
      <div class="content" style={{ height: `${String(Math.max(height(), size().height))}px` }}>
        <div class="lane-names">
          <For each={lanes()}>{(lane) => <LaneName lane={lane} timeline={props.timeline} hover={props.hover} />}</For>
        </div>
        <div
          class="lane-canvases"
          ref={setStage}
          style={{ height: `${String(size().height)}px` }}
          onPointerDown={down}
          onPointerMove={move}
          onPointerUp={up}
          onPointerCancel={() => { drag = null; props.setDraft(null); }}
          onPointerLeave={leave}
          onDblClick={twice}
        >
          <canvas ref={setBase} role="img" aria-label={`Timeline of ${counted(store.recording().threads.length, "thread")}; press T for a table`} />
          <canvas ref={setOver} aria-hidden="true" />
        </div>
      </div>
    </div>
  );
}

function LaneName(props: { lane: Lane; timeline: TimelineState; hover: Accessor<number | null> }): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const style = () => ({ top: `${String(props.lane.y)}px`, height: `${String(props.lane.height)}px` });
  const narrowed = () => view().threads.length + view().processes.length > 0;

  const chooseProcess = (id: number, more: boolean) => {
    const { processes, threads } = view();
    if (more) store.change({ processes: toggled(processes, id) });
    else store.change(processes.length === 1 && threads.length === 0 && processes[0] === id ? { processes: [], threads: [] } : { processes: [id], threads: [] });
  };
  const chooseThread = (id: number, more: boolean) => {
    const { processes, threads } = view();
    if (more) store.change({ threads: toggled(threads, id) });
    else store.change(threads.length === 1 && processes.length === 0 && threads[0] === id ? { processes: [], threads: [] } : { threads: [id], processes: [] });
  };

  return (
    <Switch>
      <Match when={props.lane.kind === "process" && props.lane}>
        {(lane) => {
          const process = () => app.process(lane().process);
          const open = () => !props.timeline.closed().has(lane().process);
          const chosen = () => view().processes.includes(lane().process);
          return (
            <div class="lane-name process" classList={{ chosen: chosen(), off: narrowed() && !chosen() }} style={style()}>
              <button class="fold" aria-expanded={open()} aria-label={`${open() ? "Close" : "Open"} process ${process()?.name ?? ""}`} onClick={() => { store.change({ folds: toggled(view().folds, lane().process) }, "replace"); }}>
                <FoldIcon />
              </button>
              <button class="pick" aria-pressed={chosen()} title={process()?.command} onClick={(event) => { chooseProcess(lane().process, event.ctrlKey || event.metaKey || event.shiftKey); }}>
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
            <button class="fold" aria-expanded={lane().open} aria-label={`${lane().open ? "Hide" : "List"} quiet processes`} onClick={() => { store.change({ quiet: !view().quiet }, "replace"); }}>
              <FoldIcon />
            </button>
            <button class="pick" title="Wrappers and helpers: less than 2 % of the busiest process's work" onClick={() => { store.change({ quiet: !view().quiet }, "replace"); }}>
              <span class="clip">{lane().processes.length} quiet processes</span>
            </button>
          </div>
        )}
      </Match>
      <Match when={props.lane.kind === "counter" && props.lane}>
        {(lane) => {
          const series = createMemo(() => seriesOf(props.timeline.detail.data() ?? props.timeline.overview.data(), lane().track));
          const top = createMemo(() => axisTop(largest(series(), props.timeline.window()), lane().track.unit));
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
      <Match when={props.lane.kind === "thread" && props.lane}>
        {(lane) => {
          const thread = () => app.thread(lane().thread);
          const chosen = () => view().threads.includes(lane().thread);
          const shared = createMemo(() => store.recording().threads.some((other) => other.id !== lane().thread && other.process === lane().process && other.name === thread()?.name));
          return (
            <div class="lane-name thread" classList={{ chosen: chosen(), off: narrowed() && !chosen() && !view().processes.includes(lane().process) }} style={style()}>
              <button class="pick" aria-pressed={chosen()} title={`thread ${String(thread()?.tid ?? "")}; Ctrl+click adds to the selection`} onClick={(event) => { chooseThread(lane().thread, event.ctrlKey || event.metaKey || event.shiftKey); }}>
                <MiddleClip text={thread()?.name || "unnamed thread"} />
                <Show when={shared()}><span class="tid">{thread()?.tid}</span></Show>
                <span class="tail" title="time on a CPU">{duration(thread()?.weights.cpu ?? 0)}</span>
              </button>
            </div>
          );
        }}
      </Match>
    </Switch>
  );
}

function LaneTip(props: { lane: Lane; time: number; timeline: TimelineState; width: number }): JSX.Element {
  const app = useApp();
  const data = () => props.timeline.detail.data() ?? props.timeline.overview.data();
  const perPixel = () => (props.timeline.window().to - props.timeline.window().from) / Math.max(1, props.width);
  const moment = createMemo(() => {
    const [lane, timeline] = [props.lane, data()];
    if (lane.kind !== "thread" || !timeline) return null;
    const tile = timeline.threads.find((one) => one.thread === lane.thread);
    if (!tile) return null;
    const half = Math.max(perPixel() * 1.5, timeline.width * 0.5);
    return { ...laneMoment(tile, timeline.width, props.time - half, props.time + half), names: timeline.names, span: 2 * half };
  });
  const title = () => {
    const { lane } = props;
    if (lane.kind === "thread") return app.thread(lane.thread)?.name ?? "";
    if (lane.kind === "quiet") return lane.processes.map((id) => app.process(id)?.name ?? "").filter((name, i, all) => name !== "" && all.indexOf(name) === i).join(", ");
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

function unitText(value: number, track: Track): string {
  if (track.unit === "cpus") return `${value === 0 ? "0" : value.toFixed(2).replace(/\.00$/, "")} CPU${value > 1 ? "s" : ""}`;
  if (track.unit === "bytes") return bytes(value) + (track.kind === "total" ? "/s" : "");
  if (track.unit === "ns") return track.kind === "total" ? `${figure(value)} s/s` : duration(value);
  return figure(value) + (track.kind === "total" ? "/s" : "");
}

function seriesOf(timeline: Timeline | undefined, track: Track): Series {
  return summed((timeline?.counters ?? []).filter((curve) => track.counters.includes(curve.counter)));
}

// Painting ---------------------------------------------------------------------------------------

interface Now {
  readonly window: Window;
  readonly detail: Timeline | undefined;
  readonly overview: Timeline | undefined;
  readonly colours: ThemeColours;
  readonly states: ReadonlySet<string>;
}

function paintCounter(surface: Surface, track: Track, y: number, height: number, now: Now): void {
  const covers = now.detail && now.detail.from <= now.window.from && now.detail.to >= now.window.to;
  const timeline = covers ? now.detail : (now.overview ?? now.detail);
  const series = seriesOf(timeline, track);
  const top = axisTop(largest(series, now.window), track.unit);
  const inner = height - 7;
  const points = curvePoints(series, now.window, surface.width, inner, top);
  for (let i = 1; i < points.length; i += 2) points[i] += y + 4;
  const cpu = track.key === "cpu";
  surface.clipped({ x: 0, y, w: surface.width, h: height }, () => {
    surface.area(points, y + 4 + inner, now.colours.css[cpu ? "cpu-curve" : "gauge-curve"], now.colours.css[cpu ? "cpu-area" : "gauge-area"]);
  });
}

function paintLifetime(surface: Surface, process: { start: number; end: number | null } | undefined, y: number, height: number, now: Now): void {
  if (!process) return;
  const from = Math.max(0, toPixel(now.window, surface.width, process.start));
  const to = Math.min(surface.width, process.end === null ? surface.width : toPixel(now.window, surface.width, process.end));
  if (to > from) surface.fill({ x: from, y: y + height / 2 - 1, w: to - from, h: 2 }, now.colours.css.line);
}

/** The threads of a closed process in one band. */
function paintTogether(surface: Surface, what: string, threads: readonly number[], y: number, now: Now): void {
  const timeline = now.overview;
  const part = timeline ? overlap(now.window, timeline) : null;
  if (!timeline || !part) return;
  const image = cached(timeline, what, now, (height) => {
    const count = bucketCount(timeline.from, timeline.to, timeline.width);
    const { tile, most } = summedThreads(timeline, count, new Set(threads));
    return lanePixels(tile, timeline, height, now.colours.states, now.states, Math.max(most, timeline.width));
  });
  surface.image(
    image,
    { x: (part.from - timeline.from) / timeline.width, y: 0, w: (part.to - part.from) / timeline.width, h: image.height },
    { x: toPixel(now.window, surface.width, part.from), y: y + 4, w: ((part.to - part.from) / (now.window.to - now.window.from)) * surface.width, h: STATE_BAND },
  );
}

function paintThread(surface: Surface, lane: Lane & { kind: "thread" }, y: number, now: Now): void {
  const bandTop = y + 2;
  for (const timeline of [now.overview, now.detail]) {
    if (!timeline) continue;
    const tile = timeline.threads.find((one) => one.thread === lane.thread);
    if (!tile) continue;
    const part = overlap(now.window, timeline);
    if (!part) continue;
    const image = cached(timeline, String(lane.thread), now, (height) => lanePixels(tile, timeline, height, now.colours.states, now.states));
    const [left, right] = [toPixel(now.window, surface.width, part.from), toPixel(now.window, surface.width, part.to)];
    if (timeline === now.detail) surface.fill({ x: left, y, w: right - left, h: lane.height - 1 }, now.colours.css.panel);
    surface.image(
      image,
      { x: (part.from - timeline.from) / timeline.width, y: 0, w: (part.to - part.from) / timeline.width, h: image.height },
      { x: left, y: bandTop, w: right - left, h: STATE_BAND },
    );
    if (lane.named) paintRuns(surface, timeline, tile, left, right, bandTop + STATE_BAND + 1, lane.height - STATE_BAND - 5, now);
  }
}

/** The functions under the states: a stretch a function, named where there is room. */
function paintRuns(surface: Surface, timeline: Timeline, tile: Timeline["threads"][number], left: number, right: number, y: number, height: number, now: Now): void {
  const scale = surface.width / (now.window.to - now.window.from);
  const palette = new Palette();
  const rects = new Rects();
  const labels: Label[] = [];
  const widths = fontWidths(FONT_SMALL);
  for (const run of laneRuns(tile, timeline.width, 2.5 / scale)) {
    const x0 = Math.max(left, (run.from - now.window.from) * scale);
    const x1 = Math.min(right, (run.to - now.window.from) * scale);
    if (x1 - x0 < 0.3) continue;
    const name = timeline.names[run.name] ?? "";
    const fill = categoryFill(timeline.packages?.[run.name] ?? name, timeline.own?.[run.name] ?? true, "python", now.colours.dark, name);
    if (!rects.push(x0, y, x1 - x0 > 3 ? x1 - x0 - 0.5 : x1 - x0, height, palette.number(fill.fill))) break;
    if (x1 - x0 > 26) {
      const text = fitted(widths, name, x1 - x0 - 6);
      if (text !== "") labels.push({ x: x0 + 3, y: y + height / 2, text, colour: palette.number(fill.text) });
    }
  }
  surface.scene({ rects, labels, palette: palette.colours }, FONT_SMALL);
}

const images = new WeakMap<Timeline, Map<string, HTMLCanvasElement>>();

/**
 * A lane's states as a picture, one pixel a bucket.
 *
 * PERF: painted once a tile; panning and zooming then stretch it, one call a lane a frame.
 */
function cached(timeline: Timeline, what: string, now: Now, paint: (height: number) => Pixels): HTMLCanvasElement {
  let mine = images.get(timeline);
  if (!mine) images.set(timeline, (mine = new Map()));
  const height = Math.round(STATE_BAND * pixelRatio());
  const key = `${what} ${String(height)} ${String(now.colours.dark)} ${[...now.states].sort().join()}`;
  let image = mine.get(key);
  if (!image) mine.set(key, (image = pixelImage(paint(height))));
  return image;
}

/** Pixels as something that can be painted. */
export function pixelImage(pixels: Pixels): HTMLCanvasElement {
  const image = document.createElement("canvas");
  image.width = pixels.width;
  image.height = pixels.height;
  image.getContext("2d")?.putImageData(new ImageData(pixels.data, pixels.width, pixels.height), 0, 0);
  return image;
}
