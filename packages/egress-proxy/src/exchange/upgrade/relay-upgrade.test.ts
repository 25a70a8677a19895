import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  readToEnd,
  readUntil,
  startExchange,
} from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { recordingUpstream } from "../../testing/http-recording-upstream.ts";
import { opcodes } from "../../websocket/frame.ts";
import {
  frameOf,
  readMessages,
  type TestFrame,
} from "../../websocket/testing/web-socket-frames.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3Hn5Yb";
const token = tokenOf("a");
const secrets = [
  secretOf("KEY", "a", value),
  secretOf("ELSEWHERE", "b", "Zx8Kq3Vn6Tb1Wm4Rp7Lc", ["other.example"]),
  secretOf("HEADER", "c", "Yh5Jd2Gs9Fk6Pw3Nx8Ct", [], ["header"]),
];
const policy = policyOf(secrets);

const upgrade = (protocol: string, fields = "") =>
  `GET /chat HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${fields}\r\n`;
const switching = (fields = "", protocol = "websocket") =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${fields}\r\n`;

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange({ policy, ...options });
  t.after(() => exchange.close());
  return exchange;
}

interface Chat {
  readonly exchange: ExchangeFixture;
  readonly guest: Socket;
  /** The head of the upstream's request. */
  readonly head: string;
  readonly upstream: Socket;
  /** What came with the 101 response, and behind it. */
  readonly first: Buffer;
}

/** A WebSocket through the proxy whose ends the test writes and reads byte by byte. */
async function openChat(
  t: TestContext,
  requestFields = "",
  options: Pick<ExchangeFixtureOptions, "options"> & {
    responseFields?: string;
    frames?: readonly TestFrame[];
    policy?: typeof policy;
  } = {},
): Promise<Chat> {
  let connected: (end: { upstream: Socket; head: string }) => void = () => undefined;
  const accepted = new Promise<{ upstream: Socket; head: string }>((resolve) => {
    connected = resolve;
  });
  const exchange = await start(t, {
    policy: options.policy ?? policy,
    options: options.options ?? {},
    raw: (socket) => {
      socket.once("data", (head: Buffer) => {
        socket.write(switching(options.responseFields));
        for (const frame of options.frames ?? []) socket.write(frameOf(frame, "upstream"));
        connected({ upstream: socket, head: head.toString("latin1") });
      });
    },
  });
  const guest = exchange.connect();
  guest.write(upgrade("websocket", requestFields));
  const first = await readUntil(guest, (text) => text.includes("\r\n\r\n"));
  return { exchange, guest, first: Buffer.from(first, "latin1"), ...(await accepted) };
}

/** The next messages that come on a socket, as many as asked for. */
async function messagesOn(socket: Socket, sender: "guest" | "upstream", count: number) {
  const parts: Buffer[] = [];
  await readUntil(socket, (text) => {
    parts.splice(0, parts.length, Buffer.from(text, "latin1"));
    return readMessages(parts, sender).length >= count;
  });
  return readMessages(parts, sender);
}

const text = (payload: string): TestFrame => ({ opcode: opcodes.text, payload });

describe("WebSocket: the handshake", () => {
  test("is substituted, and its echo in the response and the first message redacted", async (t) => {
    const { guest, head, first } = await openChat(t, `Authorization: Bearer ${token}\r\n`, {
      responseFields: `X-Echo: Bearer ${value}\r\n`,
      frames: [text(`hello Bearer ${value}!`)],
    });
    assert.match(head, new RegExp(`\r\nAuthorization: Bearer ${value}\r\n`));
    const received = first.toString("latin1");
    assert.match(received, new RegExp(`\r\nX-Echo: Bearer ${token}\r\n`));
    const end = received.indexOf("\r\n\r\n") + 4;
    const more = first.subarray(end);
    const messages =
      more.length > 0 ? readMessages([more], "upstream") : await messagesOn(guest, "upstream", 1);
    assert.deepEqual(messages, [`text hello Bearer ${token}!`]);
    assert.ok(!received.includes(value));
  });

  test("passes the sub-protocol that the upstream chose", async (t) => {
    const { head, first } = await openChat(t, "Sec-WebSocket-Protocol: v2.chat, v1.chat\r\n", {
      responseFields: "Sec-WebSocket-Protocol: v1.chat\r\n",
    });
    assert.match(head, /\r\nSec-WebSocket-Protocol: v2\.chat, v1\.chat\r\n/);
    assert.match(first.toString("latin1"), /\r\nSec-WebSocket-Protocol: v1\.chat\r\n/);
  });

  test("does not offer an extension", async (t) => {
    const { head } = await openChat(
      t,
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nSec-WebSocket-Protocol: chat\r\n",
    );
    assert.doesNotMatch(head, /extensions|deflate/i);
    assert.match(head, /\r\nSec-WebSocket-Protocol: chat\r\n/);
  });

  test("does not offer an extension without secrets either: one may be set meanwhile", async (t) => {
    const { head } = await openChat(t, "Sec-WebSocket-Extensions: permessage-deflate\r\n", {
      policy: policyOf([]),
    });
    assert.doesNotMatch(head, /extensions|deflate/i);
  });

  const malformed: [string, string][] = [
    ["an extension that was not offered", switching(`Sec-WebSocket-Extensions: ${value}\r\n`)],
    ["another protocol", switching("", value)],
    ["no protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
  ];
  for (const [name, response] of malformed) {
    test(`with ${name} in its response is refused, and nothing behind it passes`, async (t) => {
      const exchange = await start(t, {
        raw: (socket) => {
          socket.once("data", () => socket.write(`${response}behind ${value}`));
        },
      });
      const guest = exchange.connect();
      guest.write(upgrade("websocket", "Connection: close\r\n"));
      const received = await readToEnd(guest);
      assert.match(
        received,
        /^HTTP\/1\.1 502 .*"code":"(?:websocket_malformed|upstream_malformed)"/s,
      );
      const everything = received + JSON.stringify(exchange.audits);
      assert.ok(!everything.includes(value) && !everything.includes("behind"), everything);
    });
  }
});

describe("WebSocket: frames", () => {
  test("of the guest: tokens in text become values, in binary they do not", async (t) => {
    const { guest, upstream, exchange } = await openChat(t);
    guest.write(frameOf(text(`auth ${token}`), "guest"));
    guest.write(frameOf({ opcode: opcodes.binary, payload: `auth ${token}` }, "guest"));
    guest.write(frameOf(text(`${tokenOf("b")} ${tokenOf("c")}`), "guest"));
    assert.deepEqual(await messagesOn(upstream, "guest", 3), [
      `text auth ${value}`,
      `binary auth ${token}`,
      `text ${tokenOf("b")} ${tokenOf("c")}`,
    ]);
    guest.destroy();
    const [line] = await exchange.audited(1);
    assert.deepEqual(line?.substituted, ["KEY"]);
    assert.deepEqual(line?.withheld, [
      { name: "ELSEWHERE", place: "body" },
      { name: "HEADER", place: "body" },
    ]);
  });

  test("of the guest: in JSON a value is escaped, and named members are substituted", async (t) => {
    const [first, second] = ['quote"Zx8Kq3Vn6Tb1Wm4Rp7', "Lc9Yh5Jd2Gs9Fk6Pw3Nx"] as const;
    const { guest, upstream } = await openChat(t, "", {
      policy: policyOf([
        secretOf("ANYWHERE", "a", first, [], ["body"]),
        secretOf("MEMBER", "b", second, [], ["body:/auth/key"]),
      ]),
    });
    const message = { say: token, auth: { key: tokenOf("b") }, key: tokenOf("b") };
    const [begin, rest] = [JSON.stringify(message).slice(0, 30), JSON.stringify(message).slice(30)];
    guest.write(frameOf({ opcode: opcodes.text, payload: begin, isFinal: false }, "guest"));
    guest.write(frameOf({ opcode: opcodes.ping, payload: "between" }, "guest"));
    guest.write(frameOf({ opcode: opcodes.continuation, payload: rest }, "guest"));
    const expected = { say: first, auth: { key: second }, key: tokenOf("b") };
    assert.deepEqual(await messagesOn(upstream, "guest", 2), [
      "ping between",
      `text ${JSON.stringify(expected)}`,
    ]);
  });

  test("of the guest: a rotated value is written into the next message", async (t) => {
    const { guest, upstream, exchange } = await openChat(t);
    exchange.policy = policyOf([secretOf("KEY", "a", "sk-Zx8Kq3Vn6Tb1Wm4Rp7LcYh5J")]);
    guest.write(frameOf(text(token), "guest"));
    assert.deepEqual(await messagesOn(upstream, "guest", 1), ["text sk-Zx8Kq3Vn6Tb1Wm4Rp7LcYh5J"]);
  });

  test("of the guest: a message that breaks off gives its room back", async (t) => {
    const options = {
      policy: policyOf([secretOf("KEY", "a", value, [], ["body:key"])]),
      budgetBytes: 1024,
    };
    const exchange = await start(t, {
      ...options,
      raw: (socket) => {
        socket.once("data", () => socket.write(switching()));
        socket.on("data", (bytes) => received.push(bytes));
      },
    });
    const received: Buffer[] = [];
    const padding = "x".repeat(700);
    for (const isComplete of [false, true]) {
      const guest = exchange.connect();
      guest.write(upgrade("websocket"));
      await readUntil(guest, (all) => all.includes("\r\n\r\n"));
      received.length = 0;
      const payload = JSON.stringify({ padding, key: token });
      guest.write(frameOf({ opcode: opcodes.text, payload, isFinal: isComplete }, "guest"));
      while (isComplete && received.length === 0) await sleep(5);
      guest.destroy();
      await exchange.audited(isComplete ? 2 : 1);
    }
    assert.deepEqual(readMessages(received, "guest"), [
      `text ${JSON.stringify({ padding, key: value })}`,
    ]);
    assert.deepEqual(exchange.audits[0]?.substituted, []);
  });

  test("of both sides keep their characters, wherever a frame ends inside one", async (t) => {
    const { guest, upstream } = await openChat(t);
    const [before, after] = ["ü😀", "€é"].map((part) => Buffer.from(part));
    const around = (inner: string) =>
      Buffer.concat([before ?? "", inner, after ?? ""].map((part) => Buffer.from(part)));
    const fragments = (bytes: Buffer, cut: number, sender: "guest" | "upstream") =>
      Buffer.concat([
        frameOf({ opcode: opcodes.text, payload: bytes.subarray(0, cut), isFinal: false }, sender),
        frameOf({ opcode: opcodes.continuation, payload: bytes.subarray(cut) }, sender),
      ]);
    for (let cut = 0; cut <= 8; cut += 1) {
      guest.write(fragments(around(token), cut, "guest"));
      const sent = [`text ${around(value).toString("latin1")}`];
      assert.deepEqual(await messagesOn(upstream, "guest", 1), sent);
      upstream.write(fragments(around(value), cut, "upstream"));
      const received = [`text ${around(token).toString("latin1")}`];
      assert.deepEqual(await messagesOn(guest, "upstream", 1), received);
    }
  });

  test("of both sides are counted, with the tokens and values in them", async (t) => {
    const { guest, upstream, exchange } = await openChat(t, `Authorization: Bearer ${token}\r\n`);
    for (const payload of [`${token} ${token}`, tokenOf("b"), "nothing"]) {
      guest.write(frameOf(text(payload), "guest"));
    }
    await messagesOn(upstream, "guest", 3);
    upstream.write(frameOf(text(`<${value}>`), "upstream"));
    upstream.write(frameOf({ opcode: opcodes.pong, payload: `<${value}>` }, "upstream"));
    await messagesOn(guest, "upstream", 2);
    guest.destroy();
    const [line] = await exchange.audited(1);
    assert.deepEqual(line?.webSocket, {
      messagesFromGuest: 3,
      messagesToGuest: 1,
      substituted: 3,
      withheld: 1,
      redacted: 2,
    });
  });

  for (const cut of [1, 11, 12, 30, 42]) {
    test(`of the guest: a token that is split after ${cut} bytes becomes its value`, async (t) => {
      const { guest, upstream } = await openChat(t);
      guest.write(
        frameOf({ opcode: opcodes.text, payload: token.slice(0, cut), isFinal: false }, "guest"),
      );
      guest.write(frameOf({ opcode: opcodes.continuation, payload: token.slice(cut) }, "guest"));
      assert.deepEqual(await messagesOn(upstream, "guest", 1), [`text ${value}`]);
    });
  }

  const kinds = {
    text: opcodes.text,
    binary: opcodes.binary,
    ping: opcodes.ping,
    pong: opcodes.pong,
  };
  for (const [kind, opcode] of Object.entries(kinds)) {
    test(`of the upstream: a value in a ${kind} becomes its token, in every form`, async (t) => {
      const { guest, upstream } = await openChat(t);
      const forms = [value, Buffer.from(`x${value}`).toString("base64"), encodeURIComponent(value)];
      for (const payload of forms)
        upstream.write(frameOf({ opcode, payload: `<${payload}>` }, "upstream"));
      const messages = await messagesOn(guest, "upstream", forms.length);
      for (const message of messages) {
        assert.match(
          message,
          new RegExp(`^${kind} <[A-Za-z0-9+/=]{0,2}${token}[A-Za-z0-9+/=]{0,2}>$`),
        );
      }
    });
  }

  test("of the upstream: a value in a close reason becomes its token", async (t) => {
    const { guest, upstream } = await openChat(t);
    const payload = Buffer.concat([Buffer.from([0x03, 0xe8]), Buffer.from(`<${value}>`)]);
    upstream.write(frameOf({ opcode: opcodes.close, payload }, "upstream"));
    assert.deepEqual(await messagesOn(guest, "upstream", 1), [`close \x03\xe8<${token}>`]);
  });

  for (const cut of [1, 13, value.length - 1]) {
    test(`of the upstream: a value split after ${cut} bytes becomes its token`, async (t) => {
      const { guest, upstream } = await openChat(t);
      const received = messagesOn(guest, "upstream", 1);
      const [begin, rest] = [`<${value.slice(0, cut)}`, `${value.slice(cut)}>`];
      upstream.write(
        frameOf({ opcode: opcodes.binary, payload: begin, isFinal: false }, "upstream"),
      );
      await new Promise((resolve) => setTimeout(resolve, 5));
      upstream.write(frameOf({ opcode: opcodes.continuation, payload: rest }, "upstream"));
      assert.deepEqual(await received, [`binary <${token}>`]);
    });
  }

  test("of the upstream: a guess that is right except for its end passes unchanged", async (t) => {
    const { guest, upstream } = await openChat(t);
    upstream.write(frameOf(text(`${value.slice(0, -1)}x`), "upstream"));
    assert.deepEqual(await messagesOn(guest, "upstream", 1), [`text ${value.slice(0, -1)}x`]);
  });

  test("that break a rule end both sides, and are not quoted", async (t) => {
    const { guest, upstream, exchange } = await openChat(t);
    upstream.write(frameOf({ opcode: 0x3, payload: value }, "upstream"));
    const received = await readToEnd(guest);
    assert.ok(!received.includes(value));
    const [line] = await exchange.audited(1);
    assert.equal(
      line?.reason,
      "the upstream broke the WebSocket protocol: the opcode is not defined",
    );
  });
});

describe("WebSocket: patience", () => {
  const options = {
    idleTimeoutSeconds: 0.05,
    silenceTimeoutSeconds: 0.05,
    timeoutCheckSeconds: 0.005,
  };

  test("a silent connection stays open, however long", async (t) => {
    const { guest, upstream } = await openChat(t, "", { options });
    await sleep(300);
    guest.write(frameOf(text("to you"), "guest"));
    assert.deepEqual(await messagesOn(upstream, "guest", 1), ["text to you"]);
    await sleep(300);
    upstream.write(frameOf(text("to me"), "upstream"));
    assert.deepEqual(await messagesOn(guest, "upstream", 1), ["text to me"]);
  });

  test("a close that the other side does not return ends it after a while", async (t) => {
    const { guest, exchange } = await openChat(t, "", { options });
    guest.write(frameOf({ opcode: opcodes.close, payload: "\x03\xe8" }, "guest"));
    await readToEnd(guest);
    assert.equal((await exchange.audited(1)).length, 1);
  });
});

describe("other upgrades", () => {
  for (const protocol of ["made-up", "websocket-made-up", "x/1.0"]) {
    test(`to ${protocol} are refused, substituted or not`, async (t) => {
      for (const fields of ["", `Authorization: Bearer ${token}\r\n`]) {
        const upstream = recordingUpstream();
        const exchange = await start(t, { upstream: upstream.listener });
        const guest = exchange.connect();
        guest.write(upgrade(protocol, fields));
        const received = await readUntil(guest, (all) => all.endsWith("}\n"));
        assert.match(received, /^HTTP\/1\.1 403 .*"code":"upgrade_refused"/s);
        assert.deepEqual([exchange.dialled, upstream.requests], [[], []]);
        assert.equal(exchange.audits[0]?.decision, "refused");
        guest.destroy();
      }
    });
  }

  test("pass where the sandbox has no secret", async (t) => {
    const exchange = await start(t, {
      policy: policyOf([]),
      raw: (socket) => {
        socket.once("data", () => socket.write(`${switching("", "made-up")}welcome`));
      },
    });
    const guest = exchange.connect();
    guest.write(upgrade("made-up"));
    assert.match(
      await readUntil(guest, (all) => all.endsWith("welcome")),
      /\r\nUpgrade: made-up\r\n/,
    );
    guest.destroy();
  });
});
