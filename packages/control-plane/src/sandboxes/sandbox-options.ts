import {
  type CreateSandboxRequest,
  defaults,
  type IdleRule,
  type ProjectRecord,
  type SandboxScaling,
  WireError,
} from "@opencomputer/protocol";

export const baseTemplate = "base";
/** The names under which the base template goes; the empty one means that none was chosen. */
const baseTemplateNames: readonly string[] = ["", "base", "default"];

export interface SandboxOptions {
  templateId: string;
  cpuCount: number;
  memoryMB: number;
  /** In MB; null for the size of the image. */
  diskMB: number | null;
  /** 0 means never. */
  idleTimeoutSeconds: number;
  /** What counts as use beside requests. */
  idle: IdleRule;
  /** What a fork inherits; absent for a sandbox that was never scaled. */
  scaling?: SandboxScaling | null;
}

type Defaults = Pick<ProjectRecord, "template" | "cpuCount" | "memoryMB" | "timeoutSec">;

/**
 * What the caller chose, else what the project has, else what the platform
 * has. Zero, the empty string and the base template are no choice, with one
 * exception: without a project, a time-out of 0 is chosen and means never.
 *
 * @throws {WireError} `invalid_request` for a template that does not exist.
 */
export function resolveSandboxOptions(
  request: CreateSandboxRequest,
  project: Defaults | undefined,
): SandboxOptions {
  return {
    templateId: resolveTemplate(request.templateID, project?.template),
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

/**
 * Holds the sizes against what this host has.
 *
 * @throws {WireError} `invalid_request`
 */
export function assertFitsHost(
  options: Pick<SandboxOptions, "cpuCount" | "memoryMB">,
  host: { cpuCountMax: number; memoryMBMax: number },
): void {
  if (options.cpuCount > host.cpuCountMax) {
    throw new WireError(
      "invalid_request",
      `cpuCount: this host has at most ${host.cpuCountMax} for a sandbox, found ${options.cpuCount}`,
    );
  }
  if (options.memoryMB > host.memoryMBMax) {
    throw new WireError(
      "invalid_request",
      `memoryMB: this host has at most ${host.memoryMBMax} for a sandbox, found ${options.memoryMB}`,
    );
  }
}

function resolveTemplate(requested = "", ofProject = ""): string {
  const chosen = baseTemplateNames.includes(requested) ? ofProject : requested;
  if (baseTemplateNames.includes(chosen)) return baseTemplate;
  throw new WireError(
    "invalid_request",
    `templateID: the only template is "${baseTemplate}", found ${JSON.stringify(chosen)}`,
  );
}
