import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { describe, type TestContext, test } from "node:test";
import {
  type AwsEgressSecret,
  type EgressSession,
  serviceLimits,
} from "@opencomputer/protocol/wire";
import { AwsCredential } from "../aws-signature/aws-credential.ts";
import { canonicalForms } from "../aws-signature/canonical-forms.ts";
import { canonicalRequest, stringToSign } from "../aws-signature/canonical-request.ts";
import { signatureOf, signingKey } from "../aws-signature/credential-scope.ts";
import { chunked, chunkedBody } from "../aws-signature/testing/chunked-body.ts";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { awsSecret, guestAwsKeys, realAwsKeys } from "../testing/aws-secrets.ts";
import { type ExchangeFixtureOptions, startExchange } from "../testing/http-exchange-fixture.ts";
import { testSecret, testSession } from "../testing/sessions.ts";

const host = "sqs.eu-central-1.amazonaws.com";
const scanner = new BlockScanner();
const now = Date.UTC(2026, 2, 1, 12);
const time = "20260301T120000Z";
const scope = { date: "20260301", region: "eu-central-1", service: "sqs" };
const clock = { wallMilliseconds: () => now, monotonicMilliseconds: () => performance.now() };
const sha256 = (text: string) => createHash("sha256").update(text, "latin1").digest("hex");

interface Sent {
  readonly method?: string;
  readonly target?: string;
  readonly body?: string;
  /** What the client signs of the body; by default its hash, which it does not state. */
  readonly payloadHash?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly keys?: { accessKeyId: string; secretAccessKey: string };
}

/** A signed request as a client writes it, with its signature. */
function signedRequest({
  method = "POST",
  target = "/queue",
  body = "",
  payloadHash,
  fields: more = {},
  keys = guestAwsKeys,
}: Sent): { text: string; signature: string } {
  const fields = Object.entries({
    Host: host,
    "X-Amz-Date": time,
    ...(payloadHash === undefined ? {} : { "X-Amz-Content-Sha256": payloadHash }),
    ...more,
  }).map(([name, value]) => ({ name, value, lowerName: name.toLowerCase() }));
  const signedHeaders = fields.map(({ lowerName }) => lowerName).sort();
  const [form] = canonicalForms;
  assert.ok(form);
  const canonical = canonicalRequest(
    { method, target, fields },
    { form, signedHeaders, payloadHash: payloadHash ?? sha256(body) },
  );
  const key = signingKey(keys.secretAccessKey, scope);
  const signature = signatureOf(key, stringToSign(time, scope, canonical));
  const authorization = `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/${scope.date}/${scope.region}/${scope.service}/aws4_request, SignedHeaders=${signedHeaders.join(";")}, Signature=${signature}`;
  const lines = [...fields, { name: "Authorization", value: authorization }];
  const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
  const text = `${method} ${target} HTTP/1.1\r\n${lines.map(({ name, value }) => `${name}: ${value}\r\n`).join("")}${length}Connection: close\r\n\r\n${body}`;
  return { text, signature };
}

/** Sends a text from a sandbox with this secret; returns what both sides received. */
async function send(
  t: TestContext,
  text: string,
  secret: AwsEgressSecret = awsSecret({ allowedHosts: [host] }, longTerm),
  session: Partial<EgressSession> = {},
  options: Partial<ExchangeFixtureOptions> = {},
) {
  const upstream: { headers: IncomingHttpHeaders; body: string; url: string }[] = [];
  const exchange = await startExchange({
    ...{ serverName: host, clock },
    async upstream(request, response) {
      const parts: Buffer[] = [];
      try {
        for await (const part of request) parts.push(part);
      } catch {
        // The proxy broke the request off.
        return;
      }
      const body = Buffer.concat(parts).toString("latin1");
      upstream.push({ headers: request.headers, body, url: request.url ?? "" });
      response.end("done");
    },
    policy: createSessionPolicy(
      testSession({ egressAllowlist: [host], awsSecrets: [secret], ...session }),
      scanner,
    ),
    ...options,
  });
  t.after(() => exchange.close());
  const received = await exchange.send(Buffer.from(text, "latin1"));
  const [line] = await exchange.audited(1);
  assert.ok(line);
  return { received, line, upstream: upstream[0], exchange };
}

const { sessionToken: _, ...longTerm } = realAwsKeys;
const signedByReal = (request: Sent) => signedRequest({ ...request, keys: longTerm });

describe("a request that a guest signs for AWS", () => {
  const requests: [string, Sent][] = [
    ["without a body", { method: "GET", target: "/queue?b=2&a=1&empty" }],
    ["with a body whose hash it does not state", { body: '{"QueueUrl":"q"}' }],
    ["with a body whose hash it states", { body: "a=b", payloadHash: sha256("a=b") }],
    ["with a body that is not signed", { body: "a=b", payloadHash: "UNSIGNED-PAYLOAD" }],
    ["with spaces in a header", { fields: { "X-Amz-Meta": "  two   words " } }],
    ["with escapes in its path", { target: "/a%20folder/%C3%A4/b+c;d" }],
  ];
  for (const [name, request] of requests) {
    test(`${name} arrives as if it were signed with the credentials`, async (t) => {
      const { line, upstream } = await send(t, signedRequest(request).text);
      assert.ok(upstream);
      const authorization = String(upstream.headers.authorization);
      assert.ok(authorization.endsWith(`Signature=${signedByReal(request).signature}`));
      assert.ok(authorization.includes(`Credential=${realAwsKeys.accessKeyId}/`));
      assert.equal(upstream.body, request.body ?? "");
      assert.equal(upstream.headers["content-length"], request.body?.length.toString());
      assert.deepEqual([line.substituted, line.withheld], [["AWS"], []]);
    });
  }

  test("may have other tokens in its headers, which are signed as their values", async (t) => {
    const other = testSecret("d", { name: "OTHER", value: "sk-Q7v2mX9Lp4ZtW8cKdR3Hn5Yb" });
    const { text } = signedRequest({ fields: { "X-Api-Key": other.token } });
    const { line, upstream } = await send(t, text, undefined, { secrets: [other] });
    const { signature } = signedByReal({ fields: { "X-Api-Key": other.value } });
    assert.ok(String(upstream?.headers.authorization).endsWith(`Signature=${signature}`));
    assert.deepEqual([...line.substituted].sort(), ["AWS", "OTHER"]);
  });

  test("keeps its body as it is, and the tokens in it are withheld", async (t) => {
    const other = testSecret("d", { name: "OTHER", value: "sk-Q7v2mX9Lp4ZtW8cKdR3Hn5Yb" });
    const body = `${other.token} ${guestAwsKeys.secretAccessKey}`;
    const { line, upstream } = await send(t, signedRequest({ body }).text, undefined, {
      secrets: [other],
    });
    assert.equal(upstream?.body, body);
    assert.deepEqual(line.withheld, [
      { name: "OTHER", place: "body" },
      { name: "AWS", place: "body" },
    ]);
  });

  const refused: [string, (text: string) => string, RegExp][] = [
    ["whose body was changed", (text) => text.replace("a=b", "a=c"), /tokens of AWS/],
    ["whose target was changed", (text) => text.replace("/queue", "/other"), /tokens of AWS/],
    [
      "whose signature is made up",
      (text) => text.replace(/Signature=[0-9a-f]{8}/, "Signature=00000000"),
      /tokens of AWS/,
    ],
    [
      "that SigV4a signs",
      (text) => text.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
      /SigV4a/,
    ],
    ["of another day", (text) => text.replaceAll("20260301", "20260302"), /check the clock/],
  ];
  for (const [name, change, reason] of refused) {
    test(`${name} is refused, and nothing is sent`, async (t) => {
      const { text } = signedRequest({ body: "a=b" });
      const { received, line, exchange } = await send(t, change(text));
      assert.match(received, /^HTTP\/1.1 403 Forbidden\r\n/);
      assert.match(received, /"code":"aws_signature_refused"/);
      assert.match(line.reason ?? "", reason);
      assert.deepEqual([line.decision, line.substituted, exchange.dialled], ["refused", [], []]);
    });
  }

  test("for S3 is refused in the form that its clients read, and still with the reason", async (t) => {
    const { text } = signedRequest({ method: "GET", target: "/a&b" });
    const forS3 = text.replace("/sqs/aws4_request", "/s3/aws4_request");
    const { received, line } = await send(t, forS3);
    assert.match(received, /^HTTP\/1.1 403 Forbidden\r\nContent-Type: application\/xml\r\n/);
    assert.ok(
      received.endsWith(
        `\n<Error><Code>aws_signature_refused</Code><Message>${line.reason}</Message></Error>\n`,
      ),
    );
    const unlisted = forS3.replace(`Host: ${host}`, "Host: a<b>&c");
    const { received: malformed } = await send(t, unlisted);
    assert.doesNotMatch(malformed, /<b>/);
  });

  test("that the values themselves sign is not verified: the guest must not have them", async (t) => {
    const { line, upstream } = await send(t, signedByReal({ method: "GET" }).text);
    assert.ok(String(upstream?.headers.authorization).includes(realAwsKeys.accessKeyId));
    assert.deepEqual([line.substituted, line.leaked], [[], ["AWS"]]);
  });

  const withheld: [string, Partial<AwsEgressSecret>, Partial<EgressSession>][] = [
    ["at a host that is not the secret's", { allowedHosts: ["*.example.com"] }, {}],
    ["in a placement that is not the secret's", { substituteIn: ["query", "body"] }, {}],
    ["in mode open", {}, { mode: "open", egressAllowlist: [] }],
  ];
  for (const [name, changes, session] of withheld) {
    test(`${name} is sent as it is`, async (t) => {
      const { text } = signedRequest({ method: "GET" });
      const secret = awsSecret({ allowedHosts: [host], ...changes }, longTerm);
      const { line, upstream, received } = await send(t, text, secret, session);
      assert.ok(String(upstream?.headers.authorization).includes(guestAwsKeys.accessKeyId));
      assert.deepEqual(line.withheld, [{ name: "AWS", place: "header authorization" }]);
      assert.match(received, /OpenComputer-Egress: withheld=AWS \(header authorization\)/i);
    });
  }

  test("with a revoked secret is sent as it is, and the response names it", async (t) => {
    const { text } = signedRequest({ method: "GET" });
    const revokedSecrets = [{ name: "AWS", token: guestAwsKeys.accessKeyId }];
    const { upstream, received } = await send(t, text, undefined, {
      awsSecrets: [],
      revokedSecrets,
    });
    assert.ok(String(upstream?.headers.authorization).includes(guestAwsKeys.accessKeyId));
    assert.match(received, /revoked=AWS/);
  });

  test("over plain HTTP is sent as it is", async (t) => {
    const { text } = signedRequest({ method: "GET" });
    const { upstream } = await send(t, text, undefined, {}, { scheme: "http" });
    assert.ok(String(upstream?.headers.authorization).includes(guestAwsKeys.accessKeyId));
  });

  test("is asked for a body that it sends after 100 Continue, over HTTP/1.1", async (t) => {
    const { text } = signedRequest({ body: "a=b" });
    const expecting = text.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    const { received, upstream } = await send(t, expecting);
    assert.match(received, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /);
    assert.deepEqual([upstream?.body, upstream?.headers.expect], ["a=b", undefined]);
    const { received: older } = await send(t, expecting.replace("HTTP/1.1", "HTTP/1.0"));
    assert.match(older, /^HTTP\/1.1 200 /);
  });

  test("with a body over the bounds is refused", async (t) => {
    const huge = signedRequest({ body: "x" }).text.replace(
      "Content-Length: 1",
      `Content-Length: ${serviceLimits.awsSignedBodyBytesMax + 1}`,
    );
    const { received, line } = await send(
      t,
      huge.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"),
    );
    assert.match(received, /^HTTP\/1.1 413 /);
    assert.match(line.reason ?? "", /state the hash/);
    const { received: busy } = await send(
      ...[t, signedRequest({ body: "x".repeat(100) }).text, undefined, {}],
      { budgetBytes: 99 },
    );
    assert.match(busy, /^HTTP\/1.1 503 /);
  });

  test("in a presigned URL is signed again under the placement query", async (t) => {
    const query = (keys: { accessKeyId: string }) =>
      `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${keys.accessKeyId}%2F${scope.date}%2F${scope.region}%2Fsqs%2Faws4_request&X-Amz-Date=${time}&X-Amz-Expires=60&X-Amz-SignedHeaders=host`;
    const signatureFor = (keys: typeof longTerm) => {
      const [form] = canonicalForms;
      assert.ok(form);
      const canonical = canonicalRequest(
        {
          method: "GET",
          target: `/queue?Action=List&${query(keys)}`,
          fields: [{ name: "Host", lowerName: "host", value: host }],
        },
        { form, signedHeaders: ["host"], payloadHash: sha256("") },
      );
      return signatureOf(
        signingKey(keys.secretAccessKey, scope),
        stringToSign(time, scope, canonical),
      );
    };
    const text = `GET /queue?Action=List&${query(guestAwsKeys)}&X-Amz-Signature=${signatureFor(guestAwsKeys)} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const inQuery = awsSecret({ allowedHosts: [host], substituteIn: ["query"] }, longTerm);
    const { upstream, line } = await send(t, text, inQuery);
    assert.ok(upstream);
    assert.ok(upstream.url.endsWith(`&X-Amz-Signature=${signatureFor(longTerm)}`));
    assert.ok(upstream.url.includes(`X-Amz-Credential=${realAwsKeys.accessKeyId}%2F`));
    assert.deepEqual(line.substituted, ["AWS"]);
    const denied = await send(t, text);
    assert.ok(denied.upstream?.url.includes(guestAwsKeys.accessKeyId));
    assert.deepEqual(denied.line.withheld, [{ name: "AWS", place: "query" }]);
  });
});

describe("a body that a guest signs by chunks", () => {
  for (const hasTrailer of [false, true]) {
    const payloadHash = `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${hasTrailer ? "-TRAILER" : ""}`;
    const name = hasTrailer ? "with a trailer" : "without a trailer";
    const data = ["x".repeat(70_000), "y".repeat(5000)];
    const bodyOf = (keys: typeof longTerm) => {
      const { signature: seed } = signedRequest({ payloadHash, keys });
      return chunkedBody(data, {
        seed,
        time,
        scope,
        hasTrailer,
        key: signingKey(keys.secretAccessKey, scope),
      });
    };
    const framed = (text: string, body: string, isChunked: boolean) =>
      text.replace(
        "\r\n\r\n",
        isChunked
          ? `\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(body)}`
          : `\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );

    for (const isChunked of [false, true]) {
      test(`${name} arrives as if it were signed with the credentials${isChunked ? ", in HTTP chunks" : ""}`, async (t) => {
        const { text } = signedRequest({ payloadHash });
        const { upstream, line } = await send(t, framed(text, bodyOf(guestAwsKeys), isChunked));
        assert.equal(upstream?.body, bodyOf(longTerm));
        const length = isChunked ? undefined : String(bodyOf(longTerm).length);
        assert.equal(upstream?.headers["content-length"], length);
        assert.deepEqual(line.substituted, ["AWS"]);
      });
    }

    test(`${name} is broken off at the first chunk that is not the guest's`, async (t) => {
      const { text } = signedRequest({ payloadHash });
      const body = bodyOf(guestAwsKeys).replace("yyy", "yzy");
      const { received, upstream, line } = await send(t, framed(text, body, false));
      assert.match(received, /^HTTP\/1.1 403 /);
      assert.match(line.reason ?? "", /signature of a chunk/);
      assert.equal(upstream, undefined);
    });
  }

  test("of more bytes than the sandbox may have in memory is refused", async (t) => {
    const payloadHash = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    const { text } = signedRequest({ payloadHash });
    const body = `100;chunk-signature=${"0".repeat(64)}\r\n`;
    const framed = text.replace("\r\n\r\n", `\r\nContent-Length: 1000\r\n\r\n${body}`);
    const { received } = await send(t, framed, undefined, {}, { budgetBytes: 255 });
    assert.match(received, /^HTTP\/1.1 503 /);
    assert.match(received, /too many signed chunks/);
  });
});

test("an AWS secret of a session prints no value", () => {
  const policy = createSessionPolicy(testSession({ awsSecrets: [awsSecret()] }), scanner);
  assert.ok(policy.awsCredentials[0] instanceof AwsCredential);
  assert.doesNotMatch(JSON.stringify(policy.awsCredentials), /AKIA|q7Z2|FwoG/);
});
