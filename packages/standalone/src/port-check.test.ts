import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, test } from "node:test";
import { assertPortIsFree } from "./port-check.ts";

describe("assertPortIsFree", () => {
  test("names a port that is taken, and the way out; a free one is no error", async () => {
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
