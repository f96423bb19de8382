/** Which stretch of time to ask for, so that small moves of the window ask nothing new. */
import { STATE_NAMES, type ByState, type ThreadTimeline, type Timeline } from "../api/types.ts";
import type { Window } from "./scale.ts";

export interface TileQuestion {
  readonly from: number;
  readonly to: number;
  readonly px: number;
}

/**
 * The stretch around `window` to ask for, and how many pixels it has. Snapped to half of the
 * largest power of two within the window, so that panning by less than that and zooming by less
 * than 2 give the same question.
 */
export function tileQuestion(window: Window, bounds: Window, width: number): TileQuestion {
  const size = Math.max(1, window.to - window.from);
  const grain = 2 ** Math.floor(Math.log2(size));
  const step = Math.max(1, grain / 2);
  const from = Math.max(bounds.from, Math.floor((window.from - step) / step) * step);
  const to = Math.min(bounds.to, Math.ceil((window.to + step) / step) * step);
  const px = Math.ceil((((to - from) / (1.5 * grain)) * width) / 100) * 100;
  return { from: Math.floor(from), to: Math.ceil(to), px: Math.max(100, Math.min(px, 8000)) };
}

/** Threads as one (all of them, or those listed): sums by bucket, time asleep left out. */
export function summedThreads(
  timeline: Timeline,
  count: number,
  only: ReadonlySet<number> | null = null,
): { tile: ThreadTimeline; most: number } {
  const sums = Object.fromEntries(
    STATE_NAMES.map((name) => [name, new Array<number>(count).fill(0)]),
  ) as ByState<number[]>;
  for (const thread of timeline.threads) {
    if (only && !only.has(thread.thread)) continue;
    for (let i = 0; i < thread.start.length; i++) {
      const at = Math.round((thread.start[i] - timeline.from) / timeline.width);
      if (at < 0 || at >= count) continue;
      for (const name of STATE_NAMES) if (name !== "blocked") sums[name][at] += thread.states[name][i];
    }
  }
  const start = Array.from({ length: count }, (_, at) => timeline.from + at * timeline.width);
  let most = 0;
  for (let at = 0; at < count; at++) {
    let sum = 0;
    for (const name of STATE_NAMES) sum += sums[name][at];
    most = Math.max(most, sum);
  }
  return { tile: { thread: -1, start, states: sums, gil: [], name: [] }, most };
}
