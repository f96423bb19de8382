/** The picked zone: its arguments, what is around and inside it, and all zones of its place. */
import { createEffect, createMemo, createSignal, For, on, onCleanup, Show, type JSX } from "solid-js";
import type { SiteAnswer, TraceAnswer, ZoneAnswer, ZoneInfo } from "../api/types.ts";
import { path, query } from "../api/query.ts";
import { count, counted, duration, instant, percent, place } from "../layout/format.ts";
import { argumentsOf, zoneFill } from "../layout/zones.ts";
import { ask } from "../state/ask.ts";
import { isDark } from "../state/theme.ts";
import { useApp } from "./app.ts";
import { CloseIcon } from "./icons.tsx";
import { Segment } from "./parts.tsx";
import { goToNumber, goToZone, zoomToZone } from "./zone-state.ts";
import { ZoneHistogram } from "./ZoneHistogram.tsx";

/** Spans of a trace that are listed here. */
const MOST_SPANS = 40;

const FLAGS: Record<string, string> = {
  span: "span",
  suspended: "was suspended",
  failed: "failed: an exception left it",
  open: "had not ended",
  cumulative: "many passes, added up",
  remote: "its parent is in another process",
  cut: "its end was lost",
  poll: "one stretch of a suspended span",
};

export function ZoneDetails(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const one = ask<ZoneAnswer>(
    createMemo(() =>
      view().zone === null ? null : path("zone", query({ rec: view().rec, zone: String(view().zone) })),
    ),
    { wait: 30 },
  );
  const all = ask<SiteAnswer>(
    createMemo(() =>
      view().site === null ? null : path("site", store.place(), query({ site: String(view().site) })),
    ),
    { wait: 60 },
  );
  const card = createMemo(() => {
    const now = view().zone === null ? undefined : one.data();
    return now?.zone.zone === view().zone ? now : undefined;
  });
  const [traced, setTraced] = createSignal(false);
  const isSpan = () => card() !== undefined && (card()?.span ?? card()?.parent ?? null) !== null;
  const trace = ask<TraceAnswer>(
    createMemo(() =>
      traced() && isSpan() ? path("trace", query({ rec: view().rec, zone: String(view().zone) })) : null,
    ),
  );
  createEffect(
    on(all.data, (now) => {
      if (now) app.rememberSite(now.site);
    }),
  );
  createEffect(() => {
    const now = card();
    app.zoneKeys.current = now ? { before: now.before, after: now.after } : null;
  });
  onCleanup(() => {
    app.zoneKeys.current = null;
  });
  const site = () => {
    const id = view().site;
    return card()?.site ?? (all.data()?.site.site === id ? all.data()?.site : undefined);
  };
  const thread = (id: number) => app.thread(id)?.name || `thread ${String(id)}`;
  const listed = (zone: ZoneInfo, note: string, level = 0): JSX.Element => (
    <button
      class="zone-row"
      aria-current={zone.zone === view().zone ? "true" : undefined}
      style={{ "padding-left": `${String(8 + Math.min(level, 8) * 10)}px` }}
      onClick={() => {
        goToZone(app, zone);
      }}
    >
      <span
        class="swatch"
        style={{ background: zoneFill({ label: zone.label, colour: null }, isDark()).fill }}
        aria-hidden="true"
      />
      <span class="clip">{zone.label}</span>
      <span class="num">{duration(zone.duration)}</span>
      <span class="num muted">{note}</span>
    </button>
  );

  return (
    <aside class="details zone-details" aria-label="The picked zone" classList={{ stale: one.loading() }}>
      <Show
        when={site()}
        fallback={<p class="muted">{one.error()?.message ?? all.error()?.message ?? ""}</p>}
      >
        {(site) => (
          <>
            <div class="top-line">
              <h2>
                <span
                  class="swatch"
                  style={{ background: zoneFill(site(), isDark()).fill }}
                  aria-hidden="true"
                />
                {site().label}
              </h2>
              <button
                class="icon small"
                aria-label="Close details"
                title="Close"
                onClick={() => {
                  store.change({ zone: null, site: null, inside: "" }, "replace");
                }}
              >
                <CloseIcon />
              </button>
            </div>
            <div class="where">
              {site().function === "" ? "" : `${site().function}, `}
              {place(site().short, site().line)}
            </div>
            <h3 class="first">Samples that count</h3>
            <Segment
              label="Samples that count in every view"
              value={view().inside}
              options={[
                ["", "All", "Every view counts all samples"],
                ...(view().zone === null
                  ? []
                  : [
                      ["zone", "In this one", "Every view counts only samples inside this zone (E)"] as const,
                    ]),
                ["site", "In every one", `Every view counts only samples inside every ${site().label} (E)`],
              ]}
              choose={(inside) => {
                store.change({ inside });
              }}
            />
            <Show when={card()}>
              {(now) => (
                <>
                  <h3>This one</h3>
                  <dl class="facts">
                    <dt>Duration</dt>
                    <dd>{duration(now().zone.duration)}</dd>
                    <Show when={now().self !== null}>
                      <dt>Self</dt>
                      <dd>{duration(now().self ?? 0)}</dd>
                    </Show>
                    <Show when={now().zone.busy < now().zone.duration}>
                      <dt>Ran, waited</dt>
                      <dd>
                        {duration(now().zone.busy)}, {duration(now().zone.duration - now().zone.busy)}
                      </dd>
                    </Show>
                    <dt>Begins</dt>
                    <dd>{instant(now().zone.start, Math.max(1, now().zone.duration / 100))}</dd>
                    <dt>Thread</dt>
                    <dd>{thread(now().zone.thread)}</dd>
                    <Show when={now().task}>
                      <dt>Task</dt>
                      <dd>{now().task}</dd>
                    </Show>
                    <Show when={now().passes}>
                      {(passes) => (
                        <>
                          <dt>Passes</dt>
                          <dd>
                            {count(passes().count)}, together {duration(passes().total)}
                          </dd>
                          <dt>Each</dt>
                          <dd>
                            {duration(passes().total / Math.max(1, passes().count))} ({duration(passes().min)}{" "}
                            – {duration(passes().max)})
                          </dd>
                        </>
                      )}
                    </Show>
                  </dl>
                  <For each={now().zone.flags.filter((flag) => flag !== "span")}>
                    {(flag) => <p class={flag === "failed" ? "flag bad" : "flag"}>{FLAGS[flag] ?? flag}</p>}
                  </For>
                  <Show when={argumentsOf(now().arguments).length > 0}>
                    <h3>Arguments</h3>
                    <dl class="facts mono">
                      <For each={argumentsOf(now().arguments)}>
                        {([name, value]) => (
                          <>
                            <dt>{name}</dt>
                            <dd>{value}</dd>
                          </>
                        )}
                      </For>
                    </dl>
                  </Show>
                  <div class="actions">
                    <button
                      class="button"
                      disabled={now().before === null}
                      title={`The ${site().label} before ([)`}
                      onClick={() => {
                        const before = now().before;
                        if (before !== null) goToNumber(app, before);
                      }}
                    >
                      ◂ Before
                    </button>
                    <button
                      class="button"
                      disabled={now().after === null}
                      title={`The next ${site().label} (])`}
                      onClick={() => {
                        const after = now().after;
                        if (after !== null) goToNumber(app, after);
                      }}
                    >
                      Next ▸
                    </button>
                    <button
                      class="button"
                      onClick={() => {
                        zoomToZone(app, now().zone.start, now().zone.start + now().zone.duration);
                      }}
                    >
                      Zoom to it
                    </button>
                    <button
                      class="button"
                      onClick={() => {
                        const { start, duration: length } = now().zone;
                        store.change({ range: [start, start + Math.max(1, length)] });
                      }}
                    >
                      Select its time
                    </button>
                  </div>
                </>
              )}
            </Show>
            <Show when={all.data()?.site.site === view().site && all.data()}>
              {(now) => (
                <>
                  <h3>
                    {now().figures.count === 0
                      ? "None begins in the selected time"
                      : counted(now().figures.count, "zone")}
                    <Show when={now().failed > 0}>, {count(now().failed)} failed</Show>
                  </h3>
                  <Show when={now().figures.count > 0}>
                    <dl class="facts two">
                      <dt>Total</dt>
                      <dd>{duration(now().figures.total)}</dd>
                      <dt>Self</dt>
                      <dd>{duration(now().figures.self)}</dd>
                      <dt>Mean</dt>
                      <dd>{duration(now().figures.mean)}</dd>
                      <dt>Median</dt>
                      <dd>{duration(now().figures.p50 ?? 0)}</dd>
                      <dt>95 %</dt>
                      <dd>{duration(now().figures.p95 ?? 0)}</dd>
                      <dt>99 %</dt>
                      <dd>{duration(now().figures.p99 ?? 0)}</dd>
                      <dt>Shortest</dt>
                      <dd>{duration(now().figures.min)}</dd>
                      <dt>Longest</dt>
                      <dd>{duration(now().figures.max)}</dd>
                    </dl>
                    <ZoneHistogram histogram={now().histogram} here={card()?.zone.duration ?? null} />
                    <Show when={now().longest}>
                      {(longest) => (
                        <div class="actions">
                          <button
                            class="button"
                            onClick={() => {
                              goToZone(app, longest());
                            }}
                          >
                            Longest
                          </button>
                          <button
                            class="button"
                            onClick={() => {
                              const shortest = now().shortest;
                              if (shortest) goToZone(app, shortest);
                            }}
                          >
                            Shortest
                          </button>
                        </div>
                      )}
                    </Show>
                  </Show>
                </>
              )}
            </Show>
            <Show when={card()}>
              {(now) => (
                <>
                  <Show when={now().around.length > 0}>
                    <h3>Around it</h3>
                    <div class="zone-list">
                      <For each={now().around}>
                        {(zone, i) => listed(zone, percent(now().zone.duration, zone.duration), i())}
                      </For>
                    </div>
                  </Show>
                  <Show when={(now().insideCount ?? 1) > 0}>
                    <h3>
                      {now().insideCount === null
                        ? "Too many zones inside it to list"
                        : `Directly inside it: ${count(now().insideCount ?? 0)}`}
                    </h3>
                    <div class="zone-list">
                      <For each={[...now().inside].sort((a, b) => b.duration - a.duration).slice(0, 8)}>
                        {(zone) => listed(zone, percent(zone.duration, now().zone.duration))}
                      </For>
                    </div>
                  </Show>
                  <Show when={isSpan()}>
                    <h3>Trace {now().trace ? <span class="mono">{now().trace?.slice(0, 8)}…</span> : ""}</h3>
                    <Show
                      when={traced()}
                      fallback={
                        <button class="button" onClick={() => setTraced(true)}>
                          Show its spans, of all threads and processes
                        </button>
                      }
                    >
                      <div class="zone-list">
                        <For each={trace.data()?.zones.slice(0, MOST_SPANS)}>
                          {(zone, i) => listed(zone, thread(zone.thread), trace.data()?.level[i()] ?? 0)}
                        </For>
                      </div>
                      <Show when={(trace.data()?.zones.length ?? 0) > MOST_SPANS}>
                        <p class="muted">
                          {counted((trace.data()?.zones.length ?? 0) - MOST_SPANS, "more span")}
                        </p>
                      </Show>
                    </Show>
                  </Show>
                </>
              )}
            </Show>
          </>
        )}
      </Show>
    </aside>
  );
}
