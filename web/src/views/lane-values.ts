/** The figures of the curves under a process. */
import type { Timeline } from "../api/types.ts";
import { summed, type Series } from "../layout/curve.ts";
import { bytes, duration, figure } from "../layout/format.ts";
import type { Track } from "../layout/lanes.ts";

/** A value in the unit of its track. */
export function unitText(value: number, track: Track): string {
  if (track.unit === "cpus")
    return `${value === 0 ? "0" : value.toFixed(2).replace(/\.00$/, "")} CPU${value > 1 ? "s" : ""}`;
  if (track.unit === "bytes") return bytes(value) + (track.kind === "total" ? "/s" : "");
  if (track.unit === "ns") return track.kind === "total" ? `${figure(value)} s/s` : duration(value);
  return figure(value) + (track.kind === "total" ? "/s" : "");
}

/** The curve of a track, its counters summed. */
export function seriesOf(timeline: Timeline | undefined, track: Track): Series {
  return summed((timeline?.counters ?? []).filter((curve) => track.counters.includes(curve.counter)));
}
