import type { JudgeAddress } from "@opencomputer/process";

/**
 * Whether a name is the reverse name of an address that is not public (RFC 1035, section 3.5),
 * or below one: zones of fewer than 256 addresses have names there (RFC 2317).
 */
export function isPrivateReverseName(name: string, judgeAddress: JudgeAddress): boolean {
  const lower = name.toLowerCase();
  if (lower.endsWith(".ip6.arpa")) return true;
  if (!lower.endsWith(".in-addr.arpa")) return false;
  const numbers = lower.slice(0, -".in-addr.arpa".length).split(".").reverse();
  while (numbers.length < 4) numbers.push("0");
  return !judgeAddress(numbers.join(".")).allowed;
}
