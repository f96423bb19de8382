/** Windows on a line of numbers (time or weight) and their ticks. */

export interface Window {
  readonly from: number;
  readonly to: number;
}

/** Where `value` lies, in pixels of a strip `width` wide that shows `window`. */
export function toPixel(window: Window, width: number, value: number): number {
  return ((value - window.from) / (window.to - window.from)) * width;
}

/** The value under a pixel. */
export function toValue(window: Window, width: number, pixel: number): number {
  return window.from + (pixel / width) * (window.to - window.from);
}

/** `window` moved and, if need be, shrunk to lie within `bounds`. */
export function within(window: Window, bounds: Window): Window {
  const size = Math.min(window.to - window.from, bounds.to - bounds.from);
  const from = Math.min(Math.max(window.from, bounds.from), bounds.to - size);
  return { from, to: from + size };
}

/**
 * `window` made `factor` times as wide around `anchor`, within `bounds`, not narrower than
 * `smallest`.
 */
export function zoomed(
  window: Window,
  bounds: Window,
  anchor: number,
  factor: number,
  smallest: number,
): Window {
  const size = window.to - window.from;
  const next = Math.min(Math.max(size * factor, smallest), bounds.to - bounds.from);
  const share = size === 0 ? 0.5 : (anchor - window.from) / size;
  const from = anchor - share * next;
  return within({ from, to: from + next }, bounds);
}

/** `window` moved by a share of its width, within `bounds`. */
export function panned(window: Window, bounds: Window, share: number): Window {
  const by = share * (window.to - window.from);
  return within({ from: window.from + by, to: window.to + by }, bounds);
}

/** The part that two windows share, or null. */
export function overlap(a: Window, b: Window): Window | null {
  const from = Math.max(a.from, b.from);
  const to = Math.min(a.to, b.to);
  return to > from ? { from, to } : null;
}

export interface Ticks {
  readonly step: number;
  readonly values: readonly number[];
}

/** Round values (1, 2 or 5 times a power of ten), at least `room` pixels apart. */
export function ticks(window: Window, width: number, room: number, origin = 0): Ticks {
  const size = window.to - window.from;
  if (size <= 0 || width <= 0) return { step: 1, values: [] };
  const step = niceStep((size / width) * room);
  const values: number[] = [];
  for (let n = Math.ceil((window.from - origin) / step - 1e-9); values.length < 1000; n++) {
    const value = origin + n * step;
    if (value > window.to) break;
    values.push(value);
  }
  return { step, values };
}

/** The least of 1, 2, 5 × 10ⁿ that is not below `least`; not below 1 (a nanosecond). */
export function niceStep(least: number): number {
  if (least <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  for (const factor of [1, 2, 5]) if (factor * power >= least * (1 - 1e-9)) return factor * power;
  return 10 * power;
}
