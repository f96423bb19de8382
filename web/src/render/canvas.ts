/** A canvas element that knows its size and paints itself when what it shows changes. */
import { createEffect, createSignal, onCleanup, untrack, type Accessor } from "solid-js";
import { Canvas2d } from "./canvas2d.ts";
import { inNextFrame, notAnyMore } from "./frame.ts";
import type { Surface } from "./surface.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The size of an element, kept up to date. */
export function sizeOf(element: Accessor<HTMLElement | undefined>): Accessor<Size> {
  const [size, setSize] = createSignal<Size>(
    { width: 0, height: 0 },
    { equals: (a, b) => a.width === b.width && a.height === b.height },
  );
  createEffect(() => {
    const target = element();
    if (!target) return;
    const observer = new ResizeObserver(() => {
      setSize({ width: target.clientWidth, height: target.clientHeight });
    });
    observer.observe(target);
    setSize({ width: target.clientWidth, height: target.clientHeight });
    onCleanup(() => {
      observer.disconnect();
    });
  });
  return size;
}

const [ratio, setRatio] = createSignal(window.devicePixelRatio);
function watchRatio(): void {
  matchMedia(`(resolution: ${String(window.devicePixelRatio)}dppx)`).addEventListener(
    "change",
    () => {
      setRatio(window.devicePixelRatio);
      watchRatio();
    },
    { once: true },
  );
}
watchRatio();
/** Device pixels in a CSS pixel; changes when the window moves to another screen or is zoomed. */
export const pixelRatio = ratio;

/**
 * Paints `scene()` on the canvas in the next frame whenever it, the size or the pixel ratio
 * changes. `scene` is a pure accessor; `paint` runs untracked.
 */
export function painted<T>(
  canvas: Accessor<HTMLCanvasElement | undefined>,
  size: Accessor<Size>,
  scene: Accessor<T>,
  paint: (surface: Surface, scene: T) => void,
): void {
  let surface: Canvas2d | undefined;
  let latest: { scene: T; size: Size; ratio: number } | undefined;
  const flush = () => {
    const element = untrack(canvas);
    if (!element || !latest || latest.size.width <= 0 || latest.size.height <= 0) return;
    surface ??= new Canvas2d(element);
    surface.resize(latest.size.width, latest.size.height, latest.ratio);
    surface.clear();
    paint(surface, latest.scene);
  };
  createEffect(() => {
    if (!canvas()) return;
    latest = { scene: scene(), size: size(), ratio: ratio() };
    inNextFrame(flush);
  });
  onCleanup(() => {
    notAnyMore(flush);
  });
}
