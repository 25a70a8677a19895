import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { watchStorage } from "./watch-storage.ts";

const full = { device: "", operation: "write", action: "stop", nospace: true, reason: "no space" };

describe("watchStorage", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  function scenario(options: { mayRun?: boolean; refuse?: boolean; status?: string } = {}) {
    const commands: string[] = [];
    const listeners: ((data: unknown) => void)[] = [];
    const closings: (() => void)[] = [];
    const reconnections: (() => void)[] = [];
    const storage = watchStorage(
      {
        async execute(command, _, schema) {
          commands.push(command);
          if (options.refuse === true) throw new Error("refused");
          return schema.parse({ status: options.status });
        },
        onEvent(name, callback) {
          assert.equal(name, "BLOCK_IO_ERROR");
          listeners.push(callback);
          return () => undefined;
        },
        onClose: (callback) => void closings.push(callback),
        onReconnect: (callback) => void reconnections.push(callback),
      },
      () => options.mayRun ?? true,
    );
    const report = (data: unknown) => {
      for (const listener of listeners) listener(data);
    };
    const close = () => {
      for (const closing of closings) closing();
    };
    const reconnect = async () => {
      for (const reconnection of reconnections) reconnection();
      await Promise.resolve();
    };
    return { storage, commands, report, close, reconnect };
  }

  test("a machine that was stopped on a full disk is resumed, and lacks storage until it runs", () => {
    const { storage, commands, report } = scenario();
    assert.equal(storage.isLacking(), false);
    report(full);
    assert.equal(storage.isLacking(), true);
    assert.deepEqual(commands, []);
    mock.timers.tick(2000);
    assert.deepEqual(commands, ["cont"]);
    report(full);
    mock.timers.tick(600);
    assert.equal(storage.isLacking(), true, "it was stopped again");
    mock.timers.tick(1400);
    assert.deepEqual(commands, ["cont", "cont"]);
    mock.timers.tick(500);
    assert.equal(storage.isLacking(), false);
    mock.timers.tick(60_000);
    assert.equal(commands.length, 2);
  });

  const others = [
    { ...full, nospace: false },
    { ...full, action: "report" },
    { action: "ignore", nospace: true },
    {},
    null,
    "stop",
  ];
  for (const data of others) {
    test(`${JSON.stringify(data)} is nothing of the kind`, () => {
      const { storage, commands, report } = scenario();
      report(data);
      mock.timers.tick(60_000);
      assert.equal(storage.isLacking(), false);
      assert.deepEqual(commands, []);
    });
  }

  test("a machine that somebody else paused is left alone", () => {
    const { storage, commands, report } = scenario({ mayRun: false });
    report(full);
    for (const milliseconds of [2000, 500, 60_000]) mock.timers.tick(milliseconds);
    assert.deepEqual(commands, []);
    assert.equal(storage.isLacking(), false);
  });

  test("a refusal is tried again; nothing is when the machine has ended", async () => {
    const { storage, commands, report, close } = scenario({ refuse: true });
    report(full);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      mock.timers.tick(2000);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(commands.length, attempt);
    }
    close();
    mock.timers.tick(60_000);
    assert.equal(commands.length, 3);
    assert.equal(storage.isLacking(), false);
  });

  test("one that was stopped while there was no connection is resumed, and no other", async () => {
    const stopped = scenario({ status: "io-error" });
    await stopped.reconnect();
    assert.ok(stopped.storage.isLacking());
    mock.timers.tick(2000);
    assert.deepEqual(stopped.commands, ["query-status", "cont"]);
    const paused = scenario({ status: "paused" });
    await paused.reconnect();
    mock.timers.tick(2000);
    assert.ok(!paused.storage.isLacking());
    assert.deepEqual(paused.commands, ["query-status"]);
  });
});
