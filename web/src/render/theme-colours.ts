/** The stylesheet's colours, for canvases. */
import { createMemo, createRoot, type Accessor } from "solid-js";
import { STATE_NAMES, type ByState } from "../api/types.ts";
import { parseHex, type Rgb } from "../layout/colour.ts";
import { widthsOf, type Widths } from "../layout/text.ts";
import { isDark } from "../state/theme.ts";

export interface ThemeColours {
  readonly dark: boolean;
  readonly states: ByState<Rgb>;
  readonly stateCss: ByState<string>;
  readonly background: Rgb;
  readonly css: Readonly<Record<CanvasColour, string>>;
}

const CANVAS_COLOURS = [
  "panel",
  "lane",
  "line",
  "text",
  "muted",
  "accent",
  "hit",
  "bad",
  "warn",
  "hover",
  "cpu-curve",
  "cpu-area",
  "gauge-curve",
  "gauge-area",
  "shade",
  "select",
  "select-edge",
] as const;
type CanvasColour = (typeof CANVAS_COLOURS)[number];

const BLACK: Rgb = { r: 0, g: 0, b: 0 };

/** Read again when the theme changes. */
export const themeColours: Accessor<ThemeColours> = createRoot(() =>
  createMemo(() => {
    const dark = isDark();
    const style = getComputedStyle(document.documentElement);
    const read = (name: string) => style.getPropertyValue(`--${name}`).trim();
    const stateCss = Object.fromEntries(
      STATE_NAMES.map((name) => [name, read(`state-${name}`)]),
    ) as ByState<string>;
    return {
      dark,
      stateCss,
      states: Object.fromEntries(
        STATE_NAMES.map((name) => [name, parseHex(stateCss[name]) ?? BLACK]),
      ) as ByState<Rgb>,
      background: parseHex(read("panel")) ?? BLACK,
      css: Object.fromEntries(CANVAS_COLOURS.map((name) => [name, read(name)])) as Record<
        CanvasColour,
        string
      >,
    };
  }),
);

const SANS =
  'Inter, "Inter Variable", system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif';
/** Fonts of the canvases, the stylesheet's own. */
export const FONT = `500 11.5px ${SANS}`;
export const FONT_SMALL = `10.5px ${SANS}`;

const tables = new Map<string, Widths>();
/** The widths of a font's characters, measured once. */
export function fontWidths(font: string): Widths {
  let table = tables.get(font);
  if (!table) {
    const context = document.createElement("canvas").getContext("2d");
    if (!context) throw new Error("this browser has no Canvas 2D");
    context.font = font;
    table = widthsOf((text) => context.measureText(text).width);
    tables.set(font, table);
  }
  return table;
}
