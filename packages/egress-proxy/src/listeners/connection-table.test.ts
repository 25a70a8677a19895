import assert from "node:assert/strict";
import { Socket } from "node:net";
import { describe, mock, test } from "node:test";
import { createConnectionTable } from "./connection-table.ts";

const [guest, neighbour] = ["198.18.4.6", "198.18.4.10"];

function createTable(limits: { servedMax?: number; refusedMax?: number } = {}) {
  let now = 0;
  const table = createConnectionTable({
    limits: { servedMax: 2, refusedMax: 0, ...limits },
    now: () => now,
  });
  return {
    table,
    pass(milliseconds: number) {
      now += milliseconds;
    },
    /** Admits a connection of the guest, which closes when it is asked to make room. */
    connect(address = guest) {
      const socket = new Socket();
      const admission = table.admit(address, socket);
      return { socket, admission, idle: () => admission?.idle(() => socket.destroy()) };
    },
  };
}

const closed = (socket: Socket) => new Promise((resolve) => socket.once("close", resolve));
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("ConnectionTable", () => {
  test("admits up to its limit for each address, and again when one closes", async () => {
    const { table, connect } = createTable();
    const [first, second, third, other] = [connect(), connect(), connect(), connect(neighbour)];
    assert.deepEqual(
      [first, second, third, other].map(({ admission }) => admission?.isRefused),
      [false, false, undefined, false],
    );
    assert.equal(table.count, 3);
    first.socket.destroy();
    await closed(first.socket);
    assert.equal(connect().admission?.isRefused, false);
  });

  test("destroyAllOf ends the connections of one address and no other", async () => {
    const { table, connect } = createTable({ refusedMax: 1 });
    const ended = [connect(), connect(), connect()];
    const kept = connect(neighbour);
    assert.equal(ended[2]?.admission?.isRefused, true);
    table.destroyAllOf(guest);
    await Promise.all(ended.map(({ socket }) => closed(socket)));
    assert.equal(kept.socket.destroyed, false);
    table.destroyAll();
    assert.equal(kept.socket.destroyed, true);
  });
});

describe("ConnectionTable: a connection too many", () => {
  test("takes the place of the one that is kept alive without a request for longest", async () => {
    const { connect } = createTable();
    const [first, second] = [connect(), connect()];
    for (const { idle, admission } of [second, first]) {
      admission?.busy();
      idle();
    }
    assert.equal(connect().admission?.isRefused, false);
    assert.deepEqual([first.socket.destroyed, second.socket.destroyed], [false, true]);
  });

  test("never takes the place of one with a request in progress", () => {
    const { connect } = createTable();
    const [first, second] = [connect(), connect()];
    for (const { idle, admission } of [first, second]) {
      idle();
      admission?.busy();
    }
    assert.equal(connect().admission, undefined);
    assert.deepEqual([first.socket.destroyed, second.socket.destroyed], [false, false]);
  });

  test("takes the place of one that has waited five seconds for its first request, not earlier", () => {
    const { connect, pass } = createTable();
    const [first, second] = [connect(), connect()];
    for (const { idle } of [first, second]) idle();
    pass(4_999);
    assert.equal(connect().admission, undefined);
    pass(1);
    assert.equal(connect().admission?.isRefused, false);
    assert.deepEqual([first.socket.destroyed, second.socket.destroyed], [true, false]);
  });

  test("takes the place of one whose handshake takes longer than that", () => {
    const { connect, pass } = createTable({ servedMax: 1 });
    const { socket } = connect();
    assert.equal(connect().admission, undefined);
    pass(5_000);
    assert.equal(connect().admission?.isRefused, false);
    assert.equal(socket.destroyed, true);
  });

  test("does not take the place of a neighbour's", () => {
    const { connect } = createTable({ servedMax: 1 });
    const other = connect(neighbour);
    other.admission?.busy();
    other.idle();
    connect();
    assert.equal(connect().admission, undefined);
    assert.equal(other.socket.destroyed, false);
  });

  test("of those that made room and stay open, few exist", async () => {
    const { table, connect } = createTable({ servedMax: 1 });
    const lingering = Array.from({ length: 40 }, () => {
      const { socket, admission } = connect();
      admission?.busy();
      admission?.idle(() => undefined);
      return socket;
    });
    assert.equal(lingering.filter((socket) => !socket.destroyed).length, 17);
    await turn();
    assert.equal(table.count, 17);
    table.destroyAll();
    assert.ok(lingering.every((socket) => socket.destroyed));
  });

  test("is refused with a reason, and reset when many are refused", () => {
    const { connect } = createTable({ refusedMax: 2 });
    const outcomes = Array.from({ length: 5 }, () => connect().admission?.isRefused);
    assert.deepEqual(outcomes, [false, false, true, true, undefined]);
  });

  test("that is refused counts for a second at least, and is destroyed after ten", async (t) => {
    t.after(() => mock.timers.reset());
    mock.timers.enable({ apis: ["setTimeout"] });
    const { table, connect } = createTable({ refusedMax: 1 });
    for (const { admission } of [connect(), connect()]) admission?.busy();
    const brief = connect();
    brief.socket.destroy();
    await closed(brief.socket);
    assert.equal(connect().admission, undefined);
    mock.timers.tick(1_000);
    await turn();
    const long = connect();
    assert.equal(long.admission?.isRefused, true);
    mock.timers.tick(9_999);
    assert.equal(long.socket.destroyed, false);
    mock.timers.tick(1);
    assert.equal(long.socket.destroyed, true);
    await turn();
    assert.equal(table.count, 2);
  });
});
