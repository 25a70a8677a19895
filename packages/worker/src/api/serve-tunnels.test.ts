import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { limits, WireError } from "@opencomputer/protocol/api";
import { tunnelProtocol } from "@opencomputer/protocol/wire";
import { createAgentTunnels } from "../guest/agent-tunnels.ts";
import { createUseWatch } from "../use/create-use-watch.ts";
import { serveTunnels } from "./serve-tunnels.ts";

const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A worker over an agent that handles an upgrade as the test defines. */
async function scenario(
  onUpgrade: (request: IncomingMessage, socket: Duplex) => void,
  guestAddress: string | null = null,
) {
  const agent = createServer();
  const agentSockets: Duplex[] = [];
  agent.on("upgrade", (upgrade, socket) => {
    agentSockets.push(socket);
    socket.on("error", () => undefined);
    onUpgrade(upgrade, socket);
  });
  const tunnels = createAgentTunnels({
    origin: `http://127.0.0.1:${await listen(agent)}`,
    guestAddress,
    toError: async (status, body) => {
      body.resume();
      return new WireError("port_not_listening", `status ${status}`);
    },
  });
  const worker = createServer();
  const useWatch = createUseWatch();
  const log = { info: () => undefined };
  const agentOf = (id: string) => {
    if (id === sandboxId) return { tunnels };
    throw new WireError("sandbox_not_found", "There is no such sandbox");
  };
  const served = serveTunnels(
    worker,
    {
      sandboxes: { agentOf },
      onUse: () => undefined,
      watchUse: useWatch.watch,
      halfOpenSecondsMax: 0.05,
    },
    log,
  );
  const port = await listen(worker);
  return {
    tunnels,
    useWatch,
    served,
    agentSockets,
    /** The upgraded socket, or the status of the refusal with its code. */
    open: (path = `/v1/sandboxes/${sandboxId}/tunnel?port=80`, protocol: string = tunnelProtocol) =>
      new Promise<Socket | [number | undefined, string]>((resolve, reject) => {
        const headers = { connection: "Upgrade", upgrade: protocol };
        const upgrade = request({ port, host: "127.0.0.1", path, headers, agent: false });
        upgrade.once("upgrade", (_response, socket, head) => {
          socket.unshift(head);
          resolve(socket);
        });
        upgrade.once("response", async (response) =>
          resolve([response.statusCode, JSON.parse(await text(response)).code]),
        );
        upgrade.once("error", reject);
        upgrade.end();
      }),
    end() {
      useWatch.close();
      tunnels.close();
      served.close();
      worker.close();
      worker.closeAllConnections();
      for (const socket of agentSockets) socket.destroy();
      agent.close();
      agent.closeAllConnections();
    },
  };
}

const accept = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";

function assertSocket(opened: unknown): Socket {
  assert.ok(!Array.isArray(opened), `refused: ${String(opened)}`);
  return opened as Socket;
}

describe("serveTunnels", () => {
  test("passes bytes in both directions, also those that arrive with the head, and both ends", async () => {
    const { open, useWatch, end } = await scenario((_request, socket) => {
      socket.write(`${accept}early,`);
      socket.pipe(socket);
    });
    assert.equal(useWatch.useOf(sandboxId).lastUsedAt, undefined);
    const client = assertSocket(await open());
    assert.ok(useWatch.useOf(sandboxId).lastUsedAt !== undefined);
    client.write("hello");
    client.end();
    assert.equal(await text(client), "early,hello");
    end();
  });

  test("connects directly to a server at the guest's address, and through the agent to one on loopback", async () => {
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    server.listen(0, "127.0.0.2");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    for (const [guestAddress, expected] of [
      ["127.0.0.2", "hello"],
      ["127.0.0.3", "agent"],
    ] as const) {
      const { open, end } = await scenario(
        (_request, socket) => void socket.end(`${accept}agent`),
        guestAddress,
      );
      const client = assertSocket(await open(`/v1/sandboxes/${sandboxId}/tunnel?port=${port}`));
      client.end("hello");
      assert.equal(await text(client), expected);
      end();
    }
    const { tunnels, end } = await scenario(() => assert.fail("the agent"), "127.0.0.2");
    const opening = new AbortController();
    const socket = await tunnels.open(port, opening.signal);
    // The signal aborts only the opening.
    opening.abort();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(socket.destroyed, false);
    socket.destroy();
    end();
    server.close();
  });

  test("asks the agent for the port", async () => {
    const paths: (string | undefined)[] = [];
    const { open, end } = await scenario(({ url }, socket) => {
      paths.push(url);
      socket.end(accept);
    });
    await text(assertSocket(await open(`/v1/sandboxes/${sandboxId}/tunnel?port=3000`)));
    assert.deepEqual(paths, ["/v1/tunnel?port=3000"]);
    end();
  });

  const refused: [string, string, string, [number, string]][] = [
    ["another path", "/v1/other", tunnelProtocol, [404, "not_found"]],
    [
      "another protocol",
      `/v1/sandboxes/${sandboxId}/tunnel?port=80`,
      "websocket",
      [404, "not_found"],
    ],
    [
      "port 0",
      `/v1/sandboxes/${sandboxId}/tunnel?port=0`,
      tunnelProtocol,
      [400, "invalid_request"],
    ],
    [
      "port 70000",
      `/v1/sandboxes/${sandboxId}/tunnel?port=70000`,
      tunnelProtocol,
      [400, "invalid_request"],
    ],
    [
      "another sandbox",
      "/v1/sandboxes/sb-bbbbbbbbbbbbbbbbbbbb/tunnel?port=80",
      tunnelProtocol,
      [404, "sandbox_not_found"],
    ],
  ];
  for (const [what, path, protocol, expected] of refused) {
    test(`${what} is refused and reaches no guest`, async () => {
      const { open, agentSockets, end } = await scenario(
        (_request, socket) => void socket.end(accept),
      );
      assert.deepEqual(await open(path, protocol), expected);
      assert.equal(agentSockets.length, 0);
      end();
    });
  }

  test("the agent's refusal is passed on", async () => {
    const { open, end } = await scenario((_request, socket) =>
      socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    );
    assert.deepEqual(await open(), [502, "port_not_listening"]);
    end();
  });

  const hostile: [string, string][] = [
    ["garbage", "\0\r\n\r\n"],
    ["a head without end", `HTTP/1.1 101 X\r\nA: ${"a".repeat(64 * 1024)}`],
    ["nothing", ""],
  ];
  for (const [what, bytes] of hostile) {
    test(`${what} of an agent is guest_failed`, async () => {
      const { open, end } = await scenario((_request, socket) => void socket.end(bytes));
      assert.deepEqual(await open(), [502, "guest_failed"]);
      end();
    });
  }

  test("closing the tunnels of a guest ends what is open and refuses more", async () => {
    const { open, tunnels, end } = await scenario((_request, socket) => void socket.write(accept));
    const client = assertSocket(await open());
    client.on("error", () => undefined);
    client.resume();
    tunnels.close();
    await once(client, "close");
    assert.deepEqual(await open(), [409, "sandbox_not_running"]);
    end();
  });

  test("a client that closes its connection ends the guest's", async () => {
    const { open, agentSockets, end } = await scenario((_request, socket) => {
      socket.write(accept);
      socket.resume();
      // It notices that its peer has closed when it sends.
      const sending = setInterval(() => socket.write("."), 5);
      socket.once("close", () => clearInterval(sending));
    });
    assertSocket(await open()).destroy();
    const [socket] = agentSockets;
    assert.ok(socket !== undefined);
    await new Promise((resolve) => socket.once("close", resolve));
    end();
  });

  test("refuses more tunnels of one sandbox than the limit", async () => {
    const { open, tunnels, end } = await scenario((_request, socket) => void socket.write(accept));
    const never = new AbortController();
    const opened = await Promise.all(
      Array.from({ length: limits.tunnelsPerSandboxMax }, () => tunnels.open(80, never.signal)),
    );
    assert.deepEqual(await open(), [429, "too_many_requests"]);
    opened[0]?.destroy();
    await once(opened[0] ?? assert.fail(), "close");
    // The signal aborts only the opening.
    never.abort();
    assert.equal(opened[1]?.destroyed, false);
    assertSocket(await open()).destroy();
    end();
  });
});
