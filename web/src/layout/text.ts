/** Text that fits: widths from a table, because measuring by the browser is slow. */

/** The widths of the printable ASCII characters of one font, and of all others. */
export interface Widths {
  /** By character code. */
  readonly ascii: Float64Array;
  readonly ellipsis: number;
  readonly other: number;
}

/** A table from a function that measures one string. */
export function widthsOf(measure: (text: string) => number): Widths {
  const ascii = new Float64Array(128);
  for (let code = 32; code < 127; code++) ascii[code] = measure(String.fromCharCode(code));
  return { ascii, ellipsis: measure("…"), other: measure("漢") };
}

export function textWidth(widths: Widths, text: string): number {
  let width = 0;
  for (let i = 0; i < text.length; i++) width += charWidth(widths, text.charCodeAt(i));
  return width;
}

function charWidth(widths: Widths, code: number): number {
  return code < 128 ? (widths.ascii[code] ?? widths.other) : widths.other;
}

/** `text`, cut with an ellipsis to `room` pixels; empty where not even two letters fit. */
export function fitted(widths: Widths, text: string, room: number): string {
  let width = 0;
  let cut = 0;
  for (let i = 0; i < text.length; i++) {
    if (width + widths.ellipsis <= room) cut = i;
    width += charWidth(widths, text.charCodeAt(i));
    if (width > room) return cut >= 2 ? `${text.slice(0, cut)}…` : "";
  }
  return text;
}
