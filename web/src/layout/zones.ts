/** Zones under a thread's states: which rows there are, what lies where, and in what colour. */
import { ZONE_FAILED, type Site, type Tracks } from "../api/types.ts";
import { fillOf, hash, oklch, parseHex, type Fill } from "./colour.ts";

/** How high a row of zones is, and how many a thread shows until all are asked for. */
export const ZONE_ROW = 15;
export const FEW_ROWS = 10;
/** A thread's waits for locks. */
export const WAIT_ROW = 8;
export const FRAME_LANE = 22;

/** The rows of zones of one thread. */
export interface ZoneRows {
  /** The first row of each lane. */
  readonly first: ReadonlyMap<number, number>;
  /** How many are shown. */
  readonly shown: number;
  readonly all: number;
}

/** The rows of each thread with zones: lane below lane, each as deep as it ever is. */
export function zoneRows(tracks: Tracks, deep: ReadonlySet<number>): Map<number, ZoneRows> {
  const out = new Map<number, { first: Map<number, number>; shown: number; all: number }>();
  const { thread, lane, depths } = tracks.lanes;
  for (let i = 0; i < thread.length; i++) {
    let rows = out.get(thread[i]);
    if (!rows) out.set(thread[i], (rows = { first: new Map(), shown: 0, all: 0 }));
    rows.first.set(lane[i], rows.all);
    rows.all += depths[i];
    // One more is shown rather than a line that says "1 more".
    rows.shown = deep.has(thread[i]) || rows.all <= FEW_ROWS + 1 ? rows.all : FEW_ROWS;
  }
  return out;
}

/** Where the pieces of a thread stand in the columns: from the first up to, without, the end. */
export function piecesOf(tracks: Tracks, thread: number): readonly [number, number] {
  const threads = tracks.zones.thread;
  return [lowerBound(threads, thread), lowerBound(threads, thread + 1)];
}

function lowerBound(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The row of a piece, or -1 where it is not shown. */
export function rowOf(tracks: Tracks, rows: ZoneRows, piece: number): number {
  const first = rows.first.get(tracks.zones.lane[piece]);
  const row = first === undefined ? -1 : first + tracks.zones.depth[piece];
  return row < rows.shown ? row : -1;
}

/**
 * The piece of a thread at a row and time; of several the one that is nearest, but no further than
 * `reach` (ns).
 */
export function pieceAt(
  tracks: Tracks,
  rows: ZoneRows,
  thread: number,
  row: number,
  time: number,
  reach: number,
): number {
  const [first, end] = piecesOf(tracks, thread);
  let [found, nearest] = [-1, reach];
  for (let i = first; i < end; i++) {
    if (rowOf(tracks, rows, i) !== row) continue;
    const gap = Math.max(tracks.zones.start[i] - time, time - tracks.zones.end[i], 0);
    if (gap < nearest || (gap === 0 && nearest === 0)) [found, nearest] = [i, gap];
  }
  return found;
}

/** The index among equal columns of what covers a time: waits, frames; -1 for nothing. */
export function coverAt(
  list: { readonly start: readonly number[]; readonly end: readonly number[] },
  mine: (index: number) => boolean,
  time: number,
  reach: number,
): number {
  let [found, nearest] = [-1, reach];
  for (let i = 0; i < list.start.length; i++) {
    if (!mine(i)) continue;
    const gap = Math.max(list.start[i] - time, time - list.end[i], 0);
    if (gap < nearest || (gap === 0 && nearest === 0)) [found, nearest] = [i, gap];
  }
  return found;
}

/** The log mark nearest to a time, within `reach` (ns); -1 for none. */
export function markAt(tracks: Tracks, thread: number, time: number, reach: number): number {
  const { logs } = tracks;
  let [found, nearest] = [-1, reach];
  for (let i = 0; i < logs.time.length; i++) {
    const gap = Math.abs(logs.time[i] - time);
    if (logs.thread[i] === thread && gap <= nearest) [found, nearest] = [i, gap];
  }
  return found;
}

/**
 * Which marks (by x, in order) have room for a flag with a line: those with nothing within `room`
 * pixels. Crowded ones would hide what they stand on.
 */
export function withRoom(x: readonly number[], room: number): boolean[] {
  return x.map(
    (at, i) => (i === 0 || at - x[i - 1] >= room) && (i === x.length - 1 || x[i + 1] - at >= room),
  );
}

const fills = new Map<string, Fill>();
const MOST_FILLS = 5000;

/** The colour of a place: the program's own, or one that follows from its name. */
export function zoneFill(site: Pick<Site, "label" | "colour">, dark: boolean): Fill {
  const key = `${site.label}\n${site.colour ?? ""}\n${String(dark)}`;
  let known = fills.get(key);
  if (!known) {
    if (fills.size >= MOST_FILLS) fills.clear();
    const chosen = site.colour === null ? null : parseHex(site.colour);
    fills.set(key, (known = fillOf(chosen ?? named(site.label, dark))));
  }
  return known;
}

/** Cool hues, so that what the program says stands apart from what was sampled. */
function named(label: string, dark: boolean) {
  const number = hash(label);
  const hue = 160 + (number % 12) * 15;
  const step = (Math.floor(number / 12) % 3) - 1;
  return dark ? oklch(0.45 + step * 0.035, 0.085, hue) : oklch(0.82 + step * 0.035, 0.085, hue);
}

/** What is written on a piece: its name, how many it stands for, and the task of an outermost one. */
export function pieceLabel(label: string, count: number, task = ""): string {
  if (count > 1) return `${label} ×${count.toLocaleString("en")}`;
  return task === "" ? label : `${label} · ${task}`;
}

/** The name of the task that a piece ran in; empty where there is none, or it is not known. */
export function taskOf(tracks: Tracks, piece: number): string {
  return tracks.tasks[tracks.zones.task[piece]] ?? "";
}

export function hasFailed(flags: number): boolean {
  return (flags & ZONE_FAILED) !== 0;
}

/** How slow a frame is beside the usual one: what it is coloured by. */
export function frameKind(duration: number, usual: number): "usual" | "slow" | "bad" {
  if (duration > usual * 2) return "bad";
  return duration > usual * 1.3 ? "slow" : "usual";
}

/** The middle of some durations; 0 of none. */
export function median(durations: readonly number[]): number {
  const sorted = [...durations].sort((a, b) => a - b);
  return sorted.length === 0 ? 0 : sorted[Math.floor((sorted.length - 1) / 2)];
}

/** The arguments of a zone, one a line; text that is no JSON object stays one line. */
export function argumentsOf(text: string): readonly (readonly [string, string])[] {
  if (text === "") return [];
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return Object.entries(value).map(([name, one]) => [
        name,
        typeof one === "string" ? one : JSON.stringify(one),
      ]);
  } catch {
    // Cut off, or written by another hand.
  }
  return [["", text]];
}
