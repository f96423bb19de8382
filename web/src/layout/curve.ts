/** Counter curves: points in data space to points in pixels. */
import type { CounterCurve } from "../api/types.ts";
import { toPixel, type Window } from "./scale.ts";

/** A curve of sums, on the times of its first part. */
export interface Series {
  readonly time: readonly number[];
  readonly value: readonly number[];
}

/** The sum of several curves; a part without a value at a time counts with its latest one. */
export function summed(curves: readonly CounterCurve[]): Series {
  if (curves.length === 0) return { time: [], value: [] };
  if (curves.length === 1) return curves[0];
  const times = [...new Set(curves.flatMap((curve) => curve.time))].sort((a, b) => a - b);
  const value = new Array<number>(times.length).fill(0);
  for (const curve of curves) {
    let [at, latest] = [0, 0];
    times.forEach((time, i) => {
      while (at < curve.time.length && curve.time[at] <= time) latest = curve.value[at++];
      value[i] += latest;
    });
  }
  return { time: times, value };
}

/** The largest value within a window, with its neighbours outside. */
export function largest(series: Series, window: Window): number {
  let most = 0;
  for (let i = 0; i < series.time.length; i++) {
    const next = series.time[i + 1] ?? Infinity;
    if (next >= window.from && series.time[i] <= window.to) most = Math.max(most, series.value[i]);
  }
  return most;
}

/** The value at a time: the latest known one, or null before the first. */
export function valueAt(series: Series, time: number): number | null {
  let [low, high] = [0, series.time.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (series.time[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low > 0 ? series.value[low - 1] : null;
}

/** A round upper end of an axis that holds `value`. */
export function axisTop(value: number, unit: string): number {
  if (value <= 0) return 1;
  if (unit === "cpus") return value <= 1.001 ? 1 : Math.ceil(value - 0.001);
  const base =
    unit === "bytes"
      ? 1024 ** Math.floor(Math.log(value) / Math.log(1024))
      : 10 ** Math.floor(Math.log10(value));
  for (const factor of [1, 2, 2.5, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 512, 1024]) {
    if (factor * base >= value) return factor * base;
  }
  return value;
}

/**
 * The curve as x, y pairs of pixels in a strip `width` × `height`: y 0 is the top. Only points in
 * the window and one to either side.
 */
export function curvePoints(
  series: Series,
  window: Window,
  width: number,
  height: number,
  top: number,
): Float32Array {
  const { time, value } = series;
  let first = 0;
  while (first + 1 < time.length && time[first + 1] <= window.from) first++;
  let end = first;
  while (end < time.length && time[end] <= window.to) end++;
  end = Math.min(end + 1, time.length);
  const points = new Float32Array(Math.max(0, end - first) * 2);
  for (let i = first; i < end; i++) {
    points[(i - first) * 2] = toPixel(window, width, time[i]);
    points[(i - first) * 2 + 1] = height * (1 - Math.min(value[i] / top, 1));
  }
  return points;
}
