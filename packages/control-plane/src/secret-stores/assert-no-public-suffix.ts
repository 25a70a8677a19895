import { WireError } from "@opencomputer/protocol/api";
import { parse } from "tldts";

/**
 * Refuses a wildcard over a public suffix of the ICANN section of the Public
 * Suffix List: `*.com` or `*.co.uk` names no owner, so it would allow anyone.
 *
 * @param patterns In their canonical form.
 * @throws {WireError} `invalid_host_pattern`
 */
export function assertNoPublicSuffix(patterns: readonly string[]): void {
  for (const pattern of patterns) {
    if (!pattern.startsWith("*.")) continue;
    const suffix = pattern.slice(2);
    const { publicSuffix, isIcann } = parse(suffix, { allowPrivateDomains: false });
    if (publicSuffix === suffix && isIcann === true) {
      throw new WireError(
        "invalid_host_pattern",
        `Host pattern "${pattern}" covers the whole public suffix ${suffix}, where anyone can register a name: write a domain below it`,
      );
    }
  }
}
