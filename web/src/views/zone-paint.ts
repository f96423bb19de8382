/** Paints what the program said under its threads: zones, log lines, waits for locks, frames. */
import type { FrameTrack, Tracks } from "../api/types.ts";
import { duration } from "../layout/format.ts";
import type { Lane } from "../layout/lanes.ts";
import { overlap, toPixel } from "../layout/scale.ts";
import { Palette, Rects, type Label } from "../layout/scene.ts";
import { fitted } from "../layout/text.ts";
import {
  frameKind,
  hasFailed,
  median,
  pieceLabel,
  piecesOf,
  rowOf,
  taskOf,
  WAIT_ROW,
  withRoom,
  ZONE_ROW,
  zoneFill,
} from "../layout/zones.ts";
import type { Surface } from "../render/surface.ts";
import { FONT_SMALL, fontWidths } from "../render/theme-colours.ts";
import type { Now } from "./lane-paint.ts";

/** What the painters of zones need besides. */
export interface SaidNow extends Now {
  readonly tracks: Tracks | undefined;
  readonly trackOverview: Tracks | undefined;
  /** The picked zone, and its place. */
  readonly zone: number | null;
  readonly site: number | null;
  /** The places that the search finds; null when it finds none. */
  readonly found: ReadonlySet<number> | null;
}

type ThreadLane = Lane & { kind: "thread" };

/** The tracks that cover the window best: in detail where they reach, else of the whole recording. */
export function tracksOfNow(now: Pick<SaidNow, "tracks" | "trackOverview" | "window">): Tracks | undefined {
  const { tracks, trackOverview, window } = now;
  if (tracks && tracks.from <= window.from && tracks.to >= window.to) return tracks;
  if (trackOverview) return trackOverview;
  return tracks && overlap(tracks, window) ? tracks : undefined;
}

export function paintZones(surface: Surface, lane: ThreadLane, y: number, now: SaidNow): void {
  const tracks = tracksOfNow(now);
  if (!tracks || !lane.zones) return;
  const scale = surface.width / (now.window.to - now.window.from);
  const palette = new Palette();
  const rects = new Rects();
  const labels: Label[] = [];
  const widths = fontWidths(FONT_SMALL);
  const outlines: { x: number; y: number; w: number; strong: boolean }[] = [];
  const failed: { x: number; y: number; w: number }[] = [];
  const { zones } = tracks;
  const [first, end] = piecesOf(tracks, lane.thread);
  for (let i = first; i < end; i++) {
    const row = rowOf(tracks, lane.zones, i);
    if (row < 0) continue;
    const x0 = Math.max(-2, (zones.start[i] - now.window.from) * scale);
    const x1 = Math.min(surface.width + 2, (zones.end[i] - now.window.from) * scale);
    if (x1 < 0 || x0 > surface.width) continue;
    const site = tracks.sites[zones.site[i]];
    const top = y + lane.head + row * ZONE_ROW;
    const width = Math.max(1, x1 - x0 > 3 ? x1 - x0 - 1 : x1 - x0);
    const fill = zoneFill(site, now.colours.dark);
    const several = zones.count[i] > 1;
    const off = now.found !== null && !now.found.has(site.site);
    // Several zones are as strong as the share of time they cover.
    const share = zones.busy[i] / Math.max(1, zones.end[i] - zones.start[i]);
    const alpha = off ? "2e" : several ? (["66", "85", "a3", "c2", "c2"][Math.floor(share * 4)] ?? "c2") : "";
    if (!rects.push(x0, top, width, ZONE_ROW - 1, palette.number(fill.fill + alpha))) break;
    const picked = zones.zone[i] >= 0 && zones.zone[i] === now.zone;
    if (picked || (site.site === now.site && width > 2))
      outlines.push({ x: x0, y: top, w: width, strong: picked });
    if (hasFailed(zones.flags[i])) failed.push({ x: x0, y: top, w: width });
    if (width > 24) {
      // Those inside run in the same task.
      const task = zones.depth[i] === 0 ? taskOf(tracks, i) : "";
      const whole = pieceLabel(site.label, zones.count[i], task);
      const text = fitted(widths, whole, width - 6);
      const colour = alpha === "" ? fill.text : off ? now.colours.css.muted : now.colours.css.text;
      if (text !== "")
        labels.push({
          x: Math.max(x0, 0) + 3,
          y: top + (ZONE_ROW - 1) / 2,
          text: x0 < 0 ? fitted(widths, text, x1 - 6) : text,
          colour: palette.number(colour),
        });
    }
  }
  surface.scene({ rects, labels, palette: palette.colours }, FONT_SMALL);
  for (const { x, y: top, w } of failed)
    surface.fill({ x, y: top + ZONE_ROW - 3, w: Math.max(2, w), h: 2 }, now.colours.css.bad);
  for (const { x, y: top, w, strong } of outlines)
    surface.outline(
      { x, y: top, w: Math.max(w, 2), h: ZONE_ROW - 1 },
      strong ? now.colours.css.text : `${now.colours.css.muted}77`,
      strong ? 2 : 1,
    );
}

export function paintWaits(surface: Surface, lane: ThreadLane, y: number, now: SaidNow): void {
  const tracks = tracksOfNow(now);
  if (!tracks || !lane.waits) return;
  const top = y + lane.height - WAIT_ROW - 1;
  const { waits } = tracks;
  for (let i = 0; i < waits.start.length; i++) {
    if (waits.thread[i] !== lane.thread) continue;
    const x0 = toPixel(now.window, surface.width, waits.start[i]);
    const x1 = toPixel(now.window, surface.width, waits.end[i]);
    if (x1 < 0 || x0 > surface.width) continue;
    surface.fill(
      { x: x0, y: top + 1, w: Math.max(1.5, x1 - x0), h: WAIT_ROW - 3 },
      now.colours.stateCss["gil-wait"],
    );
  }
}

/** The colour of a log line by how serious it is; the program's own where it chose one. */
export function logColour(level: number, chosen: number, css: Now["colours"]["css"]): string {
  if (chosen !== 0) return `#${chosen.toString(16).padStart(6, "0")}`;
  return level >= 4 ? css.bad : level === 3 ? css.warn : level === 2 ? css.accent : css.muted;
}

/** A flag at the top of the lane for each log line, or for several on one pixel. */
export function paintLogs(surface: Surface, lane: ThreadLane, y: number, now: SaidNow): void {
  const tracks = tracksOfNow(now);
  if (!tracks) return;
  const { logs } = tracks;
  const mine = logs.time.map((_, i) => i).filter((i) => logs.thread[i] === lane.thread);
  const places = mine.map((i) => toPixel(now.window, surface.width, logs.time[i]));
  const roomy = withRoom(places, 9);
  for (const [at, i] of mine.entries()) {
    const x = places[at];
    if (x < -6 || x > surface.width) continue;
    const colour = logColour(logs.level[i], logs.colour[i], now.colours.css);
    if (!roomy[at]) {
      surface.fill({ x: x - 0.5, y, w: 2, h: 4 }, colour);
      continue;
    }
    surface.fill({ x: x - 2.5, y: y, w: 7, h: 7 }, now.colours.css.panel);
    surface.fill({ x: x - 1.5, y: y + 1, w: 5, h: 5 }, colour);
    surface.line(x, y + 1, x, y + lane.head - 2, colour);
  }
}

export function frameSet(
  tracks: Tracks | undefined,
  lane: Lane & { kind: "frames" },
): FrameTrack | undefined {
  return tracks?.frames.find((set) => set.process === lane.process && set.name === lane.name);
}

export function paintFrames(
  surface: Surface,
  lane: Lane & { kind: "frames" },
  y: number,
  now: SaidNow,
): void {
  const set = frameSet(tracksOfNow(now), lane);
  if (!set) return;
  const usual = median((frameSet(now.trackOverview, lane) ?? set).duration);
  const { css } = now.colours;
  const colours = { usual: css["gauge-area"], slow: `${css.warn}66`, bad: `${css.bad}88` };
  const widths = fontWidths(FONT_SMALL);
  const palette = new Palette();
  const rects = new Rects();
  const labels: Label[] = [];
  for (let i = 0; i < set.start.length; i++) {
    const x0 = toPixel(now.window, surface.width, set.start[i]);
    const x1 = toPixel(now.window, surface.width, set.start[i] + set.duration[i]);
    if (x1 < 0 || x0 > surface.width) continue;
    const width = Math.max(1, x1 - x0 > 3 ? x1 - x0 - 1 : x1 - x0);
    const colour = colours[frameKind(set.duration[i], usual)];
    if (!rects.push(x0, y + 2, width, lane.height - 5, palette.number(colour))) break;
    if (width > 40) {
      const length = duration(set.duration[i]);
      const whole = `${String(set.number[i])}: ${length}`;
      const text = fitted(widths, whole, width - 6) === whole ? whole : fitted(widths, length, width - 6);
      if (text !== "")
        labels.push({
          x: Math.max(x0, 0) + 3,
          y: y + lane.height / 2 - 0.5,
          text,
          colour: palette.number(css.text),
        });
    }
  }
  surface.scene({ rects, labels, palette: palette.colours }, FONT_SMALL);
}
