import { WireError } from "@opencomputer/protocol/api";
import type { PreviewFailure } from "./failure-page.ts";

/** What a visitor sees when the sandbox's server could not be asked, or did not respond. */
export function describeFailure(error: unknown, port: number): PreviewFailure {
  if (!(error instanceof WireError)) {
    return {
      status: 502,
      title: "No valid response",
      body: {
        error: `The server on port ${port} of this sandbox closed the connection, or sent something that is not HTTP`,
        code: "guest_failed",
      },
    };
  }
  const { code } = error;
  if (code === "port_not_listening") {
    return {
      status: 502,
      title: "Nothing listens here yet",
      body: {
        error: `Nothing listens on port ${port} of this sandbox. Start a server on it and try again`,
        code,
      },
    };
  }
  if (code === "too_many_requests" || code === "guest_failed") {
    return { status: error.status, title: "Try again", body: { error: error.message, code } };
  }
  const retry = { "Retry-After": "1" };
  return {
    status: 503,
    title: "The sandbox is not available",
    body: { error: "The sandbox is not available at the moment: try again", code },
    headers: retry,
  };
}
