import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { awsSecretValue } from "../secret-kinds/aws-value.ts";
import { toFormerSecrets } from "./egress-secrets.ts";

describe("toFormerSecrets, of AWS credentials", () => {
  const cases: [substituteIn: string[], expected: string[]][] = [
    [["header", "body"], ["header"]],
    [
      ["header", "query"],
      ["header", "query"],
    ],
    [["query"], ["header", "query"]],
  ];
  for (const [substituteIn, expected] of cases) {
    test(`placed in ${substituteIn.join(" and ")} were in ${expected.join(" and ")}`, () => {
      const formers = toFormerSecrets({
        ...{ name: "AWS", kind: "aws", token: `osb_sealed_${"a".repeat(32)}` },
        value: awsSecretValue({
          ...{
            accessKeyId: "AKIAQ7Z2XK9MV4TR8WLP",
            sessionToken: "q7Z2xK9mV4tR8wLpB3nYd5HcJ6fGs1T",
          },
          secretAccessKey: "q7Z2xK9mV4tR8wLpB3nYd5HcJ6fGs1TuE0aWiOkM",
        }),
        ...{ allowedHosts: ["*.amazonaws.com"], substituteIn },
      });
      assert.equal(formers.length, 3);
      for (const former of formers) assert.deepEqual(former.substituteIn, expected);
    });
  }
});
