import { describe, expect, it } from "vitest";
import {
  categoryFill,
  contrast,
  heatFill,
  HEAT_STEPS,
  mixed,
  parseHex,
  READABLE,
  type Fill,
  type Rgb,
} from "../../src/layout/colour.ts";
import { readFileSync } from "node:fs";

const rgb = (text: string): Rgb => {
  const colour = parseHex(text);
  if (!colour) throw new Error(`not a colour: ${text}`);
  return colour;
};
const readable = (fill: Fill) => {
  expect(contrast(rgb(fill.fill), rgb(fill.text)), `${fill.text} on ${fill.fill}`).toBeGreaterThanOrEqual(
    READABLE,
  );
  expect(contrast(rgb(fill.fill), rgb(fill.quiet)), `${fill.quiet} on ${fill.fill}`).toBeGreaterThanOrEqual(
    READABLE,
  );
};

describe("text on rectangles can be read", () => {
  for (const dark of [false, true]) {
    it(`on packages, ${dark ? "dark" : "light"}`, () => {
      for (let n = 0; n < 400; n++) {
        for (const own of [true, false])
          readable(categoryFill(`package ${String(n)}`, own, "python", dark, `function ${String(n * 7)}`));
      }
      for (const kind of ["native", "kernel", "meta"]) readable(categoryFill("libc.so.6", false, kind, dark));
    });
    it(`on heat, ${dark ? "dark" : "light"}`, () => {
      for (let step = 0; step < HEAT_STEPS; step++) readable(heatFill(step, dark));
    });
  }
});

const sheet = readFileSync(new URL("../../src/styles/tokens.css", import.meta.url), "utf8");
const block = (selector: string) => {
  const at = sheet.indexOf(`${selector} {`);
  const body = sheet.slice(at + selector.length + 2, sheet.indexOf("}", at));
  return new Map([...body.matchAll(/--([\w-]+):\s*([^;]+);/g)].map((match) => [match[1], match[2]]));
};

describe("the stylesheet's colours", () => {
  const light = block("\n:root");
  const light2 = light.size > 0 ? light : block(":root");
  const dark = block(':root[data-theme="dark"]');
  it("are there once a theme", () => {
    expect(dark.size).toBeGreaterThan(20);
    expect(sheet.match(/--bg:/g)).toHaveLength(2);
  });
  for (const [name, theme] of [
    ["light", light2],
    ["dark", dark],
  ] as const) {
    it(`can be read, ${name}`, () => {
      const pairs = [
        ["text", "panel"],
        ["text", "bg"],
        ["text", "raised"],
        ["text", "accent-soft"],
        ["text", "hover"],
        ["muted", "panel"],
        ["muted", "lane"],
        ["muted", "bg"],
        ["muted", "raised"],
        ["accent", "panel"],
        ["accent", "accent-soft"],
        ["on-accent", "accent"],
        ["panel", "accent"],
        ["warn", "warn-soft"],
        ["bad", "panel"],
        ["hit", "panel"],
        ["code-comment", "panel"],
        ["code-keyword", "panel"],
        ["code-string", "panel"],
        ["code-number", "panel"],
        ["code-name", "panel"],
      ] as const;
      for (const [text, ground] of pairs) {
        expect(
          contrast(rgb(theme.get(text) ?? ""), rgb(theme.get(ground) ?? "")),
          `--${text} on --${ground}`,
        ).toBeGreaterThanOrEqual(READABLE);
      }
    });
    it(`keep states apart for those who do not see red or green, ${name}`, () => {
      // What a protanope and a deuteranope see (Viénot, Brettel, Mollon 1999), in linear light.
      const linear = ({ r, g, b }: Rgb) => [r, g, b].map((value) => (value / 255) ** 2.2);
      const seen = {
        protan: (c: Rgb) => {
          const [r, g, b] = linear(c);
          return [0.11238 * r + 0.88762 * g, 0.11238 * r + 0.88762 * g, 0.00401 * r - 0.00401 * g + b];
        },
        deutan: (c: Rgb) => {
          const [r, g, b] = linear(c);
          return [0.29275 * r + 0.70725 * g, 0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b];
        },
      };
      const states = ["cpu", "runnable", "gil-wait", "disk", "blocked"].map((state) =>
        rgb(theme.get(`state-${state}`) ?? ""),
      );
      for (const see of Object.values(seen)) {
        for (const [i, one] of states.entries()) {
          for (const other of states.slice(i + 1)) {
            const [a, b] = [
              see(one).map((v) => Math.max(0, v) ** (1 / 2.2)),
              see(other).map((v) => Math.max(0, v) ** (1 / 2.2)),
            ];
            expect(
              Math.hypot(...a.map((value, k) => value - b[k])),
              `${JSON.stringify(one)} and ${JSON.stringify(other)}`,
            ).toBeGreaterThan(0.12);
          }
        }
      }
    });
  }
});

it("mixes", () => {
  expect(mixed({ r: 0, g: 0, b: 0 }, { r: 100, g: 200, b: 50 }, 0.5)).toEqual({ r: 50, g: 100, b: 25 });
});
