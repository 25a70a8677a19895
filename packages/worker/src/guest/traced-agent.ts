import { type Tracer, traceCalls } from "@opencomputer/process";
import type { AgentClient } from "./agent-client.ts";

/** Each call that is a phase of a request has a span, which has nothing of the command that the guest runs. */
export function traceAgent(tracer: Tracer, agent: AgentClient): AgentClient {
  const options = { peer: "agent", kind: "client" } as const;
  const sessions = traceCalls(tracer, agent.sessions, {
    ...options,
    calls: { start: "start session" },
  });
  const terminals = traceCalls(tracer, agent.terminals, {
    ...options,
    calls: { open: "open terminal" },
  });
  const traced = traceCalls(tracer, agent, {
    ...options,
    calls: {
      waitUntilHealthy: "wait until healthy",
      configure: "configure",
      runHooks: "run hooks",
      freeze: "freeze",
      sync: "sync",
      limit: "limit",
      run: "run command",
    },
  });
  return { ...traced, sessions, terminals };
}
