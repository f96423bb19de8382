/** The call tree: children are asked for when a node is opened. */
import {
  batch,
  createEffect,
  createMemo,
  createSignal,
  For,
  on,
  onCleanup,
  onMount,
  Show,
  type JSX,
} from "solid-js";
import { get } from "../api/client.ts";
import { path, query } from "../api/query.ts";
import type { TreeAnswer, TreeChild } from "../api/types.ts";
import { duration, place } from "../layout/format.ts";
import { isHot, parentKey, treeRows, childKey } from "../layout/tree.ts";
import { ask } from "../state/ask.ts";
import { useApp } from "./app.ts";
import { Details } from "./Details.tsx";
import { RightIcon } from "./icons.tsx";
import { Answered, Empty, functionMenu, Measure, Segment, Skeleton, Swatch } from "./parts.tsx";
import { Table } from "./Table.tsx";

/** A heaviest path is not opened deeper than this at once. */
const MOST_LEVELS = 60;

export function TreeView(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const inverted = createMemo(() => query({ inverted: view().treeInverted }));
  const question = (key: string) => path("tree", store.filter(), inverted(), query({ path: key }));
  const root = ask<TreeAnswer>(createMemo(() => question("")));
  const [children, setChildren] = createSignal<ReadonlyMap<string, readonly TreeChild[]>>(new Map());
  const [open, setOpen] = createSignal<ReadonlySet<string>>(new Set<string>());
  const [currentKey, setCurrentKey] = createSignal("");
  const [reveal, setReveal] = createSignal(0);
  let abort = new AbortController();
  onCleanup(() => {
    abort.abort();
  });

  const load = async (key: string): Promise<readonly TreeChild[]> => {
    const known = children().get(key);
    if (known) return known;
    const { signal } = abort;
    const answer = (await get(question(key), signal)) as TreeAnswer;
    if (!signal.aborted) setChildren((before) => new Map(before).set(key, answer.children));
    return answer.children;
  };
  const quietly = (work: Promise<unknown>) => {
    work.catch((error: unknown) => {
      if (!(error instanceof DOMException)) app.say(error instanceof Error ? error.message : String(error));
    });
  };
  /** Opens the heaviest children below a node. */
  const openHot = async (key: string, total: number): Promise<void> => {
    let at = key;
    for (let level = 0; level < MOST_LEVELS; level++) {
      const list = await load(at);
      const heaviest = list.at(0);
      if (!heaviest || !isHot(heaviest, total)) break;
      at = childKey(at, heaviest.function);
      const opened = at;
      setOpen((before) => new Set(before).add(opened));
    }
  };

  let treeIs = "";
  createEffect(
    on(root.data, (data) => {
      if (!data) return;
      abort.abort();
      abort = new AbortController();
      const sameTree = treeIs === inverted();
      treeIs = inverted();
      const before = sameTree ? [...open()].sort((a, b) => a.length - b.length) : [];
      batch(() => {
        setChildren(new Map([["", data.children]]));
        if (!sameTree) setOpen(new Set<string>());
      });
      if (before.length === 0) quietly(openHot("", data.total));
      else quietly(Promise.all(before.map((key) => load(key))));
    }),
  );

  const rows = createMemo(() => treeRows(children(), open()));
  const current = createMemo(() => rows().findIndex((row) => row.key === currentKey()));
  const total = () => root.data()?.total ?? 0;
  const choose = (row: number) => {
    const chosen = rows()[row];
    setCurrentKey(chosen.key);
    app.remember(chosen.child);
    store.change({ pick: chosen.child.function }, "replace");
  };
  const toggle = (row: number, to?: boolean) => {
    const { key, child, open: isOpen } = rows()[row];
    if (!child.hasChildren || to === isOpen) return;
    setOpen((before) => {
      const next = new Set(before);
      if (isOpen) next.delete(key);
      else next.add(key);
      return next;
    });
    if (!isOpen) quietly(load(key));
  };
  const keys = (event: KeyboardEvent, row: number): boolean => {
    if (row < 0) return false;
    const here = rows()[row];
    if (event.key === "ArrowRight") {
      if (!here.open) toggle(row, true);
      else if (row + 1 < rows().length) choose(row + 1);
    } else if (event.key === "ArrowLeft") {
      if (here.open) toggle(row, false);
      else {
        const parent = rows().findIndex((other) => other.key === parentKey(here.key));
        if (parent >= 0) choose(parent);
      }
    } else if (event.key === " ") toggle(row);
    else if (event.key === "*") {
      setOpen((before) => new Set(before).add(here.key));
      quietly(openHot(here.key, here.child.totalWeight));
    } else return false;
    return true;
  };
  onMount(() => {
    app.tabKeys.current = {
      cycle(step) {
        const hits = app.hits();
        const all = rows();
        if (!hits || all.length === 0) return;
        const found = all.flatMap((row, i) => (hits.has(row.child.function) ? [i] : []));
        if (found.length === 0) {
          app.say("No hit among the open rows; * opens the heaviest path.");
          return;
        }
        const next =
          step > 0
            ? (found.find((i) => i > current()) ?? found[0])
            : (found.findLast((i) => i < current()) ?? found[found.length - 1]);
        app.setHitPlace({ at: found.indexOf(next) + 1, of: found.length });
        choose(next);
        setReveal((n) => n + 1);
      },
    };
    onCleanup(() => {
      app.tabKeys.current = {};
    });
  });

  return (
    <div class="view" role="tabpanel" aria-label="Call tree">
      <div class="bar">
        <Segment
          label="Root"
          value={view().treeInverted ? "leaves" : "roots"}
          options={[
            ["roots", "Callers first", "From the outermost function down"],
            ["leaves", "Inverted", "From where time was spent up to its callers"],
          ]}
          choose={(to) => {
            store.change({ treeInverted: to === "leaves" });
          }}
        />
        <button
          class="button quiet"
          onClick={() => {
            quietly(openHot("", total()));
          }}
        >
          Open the heaviest path
        </button>
        <button class="button quiet" disabled={open().size === 0} onClick={() => setOpen(new Set<string>())}>
          Close all
        </button>
        <span class="spacer" />
        <span class="muted">{root.data() ? duration(total()) : ""}</span>
      </div>
      <div class="columns">
        <div class="grow" classList={{ stale: root.loading() && root.data() !== undefined }}>
          <Answered to={root}>
            <Show when={root.data()} fallback={<Skeleton shape="rows" />}>
              {(data) => (
                <Show when={data().empty === null} fallback={<Empty why={data().empty ?? ""} />}>
                  <Table
                    label="Call tree"
                    tree
                    columns={[
                      {
                        title: "Total",
                        width: "clamp(166px, 13vw, 280px)",
                        number: true,
                        hint: "Time in this function and what it calls, by this path",
                      },
                      {
                        title: "Self",
                        width: "clamp(166px, 13vw, 280px)",
                        number: true,
                        hint: "Time in this function itself, by this path",
                      },
                      { title: "Function", width: "minmax(240px, 3fr)" },
                      { title: "File", width: "minmax(120px, 1.1fr)" },
                    ]}
                    rows={rows().length}
                    current={current()}
                    reveal={reveal()}
                    onCurrent={choose}
                    onKey={keys}
                    onOpen={(row) => {
                      toggle(row);
                    }}
                    onMenu={(row, x, y) => {
                      app.setMenu({
                        x,
                        y,
                        head: rows()[row].child.label,
                        items: functionMenu(app, rows()[row].child),
                      });
                    }}
                    rowClass={(row) => ({ hit: app.hits()?.has(rows()[row].child.function) ?? false })}
                    rowAria={(row) => ({
                      "aria-level": rows()[row].depth + 1,
                      "aria-expanded": rows()[row].child.hasChildren ? rows()[row].open : undefined,
                    })}
                    cells={(row) => (
                      <>
                        <span class="cell" role="gridcell">
                          <Measure value={rows()[row].child.totalWeight} whole={data().total} of="total" />
                        </span>
                        <span class="cell" role="gridcell">
                          <Measure value={rows()[row].child.self} whole={data().total} of="self" />
                        </span>
                        <span class="cell name tree-name" role="gridcell">
                          <For each={Array.from({ length: Math.min(rows()[row].depth, 60) })}>
                            {() => <span class="guide" />}
                          </For>
                          <span
                            class="twist"
                            classList={{ open: rows()[row].open }}
                            onPointerDown={(event) => {
                              event.stopPropagation();
                              toggle(row);
                            }}
                          >
                            <Show when={rows()[row].child.hasChildren}>
                              <RightIcon />
                            </Show>
                          </span>
                          <Swatch name={rows()[row].child} />
                          <span class="clip">{rows()[row].child.label}</span>
                          <Show when={rows()[row].waiting}>
                            <span class="muted">&nbsp;…</span>
                          </Show>
                        </span>
                        <span class="cell muted" role="gridcell" title={rows()[row].child.file}>
                          {place(rows()[row].child.short, rows()[row].child.line)}
                        </span>
                      </>
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
