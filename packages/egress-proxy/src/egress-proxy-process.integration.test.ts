import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { egressPorts, egressProxyStatusSchema } from "@opencomputer/protocol/wire";
import { askResolver } from "./testing/dns-client.ts";
import { startEgressProxyProcess } from "./testing/egress-proxy-process.ts";
import {
  addresses,
  closeOf,
  type EgressProxyScenario,
  key,
  startEgressProxyScenario,
} from "./testing/egress-proxy-scenario.ts";

describe("egress proxy, resolver and process", () => {
  let scenario: EgressProxyScenario;
  before(async () => {
    scenario = await startEgressProxyScenario();
    await scenario.startProxy();
    await scenario.giveAuthority();
  });
  after(() => scenario.stop());

  describe("resolver", () => {
    const ask = (name: string, options: Partial<Parameters<typeof askResolver>[0]> = {}) =>
      askResolver({
        server: { address: addresses.proxy, port: egressPorts.dns },
        localAddress: addresses.guest,
        transport: "udp",
        name,
        type: "A",
        timeoutMilliseconds: 2_000,
        ...options,
      });
    const gatewayAnswer = { responseCode: 0, data: ["169.254.0.1"] };

    test("allowlisted: other names are the gateway, over UDP and TCP, and no nameserver is queried", async () => {
      await scenario.giveSession();
      const asked = scenario.nameserver.asked.length;
      assert.deepEqual(await ask("api.example.com"), gatewayAnswer);
      assert.deepEqual(await ask("evil.test"), gatewayAnswer);
      assert.deepEqual(await ask("evil.test", { transport: "tcp" }), gatewayAnswer);
      assert.deepEqual(await ask("evil.test", { type: "TXT" }), { responseCode: 0, data: [] });
      assert.deepEqual(await ask("www.example.com", { type: "AAAA" }), {
        responseCode: 0,
        data: [],
      });
      assert.equal(scenario.nameserver.asked.length, asked);
    });

    test("allowlisted: an allowed name has its public address, or the gateway's", async () => {
      await scenario.giveSession();
      const publicAnswer = { responseCode: 0, data: ["93.184.216.34"] };
      assert.deepEqual(await ask("WWW.example.com"), publicAnswer);
      assert.deepEqual(await ask("www.example.com", { transport: "tcp" }), publicAnswer);
      assert.deepEqual(await ask("private.example.com"), gatewayAnswer);
      assert.ok(scenario.nameserver.asked.includes("A www.example.com"));
      assert.ok(!scenario.nameserver.asked.includes("A WWW.example.com"));
    });

    test("intercepted: names are forwarded, private addresses removed", async () => {
      await scenario.giveSession({ mode: "intercepted", egressAllowlist: [] });
      const publicAnswer = { responseCode: 0, data: ["93.184.216.34"] };
      assert.deepEqual(await ask("www.example.org"), publicAnswer);
      assert.deepEqual(await ask("www.example.org", { transport: "tcp" }), publicAnswer);
      assert.deepEqual(await ask("private.example.org"), { responseCode: 0, data: [] });
      assert.deepEqual(await ask("api.example.com"), gatewayAnswer);
      assert.ok(scenario.nameserver.asked.includes("A www.example.org"));
      assert.ok(!scenario.nameserver.asked.includes("A api.example.com"));
    });

    test("an address without a session gets no response", async () => {
      const options = { localAddress: addresses.stranger, timeoutMilliseconds: 300 };
      assert.equal(await ask("api.example.com", options), undefined);
      assert.equal(await ask("api.example.com", { ...options, transport: "tcp" }), undefined);
    });
  });

  describe("process", () => {
    test("does not open the debugger, and survives garbage on every port", async () => {
      scenario.proxy.child.kill("SIGUSR1");
      for (const number of Object.values(egressPorts)) {
        const socket = scenario.openTcp(number);
        socket.on("error", () => socket.destroy());
        socket.end(Buffer.alloc(10_000, 0xff));
        await closeOf(socket);
      }
      const status = await scenario.proxy.control("GET", "/v1/status");
      assert.equal(status.status, 200);
      assert.ok(!scenario.proxy.output().includes("Debugger listening"));
    });

    test("follows what the reader of its audit lines writes back, and ignores anything else", async () => {
      const refusing = "the audit trail cannot be written: new requests are refused";
      const untilSaid = async (text: string) => {
        while (!scenario.proxy.output().includes(text)) await delay(10);
      };
      scenario.proxy.writeAuditState("{}\nnonsense\n");
      await untilSaid("other than a state of the audit trail");
      assert.ok(!scenario.proxy.output().includes(refusing));
      scenario.proxy.writeAuditState('{"isWritable":false}\n');
      await untilSaid(refusing);
      scenario.proxy.writeAuditState('{"isWritable":true}\n');
      await untilSaid("the audit trail can be written again");
    });

    test("a second proxy cannot take the address or the socket of a running one", async () => {
      await assert.rejects(
        startEgressProxyProcess(scenario.environment),
        /cannot start: Cannot listen on tcp .*EADDRINUSE/,
      );
    });

    test("after a crash nothing is sent until sessions are put again, then it continues", async () => {
      await scenario.giveSession();
      const { instanceId } = egressProxyStatusSchema.parse(
        JSON.parse((await scenario.proxy.control("GET", "/v1/status")).body),
      );
      await scenario.proxy.end("SIGKILL");
      await scenario.startProxy();
      const before = scenario.upstream.seen.length;
      const request = ["https://api.example.com/", "-H", `x-api-key: ${key.token}`];
      assert.equal((await scenario.curlHttps(request)).status, 0);
      await scenario.giveSession();
      assert.equal((await scenario.curlHttps(request)).status, 0, "there is no CA yet");
      assert.equal(scenario.upstream.seen.length, before);
      await scenario.giveAuthority();
      assert.equal((await scenario.curlHttps(request)).status, 200);
      assert.equal(scenario.upstream.last().headers["x-api-key"], key.value);
      const status = egressProxyStatusSchema.parse(
        JSON.parse((await scenario.proxy.control("GET", "/v1/status")).body),
      );
      assert.notEqual(status.instanceId, instanceId);
    });

    test("audit lines have a separate stream, with long paths truncated", async () => {
      await scenario.giveSession();
      await scenario.curlHttps([`https://api.example.com/${"a".repeat(60_000)}`]);
      const { path } = await scenario.proxy.auditLine((line) =>
        (line.path ?? "").startsWith("/aaa"),
      );
      assert.match(path ?? "", /^\/a{2047}…\(60001 bytes\)$/);
    });

    test("ends cleanly on SIGTERM, and when the process that started it has ended", async () => {
      assert.deepEqual(await scenario.proxy.end("SIGTERM"), { code: 0, signal: null });
      await scenario.startProxy();
      const ended = once(scenario.proxy.child, "exit");
      scenario.proxy.child.disconnect();
      assert.deepEqual(await ended, [0, null]);
    });

    const malformed: [string, Record<string, string>, RegExp][] = [
      [
        "a CA file that is not there",
        { OPENCOMPUTER_EGRESS_CA_FILE: "/absent.pem" },
        /OPENCOMPUTER_EGRESS_CA_FILE: \/absent\.pem cannot be read/,
      ],
      [
        "a malformed host table",
        { OPENCOMPUTER_EGRESS_HOSTS: "nonsense" },
        /OPENCOMPUTER_EGRESS_HOSTS: expected host=address:port/,
      ],
      [
        "an audit stream that is not open",
        { OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: "1000" },
        /OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: file descriptor 1000 is not open/,
      ],
      [
        "a malformed address",
        { OPENCOMPUTER_EGRESS_ADDRESS: "here" },
        /OPENCOMPUTER_EGRESS_ADDRESS: /,
      ],
    ];
    for (const [name, change, message] of malformed) {
      test(`refuses to start with ${name}, naming it`, async () => {
        await assert.rejects(
          startEgressProxyProcess({ ...scenario.environment, ...change }),
          message,
        );
      });
    }
  });
});
