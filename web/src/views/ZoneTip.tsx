/** What lies under the pointer of what the program said: a zone, a wait, a log line, a frame. */
import { Show, type JSX } from "solid-js";
import type { Tracks } from "../api/types.ts";
import { count, duration, instant, percent, place } from "../layout/format.ts";
import type { Lane } from "../layout/lanes.ts";
import { coverAt, hasFailed, markAt, pieceAt, taskOf, WAIT_ROW, ZONE_ROW } from "../layout/zones.ts";
import { isDark } from "../state/theme.ts";
import { zoneFill } from "../layout/zones.ts";
import { useApp } from "./app.ts";
import { frameSet } from "./zone-paint.ts";

/** What is under the pointer, by its index in the tracks. */
export type Said =
  | { readonly kind: "zone"; readonly at: number }
  | { readonly kind: "wait"; readonly at: number }
  | { readonly kind: "log"; readonly at: number }
  | { readonly kind: "frame"; readonly at: number };

/** How near (pixels) the pointer must be to something narrow. */
const NEAR = 4;

/** What is at a place of a lane, `y` counted from its top; null where it is the samples' part. */
export function saidAt(
  tracks: Tracks | undefined,
  lane: Lane,
  y: number,
  time: number,
  perPixel: number,
): Said | null {
  if (!tracks) return null;
  const reach = NEAR * perPixel;
  if (lane.kind === "frames") {
    const set = frameSet(tracks, lane);
    if (!set) return null;
    const end = set.start.map((start, i) => start + set.duration[i]);
    const at = coverAt({ start: set.start, end }, () => true, time, reach);
    return at < 0 ? null : { kind: "frame", at };
  }
  if (lane.kind !== "thread") return null;
  if (y < 9) {
    const at = markAt(tracks, lane.thread, time, reach + perPixel * 2);
    if (at >= 0) return { kind: "log", at };
  }
  if (lane.waits && y >= lane.height - WAIT_ROW - 1) {
    const at = coverAt(tracks.waits, (i) => tracks.waits.thread[i] === lane.thread, time, reach);
    return at < 0 ? null : { kind: "wait", at };
  }
  if (!lane.zones || y < lane.head) return null;
  const row = Math.floor((y - lane.head) / ZONE_ROW);
  const at = pieceAt(tracks, lane.zones, lane.thread, row, time, reach);
  return at < 0 ? null : { kind: "zone", at };
}

export function ZoneTip(props: { tracks: Tracks; lane: Lane; said: Said; perPixel: number }): JSX.Element {
  const app = useApp();
  const at = () => props.said.at;
  const thread = (id: number | null | undefined) =>
    id === null || id === undefined ? "nobody known" : app.thread(id)?.name || `thread ${String(id)}`;
  return (
    <>
      <Show when={props.said.kind === "zone"}>
        {(() => {
          const { zones, sites } = props.tracks;
          const site = () => sites[zones.site[at()]];
          const several = () => zones.count[at()] > 1;
          const length = () => zones.end[at()] - zones.start[at()];
          return (
            <>
              <h3>
                <span
                  class="swatch"
                  style={{ background: zoneFill(site(), isDark()).fill }}
                  aria-hidden="true"
                />
                {several() ? `${count(zones.count[at()])} × ${site().label}` : site().label}
              </h3>
              <div class="where">
                {several() ? "zones narrower than a pixel, " : ""}
                {site().function === "" ? "" : `${site().function}, `}
                {place(site().short, site().line)}
              </div>
              <dl>
                <dt>{several() ? "Together" : "Duration"}</dt>
                <dd>{duration(several() ? zones.busy[at()] : length())}</dd>
                <dd class="note">
                  {several() ? `${percent(zones.busy[at()], length())} of ${duration(length())}` : ""}
                </dd>
                <dd />
                <dt>Begins</dt>
                <dd>{instant(zones.start[at()], props.perPixel)}</dd>
                <dd />
                <dd />
                <Show when={taskOf(props.tracks, at()) !== ""}>
                  <dt>Task</dt>
                  <dd>{taskOf(props.tracks, at())}</dd>
                  <dd />
                  <dd />
                </Show>
              </dl>
              <Show when={hasFailed(zones.flags[at()])}>
                <div class="where">It failed: an exception left it.</div>
              </Show>
              <div class="where">{several() ? "Double-click: zoom in" : "Click: all about it"}</div>
            </>
          );
        })()}
      </Show>
      <Show when={props.said.kind === "wait"}>
        {(() => {
          const { waits, locks } = props.tracks;
          return (
            <>
              <h3>waits for {locks[waits.lock[at()]]}</h3>
              <dl>
                <dt>{waits.count[at()] > 1 ? `${count(waits.count[at()])} waits` : "Wait"}</dt>
                <dd>{duration(waits.wait[at()])}</dd>
                <dd />
                <dd />
                <dt>Held by</dt>
                <dd>{thread(waits.holder[at()])}</dd>
                <dd />
                <dd />
              </dl>
            </>
          );
        })()}
      </Show>
      <Show when={props.said.kind === "log"}>
        {(() => {
          const { logs } = props.tracks;
          return (
            <>
              <h3>{logs.text[at()]}</h3>
              <div class="where">
                {LEVELS[logs.level[at()]] ?? "log"}, at {instant(logs.time[at()], props.perPixel)}
                {logs.count[at()] > 1 ? `, and ${count(logs.count[at()] - 1)} more here` : ""}
              </div>
            </>
          );
        })()}
      </Show>
      <Show when={props.said.kind === "frame" && props.lane.kind === "frames" && props.lane}>
        {(lane) => {
          const set = () => frameSet(props.tracks, lane());
          const length = () => set()?.duration[at()] ?? 0;
          return (
            <>
              <h3>
                {lane().name || "Frame"} {String(set()?.number[at()] ?? "")}
              </h3>
              <dl>
                <dt>Duration</dt>
                <dd>{duration(length())}</dd>
                <dd class="note">{length() > 0 ? `${(1e9 / length()).toFixed(1)} a second` : ""}</dd>
                <dd />
              </dl>
              <div class="where">Click: select its time</div>
            </>
          );
        }}
      </Show>
    </>
  );
}

/** Levels of log lines, by number. */
export const LEVELS = ["log", "debug", "info", "warning", "error", "critical"] as const;
