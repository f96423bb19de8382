import { describe, expect, it } from "vitest";
import {
  niceStep,
  overlap,
  panned,
  ticks,
  toPixel,
  toValue,
  within,
  zoomed,
} from "../../src/layout/scale.ts";
import { tileQuestion } from "../../src/layout/tiles.ts";

const bounds = { from: 0, to: 1000 };

describe("windows", () => {
  it("keep the value under the pointer when they zoom", () => {
    const window = { from: 200, to: 600 };
    for (const factor of [0.5, 0.9, 1.1]) {
      const next = zoomed(window, bounds, 300, factor, 1);
      expect(toPixel(next, 800, 300)).toBeCloseTo(toPixel(window, 800, 300), 6);
    }
  });
  it("stay within the bounds and above the smallest size", () => {
    let window = { from: 0, to: 1000 };
    for (let i = 0; i < 200; i++) {
      window =
        i % 3 === 0
          ? panned(window, bounds, ((i % 7) - 3) / 2)
          : zoomed(window, bounds, (i * 37) % 1000, i % 2 ? 0.6 : 1.5, 10);
      expect(window.from).toBeGreaterThanOrEqual(-1e-9);
      expect(window.to).toBeLessThanOrEqual(1000 + 1e-9);
      expect(window.to - window.from).toBeGreaterThanOrEqual(10 - 1e-9);
    }
  });
  it("map pixels and values both ways", () => {
    const window = { from: 123, to: 456 };
    for (const pixel of [0, 1, 333, 800])
      expect(toPixel(window, 800, toValue(window, 800, pixel))).toBeCloseTo(pixel, 9);
  });
  it("move into bounds, shrinking if they must", () => {
    expect(within({ from: -50, to: 50 }, bounds)).toEqual({ from: 0, to: 100 });
    expect(within({ from: -50, to: 5000 }, bounds)).toEqual(bounds);
    expect(overlap({ from: 0, to: 5 }, { from: 5, to: 9 })).toBeNull();
  });
});

describe("ticks", () => {
  it("are round and far enough apart", () => {
    for (const size of [7, 130, 4.2e9, 3.6e12]) {
      const { step, values } = ticks({ from: size * 0.1, to: size * 1.1 }, 1000, 100);
      expect((step / size) * 1000).toBeGreaterThanOrEqual(99.9);
      expect(values.length).toBeLessThanOrEqual(11);
      for (const value of values)
        expect(Math.abs(value / step - Math.round(value / step))).toBeLessThan(1e-6);
    }
  });
  it("have steps of 1, 2 or 5", () => {
    for (const least of [1, 3, 17, 999, 1e6 + 1]) expect(String(niceStep(least))).toMatch(/^[125]0*$/);
  });
});

describe("tile questions", () => {
  const whole = { from: 0, to: 4.2e9 };
  it("hold the window with room to pan", () => {
    const window = { from: 1e9, to: 1.3e9 };
    const tile = tileQuestion(window, whole, 1200);
    expect(tile.from).toBeLessThan(window.from);
    expect(tile.to).toBeGreaterThan(window.to);
    const pixels = ((window.to - window.from) / (tile.to - tile.from)) * tile.px;
    expect(pixels).toBeGreaterThan(700);
    expect(pixels).toBeLessThan(1800);
  });
  it("stay the same while the window moves a little", () => {
    const questions = new Set<string>();
    for (let i = 0; i < 60; i++)
      questions.add(JSON.stringify(tileQuestion({ from: 1e9 + i * 2e6, to: 1.3e9 + i * 2e6 }, whole, 1200)));
    expect(questions.size).toBeLessThanOrEqual(3);
  });
});
