import { isErrorCode, limits, WireError } from "@opencomputer/protocol/api";
import type { WorkerSandbox } from "@opencomputer/protocol/wire";
import { z } from "zod";
import type { RunningSandbox, Sandboxes } from "../sandboxes/sandboxes.ts";
import { guestLimitsOf, guestMemoryMBMax, scalingOf } from "../scaling/sandbox-size.ts";

const mebi = 1024 * 1024;
const template = "base";
const region = "local";
const scaleSchema = z.object({
  memoryMB: z.int().min(limits.memoryMBMin).max(limits.memoryMBMax),
});

export interface MetadataRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface MetadataResponse {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/**
 * The response of the metadata service to a sandbox: its own data, or a change of
 * its own size up to its own maximum. Nothing in the request names the sandbox.
 */
export async function metadataResponse(
  deps: { scale: Sandboxes["scale"]; now: () => number },
  sandbox: Omit<RunningSandbox, "agent">,
  request: MetadataRequest,
): Promise<MetadataResponse> {
  try {
    return { status: 200, body: await respond(deps, sandbox, request) };
  } catch (error) {
    const known =
      error instanceof WireError && isErrorCode(error.code)
        ? error
        : new WireError("internal_error", "The size could not be changed; try again");
    return { status: known.status, body: known.toBody() };
  }
}

async function respond(
  deps: Parameters<typeof metadataResponse>[0],
  { spec, startedAtUnixMilliseconds }: Omit<RunningSandbox, "agent">,
  { method, path, body }: MetadataRequest,
): Promise<Record<string, unknown>> {
  switch (`${method} ${path}`) {
    case "GET /v1/status": {
      const uptime = Math.max(0, Math.floor((deps.now() - startedAtUnixMilliseconds) / 1000));
      return { sandboxId: spec.sandboxId, uptime };
    }
    case "GET /v1/limits": {
      const { cpuPercent, autoscale, locked } = scalingOf(spec);
      return {
        memLimit: spec.memoryMB * mebi,
        pids: guestLimitsOf(spec).processCountMax,
        cpuPercent: cpuPercent ?? spec.cpuCount * 100,
        memoryMB: spec.memoryMB,
        memoryMBMax: guestMemoryMBMax(spec),
        autoscale: autoscale?.enabled === true,
        locked,
      };
    }
    case "GET /v1/metadata":
      return { region, template };
    case "POST /v1/scale": {
      const { memoryMB } = parseScale(body);
      const scaled: WorkerSandbox = await deps.scale(
        spec.sandboxId,
        { memoryMB, cpuPercent: null },
        "guest",
      );
      return { ok: true, memoryMB: scaled.size?.memoryMB ?? memoryMB };
    }
    default:
      throw new WireError(
        "not_found",
        "The metadata service has GET /v1/status, /v1/limits and /v1/metadata, and POST /v1/scale",
      );
  }
}

function parseScale(body: string): { memoryMB: number } {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new WireError("invalid_json", 'The body must be JSON such as {"memoryMB":2048}', {
      cause: error,
    });
  }
  const parsed = scaleSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new WireError(
    "invalid_request",
    `memoryMB must be a whole number from ${limits.memoryMBMin} to ${limits.memoryMBMax}`,
  );
}
