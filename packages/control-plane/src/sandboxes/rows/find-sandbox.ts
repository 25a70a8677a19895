import { WireError } from "@opencomputer/protocol/api";
import type { SandboxRepository, SandboxRow } from "./sandbox-repository.ts";
import { presentStates } from "./sandbox-states.ts";

/** Finds a sandbox that its owner may see, in any state. @throws {WireError} `sandbox_not_found` */
export async function findSandbox(
  sandboxes: SandboxRepository,
  orgId: string,
  sandboxId: string,
): Promise<SandboxRow> {
  const sandbox = await sandboxes.find(orgId, sandboxId);
  const isShown = sandbox?.state !== "creating" && sandbox?.purpose === "user";
  if (sandbox !== undefined && isShown) return sandbox;
  throw sandboxNotFound(sandboxId);
}

/**
 * As {@link findSandbox}, for one that runs or is hibernated.
 *
 * @throws {WireError} `sandbox_not_found`, `sandbox_not_running`
 */
export async function findPresentSandbox(
  sandboxes: SandboxRepository,
  orgId: string,
  sandboxId: string,
): Promise<SandboxRow> {
  const sandbox = await findSandbox(sandboxes, orgId, sandboxId);
  if (presentStates.includes(sandbox.state)) return sandbox;
  throw new WireError("sandbox_not_running", `Sandbox ${sandboxId} is stopped`, {
    remediation: "oc create",
  });
}

export function sandboxNotFound(sandboxId: string): WireError {
  return new WireError("sandbox_not_found", `sandbox not found: ${sandboxId}`, {
    remediation: "oc ls",
  });
}
