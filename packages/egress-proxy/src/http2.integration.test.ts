import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import http2 from "node:http2";
import { after, before, describe, test } from "node:test";
import { egressPorts } from "@opencomputer/protocol/wire";
import {
  addresses,
  anywhere,
  type EgressProxyScenario,
  startEgressProxyScenario,
} from "./testing/egress-proxy-scenario.ts";
import { opcodes } from "./websocket/frame.ts";
import { frameOf, readMessages } from "./websocket/testing/web-socket-frames.ts";

describe("egress proxy, HTTP/2", () => {
  let scenario: EgressProxyScenario;

  before(async () => {
    scenario = await startEgressProxyScenario();
    await scenario.startProxy();
    await scenario.giveAuthority();
    await scenario.giveSession();
  });
  after(() => scenario.stop());

  test("curl speaks HTTP/2 to a host that does, and a token becomes its value there", async () => {
    const { body, verbose } = await scenario.curlHttps([
      ...["--http2", "--header", `x-api-key: ${anywhere.token}`, "--data", `k=${anywhere.token}`],
      "https://h2.example.com/path",
    ]);
    assert.match(verbose, /< HTTP\/2 200/);
    assert.equal(scenario.upstream.last().headers["x-api-key"], anywhere.value);
    assert.equal(scenario.upstream.last().body, `k=${encodeURIComponent(anywhere.value)}`);
    assert.equal(body, `k=${anywhere.token}`);
  });

  test("curl speaks HTTP/1.1 to a host that speaks HTTP/2 alone", async () => {
    const { body, verbose } = await scenario.curlHttps([
      ...["--http1.1", "--header", `x-api-key: ${anywhere.token}`],
      "https://h2.example.com/path",
    ]);
    assert.match(verbose, /< HTTP\/1\.1 200/);
    assert.equal(scenario.upstream.last().headers["x-api-key"], anywhere.value);
    assert.equal(body, "GET /path");
  });

  test("a host that speaks HTTP/1.1 alone is reached over HTTP/2, and then in its own version", async () => {
    const versions: (string | undefined)[] = [];
    for (let count = 0; count < 2; count += 1) {
      const { verbose } = await scenario.curlHttps(["--http2", "https://third.example.com/echo"]);
      versions.push(/< HTTP\/(\S+) 200/.exec(verbose)?.[1]);
    }
    assert.deepEqual(versions, ["2", "1.1"]);
  });

  test("a host outside of the allowlist is refused with a reason", async () => {
    const { status, body } = await scenario.curlHttps(["--http2", "https://h2.example.org/"]);
    assert.equal(status, 403);
    assert.equal(JSON.parse(body).code, "egress_host_not_allowed");
  });

  test("an authority that is not the TLS server name is 421 on its stream alone", async () => {
    const socket = scenario.openTls("h2.example.com", ["h2"]);
    await once(socket, "secureConnect");
    const session = http2.connect("https://h2.example.com", { createConnection: () => socket });
    const statusFor = async (authority: string) => {
      const stream = session.request({ ":authority": authority });
      const [headers] = await once(stream, "response");
      stream.resume();
      return headers[":status"];
    };
    assert.equal(await statusFor("third.example.com"), 421);
    assert.equal(await statusFor("h2.example.com"), 200);
    session.destroy();
  });

  test("a WebSocket over HTTP/2 reaches a server that speaks HTTP/1.1, with values in its handshake and messages", async () => {
    const socket = scenario.openTls("other.example.com", ["h2"]);
    await once(socket, "secureConnect");
    const session = http2.connect("https://other.example.com", { createConnection: () => socket });
    await once(session, "remoteSettings");
    assert.equal(session.remoteSettings.enableConnectProtocol, true);
    const stream = session.request(
      {
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":path": "/socket",
        "sec-websocket-version": "13",
        "x-api-key": anywhere.token,
      },
      { endStream: false },
    );
    const [headers] = await once(stream, "response");
    assert.equal(headers[":status"], 200);
    const received: Buffer[] = [];
    const read = async (count: number) => {
      while (readMessages(received, "upstream").length < count) {
        received.push((await once(stream, "data"))[0]);
      }
      return readMessages(received, "upstream");
    };
    // The server sends what it received in the handshake, and echoes messages.
    const [handshake = ""] = await read(1);
    assert.equal(JSON.parse(handshake.slice("text ".length))["x-api-key"], anywhere.token);
    stream.write(frameOf({ opcode: opcodes.text, payload: `<${anywhere.token}>` }, "guest"));
    assert.equal((await read(2))[1], `text <${anywhere.token}>`);
    session.destroy();
    const audit = await scenario.proxy.auditLine(({ webSocket }) => webSocket !== undefined);
    assert.deepEqual(audit.substituted, ["ANYWHERE"]);
    assert.equal(audit.webSocket?.substituted, 2);
    assert.equal(audit.webSocket?.redacted, 2);
  });

  test("openssl agrees on HTTP/2", () => {
    const { stdout } = spawnSync("openssl", [
      ...["s_client", "-alpn", "h2", "-servername", "h2.example.com"],
      ...["-bind", `${addresses.guest}:0`, "-connect", `${addresses.proxy}:${egressPorts.tls}`],
    ]);
    assert.match(String(stdout), /ALPN protocol: h2/);
  });
});
