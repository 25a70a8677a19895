import type { AuditLine } from "@opencomputer/protocol/wire";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { cutText } from "./bounded-line.ts";
import { SparseEvents } from "./sparse-events.ts";

/**
 * Writes an alarm to the process log for each secret that a guest sent in
 * plaintext: it has a value that it must not have. The guest cannot observe it.
 * An alarm is repeated at most ten times a minute for each secret, so that a
 * guest cannot flood the log with it.
 */
export class LeakAlarm {
  readonly #log: Logger;
  readonly #events: SparseEvents;

  constructor(deps: { log: Logger; now: () => number }) {
    this.#log = deps.log;
    this.#events = new SparseEvents(deps);
  }

  raise({ sandboxId, host, leaked }: AuditLine): void {
    for (const name of leaked) {
      const leftOut = this.#events.admit(`${sandboxId} ${name}`);
      if (leftOut === undefined) continue;
      const where = cutText(host ?? "an unknown host", serviceLimits.auditTextBytesMax);
      this.#log.error(
        { sandboxId, host: where, secret: name, leftOut },
        `Secret ${name} leaked: sandbox ${sandboxId} sent its value in plaintext to ${where}. Rotate it, and find out how the sandbox got it.`,
      );
    }
  }
}
