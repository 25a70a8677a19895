import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { describe, test } from "node:test";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { requestFields } from "./request-fields.ts";
import {
  clearedOfOrigin,
  responseFields,
  trailerFields,
  withoutForeignDomain,
} from "./response-fields.ts";
import { sessionCookieValues, withoutSessionCookie } from "./session-cookie.ts";

const host = "sb-abcdefghij234567abcd-p80.sandbox.localhost";
const options = {
  authority: host,
  scheme: "http",
  trustsForwarded: false,
  dropsAuthorization: true,
  isWebSocket: false,
} as const;

function requestOf(rawHeaders: string[], method = "GET"): IncomingMessage {
  const headers: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers[(rawHeaders[index] ?? "").toLowerCase()] = rawHeaders[index + 1] ?? "";
  }
  const socket = { remoteAddress: "::ffff:192.0.2.1" };
  return { rawHeaders, headers, method, socket } as unknown as IncomingMessage;
}

const valuesOf = (fields: readonly string[], name: string) =>
  fields.filter((_, index) => index % 2 === 1 && fields[index - 1]?.toLowerCase() === name);

describe("clearedOfOrigin", () => {
  for (const [value, kept] of [
    ['"cache", "storage"', '"cache", "storage"'],
    ['"executionContexts"', '"executionContexts"'],
    ['"cookies"', ""],
    ['"cache","cookies" , "clientHints"', '"cache"'],
    ['"*"', '"cache", "storage", "executionContexts"'],
    ['"cache", "*"', '"cache", "storage", "executionContexts"'],
    ["cookies", ""],
    ["", ""],
  ] as const) {
    test(`${value} becomes ${kept}`, () => {
      assert.equal(clearedOfOrigin(value), kept);
      const fields = responseFields(["clear-Site-data", value], { host, isChunked: true });
      assert.deepEqual(fields, kept === "" ? [] : ["clear-Site-data", kept]);
      assert.deepEqual(trailerFields(["Clear-Site-Data", value]), []);
    });
  }
});

describe("requestFields", () => {
  test("there is one Host, one peer and one kind of framing", () => {
    const fields = requestFields(
      requestOf(["Host", "a", "host", "b", "Content-Length", "3", "X-Forwarded-For", "6.6.6.6"]),
      options,
    );
    assert.deepEqual(valuesOf(fields, "host"), [host]);
    assert.deepEqual(valuesOf(fields, "x-forwarded-for"), ["192.0.2.1"]);
    assert.deepEqual(valuesOf(fields, "content-length"), ["3"]);
  });

  test("a POST without a body has length 0, and one in chunks has no length", () => {
    assert.deepEqual(valuesOf(requestFields(requestOf([], "POST"), options), "content-length"), [
      "0",
    ]);
    const chunked = requestFields(requestOf(["Transfer-Encoding", "chunked"], "POST"), options);
    assert.deepEqual(valuesOf(chunked, "transfer-encoding"), ["chunked"]);
    assert.deepEqual(valuesOf(chunked, "content-length"), []);
  });

  test("no field of the platform's passes, however it is written, and whatever else is sent", () => {
    const random = createSeededRandom("request fields");
    const names = [
      "X-API-Key",
      "x_api_key",
      "X-OC-Preview-Token",
      "Authorization",
      "X-Forwarded-Proto",
      "X_Forwarded_For",
      "Forwarded",
      "X-Real-IP",
      "TE",
      "Upgrade",
      "Keep-Alive",
      "Proxy-Authorization",
      "Nominated",
      "Accept",
      "Cookie",
    ];
    for (let round = 0; round < 2_000; round++) {
      const raw = ["Connection", "Nominated, close"];
      for (let count = Math.floor(random() * 10); count > 0; count--) {
        const name = names[Math.floor(random() * names.length)] ?? "";
        raw.push(random() < 0.5 ? name : name.toUpperCase(), "oc_preview=secret");
      }
      const fields = requestFields(requestOf(raw), options);
      assert.ok(
        fields.every(
          (text, index) =>
            index % 2 === 0 ||
            !text.includes("secret") ||
            fields[index - 1]?.toLowerCase() === "accept",
        ),
        raw.join(),
      );
      assert.deepEqual(valuesOf(fields, "connection"), []);
    }
  });
});

describe("responseFields", () => {
  const cookies: [string, string][] = [
    ["a=1; Domain=sandbox.localhost", "a=1"],
    ["a=1;domain=.sandbox.localhost;Path=/", "a=1;Path=/"],
    ["a=1; DOMAIN =localhost; Secure", "a=1; Secure"],
    ["a=1; Domain", "a=1"],
    ["a=1; Domain=; Path=/", "a=1; Path=/"],
    [`a=1; Domain=${host}`, `a=1; Domain=${host}`],
    [`a=1; Domain=${host}; Domain=localhost`, `a=1; Domain=${host}`],
    ["a=Domain=x; Path=/", "a=Domain=x; Path=/"],
  ];
  for (const [cookie, expected] of cookies) {
    test(`${cookie} becomes ${expected}`, () =>
      assert.equal(withoutForeignDomain(cookie, host), expected));
  }

  test("fields that repeat stay, those of the connection and the gateway's cookie go", () => {
    const raw = [
      "Connection",
      "x-hop",
      "X-Hop",
      "1",
      "Via",
      "a",
      "Via",
      "b",
      "Set-Cookie",
      " oc_preview =x",
      "Set-Cookie",
      "b=2",
      "Trailer",
      "X",
    ];
    const fields = responseFields(raw, { host, isChunked: false });
    assert.deepEqual(fields, ["Via", "a", "Via", "b", "Set-Cookie", "b=2"]);
    assert.deepEqual(trailerFields(["X-Sum", "1", "Content-Length", "9", "Set-Cookie", "a=1"]), [
      ["X-Sum", "1"],
    ]);
  });
});

describe("session cookie", () => {
  test("each of its values counts, and none passes", () => {
    const field = "a=1; oc_preview=x; b; __Host-oc_preview=y;oc_preview=z=; c=oc_preview=1";
    assert.deepEqual(sessionCookieValues(field), ["x", "y", "z="]);
    assert.equal(withoutSessionCookie(field), "a=1; b; c=oc_preview=1");
    assert.equal(withoutSessionCookie("oc_preview=x"), "");
  });
});
