import type { ServerResponse } from "node:http";

/** Aborts when the caller has gone before it was answered. */
export function abortWhenClosed(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) controller.abort(new Error("The caller has gone"));
  });
  return controller.signal;
}
