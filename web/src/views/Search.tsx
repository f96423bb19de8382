/** The search field: a regular expression, how much it finds, and whether it narrows. */
import { createEffect, createMemo, createSignal, on, Show, type JSX } from "solid-js";
import { count, counted, percent } from "../layout/format.ts";
import { useApp } from "./app.ts";
import { CloseIcon, DownIcon, FunnelIcon, SearchIcon, UpIcon } from "./icons.tsx";

export function Search(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const [text, setText] = createSignal(view().search);
  let timer = 0;
  // A search set elsewhere (undo, menu, link) shows in the field.
  const search = createMemo(() => view().search);
  createEffect(
    on(search, (now) => {
      if (now !== text()) setText(now);
      app.setHitPlace(null);
    }),
  );
  const typed = (value: string) => {
    setText(value);
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      const starts = view().search === "" || value === "";
      store.change({ search: value, ...(value === "" ? { only: false } : {}) }, starts ? "push" : "replace");
    }, 140);
  };
  const answer = () => (view().search === "" ? undefined : app.search.data());
  const keys = (event: KeyboardEvent & { currentTarget: HTMLInputElement }) => {
    if (event.key === "Enter" && event.altKey) store.change({ only: !view().only });
    else if (event.key === "Enter") app.tabKeys.current.cycle?.(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      if (text() !== "") typed("");
      event.currentTarget.blur();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="search" role="search" classList={{ bad: Boolean(answer()?.error) }}>
      <SearchIcon />
      <input
        id="search"
        type="text"
        spellcheck={false}
        autocomplete="off"
        placeholder="Search functions, files and zones (regex)"
        aria-label="Search functions, files and zones, a regular expression"
        aria-describedby="search-found"
        value={text()}
        onInput={(event) => {
          typed(event.currentTarget.value);
        }}
        onKeyDown={keys}
      />
      <span class="found" id="search-found" role="status">
        <Show
          when={answer()}
          fallback={
            <Show when={text() === ""}>
              <kbd>/</kbd>
            </Show>
          }
        >
          {(now) => (
            <Show
              when={now().error === null}
              fallback={
                <span style={{ color: "var(--bad)" }} title={now().error ?? ""}>
                  not a valid expression
                </span>
              }
            >
              <Show
                when={app.hitPlace()}
                fallback={
                  <>
                    <b>{count(now().matches)}</b> {now().matches === 1 ? "hit" : "hits"}
                  </>
                }
              >
                {(place) => (
                  <>
                    <b>{place().at}</b> of {place().of}
                  </>
                )}
              </Show>
              {", "}
              {percent(now().weight, now().total)}
              <Show when={(app.zoneSearch.data()?.rows ?? 0) > 0}>
                {", "}
                <button
                  class="link"
                  title="List the zones that match"
                  onClick={() => {
                    store.change({ tab: "zones", said: "zones" });
                  }}
                >
                  {counted(app.zoneSearch.data()?.zones ?? 0, "zone")}
                </button>
              </Show>
            </Show>
          )}
        </Show>
      </span>
      <Show when={text() !== ""}>
        <button
          class="icon small"
          title="Hit before (Shift+Enter)"
          aria-label="Hit before"
          onClick={() => app.tabKeys.current.cycle?.(-1)}
        >
          <UpIcon />
        </button>
        <button
          class="icon small"
          title="Next hit (Enter)"
          aria-label="Next hit"
          onClick={() => app.tabKeys.current.cycle?.(1)}
        >
          <DownIcon />
        </button>
        <button
          class="icon small"
          classList={{ on: view().only }}
          aria-pressed={view().only}
          title="Narrow everything to stacks that match (Alt+Enter)"
          aria-label="Narrow to stacks that match"
          onClick={() => {
            store.change({ only: !view().only });
          }}
        >
          <FunnelIcon />
        </button>
        <button
          class="icon small"
          title="Clear the search"
          aria-label="Clear the search"
          onClick={() => {
            typed("");
          }}
        >
          <CloseIcon />
        </button>
      </Show>
    </div>
  );
}
