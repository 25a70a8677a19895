import type { AuditLine } from "@opencomputer/protocol/wire";

const hostsNamedMax = 8;

/**
 * Sums up audit lines of one sandbox, kind and decision that are not written
 * one by one. Its memory grows with the secrets of the session, never with the
 * number or the content of the lines.
 */
export class LeftOutLines {
  readonly #first: AuditLine;
  readonly #describe: (count: number) => string;
  readonly #hosts = new Set<string>();
  readonly #substituted = new Set<string>();
  /** The first place of each secret. */
  readonly #withheld = new Map<string, string>();
  readonly #redacted = new Set<string>();
  readonly #leaked = new Set<string>();
  #count = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  #durationMillisecondsMax = 0;

  /** `describe` begins the reason of the sum. */
  constructor(first: AuditLine, describe: (count: number) => string) {
    this.#first = first;
    this.#describe = describe;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a line, which may be the sum of `count` lines itself. */
  add(line: AuditLine, count = 1): void {
    this.#count += count;
    this.#requestBytes += line.requestBytes;
    this.#responseBytes += line.responseBytes;
    this.#durationMillisecondsMax = Math.max(
      this.#durationMillisecondsMax,
      line.durationMilliseconds,
    );
    if (line.host !== null && this.#hosts.size <= hostsNamedMax) this.#hosts.add(line.host);
    for (const name of line.substituted) this.#substituted.add(name);
    for (const { name, place } of line.withheld) {
      if (!this.#withheld.has(name)) this.#withheld.set(name, place);
    }
    for (const name of line.redacted) this.#redacted.add(name);
    for (const name of line.leaked) this.#leaked.add(name);
  }

  /** Returns one line for all of them: bytes are summed, the duration is the longest. */
  sum(): AuditLine {
    return {
      ...this.#first,
      host: null,
      method: null,
      path: null,
      reason: `${this.#describe(this.#count)}${this.#hostsText()}`,
      status: null,
      substituted: [...this.#substituted],
      withheld: [...this.#withheld].map(([name, place]) => ({ name, place })),
      redacted: [...this.#redacted],
      leaked: [...this.#leaked],
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      durationMilliseconds: this.#durationMillisecondsMax,
    };
  }

  #hostsText(): string {
    const hosts = [...this.#hosts];
    if (hosts.length === 0) return "";
    const named = hosts.slice(0, hostsNamedMax).join(", ");
    return `; hosts: ${named}${hosts.length > hostsNamedMax ? " and more" : ""}`;
  }
}
