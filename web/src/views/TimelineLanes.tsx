/** The lanes: names at the left, and a canvas with states, functions and curves at the right. */
import {
  createEffect,
  createMemo,
  createSignal,
  For,
  on,
  onCleanup,
  onMount,
  type Accessor,
  type JSX,
} from "solid-js";
import { counted } from "../layout/format.ts";
import { laneAt, lanesHeight, type Lane } from "../layout/lanes.ts";
import { ticks, toPixel, toValue } from "../layout/scale.ts";
import { painted, sizeOf } from "../render/canvas.ts";
import { themeColours } from "../render/theme-colours.ts";
import { useApp } from "./app.ts";
import { paintCounter, paintLifetime, paintThread, paintTogether } from "./lane-paint.ts";
import { LaneName } from "./LaneName.tsx";
import { LaneTip } from "./LaneTip.tsx";
import type { TimelineState } from "./timeline-state.ts";
import { paintFrames, paintLogs, paintWaits, paintZones, tracksOfNow } from "./zone-paint.ts";
import { chooseZone, zoomToZone } from "./zone-state.ts";
import { saidAt, ZoneTip, type Said } from "./ZoneTip.tsx";

/** How near (pixels) the pointer must be to an edge of the selection to take hold of it. */
const GRIP = 5;

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

  createEffect(() => {
    props.setWidth(size().width);
  });
  const inView = createMemo(() =>
    lanes().filter(
      (lane) => lane.y + lane.height > scrollTop() - 200 && lane.y < scrollTop() + size().height + 200,
    ),
  );
  createEffect(
    on(inView, (some) => {
      props.setInSight(some.flatMap((lane) => (lane.kind === "thread" ? [lane.thread] : [])));
    }),
  );

  const chosen = (lane: Lane): boolean => {
    const { threads, processes } = view();
    return (
      threads.length + processes.length === 0 ||
      processes.includes(lane.process) ||
      (lane.kind === "quiet" && lane.processes.some((id) => processes.includes(id))) ||
      (lane.kind === "thread" && threads.includes(lane.thread)) ||
      (lane.kind !== "thread" && threads.some((id) => app.thread(id)?.process === lane.process))
    );
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
    tracks: props.timeline.trackDetail.data(),
    trackOverview: props.timeline.trackOverview.data(),
    zone: view().zone,
    site: view().site,
    found: app.siteHits(),
  }));
  painted(base, size, scene, (surface, now) => {
    const { values } = ticks(now.window, surface.width, 110);
    for (const { lane, chosen: isChosen } of now.lanes) {
      const y = lane.y - now.scrollTop;
      if (lane.kind === "process" || lane.kind === "quiet")
        surface.fill({ x: 0, y, w: surface.width, h: lane.height }, now.colours.css.lane);
      for (const value of values)
        surface.line(
          toPixel(now.window, surface.width, value),
          y,
          toPixel(now.window, surface.width, value),
          y + lane.height,
          now.colours.css.line,
        );
      if (lane.kind === "counter") paintCounter(surface, lane.track, y, lane.height, now);
      if (lane.kind === "frames") paintFrames(surface, lane, y, now);
      if (lane.kind === "thread") {
        paintThread(surface, lane, y, now);
        paintZones(surface, lane, y, now);
        paintWaits(surface, lane, y, now);
        paintLogs(surface, lane, y, now);
      }
      if (lane.kind === "process") {
        const mine = now.closed.has(lane.process)
          ? store.recording().threads.filter((thread) => thread.process === lane.process)
          : null;
        if (mine)
          paintTogether(
            surface,
            `process ${String(lane.process)}`,
            mine.map((thread) => thread.id),
            y,
            now,
          );
        else paintLifetime(surface, app.process(lane.process), y, lane.height, now);
      }
      if (lane.kind === "quiet" && !lane.open) {
        const mine = store.recording().threads.filter((thread) => lane.processes.includes(thread.process));
        paintTogether(
          surface,
          "quiet",
          mine.map((thread) => thread.id),
          y,
          now,
        );
      }
      surface.line(0, y + lane.height - 1, surface.width, y + lane.height - 1, now.colours.css.line);
      if (!isChosen) surface.fill({ x: 0, y, w: surface.width, h: lane.height - 1 }, now.colours.css.shade);
    }
  });

  const overlay = createMemo(() => ({
    window: shown(),
    range: props.draft() ?? view().range,
    hover: props.hover(),
    colours: themeColours(),
  }));
  painted(over, size, overlay, (surface, now) => {
    const { css } = now.colours;
    if (now.range) {
      const left = toPixel(now.window, surface.width, now.range[0]);
      const right = toPixel(now.window, surface.width, now.range[1]);
      if (left > 0)
        surface.fill({ x: 0, y: 0, w: Math.min(left, surface.width), h: surface.height }, css.shade);
      if (right < surface.width)
        surface.fill(
          { x: Math.max(right, 0), y: 0, w: surface.width - Math.max(right, 0), h: surface.height },
          css.shade,
        );
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
  const timeAt = (event: MouseEvent) =>
    toValue(shown(), size().width, event.clientX - (stage()?.getBoundingClientRect().left ?? 0));
  const laneUnder = (event: MouseEvent) =>
    laneAt(lanes(), event.clientY - (stage()?.getBoundingClientRect().top ?? 0) + scrollTop());
  /** What the program said under the pointer, if anything. */
  const saidUnder = (event: MouseEvent) => {
    const lane = laneUnder(event);
    const tracks = tracksOfNow({
      tracks: props.timeline.trackDetail.data(),
      trackOverview: props.timeline.trackOverview.data(),
      window: shown(),
    });
    if (!lane || !tracks) return null;
    const y = event.clientY - (stage()?.getBoundingClientRect().top ?? 0) + scrollTop() - lane.y;
    const perPixel = (shown().to - shown().from) / Math.max(1, size().width);
    const said = saidAt(tracks, lane, y, timeAt(event), perPixel);
    return said ? { lane, tracks, said, perPixel } : null;
  };
  const open = (under: NonNullable<ReturnType<typeof saidUnder>>, time: number) => {
    const { lane, tracks, said } = under;
    if (said.kind === "zone") chooseZone(app, tracks, said.at, time);
    if (said.kind === "log") store.change({ tab: "log" });
    if (said.kind === "wait") store.change({ tab: "zones", said: "locks" });
    if (said.kind === "frame" && lane.kind === "frames") {
      const set = tracks.frames.find((one) => one.process === lane.process && one.name === lane.name);
      if (set) {
        const start = set.start[said.at];
        store.change({ range: [start, start + Math.max(1, set.duration[said.at])] });
      }
    }
  };
  const edgeNear = (event: MouseEvent): 0 | 1 | null => {
    const range = view().range;
    if (!range) return null;
    const x = event.clientX - (stage()?.getBoundingClientRect().left ?? 0);
    const gaps = range.map((edge) => Math.abs(toPixel(shown(), size().width, edge) - x));
    const nearest = gaps[0] <= gaps[1] ? 0 : 1;
    return gaps[nearest] <= GRIP ? nearest : null;
  };
  let drag: { anchor: number; startX: number; moved: boolean } | null = null;
  const inBounds = (time: number) =>
    Math.round(Math.min(Math.max(time, props.timeline.bounds().from), props.timeline.bounds().to));

  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    const edge = edgeNear(event);
    const range = view().range;
    drag = {
      anchor: edge !== null && range ? range[1 - edge] : timeAt(event),
      startX: event.clientX,
      moved: edge !== null,
    };
    app.setTip(null);
  };
  const move = (event: PointerEvent) => {
    const time = timeAt(event);
    props.setHover(time);
    const target = stage();
    const under = drag ? null : saidUnder(event);
    if (target) target.style.cursor = edgeNear(event) !== null ? "ew-resize" : under ? "pointer" : "";
    if (drag) {
      if (Math.abs(event.clientX - drag.startX) > 3) drag.moved = true;
      if (drag.moved) {
        const [a, b] = [inBounds(drag.anchor), inBounds(time)];
        props.setDraft(a < b ? [a, b] : [b, a]);
      }
      return;
    }
    const lane = laneUnder(event);
    if (under)
      app.setTip({
        x: event.clientX,
        y: event.clientY,
        content: () => (
          <ZoneTip
            lane={under.lane}
            tracks={under.tracks}
            said={under.said satisfies Said}
            perPixel={under.perPixel}
          />
        ),
      });
    else if (lane)
      app.setTip({
        x: event.clientX,
        y: event.clientY,
        content: () => <LaneTip lane={lane} time={time} timeline={props.timeline} width={size().width} />,
      });
    else app.setTip(null);
  };
  const up = (event: PointerEvent) => {
    const draft = props.draft();
    if (drag?.moved && draft && draft[1] > draft[0]) store.change({ range: draft });
    else if (drag && !drag.moved) {
      const range = view().range;
      const time = timeAt(event);
      const under = saidUnder(event);
      if (under) open(under, time);
      else if (range && (time < range[0] || time > range[1])) store.change({ range: null });
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
    else
      props.timeline.zoomAt(timeAt(event), Math.exp(event.deltaY * pixels * (event.ctrlKey ? 0.01 : 0.0022)));
  };
  const twice = (event: MouseEvent) => {
    const under = saidUnder(event);
    if (under?.said.kind === "zone") {
      const { zones } = under.tracks;
      zoomToZone(app, zones.start[under.said.at], zones.end[under.said.at]);
      return;
    }
    if (view().window) props.timeline.fit();
    else if (view().range) store.change({ range: null });
  };
  onMount(() => {
    stage()?.addEventListener("wheel", wheel, { passive: false });
    onCleanup(() => stage()?.removeEventListener("wheel", wheel));
  });

  return (
    <div
      class="lanes"
      ref={setScroller}
      onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
      tabIndex={-1}
    >
      <div class="content" style={{ height: `${String(Math.max(height(), size().height))}px` }}>
        <div class="lane-names">
          <For each={lanes()}>
            {(lane) => <LaneName lane={lane} timeline={props.timeline} hover={props.hover} />}
          </For>
        </div>
        <div
          class="lane-canvases"
          ref={setStage}
          style={{ height: `${String(size().height)}px` }}
          onPointerDown={down}
          onPointerMove={move}
          onPointerUp={up}
          onPointerCancel={() => {
            drag = null;
            props.setDraft(null);
          }}
          onPointerLeave={leave}
          onDblClick={twice}
        >
          <canvas
            ref={setBase}
            role="img"
            aria-label={`Timeline of ${counted(store.recording().threads.length, "thread")}; press T for a table`}
          />
          <canvas ref={setOver} aria-hidden="true" />
        </div>
      </div>
    </div>
  );
}
