import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, test } from "node:test";
import { assertPortIsFree, assertPortsAreFree } from "./api-endpoint.ts";
import { readServeSettings } from "./serve-settings.ts";

describe("assertPortIsFree", () => {
  test("names a port that is in use, and the setting to change; a free one is no error", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await assert.rejects(
      assertPortIsFree("127.0.0.1", port),
      new RegExp(`port ${port} of 127\\.0\\.0\\.1 is in use.*OPENCOMPUTER_PORT`),
    );
    server.close();
    await once(server, "close");
    await assertPortIsFree("127.0.0.1", port);
  });

  test("names an address that is not this machine's", async () => {
    await assert.rejects(
      assertPortIsFree("203.0.113.9", 8080),
      /203\.0\.113\.9.*OPENCOMPUTER_HOST/,
    );
  });
});

describe("assertPortsAreFree", () => {
  test("names the setting of the metrics where their port is in use, or is the API's", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const check = (apiPort: number, metricsPort?: number) =>
      assertPortsAreFree(
        readServeSettings({
          OPENCOMPUTER_PORT: String(apiPort),
          OPENCOMPUTER_METRICS_PORT: String(metricsPort ?? ""),
        }),
      );
    const free = port === 65_535 ? port - 1 : port + 1;
    await assert.rejects(check(free, port), /is in use.*set OPENCOMPUTER_METRICS_PORT/);
    await assert.rejects(check(port, port), /are both/);
    server.close();
    await once(server, "close");
    await check(port);
  });
});
