import type { SandboxRow } from "../rows/sandbox-repository.ts";
import { type ReplaceMachineDeps, replaceMachine } from "./replace-machine.ts";

/**
 * Boots a sandbox from its disk, and resolves when it takes commands. An orderly
 * reboot ends its processes and writes its disk out first; otherwise the machine
 * ends at once, as by a loss of power. Tokens, policy and files are kept; sessions
 * and operations under way end with `outcome_unknown`. One that is hibernated is
 * woken first.
 *
 * @throws {WireError} `sandbox_not_running`, and what the worker reports.
 */
export function rebootSandbox(
  deps: ReplaceMachineDeps,
  sandbox: Pick<SandboxRow, "orgId" | "id">,
  options: { orderly: boolean },
): Promise<void> {
  const { id } = sandbox;
  return replaceMachine(deps, sandbox, {
    name: "reboot",
    details: options,
    assertPossible: async () => undefined,
    replace: () => deps.workers.of(sandbox).reboot(id, options),
    changes: { memoryLost: null },
    interruption: `Sandbox ${id} was rebooted during this operation, which may or may not have taken effect`,
  });
}
