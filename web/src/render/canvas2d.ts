/** {@link Surface} over Canvas 2D. */
import type { Box, Rects, Scene } from "../layout/scene.ts";
import type { Surface } from "./surface.ts";

export class Canvas2d implements Surface {
  width = 0;
  height = 0;
  ratio = 1;
  private readonly context: CanvasRenderingContext2D;

  constructor(private readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser has no Canvas 2D");
    this.context = context;
  }

  /** Sets the size; true when it changed, which empties the canvas. */
  resize(width: number, height: number, ratio: number): boolean {
    const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    if (
      w === this.canvas.width &&
      h === this.canvas.height &&
      ratio === this.ratio &&
      width === this.width &&
      height === this.height
    )
      return false;
    this.canvas.width = w;
    this.canvas.height = h;
    this.width = width;
    this.height = height;
    this.ratio = ratio;
    return true;
  }

  clear(): void {
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.context.textBaseline = "middle";
    this.context.imageSmoothingEnabled = false;
  }

  scene(scene: Scene, font: string): void {
    const { context } = this;
    // PERF: setting a fill colour costs more than a rectangle; painting by colour instead of by
    // row takes each colour once.
    const order = byColour(scene.rects, scene.palette.length);
    const { x, y, w, h, fill } = scene.rects;
    let colour = -1;
    for (const at of order) {
      if (fill[at] !== colour) {
        colour = fill[at];
        context.fillStyle = scene.palette[colour];
      }
      context.fillRect(x[at], y[at], w[at], h[at]);
    }
    context.font = font;
    context.textAlign = "left";
    colour = -1;
    for (const label of scene.labels) {
      if (label.colour !== colour) {
        colour = label.colour;
        context.fillStyle = scene.palette[colour];
      }
      context.fillText(label.text, label.x, label.y + 0.5);
    }
  }

  fill(box: Box, colour: string): void {
    this.context.fillStyle = colour;
    this.context.fillRect(box.x, box.y, box.w, box.h);
  }

  outline(box: Box, colour: string, thickness: number): void {
    this.context.strokeStyle = colour;
    this.context.lineWidth = thickness;
    this.context.strokeRect(
      box.x + thickness / 2,
      box.y + thickness / 2,
      Math.max(0, box.w - thickness),
      Math.max(0, box.h - thickness),
    );
  }

  line(x0: number, y0: number, x1: number, y1: number, colour: string, thickness = 1): void {
    const snap = (value: number) => Math.round(value * this.ratio) / this.ratio;
    this.context.fillStyle = colour;
    this.context.fillRect(
      snap(Math.min(x0, x1)),
      snap(Math.min(y0, y1)),
      Math.max(thickness, Math.abs(x1 - x0)),
      Math.max(thickness, Math.abs(y1 - y0)),
    );
  }

  text(
    text: string,
    x: number,
    y: number,
    colour: string,
    font: string,
    align: "left" | "right" | "center" = "left",
  ): void {
    this.context.font = font;
    this.context.textAlign = align;
    this.context.fillStyle = colour;
    this.context.fillText(text, x, y + 0.5);
  }

  area(points: Float32Array, floor: number, stroke: string, fill: string): void {
    if (points.length < 4) return;
    const { context } = this;
    context.beginPath();
    context.moveTo(points[0], points[1]);
    for (let i = 2; i < points.length; i += 2) context.lineTo(points[i], points[i + 1]);
    context.strokeStyle = stroke;
    context.lineWidth = 1.25;
    context.lineJoin = "round";
    context.stroke();
    context.lineTo(points[points.length - 2], floor);
    context.lineTo(points[0], floor);
    context.closePath();
    context.fillStyle = fill;
    context.fill();
  }

  image(source: CanvasImageSource, from: Box, to: Box): void {
    if (from.w <= 0 || from.h <= 0 || to.w <= 0) return;
    this.context.drawImage(source, from.x, from.y, from.w, from.h, to.x, to.y, to.w, to.h);
  }

  clipped(box: Box, paint: () => void): void {
    this.context.save();
    this.context.beginPath();
    this.context.rect(box.x, box.y, box.w, box.h);
    this.context.clip();
    paint();
    this.context.restore();
  }
}

/** Positions of the rectangles, ordered by colour: a counting sort. */
function byColour(rects: Rects, colours: number): Uint32Array {
  const starts = new Uint32Array(colours + 1);
  for (let i = 0; i < rects.length; i++) starts[rects.fill[i] + 1]++;
  for (let i = 1; i <= colours; i++) starts[i] += starts[i - 1];
  const order = new Uint32Array(rects.length);
  for (let i = 0; i < rects.length; i++) order[starts[rects.fill[i]]++] = i;
  return order;
}
