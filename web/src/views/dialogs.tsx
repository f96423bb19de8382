/** The command palette and the list of keys. */
import { createEffect, createMemo, createSignal, For, on, onCleanup, Show, type JSX } from "solid-js";
import type { Files, Functions } from "../api/types.ts";
import { path, query } from "../api/query.ts";
import { percent, place } from "../layout/format.ts";
import { best } from "../layout/match.ts";
import { ask } from "../state/ask.ts";
import { useApp } from "./app.ts";
import { COMMANDS } from "./commands.ts";
import { CloseIcon } from "./icons.tsx";

interface Entry {
  readonly what: string;
  readonly name: string;
  readonly rest: string;
  readonly run: () => void;
}

const SHOWN = 60;
const MOST_FUNCTIONS = 2000;

export function Dialogs(): JSX.Element {
  const app = useApp();
  return (
    <Show when={app.popup()}>
      <div
        class="scrim"
        onPointerDown={(event) => {
          if (event.target === event.currentTarget) app.setPopup(null);
        }}
      >
        <Trap>{app.popup() === "palette" ? <Palette /> : <Help />}</Trap>
      </div>
    </Show>
  );
}

/** Keeps the focus inside, and gives it back at the end. */
function Trap(props: { children: JSX.Element }): JSX.Element {
  const before = document.activeElement;
  let box: HTMLDivElement | undefined;
  queueMicrotask(() => box?.querySelector<HTMLElement>("input, button")?.focus());
  onCleanup(() => {
    if (before instanceof HTMLElement) before.focus();
  });
  const keys = (event: KeyboardEvent) => {
    if (event.key !== "Tab" || !box) return;
    const all = [...box.querySelectorAll<HTMLElement>("input, button")];
    const edge = event.shiftKey ? all[0] : all.at(-1);
    if (document.activeElement === edge) {
      event.preventDefault();
      (event.shiftKey ? all.at(-1) : all[0])?.focus();
    }
  };
  return (
    <div ref={box} onKeyDown={keys} style={{ display: "contents" }}>
      {props.children}
    </div>
  );
}

function Palette(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const [typed, setTyped] = createSignal("");
  const [at, setAt] = createSignal(0);
  let list: HTMLUListElement | undefined;
  const functions = ask<Functions>(() =>
    path("functions", store.filter(), query({ sort: "total", limit: MOST_FUNCTIONS })),
  );
  const files = ask<Files>(() => path("files", store.filter()));
  const entries = createMemo<Entry[]>(() => {
    const out: Entry[] = COMMANDS.filter((command) => !command.keyOnly).map((command) => ({
      what: "action",
      name: command.title,
      rest: command.keys.join(" or "),
      run: () => {
        command.run(app);
      },
    }));
    for (const thread of store.recording().threads) {
      out.push({
        what: "thread",
        name: thread.name,
        rest: `${app.process(thread.process)?.name ?? ""} ${String(thread.tid)}`,
        run: () => {
          store.change({ threads: [thread.id], processes: [] });
        },
      });
    }
    const table = functions.data();
    table?.function.forEach((id, i) => {
      out.push({
        what: "function",
        name: table.label[i],
        rest: `${place(table.short[i], table.line[i])}  ${percent(table.totalWeight[i], table.total)}`,
        run: () => {
          app.remember({
            function: id,
            label: table.label[i],
            file: table.file[i],
            short: table.short[i],
            line: table.line[i],
            kind: table.kind[i],
            package: table.package[i],
            own: table.own[i],
          });
          store.change({
            pick: id,
            file: null,
            ...(["info", "functions", "tree"].includes(store.view().tab) ? { tab: "sandwich" as const } : {}),
          });
        },
      });
    });
    const all = files.data();
    all?.file.forEach((id, i) => {
      out.push({
        what: "file",
        name: all.short[i],
        rest: all.path[i],
        run: () => {
          store.change({ tab: "source", file: id });
        },
      });
    });
    return out;
  });
  const found = createMemo(() => best(typed(), entries(), (entry) => `${entry.name} ${entry.rest}`, SHOWN));
  createEffect(on(typed, () => setAt(0)));
  createEffect(() => {
    list?.children[at()]?.scrollIntoView({ block: "nearest" });
  });
  const run = (entry: Entry | undefined) => {
    if (!entry) return;
    app.setPopup(null);
    entry.run();
  };
  const keys = (event: KeyboardEvent) => {
    const last = found().length - 1;
    if (event.key === "ArrowDown") setAt(Math.min(last, at() + 1));
    else if (event.key === "ArrowUp") setAt(Math.max(0, at() - 1));
    else if (event.key === "Enter") run(found()[at()]);
    else if (event.key === "Escape") app.setPopup(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="dialog palette" role="dialog" aria-modal="true" aria-label="Command palette">
      <input
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={`palette-${String(at())}`}
        placeholder="Actions, functions, threads, files"
        aria-label="Actions, functions, threads, files"
        spellcheck={false}
        value={typed()}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={keys}
      />
      <ul id="palette-list" role="listbox" ref={list}>
        <For each={found()}>
          {(entry, i) => (
            <li
              id={`palette-${String(i())}`}
              role="option"
              aria-selected={i() === at()}
              onPointerMove={() => setAt(i())}
              onClick={() => {
                run(entry);
              }}
            >
              <span class="what">{entry.what}</span>
              <span class="name clip">{entry.name}</span>
              <span class="rest clip">{entry.rest}</span>
            </li>
          )}
        </For>
      </ul>
      <Show when={found().length === 0}>
        <div class="none">Nothing here is called that.</div>
      </Show>
    </div>
  );
}

function Help(): JSX.Element {
  const app = useApp();
  const groups = ["Timeline and zoom", "Selection", "Search", "Views", "Page"] as const;
  return (
    <div class="dialog" role="dialog" aria-modal="true" aria-label="Keys">
      <header>
        <h2>Keys</h2>
        <button
          class="icon"
          aria-label="Close"
          onClick={() => {
            app.setPopup(null);
          }}
        >
          <CloseIcon />
        </button>
      </header>
      <div class="keys">
        <For each={groups}>
          {(group) => (
            <section>
              <h3>{group}</h3>
              <For each={COMMANDS.filter((command) => command.group === group && command.keys.length > 0)}>
                {(command) => (
                  <div>
                    <span>{command.title}</span>
                    <span class="group">
                      <For each={command.keys}>{(key) => <kbd>{key}</kbd>}</For>
                    </span>
                  </div>
                )}
              </For>
            </section>
          )}
        </For>
      </div>
    </div>
  );
}
