import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { createBareApiServer } from "../../testing/bare-api-server.ts";

const operationSchema = z.object({
  summary: z.string().min(1),
  parameters: z.array(z.object({ name: z.string(), in: z.string() })).default([]),
  requestBody: z.object({ content: z.record(z.string(), z.unknown()) }).optional(),
  responses: z.record(z.string(), z.looseObject({ description: z.string() })),
  security: z.array(z.record(z.string(), z.array(z.string()))),
});
/** How many ways to succeed an operation has, when it is not one. */
const statusesOf: Readonly<Record<string, number>> = {
  "POST /api/sandboxes": 2,
  "POST /api/sandboxes/{id}/exec/run-async": 2,
  "POST /api/sandboxes/{id}/preview": 2,
  "POST /api/snapshots": 3,
};
const documentSchema = z.object({
  openapi: z.literal("3.1.0"),
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
});

interface RegisteredRoute {
  method: string;
  url: string;
}

async function openServer() {
  const server = createBareApiServer();
  const registered: RegisteredRoute[] = [];
  server.addHook("onRoute", ({ method, url, schema }) => {
    // What only the dashboard calls.
    if (schema?.hide === true) return;
    for (const one of [method].flat()) registered.push({ method: one, url });
  });
  await server.ready();
  const response = await server.inject({ method: "GET", url: "/api/openapi.json" });
  assert.equal(response.statusCode, 200);
  const document = documentSchema.parse(response.json());
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      operation,
    })),
  );
  return { server, registered, operations };
}

describe("the OpenAPI document", () => {
  test("has every registered route, and nothing else", async () => {
    const { registered, operations } = await openServer();
    const routes = registered.map(
      ({ method, url }) => `${method} ${url.replace(/:(\w+)/g, "{$1}")}`,
    );
    assert.ok(routes.length > 40, `only ${routes.length} routes`);
    const described = routes.filter((route) => !route.startsWith("HEAD "));
    assert.deepEqual(operations.map(({ name }) => name).toSorted(), described.toSorted());
    const pathsOf = (method: string) =>
      routes.flatMap((route) => (route.startsWith(`${method} `) ? [route.split(" ")[1]] : []));
    // As HTTP has it, a HEAD is a GET without the body: it is not described once more.
    assert.deepEqual(pathsOf("HEAD").toSorted(), pathsOf("GET").toSorted());
  });

  test("names each parameter of a path, and no other", async () => {
    const { operations } = await openServer();
    for (const { name, path, operation } of operations) {
      const expected = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      const found = operation.parameters.filter((parameter) => parameter.in === "path");
      assert.deepEqual(
        found.map((parameter) => parameter.name).toSorted(),
        expected.toSorted(),
        name,
      );
    }
  });

  test("has of each operation what opens it and its responses", async () => {
    const { operations } = await openServer();
    const open = operations
      .filter(({ operation }) => operation.security.length === 0)
      .map(({ name }) => name);
    assert.deepEqual(open.toSorted(), [
      "GET /api/docs",
      "GET /api/health",
      "GET /api/openapi.json",
      "GET /health",
    ]);
    for (const { name, operation } of operations) {
      const { responses, security } = operation;
      const statuses = Object.keys(responses).filter((status) => status.startsWith("2"));
      assert.equal(statuses.length, statusesOf[name] ?? 1, name);
      if (security.length > 0) assert.ok("default" in responses, name);
    }
  });

  test("has binary content for the routes of file contents, JSON for all others", async () => {
    const { operations } = await openServer();
    const binary = operations.filter(({ operation }) =>
      JSON.stringify([operation.requestBody, operation.responses]).includes("octet-stream"),
    );
    assert.deepEqual(binary.map(({ name }) => name).toSorted(), [
      "GET /api/sandboxes/{id}/files",
      "GET /api/sandboxes/{id}/files/download",
      "PUT /api/sandboxes/{id}/files",
      "PUT /api/sandboxes/{id}/files/upload",
    ]);
  });

  test("has the limits that validation has", async () => {
    const { operations } = await openServer();
    const create = operations.find(({ name }) => name === "POST /api/sandboxes");
    const text = JSON.stringify(create?.operation.requestBody);
    assert.match(text, /"memoryMB":\{"anyOf":\[.*"minimum":256,"maximum":16384/);
  });

  test("has placements and warnings of secrets where they are taken and given", async () => {
    const { operations } = await openServer();
    const partsOf = (name: string) => {
      const found = operations.find((operation) => operation.name === name)?.operation;
      return [JSON.stringify(found?.requestBody ?? ""), JSON.stringify(found?.responses ?? "")];
    };
    const expected: [name: string, request: boolean, response: RegExp][] = [
      ["PUT /api/secret-stores/{id}/secrets/{name}", true, /"warning"/],
      ["PUT /api/projects/{id}/secrets/{name}", true, /"warning"/],
      ["GET /api/secret-stores/{id}/secrets", false, /"substituteIn"/],
      ["POST /api/secret-stores", true, /"substituteIn"/],
      ["PUT /api/secret-stores/{id}", true, /"substituteIn"/],
    ];
    for (const [name, isTaken, response] of expected) {
      const [request = "", responses = ""] = partsOf(name);
      assert.equal(request.includes('"substituteIn"'), isTaken, name);
      assert.match(responses, response, name);
    }
    // A list of names, unless details are asked for.
    const names = '{"type":"array","items":{"type":"string"}}';
    const [, list = ""] = partsOf("GET /api/projects/{id}/secrets");
    assert.ok(list.includes(`"schema":{"anyOf":[${names},{"type":"array"`), list);
    assert.match(list, /"substituteIn"/);
  });

  test("is also one page, without a script and without another host", async () => {
    const { server, operations } = await openServer();
    const page = await server.inject({ method: "GET", url: "/api/docs" });
    assert.equal(page.statusCode, 200);
    assert.equal(page.headers["content-type"], "text/html; charset=utf-8");
    assert.match(String(page.headers["content-security-policy"]), /^default-src 'none'/);
    for (const { path, operation } of operations) {
      assert.ok(page.body.includes(`<code>${path}</code> ${operation.summary}`), path);
    }
    assert.doesNotMatch(page.body, /<script|<link|<img|@import|url\(|https?:/);
  });
});
