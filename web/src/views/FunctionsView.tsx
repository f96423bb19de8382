/** All functions, sorted by the server, loaded as they come in sight. */
import {
  batch,
  createEffect,
  createMemo,
  createSignal,
  on,
  onCleanup,
  onMount,
  Show,
  type JSX,
} from "solid-js";
import { STATE_NAMES, type ByState, type FunctionName, type Functions } from "../api/types.ts";
import { get } from "../api/client.ts";
import { path, query } from "../api/query.ts";
import { count, counted, duration, place } from "../layout/format.ts";
import { ask } from "../state/ask.ts";
import type { Sort } from "../state/view-state.ts";
import { useApp } from "./app.ts";
import { Details } from "./Details.tsx";
import { Answered, Empty, functionMenu, Measure, Skeleton, Split, Swatch } from "./parts.tsx";
import { Table } from "./Table.tsx";

const PAGE = 200;

export function FunctionsView(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const [onlyHits, setOnlyHits] = createSignal(false);
  const base = createMemo(() =>
    query({ sort: view().sort, desc: view().descending ? 1 : "0", match: onlyHits() ? view().search : "" }),
  );
  const pageQuestion = (page: number) =>
    path("functions", store.filter(), base(), query({ offset: page * PAGE, limit: PAGE }));
  const first = ask<Functions>(createMemo(() => pageQuestion(0)));
  /** Pages behind the first, of the same question. */
  const [pages, setPages] = createSignal<ReadonlyMap<number, Functions>>(new Map());
  const [current, setCurrent] = createSignal(-1);
  const [reveal, setReveal] = createSignal(0);
  let abort = new AbortController();
  createEffect(
    on(first.data, (data) => {
      abort.abort();
      abort = new AbortController();
      batch(() => {
        setPages(data ? new Map([[0, data]]) : new Map<number, Functions>());
        const at = data?.function.indexOf(view().pick ?? -1) ?? -1;
        setCurrent(at);
      });
    }),
  );
  onCleanup(() => {
    abort.abort();
  });

  const load = async (page: number): Promise<void> => {
    if (pages().has(page)) return;
    const { signal } = abort;
    const answer = (await get(pageQuestion(page), signal)) as Functions;
    if (!signal.aborted) setPages((before) => new Map(before).set(page, answer));
  };
  const loadQuietly = (page: number) => {
    load(page).catch((error: unknown) => {
      if (!(error instanceof DOMException)) app.say(error instanceof Error ? error.message : String(error));
    });
  };
  const seen = (from: number, end: number) => {
    if (!first.data() || first.loading()) return;
    for (let page = Math.floor(from / PAGE); page * PAGE < end; page++)
      if (!pages().has(page)) loadQuietly(page);
  };

  const at = (row: number): { table: Functions; i: number } | null => {
    const table = pages().get(Math.floor(row / PAGE));
    const i = row % PAGE;
    return table && i < table.function.length ? { table, i } : null;
  };
  const nameAt = (row: number): FunctionName | null => {
    const place = at(row);
    if (!place) return null;
    const { table, i } = place;
    return {
      function: table.function[i],
      label: table.label[i],
      file: table.file[i],
      short: table.short[i],
      line: table.line[i],
      kind: table.kind[i],
      package: table.package[i],
      own: table.own[i],
    };
  };
  const states = (row: number): ByState<number> => {
    const place = at(row);
    return Object.fromEntries(
      STATE_NAMES.map((name) => [name, place?.table.states[name][place.i] ?? 0]),
    ) as ByState<number>;
  };
  /** The largest self time that is known: a full bar. */
  const mostSelf = createMemo(() =>
    [...pages().values()].reduce((most, table) => table.self.reduce((a, b) => Math.max(a, b), most), 0),
  );
  const choose = (row: number) => {
    setCurrent(row);
    const name = nameAt(row);
    if (!name) return;
    app.remember(name);
    store.change({ pick: name.function }, "replace");
  };
  const sortBy = (sort: Sort) => () => {
    store.change(
      view().sort === sort ? { descending: !view().descending } : { sort, descending: sort !== "name" },
      "replace",
    );
  };
  const sorted = (sort: Sort) =>
    view().sort === sort ? (view().descending ? "descending" : "ascending") : null;

  const cycle = async (step: 1 | -1): Promise<void> => {
    const hits = app.hits();
    const rows = first.data()?.rows ?? 0;
    if (!hits || rows === 0) return;
    let row = current();
    for (let tried = 0; tried < rows; tried++) {
      row = (row + step + rows) % rows;
      if (!at(row)) await load(Math.floor(row / PAGE));
      const name = nameAt(row);
      if (name && hits.has(name.function)) {
        choose(row);
        setReveal((n) => n + 1);
        return;
      }
    }
  };
  onMount(() => {
    app.tabKeys.current = {
      cycle: (step) => {
        cycle(step).catch(() => undefined);
      },
    };
    onCleanup(() => {
      app.tabKeys.current = {};
    });
  });

  return (
    <div class="view" role="tabpanel" aria-label="Functions">
      <div class="bar">
        <span class="muted">{first.data() ? counted(first.data()?.rows ?? 0, "function") : ""}</span>
        <Show when={view().search !== ""}>
          <button class="button quiet" aria-pressed={onlyHits()} onClick={() => setOnlyHits(!onlyHits())}>
            List matches only
          </button>
        </Show>
        <span class="spacer" />
        <Show when={first.data()}>
          {(data) => (
            <span class="muted">
              {counted(data().count, "sample")}, {duration(data().total)}
            </span>
          )}
        </Show>
      </div>
      <div class="columns">
        <div class="grow" classList={{ stale: first.loading() && first.data() !== undefined }}>
          <Answered to={first}>
            <Show when={first.data()} fallback={<Skeleton shape="rows" />}>
              {(data) => (
                <Show
                  when={data().empty === null && data().rows > 0}
                  fallback={<Empty why={data().empty ?? "No function matches the search."} />}
                >
                  <Table
                    label="Functions"
                    columns={[
                      {
                        title: "Self",
                        hint: "Time with this function innermost; a full bar is the largest",
                        width: "clamp(166px, 13vw, 280px)",
                        number: true,
                        sorted: sorted("self"),
                        sort: sortBy("self"),
                      },
                      {
                        title: "Total",
                        hint: "Time with this function anywhere on the stack",
                        width: "clamp(166px, 13vw, 280px)",
                        number: true,
                        sorted: sorted("total"),
                        sort: sortBy("total"),
                      },
                      {
                        title: "State of self",
                        hint: "What the thread was doing in the self time",
                        width: "clamp(70px, 7vw, 150px)",
                      },
                      { title: "Samples", width: "64px", number: true },
                      {
                        title: "Function",
                        width: "minmax(160px, 2fr)",
                        sorted: sorted("name"),
                        sort: sortBy("name"),
                      },
                      { title: "Package", width: "minmax(60px, 0.7fr)" },
                      { title: "File", width: "minmax(100px, 1.2fr)" },
                    ]}
                    rows={data().rows}
                    current={current()}
                    reveal={reveal()}
                    onCurrent={choose}
                    onSeen={seen}
                    onOpen={(row) => {
                      const name = nameAt(row);
                      if (name) store.change({ tab: "sandwich", pick: name.function });
                    }}
                    onMenu={(row, x, y) => {
                      const name = nameAt(row);
                      if (name) app.setMenu({ x, y, head: name.label, items: functionMenu(app, name) });
                    }}
                    rowClass={(row) => {
                      const name = nameAt(row);
                      return { hit: name !== null && (app.hits()?.has(name.function) ?? false) };
                    }}
                    cells={(row) => (
                      <Show
                        when={nameAt(row)}
                        fallback={
                          <span class="cell muted" role="gridcell">
                            …
                          </span>
                        }
                      >
                        {(name) => (
                          <>
                            <span class="cell" role="gridcell">
                              <Measure
                                value={at(row)?.table.self[row % PAGE] ?? 0}
                                whole={data().total}
                                most={mostSelf()}
                                of="self"
                              />
                            </span>
                            <span class="cell" role="gridcell">
                              <Measure
                                value={at(row)?.table.totalWeight[row % PAGE] ?? 0}
                                whole={data().total}
                                of="total"
                              />
                            </span>
                            <span class="cell" role="gridcell">
                              <Split states={states(row)} />
                            </span>
                            <span class="cell num muted" role="gridcell">
                              {(at(row)?.table.selfCount[row % PAGE] ?? 0) > 0
                                ? count(at(row)?.table.selfCount[row % PAGE] ?? 0)
                                : "–"}
                            </span>
                            <span class="cell name" role="gridcell">
                              <Swatch name={name()} />
                              {name().label}
                            </span>
                            <span class="cell muted" role="gridcell">
                              {name().package}
                            </span>
                            <span class="cell muted" role="gridcell" title={name().file}>
                              {place(name().short, name().line)}
                            </span>
                          </>
                        )}
                      </Show>
                    )}
                  />
                </Show>
              )}
            </Show>
          </Answered>
        </div>
        <Details />
      </div>
    </div>
  );
}
