import { type AuditLine, limits } from "@opencomputer/protocol";
import type { Logger } from "pino";
import { cutText } from "./bounded-line.ts";
import { createSparseEvents } from "./sparse-events.ts";

/**
 * Raises an alarm in the process log for each secret that a guest sent in
 * plaintext: it has a value that it must not have. Nothing of this reaches the
 * guest. An alarm is repeated at most ten times a minute for each secret, so
 * that a guest cannot push the rest of the log out with it.
 */
export function createLeakAlarm(deps: {
  log: Logger;
  now: () => number;
}): (line: AuditLine) => void {
  const admit = createSparseEvents({ now: deps.now });

  return ({ sandboxId, host, leaked }) => {
    for (const name of leaked) {
      const leftOut = admit(`${sandboxId} ${name}`);
      if (leftOut === undefined) continue;
      const where = cutText(host ?? "an unknown host", limits.auditTextBytesMax);
      deps.log.error(
        { sandboxId, host: where, secret: name, leftOut },
        `Secret ${name} leaked: sandbox ${sandboxId} sent its value in plaintext to ${where}. Rotate it, and find out how the sandbox got it.`,
      );
    }
  };
}
