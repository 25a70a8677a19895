import {
  type CreateSandboxRequest,
  defaults,
  type ProjectRecord,
  WireError,
} from "@opencomputer/protocol/api";
import type { SandboxConfig } from "../rows/sandbox-config.ts";

export const baseTemplate = "base";
/** Names of the base template; the empty one means that none was chosen. */
const baseTemplateNames: readonly string[] = ["", "base", "default"];

/** The part of a configuration that the caller, the project and the platform choose, in this order. */
type ResolvedConfig = Pick<
  SandboxConfig,
  "templateId" | "cpuCount" | "memoryMB" | "diskMB" | "idleTimeoutSeconds" | "idle"
>;
type Defaults = Pick<ProjectRecord, "template" | "cpuCount" | "memoryMB" | "timeoutSec">;

/**
 * Resolves what the caller chose, else what the project has, else what the platform
 * has. Null, zero, the empty string and the base template are no choice, with one
 * exception: without a project, a time-out of 0 is chosen and means never.
 *
 * @throws {WireError} `invalid_request` for a template that does not exist.
 */
export function resolveConfig(
  request: CreateSandboxRequest,
  project: Defaults | undefined,
): ResolvedConfig {
  return {
    templateId: resolveTemplate(request.templateID ?? "", project?.template),
    cpuCount: request.cpuCount || project?.cpuCount || defaults.cpuCount,
    memoryMB: request.memoryMB || project?.memoryMB || defaults.memoryMB,
    diskMB: request.diskMB || null,
    idleTimeoutSeconds:
      project === undefined
        ? (request.timeout ?? defaults.idleTimeoutSeconds)
        : request.timeout || project.timeoutSec || defaults.idleTimeoutSeconds,
    idle: request.idle ?? "requests",
  };
}

function resolveTemplate(requested: string, ofProject = ""): string {
  const chosen = baseTemplateNames.includes(requested) ? ofProject : requested;
  if (baseTemplateNames.includes(chosen)) return baseTemplate;
  throw new WireError(
    "invalid_request",
    `templateID: the only template is "${baseTemplate}", found ${JSON.stringify(chosen)}`,
  );
}
