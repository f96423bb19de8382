/** What the program named: all places of zones, its frames, its locks. */
import { createMemo, createSignal, For, Match, Show, Switch, type JSX } from "solid-js";
import type { Frames, FrameSet, LockInfo, Locks, Zones } from "../api/types.ts";
import { path, query } from "../api/query.ts";
import { count, counted, duration, place } from "../layout/format.ts";
import { zoneFill } from "../layout/zones.ts";
import { ask } from "../state/ask.ts";
import { isDark } from "../state/theme.ts";
import type { ZoneSort } from "../state/view-state.ts";
import { useApp } from "./app.ts";
import { Details } from "./Details.tsx";
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
          <FrameFigures />
        </Match>
        <Match when={view().said === "locks"}>
          <LockList />
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

function FrameFigures(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const answer = ask<Frames>(createMemo(() => path("frames", store.place(), query({ limit: 20 }))));
  const none =
    "The program marks no frames here. Mark each with `sondage.frame_mark()` in Python or `frame_mark!()` in Rust; if it does, widen the selected time.";
  return (
    <>
      <div class="bar">
        <Choose />
      </div>
      <div class="columns">
        <div class="grow scrolls" tabIndex={0} role="region" aria-label="Frames">
          <Answered to={answer}>
            <Show when={answer.data()} fallback={<Skeleton shape="rows" />}>
              {(data) => (
                <Show when={data().sets.length > 0} fallback={<Empty why={none} />}>
                  <div class="info">
                    <div class="cards">
                      <For each={data().sets}>{(set) => <FrameCard set={set} />}</For>
                    </div>
                  </div>
                </Show>
              )}
            </Show>
          </Answered>
        </div>
      </div>
    </>
  );
}

function FrameCard(props: { set: FrameSet }): JSX.Element {
  const app = useApp();
  const most = () => Math.max(1, ...props.set.histogram.count);
  const facts = (): readonly (readonly [string, string])[] => [
    ["Frames", count(props.set.count)],
    ["A second", props.set.perSecond.toFixed(1)],
    ["Median", duration(props.set.p50)],
    ["95 %", duration(props.set.p95)],
    ["99 %", duration(props.set.p99)],
    ["Longest", duration(props.set.max)],
  ];
  return (
    <section class="card">
      <h2>{props.set.name === "" ? "Frames" : props.set.name}</h2>
      <p class="muted">{app.process(props.set.process)?.name}</p>
      <dl>
        <For each={facts()}>
          {([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          )}
        </For>
      </dl>
      <div class="histogram" aria-label="How many frames took how long" role="img">
        <div class="bars">
          <For each={props.set.histogram.count}>
            {(number, i) => (
              <span
                class="bar-column"
                title={`${counted(number, "frame")} of ${duration(props.set.histogram.from[i()])} to ${duration(props.set.histogram.to[i()])}`}
              >
                <i
                  style={{ height: `${String(number === 0 ? 0 : Math.max(3, (100 * number) / most()))}%` }}
                />
              </span>
            )}
          </For>
        </div>
        <div class="ends muted">
          <span>{duration(props.set.histogram.from[0] ?? 0)}</span>
          <span>{duration(props.set.histogram.to.at(-1) ?? 0)}</span>
        </div>
      </div>
      <table>
        <caption class="hidden-table">The longest frames</caption>
        <thead>
          <tr>
            <th>Longest</th>
            <th class="num">Begins</th>
            <th class="num">Duration</th>
          </tr>
        </thead>
        <tbody>
          <For each={props.set.worst.number}>
            {(number, i) => (
              <tr>
                <td>
                  <button
                    class="button quiet"
                    title="Select its time"
                    onClick={() => {
                      const start = props.set.worst.start[i()];
                      const end = start + Math.max(1, props.set.worst.duration[i()]);
                      app.store.change({ range: [start, end] });
                      app.timelineKeys.current.zoomToSelection?.();
                    }}
                  >
                    {number}
                  </button>
                </td>
                <td class="num">{duration(props.set.worst.start[i()])}</td>
                <td class="num">{duration(props.set.worst.duration[i()])}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </section>
  );
}

function LockList(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const answer = ask<Locks>(createMemo(() => path("locks", store.place())));
  const none =
    "No wrapped lock was asked for here. Use `sondage.Lock` in place of `threading.Lock`, or `sondage.patch_threading()`; if you do, widen the selected time.";
  return (
    <>
      <div class="bar">
        <Choose />
        <span class="muted">{answer.data() ? counted(answer.data()?.locks.length ?? 0, "lock") : ""}</span>
      </div>
      <div class="columns">
        <div class="grow scrolls" tabIndex={0} role="region" aria-label="Locks">
          <Answered to={answer}>
            <Show when={answer.data()} fallback={<Skeleton shape="rows" />}>
              {(data) => (
                <Show when={data().locks.length > 0} fallback={<Empty why={none} />}>
                  <div class="info">
                    <div class="cards">
                      <For each={data().locks}>{(lock) => <LockCard lock={lock} />}</For>
                    </div>
                  </div>
                </Show>
              )}
            </Show>
          </Answered>
        </div>
      </div>
    </>
  );
}

function LockCard(props: { lock: LockInfo }): JSX.Element {
  const app = useApp();
  const thread = (id: number | null) =>
    id === null ? "unknown" : app.thread(id)?.name || `thread ${String(id)}`;
  return (
    <section class="card">
      <h2>{props.lock.name}</h2>
      <p class="muted">{props.lock.place}</p>
      <dl>
        <dt>Asked for</dt>
        <dd>{counted(props.lock.count, "time")}</dd>
        <dt>Waited for</dt>
        <dd>
          {counted(props.lock.waits, "time")}, {duration(props.lock.wait)} together
        </dd>
        <dt>Longest wait</dt>
        <dd>{duration(props.lock.maxWait)}</dd>
        <dt>Held</dt>
        <dd>
          {duration(props.lock.hold)}, at most {duration(props.lock.maxHold)}
        </dd>
        <Show when={props.lock.givenUp > 0}>
          <dt>Given up</dt>
          <dd>{counted(props.lock.givenUp, "time")}</dd>
        </Show>
      </dl>
      <Show when={props.lock.pairs.length > 0}>
        <table>
          <thead>
            <tr>
              <th>Who waited</th>
              <th>Who had it</th>
              <th class="num">Times</th>
              <th class="num">Waited</th>
            </tr>
          </thead>
          <tbody>
            <For each={props.lock.pairs.slice(0, 50)}>
              {(pair) => (
                <tr>
                  <td>{thread(pair.waiter)}</td>
                  <td>{thread(pair.holder)}</td>
                  <td class="num">{count(pair.count)}</td>
                  <td class="num">{duration(pair.wait)}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </Show>
    </section>
  );
}
