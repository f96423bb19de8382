/** Writes the questions: the selection as query parameters, in one fixed order. */
import type { StateName } from "./types.ts";

/** What every view is narrowed to. */
export interface Filter {
  readonly rec: number;
  readonly range: readonly [number, number] | null;
  readonly processes: readonly number[];
  readonly threads: readonly number[];
  /** `null`: the server's default, all but asleep. */
  readonly states: readonly StateName[] | null;
  readonly gil: boolean;
  readonly focus: number | null;
  /** Narrow to stacks that match; empty: do not. */
  readonly search: string;
  /** Only samples inside this zone, or inside all zones of this place. */
  readonly zone: number | null;
  readonly site: number | null;
}

type Value = string | number | boolean | null | undefined;

/** `name=value&…`; empty, false and null values are left out. */
export function query(parameters: Record<string, Value>): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null || value === undefined || value === "" || value === false) continue;
    parts.push(`${name}=${encodeURIComponent(value === true ? "1" : String(value))}`);
  }
  return parts.join("&");
}

/** The parameters that most calls take. */
export function filterQuery(filter: Filter): string {
  return query({
    rec: filter.rec,
    from: filter.range ? Math.round(filter.range[0]) : null,
    to: filter.range ? Math.round(filter.range[1]) : null,
    processes: filter.processes.join(","),
    threads: filter.threads.join(","),
    states: filter.states ? filter.states.join(",") : null,
    gil: filter.gil,
    function: filter.focus,
    search: filter.search,
    zone: filter.zone,
    site: filter.site,
  });
}

/** The part of it that time, processes and threads make: what zones, frames, logs and locks take. */
export function placeQuery(filter: Filter): string {
  return filterQuery({
    ...filter,
    states: null,
    gil: false,
    focus: null,
    search: "",
    zone: null,
    site: null,
  });
}

/** The same for calls where `function` names what is shown, not a filter. */
export function throughQuery(filter: string): string {
  return filter.replace(/(^|&)function=/, "$1through=");
}

/** `call?a&b`, with empty parts left out. */
export function path(call: string, ...queries: string[]): string {
  const joined = queries.filter((part) => part !== "").join("&");
  return joined === "" ? call : `${call}?${joined}`;
}
