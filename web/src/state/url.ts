/**
 * The view in the URL's hash: `#v1?tab=flame&from=…`. Only what differs from the initial view is
 * written. A later version adds a number and an upgrader, so that old links open for ever.
 */
import { STATE_NAMES, type StateName } from "../api/types.ts";
import {
  FLAME_COLOURS,
  INITIAL,
  INSIDE,
  SAID,
  SORTS,
  TABS,
  ZONE_SORTS,
  type FlameZoom,
  type Range,
  type ViewState,
} from "./view-state.ts";

export const URL_VERSION = 1;

/** `UPGRADERS[n]` rewrites the parameters of version n as those of n + 1. */
const UPGRADERS: Record<number, (parameters: URLSearchParams) => URLSearchParams> = {};

for (let version = 1; version < URL_VERSION; version++) {
  if (!UPGRADERS[version]) throw new Error(`no upgrader for links of version ${String(version)}`);
}

/** A view, and what was wrong with the link it came from. */
export interface Decoded {
  readonly view: ViewState;
  readonly problem: string | null;
}

/** The hash that brings `view` back, with the leading `#`. */
export function encode(view: ViewState): string {
  const out = new URLSearchParams();
  const put = (name: string, value: string, initial: string) => {
    if (value !== initial) out.set(name, value);
  };
  put("rec", String(view.rec), String(INITIAL.rec));
  put("tab", view.tab, INITIAL.tab);
  put("range", range(view.range), "");
  put("processes", view.processes.join("."), "");
  put("threads", view.threads.join("."), "");
  put("states", view.states?.join(".") ?? "", "");
  put("gil", flag(view.gil), "");
  put("focus", id(view.focus), "");
  put("search", view.search, "");
  put("only", flag(view.only), "");
  put("pick", id(view.pick), "");
  put("window", range(view.window), "");
  put("folds", view.folds.join("."), "");
  put("quiet", flag(view.quiet), "");
  put("tracks", view.tracks === null ? "" : view.tracks.length === 0 ? "none" : view.tracks.join("~"), "");
  put("order", view.order, INITIAL.order);
  put("inverted", flag(view.inverted), "");
  put("up", flag(view.upwards), "");
  put("lines", flag(view.byLine), "");
  put("colour", view.colour, INITIAL.colour);
  put("zoom", view.zoom ? `${range([view.zoom.x0, view.zoom.x1])}-${String(view.zoom.depth)}` : "", "");
  put("sort", view.sort, INITIAL.sort);
  put("asc", flag(!view.descending), "");
  put("leaves", flag(view.treeInverted), "");
  put("file", id(view.file), "");
  put("zone", id(view.zone), "");
  put("site", id(view.site), "");
  put("inside", view.inside, "");
  put("said", view.said, INITIAL.said);
  put("zsort", view.zoneSort, INITIAL.zoneSort);
  put("zasc", flag(view.zoneAscending), "");
  put("deep", view.deep.join("."), "");
  put("level", view.level === 0 ? "" : String(view.level), "");
  put("table", flag(view.asTable), "");
  const text = out.toString();
  return text === "" ? `#v${String(URL_VERSION)}` : `#v${String(URL_VERSION)}?${text}`;
}

/** The view of a hash. What cannot be read keeps its initial value. */
export function decode(hash: string): Decoded {
  if (hash === "" || hash === "#") return { view: INITIAL, problem: null };
  const match = /^#v(\d+)(?:\?(.*))?$/s.exec(hash);
  if (!match) return { view: INITIAL, problem: "This link could not be read; here is the whole recording." };
  let version = Number(match[1]);
  if (version > URL_VERSION) {
    return { view: INITIAL, problem: "This link was made by a newer sondage; here is the whole recording." };
  }
  let parameters = new URLSearchParams(match[2] ?? "");
  for (; version < URL_VERSION; version++) parameters = UPGRADERS[version]?.(parameters) ?? parameters;
  return { view: read(parameters), problem: null };
}

function read(from: URLSearchParams): ViewState {
  const text = (name: string) => from.get(name) ?? "";
  const states = text("states").split(".").filter(isState);
  const tracks = text("tracks");
  return {
    rec: readId(text("rec")) ?? INITIAL.rec,
    tab: oneOf(TABS, text("tab"), INITIAL.tab),
    range: readRange(text("range")),
    processes: readIds(text("processes")),
    threads: readIds(text("threads")),
    states: states.length > 0 ? states : null,
    gil: text("gil") === "1",
    focus: readId(text("focus")),
    search: text("search"),
    only: text("only") === "1",
    pick: readId(text("pick")),
    window: readRange(text("window")),
    folds: readIds(text("folds")),
    quiet: text("quiet") === "1",
    tracks: tracks === "" ? null : tracks === "none" ? [] : tracks.split("~"),
    order: oneOf(["left-heavy", "time"] as const, text("order"), INITIAL.order),
    inverted: text("inverted") === "1",
    upwards: text("up") === "1",
    byLine: text("lines") === "1",
    colour: oneOf(FLAME_COLOURS, text("colour"), INITIAL.colour),
    zoom: readZoom(text("zoom")),
    sort: oneOf(SORTS, text("sort"), INITIAL.sort),
    descending: text("asc") !== "1",
    treeInverted: text("leaves") === "1",
    file: readId(text("file")),
    zone: readId(text("zone")),
    site: readId(text("site")),
    inside: oneOf(INSIDE, text("inside"), INITIAL.inside),
    said: oneOf(SAID, text("said"), INITIAL.said),
    zoneSort: oneOf(ZONE_SORTS, text("zsort"), INITIAL.zoneSort),
    zoneAscending: text("zasc") === "1",
    deep: readIds(text("deep")),
    level: readId(text("level")) ?? 0,
    asTable: text("table") === "1",
  };
}

function flag(value: boolean): string {
  return value ? "1" : "";
}
function id(value: number | null): string {
  return value === null ? "" : String(value);
}
function range(value: Range | null): string {
  return value ? `${String(Math.round(value[0]))}-${String(Math.round(value[1]))}` : "";
}
function isState(value: string): value is StateName {
  return (STATE_NAMES as readonly string[]).includes(value);
}
function oneOf<T extends string>(all: readonly T[], value: string, otherwise: T): T {
  return all.find((one) => one === value) ?? otherwise;
}
function readId(value: string): number | null {
  return /^\d{1,10}$/.test(value) ? Number(value) : null;
}
function readIds(value: string): number[] {
  return value
    .split(".")
    .map(readId)
    .filter((one) => one !== null);
}
function readRange(value: string): Range | null {
  const match = /^(\d{1,19})-(\d{1,19})$/.exec(value);
  if (!match) return null;
  const [from, to] = [Number(match[1]), Number(match[2])];
  return to > from ? [from, to] : null;
}
function readZoom(value: string): FlameZoom | null {
  const match = /^(\d{1,19}-\d{1,19})-(\d{1,4})$/.exec(value);
  const place = match ? readRange(match[1] ?? "") : null;
  return match && place ? { x0: place[0], x1: place[1], depth: Number(match[2]) } : null;
}
