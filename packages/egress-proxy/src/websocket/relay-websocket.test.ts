import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { ChannelLostError } from "../http/channel-lost-error.ts";
import { ByteChannel } from "../http1/byte-channel.ts";
import { WebSocketProtocolError, type WebSocketSide } from "./frame.ts";
import { relayWebSocket, type WebSocketHooks } from "./relay-websocket.ts";
import { passingTransform, replacingTransform } from "./testing/replacing-transform.ts";
import { frameOf, readMessages } from "./testing/web-socket-frames.ts";

class FakeSocket extends Duplex {
  readonly written: Buffer[] = [];
  #release: (() => void) | undefined;
  holdWrites = false;
  isEnded = false;

  override _read(): void {
    // Bytes are pushed by the tests.
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.written.push(bytes);
    if (this.holdWrites) this.#release = done;
    else done();
  }

  override _final(done: () => void): void {
    this.isEnded = true;
    done();
  }

  release(): void {
    this.holdWrites = false;
    this.#release?.();
  }
}

const value = "tk-5fJ9qLw2ZxPb7Rm4";
const token = "opencomputer-token";
const code = "\x03\xe8";
const protocolError = "\x03\xea";

function start(takeTurn: WebSocketHooks["takeTurn"] = () => undefined) {
  const open = () => {
    const socket = new FakeSocket({ highWaterMark: 64 });
    const channel = new ByteChannel(socket, { onActivity: ignore, onClosed: ignore });
    return { socket, channel };
  };
  const guest = open();
  const upstream = open();
  const bytes = { fromGuest: 0, toGuest: 0 };
  let outcome: unknown = "running";
  relayWebSocket(guest.channel, upstream.channel, {
    messages: { fromGuest: 0, toGuest: 0 },
    takeTurn,
    onClosing: ignore,
    fromGuest: () => replacingTransform(token, value),
    toGuest: () => replacingTransform(value, token),
    bytes,
  }).then(
    () => {
      outcome = "over";
    },
    (error: unknown) => {
      outcome = error;
    },
  );
  const side = (from: FakeSocket, sender: WebSocketSide, receiver: WebSocketSide) => ({
    socket: from,
    async sends(opcode: number, payload: string, isFinal = true) {
      from.push(frameOf({ opcode, payload, isFinal }, sender));
      await turns();
    },
    async sendsRaw(raw: Buffer | null) {
      from.push(raw);
      await turns();
    },
    received: () => readMessages(from.written, receiver),
  });
  return {
    guest: side(guest.socket, "guest", "upstream"),
    upstream: side(upstream.socket, "upstream", "guest"),
    bytes,
    outcome: () => outcome,
  };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 6; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function ignore(): void {
  // Nothing is asked here of the connection.
}

describe("relayWebSocket", () => {
  test("relays both ways, substituted to the upstream and redacted to the guest", async () => {
    const { guest, upstream, bytes, outcome } = start();
    await guest.sends(1, `a ${token}`);
    await upstream.sends(2, `b ${value}`);
    await guest.sends(9, token);
    await upstream.sends(10, value);
    assert.deepEqual(upstream.received(), [`text a ${value}`, `ping ${token}`]);
    assert.deepEqual(guest.received(), [`binary b ${token}`, `pong ${token}`]);
    assert.deepEqual(bytes, {
      fromGuest: 12 + 2 * token.length + 2,
      toGuest: 4 + 2 * value.length + 2,
    });
    assert.equal(outcome(), "running");
  });

  test("takes turns for what arrives, in small pieces where messages are short", async () => {
    const taken: [bytes: number, messages: number][] = [];
    let begin: () => void = ignore;
    const { upstream, guest } = start((bytes, messages) => {
      taken.push([bytes, messages]);
      if (taken.length !== 3) return undefined;
      return new Promise((turn) => {
        begin = turn;
      });
    });
    const short = frameOf({ opcode: 1, payload: "ab", isFinal: true }, "upstream");
    const many = Buffer.concat(Array.from({ length: 3000 }, () => short));
    await upstream.sendsRaw(many);
    assert.equal(guest.received().length, 3000);
    await upstream.sendsRaw(many);
    assert.equal(guest.received().length, 4024);
    begin();
    await turns();
    assert.deepEqual(guest.received(), Array(6000).fill("text ab"));
    assert.deepEqual(taken, [
      [12_000, 0],
      [4096, 3000],
      [4096, 1024],
      [3808, 1024],
    ]);
  });

  test("waits for the close of the other side, whose messages still pass", async () => {
    const { guest, upstream, outcome } = start();
    await upstream.sends(8, `${code}bye ${value}`);
    await upstream.sends(1, "too late");
    await guest.sends(1, "still");
    assert.equal(outcome(), "running");
    assert.equal(guest.socket.isEnded, false);
    await guest.sends(8, code);
    assert.deepEqual(guest.received(), [`close ${code}bye ${token}`]);
    assert.deepEqual(upstream.received(), ["text still", `close ${code}`]);
    assert.equal(outcome(), "over");
    assert.ok(guest.socket.isEnded && upstream.socket.isEnded);
  });

  test("passes the end of one side on, and drops what was held back of its last message", async () => {
    const { guest, upstream, outcome } = start();
    await upstream.sends(1, `${"-".repeat(30)}${value.slice(0, -1)}`, false);
    await upstream.sendsRaw(null);
    assert.equal(guest.socket.isEnded, true);
    assert.equal(guest.socket.written.length, 1);
    assert.doesNotMatch(guest.socket.written.toString(), /tk-5fJ/);
    await guest.sends(1, "still");
    assert.deepEqual(upstream.received(), ["text still"]);
    assert.equal(outcome(), "running");
    await guest.sendsRaw(null);
    assert.equal(outcome(), "over");
  });

  test("a lost side ends the relay, and nothing held is sent", async () => {
    const { guest, upstream, outcome } = start();
    await upstream.sends(1, value.slice(0, -1), false);
    upstream.socket.destroy(new Error("reset"));
    await turns();
    assert.ok(outcome() instanceof ChannelLostError);
    assert.equal(guest.socket.written.length, 0);
    assert.equal(guest.socket.isEnded, false);
  });

  for (const breaker of ["guest", "upstream"] as const) {
    test(`closes both sides with 1002 when the ${breaker} breaks a rule`, async () => {
      const { guest, upstream, outcome } = start();
      await upstream.sends(1, `${"-".repeat(30)}${value.slice(0, -1)}`, false);
      await { guest, upstream }[breaker].sendsRaw(Buffer.from([0xc1, 0]));
      const error = outcome();
      assert.ok(error instanceof WebSocketProtocolError);
      assert.equal(error.sender, breaker);
      for (const side of [guest, upstream]) {
        assert.ok(side.received().join().startsWith(`close ${protocolError}a reserved bit`));
        assert.equal(side.socket.isEnded, true);
      }
      assert.doesNotMatch(guest.socket.written.toString(), /tk-5fJ/);
    });
  }

  test("sends no second close to a side that has one", async () => {
    const { guest, upstream, outcome } = start();
    await upstream.sends(8, code);
    await guest.sendsRaw(Buffer.from([0xc1, 0x80]));
    assert.ok(outcome() instanceof WebSocketProtocolError);
    assert.deepEqual(guest.received(), [`close ${code}`]);
    assert.ok(upstream.received().join().startsWith(`close ${protocolError}`));
  });

  test("reads no more while the other side does not, and the directions are independent", async () => {
    const { guest, upstream, bytes } = start();
    guest.socket.holdWrites = true;
    for (let message = 0; message < 20; message += 1) await upstream.sends(2, "x".repeat(100));
    const arrived = bytes.toGuest;
    assert.ok(arrived < 300, `${arrived} bytes were read`);
    await guest.sends(1, "meanwhile");
    assert.deepEqual(upstream.received(), ["text meanwhile"]);
    guest.socket.release();
    await turns();
    await turns();
    assert.equal(guest.received().length, 20);
  });

  test("a transform that fails ends the relay without a close frame", async () => {
    const socket = new FakeSocket();
    const upstream = new FakeSocket();
    const channel = (from: FakeSocket) =>
      new ByteChannel(from, { onActivity: ignore, onClosed: ignore });
    const relayed = relayWebSocket(channel(socket), channel(upstream), {
      messages: { fromGuest: 0, toGuest: 0 },
      takeTurn: () => undefined,
      onClosing: ignore,
      fromGuest: passingTransform,
      toGuest: () => {
        throw new TypeError("no session");
      },
      bytes: { fromGuest: 0, toGuest: 0 },
    });
    upstream.push(frameOf({ opcode: 1, payload: value }, "upstream"));
    await assert.rejects(relayed, TypeError);
    assert.equal(socket.written.length, 0);
  });
});
