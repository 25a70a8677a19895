import { WireError } from "@opencomputer/protocol";
import type { Database } from "../database/database.ts";
import { lockOrg } from "../orgs/org-repository.ts";
import type { SandboxRepository } from "./sandbox-repository.ts";

/** Who makes a sandbox: an org, by one of its keys. */
export interface Caller {
  orgId: string;
  /** Null when it was no key that opened the route. */
  apiKeyId: string | null;
}

/**
 * Sees that one more sandbox is within what the org and the key may have at
 * once. Creates of one org take turns here, so that many at once do not pass a
 * limit together.
 *
 * @throws {WireError} `too_many_requests`, naming the limit.
 */
export async function assertRoom(
  transaction: Database,
  deps: {
    sandboxes: SandboxRepository;
    sandboxesPerOrgMax: number;
    sandboxesPerKeyMax: number | undefined;
  },
  { orgId, apiKeyId }: Caller,
): Promise<void> {
  const { sandboxes, sandboxesPerOrgMax, sandboxesPerKeyMax } = deps;
  await lockOrg(transaction, orgId);
  if ((await sandboxes.countLive(transaction, orgId)) >= sandboxesPerOrgMax) {
    throw new WireError(
      "too_many_requests",
      `This org runs ${sandboxesPerOrgMax} sandboxes, the most at once: hibernate or kill one, or have OPENCOMPUTER_SANDBOXES_PER_ORG_MAX raised`,
    );
  }
  if (sandboxesPerKeyMax === undefined || apiKeyId === null) return;
  if ((await sandboxes.countLive(transaction, orgId, apiKeyId)) >= sandboxesPerKeyMax) {
    throw new WireError(
      "too_many_requests",
      `This key runs ${sandboxesPerKeyMax} sandboxes, the most at once: hibernate or kill one, or have OPENCOMPUTER_SANDBOXES_PER_KEY_MAX raised`,
    );
  }
}
