import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import { BodyReader } from "../../http1/body-reader.ts";
import { requestFraming } from "../../http1/message-framing.ts";
import { parseRequestHead } from "../../http1/request-head.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { channelOf } from "../../testing/http-split.ts";
import { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import { prepareRequest } from "../request/prepare-request.ts";
import { Http1Connection } from "../upstream/http1-upstream.ts";
import { streamed } from "./outgoing-body.ts";
import { sendStreamed } from "./send-request.ts";

const token = tokenOf("a");
const inMember = policyOf([secretOf("KEY", "a", "sk-real", [], ["body:k"])]);
const inBody = policyOf([secretOf("KEY", "a", "sk-real", [], ["body"])]);
const inHeaders = policyOf([secretOf("KEY", "a", "sk-real", [], ["header"])]);

/** Sends a streamed body that arrives in these parts, and returns what the upstream gets after the head. */
async function stream(
  policy: SessionPolicy,
  fields: string,
  parts: readonly string[],
  collectedBytesMax = 1000,
) {
  const sent: Buffer[] = [];
  const socket = new Duplex({
    read: ignore,
    write(bytes: Buffer, _encoding, done) {
      sent.push(Buffer.from(bytes));
      done();
    },
  });
  const upstream = new Http1Connection(socket, ignore).exchange();
  const head = parseRequestHead(
    Buffer.from(`POST / HTTP/1.1\r\nContent-Type: application/json\r\n${fields}`),
  );
  const framing = requestFraming(head);
  const checked = { destination: { scheme: "https", host: "a.example" }, target: "/" } as const;
  const seen = new SeenSecrets();
  const request = prepareRequest(head, framing, checked, policy, seen);
  const body = new BodyReader(channelOf(parts), framing);
  const collects = framing.kind === "chunked" && request.editsBodyMembers;
  const outgoing = streamed(request, seen, collects ? collectedBytesMax : 0);
  const sending = sendStreamed(upstream, request, outgoing, body, seen);
  while (!sending.complete) {
    assert.equal(sending.failure, undefined);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [sentHead = "", sentBody = ""] = splitHead(Buffer.concat(sent).toString("latin1"));
  return { head: sentHead, body: sentBody, seen };
}

function ignore(): void {
  // What the connection does is not asked here.
}

function splitHead(text: string): [string, string] {
  const end = text.indexOf("\r\n\r\n") + 4;
  return [text.slice(0, end), text.slice(end)];
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** The data of a chunked body. */
function unchunked(body: string): string {
  return body.replace(/([0-9a-f]+)\r\n/g, "").replaceAll("\r\n", "");
}

describe("sendStreamed", () => {
  const chunked = "Transfer-Encoding: chunked";
  const json = `{"k":"${token}","x":"${token}"}`;
  const parts = [chunk(json.slice(0, 20)), chunk(json.slice(20)), "0\r\n\r\n"];
  const withheld = [{ name: "KEY", place: "body" }];

  test("edits a member of a chunked body", async () => {
    const { head, body, seen } = await stream(inMember, chunked, parts);
    assert.match(head, /Transfer-Encoding: chunked/);
    assert.equal(unchunked(body.slice(0, -5)), `{"k":"sk-real","x":"${token}"}`);
    assert.deepEqual(seen.substituted, ["KEY"]);
    assert.deepEqual(seen.withheld, withheld);
  });

  for (const collectedBytesMax of [0, json.length - 1]) {
    test(`edits no member of one that is longer than ${collectedBytesMax} bytes`, async () => {
      const { body, seen } = await stream(inMember, chunked, parts, collectedBytesMax);
      assert.equal(unchunked(body.slice(0, -5)), json);
      assert.deepEqual(seen.substituted, []);
      assert.deepEqual(seen.withheld, withheld);
    });
  }

  test("substitutes in a complete body, split anywhere", async () => {
    const { body } = await stream(inBody, chunked, parts);
    assert.equal(unchunked(body.slice(0, -5)), '{"k":"sk-real","x":"sk-real"}');
  });

  test("keeps the length of a body that cannot change, and drops it for one that can", async () => {
    const length = `Content-Length: ${json.length}`;
    const kept = await stream(inHeaders, length, [json]);
    assert.match(kept.head, new RegExp(length));
    assert.equal(kept.body, json);
    assert.deepEqual(kept.seen.withheld, withheld);
    assert.match((await stream(inBody, length, [json])).head, /Transfer-Encoding: chunked/);
  });

  test("passes trailers unchanged, and notes their tokens", async () => {
    const trailer = `X-Key: ${token}`;
    const { body, seen } = await stream(inHeaders, chunked, [
      `${chunk("{}")}0\r\n${trailer}\r\n\r\n`,
    ]);
    assert.ok(body.endsWith(`0\r\n${trailer}\r\n\r\n`));
    assert.deepEqual(seen.withheld, [{ name: "KEY", place: "trailer" }]);
  });
});
