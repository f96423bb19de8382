/** The picked function: its figures in the present selection, its hottest lines, and what can be done. */
import { createEffect, createMemo, For, on, Show, type JSX } from "solid-js";
import { STATE_NAMES, type ByState, type Functions, type Sandwich, type Source } from "../api/types.ts";
import { path, query, throughQuery } from "../api/query.ts";
import { duration, percent, place } from "../layout/format.ts";
import { sizeOf } from "../render/canvas.ts";
import { ask } from "../state/ask.ts";
import { STATE_LABELS, useApp } from "./app.ts";
import { CloseIcon } from "./icons.tsx";
import { escaped, Split, StateSwatch, Swatch } from "./parts.tsx";
import { ZoneDetails } from "./ZoneDetails.tsx";

/** Below this width of the page there is no room beside the picture. */
const NEEDS = 1100;

export function Details(): JSX.Element {
  const app = useApp();
  const size = sizeOf(() => document.documentElement);
  return (
    <Show when={size().width >= NEEDS}>
      <Show when={app.store.view().pick === null} fallback={<Content />}>
        <Show when={app.store.view().site !== null}>
          <ZoneDetails />
        </Show>
      </Show>
    </Show>
  );
}

function Content(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const filter = () => throughQuery(store.filter());
  const answer = ask<Sandwich>(
    createMemo(() =>
      view().pick === null ? null : path("sandwich", filter(), query({ function: view().pick, px: 200 })),
    ),
    { wait: 60 },
  );
  const name = createMemo(() => answer.data()?.name);
  const source = ask<Source>(
    createMemo(() => (name()?.file ? path("source", filter(), query({ function: name()?.function })) : null)),
    { wait: 60 },
  );
  const functions = ask<Functions>(
    createMemo(() => {
      const label = name()?.label;
      return label === undefined
        ? null
        : path("functions", store.filter(), query({ match: `^${escaped(label)} \\(`, limit: 50 }));
    }),
    { wait: 60 },
  );
  createEffect(
    on(name, (now) => {
      if (now) app.remember(now);
    }),
  );
  const states = createMemo<ByState<number> | null>(() => {
    const table = functions.data();
    const at = table?.function.indexOf(view().pick ?? -1) ?? -1;
    if (!table || at < 0) return null;
    return Object.fromEntries(
      STATE_NAMES.map((state) => [state, table.states[state][at]]),
    ) as ByState<number>;
  });
  const whole = () => functions.data()?.total ?? answer.data()?.totalWeight ?? 0;
  const lines = createMemo(() => {
    const now = source.data();
    if (!now || now.function.length === 0) return [];
    const text = now.text?.split("\n") ?? [];
    return now.line
      .map((line, i) => ({
        line,
        self: now.self[i],
        total: now.totalWeight[i],
        mine: now.function[i] === name()?.function,
        text: (text[line - 1] ?? "").trim(),
      }))
      .filter((line) => line.mine && line.total > 0)
      .sort((a, b) => b.total - a.total)
      .slice(0, 7);
  });
  return (
    <aside class="details" aria-label="The picked function" classList={{ stale: answer.loading() }}>
      <Show when={answer.data()} fallback={<p class="muted">{answer.error()?.message ?? ""}</p>}>
        {(now) => (
          <>
            <div class="top-line">
              <h2>
                <Swatch name={now().name} />
                {now().name.label}
              </h2>
              <button
                class="icon small"
                aria-label="Close details"
                title="Close"
                onClick={() => {
                  store.change({ pick: null }, "replace");
                }}
              >
                <CloseIcon />
              </button>
            </div>
            <div class="where">
              {place(now().name.file, now().name.line)}
              <Show when={!now().name.own && now().name.file !== ""}>, library</Show>
            </div>
            <div class="figures">
              <span class="muted">Total</span>
              <span class="track">
                <i
                  style={{
                    width: `${String((100 * now().totalWeight) / Math.max(1, whole()))}%`,
                    background: "var(--bar-total)",
                  }}
                />
              </span>
              <span class="num">{duration(now().totalWeight)}</span>
              <span class="num muted">{percent(now().totalWeight, whole())}</span>
              <span class="muted">Self</span>
              <span class="track">
                <i
                  style={{
                    width: `${String((100 * now().self) / Math.max(1, whole()))}%`,
                    background: "var(--bar-self)",
                  }}
                />
              </span>
              <span class="num">{duration(now().self)}</span>
              <span class="num muted">{percent(now().self, whole())}</span>
            </div>
            <Show when={states()}>
              {(by) => (
                <Show when={now().self > 0}>
                  <h3>Self time by state</h3>
                  <Split states={by()} />
                  <div class="figures plain">
                    <For each={STATE_NAMES.filter((state) => by()[state] > 0)}>
                      {(state) => (
                        <>
                          <span>
                            <StateSwatch state={state} />
                            {STATE_LABELS[state]}
                          </span>
                          <span class="num">{duration(by()[state])}</span>
                          <span class="num muted">{percent(by()[state], now().self)}</span>
                        </>
                      )}
                    </For>
                  </div>
                </Show>
              )}
            </Show>
            <div class="actions">
              <button
                class="button"
                onClick={() => {
                  store.change({ focus: view().focus === now().name.function ? null : now().name.function });
                }}
              >
                {view().focus === now().name.function ? "Drop filter" : "Only its stacks"}
              </button>
              <button
                class="button"
                onClick={() => {
                  store.change({ tab: "sandwich" });
                }}
              >
                Sandwich
              </button>
              <button
                class="button"
                disabled={now().name.file === ""}
                onClick={() => {
                  store.change({ tab: "source", file: null });
                }}
              >
                Source
              </button>
              <button
                class="button"
                onClick={() => {
                  store.change({ search: escaped(now().name.label) });
                }}
              >
                Search
              </button>
            </div>
            <Show when={lines().length > 0}>
              <h3>Hottest lines</h3>
              <div class="lines">
                <For each={lines()}>
                  {(line) => (
                    <button
                      title={`line ${String(line.line)}: total ${duration(line.total)}, self ${duration(line.self)}`}
                      onClick={() => {
                        store.change({ tab: "source", file: null });
                      }}
                    >
                      <span class="num">{percent(line.total, whole())}</span>
                      <span class="n">{line.line}</span>
                      <span class="clip">{line.text}</span>
                    </button>
                  )}
                </For>
              </div>
            </Show>
          </>
        )}
      </Show>
    </aside>
  );
}
