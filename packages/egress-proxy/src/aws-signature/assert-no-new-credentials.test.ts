import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { awsSecret } from "../testing/aws-secrets.ts";
import { assertNoNewCredentials } from "./assert-no-new-credentials.ts";
import { AwsCredential } from "./aws-credential.ts";
import { fieldsOf } from "./testing/aws-vectors.ts";

const host = "sts.eu-central-1.amazonaws.com";

function check(
  target: string,
  body: string,
  {
    allowedHosts = ["*.amazonaws.com"],
    fields = {},
  }: { allowedHosts?: string[]; fields?: Record<string, string> } = {},
): void {
  const request = { method: "POST", target, fields: fieldsOf({ Host: host, ...fields }) };
  const credential = new AwsCredential(awsSecret({ allowedHosts }));
  assertNoNewCredentials(request, Buffer.from(body), host, credential);
}

describe("assertNoNewCredentials", () => {
  test("allows the action that returns no credentials", () => {
    check("/", "Action=GetCallerIdentity&Version=2011-06-15");
    check("/?Action=GetCallerIdentity&Version=2011-06-15", "");
  });

  const refused: [string, string, Record<string, string>?][] = [
    ["/", "Action=GetSessionToken&Version=2011-06-15"],
    ["/", "Version=2011-06-15"],
    ["/", ""],
    ["/", "Action=AssumeRole&Action=GetCallerIdentity"],
    ["/?Action=GetSessionToken", "Action=GetCallerIdentity"],
    ["/?Action=GetCallerIdentity", "%41ction=GetSessionToken"],
    ["/?Action=GetCallerIdentity", "action=GetSessionToken"],
    ["/", "Action=GetCallerIdentity", { "X-Amz-Target": "STS.GetSessionToken" }],
    ["/service/STS/operation/GetSessionToken?Action=GetCallerIdentity", ""],
  ];
  for (const [target, body, fields = {}] of refused) {
    test(`refuses ${target} ${body} ${Object.keys(fields).join()}`, () => {
      assert.throws(() => check(target, body, { fields }), {
        name: "AwsSignatureError",
        message: /only GetCallerIdentity is signed/,
      });
      check(target, body, { fields, allowedHosts: [host] });
    });
  }
});
