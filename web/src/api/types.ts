/**
 * The answers of the server, as `docs/api.md` describes them. Times and weights are nanoseconds;
 * lists of many things are columns, one array a field.
 */

/** The states a thread can be in, in the order they are stacked in a lane. */
export const STATE_NAMES = ["cpu", "runnable", "gil-wait", "disk", "unknown", "blocked"] as const;
export type StateName = (typeof STATE_NAMES)[number];

/** One figure, or one column of figures, for each state. */
export type ByState<T> = Record<StateName, T>;

export interface ProcessInfo {
  id: number;
  pid: number;
  parent: number | null;
  name: string;
  command: string;
  runtime: string;
  start: number;
  end: number | null;
}

export interface ThreadInfo {
  id: number;
  process: number;
  tid: number;
  name: string;
  isMain: boolean;
  start: number;
  end: number | null;
  weights: ByState<number>;
  gil: number;
  count: number;
}

export interface CounterInfo {
  id: number;
  process: number;
  name: string;
  unit: string;
  kind: "gauge" | "total";
}

export interface LossInfo {
  kind: string;
  label: string;
  count: number;
}

export interface MessageInfo {
  time: number;
  level: string;
  process: number | null;
  text: string;
}

/** What the program said of itself: how much there is of it. */
export interface ProgramInfo {
  zones: number;
  sites: number;
  frames: number;
  logs: number;
  locks: number;
  probes: { events: number; cost: number } | null;
}

export interface RecordingInfo {
  index: number;
  name: string;
  path: string;
  info: {
    command: string[];
    engine: string;
    writer: string;
    unixStartNanos: string;
    intervalNanos: number;
    host: string;
    system: string;
    cpus: number;
    labels: { key: string; value: string }[];
  };
  range: { start: number; end: number };
  samples: number;
  recovered: string | null;
  processes: ProcessInfo[];
  threads: ThreadInfo[];
  counters: CounterInfo[];
  tasks: number;
  functions: number;
  program: ProgramInfo;
  losses: LossInfo[];
  messages: MessageInfo[];
  overhead: { ownCpuNanos: number; ticks: number; reads: number; stops: number };
}

export interface Meta {
  version: string;
  recordings: RecordingInfo[];
}

export interface ThreadTimeline {
  thread: number;
  start: number[];
  states: ByState<number[]>;
  gil: number[];
  name: number[];
}

export interface CounterCurve {
  counter: number;
  time: number[];
  value: number[];
}

export interface Timeline {
  from: number;
  to: number;
  width: number;
  threads: ThreadTimeline[];
  names: string[];
  functions?: number[];
  packages?: string[];
  own?: boolean[];
  counters: CounterCurve[];
}

/** What is known of a function wherever its name is shown. */
export interface FunctionName {
  function: number;
  label: string;
  qualified?: string;
  file: string;
  short: string;
  line: number;
  kind: string;
  package: string;
  own: boolean;
}

export interface Flame {
  total: number;
  x0: number;
  x1: number;
  thread: number | null;
  maxDepth: number;
  omitted: number;
  x: number[];
  w: number[];
  depth: number[];
  self: number[];
  name: number[];
  path: number[];
  names: FunctionName[];
  empty: string | null;
}

export interface Functions {
  total: number;
  count: number;
  rows: number;
  function: number[];
  label: string[];
  file: string[];
  short: string[];
  line: number[];
  kind: string[];
  package: string[];
  own: boolean[];
  self: number[];
  totalWeight: number[];
  selfCount: number[];
  states: ByState<number[]>;
  empty: string | null;
}

export interface TreeChild extends FunctionName {
  self: number;
  totalWeight: number;
  hasChildren: boolean;
}

export interface TreeAnswer {
  path: number[];
  total: number;
  children: TreeChild[];
  empty: string | null;
}

export interface Sandwich {
  name: FunctionName;
  self: number;
  totalWeight: number;
  callers: Flame;
  callees: Flame;
  empty?: string | null;
}

export interface Source {
  file: number;
  path: string;
  text: string | null;
  focus: number | null;
  missing: string | null;
  note?: string | null;
  total: number;
  line: number[];
  self: number[];
  totalWeight: number[];
  function: number[];
  functions: { function: number; label: string; line: number }[];
}

export interface Files {
  file: number[];
  path: string[];
  short: string[];
  own: boolean[];
  self: number[];
  totalWeight: number[];
}

export interface SearchAnswer {
  matches: number;
  weight: number;
  total: number;
  functions: number[];
  error: string | null;
}

/** A place in the source where zones are made. */
export interface Site {
  site: number;
  label: string;
  function: string;
  file: number | null;
  path: string;
  short: string;
  line: number;
  /** `#rrggbb`, where the program chose one. */
  colour: string | null;
}

/** What is special about a zone: bits of `flags` in tracks. */
export const ZONE_POLL = 2;
export const ZONE_SUSPENDED = 4;
export const ZONE_FAILED = 8;

export interface Tracks {
  from: number;
  to: number;
  width: number;
  exact: boolean;
  lanes: { thread: number[]; lane: number[]; depths: number[] };
  zones: {
    thread: number[];
    lane: number[];
    depth: number[];
    start: number[];
    end: number[];
    busy: number[];
    count: number[];
    /** -1 where it is several, or not known by number. */
    zone: number[];
    flags: number[];
    /** Index in `sites`. */
    site: number[];
    /** Index in `tasks`; -1 for none. */
    task: number[];
  };
  sites: Site[];
  /** Names of asyncio tasks. */
  tasks: string[];
  waits: {
    thread: number[];
    start: number[];
    end: number[];
    count: number[];
    wait: number[];
    holder: (number | null)[];
    /** Index in `locks`. */
    lock: number[];
  };
  locks: string[];
  logs: {
    time: number[];
    thread: number[];
    level: number[];
    colour: number[];
    count: number[];
    text: string[];
  };
  frames: FrameTrack[];
}

export interface FrameList {
  number: number[];
  start: number[];
  duration: number[];
}

export interface FrameTrack extends FrameList {
  process: number;
  name: string;
}

export interface ZoneFigures {
  count: number;
  total: number;
  self: number;
  min: number;
  max: number;
  mean: number;
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface Zones {
  zones: number;
  rows: number;
  sites: Site[];
  figures: ZoneFigures[];
  empty: string | null;
}

export interface ZoneInfo {
  zone: number;
  site: number;
  label: string;
  thread: number;
  lane: number;
  depth: number;
  start: number;
  duration: number;
  busy: number;
  flags: string[];
}

export interface Histogram {
  from: number[];
  to: number[];
  count: number[];
  total: number[];
  examples: number[][];
}

export interface SiteAnswer {
  site: Site;
  figures: ZoneFigures;
  failed: number;
  histogram: Histogram;
  longest: ZoneInfo | null;
  shortest: ZoneInfo | null;
}

export interface ZoneAnswer {
  zone: ZoneInfo;
  site: Site;
  self: number | null;
  /** A JSON object as text; empty for none. */
  arguments: string;
  passes: { count: number; total: number; min: number; max: number } | null;
  span: string | null;
  parent: string | null;
  trace: string | null;
  task: string | null;
  around: ZoneInfo[];
  inside: ZoneInfo[];
  insideCount: number | null;
  before: number | null;
  after: number | null;
}

export interface TraceAnswer {
  trace: string | null;
  zones: ZoneInfo[];
  level: number[];
  parent: number[];
  omitted: number;
}

export interface FrameSet {
  process: number;
  name: string;
  count: number;
  total: number;
  perSecond: number;
  min: number;
  max: number;
  p50: number;
  p95: number;
  p99: number;
  worst: FrameList;
  histogram: Histogram;
}

export interface Frames {
  sets: FrameSet[];
}

export interface LockInfo {
  lock: number;
  name: string;
  place: string;
  count: number;
  waits: number;
  givenUp: number;
  wait: number;
  maxWait: number;
  hold: number;
  maxHold: number;
  pairs: { waiter: number; holder: number | null; count: number; wait: number }[];
}

export interface Locks {
  locks: LockInfo[];
}

export interface Logs {
  rows: number;
  time: number[];
  thread: number[];
  level: number[];
  colour: number[];
  text: string[];
  empty: string | null;
}
