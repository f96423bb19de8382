/** A file's text with what each line cost. */
import {
  createEffect,
  createMemo,
  createSignal,
  For,
  on,
  onCleanup,
  onMount,
  Show,
  type JSX,
} from "solid-js";
import type { Files, Functions, Source } from "../api/types.ts";
import { path, query, throughQuery } from "../api/query.ts";
import { duration, percent } from "../layout/format.ts";
import { pythonWords, type WordKind } from "../layout/python.ts";
import { visibleRows } from "../layout/rows.ts";
import { sizeOf } from "../render/canvas.ts";
import { ask } from "../state/ask.ts";
import { useApp } from "./app.ts";
import { Answered, Skeleton } from "./parts.tsx";

const LINE = 19;
const CLASS: Record<WordKind, string | undefined> = {
  plain: undefined,
  keyword: "kw",
  string: "st",
  comment: "co",
  number: "nu",
  definition: "de",
};

export function SourceView(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const files = ask<Files>(createMemo(() => path("files", store.filter())));
  const filter = createMemo(() => throughQuery(store.filter()));
  // Without a picked function: the hottest of the program's own, so that there is something to read.
  const hottest = ask<Functions>(
    createMemo(() =>
      view().file === null && view().pick === null
        ? path("functions", store.filter(), query({ sort: "self", limit: 50 }))
        : null,
    ),
  );
  const what = createMemo(() => {
    if (view().file !== null) return query({ file: view().file });
    const table = hottest.data();
    const own = table ? table.own.indexOf(true) : -1;
    const id = view().pick ?? table?.function[own >= 0 ? own : 0] ?? null;
    return id === null ? null : query({ function: id });
  });
  const answer = ask<Source>(
    createMemo(() => {
      const part = what();
      return part === null ? null : path("source", filter(), part);
    }),
  );

  return (
    <div class="view" role="tabpanel" aria-label="Source">
      <div class="columns">
        <div class="side">
          <div class="label">Files by self time</div>
          <div class="list">
            <Show when={files.data()} fallback={<Skeleton shape="rows" />}>
              {(list) => (
                <For each={list().file}>
                  {(file, i) => (
                    <button
                      aria-current={answer.data()?.file === file ? "true" : undefined}
                      title={list().path[i()]}
                      onClick={() => {
                        store.change({ file });
                      }}
                    >
                      <span class="clip" classList={{ own: list().own[i()], muted: !list().own[i()] }}>
                        {list().short[i()] || "no source file"}
                      </span>
                      <span class="muted">{list().self[i()] > 0 ? duration(list().self[i()]) : "–"}</span>
                    </button>
                  )}
                </For>
              )}
            </Show>
          </div>
          <Show when={answer.data()}>
            {(source) => (
              <>
                <div class="label">Functions in this file</div>
                <div class="list">
                  <For each={source().functions}>
                    {(one) => (
                      <button
                        aria-current={view().pick === one.function ? "true" : undefined}
                        onClick={() => {
                          store.change({ pick: one.function, file: null });
                        }}
                      >
                        <span class="clip">{one.label}</span>
                        <span class="muted">{one.line > 0 ? one.line : ""}</span>
                      </button>
                    )}
                  </For>
                </div>
              </>
            )}
          </Show>
        </div>
        <div class="grow" classList={{ stale: answer.loading() && answer.data() !== undefined }}>
          <Answered to={answer}>
            <Show
              when={answer.data()}
              fallback={
                <Show
                  when={what() !== null}
                  fallback={
                    <div class="empty">
                      <h2>No function picked</h2>
                      <p>Click a frame or a function anywhere to read its source here.</p>
                    </div>
                  }
                >
                  <Skeleton shape="rows" />
                </Show>
              }
            >
              {(source) => (
                <Show
                  when={source().text !== null}
                  fallback={
                    <div class="empty">
                      <h2>{source().path}</h2>
                      <p>{source().missing ?? "The source of this file is not there."}</p>
                    </div>
                  }
                >
                  <Code source={source()} />
                </Show>
              )}
            </Show>
          </Answered>
        </div>
      </div>
    </div>
  );
}

function Code(props: { source: Source }): JSX.Element {
  const app = useApp();
  const [scroller, setScroller] = createSignal<HTMLDivElement>();
  const [scrollTop, setScrollTop] = createSignal(0);
  const [flash, setFlash] = createSignal(0);
  const size = sizeOf(scroller);
  const lines = createMemo(() => (props.source.text ?? "").split("\n"));
  const words = createMemo(() => pythonWords(lines()));
  const costs = createMemo(
    () =>
      new Map(
        props.source.line.map((line, i) => [
          line,
          { self: props.source.self[i], total: props.source.totalWeight[i] },
        ]),
      ),
  );
  const most = createMemo(() => props.source.totalWeight.reduce((a, b) => Math.max(a, b), 1));
  const mostSelf = createMemo(() => props.source.self.reduce((a, b) => Math.max(a, b), 1));
  /** Lines that cost anything, the dearest first. */
  const ranked = createMemo(() =>
    props.source.line
      .map((line, i) => ({ line, self: props.source.self[i] || props.source.totalWeight[i] / 1e6 }))
      .sort((a, b) => b.self - a.self)
      .map(({ line }) => line),
  );
  const seen = createMemo(() => visibleRows(lines().length, LINE, scrollTop(), size().height, 10));
  const list = createMemo(() =>
    Array.from({ length: seen().end - seen().first }, (_, i) => seen().first + i + 1),
  );
  let rank = -1;

  const goTo = (line: number) => {
    const element = scroller();
    if (!element) return;
    element.scrollTop = Math.max(0, (line - 1) * LINE - element.clientHeight * 0.3);
    setFlash(line);
    window.setTimeout(() => setFlash((now) => (now === line ? 0 : now)), 1200);
  };
  const jump = (step: 1 | -1) => {
    const all = ranked();
    if (all.length === 0) return;
    rank = (rank + step + all.length) % all.length;
    goTo(all[rank]);
    const cost = costs().get(all[rank]);
    app.speak(
      `line ${String(all[rank])}, self ${duration(cost?.self ?? 0)}, total ${duration(cost?.total ?? 0)}`,
    );
  };
  const place = createMemo(() => `${String(props.source.file)} ${String(props.source.focus)}`);
  createEffect(
    on(place, () => {
      const { focus } = props.source;
      rank = -1;
      queueMicrotask(() => {
        const element = scroller();
        if (element) element.scrollTop = focus === null ? 0 : Math.max(0, (focus - 3) * LINE);
      });
    }),
  );
  onMount(() => {
    app.tabKeys.current = { cycle: jump };
    onCleanup(() => {
      app.tabKeys.current = {};
    });
  });

  return (
    <>
      <div class="bar">
        <span class="mono clip" title={props.source.path}>
          {props.source.path}
        </span>
        <span class="spacer" />
        <span class="muted">
          {percent(
            props.source.self.reduce((a, b) => a + b, 0),
            props.source.total,
          )}{" "}
          self here
        </span>
        <button
          class="button"
          disabled={ranked().length === 0}
          title="N next, P previous"
          onClick={() => {
            rank = -1;
            jump(1);
          }}
        >
          Hottest line
        </button>
        <button
          class="button quiet"
          disabled={ranked().length === 0}
          onClick={() => {
            jump(1);
          }}
        >
          Next
        </button>
      </div>
      <Show when={props.source.note}>
        <div class="notice" role="note">
          {props.source.note}
        </div>
      </Show>
      <div class="code-head" aria-hidden="true">
        <span>self</span>
        <span>total</span>
        <span>line</span>
        <span />
      </div>
      <div
        class="code"
        onPointerEnter={() => {
          app.pointerOver.current = "tab";
        }}
      >
        <div
          class="scroll"
          ref={setScroller}
          tabIndex={0}
          role="table"
          aria-label={`Source of ${props.source.path} with the cost of each line`}
          onScroll={(event) => {
            setScrollTop(event.currentTarget.scrollTop);
          }}
        >
          <div class="content" style={{ height: `${String(lines().length * LINE + 40)}px` }}>
            <For each={list()}>
              {(line) => {
                const cost = () => costs().get(line);
                return (
                  <div
                    class="line"
                    role="row"
                    classList={{ focus: props.source.focus === line, flash: flash() === line }}
                    style={{ top: `${String((line - 1) * LINE)}px` }}
                  >
                    <span class="gutter s" role="cell">
                      <Show when={(cost()?.self ?? 0) > 0}>
                        <i
                          style={{
                            width: `${String((84 * (cost()?.self ?? 0)) / mostSelf())}px`,
                            background: "var(--bar-self)",
                          }}
                        />
                        <b title={duration(cost()?.self ?? 0)}>
                          {percent(cost()?.self ?? 0, props.source.total)}
                        </b>
                      </Show>
                    </span>
                    <span class="gutter t" role="cell">
                      <Show when={cost()}>
                        <i
                          style={{
                            width: `${String((84 * (cost()?.total ?? 0)) / most())}px`,
                            background: "var(--bar-total)",
                          }}
                        />
                        <b title={duration(cost()?.total ?? 0)}>
                          {percent(cost()?.total ?? 0, props.source.total)}
                        </b>
                      </Show>
                    </span>
                    <span class="gutter n" role="rowheader">
                      {line}
                    </span>
                    <span
                      class="text"
                      role="cell"
                      style={{
                        background: cost()
                          ? `rgba(var(--heat), ${String(0.16 * Math.sqrt((cost()?.self ?? 0) / mostSelf()))})`
                          : "none",
                      }}
                    >
                      <For each={words()[line - 1]}>
                        {(word) => <span class={CLASS[word.kind]}>{word.text}</span>}
                      </For>
                    </span>
                  </div>
                );
              }}
            </For>
          </div>
        </div>
        <div
          class="overview"
          aria-hidden="true"
          title="Where the cost is; click to go there"
          onPointerDown={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            goTo(Math.round(((event.clientY - box.top) / box.height) * lines().length));
          }}
        >
          <For each={props.source.line}>
            {(line, i) => (
              <Show when={props.source.self[i()] > 0}>
                <i
                  style={{
                    top: `${String((100 * line) / Math.max(1, lines().length))}%`,
                    background: "var(--bar-self)",
                    opacity: 0.25 + 0.75 * Math.sqrt(props.source.self[i()] / mostSelf()),
                  }}
                />
              </Show>
            )}
          </For>
        </div>
      </div>
    </>
  );
}
