/** One function in the middle: who calls it above, what it calls below. */
import { createEffect, createMemo, createSignal, on, Show, type JSX } from "solid-js";
import type { Flame, Functions, Sandwich } from "../api/types.ts";
import { path, query, throughQuery } from "../api/query.ts";
import { categoryFill } from "../layout/colour.ts";
import { indexFlame, withoutRoots } from "../layout/flame.ts";
import { duration, percent, place } from "../layout/format.ts";
import type { Window } from "../layout/scale.ts";
import { sizeOf } from "../render/canvas.ts";
import { ask } from "../state/ask.ts";
import { isDark } from "../state/theme.ts";
import { useApp } from "./app.ts";
import { FlameCanvas } from "./FlameCanvas.tsx";
import { FlameTable } from "./FlameTable.tsx";
import { Answered, Empty, functionMenu, Skeleton, Swatch } from "./parts.tsx";
import { Table } from "./Table.tsx";

const LISTED = 1000;

export function SandwichView(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const [host, setHost] = createSignal<HTMLDivElement>();
  const size = sizeOf(host);
  const filter = createMemo(() => throughQuery(store.filter()));
  const functions = ask<Functions>(
    createMemo(() =>
      path(
        "functions",
        store.filter(),
        query({ sort: view().sort === "name" ? "self" : view().sort, limit: LISTED }),
      ),
    ),
  );
  // Without a picked function the hottest one is in the middle.
  const middle = createMemo(() => view().pick ?? functions.data()?.function[0] ?? null);
  const px = createMemo(() => Math.max(200, Math.ceil(size().width / 100) * 100));
  const answer = ask<Sandwich>(
    createMemo(() =>
      middle() === null || size().width <= 0
        ? null
        : path("sandwich", filter(), query({ function: middle(), px: px() })),
    ),
  );
  createEffect(
    on(answer.data, (data) => {
      if (data) app.remember(data.name);
    }),
  );

  const fill = createMemo(() => {
    const name = answer.data()?.name;
    return categoryFill(
      name?.package ?? "",
      name?.own ?? true,
      name?.kind ?? "python",
      isDark(),
      name?.label,
    );
  });
  const current = createMemo(() => functions.data()?.function.indexOf(middle() ?? -1) ?? -1);
  const nameAt = (table: Functions, row: number) => ({
    function: table.function[row],
    label: table.label[row],
    file: table.file[row],
    short: table.short[row],
    line: table.line[row],
    kind: table.kind[row],
    package: table.package[row],
    own: table.own[row],
  });

  return (
    <div class="view" role="tabpanel" aria-label="Sandwich">
      <div class="columns">
        <div class="side" style={{ width: "clamp(280px, 26vw, 460px)" }}>
          <Show when={functions.data()} fallback={<Skeleton shape="rows" />}>
            {(table) => (
              <Show when={table().empty === null} fallback={<Empty why={table().empty ?? ""} />}>
                <Table
                  label="Functions"
                  columns={[
                    {
                      title: "Self",
                      width: "52px",
                      number: true,
                      sorted: view().sort !== "total" ? "descending" : null,
                      sort: () => {
                        store.change({ sort: "self", descending: true }, "replace");
                      },
                    },
                    {
                      title: "Total",
                      width: "46px",
                      number: true,
                      sorted: view().sort === "total" ? "descending" : null,
                      sort: () => {
                        store.change({ sort: "total", descending: true }, "replace");
                      },
                    },
                    { title: "Function", width: "minmax(0, 1fr)" },
                  ]}
                  rows={table().function.length}
                  current={current()}
                  onCurrent={(row) => {
                    app.remember(nameAt(table(), row));
                    store.change({ pick: table().function[row] }, "replace");
                  }}
                  onMenu={(row, x, y) => {
                    app.setMenu({
                      x,
                      y,
                      head: table().label[row],
                      items: functionMenu(app, nameAt(table(), row)),
                    });
                  }}
                  rowClass={(row) => ({ hit: app.hits()?.has(table().function[row]) ?? false })}
                  cells={(row) => (
                    <>
                      <span class="cell num" role="gridcell">
                        {table().self[row] > 0 ? percent(table().self[row], table().total) : "–"}
                      </span>
                      <span class="cell num muted" role="gridcell">
                        {percent(table().totalWeight[row], table().total)}
                      </span>
                      <span
                        class="cell name"
                        role="gridcell"
                        title={`${table().label[row]}, ${place(table().file[row], table().line[row])}`}
                      >
                        <Swatch name={nameAt(table(), row)} />
                        {table().label[row]}
                      </span>
                    </>
                  )}
                />
              </Show>
            )}
          </Show>
        </div>
        <div
          class="bread"
          ref={setHost}
          classList={{ stale: answer.loading() && answer.data() !== undefined }}
        >
          <Answered to={answer}>
            <Show
              when={answer.data()}
              fallback={
                <Show when={middle() !== null}>
                  <Skeleton shape="flame" />
                </Show>
              }
            >
              {(now) => (
                <Show when={!now().empty} fallback={<Empty why={now().empty ?? ""} />}>
                  <Half label="Callers" flame={now().callers} upwards />
                  <div class="filling" style={{ background: fill().fill, color: fill().text }}>
                    <h2 class="clip">{now().name.label}</h2>
                    <span class="clip quiet-text" style={{ color: fill().quiet }}>
                      {place(now().name.file, now().name.line)}
                    </span>
                    <span class="spacer" />
                    <span>
                      total {duration(now().totalWeight)},{" "}
                      {percent(now().totalWeight, functions.data()?.total ?? 0)}
                    </span>
                    <span>
                      self {duration(now().self)}, {percent(now().self, functions.data()?.total ?? 0)}
                    </span>
                    <button
                      class="button"
                      onClick={() => {
                        store.change({
                          focus: view().focus === now().name.function ? null : now().name.function,
                        });
                      }}
                    >
                      {view().focus === now().name.function ? "Drop filter" : "Only its stacks"}
                    </button>
                    <button
                      class="button"
                      disabled={now().name.file === ""}
                      onClick={() => {
                        store.change({ tab: "source", pick: now().name.function, file: null });
                      }}
                    >
                      Source
                    </button>
                  </div>
                  <Half label="Callees" flame={now().callees} upwards={false} />
                </Show>
              )}
            </Show>
          </Answered>
        </div>
      </div>
    </div>
  );
}

function Half(props: { label: string; flame: Flame; upwards: boolean }): JSX.Element {
  const app = useApp();
  const index = createMemo(() => indexFlame(withoutRoots(props.flame)));
  const bounds = createMemo<Window>(() => ({ from: 0, to: Math.max(1, props.flame.total) }));
  const [zoom, setZoom] = createSignal<Window | null>(null);
  createEffect(
    on(
      () => props.flame,
      () => setZoom(null),
    ),
  );
  const zoomTo = (row: number) => {
    const { flame } = index();
    const next = { from: flame.x[row], to: flame.x[row] + flame.w[row] };
    setZoom(next.from <= 0 && next.to >= flame.total ? null : next);
  };
  return (
    <div class="grow">
      <span class="side-label" style={props.upwards ? { top: "8px" } : { bottom: "8px" }}>
        {props.label}
      </span>
      <Show
        when={index().flame.x.length > 0}
        fallback={
          <div class="empty">
            <p>
              {props.flame.empty ??
                (props.upwards ? "Nothing calls it: it is outermost." : "It calls nothing that was seen.")}
            </p>
          </div>
        }
      >
        <Show when={!app.store.view().asTable} fallback={<FlameTable index={index()} onZoom={zoomTo} />}>
          <FlameCanvas
            index={index()}
            window={zoom() ?? bounds()}
            bounds={bounds()}
            upwards={props.upwards}
            colour={app.store.view().colour}
            time={false}
            keyboard={!props.upwards}
            label={`${props.label} of the function`}
            onZoom={zoomTo}
            onWindow={(next) => {
              setZoom(next.from <= bounds().from && next.to >= bounds().to ? null : next);
            }}
          />
        </Show>
      </Show>
    </div>
  );
}
