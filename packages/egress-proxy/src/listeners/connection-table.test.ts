import assert from "node:assert/strict";
import { Socket } from "node:net";
import { describe, test } from "node:test";
import { createConnectionTable } from "./connection-table.ts";

describe("ConnectionTable", () => {
  const closed = (socket: Socket) => new Promise((resolve) => socket.once("close", resolve));

  test("admits up to its limit for each address, and again when one closes", async () => {
    const table = createConnectionTable({ perAddressMax: 2 });
    const first = new Socket();
    assert.equal(table.admit("198.18.4.6", first), true);
    assert.equal(table.admit("198.18.4.6", new Socket()), true);
    assert.equal(table.admit("198.18.4.6", new Socket()), false);
    assert.equal(table.admit("198.18.4.10", new Socket()), true);
    assert.equal(table.count, 3);
    const gone = closed(first);
    first.destroy();
    await gone;
    assert.equal(table.admit("198.18.4.6", new Socket()), true);
  });

  test("destroyAllOf ends the connections of one address and no other", async () => {
    const table = createConnectionTable({ perAddressMax: 2 });
    const [ended, kept] = [new Socket(), new Socket()];
    table.admit("198.18.4.6", ended);
    table.admit("198.18.4.10", kept);
    const gone = closed(ended);
    table.destroyAllOf("198.18.4.6");
    await gone;
    assert.equal(kept.destroyed, false);
    assert.equal(table.count, 1);
    table.destroyAll();
    assert.equal(kept.destroyed, true);
  });
});
