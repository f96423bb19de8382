/** Choosing zones: from the timeline, from tables, and from one to the next. */
import { get } from "../api/client.ts";
import { path, query } from "../api/query.ts";
import type { Tracks, ZoneAnswer, ZoneInfo } from "../api/types.ts";
import type { Tab } from "../state/view-state.ts";
import type { App } from "./app.ts";

/** Views that show details beside themselves. */
const WITH_DETAILS: ReadonlySet<Tab> = new Set(["flame", "tree", "functions", "zones"]);

function shown(app: App): { tab: Tab } {
  const { tab } = app.store.view();
  return { tab: WITH_DETAILS.has(tab) ? tab : "zones" };
}

/** Chooses what was clicked in the timeline. */
export function chooseZone(app: App, tracks: Tracks, at: number, time: number): void {
  const { zones } = tracks;
  const site = tracks.sites[zones.site[at]];
  app.rememberSite(site);
  const zone = zones.zone[at];
  // A choice keeps what is inside it, of the place, or it narrows nothing.
  const known = { site: site.site, pick: null, ...shown(app) };
  if (zone >= 0 || zones.count[at] > 1) {
    app.store.change({ ...known, ...narrowed(app, zone >= 0 ? zone : null), zone: zone >= 0 ? zone : null });
    return;
  }
  // From afar a zone is known by its place and time only.
  const question = path(
    "zone",
    query({
      rec: app.store.view().rec,
      threads: zones.thread[at],
      lane: zones.lane[at] === 0 ? null : zones.lane[at],
      depth: zones.depth[at] === 0 ? null : zones.depth[at],
      at: Math.round(time),
    }),
  );
  get(question, new AbortController().signal)
    .then((answer) => {
      const found = (answer as ZoneAnswer).zone;
      app.store.change({ ...known, ...narrowed(app, found.zone), zone: found.zone, site: found.site });
    })
    .catch(() => {
      app.store.change({ ...known, ...narrowed(app, null), zone: null });
    });
}

/** Samples inside one zone can only go on being those of a zone. */
function narrowed(app: App, zone: number | null): { inside?: "site" } {
  return zone === null && app.store.view().inside === "zone" ? { inside: "site" } : {};
}

/** Chooses a zone and brings it in sight. */
export function goToZone(app: App, zone: ZoneInfo): void {
  app.store.change({ zone: zone.zone, site: zone.site, pick: null, ...shown(app) });
  bringInSight(app, zone.start, zone.start + zone.duration);
}

/** Chooses a zone that is known by its number only. */
export function goToNumber(app: App, zone: number): void {
  get(path("zone", query({ rec: app.store.view().rec, zone: String(zone) })), new AbortController().signal)
    .then((answer) => {
      goToZone(app, (answer as ZoneAnswer).zone);
    })
    .catch((error: unknown) => {
      app.say(error instanceof Error ? error.message : String(error));
    });
}

/** Moves the timeline so that a stretch can be seen, if it cannot. */
export function bringInSight(app: App, start: number, end: number): void {
  const { store } = app;
  const bounds = store.recording().range;
  const [from, to] = store.view().window ?? [bounds.start, bounds.end];
  const inside = start >= from && end <= to;
  // Half a hundredth of the window is still a few pixels.
  if (inside && end - start >= (to - from) / 200) return;
  zoomToZone(app, start, end, "replace");
}

/** Shows a stretch with what is around it. */
export function zoomToZone(app: App, start: number, end: number, step: "push" | "replace" = "push"): void {
  const bounds = app.store.recording().range;
  const margin = Math.max(end - start, 1000) * 0.6;
  const from = Math.max(bounds.start, Math.floor(start - margin));
  const to = Math.min(Math.max(bounds.end, from + 1000), Math.ceil(end + margin));
  app.store.change({ window: [from, to] }, step);
}
