import { egressProxyOf } from "@opencomputer/protocol/wire";
import type { EgressProxyClient } from "./egress-proxy-client.ts";

/** A sandbox, or a session of it, as far as it decides which egress proxy is its own. */
export interface SandboxPlace {
  /** The address of its slot; null while it has none. */
  readonly sourceAddress: string | null;
}

/** The egress proxies of a host, each of which serves some of its slots. */
export interface EgressProxies {
  readonly all: readonly EgressProxyClient[];
  /** The one that serves a sandbox; the first for a sandbox without a slot. */
  of(sandbox: SandboxPlace): EgressProxyClient;
}

/** @throws {RangeError} without any. */
export function createEgressProxies(all: readonly EgressProxyClient[]): EgressProxies {
  const [first] = all;
  if (first === undefined) throw new RangeError("Expected at least one egress proxy, got none");
  return {
    all,
    of({ sourceAddress }) {
      if (sourceAddress === null) return first;
      return all[egressProxyOf(sourceAddress, all.length)] ?? first;
    },
  };
}
