import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { admitted } from "../testing/admissions.ts";
import { createTestLog, testSession } from "../testing/sessions.ts";
import { FairTurns } from "../turns/fair-turns.ts";
import { frameMessage } from "./message-frames.ts";
import { createTcpListener } from "./tcp-listener.ts";

const responseBytes = 4096;
/** More than the kernel buffers for a loopback connection that is not read. */
const questions = 20_000;

describe("createTcpListener", () => {
  const sockets: Socket[] = [];
  let listener: Server | undefined;
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    listener?.close();
  });

  async function start(bytes = responseBytes) {
    let responses = 0;
    const policy = createSessionPolicy(testSession({ mode: "intercepted" }), new BlockScanner());
    listener = createTcpListener({
      admitGuest(socket) {
        sockets.push(socket);
        const { sourceAddress, sandboxId } = policy;
        return { sourceAddress, sandboxId, admission: admitted };
      },
      resolver: {
        async respond() {
          responses += 1;
          return Buffer.alloc(bytes, responses % 256);
        },
      },
      turns: new FairTurns(),
      findPolicy: () => policy,
      log: createTestLog(),
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    const guest = connect((listener.address() as AddressInfo).port, "127.0.0.1");
    guest.on("error", () => guest.destroy());
    sockets.push(guest);
    await once(guest, "connect");
    return { guest, responses: () => responses };
  }

  /** Waits until no further response is sent. */
  async function untilStill(responses: () => number): Promise<number> {
    for (let last = -1; ; ) {
      const now = responses();
      if (now === last) return now;
      last = now;
      await delay(200);
    }
  }

  test("a guest that reads nothing gets a bounded number of responses, and all once it reads", async () => {
    const { guest, responses } = await start();
    guest.pause();
    guest.write(
      Buffer.concat(Array.from({ length: questions }, () => frameMessage(Buffer.alloc(17)))),
    );
    const responsesUnread = await untilStill(responses);
    assert.ok(responsesUnread < questions, String(responsesUnread));
    const held = sockets.reduce((sum, socket) => sum + socket.writableLength, 0);
    assert.ok(held < 512 * 1024, String(held));

    let received = 0;
    guest.on("data", (data: Buffer) => {
      received += data.length;
    });
    guest.resume();
    while (received < questions * (responseBytes + 2)) await delay(10);
    assert.equal(responses(), questions);
  });

  test("many messages at once leave turns of the event loop to others", async () => {
    const { guest, responses } = await start(20);
    guest.resume();
    guest.write(Buffer.concat(Array.from({ length: 500 }, () => frameMessage(Buffer.alloc(17)))));
    let most = 0;
    for (let before = 0; before < 500; ) {
      await nextTurn();
      most = Math.max(most, responses() - before);
      before = responses();
    }
    assert.ok(most <= serviceLimits.workPerTurnMax, `${most} responses in one turn`);
  });
});
