/**
 * Colours, chosen so that they can be told apart with any colour vision and text on them can be
 * read. The program's own code is warm (orange to yellow), libraries are cool and quieter (blue to
 * teal): the axis that every kind of colour blindness keeps.
 */

export interface Rgb {
  readonly r: number;
  readonly g: number;
  readonly b: number;
}

/** sRGB (0–255) of a colour in OKLCH: lightness 0–1, chroma, hue in degrees. */
export function oklch(lightness: number, chroma: number, hue: number): Rgb {
  const angle = (hue * Math.PI) / 180;
  const a = chroma * Math.cos(angle);
  const b = chroma * Math.sin(angle);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return {
    r: channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    g: channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    b: channel(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  };
}

function channel(linear: number): number {
  const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(Math.min(Math.max(value, 0), 1) * 255);
}

export function css(colour: Rgb): string {
  const hex = (value: number) => value.toString(16).padStart(2, "0");
  return `#${hex(colour.r)}${hex(colour.g)}${hex(colour.b)}`;
}

/** `#rgb` or `#rrggbb`, or null. */
export function parseHex(text: string): Rgb | null {
  const match = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(text.trim());
  if (!match?.[1]) return null;
  const long = match[1].length === 3 ? match[1].replace(/./g, "$&$&") : match[1];
  const value = parseInt(long, 16);
  return { r: value >> 16, g: (value >> 8) & 255, b: value & 255 };
}

/** Relative luminance, as WCAG 2 defines it. */
export function luminance({ r, g, b }: Rgb): number {
  const linear = (value: number) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

/** Contrast ratio, 1 to 21. */
export function contrast(one: Rgb, other: Rgb): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** `share` of `over` laid on `under`. */
export function mixed(under: Rgb, over: Rgb, share: number): Rgb {
  const mix = (a: number, b: number) => Math.round(a + (b - a) * share);
  return { r: mix(under.r, over.r), g: mix(under.g, over.g), b: mix(under.b, over.b) };
}

/** A fill, the text on it, and the quieter text on it (file names). */
export interface Fill {
  readonly fill: string;
  readonly text: string;
  readonly quiet: string;
}

const INK: Rgb = { r: 20, g: 22, b: 27 };
const PAPER: Rgb = { r: 255, g: 255, b: 255 };
/** Text on a rectangle keeps at least this contrast. */
export const READABLE = 4.5;

/** The fill with the text that reads better on it. */
export function fillOf(colour: Rgb): Fill {
  const text = contrast(colour, INK) >= contrast(colour, PAPER) ? INK : PAPER;
  let quiet = text;
  for (let share = 0.3; share > 0; share -= 0.05) {
    const candidate = mixed(text, colour, share);
    if (contrast(candidate, colour) >= READABLE) {
      quiet = candidate;
      break;
    }
  }
  return { fill: css(colour), text: css(text), quiet: css(quiet) };
}

const WARM = [48, 76, 36, 62, 84, 42];
const COOL = [252, 200, 286, 168, 226, 312];

/** How the colours of one theme are mixed. */
interface Tone {
  readonly own: readonly [lightness: number, chroma: number];
  readonly library: readonly [lightness: number, chroma: number];
  readonly other: readonly [lightness: number, chroma: number];
  /** Every second colour of a hue differs by this lightness. */
  readonly step: number;
  /** How much the functions of one package differ in lightness, so that neighbours part. */
  readonly grain: number;
}
const LIGHT: Tone = {
  own: [0.82, 0.125],
  library: [0.865, 0.058],
  other: [0.87, 0.006],
  step: -0.045,
  grain: 0.014,
};
const DARK: Tone = {
  own: [0.52, 0.105],
  library: [0.42, 0.05],
  other: [0.37, 0.01],
  step: -0.04,
  grain: 0.013,
};

/** FNV-1a, so that a package has the same colour in every view and recording. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}

/**
 * The colour of a package or file: warm if `own`, grey if it is not Python. `member` is what of it,
 * as a rule the function: it moves lightness and hue a little.
 */
export function categoryFill(key: string, own: boolean, kind: string, dark: boolean, member = ""): Fill {
  const question = `${key}\n${member}\n${kind}\n${String(own)}${String(dark)}`;
  let known = mixedFills.get(question);
  if (!known) {
    // PERF: mixing takes microseconds, and a frame has thousands of rectangles.
    if (mixedFills.size >= MOST_FILLS) mixedFills.clear();
    mixedFills.set(question, (known = mixFill(key, own, kind, dark, member)));
  }
  return known;
}

const mixedFills = new Map<string, Fill>();
const MOST_FILLS = 20_000;

function mixFill(key: string, own: boolean, kind: string, dark: boolean, member: string): Fill {
  const tone = dark ? DARK : LIGHT;
  const seed = hash(member);
  const grain = member === "" ? 0 : ((seed % 5) - 2) * tone.grain;
  const turn = member === "" ? 0 : ((Math.floor(seed / 5) % 7) - 3) * (own ? 5 : 3);
  if (kind !== "python") return fillOf(oklch(tone.other[0] + grain, tone.other[1], 260));
  const hues = own ? WARM : COOL;
  const [lightness, chroma] = own ? tone.own : tone.library;
  const number = hash(key);
  const hue = hues[number % hues.length] ?? 0;
  const second = Math.floor(number / hues.length) % 2;
  return fillOf(oklch(lightness + second * tone.step + grain, chroma, hue + turn));
}

/** How many colours a heat scale has. */
export const HEAT_STEPS = 24;

/** Heat: from the theme's quiet grey to a strong orange; `step` of {@link HEAT_STEPS}. */
export function heatFill(step: number, dark: boolean): Fill {
  const share = Math.min(Math.max(step / (HEAT_STEPS - 1), 0), 1);
  return dark
    ? fillOf(oklch(0.35 + 0.21 * share, 0.008 + 0.132 * share, 75 - 33 * share))
    : fillOf(oklch(0.93 - 0.21 * share, 0.008 + 0.167 * share, 85 - 37 * share));
}

/** The step of a share of 0–1. The square root keeps small shares apart. */
export function heatStep(share: number): number {
  return Math.round(Math.sqrt(Math.min(Math.max(share, 0), 1)) * (HEAT_STEPS - 1));
}
