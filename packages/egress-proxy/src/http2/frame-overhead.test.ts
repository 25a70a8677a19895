import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { FrameOverhead } from "./frame-overhead.ts";

const { http2OverheadBytesMax, http2OverheadBytesPerSecond, http2GuestWindowBytes } = serviceLimits;

/** An overhead that is checked once a second, and how often it was exceeded. */
function start() {
  const socket = { bytesRead: 1000 };
  let exceeded = 0;
  let now = 0;
  const overhead = new FrameOverhead(socket, { now, onExceeded: () => (exceeded += 1) });
  return {
    overhead,
    receive(bytes: number) {
      socket.bytesRead += bytes;
    },
    /** Whether the bound was exceeded in the second that passes. */
    second() {
      const before = exceeded;
      now += 1000;
      overhead.check(now);
      return exceeded > before;
    },
  };
}

describe("FrameOverhead", () => {
  test("allows so many bytes at once, and so many more in each second", () => {
    const { receive, second } = start();
    receive(http2OverheadBytesMax);
    assert.equal(second(), false);
    for (let at = 0; at < 100; at += 1) {
      receive(http2OverheadBytesPerSecond);
      assert.equal(second(), false);
    }
    receive(2 * http2OverheadBytesPerSecond + 1);
    assert.equal(second(), true);
  });

  test("heads and bodies of any size cost nothing", () => {
    const { overhead, receive, second } = start();
    for (let at = 0; at < 100; at += 1) {
      receive(50_000_000);
      overhead.carry(49_900_000);
      assert.equal(second(), false);
    }
  });

  test("what is sent pays for its acknowledgements, and small messages for their frames", () => {
    const { overhead, receive, second } = start();
    const messageBytes = 20;
    const frameBytes = 9;
    const windowUpdateBytes = 13;
    for (let at = 0; at < 100; at += 1) {
      const messages = 100_000;
      receive(messages * (messageBytes + frameBytes + 2 * windowUpdateBytes));
      overhead.carry(2 * messages * messageBytes);
      assert.equal(second(), false);
    }
  });

  test("what was carried long ago pays for no flood", () => {
    const { overhead, receive, second } = start();
    overhead.carry(1_000_000_000);
    second();
    receive(http2OverheadBytesMax + http2OverheadBytesPerSecond + 1);
    assert.equal(second(), true);
  });

  test("what is under way on a stream that was given up costs nothing", () => {
    const { overhead, receive, second } = start();
    for (let at = 0; at < 100; at += 1) {
      for (let stream = 0; stream < 100; stream += 1) {
        receive(http2GuestWindowBytes);
        overhead.abandon(http2GuestWindowBytes);
      }
      assert.equal(second(), false);
    }
  });
});
