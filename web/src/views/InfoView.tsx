/** What is known of the recording: where it comes from, what is missing in it, what it cost. */
import { createMemo, For, Show, type JSX } from "solid-js";
import { STATE_NAMES } from "../api/types.ts";
import { count, counted, duration, instant, percent } from "../layout/format.ts";
import { STATE_LABELS, useApp } from "./app.ts";
import { Split } from "./parts.tsx";

export function InfoView(): JSX.Element {
  const app = useApp();
  const recording = app.store.recording;
  const info = () => recording().info;
  const length = () => recording().range.end - recording().range.start;
  const started = createMemo(() => {
    const millis = Number(
      BigInt(/^\d+$/.test(info().unixStartNanos) ? info().unixStartNanos : "0") / 1_000_000n,
    );
    return millis > 0
      ? new Date(millis).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" })
      : "unknown";
  });
  const lost = () =>
    recording().losses.reduce(
      (sum, loss) => sum + (loss.kind === "late" || loss.kind === "truncated" ? 0 : loss.count),
      0,
    );
  const overhead = () => recording().overhead;
  const program = () => recording().program;
  return (
    <div class="view" role="tabpanel" aria-label="Info">
      <div class="info" tabIndex={0} role="region" aria-label="About this recording">
        <div class="cards">
          <section class="card">
            <h2>Recording</h2>
            <dl>
              <dt>Command</dt>
              <dd class="mono">{info().command.join(" ")}</dd>
              <dt>File</dt>
              <dd class="mono">{recording().path}</dd>
              <dt>Started</dt>
              <dd>{started()}</dd>
              <dt>Length</dt>
              <dd>{duration(length())}</dd>
              <dt>Samples</dt>
              <dd>
                {count(recording().samples)}, one a thread every {duration(info().intervalNanos)}
              </dd>
              <dt>Functions</dt>
              <dd>{count(recording().functions)}</dd>
              <Show when={recording().tasks > 0}>
                <dt>Async tasks</dt>
                <dd>{count(recording().tasks)}</dd>
              </Show>
              <dt>Machine</dt>
              <dd>
                {info().host}, {info().system}, {counted(info().cpus, "CPU")}
              </dd>
              <dt>Recorded by</dt>
              <dd>
                sondage {info().writer}, {info().engine} engine
              </dd>
              <For each={info().labels}>
                {(label) => (
                  <>
                    <dt>{label.key}</dt>
                    <dd>{label.value}</dd>
                  </>
                )}
              </For>
            </dl>
          </section>
          <section class="card">
            <h2>What is missing</h2>
            <Show when={recording().recovered}>
              <p>{recording().recovered}</p>
            </Show>
            <p>
              <Show when={lost() > 0} fallback="Nothing: no sample was lost or rejected.">
                {counted(lost(), "sample")} lost or rejected, {percent(lost(), lost() + recording().samples)}{" "}
                of all.
              </Show>
            </p>
            <Show when={recording().losses.length > 0}>
              <table>
                <thead>
                  <tr>
                    <th>Why</th>
                    <th class="num">Times</th>
                  </tr>
                </thead>
                <tbody>
                  <For each={recording().losses}>
                    {(loss) => (
                      <tr>
                        <td>{loss.label}</td>
                        <td class="num">{count(loss.count)}</td>
                      </tr>
                    )}
                  </For>
                </tbody>
              </table>
            </Show>
          </section>
          <section class="card">
            <h2>What it cost</h2>
            <dl>
              <dt>Profiler's CPU</dt>
              <dd>
                {duration(overhead().ownCpuNanos)}, {percent(overhead().ownCpuNanos, length())} of one CPU
              </dd>
              <dt>Wake-ups</dt>
              <dd>{count(overhead().ticks)}</dd>
              <dt>Stacks read</dt>
              <dd>{count(overhead().reads)}</dd>
              <dt>Threads stopped</dt>
              <dd>
                {overhead().stops === 0
                  ? "never"
                  : `${counted(overhead().stops, "time")}, for microseconds each`}
              </dd>
            </dl>
          </section>
          <section class="card">
            <h2>What the program says</h2>
            <Show
              when={program().zones + program().frames + program().logs + program().locks > 0}
              fallback={
                <p>
                  Nothing. Name stretches of its work with <code>with profiler.span("name"):</code> in Python
                  or <code>zone!("name")</code> in Rust to see them here.
                </p>
              }
            >
              <dl>
                <dt>Zones</dt>
                <dd>
                  {count(program().zones)} in {counted(program().sites, "place")}
                </dd>
                <dt>Frames</dt>
                <dd>{count(program().frames)}</dd>
                <dt>Log lines</dt>
                <dd>{count(program().logs)}</dd>
                <dt>Locks</dt>
                <dd>{count(program().locks)}</dd>
                <Show when={program().probes}>
                  {(probes) => (
                    <>
                      <dt>Cost of its probes</dt>
                      <dd>
                        {duration(probes().cost)} for {counted(probes().events, "event")},{" "}
                        {percent(probes().cost, length())} of one CPU
                      </dd>
                    </>
                  )}
                </Show>
              </dl>
            </Show>
          </section>
          <section class="card wide">
            <h2>Processes and threads</h2>
            <table>
              <thead>
                <tr>
                  <th>Process</th>
                  <th>Thread</th>
                  <th class="num">Samples</th>
                  <For each={STATE_NAMES}>{(name) => <th class="num">{STATE_LABELS[name]}</th>}</For>
                  <th class="num">holds the GIL</th>
                  <th style={{ width: "14%" }}>States</th>
                </tr>
              </thead>
              <tbody>
                <For each={recording().threads}>
                  {(thread) => (
                    <tr>
                      <td title={app.process(thread.process)?.command}>
                        {app.process(thread.process)?.name}{" "}
                        <span class="muted">{app.process(thread.process)?.pid}</span>
                      </td>
                      <td>
                        {thread.name} <span class="muted">{thread.tid}</span>
                      </td>
                      <td class="num">{count(thread.count)}</td>
                      <For each={STATE_NAMES}>
                        {(name) => (
                          <td class="num" classList={{ muted: thread.weights[name] === 0 }}>
                            {thread.weights[name] > 0 ? duration(thread.weights[name]) : "–"}
                          </td>
                        )}
                      </For>
                      <td class="num">{thread.gil > 0 ? duration(thread.gil) : "–"}</td>
                      <td>
                        <Split states={thread.weights} />
                      </td>
                    </tr>
                  )}
                </For>
              </tbody>
            </table>
          </section>
          <section class="card wide">
            <h2>Messages</h2>
            <Show when={recording().messages.length > 0} fallback={<p>None.</p>}>
              <table>
                <tbody>
                  <For each={recording().messages}>
                    {(message) => (
                      <tr>
                        <td class="num" style={{ width: "90px" }}>
                          {instant(message.time, 1e6)}
                        </td>
                        <td style={{ width: "80px" }} class="muted">
                          {message.level}
                        </td>
                        <td>{message.text}</td>
                      </tr>
                    )}
                  </For>
                </tbody>
              </table>
            </Show>
          </section>
        </div>
      </div>
    </div>
  );
}
