import { type Tracer, traceCalls } from "@opencomputer/process";
import type { EgressProxyClient } from "../egress-proxy/egress-proxy-client.ts";
import type { WorkerClient } from "./worker-client.ts";

/** Each call of the worker that is a phase of a request has a span; polls have none. */
export function traceWorker(tracer: Tracer, worker: WorkerClient): WorkerClient {
  const options = { peer: "worker", kind: "client" } as const;
  const sessions = traceCalls(tracer, worker.sessions, {
    ...options,
    calls: { start: "start session", runAsync: "run in background" },
  });
  const terminals = traceCalls(tracer, worker.terminals, {
    ...options,
    calls: { open: "open terminal" },
  });
  const traced = traceCalls(tracer, worker, {
    ...options,
    calls: {
      prepare: "prepare",
      start: "start",
      hibernate: "hibernate",
      wake: "wake",
      restore: "restore",
      reboot: "reboot",
      scale: "scale",
      delete: "delete",
      makeCheckpoint: "make checkpoint",
      deleteCheckpoint: "delete checkpoint",
      run: "run command",
    },
  });
  return { ...traced, sessions, terminals };
}

/** The calls that hand over or take away a session, which holds secrets: their spans have none of it. */
export function traceEgressProxy(tracer: Tracer, egressProxy: EgressProxyClient) {
  return traceCalls(tracer, egressProxy, {
    peer: "egress-proxy",
    kind: "client",
    calls: { putSession: "put session", endSession: "delete session", explain: "explain" },
  });
}
