/** Asks the server. A recording does not change, so an answer is kept and given again. */

/** Why a question was not answered, and what to do about it. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly hint: string | null,
    readonly status: number,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

const KEPT_ANSWERS = 48;
const kept = new Map<string, unknown>();

/** The kept answer to `path`, if there is one; asking makes it the most recent. */
export function peek(path: string): unknown {
  const answer = kept.get(path);
  if (answer !== undefined) {
    kept.delete(path);
    kept.set(path, answer);
  }
  return answer;
}

function keep(path: string, answer: unknown): void {
  kept.set(path, answer);
  if (kept.size > KEPT_ANSWERS) {
    const oldest = kept.keys().next();
    if (!oldest.done) kept.delete(oldest.value);
  }
}

/**
 * The answer to `api/<path>`.
 *
 * @throws ApiError when the server refuses or cannot be reached; a DOMException named `AbortError`
 *   when `signal` fired.
 */
export async function get(path: string, signal?: AbortSignal): Promise<unknown> {
  const known = peek(path);
  if (known !== undefined) return known;
  let response: Response;
  try {
    response = await fetch(`api/${path}`, {
      ...(signal ? { signal } : {}),
      headers: { accept: "application/json" },
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(
      "The server does not answer.",
      "Is `sondage view` still running? Start it again and reload.",
      0,
    );
  }
  if (!response.ok) throw await refusal(response);
  const answer: unknown = await response.json();
  keep(path, answer);
  return answer;
}

async function refusal(response: Response): Promise<ApiError> {
  try {
    const body = (await response.json()) as { error?: unknown; hint?: unknown };
    return new ApiError(
      typeof body.error === "string" ? body.error : `The server answered ${String(response.status)}.`,
      typeof body.hint === "string" ? body.hint : null,
      response.status,
    );
  } catch {
    return new ApiError(
      `The server answered ${String(response.status)} ${response.statusText}.`,
      null,
      response.status,
    );
  }
}
