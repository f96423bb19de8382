/** What a picture is painted on. Lengths are CSS pixels; colours are CSS colours. */
import type { Box, Scene } from "../layout/scene.ts";

export interface Surface {
  readonly width: number;
  readonly height: number;
  /** Device pixels in a CSS pixel. */
  readonly ratio: number;
  clear(): void;
  /** Rectangles first, then labels. */
  scene(scene: Scene, font: string): void;
  fill(box: Box, colour: string): void;
  outline(box: Box, colour: string, thickness: number): void;
  /** A line that is upright or level: one sharp device pixel or more. */
  line(x0: number, y0: number, x1: number, y1: number, colour: string, thickness?: number): void;
  text(
    text: string,
    x: number,
    y: number,
    colour: string,
    font: string,
    align?: "left" | "right" | "center",
  ): void;
  /** A curve of x, y pairs, filled down to `floor`. */
  area(points: Float32Array, floor: number, stroke: string, fill: string): void;
  /** A part of a picture, stretched without smoothing. */
  image(source: CanvasImageSource, from: Box, to: Box): void;
  /** Paints within a box only. */
  clipped(box: Box, paint: () => void): void;
}
