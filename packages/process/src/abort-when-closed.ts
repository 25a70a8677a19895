import type { ServerResponse } from "node:http";

/** Aborts when the caller closes its connection before it has the whole response. */
export function abortWhenClosed(
  response: Pick<ServerResponse, "once" | "writableFinished">,
): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) {
      controller.abort(
        new Error("The caller closed its connection before the response was complete"),
      );
    }
  });
  return controller.signal;
}
