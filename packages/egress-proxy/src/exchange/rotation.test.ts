import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import type { EgressSecret, EgressSession } from "@opencomputer/protocol/wire";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  readToEnd,
  readUntil,
  startExchange,
} from "../testing/http-exchange-fixture.ts";
import { inChunks, rawUpstream, withLength } from "../testing/http-raw-upstream.ts";
import { bodyOf, readChunked } from "../testing/http-response-text.ts";
import { otherSandboxId, testSecret, testSession } from "../testing/sessions.ts";

const scanner = new BlockScanner();
const get = "GET /note HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
const key = testSecret("a", { name: "KEY", value: "sk-Q7v2mX9Lp4ZtW8cKdR3Hn5Yb" });
const rotated = { ...key, value: "sk-Zx8Kq3Vn6Tb1Wm4Rp7LcYh5J" };
const parents = testSecret("c", { name: "KEY", value: "sk-Gs9Fk6Pw3Nx8CtJd2Ma7Vb4E" });

function policyWith(changes: Partial<EgressSession>): SessionPolicy {
  return createSessionPolicy(
    testSession({ egressAllowlist: ["api.example.com", "other.example.com"], ...changes }),
    scanner,
  );
}

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange(options);
  t.after(() => exchange.close());
  return exchange;
}

describe("a value that the sandbox can no longer use", () => {
  const elsewhere = (secret: EgressSecret) => ({ ...secret, allowedHosts: ["other.example.com"] });
  const sessions: [string, Partial<EgressSession>][] = [
    ["was rotated", { secrets: [rotated], formerSecrets: [key] }],
    ["was detached", { secrets: [], formerSecrets: [key] }],
    ["was detached in mode open", { mode: "open", egressAllowlist: [], formerSecrets: [key] }],
    ["was narrowed to other hosts", { secrets: [elsewhere(key)] }],
    [
      "was narrowed and rotated",
      { secrets: [elsewhere(rotated)], formerSecrets: [elsewhere(key)] },
    ],
    ["is the parent's of the same name", { secrets: [parents], formerSecrets: [key] }],
  ];
  for (const [name, session] of sessions) {
    for (const host of ["api.example.com", "other.example.com", "never-allowed.example"]) {
      test(`and that ${name} is redacted at ${host}`, async (t) => {
        const policy = policyWith({
          ...session,
          mode: session.mode ?? "intercepted",
          egressAllowlist: [],
        });
        const exchange = await start(t, {
          policy,
          serverName: host,
          ...rawUpstream([withLength(`note: ${key.value}`, `X-Note: ${key.value}\r\n`)]),
        });
        const received = await exchange.send(get.replace("api.example.com", host));
        assert.equal(bodyOf(received), `note: ${key.token}`);
        assert.match(received, new RegExp(`\r\nX-Note: ${key.token}\r\n`));
        assert.deepEqual(exchange.audits[0]?.redacted, ["KEY"]);
      });
    }
  }

  test("next to the one in effect: each becomes its token", async (t) => {
    const policy = policyWith({ secrets: [parents], formerSecrets: [key, rotated] });
    const text = [key, rotated, parents].map(({ value }) => value).join(" ");
    const exchange = await start(t, { policy, ...rawUpstream([withLength(text)]) });
    assert.equal(
      bodyOf(await exchange.send(get)),
      [key, rotated, parents].map(({ token }) => token).join(" "),
    );
  });

  test("of a former session never replaces its token", async (t) => {
    let head = "";
    const exchange = await start(t, {
      policy: policyWith({ secrets: [rotated], formerSecrets: [key, parents] }),
      raw: (socket) => {
        socket.once("data", (bytes: Buffer) => {
          head = bytes.toString("latin1");
          socket.write(withLength("ok"));
        });
      },
    });
    await exchange.send(
      get.replace("\r\n\r\n", `\r\nX-A: ${key.token}\r\nX-B: ${parents.token}\r\n\r\n`),
    );
    assert.match(head, new RegExp(`\r\nX-A: ${rotated.value}\r\nX-B: ${parents.token}\r\n`));
  });

  test("still keeps its host from returning parts", async (t) => {
    const stored = [withLength(key.value.slice(0, 5), "", "HTTP/1.1 206 Part")];
    const range = get.replace("\r\n\r\n", "\r\nRange: bytes=0-4\r\n\r\n");
    for (const [substituteIn, status] of [
      [["header", "body"], 502],
      [["header"], 206],
    ] as const) {
      const formerSecrets = [{ ...key, substituteIn: [...substituteIn] }];
      const exchange = await start(t, {
        policy: policyWith({ formerSecrets }),
        ...rawUpstream(stored),
      });
      assert.match(await exchange.send(range), new RegExp(`^HTTP/1.1 ${status} `));
    }
  });
});

describe("a session that is replaced while a response is being relayed", () => {
  interface Running {
    readonly exchange: ExchangeFixture;
    readonly guest: Socket;
    readonly upstream: Socket;
  }

  /** A response of which the head and the first chunk have arrived. */
  async function begin(t: TestContext, policy: SessionPolicy): Promise<Running> {
    const [head, first] = inChunks(["begin "]);
    let upstream: Socket | undefined;
    const exchange = await start(t, {
      policy,
      raw: (socket) => {
        upstream = socket;
        socket.once("data", () =>
          socket.write(Buffer.concat([head ?? first, first].filter((part) => part !== undefined))),
        );
      },
    });
    const guest = exchange.connect();
    guest.write(get);
    await readUntil(guest, (text) => text.includes("\r\n\r\n"));
    assert.ok(upstream !== undefined);
    return { exchange, guest, upstream };
  }

  async function rest(running: Running, chunk: string): Promise<string> {
    const received = readToEnd(running.guest);
    for (const part of inChunks([chunk]).slice(1)) running.upstream.write(part);
    return await received;
  }

  const dataOf = async (running: Running, chunk: string) =>
    readChunked(await rest(running, chunk)).data;

  test("an added value is redacted in the rest", async (t) => {
    const running = await begin(t, policyWith({ secrets: [key] }));
    running.exchange.policy = policyWith({ version: 2, secrets: [rotated], formerSecrets: [key] });
    const received = await dataOf(running, `${key.value} ${rotated.value}`);
    assert.ok(received.includes(`${key.token} ${rotated.token}`), received);
    assert.ok(!received.includes(key.value) && !received.includes(rotated.value));
  });

  test("the first value of a sandbox is redacted in the rest of a stream", async (t) => {
    const running = await begin(t, policyWith({}));
    running.exchange.policy = policyWith({ version: 2, secrets: [key] });
    const received = await rest(running, `<${key.value}>`);
    assert.ok(!received.includes(key.value), received);
  });

  test("the session's end does not end the search", async (t) => {
    const running = await begin(t, policyWith({ secrets: [key] }));
    running.exchange.policy = undefined;
    const received = await rest(running, `<${key.value}>`);
    assert.ok(received.includes(`<${key.token}>`), received);
  });

  test("another sandbox at the address does not end the search", async (t) => {
    const running = await begin(t, policyWith({ secrets: [key] }));
    running.exchange.policy = policyWith({ sandboxId: otherSandboxId });
    const received = await rest(running, `<${key.value}>`);
    assert.ok(received.includes(`<${key.token}>`), received);
  });

  test("a value that is split at the moment of the change does not pass", async (t) => {
    const running = await begin(t, policyWith({ secrets: [key] }));
    running.upstream.write(inChunks([key.value.slice(0, 9)])[1] ?? "");
    await new Promise((resolve) => setTimeout(resolve, 5));
    running.exchange.policy = policyWith({ version: 2, secrets: [rotated], formerSecrets: [key] });
    const received = await dataOf(running, `${key.value.slice(9)} end`);
    assert.ok(received.endsWith(`${key.token} end`), received);
  });

  const first = {
    policy: () => policyWith({}),
    later: () => policyWith({ version: 2, secrets: [key] }),
  };

  for (const [name, fields] of [
    ["with a length", "Content-Length: 100\r\n"],
    ["that is compressed", "Content-Encoding: br\r\nTransfer-Encoding: chunked\r\n"],
  ] as const) {
    test(`a body ${name} breaks off where the first value cannot be redacted`, async (t) => {
      let upstream: Socket | undefined;
      const exchange = await start(t, {
        policy: first.policy(),
        raw: (socket) => {
          upstream = socket;
          socket.once("data", () => socket.write(`HTTP/1.1 200 OK\r\n${fields}\r\n`));
        },
      });
      const guest = exchange.connect();
      guest.write(get);
      await readUntil(guest, (text) => text.endsWith("\r\n\r\n"));
      exchange.policy = first.later();
      const received = readToEnd(guest);
      upstream?.write(`1b\r\n${key.value}\r\n${"x".repeat(70)}`);
      assert.ok(!(await received).includes(key.value));
      const [line] = await exchange.audited(1);
      assert.match(line?.reason ?? "", /A secret was set while api\.example\.com responded/);
    });
  }

  test("a body with a length and without the first value keeps its bytes", async (t) => {
    let upstream: Socket | undefined;
    const exchange = await start(t, {
      policy: first.policy(),
      raw: (socket) => {
        upstream = socket;
        socket.once("data", () =>
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"),
        );
      },
    });
    const guest = exchange.connect();
    guest.write(get);
    await readUntil(guest, (text) => text.endsWith("01234"));
    exchange.policy = first.later();
    const received = readToEnd(guest);
    upstream?.write("56789");
    assert.equal(await received, "56789");
  });

  test("a protocol that cannot be searched breaks off", async (t) => {
    let upstream: Socket | undefined;
    const exchange = await start(t, {
      policy: first.policy(),
      raw: (socket) => {
        upstream = socket;
        socket.once("data", () =>
          socket.write(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: made-up\r\n\r\nready",
          ),
        );
      },
    });
    const guest = exchange.connect();
    guest.write(get.replace("Connection: close", "Connection: Upgrade\r\nUpgrade: made-up"));
    await readUntil(guest, (text) => text.endsWith("ready"));
    exchange.policy = first.later();
    const received = readToEnd(guest);
    upstream?.write(`<${key.value}>`);
    assert.equal(await received, "");
    const [line] = await exchange.audited(1);
    assert.match(line?.reason ?? "", /A secret was set while a protocol other than websocket/);
  });
});
