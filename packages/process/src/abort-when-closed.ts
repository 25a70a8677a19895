import type { ServerResponse } from "node:http";

/**
 * Aborts when the caller closes its connection before it has the whole response,
 * and at once when it has closed it already.
 */
export function abortWhenClosed(
  response: Pick<ServerResponse, "once" | "destroyed" | "writableFinished">,
): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => {
    if (response.writableFinished) return;
    controller.abort(
      new Error("The caller closed its connection before the response was complete"),
    );
  };
  // Nothing is emitted again for a connection that ended while the request was being admitted.
  if (response.destroyed) abort();
  else response.once("close", abort);
  return controller.signal;
}
