/** The program's log lines in the selected time. */
import { createMemo, createSignal, Show, type JSX } from "solid-js";
import type { Logs } from "../api/types.ts";
import { path, query } from "../api/query.ts";
import { counted, instant } from "../layout/format.ts";
import { ask } from "../state/ask.ts";
import { themeColours } from "../render/theme-colours.ts";
import { useApp } from "./app.ts";
import { Answered, Empty, Skeleton } from "./parts.tsx";
import { Table } from "./Table.tsx";
import { bringInSight } from "./zone-state.ts";
import { logColour } from "./zone-paint.ts";
import { LEVELS } from "./ZoneTip.tsx";

/** Lines of one answer. */
const MOST = 10_000;

export function LogView(): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const [onlyHits, setOnlyHits] = createSignal(true);
  const [current, setCurrent] = createSignal(-1);
  const answer = ask<Logs>(
    createMemo(() =>
      path(
        "logs",
        store.place(),
        query({
          match: onlyHits() ? view().search : "",
          level: view().level === 0 ? null : view().level,
          limit: MOST,
        }),
      ),
    ),
    { wait: 60 },
  );
  const choose = (row: number) => {
    setCurrent(row);
    const time = answer.data()?.time[row];
    if (time === undefined) return;
    const length = store.recording().range.end - store.recording().range.start;
    bringInSight(app, time, time + Math.max(1, length / 2000));
  };
  return (
    <div class="view" role="tabpanel" aria-label="Log">
      <div class="bar">
        <label class="muted">
          At least{" "}
          <select
            class="select"
            value={String(view().level)}
            onChange={(event) => {
              store.change({ level: Number(event.currentTarget.value) });
            }}
          >
            {LEVELS.map((name, level) => (
              <option value={String(level)}>{level === 0 ? "any level" : name}</option>
            ))}
          </select>
        </label>
        <Show when={view().search !== ""}>
          <button class="button quiet" aria-pressed={onlyHits()} onClick={() => setOnlyHits(!onlyHits())}>
            List matches only
          </button>
        </Show>
        <span class="spacer" />
        <span class="muted">{answer.data() ? counted(answer.data()?.rows ?? 0, "line") : ""}</span>
        <Show when={(answer.data()?.rows ?? 0) > MOST}>
          <span class="muted">the first {MOST.toLocaleString("en")} are listed</span>
        </Show>
      </div>
      <div class="columns">
        <div class="grow" classList={{ stale: answer.loading() && answer.data() !== undefined }}>
          <Answered to={answer}>
            <Show when={answer.data()} fallback={<Skeleton shape="rows" />}>
              {(data) => (
                <Show when={data().empty === null} fallback={<Empty why={data().empty ?? ""} />}>
                  <Table
                    label="Log lines"
                    columns={[
                      { title: "Time", width: "110px", number: true },
                      { title: "Level", width: "84px" },
                      { title: "Thread", width: "minmax(80px, 160px)" },
                      { title: "Text", width: "minmax(200px, 1fr)" },
                    ]}
                    rows={data().time.length}
                    current={current()}
                    onCurrent={choose}
                    cells={(row) => (
                      <Show when={row < data().time.length}>
                        <span class="cell num" role="gridcell">
                          {instant(data().time[row], 1000)}
                        </span>
                        <span class="cell" role="gridcell">
                          <span
                            class="swatch"
                            style={{
                              background: logColour(
                                data().level[row],
                                data().colour[row],
                                themeColours().css,
                              ),
                            }}
                            aria-hidden="true"
                          />
                          {LEVELS[data().level[row]] ?? "log"}
                        </span>
                        <span class="cell muted" role="gridcell">
                          {app.thread(data().thread[row])?.name}
                        </span>
                        <span class="cell" role="gridcell" title={data().text[row]}>
                          {data().text[row]}
                        </span>
                      </Show>
                    )}
                  />
                </Show>
              )}
            </Show>
          </Answered>
        </div>
      </div>
    </div>
  );
}
