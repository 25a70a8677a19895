import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { format, inspect } from "node:util";
import { AwsCredential } from "../aws-signature/aws-credential.ts";
import { SessionSecret } from "../egress-policy/session-secret.ts";
import type { UnprintedSecret } from "./unprinted-secret.ts";

const value = "Q7v2mX9Lp4ZtW8cKdR3Hn5Yb";
const named = { name: "KEY", allowedHosts: ["api.example.com"], substituteIn: ["header"] };
const secret = new SessionSecret({ ...named, token: "token", value });
const credential = new AwsCredential({
  ...named,
  accessKeyId: { token: "id token", value: `id ${value}` },
  secretAccessKey: { token: "key token", value: `key ${value}` },
  sessionToken: { token: "session token", value: `session ${value}` },
});

const ways: Readonly<Record<string, (printed: UnprintedSecret) => string>> = {
  String: (printed) => String(printed),
  inspect: (printed) => inspect({ printed: [printed] }, { showHidden: true, depth: 9 }),
  format: (printed) => format("%s %o %O %j", printed, printed, printed, printed),
  JSON: (printed) => JSON.stringify({ printed }),
  spreading: (printed) => JSON.stringify(Object.entries({ ...printed })),
  cloning: (printed) => inspect(structuredClone(printed)),
};

for (const printed of [secret, credential]) {
  describe(`what is printed of a ${printed.constructor.name}`, () => {
    for (const [way, print] of Object.entries(ways)) {
      test(`${way}: its name, not its value`, () => {
        const text = print(printed);
        assert.ok(text.includes("KEY"), text);
        assert.ok(!text.includes(value), text);
      });
    }

    test("nothing of it can be changed", () => {
      assert.ok(Object.isFrozen(printed));
      assert.ok(Object.isFrozen(printed.allowedHosts) && Object.isFrozen(printed.substituteIn));
    });
  });
}

test("the values of AWS credentials are read deliberately", () => {
  assert.deepEqual(
    credential.searchedValues.map((searched) => searched.value),
    [`id ${value}`, `key ${value}`, `session ${value}`],
  );
});
