import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SessionPolicy } from "../contract.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { createValueSearch } from "../redaction/value-search.ts";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import {
  codings,
  framings,
  type ResponseShape,
  responseScript,
  webSocketScript,
} from "../testing/response-scripts.ts";
import { runScript, type Script } from "../testing/scripted-exchange.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { neighbouringPair, randomPair, type ValuePair } from "../testing/value-pairs.ts";

const token = tokenOf("a");

/** The policies of a sandbox with this value, and with another one after it; the work of both is counted. */
function policiesFor(value: string, later: string, more: readonly string[] = []) {
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

/** All that there is to see of a run. */
async function see(script: Script, value: string, later: string, more: readonly string[] = []) {
  const { policies, work } = policiesFor(value, later, more);
  const { events, audits } = await runScript(script, policies);
  if (!script.decompresses) return { events, audits, work };
  // What is decompressed is there when its thread is done: its order is compared, and not its time.
  return {
    events: events
      .filter((event) => event.includes(" guest ") && !event.endsWith("is read"))
      .map((event) => event.replace(/^\d+ /, "")),
    audits: audits.map((line) => line.replace(/"durationMilliseconds":[0-9.]+/, "")),
    work: undefined,
  };
}

async function assertSameUnderBoth(script: Script, pair: ValuePair, note: string): Promise<void> {
  const later = "a value that comes later: Jq7Zt4Wn9Xb2Lr6Vm8Kd3Hs5";
  const one = await see(script, pair.value, later);
  const two = await see(script, pair.other, later);
  assert.deepEqual(one, two, `${note}, ${JSON.stringify(pair)}`);
}

describe("what a guest sees is the same under two values that do not stand whole", () => {
  for (const framing of framings) {
    for (const coding of codings) {
      test(`${framing} responses, ${coding}`, async () => {
        const random = createSeededRandom(
          401 + framings.indexOf(framing) * 10 + codings.indexOf(coding),
        );
        for (let round = 0; round < (coding === "identity" ? 50 : 8); round += 1) {
          const makePair = random.below(3) === 0 ? neighbouringPair : randomPair;
          const pair = makePair(random, random.pick(["token", "text"]));
          const shape: ResponseShape = {
            framing,
            coding,
            guestMinorVersion: random.below(4) === 0 ? 0 : 1,
            hasBudget: random.below(4) > 0,
          };
          const script = responseScript(random, pair, token, shape);
          await assertSameUnderBoth(script, pair, `round ${round}`);
        }
      });
    }
  }

  test("frames of a WebSocket", async () => {
    const random = createSeededRandom(470);
    for (let round = 0; round < 60; round += 1) {
      const pair = randomPair(random, random.pick(["token", "text"]));
      await assertSameUnderBoth(webSocketScript(random, pair, token), pair, `round ${round}`);
    }
  });
});
