/** The timeline: which lanes there are and where, and the pixels of a thread's lane. */
import {
  STATE_NAMES,
  type ByState,
  type CounterInfo,
  type RecordingInfo,
  type ThreadTimeline,
} from "../api/types.ts";
import type { Rgb } from "./colour.ts";
import { FRAME_LANE, WAIT_ROW, ZONE_ROW, type ZoneRows } from "./zones.ts";

export const PROCESS_LANE = 26;
export const COUNTER_LANE = 30;
export const THREAD_LANE = 22;
export const THREAD_LANE_NAMED = 34;

/** A curve under a process: one counter, or several that are summed. */
export interface Track {
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  readonly kind: "gauge" | "total";
  readonly counters: readonly number[];
}

export type Lane =
  | { readonly kind: "process"; readonly y: number; readonly height: number; readonly process: number }
  /** The quiet processes together, while they are not listed. */
  | {
      readonly kind: "quiet";
      readonly y: number;
      readonly height: number;
      readonly process: -1;
      readonly processes: readonly number[];
      readonly open: boolean;
    }
  | {
      readonly kind: "counter";
      readonly y: number;
      readonly height: number;
      readonly process: number;
      readonly track: Track;
    }
  | {
      readonly kind: "thread";
      readonly y: number;
      readonly height: number;
      readonly process: number;
      readonly thread: number;
      /** Whether the functions are shown under the states. */
      readonly named: boolean;
      /** How high states and functions are; rows of zones begin below. */
      readonly head: number;
      /** The rows of its zones, if it has any. */
      readonly zones: ZoneRows | null;
      /** Whether its waits for locks have a row below the zones. */
      readonly waits: boolean;
    }
  | {
      readonly kind: "frames";
      readonly y: number;
      readonly height: number;
      readonly process: number;
      readonly name: string;
    };

/** What the program said of itself that has lanes. */
export interface SaidLanes {
  readonly rows: ReadonlyMap<number, ZoneRows>;
  /** Threads that waited for locks. */
  readonly waits: ReadonlySet<number>;
  readonly frames: readonly { readonly process: number; readonly name: string }[];
}

const NOTHING_SAID: SaidLanes = { rows: new Map(), waits: new Set(), frames: [] };

/** Curves that are shown until the user chooses: CPU, memory, and those that the program plots. */
export function defaultTracks(counters: readonly CounterInfo[]): readonly string[] {
  const own = counters.filter(
    ({ name }) => !(name in LABELS) && !name.startsWith("cpu.") && !name.startsWith("sondage."),
  );
  return ["cpu", "rss", ...new Set(own.map((counter) => counter.name))];
}

const LABELS: Record<string, string> = {
  rss: "Memory (RSS)",
  threads: "Threads",
  "switches.voluntary": "Voluntary switches",
  "switches.involuntary": "Involuntary switches",
  "faults.minor": "Minor faults",
  "faults.major": "Major faults",
  "io.read": "Read",
  "io.write": "Written",
  "sondage.probes": "Events of probes",
  "sondage.probe_cost": "Cost of probes",
};

/** The curves of a process: CPU user and system as one, every other counter by itself. */
export function tracksOf(counters: readonly CounterInfo[], process: number): Track[] {
  const mine = counters.filter((counter) => counter.process === process);
  const isCpu = (counter: CounterInfo) => counter.name.startsWith("cpu.") && counter.kind === "total";
  const cpu = mine.filter(isCpu);
  const tracks: Track[] = mine
    .filter((counter) => !isCpu(counter))
    .map((counter) => ({
      key: counter.name,
      label: LABELS[counter.name] ?? counter.name,
      unit: counter.unit,
      kind: counter.kind,
      counters: [counter.id],
    }));
  if (cpu.length > 0) {
    tracks.unshift({
      key: "cpu",
      label: "CPU",
      unit: "cpus",
      kind: "total",
      counters: cpu.map((counter) => counter.id),
    });
  }
  return tracks;
}

/** The lanes from top to bottom. Threads of a closed process have none. */
export function laneList(
  recording: RecordingInfo,
  options: {
    closed: ReadonlySet<number>;
    tracks: readonly string[];
    named: boolean;
    quiet: boolean;
    said?: SaidLanes;
  },
): Lane[] {
  const lanes: Lane[] = [];
  let y = 0;
  const said = options.said ?? NOTHING_SAID;
  const saying = new Set(
    recording.threads.filter((thread) => said.rows.has(thread.id)).map((thread) => thread.process),
  );
  const quiet = quietProcesses(recording);
  for (const process of saying) quiet.delete(process);
  const sampled = new Set(
    recording.threads.filter((thread) => thread.count > 0).map((thread) => thread.process),
  );
  const order = treeOrder(recording).filter(
    (id) => sampled.has(id) || saying.has(id) || recording.processes.length === 1,
  );
  const [busy, idle] = [order.filter((id) => !quiet.has(id)), order.filter((id) => quiet.has(id))];
  for (const process of [...busy, ...idle]) {
    if (process === idle[0]) {
      lanes.push({
        kind: "quiet",
        y,
        height: PROCESS_LANE,
        process: -1,
        processes: idle,
        open: options.quiet,
      });
      y += PROCESS_LANE;
    }
    if (quiet.has(process) && !options.quiet) continue;
    lanes.push({ kind: "process", y, height: PROCESS_LANE, process });
    y += PROCESS_LANE;
    if (options.closed.has(process)) continue;
    const life = recording.processes.find((one) => one.id === process);
    const lived = life ? (life.end ?? recording.range.end) - life.start : 0;
    for (const track of lived < CURVE_FROM ? [] : tracksOf(recording.counters, process)) {
      if (!options.tracks.includes(track.key)) continue;
      lanes.push({ kind: "counter", y, height: COUNTER_LANE, process, track });
      y += COUNTER_LANE;
    }
    for (const set of said.frames) {
      if (set.process !== process) continue;
      lanes.push({ kind: "frames", y, height: FRAME_LANE, process, name: set.name });
      y += FRAME_LANE;
    }
    const threads = recording.threads.filter((thread) => thread.process === process);
    threads.sort((a, b) => Number(b.isMain) - Number(a.isMain) || a.start - b.start || a.id - b.id);
    for (const thread of threads) {
      const head = options.named ? THREAD_LANE_NAMED : THREAD_LANE;
      const zones = said.rows.get(thread.id) ?? null;
      const waits = said.waits.has(thread.id);
      const height =
        head + (zones ? zones.shown * ZONE_ROW + 4 : 0) + (waits ? WAIT_ROW + (zones ? 0 : 4) : 0);
      lanes.push({
        kind: "thread",
        y,
        height,
        process,
        thread: thread.id,
        named: options.named,
        head,
        zones,
        waits,
      });
      y += height;
    }
  }
  return lanes;
}

/** A process must live as long (ns) to have a curve: counters are read ten times a second. */
const CURVE_FROM = 350e6;
/** A process with less than this share of the busiest one's work starts closed. */
const QUIET = 0.02;

/** Processes that did next to nothing beside the others: wrappers, helpers. They start closed. */
export function quietProcesses(recording: RecordingInfo): Set<number> {
  const work = new Map(recording.processes.map((process) => [process.id, 0]));
  for (const thread of recording.threads) {
    let sum = work.get(thread.process) ?? 0;
    for (const state of STATE_NAMES) if (state !== "blocked") sum += thread.weights[state];
    work.set(thread.process, sum);
  }
  const most = Math.max(0, ...work.values());
  return new Set([...work].filter(([, sum]) => sum < QUIET * most).map(([id]) => id));
}

/** The processes whose threads have no lanes: the quiet ones, and then those that were switched. */
export function closedProcesses(
  recording: RecordingInfo,
  folds: readonly number[],
  said: SaidLanes = NOTHING_SAID,
): Set<number> {
  const closed = quietProcesses(recording);
  // What speaks is not quiet.
  for (const thread of recording.threads) if (said.rows.has(thread.id)) closed.delete(thread.process);
  for (const id of folds) if (!closed.delete(id)) closed.add(id);
  return closed;
}

/** Processes by start, children after their parents. */
function treeOrder(recording: RecordingInfo): number[] {
  const sorted = [...recording.processes].sort((a, b) => a.start - b.start || a.id - b.id);
  const known = new Set(sorted.map((process) => process.id));
  const out: number[] = [];
  const seen = new Set<number>();
  const visit = (id: number) => {
    if (seen.has(id)) return;
    seen.add(id);
    out.push(id);
    for (const child of sorted) if (child.parent === id) visit(child.id);
  };
  for (const process of sorted) if (process.parent === null || !known.has(process.parent)) visit(process.id);
  for (const process of sorted) visit(process.id);
  return out;
}

export function lanesHeight(lanes: readonly Lane[]): number {
  const last = lanes.at(-1);
  return last ? last.y + last.height : 0;
}

/** The lane at `y`, or undefined below the last. */
export function laneAt(lanes: readonly Lane[], y: number): Lane | undefined {
  let [low, high] = [0, lanes.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const lane = lanes[middle];
    if (y < lane.y) high = middle - 1;
    else if (y >= lane.y + lane.height) low = middle + 1;
    else return lane;
  }
  return undefined;
}

/** RGBA pixels, row by row from the top, as `ImageData` wants them. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

/** How many buckets a timeline's range has. */
export function bucketCount(from: number, to: number, width: number): number {
  return Math.max(1, Math.ceil((to - from) / width - 1e-6));
}

/** The position of a bucket. */
export function bucketAt(from: number, width: number, start: number): number {
  return Math.round((start - from) / width);
}

/**
 * A lane's states, one pixel column a bucket, stacked from the bottom in the order of
 * {@link STATE_NAMES}: asleep is a low line, so that what is awake stands out. A level that ends
 * inside a pixel fills it by its share.
 */
export function lanePixels(
  tile: ThreadTimeline,
  range: { from: number; to: number; width: number },
  height: number,
  colours: ByState<Rgb>,
  shown: ReadonlySet<string>,
  /** What a full column stands for (ns); a bucket's width unless several threads are summed. */
  full = range.width,
): Pixels {
  const width = bucketCount(range.from, range.to, range.width);
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < tile.start.length; i++) {
    const column = bucketAt(range.from, range.width, tile.start[i]);
    if (column < 0 || column >= width) continue;
    let sum = 0;
    for (const state of STATE_NAMES) sum += tile.states[state][i];
    // A sample may stand for more than a bucket when few fall in one.
    const scale = height / Math.max(sum, full);
    let level = 0;
    for (const state of STATE_NAMES) {
      const weight = tile.states[state][i];
      if (weight <= 0) continue;
      if (state === "blocked") {
        fillColumn(
          data,
          width,
          height,
          column,
          level,
          Math.max(level, 1.5),
          colours.blocked,
          shown.has(state) ? 1 : 0.7,
        );
        continue;
      }
      const next = level + weight * scale;
      fillColumn(data, width, height, column, level, next, colours[state], shown.has(state) ? 1 : 0.3);
      level = next;
    }
  }
  return { width, height, data };
}

/** Paints a column from `low` to `high` (pixels above the bottom), with partial pixels by share. */
function fillColumn(
  data: Uint8ClampedArray,
  width: number,
  height: number,
  column: number,
  low: number,
  high: number,
  colour: Rgb,
  strength: number,
): void {
  for (let y = Math.floor(low); y < Math.min(height, Math.ceil(high)); y++) {
    const share = (Math.min(high, y + 1) - Math.max(low, y)) * strength;
    if (share <= 0) continue;
    const at = ((height - 1 - y) * width + column) * 4;
    const before = data[at + 3] / 255;
    const alpha = Math.min(1, before + share);
    const part = share / (before + share);
    data[at] += (colour.r - data[at]) * part;
    data[at + 1] += (colour.g - data[at + 1]) * part;
    data[at + 2] += (colour.b - data[at + 2]) * part;
    data[at + 3] = alpha * 255;
  }
}

/** A stretch of buckets with the same innermost function. */
export interface Run {
  readonly from: number;
  readonly to: number;
  /** Index in the timeline's names. */
  readonly name: number;
}

/**
 * The functions of a lane as stretches. Stretches narrower than `least` (ns) are joined with
 * their neighbours under the name that holds most of the time, so that no picture has more
 * stretches than pixels.
 */
export function laneRuns(tile: ThreadTimeline, width: number, least: number): Run[] {
  const runs: Run[] = [];
  let open: { from: number; to: number; weights: Map<number, number> } | null = null;
  const close = () => {
    if (!open) return;
    let [name, most] = [-1, -1];
    for (const [candidate, weight] of open.weights) if (weight > most) [name, most] = [candidate, weight];
    const last = runs.at(-1);
    if (last?.name === name && open.from - last.to < width * 0.5)
      runs[runs.length - 1] = { ...last, to: open.to };
    else runs.push({ from: open.from, to: open.to, name });
    open = null;
  };
  for (let i = 0; i < tile.start.length; i++) {
    let awake = 0;
    for (const state of STATE_NAMES) if (state !== "blocked") awake += tile.states[state][i];
    if (awake <= 0) {
      close();
      continue;
    }
    const [start, end, name] = [tile.start[i], tile.start[i] + width, tile.name[i]];
    const joins = open && start - open.to < width * 0.5;
    if (
      open &&
      joins &&
      (open.to - open.from < least || (open.weights.size === 1 && open.weights.has(name)))
    ) {
      open.to = end;
      open.weights.set(name, (open.weights.get(name) ?? 0) + awake);
    } else {
      close();
      open = { from: start, to: end, weights: new Map([[name, awake]]) };
    }
  }
  close();
  return runs;
}

/** What a thread did in one stretch of time: the figures of a tooltip. */
export interface LaneMoment {
  readonly states: ByState<number>;
  readonly total: number;
  readonly gil: number;
  /** Index in the timeline's names, or -1. */
  readonly name: number;
}

/** The sum of the buckets that touch `[from, to)`. */
export function laneMoment(tile: ThreadTimeline, width: number, from: number, to: number): LaneMoment {
  const states = { cpu: 0, runnable: 0, "gil-wait": 0, disk: 0, unknown: 0, blocked: 0 };
  let [total, gil, name, most] = [0, 0, -1, -1];
  for (let i = firstBucket(tile.start, from - width); i < tile.start.length && tile.start[i] < to; i++) {
    if (tile.start[i] + width <= from) continue;
    let here = 0;
    for (const state of STATE_NAMES) {
      states[state] += tile.states[state][i];
      here += tile.states[state][i];
    }
    total += here;
    gil += tile.gil[i];
    if (here > most) [name, most] = [tile.name[i], here];
  }
  return { states, total, gil, name };
}

function firstBucket(starts: readonly number[], value: number): number {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}
