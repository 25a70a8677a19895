import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { createSessionPolicy } from "../sessions/session-policy.ts";
import { testSession } from "../testing/sessions.ts";
import { createTestLog } from "../testing/silent-log.ts";
import { frameMessage } from "./message-frames.ts";
import { createTcpListener } from "./tcp-listener.ts";

const responseBytes = 4096;
/** More than the kernel takes for a connection on loopback that is not read. */
const questions = 20_000;

describe("createTcpListener", () => {
  const sockets: Socket[] = [];
  let listener: Server | undefined;
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    listener?.close();
  });

  async function start() {
    let answered = 0;
    const policy = createSessionPolicy(testSession({ mode: "intercepted" }), new BlockScanner());
    listener = createTcpListener({
      admitGuest(socket) {
        sockets.push(socket);
        return policy.sourceAddress;
      },
      async answerMessage() {
        answered += 1;
        return Buffer.alloc(responseBytes, answered % 256);
      },
      findPolicy: () => policy,
      log: createTestLog(),
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    const guest = connect((listener.address() as AddressInfo).port, "127.0.0.1");
    guest.on("error", () => guest.destroy());
    sockets.push(guest);
    await once(guest, "connect");
    return { guest, answered: () => answered };
  }

  /** Waits until no further question is answered. */
  async function untilStill(answered: () => number): Promise<number> {
    for (let last = -1; ; ) {
      const now = answered();
      if (now === last) return now;
      last = now;
      await delay(200);
    }
  }

  test("a guest that reads nothing has a bounded number of questions answered, and all once it reads", async () => {
    const { guest, answered } = await start();
    guest.pause();
    guest.write(
      Buffer.concat(Array.from({ length: questions }, () => frameMessage(Buffer.alloc(17)))),
    );
    const answeredUnread = await untilStill(answered);
    assert.ok(answeredUnread < questions, String(answeredUnread));
    const held = sockets.reduce((sum, socket) => sum + socket.writableLength, 0);
    assert.ok(held < 512 * 1024, String(held));

    let received = 0;
    guest.on("data", (data: Buffer) => {
      received += data.length;
    });
    guest.resume();
    while (received < questions * (responseBytes + 2)) await delay(10);
    assert.equal(answered(), questions);
  });
});
