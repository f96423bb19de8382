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
