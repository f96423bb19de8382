/** Every action with its key, in one table: the keyboard, the palette and the `?` list read it. */
import { chooseTheme, nextTheme } from "../state/theme.ts";
import { INITIAL, TABS, type Tab } from "../state/view-state.ts";
import type { App } from "./app.ts";
import { copy } from "./parts.tsx";
import { goToNumber } from "./zone-state.ts";

export interface Command {
  readonly group: "Views" | "Timeline and zoom" | "Selection" | "Search" | "Page";
  readonly title: string;
  /** As shown; several are alternatives. */
  readonly keys: readonly string[];
  /** Whether a key press is this command. */
  readonly on?: (event: KeyboardEvent) => boolean;
  readonly run: (app: App) => void;
  /** Not in the palette: it makes sense only as a key. */
  readonly keyOnly?: boolean;
}

export const TAB_TITLES: Record<Tab, string> = {
  flame: "Flame graph",
  sandwich: "Sandwich",
  tree: "Call tree",
  functions: "Functions",
  source: "Source",
  zones: "Zones",
  log: "Log",
  info: "Info",
};

const plain = (key: string) => (event: KeyboardEvent) =>
  !event.ctrlKey && !event.metaKey && !event.altKey && event.key.toLowerCase() === key;
const control =
  (key: string, shift = false) =>
  (event: KeyboardEvent) =>
    (event.ctrlKey || event.metaKey) && event.shiftKey === shift && event.key.toLowerCase() === key;

const target = (app: App) =>
  app.pointerOver.current === "tab" && app.tabKeys.current.zoom
    ? app.tabKeys.current
    : app.timelineKeys.current;

/** Takes back the narrowest thing: an open popup, then the zoom, then the time range. */
function escape(app: App): void {
  const { store } = app;
  if (app.menu()) app.setMenu(null);
  else if (app.popup()) app.setPopup(null);
  else if (store.view().zoom && store.view().tab === "flame") store.change({ zoom: null });
  else if (store.view().range) store.change({ range: null });
  else if (store.view().window) app.timelineKeys.current.fit?.();
}

export function focusSearch(): void {
  const input = document.querySelector<HTMLInputElement>("#search");
  input?.focus();
  input?.select();
}

export const COMMANDS: readonly Command[] = [
  ...TABS.map((tab, i): Command => ({
    group: "Views",
    title: `Show ${TAB_TITLES[tab].toLowerCase()}`,
    keys: [String(i + 1)],
    on: plain(String(i + 1)),
    run: (app) => {
      app.store.change({ tab });
    },
  })),
  {
    group: "Timeline and zoom",
    title: "Zoom in, out",
    keys: ["W", "S"],
    keyOnly: true,
    on: (event) => plain("w")(event) || plain("s")(event),
    run: () => undefined,
  },
  {
    group: "Timeline and zoom",
    title: "Pan left, right",
    keys: ["A", "D"],
    keyOnly: true,
    on: (event) => plain("a")(event) || plain("d")(event),
    run: () => undefined,
  },
  {
    group: "Timeline and zoom",
    title: "Show everything",
    keys: ["F"],
    on: plain("f"),
    run: (app) => {
      target(app).fit?.();
    },
  },
  {
    group: "Timeline and zoom",
    title: "Zoom the timeline to the selected range",
    keys: ["Z"],
    on: plain("z"),
    run: (app) => {
      app.timelineKeys.current.zoomToSelection?.();
    },
  },
  {
    group: "Timeline and zoom",
    title: "Zoom at the pointer",
    keys: ["wheel"],
    keyOnly: true,
    run: () => undefined,
  },
  { group: "Timeline and zoom", title: "Pan", keys: ["Shift", "wheel"], keyOnly: true, run: () => undefined },
  { group: "Selection", title: "Select a time range", keys: ["drag"], keyOnly: true, run: () => undefined },
  {
    group: "Selection",
    title: "Select what the timeline shows",
    keys: ["M"],
    on: plain("m"),
    run: (app) => {
      app.timelineKeys.current.selectWindow?.();
    },
  },
  {
    group: "Selection",
    title: "Only stacks with the picked function",
    keys: ["O"],
    on: plain("o"),
    run: ({ store }) => {
      const { pick, focus } = store.view();
      if (pick !== null) store.change({ focus: focus === pick ? null : pick });
    },
  },
  {
    group: "Selection",
    title: "Clear the whole selection",
    keys: ["X"],
    on: plain("x"),
    run: ({ store }) => {
      const { range, processes, threads, states, gil, focus, search, only, inside } = INITIAL;
      store.change({ range, processes, threads, states, gil, focus, search, only, inside });
    },
  },
  {
    group: "Selection",
    title: "Samples inside the picked zone; then inside all of its place; then all",
    keys: ["E"],
    on: plain("e"),
    run: ({ store }) => {
      const { zone, site, inside } = store.view();
      if (site === null) return;
      const steps = zone === null ? (["", "site"] as const) : (["", "zone", "site"] as const);
      store.change({ inside: steps[(steps.findIndex((step) => step === inside) + 1) % steps.length] });
    },
  },
  {
    group: "Timeline and zoom",
    title: "Zone of the same place before, next",
    keys: ["[", "]"],
    keyOnly: true,
    on: (event) => plain("[")(event) || plain("]")(event),
    run: () => undefined,
  },
  {
    group: "Selection",
    title: "Undo",
    keys: ["Ctrl Z", "Backspace"],
    on: (event) => control("z")(event) || plain("backspace")(event),
    run: ({ store }) => {
      store.undo();
    },
  },
  {
    group: "Selection",
    title: "Redo",
    keys: ["Ctrl Y"],
    on: (event) => control("y")(event) || control("z", true)(event),
    run: ({ store }) => {
      store.redo();
    },
  },
  {
    group: "Selection",
    title: "Leave zoom, then range",
    keys: ["Esc"],
    keyOnly: true,
    on: plain("escape"),
    run: escape,
  },
  {
    group: "Selection",
    title: "Copy the name of the picked function",
    keys: ["C"],
    on: plain("c"),
    run: (app) => {
      const { pick } = app.store.view();
      if (pick !== null && (getSelection()?.toString() ?? "") === "") copy(app, app.nameOf(pick) ?? "");
    },
  },
  {
    group: "Search",
    title: "Search",
    keys: ["/"],
    on: (event) => plain("/")(event) || control("f")(event),
    run: focusSearch,
  },
  {
    group: "Search",
    title: "Next hit",
    keys: ["N", "Enter"],
    on: plain("n"),
    run: (app) => {
      app.tabKeys.current.cycle?.(1);
    },
  },
  {
    group: "Search",
    title: "Hit before",
    keys: ["P", "Shift Enter"],
    on: plain("p"),
    run: (app) => {
      app.tabKeys.current.cycle?.(-1);
    },
  },
  {
    group: "Search",
    title: "Narrow to stacks that match",
    keys: ["Alt Enter"],
    run: ({ store }) => {
      store.change({ only: !store.view().only });
    },
  },
  {
    group: "Page",
    title: "Command palette",
    keys: ["Ctrl K"],
    on: control("k"),
    run: (app) => {
      app.setPopup("palette");
    },
    keyOnly: true,
  },
  {
    group: "Page",
    title: "Tables in place of pictures",
    keys: ["T"],
    on: plain("t"),
    run: ({ store }) => {
      store.change({ asTable: !store.view().asTable }, "replace");
    },
  },
  {
    group: "Page",
    title: "Flame graph: icicle or flame",
    keys: ["I"],
    on: plain("i"),
    run: ({ store }) => {
      store.change({ upwards: !store.view().upwards }, "replace");
    },
  },
  {
    group: "Page",
    title: "Flame graph: invert",
    keys: ["V"],
    on: plain("v"),
    run: ({ store }) => {
      store.change({ inverted: !store.view().inverted, order: "left-heavy" });
    },
  },
  {
    group: "Page",
    title: "Flame graph: left-heavy or time order",
    keys: ["L"],
    on: plain("l"),
    run: ({ store }) => {
      store.change({ order: store.view().order === "time" ? "left-heavy" : "time", inverted: false });
    },
  },
  { group: "Page", title: "Light, dark or as the system", keys: [], run: nextTheme },
  {
    group: "Page",
    title: "Dark theme",
    keys: [],
    run: () => {
      chooseTheme("dark");
    },
  },
  {
    group: "Page",
    title: "Light theme",
    keys: [],
    run: () => {
      chooseTheme("light");
    },
  },
  {
    group: "Page",
    title: "Copy a link to this view",
    keys: [],
    run: (app) => {
      copy(app, location.href);
    },
  },
  {
    group: "Page",
    title: "List of keys",
    keys: ["?"],
    on: (event) => event.key === "?" && !event.ctrlKey && !event.metaKey,
    run: (app) => {
      app.setPopup(app.popup() === "help" ? null : "help");
    },
  },
];

/** Handles a key press anywhere on the page. */
export function onKey(app: App, event: KeyboardEvent): void {
  const element = event.target;
  const typing =
    element instanceof HTMLInputElement ||
    element instanceof HTMLTextAreaElement ||
    element instanceof HTMLSelectElement;
  if (typing && !control("k")(event)) return;
  if (event.isComposing) return;
  if (app.popup() && !plain("escape")(event) && event.key !== "?") return;
  for (const [key, factor] of [
    ["w", 0.75],
    ["s", 1 / 0.75],
  ] as const) {
    if (plain(key)(event)) {
      target(app).zoom?.(factor);
      event.preventDefault();
      return;
    }
  }
  for (const [key, side] of [
    ["[", "before"],
    ["]", "after"],
  ] as const) {
    if (plain(key)(event)) {
      const to = app.zoneKeys.current?.[side] ?? null;
      if (to !== null) goToNumber(app, to);
      event.preventDefault();
      return;
    }
  }
  for (const [key, share] of [
    ["a", -0.15],
    ["d", 0.15],
  ] as const) {
    if (plain(key)(event)) {
      target(app).pan?.(share);
      event.preventDefault();
      return;
    }
  }
  const command = COMMANDS.find((one) => one.on?.(event));
  if (!command) return;
  event.preventDefault();
  command.run(app);
}
