import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { ChannelLostError } from "../http/channel-lost-error.ts";
import { ByteChannel } from "./byte-channel.ts";

class FakeSocket extends Duplex {
  readonly written: string[] = [];
  held: (() => void) | undefined;
  holdWrites = false;

  override _read(): void {
    // Bytes are pushed by the tests.
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.written.push(bytes.toString("latin1"));
    if (this.holdWrites) this.held = done;
    else done();
  }
}

function open(options: { highWaterMark?: number } = {}) {
  const socket = new FakeSocket(options);
  const events: string[] = [];
  const channel = new ByteChannel(socket, {
    onActivity: () => events.push("activity"),
    onClosed: () => events.push("closed"),
  });
  return { socket, channel, events };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("ByteChannel", () => {
  test("reads what arrives before and after the read", async () => {
    const { socket, channel } = open();
    socket.push("a");
    assert.equal((await channel.read())?.toString(), "a");
    const pending = channel.read();
    socket.push("b");
    assert.equal((await pending)?.toString(), "b");
    socket.push(null);
    assert.equal(await channel.read(), null);
    assert.equal(channel.received, 2);
  });

  test("returns first what was put back", async () => {
    const { socket, channel } = open();
    socket.push("b");
    await turn();
    channel.unread(Buffer.from("a"));
    assert.equal(channel.quiet, false);
    assert.equal((await channel.read())?.toString(), "a");
    assert.equal((await channel.read())?.toString(), "b");
  });

  test("is readable once something has arrived, and does not consume it", async () => {
    const { socket, channel } = open();
    const readable = channel.readable();
    socket.push("a");
    assert.equal(await readable, true);
    assert.equal(await channel.readable(), true);
    assert.equal((await channel.read())?.toString(), "a");
  });

  test("is no longer readable after the end, a failure or stopReading", async () => {
    const ends: ((opened: ReturnType<typeof open>) => void)[] = [
      ({ socket }) => socket.push(null),
      ({ socket }) => socket.destroy(new Error("reset")),
      ({ channel }) => channel.stopReading("too late"),
    ];
    for (const end of ends) {
      const opened = open();
      const readable = opened.channel.readable();
      end(opened);
      assert.equal(await readable, false);
      assert.equal(await opened.channel.readable(), false);
    }
  });

  test("pauses the socket while it is not read, and resumes it", async () => {
    const { socket, channel } = open();
    for (let part = 0; part < 4; part += 1) socket.push(Buffer.alloc(32 * 1024));
    await turn();
    assert.equal(socket.isPaused(), true);
    for (let part = 0; part < 4; part += 1) await channel.read();
    await turn();
    assert.equal(socket.isPaused(), false);
    assert.equal(channel.received, 128 * 1024);
  });

  test("makes the writer wait until the socket has drained", async () => {
    const { socket, channel } = open({ highWaterMark: 4 });
    assert.equal(channel.write("ab"), undefined);
    socket.holdWrites = true;
    const blocked = channel.write("cdefgh");
    assert.ok(blocked instanceof Promise);
    let drained = false;
    void blocked.then(() => {
      drained = true;
    });
    await turn();
    assert.equal(drained, false);
    socket.held?.();
    await blocked;
    assert.deepEqual(socket.written, ["ab", "cdefgh"]);
  });

  test("wakes reader and writer when the socket fails", async () => {
    const { socket, channel, events } = open({ highWaterMark: 1 });
    socket.holdWrites = true;
    const blocked = channel.write("abc");
    const pending = channel.read();
    socket.destroy(new Error("reset"));
    await assert.rejects(pending, ChannelLostError);
    await blocked;
    await turn();
    assert.equal(channel.writable, false);
    assert.equal(channel.write("more"), undefined);
    assert.ok(events.includes("closed"));
  });

  test("returns what had arrived before the failure", async () => {
    const { socket, channel } = open();
    socket.push("early response");
    await turn();
    socket.destroy(new Error("reset"));
    await turn();
    assert.equal((await channel.read())?.toString(), "early response");
    await assert.rejects(channel.read(), ChannelLostError);
  });

  test("stopReading fails the pending read and allows writes", async () => {
    const { socket, channel } = open();
    const pending = channel.read();
    channel.stopReading("too late");
    await assert.rejects(pending, /too late/);
    channel.write("response");
    assert.deepEqual(socket.written, ["response"]);
  });

  test("lingeringClose discards what arrives until the other side ends", async () => {
    const { socket, channel } = open();
    channel.write("response");
    const closed = channel.lingeringClose(60_000);
    socket.push(Buffer.alloc(256 * 1024));
    await turn();
    assert.equal(socket.destroyed, false);
    socket.push(null);
    await closed;
    assert.deepEqual(socket.written, ["response"]);
    assert.equal(channel.take(), undefined);
  });

  test("lingeringClose ends by itself when the other side does not", async () => {
    const { socket, channel } = open();
    await channel.lingeringClose(1);
    assert.equal(socket.destroyed, true);
  });
});
