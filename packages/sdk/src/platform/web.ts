import type { Fetch } from "./fetch.ts";

export const platformFetch: Fetch = (url, init) => globalThis.fetch(url, init);

/** A browser has no environment: the key and the URL are passed as options. */
export function readEnvironment(_name: string): string | undefined {
  return undefined;
}
