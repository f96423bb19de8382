/** Pieces that several views use: bars in cells, what is shown when there is nothing, choices. */
import { createMemo, For, Show, type JSX } from "solid-js";
import type { ApiError } from "../api/client.ts";
import { STATE_NAMES, type ByState, type FunctionName, type StateName } from "../api/types.ts";
import { categoryFill } from "../layout/colour.ts";
import { duration, percent, place } from "../layout/format.ts";
import type { Answer } from "../state/ask.ts";
import { isDark } from "../state/theme.ts";
import { useApp, STATE_LABELS, type MenuItem } from "./app.ts";

/** A weight with its share of the whole and a bar; a full bar stands for `most`, or for the whole. */
export function Measure(props: {
  value: number;
  whole: number;
  most?: number;
  of: "self" | "total";
}): JSX.Element {
  return (
    <div class="measure">
      <span class="track">
        <Show when={props.value > 0}>
          <i
            style={{
              width: `${String(Math.min(100, (100 * props.value) / Math.max(1, props.most ?? props.whole)))}%`,
              background: `var(--bar-${props.of})`,
            }}
          />
        </Show>
      </span>
      <span class="amount" classList={{ muted: props.value <= 0 }}>
        {props.value > 0 ? duration(props.value) : "–"}
      </span>
      <span class="share">{props.value > 0 ? percent(props.value, props.whole) : ""}</span>
    </div>
  );
}

/** A bar split by state. */
export function Split(props: { states: ByState<number> }): JSX.Element {
  const total = () => STATE_NAMES.reduce((sum, name) => sum + props.states[name], 0);
  const title = () =>
    STATE_NAMES.filter((name) => props.states[name] > 0)
      .map(
        (name) =>
          `${STATE_LABELS[name]} ${duration(props.states[name])} (${percent(props.states[name], total())})`,
      )
      .join(", ");
  return (
    <Show when={total() > 0}>
      <div class="split" title={title()} role="img" aria-label={title()}>
        <For each={STATE_NAMES}>
          {(name) => (
            <Show when={props.states[name] > 0}>
              <i
                style={{
                  width: `${String((100 * props.states[name]) / total())}%`,
                  background: `var(--state-${name})`,
                }}
              />
            </Show>
          )}
        </For>
      </div>
    </Show>
  );
}

/** Text that loses its middle where there is no room: the end tells threads of a pool apart. */
export function MiddleClip(props: { text: string }): JSX.Element {
  const cut = () => Math.max(0, props.text.length - 4);
  return (
    <Show when={props.text.length > 12} fallback={<span class="clip">{props.text}</span>}>
      <span class="middle-clip" title={props.text}>
        <span class="clip">{props.text.slice(0, cut())}</span>
        <span>{props.text.slice(cut())}</span>
      </span>
    </Show>
  );
}

/** The colour of a function's package, as in the flame graph. */
export function Swatch(props: { name: Pick<FunctionName, "package" | "own" | "kind"> }): JSX.Element {
  const fill = createMemo(
    () => categoryFill(props.name.package, props.name.own, props.name.kind, isDark()).fill,
  );
  return <span class="swatch" style={{ background: fill() }} aria-hidden="true" />;
}

/** Why there is nothing, and buttons that change it. */
export function Empty(props: { why: string }): JSX.Element {
  const app = useApp();
  const view = app.store.view;
  const fixes = createMemo(() => {
    const out: { label: string; run: () => void }[] = [];
    const states = app.states();
    if (!states.has("blocked")) {
      out.push({
        label: "Include time asleep",
        run: () => {
          app.store.change({ states: [...states, "blocked"] });
        },
      });
    }
    if (view().only)
      out.push({
        label: "Search without narrowing",
        run: () => {
          app.store.change({ only: false });
        },
      });
    if (view().focus !== null)
      out.push({
        label: "Drop the function filter",
        run: () => {
          app.store.change({ focus: null });
        },
      });
    if (view().inside === "zone")
      out.push({
        label: "All zones of this place",
        run: () => {
          app.store.change({ inside: "site" });
        },
      });
    if (view().inside !== "")
      out.push({
        label: "Samples outside zones too",
        run: () => {
          app.store.change({ inside: "" });
        },
      });
    if (view().range)
      out.push({
        label: "Whole recording",
        run: () => {
          app.store.change({ range: null });
        },
      });
    if (view().threads.length + view().processes.length > 0) {
      out.push({
        label: "All threads",
        run: () => {
          app.store.change({ threads: [], processes: [] });
        },
      });
    }
    if (view().gil)
      out.push({
        label: "With and without the GIL",
        run: () => {
          app.store.change({ gil: false });
        },
      });
    if (view().states)
      out.push({
        label: "Usual states",
        run: () => {
          app.store.change({ states: null });
        },
      });
    return out;
  });
  return (
    <div class="empty" role="status">
      <h2>Nothing to show here</h2>
      <p>{props.why}</p>
      <div class="actions">
        <For each={fixes()}>
          {(fix, i) => (
            <button class="button" classList={{ primary: i() === 0 }} onClick={fix.run}>
              {fix.label}
            </button>
          )}
        </For>
      </div>
    </div>
  );
}

/** What went wrong, and how to try again. */
export function Failed(props: { error: ApiError; retry: () => void }): JSX.Element {
  return (
    <div class="failed" role="alert">
      <h2>{props.error.message}</h2>
      <Show when={props.error.hint}>
        <p>{props.error.hint}</p>
      </Show>
      <div class="actions">
        <button
          class="button primary"
          onClick={() => {
            props.retry();
          }}
        >
          Try again
        </button>
      </div>
    </div>
  );
}

/** What an answer is shown as, or what went wrong with it and how to try again. */
export function Answered(props: { to: Answer<unknown>; children: JSX.Element }): JSX.Element {
  return (
    <Show keyed when={props.to.error()} fallback={props.children}>
      {(error) => (
        <Failed
          error={error}
          retry={() => {
            props.to.retry();
          }}
        />
      )}
    </Show>
  );
}

/** Grey bars in the shape of what will come. */
export function Skeleton(props: { shape: "flame" | "rows" }): JSX.Element {
  const widths = () =>
    props.shape === "flame"
      ? [100, 100, 98, 92, 71, 64, 40, 33, 21]
      : [82, 64, 71, 48, 55, 60, 37, 42, 51, 30, 44, 26];
  return (
    <div class="skeleton" aria-hidden="true">
      <For each={widths()}>
        {(width, i) => (
          <i style={{ width: `${String(width)}%`, "animation-delay": `${String(i() * 60)}ms` }} />
        )}
      </For>
    </div>
  );
}

/** One of a few. */
export function Segment<T extends string>(props: {
  label: string;
  value: T;
  options: readonly (readonly [T, string, string?])[];
  choose: (value: T) => void;
}): JSX.Element {
  const keys = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const at = props.options.findIndex(([value]) => value === props.value);
    const next = props.options[(at + step + props.options.length) % props.options.length];
    props.choose(next[0]);
    const group = event.currentTarget;
    queueMicrotask(() => group.querySelector<HTMLElement>('[aria-checked="true"]')?.focus());
  };
  return (
    <div class="segment" role="radiogroup" aria-label={props.label} onKeyDown={keys}>
      <For each={props.options}>
        {([value, text, title]) => (
          <button
            role="radio"
            aria-checked={props.value === value}
            tabIndex={props.value === value ? 0 : -1}
            title={title}
            onClick={() => {
              props.choose(value);
            }}
          >
            {text}
          </button>
        )}
      </For>
    </div>
  );
}

export function StateSwatch(props: { state: StateName }): JSX.Element {
  return <span class="swatch" style={{ background: `var(--state-${props.state})` }} aria-hidden="true" />;
}

/** What can be done with a function, wherever it is shown. */
export function functionMenu(app: ReturnType<typeof useApp>, name: FunctionName): (MenuItem | null)[] {
  const { store } = app;
  app.remember(name);
  const focused = store.view().focus === name.function;
  return [
    {
      label: focused ? "Drop the function filter" : "Only stacks with this function",
      key: "O",
      run: () => {
        store.change({ focus: focused ? null : name.function, pick: name.function });
      },
    },
    {
      label: "Callers and callees",
      key: "2",
      run: () => {
        store.change({ tab: "sandwich", pick: name.function });
      },
    },
    {
      label: "Show source",
      key: "5",
      disabled: name.file === "",
      run: () => {
        store.change({ tab: "source", pick: name.function, file: null });
      },
    },
    null,
    {
      label: "Search for this name",
      run: () => {
        store.change({ search: escaped(name.label) });
      },
    },
    {
      label: "Copy name",
      key: "C",
      run: () => {
        copy(app, name.qualified ?? name.label);
      },
    },
    {
      label: "Copy file and line",
      disabled: name.file === "",
      run: () => {
        copy(app, place(name.file, name.line));
      },
    },
  ];
}

export function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

export function copy(app: ReturnType<typeof useApp>, text: string): void {
  navigator.clipboard.writeText(text).then(
    () => {
      app.say(`Copied ${text}`);
    },
    () => {
      app.say("The browser did not allow copying.");
    },
  );
}
