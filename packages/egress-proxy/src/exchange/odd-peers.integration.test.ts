import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { startExchange } from "../testing/http-exchange-fixture.ts";
import { policyOf, secretOf } from "../testing/http-policy.ts";
import { clientBeginning, settingIds, settingsFrame } from "../testing/http2-frames.ts";
import { createOddMessages, oddValue } from "../testing/odd-messages.ts";
import { createSeededRandom, type SeededRandom } from "../testing/seeded-random.ts";

type Version = "h2" | "http/1.1";

const placements = ["header", "query", "body"];
const policy = policyOf([secretOf("KEY", "a", oddValue, [], placements)]);
const rounds = 40;
const guestsAtOnce = 3;
const messagesOfGuest = 10;

/** An upstream that responds to whatever arrives with whatever it likes. */
async function startUpstream(t: TestContext, version: Version, random: SeededRandom) {
  const odd = createOddMessages(random);
  const respond = (socket: net.Socket): void => {
    const stream = 1 + 2 * random.below(6);
    if (version === "http/1.1") socket.write(odd.http1Response());
    else socket.write(random.below(2) === 0 ? odd.responseHead(stream) : odd.frame(stream));
  };
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
    if (version === "h2") socket.write(settingsFrame([[settingIds.enableConnectProtocol, 1]]));
    socket.on("data", () => {
      for (let count = random.below(4); count > 0 && socket.writable; count -= 1) respond(socket);
      const ending = random.below(24);
      if (ending === 0) socket.destroy();
      else if (ending === 1) socket.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as net.AddressInfo;
  return async () => {
    const socket = net.connect({ port, host: "127.0.0.1" });
    await once(socket, "connect");
    socket.on("error", () => socket.destroy());
    return Object.assign(socket, { alpnProtocol: version });
  };
}

async function runGuest(guest: net.Socket, version: Version, random: SeededRandom) {
  const odd = createOddMessages(random);
  guest.on("error", () => guest.destroy());
  guest.resume();
  if (version === "h2") guest.write(clientBeginning());
  for (let stream = 1; stream < 2 * messagesOfGuest && guest.writable; stream += 2) {
    if (version === "http/1.1") guest.write(odd.http1Request());
    else guest.write(odd.requestHead(stream));
    if (version === "h2" && random.below(2) === 0) guest.write(odd.frame(stream));
    await delay(random.below(6));
  }
  if (random.below(2) === 0) guest.end();
  else guest.destroy();
}

describe("guests and upstreams that send whatever they like", () => {
  const versions: readonly Version[] = ["h2", "http/1.1"];
  for (const [at, [guest, upstream]] of versions
    .flatMap((one) => versions.map((other) => [one, other] as const))
    .entries()) {
    test(`over ${guest} and ${upstream} end no more than their connections`, async (t) => {
      const random = createSeededRandom(9113 + at);
      const dial = await startUpstream(t, upstream, random);
      for (let round = 0; round < rounds; round += 1) {
        const exchange = await startExchange({
          ...{ policy, dial, protocol: guest },
          options: { headTimeoutSeconds: 1, silenceTimeoutSeconds: 0.2, lingerSeconds: 0.01 },
        });
        const guests = Array.from({ length: guestsAtOnce }, () =>
          runGuest(exchange.connect(), guest, random),
        );
        await Promise.all(guests);
        if (random.below(3) === 0) exchange.policy = undefined;
        await exchange.close();
        // What a guest sent is in an audit line as it is, but for the value.
        assert.ok(!JSON.stringify(exchange.audits).includes(oddValue));
      }
    });
  }
});
