import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { AuditLine } from "@opencomputer/protocol/wire";
import { type ExchangeFixtureOptions, startExchange } from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { rawUpstream } from "../../testing/http-raw-upstream.ts";
import { type RecordedRequest, recordingUpstream } from "../../testing/http-recording-upstream.ts";
import { splitResponse } from "../../testing/http-response-text.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3Hn5Yb";
const token = tokenOf("a");
const host = "Host: api.example.com\r\nConnection: close\r\n";

interface Outcome {
  readonly received: string;
  readonly request: RecordedRequest | undefined;
  readonly line: AuditLine | undefined;
  /** What `OpenComputer-Egress` states; undefined for no such field. */
  readonly reported: string | undefined;
}

async function send(
  t: TestContext,
  substituteIn: readonly string[],
  request: string,
  options: ExchangeFixtureOptions = {},
): Promise<Outcome> {
  const upstream = recordingUpstream();
  const exchange = await startExchange({
    policy: policyOf([secretOf("KEY", "a", value, [], substituteIn)], ["evil.example"]),
    ...(options.raw === undefined ? { upstream: upstream.listener } : {}),
    ...options,
  });
  t.after(() => exchange.close());
  const received = await exchange.send(request);
  const fields = splitResponse(received).head.match(/^OpenComputer-Egress: .*$/gim) ?? [];
  assert.ok(fields.length <= 1, received);
  return {
    received,
    request: upstream.requests[0],
    line: exchange.audits[0],
    reported: fields[0]?.slice("OpenComputer-Egress: ".length),
  };
}

const getWith = (fields: string) => `GET / HTTP/1.1\r\n${host}${fields}\r\n`;
const post = (body: string, type: string) =>
  `POST /gists HTTP/1.1\r\n${host}Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe("placement header", () => {
  const plain = [
    ...["User-Agent", "Referer", "Origin", "If-None-Match", "If-Match", "If-Modified-Since"],
    ...[
      "Accept",
      "Accept-Language",
      "Content-Type",
      "Content-Language",
      "Date",
      "Via",
      "Forwarded",
    ],
    ...["X-Forwarded-For", "X-Forwarded-Host", "Slug", "X-Title", "x-amz-meta-note"],
    ...["x-goog-meta-note", "x-ms-meta-note", "X-Request-Id", "traceparent"],
  ];
  for (const name of plain) {
    test(`leaves the token in ${name}, and reports it`, async (t) => {
      const { request, line, reported } = await send(
        t,
        ["header"],
        getWith(`${name}: ${token}\r\n`),
      );
      const lowerName = name.toLowerCase();
      assert.equal(request?.headers[lowerName], token);
      assert.deepEqual(line?.withheld, [{ name: "KEY", place: `header ${lowerName}` }]);
      assert.deepEqual(line?.substituted, []);
      assert.equal(reported, `withheld=KEY (header ${lowerName})`);
    });
  }

  for (const name of ["Authorization", "X-Api-Key", "Cookie", "Private-Token", "X-Made-Up"]) {
    test(`puts the value into ${name}, and reports nothing`, async (t) => {
      const { request, line, reported } = await send(
        t,
        ["header"],
        getWith(`${name}: k ${token}\r\n`),
      );
      assert.equal(request?.headers[name.toLowerCase()], `k ${value}`);
      assert.deepEqual([line?.substituted, line?.withheld], [["KEY"], []]);
      assert.equal(reported, undefined);
    });
  }

  for (const name of ["Authorization", "X-Api-Key"]) {
    test(`substitutes ${name} though Connection lists it`, async (t) => {
      const request = `GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close, ${name}\r\n${name}: ${token}\r\n\r\n`;
      const outcome = await send(t, ["header"], request);
      assert.equal(outcome.request?.headers[name.toLowerCase()], value);
    });
  }

  test("of one name leaves the token in every other field", async (t) => {
    const fields = `X-Api-Key: ${token}\r\nAuthorization: Bearer ${token}\r\n`;
    const { request, reported } = await send(t, ["header:x-api-key"], getWith(fields));
    assert.equal(request?.headers["x-api-key"], value);
    assert.equal(request?.headers.authorization, `Bearer ${token}`);
    assert.equal(reported, "withheld=KEY (header authorization)");
  });

  test("alone keeps a token that the guest publishes in a body a token", async (t) => {
    for (const [type, body] of [
      ["application/json", `{"text":"my key is ${token}"}`],
      ["application/x-www-form-urlencoded", `text=${token}`],
      ["text/plain", token],
    ] as const) {
      const { request, line, reported } = await send(t, ["header"], post(body, type));
      assert.equal(request?.body, body);
      assert.deepEqual(line?.withheld, [{ name: "KEY", place: "body" }]);
      assert.equal(reported, "withheld=KEY (body)");
    }
  });

  test("with body publishes the value, as its placements allow", async (t) => {
    const sent = post(`{"text":"my key is ${token}"}`, "application/json");
    const { request, reported } = await send(t, ["header", "body"], sent);
    assert.equal(request?.body, `{"text":"my key is ${value}"}`);
    assert.equal(reported, undefined);
  });
});

describe("placement of one member of a body", () => {
  test("substitutes there and nowhere else", async (t) => {
    for (const [type, body] of [
      ["application/json", `{"client_secret":"${token}","note":"${token}"}`],
      ["application/x-www-form-urlencoded", `note=${token}&client_secret=${token}`],
    ] as const) {
      const { request, line, reported } = await send(t, ["body:client_secret"], post(body, type));
      const expected = body.replace(/(client_secret"?[:=]"?)osb_sealed_a+/, `$1${value}`);
      assert.equal(request?.body, expected);
      assert.equal(request?.headers["content-length"], String(expected.length));
      assert.deepEqual(line?.substituted, ["KEY"]);
      assert.equal(reported, "withheld=KEY (body)");
    }
  });

  test("substitutes nothing in an ambiguous body", async (t) => {
    const body = `{"client_secret":"x","client_secret":"${token}"}`;
    const { request, reported } = await send(
      t,
      ["body:client_secret"],
      post(body, "application/json"),
    );
    assert.equal(request?.body, body);
    assert.equal(reported, "withheld=KEY (body)");
  });
});

describe("placements path and query", () => {
  const inPath = `GET /bot${token}/getMe HTTP/1.1\r\n${host}\r\n`;
  const inQuery = `GET /v1?key=${token}&b=c HTTP/1.1\r\n${host}\r\n`;
  const refused = { path: "a/../b", control: "a\nb" };

  test("substitute only in their place, and the audit keeps the token", async (t) => {
    const path = await send(t, ["path"], inPath);
    assert.equal(path.request?.url, `/bot${value}/getMe`);
    assert.equal(path.line?.path, `/bot${token}/getMe`);
    assert.equal(path.reported, undefined);
    const query = await send(t, ["query"], inQuery);
    assert.equal(query.request?.url, `/v1?key=${value}&b=c`);
    assert.equal(query.reported, undefined);
  });

  test("without the opt-in the token stays, and the response names the place", async (t) => {
    for (const [request, place] of [
      [inPath, "path"],
      [inQuery, "query"],
    ] as const) {
      const outcome = await send(t, ["header", "body"], request);
      assert.equal(outcome.request?.url, request.split(" ")[1]);
      assert.equal(outcome.reported, `withheld=KEY (${place})`);
      assert.deepEqual(outcome.line?.withheld, [{ name: "KEY", place }]);
    }
    assert.equal((await send(t, ["query"], inPath)).reported, "withheld=KEY (path)");
    assert.equal((await send(t, ["path"], inQuery)).reported, "withheld=KEY (query)");
  });

  test("a value that would change which resource the path names is refused, and not quoted", async (t) => {
    const policy = policyOf([
      secretOf("DOTS", "a", refused.path, [], ["path"]),
      secretOf("LINES", "b", refused.control, [], ["header"]),
    ]);
    const dots = await send(t, [], inPath, { policy });
    assert.match(
      dots.received,
      /^HTTP\/1\.1 422 .*secret DOTS .*"code":"secret_not_usable_in_path"/s,
    );
    assert.ok(!(dots.received + JSON.stringify(dots.line)).includes(refused.path));
    const lines = await send(t, [], getWith(`X-Key: ${tokenOf("b")}\r\n`), { policy });
    assert.match(lines.received, /^HTTP\/1\.1 422 .*"code":"secret_not_usable_in_header"/s);
  });
});

describe("OpenComputer-Egress", () => {
  const withheld = getWith(`User-Agent: ${token}\r\nReferer: ${token}\r\n`);
  const report = "withheld=KEY (header user-agent), KEY (header referer)";

  for (const own of ["OpenComputer-Egress", "opencomputer-egress", "OPENCOMPUTER-EGRESS"]) {
    test(`${own} of an upstream is removed, in 1xx, in the response and in 304`, async (t) => {
      for (const status of ["200 OK", "304 Not Modified", "502 Bad Gateway"]) {
        const response = `HTTP/1.1 103 Hints\r\n${own}: withheld=FAKE (query)\r\nLink: x\r\n\r\nHTTP/1.1 ${status}\r\n${own}: withheld=FAKE (query)\r\nContent-Length: 0\r\n\r\n`;
        for (const request of [getWith(""), withheld]) {
          const { received } = await send(t, ["header"], request, rawUpstream([response]));
          const expected = request === withheld ? [`OpenComputer-Egress: ${report}`] : [];
          assert.deepEqual(received.match(/^opencomputer-egress: .*$/gim) ?? [], expected);
        }
      }
    });
  }

  test("is in the final response and in no interim one", async (t) => {
    const interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    const { received } = await send(
      t,
      ["header"],
      withheld,
      rawUpstream([`${interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`]),
    );
    assert.ok(received.startsWith(interim), received);
    assert.match(
      received.slice(interim.length),
      new RegExp(`\r\nOpenComputer-Egress: ${report.replace(/[()]/g, "\\$&")}\r\n`),
    );
  });

  test("is in a response of the proxy itself, when a token was sent upstream unchanged", async (t) => {
    const { received, reported } = await send(
      t,
      ["header"],
      withheld,
      rawUpstream(["SSH-2.0\r\n\r\n"]),
    );
    assert.match(received, /^HTTP\/1\.1 502 /);
    assert.equal(reported, report);
  });

  test("is not in a refusal that precedes the search for tokens", async (t) => {
    const refusals: [number, string, ExchangeFixtureOptions][] = [
      [403, withheld.replace("api.example.com", "evil.example"), { serverName: "evil.example" }],
      [403, withheld, { policy: undefined }],
      [421, withheld, { serverName: "other.example" }],
      [400, withheld.replace(/Host: .*\r\n/, ""), {}],
    ];
    for (const [status, request, options] of refusals) {
      const { received, reported } = await send(t, ["header"], request, options);
      assert.match(received, new RegExp(`^HTTP/1.1 ${status} `));
      assert.equal(reported, undefined);
    }
  });

  test("is of bounded length, however many places a guest fills", async (t) => {
    const fields = Array.from(
      { length: 100 },
      (_, at) => `X-Request-Id-${"x".repeat(50)}-${at}-Version: ${token}\r\n`,
    );
    const { reported } = await send(t, ["header"], getWith(fields.join("")));
    assert.ok(reported !== undefined && reported.length <= 1024);
    assert.match(reported, /^withheld=KEY \(header x-request-id-x/);
  });
});
