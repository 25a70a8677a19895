import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { splitAtRandom } from "../../testing/http-split.ts";
import { createSeededRandom, type SeededRandom } from "../../testing/seeded-random.ts";
import { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import { createBodyBudgets } from "../state/body-budgets.ts";
import { CollectedBytes } from "./collected-bytes.ts";
import { MessageSubstituter } from "./message-substituter.ts";

const value = 'pass"word\\with/ü-Q7v2mX9Lp4';
const [anywhere, inKey, inHeader] = [tokenOf("a"), tokenOf("b"), tokenOf("c")];
const policy = policyOf([
  secretOf("ANYWHERE", "a", value, [], ["body"]),
  secretOf("IN_KEY", "b", value, [], ["body:key"]),
  secretOf("IN_HEADER", "c", value, [], ["header"]),
]);
const table = policy.tokens.forDestination({ scheme: "https", host: "api.example.com" });
const bytesMax = 4096;

function createSubstituter({ budgetBytes = 1024 * 1024 } = {}) {
  const budgets = createBodyBudgets({ bytesPerSandboxMax: budgetBytes });
  const seen = new SeenSecrets();
  const collected = new CollectedBytes(bytesMax, budgets.of("sandbox"));
  const start = () => new MessageSubstituter(table, seen, collected);
  return {
    seen,
    budgets,
    /** What becomes of one message that arrives in these parts. */
    substitute(...parts: readonly (string | Buffer)[]): string {
      const substituter = start();
      const sent = parts.flatMap((part) => [...substituter.push(Buffer.from(part as string))]);
      sent.push(...substituter.end());
      return Buffer.concat(sent).toString("utf8");
    },
  };
}

describe("MessageSubstituter", () => {
  test("writes a value into JSON so that it stays JSON", () => {
    const { substitute, seen } = createSubstituter();
    const sent = substitute(JSON.stringify([{ auth: `Bearer ${anywhere}` }, anywhere]));
    assert.deepEqual(JSON.parse(sent), [{ auth: `Bearer ${value}` }, value]);
    assert.equal(JSON.parse(substitute(JSON.stringify(anywhere))), value);
    assert.deepEqual(seen.substituted, ["ANYWHERE"]);
    assert.equal(seen.occurrences.substituted, 3);
  });

  for (const text of ["login %s", "{ not JSON %s", '42["event","%s"]', "%s", '"a" %s']) {
    test(`writes it as it is into ${text}`, () => {
      const sent = createSubstituter().substitute(text.replace("%s", anywhere));
      assert.equal(
        sent,
        text.replace("%s", () => value),
      );
    });
  }

  test("writes it into the named member alone, wherever the message is cut", () => {
    const { substitute, seen } = createSubstituter();
    const message = JSON.stringify({ key: inKey, other: inKey, header: inHeader });
    const expected = JSON.stringify({ key: value, other: inKey, header: inHeader });
    for (let cut = 0; cut <= message.length; cut += 1) {
      assert.equal(substitute(message.slice(0, cut), message.slice(cut)), expected);
    }
    assert.deepEqual(seen.withheld, [
      { name: "IN_KEY", place: "body" },
      { name: "IN_HEADER", place: "body" },
    ]);
  });

  for (const [name, message] of [
    ["that is no JSON", `key=${inKey}`],
    ["that repeats the member", `{"key":"${inKey}","key":"x"}`],
    ["that is not UTF-8", Buffer.from(`{"key":"${inKey}","x":"\xff"}`, "latin1")],
  ] as const) {
    test(`writes it into no member of a message ${name}`, () => {
      const { substitute, seen } = createSubstituter();
      assert.equal(substitute(message), Buffer.from(message as string).toString("utf8"));
      assert.deepEqual(seen.withheld, [{ name: "IN_KEY", place: "body" }]);
    });
  }

  const long = (token: string) =>
    JSON.stringify({ key: token, padding: "x".repeat(bytesMax), again: token });
  test("a message that is too long to be collected passes as it arrives, and into no member", () => {
    const { substitute, seen, budgets } = createSubstituter();
    const { key, again } = JSON.parse(substitute(long(anywhere)));
    assert.deepEqual([key, again], [value, value]);
    const message = long(inKey);
    assert.equal(substitute(message.slice(0, 2000), message.slice(2000)), message);
    assert.deepEqual(seen.withheld, [{ name: "IN_KEY", place: "body" }]);
    assert.equal(seen.occurrences.withheld, 2);
    assert.equal(budgets.count, 0);
  });

  test("so does one for which the sandbox has no room", () => {
    const { substitute, budgets } = createSubstituter({ budgetBytes: 512 });
    const short = JSON.stringify({ key: inKey });
    assert.equal(substitute(short), JSON.stringify({ key: value }));
    const medium = JSON.stringify({ key: inKey, auth: anywhere, padding: "x".repeat(600) });
    const sent = JSON.parse(substitute(medium.slice(0, 100), medium.slice(100)));
    assert.deepEqual([sent.key, sent.auth], [inKey, value]);
    assert.equal(budgets.count, 0);
  });

  test("the outcome does not depend on how random messages arrive", () => {
    const random = createSeededRandom(77);
    for (let round = 0; round < 400; round += 1) {
      const message = randomMessage(random);
      const whole = createSubstituter();
      const expected = whole.substitute(message);
      const { substitute, seen } = createSubstituter();
      const parts = splitAtRandom(message, 1 + random.below(80), random);
      assert.equal(substitute(...parts), expected, `round ${round}`);
      assert.deepEqual(seen, whole.seen);
      assertSameDocument(message.toString("utf8"), expected);
    }
  });
});

/** JSON, and what nearly is, with tokens in it and shorter than what is collected. */
function randomMessage(random: SeededRandom): Buffer {
  const text = () =>
    Array.from({ length: random.below(4) }, () =>
      random.pick([
        anywhere,
        inKey,
        inHeader,
        anywhere.slice(0, 20),
        "ü",
        '"',
        "\\",
        "é{[",
        "\u0000",
      ]),
    ).join("");
  const json = JSON.stringify(
    Object.fromEntries(
      Array.from({ length: random.below(4) }, () => [
        random.pick(["key", "auth", text()]),
        random.pick([text(), random.below(9), [text()], { key: text() }, null]),
      ]),
    ),
  );
  const bytes = Buffer.from(random.pick([json, json, text(), `${json}${text()}`]));
  if (random.below(8) === 0) bytes[random.below(bytes.length || 1)] = random.below(256);
  return bytes;
}

/** What was JSON is JSON of the same shape, with values in place of some tokens. */
function assertSameDocument(message: string, sent: string): void {
  let document: unknown;
  try {
    document = JSON.parse(unmarked(message));
  } catch {
    return;
  }
  assert.deepEqual(JSON.parse(unmarked(sent)), document);
}

function unmarked(text: string): string {
  return [JSON.stringify(value).slice(1, -1), anywhere, inKey].reduce(
    (kept, marked) => kept.replaceAll(marked, "#"),
    text,
  );
}
