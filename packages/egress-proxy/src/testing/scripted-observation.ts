import assert from "node:assert/strict";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { createValueSearch } from "../redaction/value-search.ts";
import { policyOf, secretOf, tokenOf } from "./http-policy.ts";
import { runScript, type Script } from "./scripted-exchange.ts";
import type { ValuePair } from "./value-pairs.ts";

/** A value that replaces the first one where a script has the session replaced. */
export const laterValue = "a value that comes later: Jq7Zt4Wn9Xb2Lr6Vm8Kd3Hs5";

/** The policies of a sandbox with this value, and with another one after it; the work of both is counted. */
export function policiesFor(value: string, later: string, more: readonly string[] = []) {
  const scanner = new BlockScanner();
  const secrets = [secretOf("KEY", "a", value)];
  const former = more.map((text, at) => ({
    name: `FORMER${at}`,
    token: tokenOf("f"),
    value: text,
  }));
  const first: SessionPolicy = {
    ...policyOf(secrets),
    search: createValueSearch(scanner, [...secrets, ...former]),
  };
  const rotatedSecrets = [secretOf("KEY", "a", later)];
  const rotated: SessionPolicy = {
    ...policyOf(rotatedSecrets),
    search: createValueSearch(scanner, [...rotatedSecrets, ...secrets, ...former]),
  };
  return { policies: { first, rotated }, work: scanner.work };
}

/** All that can be observed of a run. */
export async function see(script: Script, value: string, more: readonly string[] = []) {
  const { policies, work } = policiesFor(value, laterValue, more);
  const { events, audits } = await runScript(script, policies);
  if (!script.decompresses) return { events, audits, work };
  // Decompression finishes when its thread does: its order is compared, and not its time.
  return {
    events: events
      .filter((event) => event.includes(" guest ") && !event.endsWith("is read"))
      .map((event) => event.replace(/^\d+ /, "")),
    audits: audits.map((line) => line.replace(/"durationMilliseconds":[0-9.]+/, "")),
    work: undefined,
  };
}

export async function assertSameUnderBoth(
  script: Script,
  pair: ValuePair,
  note: string,
  more: readonly string[] = [],
): Promise<void> {
  const one = await see(script, pair.value, more);
  const two = await see(script, pair.other, more);
  assert.deepEqual(one, two, `${note}, ${JSON.stringify(pair)}`);
}
