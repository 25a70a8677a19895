import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Scheme, SessionPolicy } from "../contract.ts";
import { requestFraming } from "../http1/message-framing.ts";
import { parseRequestHead } from "../http1/request-head.ts";
import { SeenSecrets } from "../substitution/seen-secrets.ts";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import { prepareRequest } from "./outgoing-request.ts";
import { Refusal } from "./refusal.ts";

const inHeaders = policyOf([secretOf("KEY", "a", "sk-real", [], ["header"])]);
const inBodies = policyOf([secretOf("KEY", "a", "sk-real", [], ["header", "body"])]);
const inMember = policyOf([secretOf("KEY", "a", "sk-real", [], ["body:k"])]);
const inQuery = policyOf([secretOf("KEY", "a", "sk-real", [], ["query"])]);
const none = policyOf([]);

/** The same policy with something to search for in responses. */
function searching(policy: SessionPolicy): SessionPolicy {
  const search: unknown = {};
  return { ...policy, search: search as NonNullable<SessionPolicy["search"]> };
}

function prepare(policy: SessionPolicy, lines: string, scheme: Scheme = "https") {
  const text = lines.replaceAll("\n", "\r\n").replaceAll("$T", tokenOf("a"));
  const head = parseRequestHead(Buffer.from(text));
  const seen = new SeenSecrets();
  const destination = { scheme, host: "api.example.com" };
  const checked = { destination, target: head.target };
  return { ...prepareRequest(head, requestFraming(head), checked, policy, seen), seen };
}

/** The lines of the head that goes out, after the request line and Host. */
function fieldsOf(policy: SessionPolicy, lines: string): string[] {
  return prepare(policy, `GET / HTTP/1.1\n${lines}`).headText.split("\r\n").slice(2, -1);
}

describe("prepareRequest: fields", () => {
  test("passes on what Connection lists, substituted, and nothing of the connection", () => {
    assert.deepEqual(
      fieldsOf(
        inHeaders,
        "Connection: authorization, x-own, keep-alive\nAuthorization: $T\nX-Own: 1\nKeep-Alive: 5",
      ),
      ["Authorization: sk-real", "X-Own: 1"],
    );
  });

  test("asks for identity when there is something to search for, and leaves the guest's wish otherwise", () => {
    assert.deepEqual(fieldsOf(searching(none), "Accept-Encoding: gzip"), [
      "Accept-Encoding: identity",
    ]);
    assert.deepEqual(fieldsOf(none, "Accept-Encoding: gzip"), ["Accept-Encoding: gzip"]);
  });

  test("keeps the request line's path apart from its substituted target", () => {
    const request = prepare(inQuery, "GET /?k=$T HTTP/1.1");
    assert.match(request.headText, /^GET \/\?k=sk-real HTTP\/1\.1\r\n/);
    const plain = prepare(inQuery, "GET /?k=$T HTTP/1.1", "http");
    assert.match(plain.headText, /^GET \/\?k=osb_sealed_a+ HTTP\/1\.1\r\n/);
    assert.deepEqual(plain.seen.withheld, [{ name: "KEY", place: "query" }]);
  });
});

describe("prepareRequest: parts of a resource", () => {
  const asks = [
    "Range: bytes=0-4",
    "X-MS-Range: bytes=0-4",
    "A-IM: range",
    "If-Range: x",
    "x-ms-range-get-content-md5: true",
  ];
  for (const line of asks) {
    test(`passes ${line} to a host that can have stored no value`, () => {
      assert.deepEqual(fieldsOf(inHeaders, line), [line]);
      assert.equal(prepare(inHeaders, `GET / HTTP/1.1\n${line}`).mayGetPartial, true);
    });

    test(`drops ${line} towards a host that may have stored one`, () => {
      for (const policy of [inBodies, inQuery, inMember]) {
        assert.deepEqual(fieldsOf(policy, line), []);
        assert.equal(prepare(policy, `GET / HTTP/1.1\n${line}`).mayGetPartial, false);
      }
    });
  }

  test("a part that is named in the query may come from a host that can have stored no value", () => {
    const line = "GET /o?a=1&partNumber=2 HTTP/1.1";
    assert.equal(prepare(inHeaders, line).mayGetPartial, true);
    assert.equal(prepare(inBodies, line).mayGetPartial, false);
  });

  test("a request for the whole may get no part", () => {
    assert.equal(prepare(inHeaders, "GET /?partNumbers=2 HTTP/1.1").mayGetPartial, false);
  });
});

describe("prepareRequest: upgrades", () => {
  const upgrade = (protocol: string, rest = "") =>
    `GET / HTTP/1.1\nConnection: Upgrade\nUpgrade: ${protocol}${rest}`;
  const extensions = "\nSec-WebSocket-Extensions: permessage-deflate";
  const handshake = "\nAuthorization: Bearer $T";

  test("lets a WebSocket through, without extensions, with values to search for or not", () => {
    const searched = prepare(searching(inHeaders), upgrade("WebSocket", extensions + handshake));
    assert.equal(searched.upgrade, "WebSocket");
    assert.doesNotMatch(searched.headText, /extensions/i);
    assert.match(searched.headText, /Authorization: Bearer sk-real\r\n/);
    assert.doesNotMatch(prepare(none, upgrade("websocket", extensions)).headText, /extensions/i);
  });

  const refused: [string, SessionPolicy, string][] = [
    ["where values are searched for", searching(inHeaders), ""],
    ["whose handshake was substituted", inHeaders, handshake],
  ];
  for (const [name, policy, rest] of refused) {
    test(`refuses another protocol ${name}`, () => {
      assert.throws(
        () => prepare(policy, upgrade("made-up", rest)),
        (error: unknown) => error instanceof Refusal && error.code === "upgrade_refused",
      );
    });
  }

  test("lets another protocol through where there is no value to find", () => {
    assert.equal(prepare(inHeaders, upgrade("made-up")).upgrade, "made-up");
  });
});

describe("prepareRequest: bodies", () => {
  const json = "Content-Type: application/json";
  const cases: {
    name: string;
    policy: SessionPolicy;
    fields?: string;
    changesBody?: boolean;
    editsBodyMembers?: boolean;
    searchesBody?: boolean;
  }[] = [
    { name: "may change", policy: inBodies, changesBody: true },
    { name: "keeps its length without a body placement", policy: inHeaders },
    { name: "keeps its length without secrets", policy: none, searchesBody: false },
    { name: "is collected for a member", policy: inMember, fields: json, editsBodyMembers: true },
    { name: "is not collected for a member of no known type", policy: inMember },
    {
      name: "passes in an encoding that could swallow a value's beginning",
      policy: inBodies,
      fields: `${json}; charset=gbk`,
    },
    {
      name: "passes compressed",
      policy: inBodies,
      fields: "Content-Encoding: gzip",
      searchesBody: false,
    },
  ];
  for (const { name, policy, fields, ...expected } of cases) {
    test(`a body ${name}`, () => {
      const request = prepare(
        policy,
        `POST / HTTP/1.1\nContent-Length: 9${fields === undefined ? "" : `\n${fields}`}`,
      );
      assert.equal(request.searchesBody, expected.searchesBody ?? true);
      assert.equal(request.changesBody, expected.changesBody ?? false);
      assert.equal(request.editsBodyMembers, expected.editsBodyMembers ?? false);
    });
  }
});
