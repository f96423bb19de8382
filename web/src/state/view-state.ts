/** Everything the page shows, as one immutable value. The URL holds all of it. */
import type { Filter } from "../api/query.ts";
import type { StateName } from "../api/types.ts";

export const TABS = ["flame", "sandwich", "tree", "functions", "source", "zones", "log", "info"] as const;
export type Tab = (typeof TABS)[number];

export const FLAME_COLOURS = ["package", "file", "self"] as const;
export type FlameColour = (typeof FLAME_COLOURS)[number];

export const SORTS = ["self", "total", "name"] as const;
export type Sort = (typeof SORTS)[number];

export const ZONE_SORTS = ["total", "self", "count", "mean", "p95", "max", "name"] as const;
export type ZoneSort = (typeof ZONE_SORTS)[number];

/** What the tab of zones lists. */
export const SAID = ["zones", "frames", "locks"] as const;
export type Said = (typeof SAID)[number];

export const INSIDE = ["", "zone", "site"] as const;
export type Inside = (typeof INSIDE)[number];

export type Range = readonly [number, number];

/** A frame that fills the flame graph: its place in data space. */
export interface FlameZoom {
  readonly x0: number;
  readonly x1: number;
  readonly depth: number;
}

export interface ViewState {
  readonly rec: number;
  readonly tab: Tab;

  // The selection: narrows every view.
  readonly range: Range | null;
  readonly processes: readonly number[];
  readonly threads: readonly number[];
  readonly states: readonly StateName[] | null;
  readonly gil: boolean;
  readonly focus: number | null;
  readonly search: string;
  /** Whether the search narrows, or only marks what it finds. */
  readonly only: boolean;

  /** The function that sandwich, source and details are about. */
  readonly pick: number | null;

  // How the timeline looks.
  readonly window: Range | null;
  /** Processes that are not as they start: closed though busy, or open though quiet. */
  readonly folds: readonly number[];
  /** Whether the processes that did next to nothing are listed. */
  readonly quiet: boolean;
  readonly tracks: readonly string[] | null;

  // How the flame graph looks.
  readonly order: "left-heavy" | "time";
  readonly inverted: boolean;
  readonly upwards: boolean;
  readonly byLine: boolean;
  readonly colour: FlameColour;
  readonly zoom: FlameZoom | null;

  // How the tables look.
  readonly sort: Sort;
  readonly descending: boolean;
  readonly treeInverted: boolean;

  // What the source view shows, if not the picked function.
  readonly file: number | null;

  /** The zone that details are about, and its place; the place alone where no zone is chosen. */
  readonly zone: number | null;
  readonly site: number | null;
  /** Whether only samples inside that zone, or inside all zones of that place, count. */
  readonly inside: Inside;
  readonly said: Said;
  readonly zoneSort: ZoneSort;
  readonly zoneAscending: boolean;
  /** Threads whose rows of zones are all shown, however many there are. */
  readonly deep: readonly number[];
  /** The least level of log lines that are listed. */
  readonly level: number;

  /** Tables in place of pictures. */
  readonly asTable: boolean;
}

export const INITIAL: ViewState = {
  rec: 0,
  tab: "flame",
  range: null,
  processes: [],
  threads: [],
  states: null,
  gil: false,
  focus: null,
  search: "",
  only: false,
  pick: null,
  window: null,
  folds: [],
  quiet: false,
  tracks: null,
  order: "left-heavy",
  inverted: false,
  upwards: false,
  byLine: false,
  colour: "package",
  zoom: null,
  sort: "self",
  descending: true,
  treeInverted: false,
  file: null,
  zone: null,
  site: null,
  inside: "",
  said: "zones",
  zoneSort: "total",
  zoneAscending: false,
  deep: [],
  level: 0,
  asTable: false,
};

/** The states that count when nothing else was chosen. */
export const DEFAULT_STATES: readonly StateName[] = ["cpu", "runnable", "gil-wait", "disk", "unknown"];

/** What the views are narrowed to. */
export function filterOf(view: ViewState): Filter {
  return {
    rec: view.rec,
    range: view.range,
    processes: view.processes,
    threads: view.threads,
    states: view.states,
    gil: view.gil,
    focus: view.focus,
    search: view.only ? view.search : "",
    zone: view.inside === "zone" ? view.zone : null,
    site: view.inside === "site" ? view.site : null,
  };
}

/**
 * `view` with `patch` applied. A zoom is a place in the data of one question, so it goes when the
 * question changes.
 */
export function changed(view: ViewState, patch: Partial<ViewState>): ViewState {
  const next = { ...view, ...patch };
  if (patch.zoom === undefined && flameQuestion(view) !== flameQuestion(next)) return { ...next, zoom: null };
  return next;
}

function flameQuestion(view: ViewState): string {
  return JSON.stringify([filterOf(view), view.order, view.inverted, view.byLine]);
}

/** Adds `id` to the list, or takes it out. */
export function toggled<T>(list: readonly T[], id: T): readonly T[] {
  return list.includes(id) ? list.filter((other) => other !== id) : [...list, id];
}

/** The chosen states with `state` switched; `null` again when that is the default. */
export function toggledState(
  states: readonly StateName[] | null,
  state: StateName,
): readonly StateName[] | null {
  const next = toggled(states ?? DEFAULT_STATES, state);
  if (next.length === 0) return null;
  const isDefault =
    next.length === DEFAULT_STATES.length && DEFAULT_STATES.every((name) => next.includes(name));
  return isDefault ? null : next;
}
