import type { EgressHost } from "@opencomputer/protocol";
import { type Dial, DialError } from "../contract.ts";
import { chooseAddresses } from "./choose-addresses.ts";
import type { Connect } from "./connect.ts";
import { createOperatorHosts } from "./operator-hosts.ts";
import type { JudgeAddress } from "./public-address.ts";
import type { ResolveHost } from "./resolve-host.ts";

/** With further addresses to try, one that does not answer is given this long. */
const attemptTimeoutMilliseconds = 4_000;

/**
 * Dials the addresses of a destination one after another until one answers.
 * What is dialled is the address that was checked: the name is resolved once,
 * so an answer that changes in between changes nothing.
 *
 * A certificate that cannot be trusted ends it: another address of the same
 * name is not asked.
 */
export function createDial(deps: {
  egressHosts: readonly EgressHost[];
  resolveHost: ResolveHost;
  judgeAddress: JudgeAddress;
  isOwnAddress: (address: string) => boolean;
  connect: Connect;
  timeoutMilliseconds: number;
  now: () => number;
}): Dial {
  const operatorHosts = createOperatorHosts(deps.egressHosts);

  return async (destination, signal) => {
    const deadline = deps.now() + deps.timeoutMilliseconds;
    const targets = await chooseAddresses({ ...deps, operatorHosts }, destination, signal);
    let failure = new DialError("timed_out", `${destination.host} was not found in time`);
    for (const [index, target] of targets.entries()) {
      const remaining = deadline - deps.now();
      if (remaining <= 0) break;
      const isLast = index === targets.length - 1;
      const timeoutMilliseconds = isLast
        ? remaining
        : Math.min(remaining, attemptTimeoutMilliseconds);
      try {
        return await deps.connect({ destination, target, timeoutMilliseconds, signal });
      } catch (error) {
        if (!(error instanceof DialError) || signal.aborted) throw error;
        if (error.failure === "certificate_invalid") throw error;
        failure = error;
      }
    }
    throw failure;
  };
}
