/** What the program named: all places of zones, its frames, its locks. */
import { createMemo, createSignal, Match, Show, Switch, type JSX } from "solid-js";
import type { Frames, Locks, Zones } from "../api/types.ts";
import { path, query } from "../api/query.ts";
import { count, counted, duration, place } from "../layout/format.ts";
import { zoneFill } from "../layout/zones.ts";
import { ask } from "../state/ask.ts";
import { isDark } from "../state/theme.ts";
import type { ZoneSort } from "../state/view-state.ts";
import { useApp } from "./app.ts";
import { Cards } from "./Cards.tsx";
import { Details } from "./Details.tsx";
import { FrameCard } from "./FrameCard.tsx";
import { LockCard } from "./LockCard.tsx";
import { Answered, Empty, Measure, Segment, Skeleton } from "./parts.tsx";
import { Table, type Column } from "./Table.tsx";

export function ZonesView(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  return (
    <div class="view" role="tabpanel" aria-label="Zones">
      <Switch>
        <Match when={view().said === "zones"}>
          <ZoneList />
        </Match>
        <Match when={view().said === "frames"}>
          <FrameCards />
        </Match>
        <Match when={view().said === "locks"}>
          <LockCards />
        </Match>
      </Switch>
    </div>
  );
}

function Choose(): JSX.Element {
  const { store } = useApp();
  return (
    <Segment
      label="What the program said"
      value={store.view().said}
      options={[
        ["zones", "Zones"],
        ["frames", "Frames"],
        ["locks", "Locks"],
      ]}
      choose={(said) => {
        store.change({ said });
      }}
    />
  );
}

function ZoneList(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const [onlyHits, setOnlyHits] = createSignal(true);
  const [exact, setExact] = createSignal(false);
  const answer = ask<Zones>(
    createMemo(() =>
      path(
        "zones",
        store.place(),
        query({
          sort: view().zoneSort,
          desc: view().zoneAscending ? "0" : 1,
          match: onlyHits() ? view().search : "",
          percentiles: exact(),
          limit: 10_000,
        }),
      ),
    ),
    { wait: 40 },
  );
  const most = createMemo(
    () => answer.data()?.figures.reduce((sum, row) => Math.max(sum, row.total), 0) ?? 0,
  );
  const current = createMemo(() => answer.data()?.sites.findIndex((site) => site.site === view().site) ?? -1);
  const choose = (row: number) => {
    const site = answer.data()?.sites[row];
    if (!site) return;
    app.rememberSite(site);
    if (site.site === view().site) return;
    store.change(
      { site: site.site, zone: null, pick: null, inside: view().inside === "" ? "" : "site" },
      "replace",
    );
  };
  const sorted = (sort: ZoneSort) =>
    view().zoneSort === sort ? (view().zoneAscending ? "ascending" : "descending") : null;
  const column = (title: string, sort: ZoneSort, width: string, hint: string): Column => ({
    title,
    hint,
    width,
    number: sort !== "name",
    sorted: sorted(sort),
    sort: () => {
      store.change(
        view().zoneSort === sort
          ? { zoneAscending: !view().zoneAscending }
          : { zoneSort: sort, zoneAscending: sort === "name" },
        "replace",
      );
    },
  });
  const unknown = () => answer.data()?.figures.some((row) => row.p95 === null) ?? false;
  const time = (value: number | null | undefined) =>
    value === null || value === undefined ? "" : duration(value);
  return (
    <>
      <div class="bar">
        <Choose />
        <span class="muted">{answer.data() ? counted(answer.data()?.rows ?? 0, "place") : ""}</span>
        <Show when={view().search !== ""}>
          <button class="button quiet" aria-pressed={onlyHits()} onClick={() => setOnlyHits(!onlyHits())}>
            List matches only
          </button>
        </Show>
        <Show when={unknown()}>
          <button
            class="button quiet"
            title="Reads every zone once"
            onClick={() => {
              setExact(true);
            }}
          >
            Work out percentiles
          </button>
        </Show>
        <span class="spacer" />
        <span class="muted">{answer.data() ? counted(answer.data()?.zones ?? 0, "zone") : ""}</span>
      </div>
      <div class="columns">
        <div class="grow" classList={{ stale: answer.loading() && answer.data() !== undefined }}>
          <Answered to={answer}>
            <Show when={answer.data()} fallback={<Skeleton shape="rows" />}>
              {(data) => (
                <Show when={data().empty === null} fallback={<Empty why={data().empty ?? ""} />}>
                  <Table
                    label="Zones by place"
                    columns={[
                      column("Total", "total", "clamp(150px, 13vw, 260px)", "Sum of the durations"),
                      column("Self", "self", "84px", "Without the zones directly inside"),
                      column("Count", "count", "84px", "Number of zones that begin in the selected time"),
                      column("Mean", "mean", "84px", "Mean duration"),
                      { title: "Median", width: "84px", number: true },
                      column("95 %", "p95", "84px", "95 of 100 take at most this"),
                      { title: "99 %", width: "84px", number: true },
                      column("Longest", "max", "84px", "The longest"),
                      column("Zone", "name", "minmax(140px, 2fr)", "Its name"),
                      { title: "Where", width: "minmax(100px, 1.4fr)" },
                    ]}
                    rows={data().sites.length}
                    current={current()}
                    onCurrent={choose}
                    onOpen={(row) => {
                      choose(row);
                      store.change({ inside: "site", tab: "flame" });
                    }}
                    rowClass={(row) => ({ hit: app.siteHits()?.has(data().sites[row].site) ?? false })}
                    cells={(row) => {
                      const figures = () => data().figures[row];
                      const site = () => data().sites[row];
                      const number = (text: string) => (
                        <span class="cell num" role="gridcell">
                          {text}
                        </span>
                      );
                      return (
                        <Show when={row < data().sites.length}>
                          <span class="cell" role="gridcell">
                            <Measure value={figures().total} whole={most()} of="total" />
                          </span>
                          {number(time(figures().self))}
                          {number(count(figures().count))}
                          {number(time(figures().mean))}
                          {number(time(figures().p50))}
                          {number(time(figures().p95))}
                          {number(time(figures().p99))}
                          {number(time(figures().max))}
                          <span class="cell name" role="gridcell">
                            <span
                              class="swatch"
                              style={{ background: zoneFill(site(), isDark()).fill }}
                              aria-hidden="true"
                            />
                            {site().label}
                          </span>
                          <span class="cell muted" role="gridcell" title={site().path}>
                            {place(site().short, site().line)}
                          </span>
                        </Show>
                      );
                    }}
                  />
                </Show>
              )}
            </Show>
          </Answered>
        </div>
        <Details />
      </div>
    </>
  );
}

function FrameCards(): JSX.Element {
  const { store } = useApp();
  const answer = ask<Frames>(createMemo(() => path("frames", store.place(), query({ limit: 20 }))));
  return (
    <Cards
      label="Frames"
      answer={answer}
      of={(data) => data.sets}
      none="The program marks no frames here. Mark each with `sondage.frame_mark()` in Python or `frame_mark!()` in Rust; if it does, widen the selected time."
      bar={<Choose />}
    >
      {(set) => <FrameCard set={set} />}
    </Cards>
  );
}

function LockCards(): JSX.Element {
  const { store } = useApp();
  const answer = ask<Locks>(createMemo(() => path("locks", store.place())));
  return (
    <Cards
      label="Locks"
      answer={answer}
      of={(data) => data.locks}
      none="No wrapped lock was asked for here. Use `sondage.Lock` in place of `threading.Lock`, or `sondage.patch_threading()`; if you do, widen the selected time."
      bar={
        <>
          <Choose />
          <span class="muted">{answer.data() ? counted(answer.data()?.locks.length ?? 0, "lock") : ""}</span>
        </>
      }
    >
      {(lock) => <LockCard lock={lock} />}
    </Cards>
  );
}
