/** The one place that holds the view, writes the URL and steps back and forth through changes. */
import { createMemo, createSignal, type Accessor } from "solid-js";
import { filterQuery, placeQuery } from "../api/query.ts";
import type { RecordingInfo } from "../api/types.ts";
import { changed, filterOf, INITIAL, type ViewState } from "./view-state.ts";
import { decode, encode } from "./url.ts";

/** How a change enters the history: as a step to undo, or in place of the present one. */
export type Step = "push" | "replace";

/** How many steps lie behind and before the present one; kept in the history's entries. */
interface Place {
  readonly at: number;
}

export interface Store {
  readonly view: Accessor<ViewState>;
  /** The selection as query parameters: what most questions depend on. */
  readonly filter: Accessor<string>;
  /** Its time, processes and threads only. */
  readonly place: Accessor<string>;
  readonly recording: Accessor<RecordingInfo>;
  readonly problem: Accessor<string | null>;
  readonly canUndo: Accessor<boolean>;
  readonly canRedo: Accessor<boolean>;
  change(patch: Partial<ViewState>, step?: Step): void;
  undo(): void;
  redo(): void;
}

/** The store over the browser's history. Undo and the back button are the same thing. */
export function createStore(recordings: readonly RecordingInfo[]): Store {
  const first = decode(location.hash);
  const known = (view: ViewState): ViewState => (view.rec < recordings.length ? view : { ...view, rec: 0 });
  const [whole, setView] = createSignal(known(first.view));
  const fields = fieldwise(whole);
  const view = () => fields;
  const [problem, setProblem] = createSignal(first.problem);
  const [at, setAt] = createSignal(placeOf(history.state).at);
  const [end, setEnd] = createSignal(at());

  history.replaceState({ at: at() } satisfies Place, "", encode(view()));
  let pending: number | undefined;

  const write = () => {
    pending = undefined;
    history.replaceState({ at: at() } satisfies Place, "", encode(view()));
  };

  window.addEventListener("popstate", (event) => {
    if (pending !== undefined) {
      clearTimeout(pending);
      pending = undefined;
    }
    const decoded = decode(location.hash);
    setProblem(decoded.problem);
    setView(known(decoded.view));
    setAt(placeOf(event.state).at);
  });

  const recording = createMemo(() => recordings[view().rec] ?? recordings[0]);
  return {
    view,
    filter: createMemo(() => filterQuery(filterOf(view()))),
    place: createMemo(() => placeQuery(filterOf(view()))),
    recording,
    problem,
    canUndo: () => at() > 0,
    canRedo: () => at() < end(),
    change(patch, step = "push") {
      const next = changed(view(), patch);
      const hash = encode(next);
      if (hash === encode(view())) return;
      setProblem(null);
      if (step === "push") {
        if (pending !== undefined) {
          clearTimeout(pending);
          write();
        }
        setAt(at() + 1);
        setEnd(at());
        history.pushState({ at: at() } satisfies Place, "", hash);
        setView(next);
      } else {
        setView(next);
        // PERF: browsers allow about 100 history writes in 30 s; a pan makes one a frame.
        pending ??= window.setTimeout(write, 250);
      }
    },
    undo() {
      if (at() > 0) history.back();
    },
    redo() {
      if (at() < end()) history.forward();
    },
  };
}

/**
 * The view with every field tracked by itself.
 *
 * PERF: a pan of the timeline changes `window` sixty times a second; nothing that reads only other
 * fields runs again.
 */
function fieldwise(view: Accessor<ViewState>): ViewState {
  const same = (a: unknown, b: unknown) => a === b || JSON.stringify(a) === JSON.stringify(b);
  const fields = {};
  for (const key of Object.keys(INITIAL) as (keyof ViewState)[]) {
    const field = createMemo(() => view()[key], undefined, { equals: same });
    Object.defineProperty(fields, key, { get: field, enumerable: true });
  }
  return fields as ViewState;
}

function placeOf(state: unknown): Place {
  if (typeof state === "object" && state !== null && "at" in state && typeof state.at === "number") {
    return { at: state.at };
  }
  return { at: 0 };
}
