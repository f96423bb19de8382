import { describe, expect, it } from "vitest";
import type { Flame } from "../../src/api/types.ts";
import {
  ancestry,
  FLAME_ROW,
  flameBox,
  flameRowAt,
  flameScene,
  indexFlame,
  neighbour,
  rowCovering,
  withoutRoots,
  type FlameGeometry,
  type FlamePaint,
} from "../../src/layout/flame.ts";
import { widthsOf } from "../../src/layout/text.ts";
import { answer } from "../fixtures/answers.mjs";
import { profile } from "../fixtures/profile.mjs";

const name = (label: string, id: number) => ({
  function: id,
  label,
  file: `/x/${label}.py`,
  short: `${label}.py`,
  line: 3,
  kind: "python",
  package: label,
  own: true,
});
// a: 0–100 with b: 0–60 (c: 0–20, c: 20–21) and d: 60–90; e: 100–120
const flame: Flame = {
  total: 120,
  x0: 0,
  x1: 120,
  thread: null,
  maxDepth: 2,
  omitted: 0,
  x: [0, 0, 0, 20, 60, 100],
  w: [100, 60, 20, 1, 30, 20],
  depth: [0, 1, 2, 2, 1, 0],
  self: [10, 39, 20, 1, 30, 20],
  name: [0, 1, 2, 2, 3, 4],
  path: [-1, 0, 1, 1, 0, -1],
  names: ["alpha", "beta", "gamma", "delta", "epsilon"].map(name),
  empty: null,
};
const index = indexFlame(flame);
const geometry = (over: Partial<FlameGeometry> = {}): FlameGeometry => ({
  width: 1200,
  height: 300,
  scrollTop: 0,
  window: { from: 0, to: 120 },
  upwards: false,
  full: 300,
  ...over,
});
const paint: FlamePaint = {
  fill: (row) => ({ fill: `#00000${String(row)}`, text: "#ffffff", quiet: "#eeeeee" }),
  found: null,
  foundFill: { fill: "#ff00ff", text: "#000000", quiet: "#000000" },
  faded: () => ({ fill: "#222222", text: "#ffffff", quiet: "#ffffff" }),
  widths: widthsOf((text) => text.length * 7),
};

describe("the scene", () => {
  it("holds a rectangle a row, at its place", () => {
    const { rects } = flameScene(index, geometry(), paint);
    expect(rects.length).toBe(6);
    expect([...rects.x.slice(0, 2)]).toEqual([0, 1000]);
    expect([...rects.w.slice(0, 2)]).toEqual([999, 199]);
    expect([...rects.y.slice(0, 6)]).toEqual([0, 0, FLAME_ROW, FLAME_ROW, 2 * FLAME_ROW, 2 * FLAME_ROW]);
  });
  it("cuts to the window and leaves out what is outside", () => {
    const { rects, labels } = flameScene(index, geometry({ window: { from: 50, to: 70 } }), paint);
    expect(rects.length).toBe(3);
    for (let i = 0; i < rects.length; i++) {
      expect(rects.x[i]).toBeGreaterThanOrEqual(0);
      expect(rects.x[i] + rects.w[i]).toBeLessThanOrEqual(1200);
    }
    expect(labels.map((label) => label.text)).toContain("alpha");
  });
  it("puts roots at the bottom when it grows upwards", () => {
    const { rects } = flameScene(index, geometry({ upwards: true }), paint);
    expect(rects.y[0]).toBe(300 - FLAME_ROW);
  });
  it("keeps labels within their rectangles", () => {
    for (const to of [120, 60, 21]) {
      const scene = flameScene(index, geometry({ window: { from: 0, to } }), paint);
      for (const label of scene.labels) {
        const inside = Array.from({ length: scene.rects.length }, (_, i) => i).some(
          (i) =>
            label.x >= scene.rects.x[i] &&
            label.x + label.text.length * 7 <= scene.rects.x[i] + scene.rects.w[i] + 1 &&
            Math.abs(label.y - scene.rects.y[i] - (FLAME_ROW - 1) / 2) < 1,
        );
        expect(inside, label.text).toBe(true);
      }
    }
  });
  it("marks what the search finds and fades the rest", () => {
    const scene = flameScene(index, geometry(), { ...paint, found: (row) => row === 4 });
    const colours = Array.from({ length: 6 }, (_, i) => scene.palette[scene.rects.fill[i]]);
    expect(colours.filter((colour) => colour === "#ff00ff")).toHaveLength(1);
    expect(colours.filter((colour) => colour === "#222222")).toHaveLength(5);
  });
  it("never holds more than its share of rectangles", () => {
    const many = 50_000;
    const wide: Flame = {
      ...flame,
      total: many,
      x1: many,
      x: Array.from({ length: many }, (_, i) => i),
      w: new Array<number>(many).fill(1),
      depth: new Array<number>(many).fill(0),
      self: new Array<number>(many).fill(1),
      name: new Array<number>(many).fill(0),
      path: new Array<number>(many).fill(-1),
    };
    expect(
      flameScene(indexFlame(wide), geometry({ window: { from: 0, to: many }, width: 50_000 }), paint).rects
        .length,
    ).toBe(12_000);
  });
});

describe("finding", () => {
  it("finds every row at the middle of its box, both ways up, scrolled or not", () => {
    for (const upwards of [false, true]) {
      for (const scrollTop of [0, 13]) {
        const place = geometry({ upwards, scrollTop });
        for (let row = 0; row < 6; row++) {
          const box = flameBox(index, place, row);
          expect(flameRowAt(index, place, box.x + box.w / 2, box.y + box.h / 2)).toBe(row);
        }
      }
    }
  });
  it("finds nothing in gaps and below", () => {
    expect(flameRowAt(index, geometry(), 950, FLAME_ROW * 1.5)).toBe(-1);
    expect(flameRowAt(index, geometry(), 10, FLAME_ROW * 3.5)).toBe(-1);
  });
  it("knows callers and neighbours", () => {
    expect(ancestry(flame, 3)).toEqual([0, 1, 3]);
    expect(rowCovering(index, { x0: 60, x1: 90, depth: 1 })).toBe(4);
    expect(neighbour(index, -1, "child")).toBe(0);
    expect(neighbour(index, 0, "child")).toBe(1);
    expect(neighbour(index, 1, "right")).toBe(4);
    expect(neighbour(index, 4, "right")).toBe(4);
    expect(neighbour(index, 2, "parent")).toBe(1);
    expect(neighbour(index, 0, "parent")).toBe(0);
  });
});

it("takes the roots away and keeps the rest together", () => {
  const rest = withoutRoots(flame);
  expect(rest.depth).toEqual([0, 1, 1, 0]);
  expect(rest.path).toEqual([-1, 0, 0, -1]);
  expect(rest.x).toEqual([0, 0, 20, 60]);
});

it("lays out a whole profile: children lie within their parents", () => {
  const whole = answer(profile({ seconds: 0.5 }), "flame", new URLSearchParams()) as Flame;
  expect(whole.x.length).toBeGreaterThan(10);
  whole.path.forEach((parent, row) => {
    if (parent < 0) return;
    expect(whole.x[row]).toBeGreaterThanOrEqual(whole.x[parent]);
    expect(whole.x[row] + whole.w[row]).toBeLessThanOrEqual(whole.x[parent] + whole.w[parent] + 1e-6);
  });
});
