/** What a picture is made of: columns of rectangles and labels, in CSS pixels. */

/** No picture holds more rectangles than this; the server sends no more either. */
export const MOST_RECTS = 12_000;

/** Rectangles as columns. `fill` is an index in the scene's palette. */
export class Rects {
  length = 0;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly w: Float32Array;
  readonly h: Float32Array;
  readonly fill: Uint16Array;

  constructor(readonly capacity = MOST_RECTS) {
    this.x = new Float32Array(capacity);
    this.y = new Float32Array(capacity);
    this.w = new Float32Array(capacity);
    this.h = new Float32Array(capacity);
    this.fill = new Uint16Array(capacity);
  }

  /** Adds one; false when the picture is full. */
  push(x: number, y: number, w: number, h: number, fill: number): boolean {
    const at = this.length;
    if (at >= this.capacity) return false;
    this.x[at] = x;
    this.y[at] = y;
    this.w[at] = w;
    this.h[at] = h;
    this.fill[at] = fill;
    this.length = at + 1;
    return true;
  }
}

/** A line of text. `y` is its middle. */
export interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  /** An index in the scene's palette. */
  readonly colour: number;
}

/** Colours by number, each kept once. */
export class Palette {
  readonly colours: string[] = [];
  private readonly numbers = new Map<string, number>();

  number(colour: string): number {
    const known = this.numbers.get(colour);
    if (known !== undefined) return known;
    const next = this.colours.length;
    this.colours.push(colour);
    this.numbers.set(colour, next);
    return next;
  }
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Scene {
  readonly rects: Rects;
  readonly labels: readonly Label[];
  readonly palette: readonly string[];
}
