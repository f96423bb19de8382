/** The flame graph: the server's rows in data space, as rectangles and labels in pixels. */
import type { Flame } from "../api/types.ts";
import { fitted, textWidth, type Widths } from "./text.ts";
import { Palette, Rects, type Box, type Label, type Scene } from "./scene.ts";
import type { Fill } from "./colour.ts";
import { place } from "./format.ts";
import type { Window } from "./scale.ts";

export const FLAME_ROW = 20;
/** A rectangle narrower than this (pixels) has no gap to its neighbour. */
const GAP_FROM = 3;
const PADDING = 5;
const LABEL_FROM = 22;

/** The rows of a flame graph by depth, each sorted by x, for drawing and finding. */
export interface FlameIndex {
  readonly flame: Flame;
  readonly byDepth: readonly Int32Array[];
}

export function indexFlame(flame: Flame): FlameIndex {
  const lists: number[][] = [];
  for (let row = 0; row < flame.depth.length; row++) (lists[flame.depth[row]] ??= []).push(row);
  const byDepth = Array.from(lists, (list: number[] | undefined) =>
    Int32Array.from((list ?? []).sort((a, b) => flame.x[a] - flame.x[b])),
  );
  return { flame, byDepth };
}

/** What part of the graph is seen, and how. */
export interface FlameGeometry {
  readonly width: number;
  /** Height of what is in sight. */
  readonly height: number;
  readonly scrollTop: number;
  readonly window: Window;
  /** Roots at the bottom. */
  readonly upwards: boolean;
  /** Height of all rows, or of what is in sight if that is more. */
  readonly full: number;
}

/** The same graph without its roots: what lies above or below the function of a sandwich. */
export function withoutRoots(flame: Flame): Flame {
  const kept: number[] = [];
  const place = new Map<number, number>();
  for (let row = 0; row < flame.depth.length; row++)
    if (flame.depth[row] > 0) place.set(row, kept.push(row) - 1);
  return {
    ...flame,
    x: kept.map((row) => flame.x[row]),
    w: kept.map((row) => flame.w[row]),
    depth: kept.map((row) => flame.depth[row] - 1),
    self: kept.map((row) => flame.self[row]),
    name: kept.map((row) => flame.name[row]),
    path: kept.map((row) => place.get(flame.path[row]) ?? -1),
    maxDepth: Math.max(0, flame.maxDepth - 1),
  };
}

/** Height of all rows. */
export function flameHeight(index: FlameIndex): number {
  return index.byDepth.length * FLAME_ROW;
}

/** The upper edge of the rows at `depth`, as seen (scrolled). */
export function rowTop(geometry: FlameGeometry, depth: number): number {
  const top = geometry.upwards ? geometry.full - (depth + 1) * FLAME_ROW : depth * FLAME_ROW;
  return top - geometry.scrollTop;
}

/** How the rows are painted. */
export interface FlamePaint {
  /** By row. */
  fill(row: number): Fill;
  /** Whether a row is found by the search; null: there is no search. */
  readonly found: ((row: number) => boolean) | null;
  readonly foundFill: Fill;
  /** What a row that is not found fades to. */
  faded(fill: Fill): Fill;
  readonly widths: Widths;
}

/** The rectangles and labels of what is in sight. */
export function flameScene(index: FlameIndex, geometry: FlameGeometry, paint: FlamePaint): Scene {
  const { flame } = index;
  const palette = new Palette();
  const rects = new Rects();
  const labels: Label[] = [];
  const scale = geometry.width / (geometry.window.to - geometry.window.from);
  for (let depth = 0; depth < index.byDepth.length; depth++) {
    const top = rowTop(geometry, depth);
    if (top + FLAME_ROW < 0 || top > geometry.height) continue;
    const rows = index.byDepth[depth];
    for (let at = firstReaching(flame, rows, geometry.window.from); at < rows.length; at++) {
      const row = rows[at];
      if (flame.x[row] >= geometry.window.to) break;
      const left = Math.max(0, (flame.x[row] - geometry.window.from) * scale);
      const right = Math.min(geometry.width, (flame.x[row] + flame.w[row] - geometry.window.from) * scale);
      const width = right - left;
      if (width < 0.25) continue;
      const found = paint.found?.(row);
      const base = paint.fill(row);
      const fill = found === undefined ? base : found ? paint.foundFill : paint.faded(base);
      const drawn = width >= GAP_FROM ? width - 1 : Math.max(width * 0.75, 0.5);
      if (!rects.push(left, top, drawn, FLAME_ROW - 1, palette.number(fill.fill))) break;
      if (width >= LABEL_FROM) addLabels(labels, palette, flame, row, left, top, drawn, fill, paint.widths);
    }
  }
  return { rects, labels, palette: palette.colours };
}

function addLabels(
  labels: Label[],
  palette: Palette,
  flame: Flame,
  row: number,
  left: number,
  top: number,
  width: number,
  fill: Fill,
  widths: Widths,
): void {
  const name = flame.names[flame.name[row]];
  const room = width - 2 * PADDING;
  const text = fitted(widths, name.label, room);
  if (text === "") return;
  const y = top + (FLAME_ROW - 1) / 2;
  labels.push({ x: left + PADDING, y, text, colour: palette.number(fill.text) });
  if (text !== name.label) return;
  const used = textWidth(widths, text) + 8;
  const where = place(name.short, name.line);
  if (where !== "" && used + textWidth(widths, where) <= room) {
    labels.push({ x: left + PADDING + used, y, text: where, colour: palette.number(fill.quiet) });
  }
}

/** The position in `rows` of the first that ends behind `value`. */
function firstReaching(flame: Flame, rows: Int32Array, value: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (flame.x[rows[middle]] + flame.w[rows[middle]] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The row under a pixel, or -1. */
export function flameRowAt(index: FlameIndex, geometry: FlameGeometry, x: number, y: number): number {
  const down = y + geometry.scrollTop;
  const depth = Math.floor((geometry.upwards ? geometry.full - down : down) / FLAME_ROW);
  const rows = depth >= 0 && depth < index.byDepth.length ? index.byDepth[depth] : undefined;
  if (!rows) return -1;
  const value = geometry.window.from + (x / geometry.width) * (geometry.window.to - geometry.window.from);
  const at = firstReaching(index.flame, rows, value);
  // Thin rectangles are hard to meet: half a pixel to either side counts.
  const slack = ((geometry.window.to - geometry.window.from) / geometry.width) * 0.5;
  if (at >= rows.length) return -1;
  return index.flame.x[rows[at]] <= value + slack ? rows[at] : -1;
}

/** Where a row is drawn, cut to what is in sight. */
export function flameBox(index: FlameIndex, geometry: FlameGeometry, row: number): Box {
  const { flame } = index;
  const scale = geometry.width / (geometry.window.to - geometry.window.from);
  const left = Math.max(0, (flame.x[row] - geometry.window.from) * scale);
  const right = Math.min(geometry.width, (flame.x[row] + flame.w[row] - geometry.window.from) * scale);
  return {
    x: left,
    y: rowTop(geometry, flame.depth[row]),
    w: Math.max(1, right - left - 1),
    h: FLAME_ROW - 1,
  };
}

/** The rows from the root to `row`, `row` last. */
export function ancestry(flame: Flame, row: number): number[] {
  const out: number[] = [];
  for (let at = row; at >= 0; at = flame.path[at]) out.push(at);
  return out.reverse();
}

/** The row that fills `[x0, x1]` at `depth`, or -1: finds a zoomed frame in a new answer. */
export function rowCovering(index: FlameIndex, zoom: { x0: number; x1: number; depth: number }): number {
  const rows = zoom.depth < index.byDepth.length ? index.byDepth[zoom.depth] : undefined;
  if (!rows) return -1;
  const middle = (zoom.x0 + zoom.x1) / 2;
  const at = firstReaching(index.flame, rows, middle);
  return at < rows.length && index.flame.x[rows[at]] <= middle ? rows[at] : -1;
}

/** The row that an arrow key leads to from `row`, or `row` itself. */
export function neighbour(index: FlameIndex, row: number, to: "parent" | "child" | "left" | "right"): number {
  const { flame } = index;
  if (row < 0) return index.byDepth[0]?.[0] ?? -1;
  const depth = flame.depth[row];
  if (to === "parent") return flame.path[row] >= 0 ? flame.path[row] : row;
  if (to === "child") {
    let best = row;
    for (const candidate of index.byDepth[depth + 1] ?? []) {
      if (flame.path[candidate] === row && (best === row || flame.w[candidate] > flame.w[best]))
        best = candidate;
    }
    return best;
  }
  const rows = index.byDepth[depth];
  const at = rows.indexOf(row);
  return rows[at + (to === "left" ? -1 : 1)] ?? row;
}
