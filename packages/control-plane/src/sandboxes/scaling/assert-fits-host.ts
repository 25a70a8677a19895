import { WireError } from "@opencomputer/protocol/api";
import type { HostSizes } from "../../worker/worker-link.ts";
import type { SandboxConfig } from "../rows/sandbox-config.ts";

/**
 * Asserts that a host can hold a sandbox of this size.
 *
 * @throws {WireError} `invalid_request`
 */
export function assertFitsHost(
  size: Pick<SandboxConfig, "cpuCount" | "memoryMB">,
  host: HostSizes,
): void {
  if (size.cpuCount > host.cpuCountMax) {
    throw new WireError(
      "invalid_request",
      `cpuCount: this host has at most ${host.cpuCountMax} for a sandbox, found ${size.cpuCount}`,
    );
  }
  if (size.memoryMB > host.memoryMBMax) {
    throw new WireError(
      "invalid_request",
      `memoryMB: this host has at most ${host.memoryMBMax} for a sandbox, found ${size.memoryMB}`,
    );
  }
}
