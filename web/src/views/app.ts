/** What all views share: the store, the search, and what floats above the page. */
import { createContext, createMemo, createSignal, useContext, type Accessor, type JSX } from "solid-js";
import type {
  FunctionName,
  Meta,
  ProcessInfo,
  SearchAnswer,
  Site,
  StateName,
  ThreadInfo,
  Zones,
} from "../api/types.ts";
import { path, query } from "../api/query.ts";
import { ask, type Answer } from "../state/ask.ts";
import type { Store } from "../state/store.ts";
import { DEFAULT_STATES } from "../state/view-state.ts";

export interface Tip {
  readonly x: number;
  readonly y: number;
  readonly content: () => JSX.Element;
}

export interface MenuItem {
  readonly label: string;
  readonly key?: string;
  readonly checked?: boolean;
  readonly disabled?: boolean;
  readonly run: () => void;
}

export interface Menu {
  readonly x: number;
  readonly y: number;
  readonly head?: string;
  /** `null` is a line between groups. */
  readonly items: readonly (MenuItem | null)[];
}

export type Popup = "palette" | "help" | null;

/** What the view in sight offers to the keyboard. */
export interface Keyboard {
  /** Goes to the next search hit, or the one before. */
  cycle?: (step: 1 | -1) => void;
  /** Zooms or pans what is under the pointer. */
  zoom?: (factor: number) => void;
  pan?: (share: number) => void;
  fit?: () => void;
  zoomToSelection?: () => void;
  selectWindow?: () => void;
}

export interface App {
  readonly meta: Meta;
  readonly store: Store;
  readonly search: Answer<SearchAnswer>;
  /** The functions that the search finds; null when nothing is searched. */
  readonly hits: Accessor<ReadonlySet<number> | null>;
  /** The places of zones that it finds. */
  readonly zoneSearch: Answer<Zones>;
  /** The same by number; null when it finds none. */
  readonly siteHits: Accessor<ReadonlySet<number> | null>;
  readonly hitPlace: Accessor<{ at: number; of: number } | null>;
  setHitPlace(place: { at: number; of: number } | null): void;
  readonly tip: Accessor<Tip | null>;
  setTip(tip: Tip | null): void;
  readonly menu: Accessor<Menu | null>;
  setMenu(menu: Menu | null): void;
  readonly popup: Accessor<Popup>;
  setPopup(popup: Popup): void;
  readonly toast: Accessor<string | null>;
  say(text: string): void;
  /** Text for screen readers about what the arrow keys reached. */
  readonly spoken: Accessor<string>;
  speak(text: string): void;
  /** The tab in sight. */
  readonly tabKeys: { current: Keyboard };
  readonly timelineKeys: { current: Keyboard };
  /** The zone of the same place before and after the picked one, while details show it. */
  readonly zoneKeys: { current: { before: number | null; after: number | null } | null };
  /** Whose keys W, A, S, D and F are. */
  readonly pointerOver: { current: "timeline" | "tab" };
  remember(name: FunctionName): void;
  /** The label of a function, null while it has not been seen. */
  nameOf(id: number): string | null;
  rememberSite(site: Site): void;
  /** A place of zones, undefined while it has not been seen. */
  siteOf(id: number): Site | undefined;
  thread(id: number): ThreadInfo | undefined;
  process(id: number): ProcessInfo | undefined;
  /** The states that count. */
  readonly states: Accessor<ReadonlySet<StateName>>;
}

const AppContext = createContext<App>();
export const AppProvider = AppContext.Provider;

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error("no app around this view");
  return app;
}

export function createApp(meta: Meta, store: Store): App {
  const { view } = store;
  const question = createMemo(() => {
    const text = view().search;
    if (text === "") return null;
    // The share of the search is of what the other filters leave, whether or not it narrows.
    const filter = store
      .filter()
      .replace(/(^|&)search=[^&]*/, "")
      .replace(/^&/, "");
    return path("search", filter, query({ q: text }));
  });
  const search = ask<SearchAnswer>(question, { wait: 120 });
  const hits = createMemo(() => {
    if (view().search === "") return null;
    const answer = search.data();
    return answer ? new Set(answer.functions) : null;
  });
  const zoneSearch = ask<Zones>(
    createMemo(() => {
      const { search: text, rec } = view();
      if (text === "" || store.recording().program.zones === 0) return null;
      return path("zones", query({ rec, match: text, limit: 1000 }));
    }),
    { wait: 120 },
  );
  const siteHits = createMemo(() => {
    const found = view().search === "" ? undefined : zoneSearch.data();
    return found && found.rows > 0 ? new Set(found.sites.map((site) => site.site)) : null;
  });
  const [hitPlace, setHitPlace] = createSignal<{ at: number; of: number } | null>(null);
  const [tip, setTip] = createSignal<Tip | null>(null);
  const [menu, setMenu] = createSignal<Menu | null>(null);
  const [popup, setPopup] = createSignal<Popup>(null);
  const [toast, setToast] = createSignal<string | null>(null);
  const [spoken, speak] = createSignal("");
  let toastTimer = 0;
  const threads = createMemo(() => new Map(store.recording().threads.map((thread) => [thread.id, thread])));
  const processes = createMemo(
    () => new Map(store.recording().processes.map((process) => [process.id, process])),
  );
  const names = new Map<number, FunctionName>();
  const [known, setKnown] = createSignal(0);
  const sites = new Map<number, Site>();
  const [knownSites, setKnownSites] = createSignal(0);
  return {
    meta,
    store,
    search,
    hits,
    zoneSearch,
    siteHits,
    hitPlace,
    setHitPlace,
    tip,
    setTip,
    menu,
    setMenu,
    popup,
    setPopup,
    toast,
    say(text) {
      clearTimeout(toastTimer);
      setToast(text);
      toastTimer = window.setTimeout(() => setToast(null), 2600);
    },
    spoken,
    speak,
    tabKeys: { current: {} },
    timelineKeys: { current: {} },
    zoneKeys: { current: null },
    pointerOver: { current: "timeline" },
    remember(name) {
      if (names.has(name.function)) return;
      names.set(name.function, name);
      setKnown((n) => n + 1);
    },
    nameOf(id) {
      known();
      return names.get(id)?.label ?? null;
    },
    rememberSite(site) {
      if (sites.has(site.site)) return;
      sites.set(site.site, site);
      setKnownSites((n) => n + 1);
    },
    siteOf(id) {
      knownSites();
      return sites.get(id);
    },
    thread: (id) => threads().get(id),
    process: (id) => processes().get(id),
    states: createMemo(() => new Set(view().states ?? DEFAULT_STATES)),
  };
}

export const STATE_LABELS: Record<StateName, string> = {
  cpu: "on CPU",
  runnable: "waiting for a CPU",
  "gil-wait": "waiting for the GIL",
  disk: "disk wait",
  unknown: "unknown",
  blocked: "asleep",
};
