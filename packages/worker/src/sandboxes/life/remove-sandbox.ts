import type { SandboxParts } from "./sandbox-parts.ts";
import { forgetSaved } from "./saved-state.ts";

/** Ends a sandbox, and removes all that the host has of it. @throws {WireError} `sandbox_not_found` */
export async function removeSandbox(parts: SandboxParts, sandboxId: string): Promise<void> {
  const { registry, machines, usageMeter } = parts;
  const sandbox = registry.find(sandboxId);
  sandbox.isRemoved = true;
  if (sandbox.machine !== undefined) await usageMeter.readLast(sandbox.machine);
  // Ends everything that waits for the guest.
  await sandbox.machine?.vm?.kill();
  await sandbox.mutex(async () => {
    // Another caller may have removed it, and the id may be in use again.
    if (registry.get(sandboxId) !== sandbox) return;
    if (sandbox.machine !== undefined) await machines.discard(sandbox.machine);
    await forgetSaved(parts, sandboxId);
    registry.delete(sandboxId);
  });
}
