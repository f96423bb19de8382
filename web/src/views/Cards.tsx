/** An answer as cards, one for each thing in it, below a bar. */
import { For, Show, type JSX } from "solid-js";
import type { Answer } from "../state/ask.ts";
import { Answered, Empty, Skeleton } from "./parts.tsx";

export function Cards<Data, Thing>(props: {
  label: string;
  answer: Answer<Data>;
  /** The things in an answer. */
  of: (data: Data) => readonly Thing[];
  /** Why there may be none, and what to do. */
  none: string;
  bar: JSX.Element;
  children: (thing: Thing) => JSX.Element;
}): JSX.Element {
  const things = () => {
    const data = props.answer.data();
    return data === undefined ? undefined : props.of(data);
  };
  return (
    <>
      <div class="bar">{props.bar}</div>
      <div class="columns">
        <div class="grow scrolls" tabIndex={0} role="region" aria-label={props.label}>
          <Answered to={props.answer}>
            <Show when={things()} fallback={<Skeleton shape="rows" />}>
              {(found) => (
                <Show when={found().length > 0} fallback={<Empty why={props.none} />}>
                  <div class="info">
                    <div class="cards">
                      <For each={found()}>{(thing) => props.children(thing)}</For>
                    </div>
                  </div>
                </Show>
              )}
            </Show>
          </Answered>
        </div>
      </div>
    </>
  );
}
