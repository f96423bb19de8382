/** What the parts of the timeline share: the window, its tiles, and how it moves. */
import { createMemo, type Accessor } from "solid-js";
import type { Timeline, Tracks } from "../api/types.ts";
import { path, query } from "../api/query.ts";
import { closedProcesses, defaultTracks, laneList, type Lane, type SaidLanes } from "../layout/lanes.ts";
import { panned, within, zoomed, type Window } from "../layout/scale.ts";
import { tileQuestion } from "../layout/tiles.ts";
import { zoneRows } from "../layout/zones.ts";
import { ask, type Answer } from "../state/ask.ts";
import type { Step } from "../state/store.ts";
import type { App } from "./app.ts";

export interface TimelineState {
  readonly bounds: Accessor<Window>;
  readonly window: Accessor<Window>;
  readonly overview: Answer<Timeline>;
  readonly detail: Answer<Timeline>;
  /** What the program said, over the whole recording and in the window; null where it said nothing. */
  readonly trackOverview: Answer<Tracks>;
  readonly trackDetail: Answer<Tracks>;
  readonly lanes: Accessor<readonly Lane[]>;
  readonly tracks: Accessor<readonly string[]>;
  readonly closed: Accessor<ReadonlySet<number>>;
  show(window: Window, step?: Step): void;
  zoomAt(anchor: number, factor: number): void;
  pan(share: number): void;
  fit(): void;
  zoomToSelection(): void;
  selectWindow(): void;
}

/** Above this many threads only those in sight are asked for in detail. */
const ALL_THREADS = 24;
/** With more threads than this their functions are not shown under the states. */
const NAMED_THREADS = 16;

export function createTimeline(
  app: App,
  width: Accessor<number>,
  inSight: Accessor<readonly number[]>,
): TimelineState {
  const { store } = app;
  const { view } = store;
  const bounds = createMemo<Window>(() => {
    const { start, end } = store.recording().range;
    return { from: start, to: Math.max(end, start + 1000) };
  });
  const window = createMemo<Window>(() => {
    const chosen = view().window;
    return chosen ? within({ from: chosen[0], to: chosen[1] }, bounds()) : bounds();
  });
  const smallest = () => Math.max(2000, store.recording().info.intervalNanos / 10);

  const overviewPx = createMemo(
    () =>
      Math.ceil(
        Math.max(200, Math.min(width(), 60_000 / Math.max(1, store.recording().threads.length))) / 200,
      ) * 200,
  );
  const overview = ask<Timeline>(
    createMemo(() => (width() > 0 ? path("timeline", query({ rec: view().rec, px: overviewPx() })) : null)),
  );
  const detail = ask<Timeline>(
    createMemo(() => {
      if (width() <= 0) return null;
      const all = store.recording().threads.length <= ALL_THREADS;
      const threads = all ? "" : inSight().join(",");
      if (!all && threads === "") return null;
      const whole = window().from === bounds().from && window().to === bounds().to;
      const tile = tileQuestion(window(), bounds(), width());
      if (whole && all) return path("timeline", query({ rec: view().rec, px: overviewPx() }));
      return path("timeline", query({ rec: view().rec, from: tile.from, to: tile.to, threads, px: tile.px }));
    }),
    { wait: 40 },
  );
  const speaks = createMemo(() => {
    const { zones, frames, logs, locks } = store.recording().program;
    return zones + frames + logs + locks > 0;
  });
  const trackPx = () => Math.ceil(Math.max(200, Math.min(width(), 2000)) / 200) * 200;
  const trackOverview = ask<Tracks>(
    createMemo(() =>
      speaks() && width() > 0 ? path("tracks", query({ rec: view().rec, px: trackPx() })) : null,
    ),
  );
  const trackDetail = ask<Tracks>(
    createMemo(() => {
      const whole = window().from === bounds().from && window().to === bounds().to;
      if (!speaks() || width() <= 0 || whole) return null;
      const tile = tileQuestion(window(), bounds(), width());
      return path("tracks", query({ rec: view().rec, from: tile.from, to: tile.to, px: tile.px }));
    }),
    { wait: 40 },
  );
  const said = createMemo<SaidLanes>(() => {
    const tracks = trackOverview.data();
    return {
      rows: tracks ? zoneRows(tracks, new Set(view().deep)) : new Map(),
      waits: new Set(tracks?.waits.thread),
      frames: tracks?.frames ?? [],
    };
  });
  const tracks = createMemo(() => view().tracks ?? defaultTracks(store.recording().counters));
  const closed = createMemo(() => closedProcesses(store.recording(), view().folds, said()));
  const lanes = createMemo(() =>
    laneList(store.recording(), {
      closed: closed(),
      tracks: tracks(),
      named: store.recording().threads.length <= NAMED_THREADS,
      quiet: view().quiet,
      said: said(),
    }),
  );

  const show = (next: Window, step: Step = "replace") => {
    const whole = next.from <= bounds().from && next.to >= bounds().to;
    store.change({ window: whole ? null : [next.from, next.to] }, step);
  };
  return {
    bounds,
    window,
    overview,
    detail,
    trackOverview,
    trackDetail,
    lanes,
    tracks,
    closed,
    show,
    zoomAt(anchor, factor) {
      show(zoomed(window(), bounds(), anchor, factor, smallest()));
    },
    pan(share) {
      show(panned(window(), bounds(), share));
    },
    fit() {
      show(bounds());
    },
    zoomToSelection() {
      const range = view().range;
      if (!range) return;
      const margin = (range[1] - range[0]) * 0.04;
      show(within({ from: range[0] - margin, to: range[1] + margin }, bounds()));
    },
    selectWindow() {
      const whole = view().window === null;
      store.change({ range: whole ? null : [Math.round(window().from), Math.round(window().to)] });
    },
  };
}
