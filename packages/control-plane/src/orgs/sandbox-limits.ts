import { WireError } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import type { SandboxRepository } from "../sandboxes/rows/sandbox-repository.ts";
import type { Caller } from "./api-key-repository.ts";

/**
 * Asserts that one more sandbox is within what the org and the key may run at
 * once. The org is locked, so that many creates at once do not exceed a limit together.
 *
 * @throws {WireError} `too_many_requests`, naming the limit.
 */
export async function assertRunningLimit(
  transaction: Database,
  deps: {
    sandboxes: SandboxRepository;
    sandboxesPerOrgMax: number;
    sandboxesPerKeyMax: number | undefined;
  },
  { orgId, apiKeyId }: Caller,
): Promise<void> {
  const { sandboxes, sandboxesPerOrgMax, sandboxesPerKeyMax } = deps;
  if ((await sandboxes.countLive(transaction, orgId)) >= sandboxesPerOrgMax) {
    throw new WireError(
      "too_many_requests",
      `Sandbox limit reached: this org runs ${sandboxesPerOrgMax} sandboxes at once, the maximum. Hibernate or kill one, or raise OPENCOMPUTER_SANDBOXES_PER_ORG_MAX`,
      {
        remediation:
          "oc sandbox hibernate <id>, oc kill <id>, or OPENCOMPUTER_SANDBOXES_PER_ORG_MAX",
      },
    );
  }
  if (sandboxesPerKeyMax === undefined || apiKeyId === null) return;
  if ((await sandboxes.countLive(transaction, orgId, apiKeyId)) >= sandboxesPerKeyMax) {
    throw new WireError(
      "too_many_requests",
      `Sandbox limit reached: this key runs ${sandboxesPerKeyMax} sandboxes at once, the maximum. Hibernate or kill one, or raise OPENCOMPUTER_SANDBOXES_PER_KEY_MAX`,
      {
        remediation:
          "oc sandbox hibernate <id>, oc kill <id>, or OPENCOMPUTER_SANDBOXES_PER_KEY_MAX",
      },
    );
  }
}
