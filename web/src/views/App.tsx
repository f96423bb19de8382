/** The frame of the page. */
import {
  createEffect,
  createMemo,
  createSignal,
  For,
  Match,
  on,
  onCleanup,
  onMount,
  Show,
  Switch,
  type JSX,
} from "solid-js";
import type { Meta } from "../api/types.ts";
import { counted, duration } from "../layout/format.ts";
import { sizeOf } from "../render/canvas.ts";
import { ask, questionsUnderWay } from "../state/ask.ts";
import { createStore } from "../state/store.ts";
import { isDark, nextTheme, themeChoice } from "../state/theme.ts";
import { TABS } from "../state/view-state.ts";
import { AppProvider, createApp, useApp } from "./app.ts";
import { Chips } from "./Chips.tsx";
import { onKey, TAB_TITLES } from "./commands.ts";
import { Dialogs } from "./dialogs.tsx";
import { FlameView } from "./FlameView.tsx";
import { FunctionsView } from "./FunctionsView.tsx";
import { AutoIcon, CloseIcon, HelpIcon, Mark, MoonIcon, RedoIcon, SunIcon, UndoIcon } from "./icons.tsx";
import { InfoView } from "./InfoView.tsx";
import { LogView } from "./LogView.tsx";
import { Answered, Skeleton } from "./parts.tsx";
import { MenuPopup, Toast, Tooltip } from "./popups.tsx";
import { SandwichView } from "./SandwichView.tsx";
import { Search } from "./Search.tsx";
import { SourceView } from "./SourceView.tsx";
import { TimelinePanel } from "./Timeline.tsx";
import { TreeView } from "./TreeView.tsx";
import { ZonesView } from "./ZonesView.tsx";

export function Root(): JSX.Element {
  const meta = ask<Meta>(() => "meta");
  return (
    <Show
      when={meta.data()}
      fallback={
        <div class="app">
          <header class="top">
            <span class="brand">
              <Mark />
              sondage
            </span>
            <div class="progress on" role="progressbar" aria-label="Loading" />
          </header>
          <Answered to={meta}>
            <Skeleton shape="flame" />
          </Answered>
        </div>
      }
    >
      {(now) => (
        <Show
          when={now().recordings.length > 0}
          fallback={
            <div class="empty">
              <h2>No recording</h2>
              <p>Start the page with one: sondage view FILE.sondage</p>
            </div>
          }
        >
          <Loaded meta={now()} />
        </Show>
      )}
    </Show>
  );
}

function Loaded(props: { meta: Meta }): JSX.Element {
  // The answer to `meta` comes once.
  const { meta } = props;
  const store = createStore(meta.recordings);
  return (
    <AppProvider value={createApp(meta, store)}>
      {/* Another recording is another page: nothing of the first may linger. */}
      <Show when={String(store.view().rec)} keyed>
        <Page />
      </Show>
    </AppProvider>
  );
}

const TIMELINE_HEAD = 32 + 34 + 22;
const LEAST_TIMELINE = TIMELINE_HEAD + 60;
const HEIGHT_KEY = "sondage.timeline-height";

function Page(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const [lanesHeight, setLanesHeight] = createSignal(200);
  const [chosenHeight, setChosenHeight] = createSignal<number | null>(readHeight());
  const pageSize = sizeOf(() => document.documentElement);
  const timelineHeight = createMemo(() => {
    const most = Math.max(LEAST_TIMELINE, pageSize().height - 44 - 36 - 160);
    const usual = Math.min(
      TIMELINE_HEAD + lanesHeight() + 1,
      Math.max(LEAST_TIMELINE, pageSize().height * 0.42),
    );
    return Math.round(Math.max(LEAST_TIMELINE, Math.min(chosenHeight() ?? usual, most)));
  });

  createEffect(() => {
    document.title = `${store.recording().name}, sondage`;
  });
  onMount(() => {
    const keys = (event: KeyboardEvent) => {
      onKey(app, event);
    };
    window.addEventListener("keydown", keys);
    onCleanup(() => {
      window.removeEventListener("keydown", keys);
    });
  });
  const tab = createMemo(() => view().tab);
  createEffect(
    on(tab, () => {
      // What floats belongs to what was in sight.
      app.setTip(null);
      app.setHitPlace(null);
    }),
  );

  let dragFrom: { y: number; height: number } | null = null;
  const resize = (height: number) => {
    setChosenHeight(Math.max(LEAST_TIMELINE, height));
    try {
      localStorage.setItem(HEIGHT_KEY, String(Math.round(height)));
    } catch {
      // The height is then only kept for this page.
    }
  };

  return (
    <div class="app">
      <TopBar />
      <main class="all">
        <div>
          <Notices />
          <TimelinePanel height={timelineHeight()} lanesHeight={setLanesHeight} />
        </div>
        <div>
          <div
            class="splitter"
            role="separator"
            aria-orientation="horizontal"
            aria-label="Height of the timeline"
            aria-valuenow={timelineHeight()}
            tabIndex={0}
            onPointerDown={(event) => {
              event.currentTarget.setPointerCapture(event.pointerId);
              dragFrom = { y: event.clientY, height: timelineHeight() };
            }}
            onPointerMove={(event) => {
              if (dragFrom) resize(dragFrom.height + event.clientY - dragFrom.y);
            }}
            onPointerUp={() => {
              dragFrom = null;
            }}
            onDblClick={() => {
              setChosenHeight(null);
              localStorage.removeItem(HEIGHT_KEY);
            }}
            onKeyDown={(event) => {
              if (event.key === "ArrowUp") resize(timelineHeight() - 20);
              else if (event.key === "ArrowDown") resize(timelineHeight() + 20);
              else return;
              event.preventDefault();
            }}
          />
          <Tabs />
        </div>
        <Switch>
          <Match when={view().tab === "flame"}>
            <FlameView />
          </Match>
          <Match when={view().tab === "sandwich"}>
            <SandwichView />
          </Match>
          <Match when={view().tab === "tree"}>
            <TreeView />
          </Match>
          <Match when={view().tab === "functions"}>
            <FunctionsView />
          </Match>
          <Match when={view().tab === "source"}>
            <SourceView />
          </Match>
          <Match when={view().tab === "zones"}>
            <ZonesView />
          </Match>
          <Match when={view().tab === "log"}>
            <LogView />
          </Match>
          <Match when={view().tab === "info"}>
            <InfoView />
          </Match>
        </Switch>
        <Tooltip />
        <MenuPopup />
        <Dialogs />
        <Toast />
      </main>
    </div>
  );
}

function readHeight(): number | null {
  try {
    const stored = Number(localStorage.getItem(HEIGHT_KEY));
    return stored > 0 ? stored : null;
  } catch {
    return null;
  }
}

function TopBar(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const recording = store.recording;
  const modifier = navigator.userAgent.includes("Mac") ? "⌘" : "Ctrl";
  return (
    <header class="top">
      <h1 class="brand">
        <Mark />
        sondage
      </h1>
      <div class="title">
        <Show
          when={app.meta.recordings.length > 1}
          fallback={<strong class="clip">{recording().name}</strong>}
        >
          <select
            class="select"
            aria-label="Recording"
            value={String(store.view().rec)}
            onChange={(event) => {
              store.change({
                rec: Number(event.currentTarget.value),
                range: null,
                processes: [],
                threads: [],
                focus: null,
                pick: null,
                window: null,
                folds: [],
                zoom: null,
                file: null,
                zone: null,
                site: null,
                inside: "",
                deep: [],
              });
            }}
          >
            <For each={app.meta.recordings}>
              {(one) => <option value={String(one.index)}>{one.name}</option>}
            </For>
          </select>
        </Show>
        <span class="muted clip" title={recording().info.command.join(" ")}>
          {duration(recording().range.end - recording().range.start)},{" "}
          {counted(recording().samples, "sample")}
        </span>
      </div>
      <span class="spacer" />
      <Search />
      <span class="spacer" />
      <div class="group">
        <button
          class="icon"
          title="Undo (Ctrl+Z)"
          aria-label="Undo"
          disabled={!store.canUndo()}
          onClick={() => {
            store.undo();
          }}
        >
          <UndoIcon />
        </button>
        <button
          class="icon"
          title="Redo (Ctrl+Y)"
          aria-label="Redo"
          disabled={!store.canRedo()}
          onClick={() => {
            store.redo();
          }}
        >
          <RedoIcon />
        </button>
      </div>
      <button
        class="button quiet"
        title="Command palette"
        onClick={() => {
          app.setPopup("palette");
        }}
      >
        <kbd>{modifier}</kbd> <kbd>K</kbd>
      </button>
      <div class="group">
        <button
          class="icon"
          title={`Theme: ${themeChoice() === "system" ? "as the system" : themeChoice()}`}
          aria-label={`Theme: ${themeChoice() === "system" ? "as the system" : themeChoice()}`}
          onClick={nextTheme}
        >
          <Show when={themeChoice() !== "system"} fallback={<AutoIcon />}>
            {isDark() ? <MoonIcon /> : <SunIcon />}
          </Show>
        </button>
        <button
          class="icon"
          title="Keys (?)"
          aria-label="List of keys"
          onClick={() => {
            app.setPopup("help");
          }}
        >
          <HelpIcon />
        </button>
      </div>
      <div
        class="progress"
        classList={{ on: questionsUnderWay() > 0 }}
        role="progressbar"
        aria-label="Loading"
        aria-hidden={questionsUnderWay() === 0}
      />
    </header>
  );
}

function Notices(): JSX.Element {
  const app = useApp();
  const [closed, setClosed] = createSignal(false);
  const text = () => app.store.problem() ?? app.store.recording().recovered;
  return (
    <Show when={!closed() && text()}>
      <div class="notice" role="status">
        <span>{text()}</span>
        <span class="spacer" />
        <button class="icon small" aria-label="Close" onClick={() => setClosed(true)}>
          <CloseIcon />
        </button>
      </div>
    </Show>
  );
}

function Tabs(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const keys = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = TABS.indexOf(store.view().tab);
    store.change({ tab: TABS[(at + step + TABS.length) % TABS.length] });
    const list = event.currentTarget;
    queueMicrotask(() => list.querySelector<HTMLElement>('[aria-selected="true"]')?.focus());
  };
  return (
    <div class="tabs">
      <div class="tablist" role="tablist" aria-label="Views" onKeyDown={keys}>
        <For each={TABS}>
          {(tab, i) => (
            <button
              role="tab"
              aria-selected={store.view().tab === tab}
              tabIndex={store.view().tab === tab ? 0 : -1}
              title={`${TAB_TITLES[tab]} (${String(i() + 1)})`}
              onClick={() => {
                store.change({ tab });
              }}
            >
              {TAB_TITLES[tab]}
            </button>
          )}
        </For>
      </div>
      <Chips />
    </div>
  );
}
