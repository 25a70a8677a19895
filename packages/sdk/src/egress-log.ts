import {
  type EgressEntry,
  type EgressExplanation,
  type EgressPage,
  type EgressSuggestion,
  egressEntrySchema,
  egressExplanationSchema,
  egressPageSchema,
  egressSuggestionSchema,
} from "@opencomputer/protocol/api";
import {
  type CallOptions,
  type Connection,
  type ConnectionOptions,
  resolveConnection,
} from "./connection.ts";
import { apiPath } from "./request/api-request.ts";
import { followStream } from "./request/follow-stream.ts";
import { requestJson } from "./request/send-request.ts";

/** Which entries of an egress log. Absent options restrict nothing. */
export interface EgressFilter {
  /** Only refused exchanges. */
  refused?: boolean | undefined;
  /** Only this host, or with `*.` and a suffix the hosts below it. */
  host?: string | undefined;
}

/** Options of {@link EgressLog.list}. */
export interface ListEgressOptions extends CallOptions, EgressFilter {
  /** Start of the page: the `cursor` of an earlier page, or of an entry. Absent: the end that `order` starts at. */
  cursor?: string | undefined;
  /** Default `asc`: oldest first. */
  order?: "asc" | "desc" | undefined;
  /** Entries of the page, 1–1000. Default 100. */
  limit?: number | undefined;
}

/** Options of {@link EgressLog.follow}. */
export interface FollowEgressOptions extends CallOptions, EgressFilter {
  /** `cursor` of the last entry that you have. Absent: only what is added from now on. */
  cursor?: string | undefined;
}

/** Options of {@link EgressLog.explain}. */
export interface ExplainEgressOptions extends CallOptions {
  /** HTTP method. Default `GET`. */
  method?: string | undefined;
}

/**
 * What a sandbox exchanged with the network: as `sandbox.egress`, or made with the id of a
 * sandbox that was killed.
 */
export class EgressLog {
  readonly #options: ConnectionOptions;
  readonly #path: string;

  constructor(sandboxId: string, options: ConnectionOptions = {}) {
    this.#options = options;
    this.#path = apiPath`/sandboxes/${sandboxId}/egress`;
  }

  /**
   * Returns a page of the log. The next page starts at its `cursor`, whether there are
   * entries after it yet or not.
   *
   * @throws {OpenComputerError} `sandbox_not_found`, `invalid_host_pattern`.
   */
  async list(options: ListEgressOptions = {}): Promise<EgressPage> {
    const { cursor, order, limit } = options;
    const query = { cursor, order, limit: limit?.toString(), ...filterQuery(options) };
    return await requestJson(
      this.#at(options),
      { method: "GET", path: this.#path, query },
      egressPageSchema,
    );
  }

  /**
   * Iterates over entries as they are stored: those after `cursor`, or from now on without
   * one. It ends when its loop is left or its signal is aborted. While the service cannot be
   * reached it tries again, and continues after the last entry.
   *
   * @throws {OpenComputerError} `sandbox_not_found`, `invalid_host_pattern`;
   * `connection_failed` when the first connection fails; `too_many_requests` when the org has
   * as many streams as it may.
   */
  async *follow(options: FollowEgressOptions = {}): AsyncGenerator<EgressEntry, void, void> {
    const { signal } = options;
    const cursor = options.cursor ?? (await this.list({ signal, order: "desc", limit: 1 })).cursor;
    const source = { path: this.#path, query: filterQuery(options), schema: egressEntrySchema };
    yield* followStream(this.#at(options), source, cursor);
  }

  /**
   * Explains what would happen to a request, and which rule decides: `https://HOST/…`,
   * `http://HOST/…` or `tcp://HOST:PORT`. The name is resolved; nothing is sent to the host.
   *
   * @throws {OpenComputerError} `invalid_request`, `sandbox_not_found`, `sandbox_not_running`.
   */
  async explain(url: string, options: ExplainEgressOptions = {}): Promise<EgressExplanation> {
    return await requestJson(
      this.#at(options),
      { method: "GET", path: `${this.#path}/explain`, query: { url, method: options.method } },
      egressExplanationSchema,
    );
  }

  /**
   * Suggests the smallest allowlist, and the fewest hosts of each secret, that allow what the log has.
   *
   * @throws {OpenComputerError} `sandbox_not_found`.
   */
  async suggest(options?: CallOptions): Promise<EgressSuggestion> {
    return await requestJson(
      this.#at(options),
      { method: "GET", path: `${this.#path}/suggestion` },
      egressSuggestionSchema,
    );
  }

  #at(options: CallOptions | undefined): Connection {
    return resolveConnection({ ...this.#options, signal: options?.signal });
  }
}

function filterQuery({ refused, host }: EgressFilter): Record<string, string | undefined> {
  return { refused: refused === true ? "true" : undefined, host };
}
