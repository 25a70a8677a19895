import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { Sandbox } from "../sandbox/sandbox.ts";
import { type ContractServer, startContractServer } from "../testing/start-contract-server.ts";

describe("files", () => {
  let server: ContractServer;
  let sandbox: Sandbox;
  before(async () => {
    server = await startContractServer();
    sandbox = await Sandbox.create({ apiKey: server.apiKey, apiUrl: server.url });
  });
  after(() => server.close());

  test("write and read text, bytes, buffers and blobs unchanged", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    await sandbox.files.write("notes.txt", "grüße\n");
    assert.equal(await sandbox.files.read("notes.txt"), "grüße\n");
    for (const content of [bytes, bytes.buffer, new Blob([bytes]), bytes.subarray(0)]) {
      await sandbox.files.write("/data/bytes", content);
      assert.deepEqual(await sandbox.files.readBytes("/data/bytes"), bytes);
    }
    await sandbox.files.write("/data/part", bytes.subarray(10, 20));
    assert.deepEqual(await sandbox.files.readBytes("/data/part"), bytes.slice(10, 20));
    assert.equal(await sandbox.files.read("/data/part"), "\n\v\f\r\x0e\x0f\x10\x11\x12\x13");
    await sandbox.files.write("/data/marked", "\uFEFFwith a byte order mark");
    assert.equal(await sandbox.files.read("/data/marked"), "\uFEFFwith a byte order mark");
    await sandbox.files.write("/data/invalid", Uint8Array.of(0x61, 0xff));
    assert.equal(await sandbox.files.read("/data/invalid"), "a\uFFFD");
    await sandbox.files.write("/data/empty", "");
    assert.equal(await sandbox.files.read("/data/empty"), "");
  });

  test("writeStream takes web streams, async iterables and Node streams", async () => {
    const parts = ["one ", "two ", "three"].map((part) => new TextEncoder().encode(part));
    async function* generate() {
      yield* parts;
    }
    for (const source of [
      new Blob(parts).stream(),
      generate(),
      Readable.from(parts, { objectMode: false }),
    ]) {
      await sandbox.files.writeStream("streamed", source);
      assert.equal(await sandbox.files.read("streamed"), "one two three");
    }
    await sandbox.files.write("streamed", generate());
    assert.equal(await sandbox.files.read("streamed"), "one two three");
  });

  test("uploadUrl and downloadUrl open one file each, without a key", async () => {
    const upload = await sandbox.files.uploadUrl("/data/signed", { expiresIn: 60 });
    assert.equal((await fetch(upload.url, { method: "PUT", body: "signed" })).status, 204);
    assert.equal(await sandbox.files.read("/data/signed"), "signed");
    const download = await sandbox.files.downloadUrl("/data/signed");
    assert.equal(await (await fetch(download.url)).text(), "signed");
    assert.ok(Date.parse(download.expiresAt) > Date.parse(upload.expiresAt));
    assert.equal((await fetch(download.url.replace("signature=", "signature=0"))).status, 403);
    await assert.rejects(sandbox.files.downloadUrl("/f", { expiresIn: 86_401 }), {
      code: "invalid_request",
    });
  });

  test("writeStream rejects with the source's own error", async () => {
    const reason = new Error("the source failed");
    async function* failing() {
      yield new Uint8Array(10);
      throw reason;
    }
    await assert.rejects(sandbox.files.writeStream("never", failing()), reason);
  });

  test("writeStream takes from its source only as fast as the service reads", async () => {
    let taken = 0;
    let wasReturned = false;
    async function* endless() {
      try {
        for (;;) {
          taken += 1;
          assert.ok(taken < 1000, "read ahead of a service that reads nothing");
          yield new Uint8Array(64 * 1024);
        }
      } finally {
        wasReturned = true;
      }
    }
    const controller = new AbortController();
    let settled = -1;
    server.interceptNext(async () => {
      do {
        settled = taken;
        await new Promise((resolve) => setTimeout(resolve, 100));
      } while (settled !== taken);
      controller.abort(new Error("seen enough"));
    }, "endless");
    await assert.rejects(
      sandbox.files.writeStream("endless", endless(), { signal: controller.signal }),
      /seen enough/,
    );
    assert.equal(wasReturned, true);
  });

  test("writeStream is never sent twice", async () => {
    server.requests.length = 0;
    server.interceptNext((_, response) => response.writeHead(503).end("{}"));
    const source = new Blob(["x"]).stream();
    await assert.rejects(sandbox.files.writeStream("once", source), { status: 503 });
    assert.equal(server.requests.length, 1);
  });

  test("readStream gives the content piece by piece and can be cancelled", async () => {
    await sandbox.files.write("large", new Uint8Array(5_000_000).fill(7));
    let length = 0;
    for await (const part of await sandbox.files.readStream("large")) length += part.length;
    assert.equal(length, 5_000_000);
    const stream = await sandbox.files.readStream("large");
    const reader = stream.getReader();
    assert.equal((await reader.read()).done, false);
    await reader.cancel();
  });

  test("readStream errors when the connection breaks off", async () => {
    server.interceptNext((request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("begin", () => request.socket.destroy());
    });
    const stream = await sandbox.files.readStream("broken");
    await assert.rejects(new Response(stream).text(), { code: "connection_failed" });
  });

  test("readStream errors with the reason of its signal", async () => {
    const controller = new AbortController();
    server.interceptNext((_, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("begin");
    });
    const stream = await sandbox.files.readStream("aborted", { signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(new Response(stream).text(), /enough/);
  });

  test("readBytes and read reject with the reason of their signal in the middle of a body", async () => {
    for (const read of [sandbox.files.readBytes, sandbox.files.read]) {
      const controller = new AbortController();
      server.interceptNext((_, response) => {
        response.writeHead(200, { "content-length": 100 });
        response.write("begin", () => controller.abort(new Error("enough")));
      });
      await assert.rejects(read("aborted", { signal: controller.signal }), /enough/);
    }
  });

  test("list, makeDir, remove and exists agree", async () => {
    await sandbox.files.makeDir("/tree/branch");
    await sandbox.files.write("/tree/leaf", "12345");
    const entries = await sandbox.files.list("/tree");
    assert.deepEqual(
      entries.map(({ name, path, isDir }) => ({ name, path, isDir })),
      [
        { name: "branch", path: "/tree/branch", isDir: true },
        { name: "leaf", path: "/tree/leaf", isDir: false },
      ],
    );
    assert.equal(entries[1]?.size, 5);
    assert.deepEqual(
      [await sandbox.files.exists("/tree/branch"), await sandbox.files.exists("/tree/leaf")],
      [true, true],
    );
    assert.equal(await sandbox.files.exists("/tree/leaf/below-a-file"), false);
    await sandbox.files.makeDir("/tree/branch");
    await assert.rejects(sandbox.files.makeDir("/tree/leaf"), { code: "file_exists", status: 409 });
    await assert.rejects(sandbox.files.makeDir("/tree/leaf/below-a-file"), {
      code: "not_a_directory",
    });
    await sandbox.files.remove("/tree");
    assert.equal(await sandbox.files.exists("/tree/leaf"), false);
    assert.equal(await sandbox.files.exists("/tree"), false);
  });

  test("an absent file is an error that names it", async () => {
    const expected = { code: "file_not_found", status: 404, message: /\/no\/such/ };
    await assert.rejects(sandbox.files.read("/no/such"), expected);
    await assert.rejects(sandbox.files.readStream("/no/such"), expected);
    await assert.rejects(sandbox.files.list("/no/such"), expected);
    await assert.rejects(sandbox.files.remove("/no/such"), expected);
  });

  test("exists does not take an absent sandbox for an absent file", async () => {
    const connection = { apiKey: server.apiKey, apiUrl: server.url };
    const gone = await Sandbox.create(connection);
    await gone.kill();
    await assert.rejects(gone.files.exists("/etc"), { code: "sandbox_not_running" });
  });
});
