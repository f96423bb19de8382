/** One function in the middle: who calls it above, what it calls below. */
import { createEffect, createMemo, createSignal, on, Show, type JSX } from "solid-js";
import type { Flame, Functions, Sandwich } from "../api/types.ts";
import { path, query } from "../api/query.ts";
import { indexFlame } from "../layout/flame.ts";
import { duration, percent, place } from "../layout/format.ts";
import type { Window } from "../layout/scale.ts";
import { sizeOf } from "../render/canvas.ts";
import { ask } from "../state/ask.ts";
import { useApp } from "./app.ts";
import { FlameCanvas } from "./FlameCanvas.tsx";
import { FlameTable } from "./FlameTable.tsx";
import { Empty, Failed, functionMenu, Measure, Skeleton, Swatch } from "./parts.tsx";
import { Table } from "./Table.tsx";

const LISTED = 1000;

export function SandwichView(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const [host, setHost] = createSignal<HTMLDivElement>();
  const size = sizeOf(host);
  const filter = createMemo(() => store.filter().replace(/(^|&)function=[^&]*/, "").replace(/^&/, ""));
  const functions = ask<Functions>(createMemo(() => path("functions", store.filter(), query({ sort: view().sort === "name" ? "self" : view().sort, limit: LISTED }))));
  // Without a picked function the hottest one is in the middle.
  const middle = createMemo(() => view().pick ?? functions.data()?.function[0] ?? null);
  const px = createMemo(() => Math.max(200, Math.ceil(size().width / 100) * 100));
  const answer = ask<Sandwich>(createMemo(() => (middle() === null || size().width <= 0 ? null : path("sandwich", filter(), query({ function: middle(), px: px() })))));
  createEffect(on(answer.data, (data) => { if (data) app.remember(data.name); }));

  const current = createMemo(() => functions.data()?.function.indexOf(middle() ?? -1) ?? -1);
  const nameAt = (table: Functions, row: number) => ({ function: table.function[row], label: table.label[row], file: table.file[row], short: table.short[row], line: table.line[row], kind: table.kind[row], package: table.package[row], own: table.own[row] });

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
                    { title: "Self", width: "116px", number: true, sorted: view().sort !== "total" ? "descending" : null, sort: () => { store.change({ sort: "self", descending: true }, "replace"); } },
                    { title: "Total", width: "64px", number: true, sorted: view().sort === "total" ? "descending" : null, sort: () => { store.change({ sort: "total", descending: true }, "replace"); } },
                    { title: "Function", width: "minmax(0, 1fr)" },
                  ]}
                  rows={table().function.length}
                  current={current()}
                  onCurrent={(row) => {
                    app.remember(nameAt(table(), row));
                    store.change({ pick: table().function[row] }, "replace");
                  }}
                  onMenu={(row, x, y) => { app.setMenu({ x, y, head: table().label[row], items: functionMenu(app, nameAt(table(), row)) }); }}
                  rowClass={(row) => ({ hit: app.hits()?.has(table().function[row]) ?? false })}
                  cells={(row) => (
                    <>
                      <span class="cell" role="gridcell"><Measure value={table().self[row]} whole={table().total} of="self" /></span>
                      <span class="cell num muted" role="gridcell">{percent(table().totalWeight[row], table().total)}</span>
                      <span class="cell name" role="gridcell" title={`${table().label[row]}, ${place(table().file[row], table().line[row])}`}><Swatch name={nameAt(table(), row)} />{table().label[row]}</span>
                    </>
                  )}
                />
              </Show>
            )}
          </Show>
        </div>
        <div class="bread" ref={setHost} classList={{ stale: answer.loading() && answer.data() !== undefined }}>
          <Show when={!answer.error()} fallback={<Show when={answer.error()}>{(error) => <Failed error={error()} retry={() => { answer.retry(); }} />}</Show>}>
            <Show when={answer.data()} fallback={<Show when={middle() !== null}><Skeleton shape="flame" /></Show>}>
              {(now) => (
                <>
                  <Half label="Callers" flame={now().callers} upwards />
                  <div class="filling">
                    <Swatch name={now().name} />
                    <h2 class="clip">{now().name.qualified ?? now().name.label}</h2>
                    <span class="muted clip">{place(now().name.file, now().name.line)}</span>
                    <span class="spacer" />
                    <span><span class="muted">total</span> {duration(now().totalWeight)} <span class="muted">{percent(now().totalWeight, functions.data()?.total ?? 0)}</span></span>
                    <span><span class="muted">self</span> {duration(now().self)} <span class="muted">{percent(now().self, functions.data()?.total ?? 0)}</span></span>
                    <button class="button" onClick={() => { store.change({ focus: view().focus === now().name.function ? null : now().name.function }); }}>{view().focus === now().name.function ? "Drop filter" : "Only its stacks"}</button>
                    <button class="button" disabled={now().name.file === ""} onClick={() => { store.change({ tab: "source", pick: now().name.function, file: null }); }}>Source</button>
                  </div>
                  <Half label="Callees" flame={now().callees} upwards={false} />
                </>
              )}
            </Show>
          </Show>
        </div>
      </div>
    </div>
  );
}

function Half(props: { label: string; flame: Flame; upwards: boolean }): JSX.Element {
  const app = useApp();
  const index = createMemo(() => indexFlame(props.flame));
  const bounds = createMemo<Window>(() => ({ from: 0, to: Math.max(1, props.flame.total) }));
  const [zoom, setZoom] = createSignal<Window | null>(null);
  createEffect(on(() => props.flame, () => setZoom(null)));
  const zoomTo = (row: number) => {
    const { flame } = props;
    const next = { from: flame.x[row], to: flame.x[row] + flame.w[row] };
    setZoom(flame.depth[row] === 0 ? null : next);
  };
  return (
    <div class="grow">
      <span class="side-label" style={props.upwards ? { bottom: "8px" } : { top: "8px" }}>{props.label}</span>
      <Show when={props.flame.x.length > 0} fallback={<div class="empty"><p>{props.flame.empty ?? `No ${props.label.toLowerCase()} here.`}</p></div>}>
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
            onWindow={(next) => { setZoom(next.from <= bounds().from && next.to >= bounds().to ? null : next); }}
          />
        </Show>
      </Show>
    </div>
  );
}
