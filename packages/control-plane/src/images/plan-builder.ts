import { defaults } from "@opencomputer/protocol";
import { baseTemplate } from "../sandboxes/sandbox-options.ts";
import type { SandboxPlan } from "../sandboxes/sandbox-plan.ts";
import { emptyLayer } from "../secret-stores/open-layer.ts";

/** The plan of a sandbox that an image is built in: the base image, an open network, no secrets. */
export function planBuilder(memoryMB: number): SandboxPlan {
  return {
    options: {
      ...{ templateId: baseTemplate, cpuCount: defaults.cpuCount, memoryMB },
      ...{ diskMB: null, idleTimeoutSeconds: 0, idle: "requests" },
    },
    ...{ purpose: "builder", checkpointId: null, fromCheckpointId: null },
    ...{ inheritedEnvs: {}, envs: {}, workingDirectory: null, metadata: {} },
    ...{ projectName: null, secretStoreName: null, baseSecretStoreName: null },
    ...{ hasSecretStore: false, base: emptyLayer, top: emptyLayer },
    inheritedFormerSecrets: [],
  };
}
