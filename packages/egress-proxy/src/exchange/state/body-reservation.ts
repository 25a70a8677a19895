import type { Exchange } from "./exchange.ts";

/** Takes bytes from the sandbox's budget for collected bodies, if it has as many left. */
export function takeBudget(exchange: Exchange, bytes: number): boolean {
  const { deps, policy } = exchange;
  if (policy === undefined || !deps.bodyBudgets.of(policy.sandboxId).tryTake(bytes)) return false;
  exchange.reservedBytes += bytes;
  return true;
}

/** Gives all that was taken back: when the request was sent and will not be repeated, and at the end of the exchange. */
export function giveBudgetBack(exchange: Exchange): void {
  const { deps, policy, reservedBytes } = exchange;
  if (policy === undefined || reservedBytes === 0) return;
  deps.bodyBudgets.of(policy.sandboxId).give(reservedBytes);
  exchange.reservedBytes = 0;
}
