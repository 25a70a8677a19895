import { dashboardHeader } from "@opencomputer/protocol/api";
import type { ConnectionOptions, Fetch } from "@opencomputer/sdk";

/**
 * Sends a request with the session's cookie, which no script can read, instead of
 * an API key. The field keeps pages of other origins from doing the same.
 */
export const fetchWithSession: Fetch = (url, init) => {
  const { "x-api-key": _key, ...headers } = init.headers;
  return globalThis.fetch(url, {
    ...init,
    headers: { ...headers, [dashboardHeader]: "1" },
    credentials: "same-origin",
  });
};

/** Options of the SDK for the service that has served this page. The key is never sent. */
export const connection = {
  apiUrl: globalThis.location.origin,
  apiKey: "session",
  fetch: fetchWithSession,
} satisfies ConnectionOptions;
