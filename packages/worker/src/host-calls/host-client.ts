import { type Tracer, traceCalls } from "@opencomputer/process";
import { Pool } from "undici";
import type { Host } from "./host.ts";
import { type HostCall, hostCalls, hostFailureSchema } from "./host-wire.ts";

/**
 * The host behind the socket of its process. Each call that a request waits for has a
 * span; the host process itself makes none, as it has root.
 */
export function connectHost(socketPath: string, tracer: Tracer): Host & { close(): Promise<void> } {
  const pool = new Pool("http://host", { socketPath, headersTimeout: 0, bodyTimeout: 0 });

  async function call(name: HostCall, request: readonly unknown[]): Promise<never> {
    const response = await pool.request({
      method: "POST",
      path: `/v1/${name}`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    const body: unknown = await response.body.json();
    if (response.statusCode !== 200) throw new Error(hostFailureSchema.parse(body).error);
    return hostCalls[name].response.parse(body) as never;
  }

  const host: Host = {
    describe: (...request) => call("describe", request),
    setUpNetwork: (...request) => call("setUpNetwork", request),
    tearDownNetwork: (...request) => call("tearDownNetwork", request),
    listSlots: (...request) => call("listSlots", request),
    openSlot: (...request) => call("openSlot", request),
    setSlotMode: (...request) => call("setSlotMode", request),
    closeSlots: (...request) => call("closeSlots", request),
    startMachine: (...request) => call("startMachine", request),
    endMachine: (...request) => call("endMachine", request),
    endOtherMachines: (...request) => call("endOtherMachines", request),
    limitMachine: (...request) => call("limitMachine", request),
    removeGroup: (...request) => call("removeGroup", request),
    removeGroupsBut: (...request) => call("removeGroupsBut", request),
    tearDownGroups: (...request) => call("tearDownGroups", request),
    showLayers: (...request) => call("showLayers", request),
    hideLayers: (...request) => call("hideLayers", request),
    giveLayer: (...request) => call("giveLayer", request),
    rebaseLayer: (...request) => call("rebaseLayer", request),
  };
  const traced = traceCalls(tracer, host, {
    ...{ peer: "host", kind: "client" },
    calls: {
      openSlot: "open slot",
      setSlotMode: "set slot mode",
      closeSlots: "close slots",
      startMachine: "start machine",
      endMachine: "end machine",
      limitMachine: "limit machine",
      showLayers: "show layers",
    },
  });
  return { ...traced, close: () => pool.destroy() };
}
