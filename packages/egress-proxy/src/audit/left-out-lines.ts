import type { AuditLine } from "@opencomputer/protocol";

const hostsNamedMax = 8;

/**
 * Audit lines of one sandbox, kind and decision that are not written one by
 * one. What is kept of them grows with the secrets of the session, never with
 * their number or with what the guest put into them.
 */
export class LeftOutLines {
  readonly #first: AuditLine;
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

  constructor(first: AuditLine) {
    this.#first = first;
  }

  add(line: AuditLine): void {
    this.#count += 1;
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

  /** One line for all of them: bytes are their sum, the duration is the longest. */
  sum(): AuditLine {
    return {
      ...this.#first,
      host: null,
      method: null,
      path: null,
      reason: `${this.#count} further lines of this second were left out${this.#hostsText()}`,
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
