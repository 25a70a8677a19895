import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { z } from "zod";
import { seededBytes } from "../testing/seeded-random.ts";
import { createUnixSocketClient, PeerAbsentError, type WireRequest } from "./unix-socket-client.ts";

const schema = z.object({ value: z.int() });

describe("UnixSocketClient", () => {
  let directory: string;
  let server: Server;
  let respond: RequestListener;
  const get: WireRequest = { method: "GET", path: "/x?secret=1", timeoutMilliseconds: 5000 };
  const post: WireRequest = { ...get, method: "POST", body: { a: 1 } };
  const client = (path = "peer.sock", quotesErrors = true) =>
    createUnixSocketClient({
      socketPath: join(directory, path),
      peer: "worker",
      unavailable: "worker_unavailable",
      quotesErrors,
    });

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "opencomputer-wire-"));
    server = createServer((request, response) => respond(request, response));
    await new Promise<void>((resolve) => server.listen(join(directory, "peer.sock"), resolve));
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true, force: true });
  });

  async function failure(work: Promise<unknown>): Promise<WireError> {
    try {
      await work;
    } catch (error) {
      assert.ok(error instanceof WireError, String(error));
      return error;
    }
    return assert.fail("expected a failure");
  }

  test("returns the parsed response", async () => {
    respond = (_request, response) => response.end('{"value":1,"more":2}');
    const peer = client();
    assert.deepEqual(await peer.request(get, schema), { value: 1 });
    await peer.close();
  });

  test("passes the peer's own error on, with its code and details", async () => {
    respond = (_request, response) =>
      response.writeHead(404).end('{"error":"no x","code":"file_not_found","details":{"a":1}}');
    const peer = client();
    const error = await failure(peer.request(post, schema));
    assert.deepEqual(error.toBody(), { error: "no x", code: "file_not_found", details: { a: 1 } });
    await peer.close();
  });

  test("of a peer that holds secrets only the code is passed on", async () => {
    respond = (_request, response) =>
      response.writeHead(400).end('{"error":"sk-canary","code":"invalid_request"}');
    const peer = client("peer.sock", false);
    const error = await failure(peer.send({ ...get, method: "PUT" }));
    assert.deepEqual(error.toBody(), {
      error: "The worker responded with 400 invalid_request",
      code: "internal_error",
    });
    await peer.close();
  });

  test("a response of another shape is an internal error that names the route without its query", async () => {
    respond = (_request, response) => response.end('{"value":"sk-canary"}');
    const peer = client();
    const error = await failure(peer.request(get, schema));
    assert.equal(error.code, "internal_error");
    assert.equal(error.message, "The worker's response to GET /x is malformed at value");
    await peer.close();
  });

  test("a peer that does not run is absent", async () => {
    const peer = client("nobody.sock");
    for (const request of [get, post]) {
      const error = await failure(peer.send(request));
      assert.ok(error instanceof PeerAbsentError);
      assert.equal(error.code, "worker_unavailable");
    }
    await peer.close();
  });

  test("a peer lost midway: a POST may have acted, anything else can be tried again", async () => {
    respond = (request) => request.socket.destroy();
    const peer = client();
    assert.equal((await failure(peer.send(post))).code, "outcome_unknown");
    const error = await failure(peer.send({ ...get, method: "PUT" }));
    assert.equal(error.code, "worker_unavailable");
    assert.ok(!(error instanceof PeerAbsentError));
    await peer.close();
  });

  test("a request to a peer that never responds is aborted after the time-out", async () => {
    respond = () => undefined;
    const peer = client();
    const error = await failure(peer.send({ ...get, timeoutMilliseconds: 30 }));
    assert.match(error.message, /did not respond in time/);
    await peer.close();
  });

  test("fuzz: arbitrary bytes as a response give a WireError", async () => {
    let round = 0;
    respond = (_request, response) => {
      const bytes = seededBytes(`wire ${round}`, 1 + (round % 200));
      response.writeHead(round % 2 === 0 ? 200 : 400 + (round % 150)).end(bytes);
    };
    const peer = client();
    for (round = 0; round < 200; round += 1) {
      const error = await failure(peer.request(get, schema));
      assert.equal(error.code, "internal_error");
    }
    await peer.close();
  });
});
