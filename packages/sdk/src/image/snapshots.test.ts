import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, before, describe, test } from "node:test";
import type { BuildLogEvent } from "@opencomputer/protocol/api";
import { OpenComputerError } from "../open-computer-error.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { type ContractServer, startContractServer } from "../testing/start-contract-server.ts";
import { Image } from "./image.ts";
import { Snapshots } from "./snapshots.ts";

describe("Snapshots", () => {
  let server: ContractServer;
  let connection: { apiUrl: string; apiKey: string };
  let snapshots: Snapshots;
  before(async () => {
    server = await startContractServer();
    connection = { apiUrl: server.url, apiKey: server.apiKey };
    snapshots = new Snapshots(connection);
  });
  after(() => server.close());

  const image = Image.base().aptInstall(["python3-pip"]).pipInstall(["pandas"]);

  test("create reports the log and resolves to the record, which has the image's cache key", async () => {
    const events: BuildLogEvent[] = [];
    const onBuildLog = (event: BuildLogEvent) => void events.push(event);
    const row = await snapshots.create({ name: "data-pipeline", image, onBuildLog });
    assert.equal(row.status, "ready");
    assert.equal(row.contentHash, image.cacheKey());
    assert.deepEqual(
      events.map(({ message }) => message),
      [
        "Step 1/2: apt_install",
        "Step 1/2 completed",
        "Step 2/2: pip_install",
        "Step 2/2 completed",
      ],
    );
    assert.deepEqual(
      (await snapshots.list()).map(({ name }) => name),
      ["data-pipeline"],
    );
    assert.deepEqual(await snapshots.get("data-pipeline"), row);
  });

  test("a name in use and a name that is unknown are refused", async () => {
    await assert.rejects(snapshots.create({ name: "data-pipeline", image }), {
      code: "name_in_use",
      status: 409,
    });
    await assert.rejects(snapshots.get("no/such"), { code: "not_found", status: 404 });
    await assert.rejects(snapshots.delete("no/such"), { code: "not_found", status: 404 });
    await assert.rejects(Sandbox.create({ ...connection, snapshot: "no/such" }), {
      code: "snapshot_not_found",
      status: 400,
    });
  });

  test("a sandbox is created from a snapshot, or from an image with its log", async () => {
    const fromSnapshot = await Sandbox.create({ ...connection, snapshot: "data-pipeline" });
    assert.ok(await fromSnapshot.isRunning());
    const lines: string[] = [];
    const onBuildLog = ({ message }: BuildLogEvent) => void lines.push(message);
    const fromImage = await Sandbox.create({ ...connection, image, onBuildLog });
    assert.ok(await fromImage.isRunning());
    assert.equal(lines.length, 4);
  });

  test("a failed step carries the code and status that it has without events", async () => {
    const failing = Image.base().runCommands("false");
    const failure = { code: "image_build_failed", status: 422, message: /^Step 1 \(run\) failed/ };
    await assert.rejects(snapshots.create({ name: "failing", image: failing }), failure);
    await assert.rejects(Sandbox.create({ ...connection, image: failing }), failure);
  });

  test("events cut anywhere, with carriage returns and comments, are read", async () => {
    const { status: _status, ...rest } = await snapshots.get("data-pipeline");
    const row = { ...rest, status: "ready" };
    const text = `: hello\r\nevent: build_log\r\ndata: {"step":1,"type":"run","message":"é"}\r\n\r\nevent: other\ndata: 1\n\nevent:result\ndata:${JSON.stringify(row)}\n\n`;
    const bytes = Buffer.from(text);
    for (const size of [1, 7, 1000]) {
      server.interceptNext((request, response) => {
        request.resume();
        void writeInParts(response, bytes, size);
      });
      const messages: string[] = [];
      const onBuildLog = ({ message }: BuildLogEvent) => void messages.push(message);
      assert.deepEqual(await snapshots.create({ name: "cut", image, onBuildLog }), row);
      assert.deepEqual(messages, ["é"]);
    }
  });

  test("a stream that ends early, breaks, or holds something else is an error", async () => {
    for (const [text, code] of [
      ["", "connection_failed"],
      ['event: build_log\ndata: {"step":1,"type":"run","message":"m"}\n\n', "connection_failed"],
      ['event: result\ndata: {"no":"row"}\n\n', "unexpected_response"],
      ["event: error\ndata: nonsense\n\n", "unexpected_response"],
    ] as const) {
      server.interceptNext((request, response) => {
        request.resume();
        response.writeHead(200, { "content-type": "text/event-stream" }).end(text);
      });
      await assert.rejects(snapshots.create({ name: "broken", image }), (error) => {
        assert.ok(error instanceof OpenComputerError);
        assert.equal(error.code, code);
        return true;
      });
    }
    server.interceptNext((request, response) => {
      request.resume();
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(": keepalive\n\n", () => response.destroy());
    });
    await assert.rejects(snapshots.create({ name: "broken", image }), {
      code: "connection_failed",
    });
  });
});

async function writeInParts(response: ServerResponse, bytes: Buffer, size: number): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (let from = 0; from < bytes.length; from += size) {
    await new Promise((resolve) => response.write(bytes.subarray(from, from + size), resolve));
  }
  response.end();
}
