import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import { afterEach, describe, test } from "node:test";
import { createHttpFetch } from "./http-fetch.ts";

describe("createHttpFetch", () => {
  const httpFetch = createHttpFetch();
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  const listen = async (handler: RequestListener) => {
    const started = createServer(handler);
    server = started;
    await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
    const address = started.address();
    assert.ok(address !== null && typeof address === "object");
    return `http://127.0.0.1:${address.port}/`;
  };
  const get = { method: "GET", headers: {}, redirect: "manual" } as const;

  test("sends method, headers and body, and returns status, headers and text", async () => {
    const url = await listen((request, response) => {
      response.writeHead(201, { "x-seen": `${request.method} ${request.headers["x-api-key"]}` });
      request.pipe(response);
    });
    const headers = { "x-api-key": "key" };
    const response = await httpFetch(url, { ...get, method: "POST", headers, body: '{"é":1}' });
    assert.equal(response.status, 201);
    assert.equal(response.headers.get("X-Seen"), "POST key");
    assert.equal(response.headers.get("x-absent"), null);
    assert.equal(await response.text(), '{"é":1}');
  });

  test("follows no redirect, so that the key stays with its service", async () => {
    const url = await listen((_request, response) =>
      response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
    );
    assert.equal((await httpFetch(url, get)).status, 302);
  });

  test("streams a body as it comes", async () => {
    const url = await listen((_request, response) => void response.write("first"));
    const response = await httpFetch(url, get);
    const { value } = (await response.body?.getReader().read()) ?? {};
    assert.equal(new TextDecoder().decode(value), "first");
  });

  test("rejects with the system's error for a body that breaks off", async () => {
    const url = await listen((_request, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("part", () => response.destroy());
    });
    const response = await httpFetch(url, get);
    await assert.rejects(response.text(), { code: "ECONNRESET" });
  });

  test("rejects when it is aborted, before and after the response began", async () => {
    const url = await listen((request, response) => {
      if (request.url === "/begun") response.write("part");
    });
    for (const path of ["", "begun"]) {
      const controller = new AbortController();
      const { signal } = controller;
      const reading = httpFetch(url + path, { ...get, signal }).then((response) => {
        controller.abort();
        return response.text();
      });
      if (path === "") setTimeout(() => controller.abort(), 20);
      await assert.rejects(reading, path);
    }
  });
});
