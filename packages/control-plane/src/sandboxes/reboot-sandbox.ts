import type { WorkerClient } from "../worker/worker-client.ts";
import { type ReplaceMachineDeps, replaceMachine } from "./replace-machine.ts";
import type { SandboxRow } from "./sandbox-repository.ts";

export interface RebootDeps extends ReplaceMachineDeps {
  worker: Pick<WorkerClient, "reboot">;
}

/**
 * Boots a sandbox from its disk, and resolves when it takes commands. Orderly:
 * its processes are ended and its disk is written out first; else it ends at
 * once, as by a loss of power. Tokens, policy and files stay; sessions and
 * operations under way end with `outcome_unknown`. One that is hibernated is
 * woken first.
 *
 * @throws {WireError} `sandbox_not_running`, and what the worker reports.
 */
export function rebootSandbox(
  deps: RebootDeps,
  sandbox: Pick<SandboxRow, "orgId" | "id">,
  options: { orderly: boolean },
): Promise<void> {
  const { id } = sandbox;
  return replaceMachine(deps, sandbox, {
    name: "reboot",
    details: options,
    assertPossible: async () => undefined,
    replace: () => deps.worker.reboot(id, options),
    changes: { memoryLost: null },
    interruption: `Sandbox ${id} was rebooted during this operation, which may or may not have taken effect`,
  });
}
