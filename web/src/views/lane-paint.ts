/** Paints the lanes of the timeline on a surface. */
import type { Timeline } from "../api/types.ts";
import { axisTop, curvePoints, largest } from "../layout/curve.ts";
import { categoryFill } from "../layout/colour.ts";
import { bucketCount, lanePixels, laneRuns, type Lane, type Pixels, type Track } from "../layout/lanes.ts";
import { overlap, toPixel, type Window } from "../layout/scale.ts";
import { Palette, Rects, type Label } from "../layout/scene.ts";
import { fitted } from "../layout/text.ts";
import { summedThreads } from "../layout/tiles.ts";
import { pixelRatio } from "../render/canvas.ts";
import type { Surface } from "../render/surface.ts";
import { FONT_SMALL, fontWidths, type ThemeColours } from "../render/theme-colours.ts";
import { seriesOf } from "./lane-values.ts";

/** How high the states of a lane are. */
const STATE_BAND = 18;

/** What the painters need to know. */
export interface Now {
  readonly window: Window;
  readonly detail: Timeline | undefined;
  readonly overview: Timeline | undefined;
  readonly colours: ThemeColours;
  readonly states: ReadonlySet<string>;
}

export function paintCounter(surface: Surface, track: Track, y: number, height: number, now: Now): void {
  const covers = now.detail && now.detail.from <= now.window.from && now.detail.to >= now.window.to;
  const timeline = covers ? now.detail : (now.overview ?? now.detail);
  const series = seriesOf(timeline, track);
  const top = axisTop(largest(series, now.window), track.unit);
  const inner = height - 7;
  const points = curvePoints(series, now.window, surface.width, inner, top);
  for (let i = 1; i < points.length; i += 2) points[i] += y + 4;
  const cpu = track.key === "cpu";
  surface.clipped({ x: 0, y, w: surface.width, h: height }, () => {
    surface.area(
      points,
      y + 4 + inner,
      now.colours.css[cpu ? "cpu-curve" : "gauge-curve"],
      now.colours.css[cpu ? "cpu-area" : "gauge-area"],
    );
  });
}

export function paintLifetime(
  surface: Surface,
  process: { start: number; end: number | null } | undefined,
  y: number,
  height: number,
  now: Now,
): void {
  if (!process) return;
  const from = Math.max(0, toPixel(now.window, surface.width, process.start));
  const to = Math.min(
    surface.width,
    process.end === null ? surface.width : toPixel(now.window, surface.width, process.end),
  );
  if (to > from) surface.fill({ x: from, y: y + height / 2 - 1, w: to - from, h: 2 }, now.colours.css.line);
}

/** The threads of a closed process in one band. */
export function paintTogether(
  surface: Surface,
  what: string,
  threads: readonly number[],
  y: number,
  now: Now,
): void {
  const timeline = now.overview;
  const part = timeline ? overlap(now.window, timeline) : null;
  if (!timeline || !part) return;
  const image = cached(timeline, what, now, (height) => {
    const count = bucketCount(timeline.from, timeline.to, timeline.width);
    const { tile, most } = summedThreads(timeline, count, new Set(threads));
    return lanePixels(tile, timeline, height, now.colours.states, now.states, Math.max(most, timeline.width));
  });
  surface.image(
    image,
    {
      x: (part.from - timeline.from) / timeline.width,
      y: 0,
      w: (part.to - part.from) / timeline.width,
      h: image.height,
    },
    {
      x: toPixel(now.window, surface.width, part.from),
      y: y + 4,
      w: ((part.to - part.from) / (now.window.to - now.window.from)) * surface.width,
      h: STATE_BAND,
    },
  );
}

export function paintThread(surface: Surface, lane: Lane & { kind: "thread" }, y: number, now: Now): void {
  const bandTop = y + 2;
  for (const timeline of [now.overview, now.detail]) {
    if (!timeline) continue;
    const tile = timeline.threads.find((one) => one.thread === lane.thread);
    if (!tile) continue;
    const part = overlap(now.window, timeline);
    if (!part) continue;
    const image = cached(timeline, String(lane.thread), now, (height) =>
      lanePixels(tile, timeline, height, now.colours.states, now.states),
    );
    const [left, right] = [
      toPixel(now.window, surface.width, part.from),
      toPixel(now.window, surface.width, part.to),
    ];
    if (timeline === now.detail)
      surface.fill({ x: left, y, w: right - left, h: lane.head - 1 }, now.colours.css.panel);
    surface.image(
      image,
      {
        x: (part.from - timeline.from) / timeline.width,
        y: 0,
        w: (part.to - part.from) / timeline.width,
        h: image.height,
      },
      { x: left, y: bandTop, w: right - left, h: STATE_BAND },
    );
    if (lane.named)
      paintRuns(
        surface,
        timeline,
        tile,
        left,
        right,
        bandTop + STATE_BAND + 1,
        lane.head - STATE_BAND - 5,
        now,
      );
  }
}

/** The functions under the states: a stretch a function, named where there is room. */
function paintRuns(
  surface: Surface,
  timeline: Timeline,
  tile: Timeline["threads"][number],
  left: number,
  right: number,
  y: number,
  height: number,
  now: Now,
): void {
  const scale = surface.width / (now.window.to - now.window.from);
  const palette = new Palette();
  const rects = new Rects();
  const labels: Label[] = [];
  const widths = fontWidths(FONT_SMALL);
  for (const run of laneRuns(tile, timeline.width, 2.5 / scale)) {
    const x0 = Math.max(left, (run.from - now.window.from) * scale);
    const x1 = Math.min(right, (run.to - now.window.from) * scale);
    if (x1 - x0 < 0.3) continue;
    const name = timeline.names[run.name] ?? "";
    const fill = categoryFill(
      timeline.packages?.[run.name] ?? name,
      timeline.own?.[run.name] ?? true,
      "python",
      now.colours.dark,
      name,
    );
    if (!rects.push(x0, y, x1 - x0 > 3 ? x1 - x0 - 0.5 : x1 - x0, height, palette.number(fill.fill))) break;
    if (x1 - x0 > 26) {
      const text = fitted(widths, name, x1 - x0 - 6);
      if (text !== "") labels.push({ x: x0 + 3, y: y + height / 2, text, colour: palette.number(fill.text) });
    }
  }
  surface.scene({ rects, labels, palette: palette.colours }, FONT_SMALL);
}

const images = new WeakMap<Timeline, Map<string, HTMLCanvasElement>>();

/**
 * A lane's states as a picture, one pixel a bucket.
 *
 * PERF: painted once a tile; panning and zooming then stretch it, one call a lane a frame.
 */
function cached(
  timeline: Timeline,
  what: string,
  now: Now,
  paint: (height: number) => Pixels,
): HTMLCanvasElement {
  let mine = images.get(timeline);
  if (!mine) images.set(timeline, (mine = new Map()));
  const height = Math.round(STATE_BAND * pixelRatio());
  const key = `${what} ${String(height)} ${String(now.colours.dark)} ${[...now.states].sort().join()}`;
  let image = mine.get(key);
  if (!image) mine.set(key, (image = pixelImage(paint(height))));
  return image;
}

/** Pixels as something that can be painted. */
export function pixelImage(pixels: Pixels): HTMLCanvasElement {
  const image = document.createElement("canvas");
  image.width = pixels.width;
  image.height = pixels.height;
  image.getContext("2d")?.putImageData(new ImageData(pixels.data, pixels.width, pixels.height), 0, 0);
  return image;
}
