import { platformFetch, readEnvironment } from "#platform";
import { OpenComputerError } from "./open-computer-error.ts";
import type { Fetch } from "./platform/fetch.ts";

/** Where the service of `npm run serve` listens. */
export const defaultApiUrl = "http://127.0.0.1:8080";

/** How to reach the service. Every call accepts these; absent ones come from the environment. */
export interface ConnectionOptions {
  /** API key, `osb_…`. Default: `OPENCOMPUTER_API_KEY`. */
  apiKey?: string | undefined;
  /**
   * Address of the service. Default: `OPENCOMPUTER_API_URL`, then
   * `http://127.0.0.1:8080`. A trailing `/` is dropped and `/api` is added
   * unless the address has it.
   */
  apiUrl?: string | undefined;
  /** Aborts the call, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Used instead of the platform's `fetch`. */
  fetch?: Fetch | undefined;
  /**
   * Called with the progress of the service's start each time that a call waits
   * for it. A call waits for at most 10 minutes.
   */
  onStarting?: ((progress: string) => void) | undefined;
}

/** Options of a call on an existing sandbox. */
export interface CallOptions {
  /** Aborts the call, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** A validated connection. */
export interface Connection {
  apiKey: string;
  /** Ends in `/api`. */
  baseUrl: string;
  fetch: Fetch;
  signal: AbortSignal | undefined;
  onStarting?: ((progress: string) => void) | undefined;
}

/**
 * The connection that the options and the environment describe.
 *
 * @throws {OpenComputerError} `missing_api_key`, `invalid_api_key` or
 * `invalid_api_url`, before anything is sent.
 */
export function resolveConnection(options: ConnectionOptions): Connection {
  return {
    apiKey: resolveApiKey(options.apiKey ?? readEnvironment("OPENCOMPUTER_API_KEY")),
    baseUrl: resolveBaseUrl(options.apiUrl ?? readEnvironment("OPENCOMPUTER_API_URL")),
    fetch: options.fetch ?? platformFetch,
    signal: options.signal,
    onStarting: options.onStarting,
  };
}

function resolveApiKey(given: string | undefined): string {
  const apiKey = given?.trim() ?? "";
  if (apiKey === "") {
    throw new OpenComputerError(
      "missing_api_key",
      "No API key: set OPENCOMPUTER_API_KEY or pass the apiKey option (`npm run serve` prints where the key is)",
    );
  }
  if (!/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new OpenComputerError(
      "invalid_api_key",
      "The API key has invalid characters: expected osb_ and 64 hexadecimal digits",
    );
  }
  return apiKey;
}

function resolveBaseUrl(given: string | undefined): string {
  const text = (given?.trim() || defaultApiUrl).replace(/\/+$/, "");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const usable =
    url !== undefined &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.username === "" &&
    url.password === "" &&
    url.search === "" &&
    url.hash === "";
  if (!usable) {
    throw new OpenComputerError(
      "invalid_api_url",
      `The API URL is malformed: expected something like ${defaultApiUrl}, without user name, query and fragment`,
    );
  }
  return text.endsWith("/api") ? text : `${text}/api`;
}
