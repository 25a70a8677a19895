import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { awsSecret } from "../testing/aws-secrets.ts";
import { assertNoNewCredentials } from "./assert-no-new-credentials.ts";
import { AwsCredential } from "./aws-credential.ts";
import { fieldsOf } from "./testing/aws-vectors.ts";

const formType = "application/x-www-form-urlencoded";
const sessionToken = Buffer.from("Action=GetSessionToken", "utf16le").toString("latin1");
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
    for (const type of [formType, `${formType}; charset=utf-8`]) {
      check("/", "Action=GetCallerIdentity", { fields: { "Content-Type": type } });
    }
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
    ["/?Action=GetCallerIdentity", sessionToken, { "Content-Type": `${formType}; charset=utf-16` }],
    ["/?Action=GetCallerIdentity", "+AEE-ction=x", { "Content-Type": `${formType};charset=utf-7` }],
    ["/?Action=GetCallerIdentity", "\x1f\x8b", { "Content-Encoding": "gzip" }],
    ["/?Action=GetCallerIdentity", "{}", { "Content-Type": "application/x-amz-json-1.0" }],
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
