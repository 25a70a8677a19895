import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AwsSignatureError } from "./aws-signature-error.ts";
import type { SignableRequest } from "./canonical-request.ts";
import { sha256OfNothing } from "./credential-scope.ts";
import { readSignedRequest } from "./read-signed-request.ts";
import type { SignedRequest } from "./signed-request.ts";
import {
  credentialOf,
  exampleKeys,
  exampleMilliseconds,
  exampleTime,
  fieldsOf,
  usable,
} from "./testing/aws-vectors.ts";

const guest = {
  accessKeyId: "osb_sealed_0123456789abcdef0123456789abcdef",
  secretAccessKey: "osb_sealed_fedcba9876543210fedcba9876543210",
};
const host = "examplebucket.s3.amazonaws.com";
const scope = "20130524/us-east-1/s3/aws4_request";

function read(
  request: SignableRequest,
  credential = credentialOf(exampleKeys, exampleKeys),
  options: {
    hasBody?: boolean;
    nowMilliseconds?: number;
    inHeader?: boolean;
    inQuery?: boolean;
  } = {},
): SignedRequest | undefined {
  const { hasBody = false, nowMilliseconds = exampleMilliseconds, ...places } = options;
  return readSignedRequest(request, usable(credential, places), { hasBody, nowMilliseconds });
}

function signedIn(signed: SignedRequest | undefined, payloadHash?: string): SignedRequest {
  assert.ok(signed);
  const { payload } = signed;
  signed.verify(payloadHash ?? (payload.kind === "body" ? "" : payload.hash));
  return signed;
}

function authorization(signedHeaders: string, signature: string, key = exampleKeys.accessKeyId) {
  return `AWS4-HMAC-SHA256 Credential=${key}/${scope},SignedHeaders=${signedHeaders},Signature=${signature}`;
}

function request(
  method: string,
  target: string,
  fields: Record<string, string>,
  hash = sha256OfNothing,
): SignableRequest {
  return {
    ...{ method, target },
    fields: fieldsOf({
      Host: host,
      "x-amz-content-sha256": hash,
      "x-amz-date": exampleTime,
      ...fields,
    }),
  };
}

/** The examples of Amazon S3's documentation of Signature Version 4, as facts. */
const examples: { name: string; request: SignableRequest; signature: string }[] = [
  {
    name: "GET Object",
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    request: request("GET", "/test.txt", {
      Range: "bytes=0-9",
      Authorization: authorization(
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
      ),
    }),
  },
  {
    name: "PUT Object",
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    request: request(
      "PUT",
      "/test$file.text",
      {
        Date: "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        Authorization: authorization(
          "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
          "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
      },
      "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    ),
  },
  {
    name: "GET Bucket Lifecycle",
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    request: request("GET", "/?lifecycle", {
      Authorization: authorization(
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
      ),
    }),
  },
  {
    name: "List Objects",
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    request: request("GET", "/?max-keys=2&prefix=J", {
      Authorization: authorization(
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
      ),
    }),
  },
];

const presignedSignature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
const presigned: SignableRequest = {
  method: "GET",
  target: `/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${exampleKeys.accessKeyId}%2F${encodeURIComponent(scope)}&X-Amz-Date=${exampleTime}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=${presignedSignature}`,
  fields: fieldsOf({ Host: host }),
};

/** Signs with the guest's tokens what another client signed: what a client in a sandbox sends. */
function asGuest(original: SignableRequest): SignableRequest {
  const signed = signedIn(read(original, credentialOf(exampleKeys, guest)));
  const again = signed.signAgain({ ...original, target: signed.bareTarget });
  const kept = original.fields.filter(({ lowerName }) => lowerName !== "authorization");
  return { ...original, target: again.target, fields: [...kept, ...again.fields] };
}

function field(fields: SignableRequest["fields"], lowerName: string): string | undefined {
  return fields.find((one) => one.lowerName === lowerName)?.value;
}

describe("SignedRequest", () => {
  for (const { name, request: original, signature } of examples) {
    test(`verifies the example ${name}, and makes its signature again`, () => {
      assert.ok(!asGuest(original).fields.some(({ value }) => value.includes(signature)));
      const sent = asGuest(original);
      const signed = signedIn(read(sent, credentialOf(guest, exampleKeys)));
      const { fields } = signed.signAgain(sent);
      assert.match(field(fields, "authorization") ?? "", new RegExp(`Signature=${signature}$`));
      assert.match(field(fields, "authorization") ?? "", /Credential=AKIAIOSFODNN7EXAMPLE\//);
    });
  }

  test("verifies the example of a presigned URL, and makes its signature again", () => {
    const sent = asGuest(presigned);
    assert.ok(!sent.target.includes(presignedSignature));
    const signed = signedIn(read(sent, credentialOf(guest, exampleKeys)));
    assert.ok(!signed.bareTarget.includes("osb_sealed_"));
    const { target } = signed.signAgain({ ...sent, target: signed.bareTarget });
    assert.match(target, new RegExp(`&X-Amz-Signature=${presignedSignature}$`));
  });

  test("adds the session token of the credentials, replaces it, and removes the guest's", () => {
    const withToken = credentialOf(guest, { ...exampleKeys, sessionToken: "session-token" });
    const [original] = examples;
    assert.ok(original);
    const sent = asGuest(original.request);
    const added = signedIn(read(sent, withToken)).signAgain(sent);
    assert.equal(field(added.fields, "x-amz-security-token"), "session-token");
    assert.match(field(added.fields, "authorization") ?? "", /x-amz-date;x-amz-security-token,/);

    const kept = sent.fields.filter(({ lowerName }) => lowerName !== "authorization");
    const toGuest = credentialOf(exampleKeys, { ...guest, sessionToken: "guest-token" });
    const guestFields = signedIn(read(original.request, toGuest)).signAgain(original.request);
    const withGuestToken = { ...sent, fields: [...kept, ...guestFields.fields] };
    const replaced = signedIn(read(withGuestToken, withToken)).signAgain(withGuestToken);
    assert.deepEqual(replaced, added);

    const longTerm = credentialOf(guest, exampleKeys);
    const removed = signedIn(read(withGuestToken, longTerm)).signAgain(withGuestToken);
    assert.equal(field(removed.fields, "x-amz-security-token"), undefined);
    assert.match(field(removed.fields, "authorization") ?? "", new RegExp(original.signature));

    const url = asGuest(presigned);
    const { target } = signedIn(read(url, withToken)).signAgain(url);
    assert.match(target, /&X-Amz-Security-Token=session-token&X-Amz-Signature=/);
  });

  test("no longer signs a header that is not sent on", () => {
    const [original] = examples;
    assert.ok(original);
    const signed = signedIn(read(original.request));
    const fields = original.request.fields.filter(({ lowerName }) => lowerName !== "range");
    const again = signed.signAgain({ ...original.request, fields });
    const header = field(again.fields, "authorization") ?? "";
    assert.match(header, /SignedHeaders=host;x-amz-content-sha256;x-amz-date,/);
  });

  const [get] = examples;
  assert.ok(get);
  const changed: [string, SignableRequest][] = [
    ["another method", { ...get.request, method: "DELETE" }],
    ["another path", { ...get.request, target: "/other.txt" }],
    ["another query", { ...get.request, target: "/test.txt?acl" }],
    [
      "another header",
      {
        ...get.request,
        fields: get.request.fields.map((one) =>
          one.lowerName === "range" ? { ...one, value: "bytes=0-99" } : one,
        ),
      },
    ],
    [
      "another host",
      {
        ...get.request,
        fields: get.request.fields.map((one) =>
          one.lowerName === "host" ? { ...one, value: "other.s3.amazonaws.com" } : one,
        ),
      },
    ],
    [
      "a signed header less",
      {
        ...get.request,
        fields: get.request.fields.filter(({ lowerName }) => lowerName !== "range"),
      },
    ],
    ["another presigned path", { ...presigned, target: presigned.target.replace("test", "best") }],
    ["another expiry", { ...presigned, target: presigned.target.replace("86400", "86401") }],
  ];
  for (const [name, altered] of changed) {
    test(`refuses ${name} than was signed`, () => {
      assert.throws(() => signedIn(read(altered)), AwsSignatureError);
    });
  }

  test("refuses a signature that is not made with the token of the secret access key", () => {
    const stolen = { ...guest, accessKeyId: exampleKeys.accessKeyId };
    assert.throws(() => signedIn(read(get.request, credentialOf(stolen, exampleKeys))), {
      message: /not the one that the tokens of AWS give/,
    });
  });

  test("leaves requests alone that no token signs, or in a place that is not open", () => {
    assert.equal(read(get.request, credentialOf(guest, exampleKeys)), undefined);
    assert.equal(read(get.request, undefined, { inHeader: false }), undefined);
    assert.equal(read(presigned, undefined, { inQuery: false }), undefined);
    assert.equal(read({ ...get.request, fields: fieldsOf({ Host: host }) }), undefined);
    const twice = `${presigned.target}&X-Amz-Credential=other`;
    assert.equal(read({ ...presigned, target: twice }), undefined);
  });

  const header = field(get.request.fields, "authorization") ?? "";
  const unreadable: [RegExp, string][] = [
    [/SigV4a/, header.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")],
    [/does not sign the host/, header.replace("host;", "")],
    [/KEY\/DATE\/REGION/, header.replace("/s3/", "/")],
    [/not 64 hexadecimal digits/, header.slice(0, -1)],
    [/date of its Credential/, header.replace("20130524", "20130523")],
    [/lower-case names/, header.replace("host;", "Host;")],
    [/name a header twice/, header.replace("host;", "host;host;")],
  ];
  for (const [message, value] of unreadable) {
    test(`refuses what cannot be read: ${message.source}`, () => {
      const fields = get.request.fields.map((one) =>
        one.lowerName === "authorization" ? { ...one, value } : one,
      );
      assert.throws(() => read({ ...get.request, fields }), { name: "AwsSignatureError", message });
    });
  }

  test("refuses signatures of another time, earlier or later", () => {
    const minutes = (count: number) => exampleMilliseconds + count * 60_000;
    for (const late of [-16, 16]) {
      assert.throws(() => read(get.request, undefined, { nowMilliseconds: minutes(late) }), {
        message: /check the clock/,
      });
    }
    for (const current of [-14, 14]) {
      assert.ok(read(get.request, undefined, { nowMilliseconds: minutes(current) }));
    }
    assert.ok(read(presigned, undefined, { nowMilliseconds: minutes(24 * 60 - 1) }));
    for (const late of [-16, 24 * 60 + 1]) {
      assert.throws(() => read(presigned, undefined, { nowMilliseconds: minutes(late) }), {
        message: /create a new one/,
      });
    }
    const long = { ...presigned, target: presigned.target.replace("86400", "604801") };
    assert.throws(() => read(long), { message: /at most 604800/ });
  });

  test("finds what of the body is signed", () => {
    const payload = (hash: string | undefined, hasBody: boolean) => {
      const fields = get.request.fields.flatMap((one) => {
        if (one.lowerName !== "x-amz-content-sha256") return [one];
        return hash === undefined ? [] : [{ ...one, value: hash }];
      });
      return read({ ...get.request, fields }, undefined, { hasBody })?.payload;
    };
    assert.deepEqual(payload(undefined, true), { kind: "body" });
    assert.deepEqual(payload(undefined, false), { kind: "stated", hash: sha256OfNothing });
    for (const hash of [
      "UNSIGNED-PAYLOAD",
      "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      sha256OfNothing,
    ]) {
      assert.deepEqual(payload(hash, true), { kind: "stated", hash });
    }
    const chunks = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    assert.deepEqual(payload(chunks, true), { kind: "chunks", hash: chunks, hasTrailer: false });
    for (const hash of [
      "STREAMING-AWS4-HMAC-SHA256-EVENTS",
      "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
    ]) {
      assert.throws(() => payload(hash, true), { message: /cannot be signed again/ });
    }
  });

  test("prints no value", () => {
    const credential = credentialOf(guest, { ...exampleKeys, sessionToken: "session-token" });
    const printed = `${JSON.stringify(credential)} ${credential} ${JSON.stringify({ ...credential })}`;
    assert.doesNotMatch(printed, /AKIA|wJalr|session-token/);
  });
});
