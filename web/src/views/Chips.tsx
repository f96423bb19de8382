/** What the views are narrowed to, as chips that can be taken away. */
import { createEffect, createMemo, For, Show, type JSX } from "solid-js";
import type { Sandwich, SearchAnswer, Zones } from "../api/types.ts";
import { path, query } from "../api/query.ts";
import { duration, instant, percent } from "../layout/format.ts";
import { ask } from "../state/ask.ts";
import { STATE_LABELS, useApp } from "./app.ts";
import { CloseIcon } from "./icons.tsx";

interface Chip {
  readonly kind: string;
  readonly text: string;
  readonly remove: () => void;
}

export function Chips(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const chips = createMemo<Chip[]>(() => {
    const now = view();
    const out: Chip[] = [];
    if (now.range) {
      const [from, to] = now.range;
      const step = (to - from) / 200;
      out.push({
        kind: "time",
        text: `${instant(from, step)} – ${instant(to, step)}`,
        remove: () => {
          store.change({ range: null });
        },
      });
    }
    for (const id of now.processes) {
      out.push({
        kind: "process",
        text: app.process(id)?.name ?? String(id),
        remove: () => {
          store.change({ processes: now.processes.filter((one) => one !== id) });
        },
      });
    }
    if (now.threads.length > 3) {
      out.push({
        kind: "threads",
        text: String(now.threads.length),
        remove: () => {
          store.change({ threads: [] });
        },
      });
    } else {
      for (const id of now.threads) {
        out.push({
          kind: "thread",
          text: app.thread(id)?.name ?? String(id),
          remove: () => {
            store.change({ threads: now.threads.filter((one) => one !== id) });
          },
        });
      }
    }
    if (now.states)
      out.push({
        kind: "state",
        text: now.states.map((name) => STATE_LABELS[name]).join(", "),
        remove: () => {
          store.change({ states: null });
        },
      });
    if (now.gil)
      out.push({
        kind: "GIL",
        text: "held",
        remove: () => {
          store.change({ gil: false });
        },
      });
    if (now.focus !== null)
      out.push({
        kind: "through",
        text: app.nameOf(now.focus) ?? "…",
        remove: () => {
          store.change({ focus: null });
        },
      });
    if (now.inside !== "" && now.site !== null) {
      const label = app.siteOf(now.site)?.label ?? "…";
      out.push({
        kind: "inside",
        text: now.inside === "zone" ? `this ${label}` : `every ${label}`,
        remove: () => {
          store.change({ inside: "" });
        },
      });
    }
    if (now.only && now.search !== "")
      out.push({
        kind: "match",
        text: now.search,
        remove: () => {
          store.change({ only: false });
        },
      });
    return out;
  });
  // A link may name a function that nothing has shown yet.
  const unknown = ask<Sandwich>(
    createMemo(() => {
      const { focus, rec } = view();
      return focus !== null && app.nameOf(focus) === null
        ? path("sandwich", query({ rec, function: focus, px: 100 }))
        : null;
    }),
  );
  createEffect(() => {
    const answer = unknown.data();
    if (answer) app.remember(answer.name);
  });
  // So may it name a place of zones.
  const unknownSite = ask<Zones>(
    createMemo(() => {
      const { site, rec } = view();
      return site !== null && app.siteOf(site) === undefined
        ? path("zones", query({ rec, limit: 10_000 }))
        : null;
    }),
  );
  createEffect(() => {
    for (const site of unknownSite.data()?.sites ?? []) app.rememberSite(site);
  });
  // How much the selection weighs: the search call with an expression that matches everything.
  const weight = ask<SearchAnswer>(
    createMemo(() => path("search", store.filter(), query({ q: "." }))),
    { wait: 80 },
  );
  const all = ask<SearchAnswer>(createMemo(() => path("search", query({ rec: view().rec, q: "." }))));
  return (
    <div class="chips" aria-label="Selection">
      <For each={chips()}>
        {(chip) => (
          <span class="chip">
            <span class="kind">{chip.kind}</span>
            <span>{chip.text}</span>
            <button
              aria-label={`Remove ${chip.kind} ${chip.text}`}
              title="Remove"
              onClick={() => {
                chip.remove();
              }}
            >
              <CloseIcon />
            </button>
          </span>
        )}
      </For>
      <Show when={weight.data()}>
        {(now) => (
          <span
            class="weight"
            title="Thread time in the selection, of the whole recording without time asleep"
          >
            <b>{duration(now().total)}</b>
            <Show when={chips().length > 0 && all.data()}>
              {(whole) => (
                <>
                  {" "}
                  of {duration(whole().total)} ({percent(now().total, whole().total)})
                </>
              )}
            </Show>
            <Show when={chips().length === 0}> of thread time</Show>
          </span>
        )}
      </Show>
    </div>
  );
}
