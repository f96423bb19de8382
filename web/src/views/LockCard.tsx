/** One lock: how long it was waited for and held, and who waited for whom. */
import { For, Show, type JSX } from "solid-js";
import type { LockInfo } from "../api/types.ts";
import { count, counted, duration } from "../layout/format.ts";
import { useApp } from "./app.ts";

export function LockCard(props: { lock: LockInfo }): JSX.Element {
  const app = useApp();
  const thread = (id: number | null) =>
    id === null ? "unknown" : app.thread(id)?.name || `thread ${String(id)}`;
  return (
    <section class="card">
      <h2>{props.lock.name}</h2>
      <p class="muted">{props.lock.place}</p>
      <dl>
        <dt>Asked for</dt>
        <dd>{counted(props.lock.count, "time")}</dd>
        <dt>Waited for</dt>
        <dd>
          {counted(props.lock.waits, "time")}, {duration(props.lock.wait)} together
        </dd>
        <dt>Longest wait</dt>
        <dd>{duration(props.lock.maxWait)}</dd>
        <dt>Held</dt>
        <dd>
          {duration(props.lock.hold)}, at most {duration(props.lock.maxHold)}
        </dd>
        <Show when={props.lock.givenUp > 0}>
          <dt>Given up</dt>
          <dd>{counted(props.lock.givenUp, "time")}</dd>
        </Show>
      </dl>
      <Show when={props.lock.pairs.length > 0}>
        <table>
          <thead>
            <tr>
              <th>Who waited</th>
              <th>Who had it</th>
              <th class="num">Times</th>
              <th class="num">Waited</th>
            </tr>
          </thead>
          <tbody>
            <For each={props.lock.pairs.slice(0, 50)}>
              {(pair) => (
                <tr>
                  <td>{thread(pair.waiter)}</td>
                  <td>{thread(pair.holder)}</td>
                  <td class="num">{count(pair.count)}</td>
                  <td class="num">{duration(pair.wait)}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </Show>
    </section>
  );
}
