import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import { requestFraming } from "../../http1/message-framing.ts";
import { parseRequestHead } from "../../http1/request-head.ts";
import { requestHeadText } from "../../http1/write-heads.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import type { Scheme } from "../../upstream/destination.ts";
import { Refusal } from "../failure/refusal.ts";
import { prepareRequest } from "./prepare-request.ts";

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
  return requestHeadText(prepare(policy, `GET / HTTP/1.1\n${lines}`).head)
    .split("\r\n")
    .slice(2, -1);
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

  test("asks for identity when there is something to search for, and keeps the guest's Accept-Encoding otherwise", () => {
    assert.deepEqual(fieldsOf(searching(none), "Accept-Encoding: gzip"), [
      "Accept-Encoding: identity",
    ]);
    assert.deepEqual(fieldsOf(none, "Accept-Encoding: gzip"), ["Accept-Encoding: gzip"]);
  });

  test("keeps the request line's path apart from its substituted target", () => {
    const request = prepare(inQuery, "GET /?k=$T HTTP/1.1");
    assert.match(requestHeadText(request.head), /^GET \/\?k=sk-real HTTP\/1\.1\r\n/);
    const plain = prepare(inQuery, "GET /?k=$T HTTP/1.1", "http");
    assert.match(requestHeadText(plain.head), /^GET \/\?k=osb_sealed_a+ HTTP\/1\.1\r\n/);
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

  test("a request for the whole resource must not get a part", () => {
    assert.equal(prepare(inHeaders, "GET /?partNumbers=2 HTTP/1.1").mayGetPartial, false);
  });
});

describe("prepareRequest: upgrades", () => {
  const upgrade = (protocol: string, rest = "") =>
    `GET / HTTP/1.1\nConnection: Upgrade\nUpgrade: ${protocol}${rest}`;
  const extensions = "\nSec-WebSocket-Extensions: permessage-deflate";
  const handshake = "\nAuthorization: Bearer $T";

  test("allows a WebSocket, without extensions, with values to search for or not", () => {
    const searched = prepare(searching(inHeaders), upgrade("WebSocket", extensions + handshake));
    assert.equal(searched.head.upgrade, "WebSocket");
    assert.doesNotMatch(requestHeadText(searched.head), /extensions/i);
    assert.match(requestHeadText(searched.head), /Authorization: Bearer sk-real\r\n/);
    assert.doesNotMatch(
      requestHeadText(prepare(none, upgrade("websocket", extensions)).head),
      /extensions/i,
    );
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

  test("allows another protocol when there is no value to search for", () => {
    assert.equal(prepare(inHeaders, upgrade("made-up")).head.upgrade, "made-up");
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
      name: "may change after it was decoded",
      policy: inBodies,
      fields: "Content-Encoding: gzip",
      changesBody: true,
    },
    {
      name: "passes in a coding that cannot be undone",
      policy: inBodies,
      fields: "Content-Encoding: made-up",
    },
    {
      name: "passes in chunks of its own",
      policy: inBodies,
      fields: "Content-Encoding: aws-chunked",
    },
    {
      name: "may change whose label names no compression",
      policy: inBodies,
      fields: "Content-Encoding: utf-8",
      changesBody: true,
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
