import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type AuditLine, auditLineSchema } from "@opencomputer/protocol/wire";
import { readIfPresent } from "./read-if-present.ts";

const pollMilliseconds = 50;
const patienceMilliseconds = 20_000;

/** What the installation's audit trail has of a sandbox, or without one; the oldest line first. */
export async function readAuditLines(
  dataDirectory: string,
  sandboxId: string | null,
): Promise<AuditLine[]> {
  const name = sandboxId ?? "no-sandbox";
  const texts = await Promise.all(
    [`${name}.1.jsonl`, `${name}.jsonl`].map((file) =>
      readIfPresent(join(dataDirectory, "audit", file)),
    ),
  );
  const lines = texts.join("").split("\n").filter(Boolean);
  return lines.map((line) => auditLineSchema.parse(JSON.parse(line)));
}

/** The audit lines of a sandbox, once they meet a condition: a line is written after its response. */
export async function untilAudited(
  dataDirectory: string,
  sandboxId: string | null,
  condition: (lines: AuditLine[]) => boolean,
): Promise<AuditLine[]> {
  const deadline = Date.now() + patienceMilliseconds;
  for (;;) {
    const lines = await readAuditLines(dataDirectory, sandboxId);
    if (condition(lines)) return lines;
    if (Date.now() > deadline) {
      throw new Error(
        `The audit trail of ${sandboxId} has only:\n${JSON.stringify(lines, null, 1)}`,
      );
    }
    await delay(pollMilliseconds);
  }
}
