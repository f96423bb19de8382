/** Processes and threads over time: always in sight, and where a time range is chosen. */
import { createEffect, createMemo, createSignal, For, onCleanup, onMount, Show, type JSX } from "solid-js";
import { STATE_NAMES } from "../api/types.ts";
import { count, duration, percent } from "../layout/format.ts";
import { laneMoment, tracksOf } from "../layout/lanes.ts";
import { toggled, toggledState } from "../state/view-state.ts";
import { STATE_LABELS, useApp, type MenuItem } from "./app.ts";
import { CurveIcon, FitIcon, FunnelIcon, MinusIcon, PlusIcon } from "./icons.tsx";
import { Axis, Minimap } from "./Minimap.tsx";
import { Failed, StateSwatch } from "./parts.tsx";
import { createTimeline, type TimelineState } from "./timeline-state.ts";
import { TimelineLanes } from "./TimelineLanes.tsx";
import { tracksOfNow } from "./zone-paint.ts";
import { chooseZone } from "./zone-state.ts";

export function TimelinePanel(props: { height: number; lanesHeight: (height: number) => void }): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const [width, setWidth] = createSignal(0);
  const [inSight, setInSight] = createSignal<readonly number[]>([]);
  const [hover, setHover] = createSignal<number | null>(null);
  const [draft, setDraft] = createSignal<readonly [number, number] | null>(null);
  const [host, setHost] = createSignal<HTMLElement>();
  const sight = createMemo(inSight, [], { equals: (a, b) => a.join() === b.join() });
  const timeline = createTimeline(app, width, sight);
  createEffect(() => {
    const last = timeline.lanes().at(-1);
    props.lanesHeight(last ? last.y + last.height : 0);
  });

  const middle = () => hover() ?? (timeline.window().from + timeline.window().to) / 2;
  onMount(() => {
    app.timelineKeys.current = {
      zoom: (factor) => {
        timeline.zoomAt(middle(), factor);
      },
      pan: (share) => {
        timeline.pan(share);
      },
      fit: () => {
        timeline.fit();
      },
      zoomToSelection: () => {
        timeline.zoomToSelection();
      },
      selectWindow: () => {
        timeline.selectWindow();
      },
    };
    const over = () => {
      app.pointerOver.current = "timeline";
    };
    host()?.addEventListener("pointerenter", over);
    onCleanup(() => host()?.removeEventListener("pointerenter", over));
  });
  createEffect(() => {
    // The table has no lanes to measure; its figures need no finer buckets than this.
    if (view().asTable && width() === 0) setWidth(1000);
  });

  const totals = createMemo(() => {
    const out = { cpu: 0, runnable: 0, "gil-wait": 0, disk: 0, unknown: 0, blocked: 0 };
    const { threads, processes } = view();
    for (const thread of store.recording().threads) {
      if (
        threads.length + processes.length > 0 &&
        !threads.includes(thread.id) &&
        !processes.includes(thread.process)
      )
        continue;
      for (const name of STATE_NAMES) out[name] += thread.weights[name];
    }
    return out;
  });

  const curves = (event: MouseEvent) => {
    const all = new Map(
      store
        .recording()
        .processes.flatMap((process) => tracksOf(store.recording().counters, process.id))
        .map((track) => [track.key, track.label]),
    );
    const items: MenuItem[] = [...all].map(([key, label]) => ({
      label,
      checked: timeline.tracks().includes(key),
      run: () => {
        store.change({ tracks: toggled(timeline.tracks(), key) }, "replace");
      },
    }));
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    app.setMenu({
      x: box.left,
      y: box.bottom,
      head: "Curves under each process",
      items:
        items.length > 0
          ? items
          : [{ label: "This recording has no curves", disabled: true, run: () => undefined }],
    });
  };

  const inset = () => {
    const scroller = host()?.querySelector<HTMLElement>(".lanes");
    return width() > 0 && scroller ? scroller.offsetWidth - scroller.clientWidth : 0;
  };

  return (
    <section
      class="timeline"
      aria-label="Timeline"
      ref={setHost}
      style={{ height: `${String(props.height)}px` }}
    >
      <div class="corner first">
        <strong>Timeline</strong>
        <span class="spacer" />
        <button class="icon small" title="Choose curves" aria-label="Choose curves" onClick={curves}>
          <CurveIcon />
        </button>
      </div>
      <div class="legend">
        <div class="states" role="group" aria-label="States that count">
          <For
            each={STATE_NAMES.filter((name) => totals()[name] > 0 || name === "cpu" || name === "gil-wait")}
          >
            {(name) => (
              <button
                class="state"
                aria-pressed={app.states().has(name)}
                title={`${app.states().has(name) ? "Leave out" : "Include"} time ${STATE_LABELS[name]}; Alt+click: only this`}
                onClick={(event) => {
                  store.change({ states: event.altKey ? [name] : toggledState(view().states, name) });
                }}
              >
                <StateSwatch state={name} />
                <span class="name">{STATE_LABELS[name]}</span>
                <b>{duration(totals()[name])}</b>
              </button>
            )}
          </For>
          <button
            class="state"
            aria-pressed={view().gil}
            title="Only samples whose thread held the GIL"
            onClick={() => {
              store.change({ gil: !view().gil });
            }}
          >
            <span style={{ color: view().gil ? "var(--accent)" : "var(--muted)", display: "inline-flex" }}>
              <FunnelIcon />
            </span>
            holds the GIL
          </button>
        </div>
        <span class="spacer" />
        <div class="group">
          <button
            class="icon small"
            title="Zoom in (W)"
            aria-label="Zoom in"
            onClick={() => {
              timeline.zoomAt(middle(), 0.5);
            }}
          >
            <PlusIcon />
          </button>
          <button
            class="icon small"
            title="Zoom out (S)"
            aria-label="Zoom out"
            onClick={() => {
              timeline.zoomAt(middle(), 2);
            }}
          >
            <MinusIcon />
          </button>
          <button
            class="icon small"
            title="Show the whole recording (F)"
            aria-label="Show the whole recording"
            disabled={view().window === null}
            onClick={() => {
              timeline.fit();
            }}
          >
            <FitIcon />
          </button>
        </div>
      </div>
      <div class="corner under">
        <span>Whole recording</span>
        <span class="spacer" />
        <span>{duration(timeline.bounds().to - timeline.bounds().from)}</span>
      </div>
      <Minimap timeline={timeline} draft={draft} inset={inset()} />
      <div class="corner under">
        <span>In sight</span>
        <span class="spacer" />
        <span>{view().window ? duration(timeline.window().to - timeline.window().from) : "all"}</span>
      </div>
      <Axis timeline={timeline} hover={hover} draft={draft} inset={inset()} />
      <Show
        when={!(timeline.overview.error() && !timeline.overview.data())}
        fallback={
          <div class="lanes">
            <Failed
              error={timeline.overview.error() ?? neverError()}
              retry={() => {
                timeline.overview.retry();
              }}
            />
          </div>
        }
      >
        <Show when={!view().asTable} fallback={<LaneTable timeline={timeline} />}>
          <TimelineLanes
            timeline={timeline}
            setWidth={setWidth}
            setInSight={setInSight}
            hover={hover}
            setHover={setHover}
            draft={draft}
            setDraft={setDraft}
          />
        </Show>
      </Show>
    </section>
  );
}

function neverError(): never {
  throw new Error("shown only when there is an error");
}

/** The lanes as a table, for the keyboard and for screen readers. */
function LaneTable(props: { timeline: TimelineState }): JSX.Element {
  const app = useApp();
  const { store } = app;
  const rows = createMemo(() => {
    const timeline = props.timeline.detail.data() ?? props.timeline.overview.data();
    const { from, to } = props.timeline.window();
    return store.recording().threads.map((thread) => {
      const tile = timeline?.threads.find((one) => one.thread === thread.id);
      return { thread, moment: tile && timeline ? laneMoment(tile, timeline.width, from, to) : null };
    });
  });
  return (
    <div class="lanes card" style={{ border: 0, "border-radius": 0 }}>
      <table>
        <caption class="hidden-table">Threads and what they did in the time in sight</caption>
        <thead>
          <tr>
            <th>Process</th>
            <th>Thread</th>
            <For each={STATE_NAMES}>{(name) => <th class="num">{STATE_LABELS[name]}</th>}</For>
            <th class="num">holds the GIL</th>
          </tr>
        </thead>
        <tbody>
          <For each={rows()}>
            {({ thread, moment }) => (
              <tr>
                <td>{app.process(thread.process)?.name}</td>
                <td>
                  <button
                    class="button quiet"
                    aria-pressed={store.view().threads.includes(thread.id)}
                    onClick={() => {
                      store.change({ threads: toggled(store.view().threads, thread.id) });
                    }}
                  >
                    {thread.name}
                  </button>
                </td>
                <For each={STATE_NAMES}>
                  {(name) => (
                    <td class="num">
                      {moment && moment.states[name] > 0
                        ? `${duration(moment.states[name])}  ${percent(moment.states[name], moment.total)}`
                        : "–"}
                    </td>
                  )}
                </For>
                <td class="num">{moment && moment.gil > 0 ? duration(moment.gil) : "–"}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
      <SaidTable timeline={props.timeline} />
    </div>
  );
}

/** How many zones the table lists, those with the most time first. */
const MOST_ZONES = 100;

/** The zones, waits and log lines in sight as a table. */
function SaidTable(props: { timeline: TimelineState }): JSX.Element {
  const app = useApp();
  const tracks = () =>
    tracksOfNow({
      tracks: props.timeline.trackDetail.data(),
      trackOverview: props.timeline.trackOverview.data(),
      window: props.timeline.window(),
    });
  const rows = createMemo(() => {
    const now = tracks();
    if (!now) return [];
    const { from, to } = props.timeline.window();
    const { zones } = now;
    return zones.start
      .map((_, at) => at)
      .filter((at) => zones.end[at] >= from && zones.start[at] < to)
      .sort((a, b) => zones.busy[b] - zones.busy[a])
      .slice(0, MOST_ZONES)
      .map((at) => ({ at, site: now.sites[zones.site[at]], tracks: now }));
  });
  return (
    <Show when={rows().length > 0}>
      <table>
        <caption class="hidden-table">Zones in the time in sight, those with the most time first</caption>
        <thead>
          <tr>
            <th>Zone</th>
            <th>Thread</th>
            <th class="num">Zones</th>
            <th class="num">Begins</th>
            <th class="num">Time</th>
          </tr>
        </thead>
        <tbody>
          <For each={rows()}>
            {({ at, site, tracks: now }) => (
              <tr>
                <td>
                  <button
                    class="button quiet"
                    onClick={() => {
                      chooseZone(app, now, at, (now.zones.start[at] + now.zones.end[at]) / 2);
                    }}
                  >
                    {site.label}
                  </button>
                </td>
                <td>{app.thread(now.zones.thread[at])?.name}</td>
                <td class="num">{count(now.zones.count[at])}</td>
                <td class="num">{duration(now.zones.start[at])}</td>
                <td class="num">{duration(now.zones.busy[at])}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </Show>
  );
}
