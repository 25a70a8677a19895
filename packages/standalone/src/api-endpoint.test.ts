import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { assertPortIsFree, assertPortsAreFree } from "./api-endpoint.ts";
import { readServeSettings } from "./serve-settings.ts";

/** A port that is in use until `close`, or until the end of a test that fails before. */
async function listen(context: TestContext) {
  const server = createServer().listen(0, "127.0.0.1");
  const closed = once(server, "close");
  await once(server, "listening");
  context.after(() => server.close());
  const close = async () => {
    server.close();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, close };
}

describe("assertPortIsFree", () => {
  test("names a port that is in use, and the setting to change; a free one is no error", async (context) => {
    const { port, close } = await listen(context);
    await assert.rejects(
      assertPortIsFree("127.0.0.1", port),
      new RegExp(`port ${port} of 127\\.0\\.0\\.1 is in use.*OPENCOMPUTER_PORT`),
    );
    await close();
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
  test("names the setting of the metrics where their port is in use, or is the API's", async (context) => {
    const { port, close } = await listen(context);
    const check = (apiPort: number, metricsPort?: number) =>
      assertPortsAreFree(
        readServeSettings({
          OPENCOMPUTER_PORT: String(apiPort),
          OPENCOMPUTER_METRICS_PORT: String(metricsPort ?? ""),
        }),
      );
    const other = await listen(context);
    await other.close();
    await assert.rejects(check(other.port, port), /is in use.*set OPENCOMPUTER_METRICS_PORT/);
    await assert.rejects(check(port, port), /are both/);
    await close();
    await check(port);
  });
});
