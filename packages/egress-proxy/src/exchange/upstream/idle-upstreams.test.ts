import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { createSessionPolicy } from "../../egress-policy/session-policy.ts";
import type { ByteChannelHooks } from "../../http1/byte-channel.ts";
import { BlockScanner } from "../../redaction/block-scanner.ts";
import { testSession } from "../../testing/sessions.ts";
import type { Destination } from "../../upstream/destination.ts";
import { IdleUpstreams, type KeptConnection } from "./idle-upstreams.ts";

const host: Destination = { scheme: "https", host: "api.example.com" };
const createPolicy = () => createSessionPolicy(testSession(), new BlockScanner());

class FakeConnection implements KeptConnection {
  quiet = true;
  isClosed = false;
  #hooks: ByteChannelHooks | undefined;

  attach(hooks: ByteChannelHooks): void {
    this.#hooks = hooks;
  }

  receive(): void {
    this.#hooks?.onActivity();
  }

  destroy(): void {
    this.isClosed = true;
    this.#hooks?.onClosed();
  }
}

function scenario() {
  let now = 0;
  const idle = new IdleUpstreams<FakeConnection>({
    clock: { monotonicMilliseconds: () => now },
    perSandboxMax: 2,
    idleSecondsMax: 30,
  });
  const pass = (seconds: number): void => {
    now += seconds * 1000;
  };
  return { idle, pass };
}

describe("IdleUpstreams", () => {
  test("gives a connection back once, to the same policy and destination", () => {
    const { idle } = scenario();
    const policy = createPolicy();
    const connection = new FakeConnection();
    idle.put(policy, host, connection);
    assert.equal(idle.take(createPolicy(), host, 30), undefined, "another policy");
    assert.equal(idle.take(policy, { ...host, host: "www.example.com" }, 30), undefined);
    assert.equal(idle.take(policy, { ...host, scheme: "http" }, 30), undefined);
    assert.equal(idle.take(policy, host, 30), connection);
    assert.equal(idle.take(policy, host, 30), undefined);
    assert.equal(connection.isClosed, false);
  });

  test("gives the one that was used last, and none that has been idle for too long", () => {
    const { idle, pass } = scenario();
    const policy = createPolicy();
    const [first, second] = [new FakeConnection(), new FakeConnection()];
    idle.put(policy, host, first);
    pass(3);
    idle.put(policy, host, second);
    pass(3);
    assert.equal(idle.take(policy, host, 4), second);
    assert.equal(idle.take(policy, host, 4), undefined);
    assert.equal(idle.take(policy, host, 6), first);
  });

  test("closes one that says something, and forgets one that was closed", () => {
    const { idle } = scenario();
    const policy = createPolicy();
    const [talking, closed, unfit] = [
      new FakeConnection(),
      new FakeConnection(),
      new FakeConnection(),
    ];
    idle.put(policy, host, talking);
    talking.receive();
    assert.equal(talking.isClosed, true);
    idle.put(policy, host, closed);
    closed.destroy();
    unfit.quiet = false;
    idle.put(policy, host, unfit);
    assert.equal(unfit.isClosed, true);
    assert.equal(idle.take(policy, host, 30), undefined);
  });

  test("closes the one idle for longest beyond the limit of a sandbox, and no other sandbox's", () => {
    const { idle } = scenario();
    const [policy, other] = [createPolicy(), createPolicy()];
    const connections = Array.from({ length: 3 }, () => new FakeConnection());
    const others = new FakeConnection();
    idle.put(other, host, others);
    for (const connection of connections) idle.put(policy, host, connection);
    assert.deepEqual(
      connections.map(({ isClosed }) => isClosed),
      [true, false, false],
    );
    assert.equal(others.isClosed, false);
  });

  test("closes those of a policy that ended, and each after its time", () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const { idle } = scenario();
      const [ended, lasting] = [createPolicy(), createPolicy()];
      const [first, second] = [new FakeConnection(), new FakeConnection()];
      idle.put(ended, host, first);
      idle.put(lasting, host, second);
      idle.closeAllOf(ended);
      assert.deepEqual([first.isClosed, second.isClosed], [true, false]);
      mock.timers.tick(30_000);
      assert.equal(second.isClosed, true);
    } finally {
      mock.timers.reset();
    }
  });
});
