/** A question that follows the view: the old answer stays until the new one is there. */
import { createEffect, createMemo, createSignal, on, onCleanup, type Accessor } from "solid-js";
import { ApiError, get, peek } from "../api/client.ts";

export interface Answer<T> {
  /** The latest answer, perhaps to an earlier question. */
  readonly data: Accessor<T | undefined>;
  /** The question that `data` answers. */
  readonly question: Accessor<string | null>;
  readonly loading: Accessor<boolean>;
  readonly error: Accessor<ApiError | null>;
  retry(): void;
}

const [busy, setBusy] = createSignal(0);
/** How many questions are under way, for the progress bar. */
export const questionsUnderWay = busy;

/**
 * Asks `question()` whenever it changes; `null` asks nothing. A question that is overtaken is
 * aborted. `wait` (ms) holds a question back until the view has come to rest.
 */
export function ask<T>(question: Accessor<string | null>, options: { wait?: number } = {}): Answer<T> {
  const [data, setData] = createSignal<{ question: string; answer: T }>();
  const [error, setError] = createSignal<ApiError | null>(null);
  const [loading, setLoading] = createSignal(false);
  const [attempt, setAttempt] = createSignal(0);
  const asked = createMemo(question);

  createEffect(
    on([asked, attempt], ([path]) => {
      setError(null);
      if (path === null) {
        setLoading(false);
        return;
      }
      const known = peek(path);
      if (known !== undefined) {
        setLoading(false);
        setData({ question: path, answer: known as T });
        return;
      }
      const abort = new AbortController();
      let underWay = false;
      const done = () => {
        if (underWay) setBusy((n) => n - 1);
        underWay = false;
      };
      setLoading(true);
      const timer = setTimeout(() => {
        underWay = true;
        setBusy((n) => n + 1);
        get(path, abort.signal)
          .then((answer) => {
            if (abort.signal.aborted) return;
            setLoading(false);
            setData({ question: path, answer: answer as T });
          })
          .catch((reason: unknown) => {
            if (abort.signal.aborted) return;
            setLoading(false);
            setError(reason instanceof ApiError ? reason : new ApiError(String(reason), null, 0));
          })
          .finally(done);
      }, options.wait ?? 0);
      onCleanup(() => {
        clearTimeout(timer);
        abort.abort();
        done();
      });
    }),
  );

  return {
    data: () => data()?.answer,
    question: () => data()?.question ?? null,
    loading,
    error,
    retry: () => setAttempt((n) => n + 1),
  };
}
