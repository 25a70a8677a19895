import type { Socket } from "node:net";
import { type ChooseRouteDependencies, chooseRoute } from "./choose-route.ts";
import type { ConnectAttempt, TunnelAttempt } from "./connect.ts";
import { type Destination, DialError } from "./destination.ts";
import type { Protocol } from "./upstream-protocols.ts";

/** Longest attempt while there are further addresses to try. */
const attemptTimeoutMilliseconds = 4_000;

/** What dialling needs from its surroundings. */
export interface DialDependencies extends ChooseRouteDependencies {
  readonly connect: (attempt: ConnectAttempt) => Promise<Socket>;
  readonly connectThroughProxy: (attempt: TunnelAttempt) => Promise<Socket>;
  readonly timeoutMilliseconds: number;
  readonly now: () => number;
}

/**
 * Dials a destination through the operator's proxy where its route leads there,
 * and otherwise its addresses one after another until one accepts.
 * The address that is dialled is the one that was checked: the name is
 * resolved once, so a DNS response that changes in between has no effect.
 *
 * A certificate that cannot be trusted ends the attempts, and so does a server
 * that speaks none of the offered protocols: no further address of the name is
 * dialled. Rejects with `DialError` only.
 */
export async function dial(
  deps: DialDependencies,
  destination: Destination,
  signal: AbortSignal,
  protocols: readonly Protocol[],
): Promise<Socket> {
  const deadline = deps.now() + deps.timeoutMilliseconds;
  const route = await chooseRoute(deps, destination, signal);
  if (route.kind === "tunnel") {
    const { proxy, port } = route;
    const timeoutMilliseconds = Math.max(0, deadline - deps.now());
    return await deps.connectThroughProxy({
      destination,
      proxy,
      port,
      timeoutMilliseconds,
      signal,
      protocols,
    });
  }
  const { targets } = route;
  let failure = new DialError("timed_out", `${destination.host} was not resolved in time`);
  for (const [index, target] of targets.entries()) {
    const remaining = deadline - deps.now();
    if (remaining <= 0) break;
    const isLast = index === targets.length - 1;
    const timeoutMilliseconds = isLast
      ? remaining
      : Math.min(remaining, attemptTimeoutMilliseconds);
    try {
      return await deps.connect({ destination, target, timeoutMilliseconds, signal, protocols });
    } catch (error) {
      if (!(error instanceof DialError) || signal.aborted) throw error;
      if (isOfTheHost(error)) throw error;
      failure = error;
    }
  }
  throw failure;
}

function isOfTheHost({ failure }: DialError): boolean {
  return failure === "certificate_invalid" || failure === "protocol_not_supported";
}
