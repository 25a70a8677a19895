import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { errorBodySchema, limits } from "@opencomputer/protocol/api";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeRequests(openDatabase: OpenTestDatabase): void {
  describeWithInstallation(
    "requests that are wrong in themselves",
    openDatabase,
    (installation) => {
      const call: ReturnType<typeof installation>["call"] = (...parameters) =>
        installation().call(...parameters);
      const json = { "content-type": "application/json" };
      const canary = "sk-canary-malformed";
      const post = (rawBody: string, headers: Record<string, string> = json) =>
        call("POST", "/api/secret-stores", { rawBody, headers });

      const cases: [string, () => ReturnType<typeof call>, number, string][] = [
        ["no JSON", () => post(`{"name": ${canary}`), 400, "invalid_json"],
        ["a broken escape", () => post(`"${canary}\\x"`), 400, "invalid_json"],
        ["a prototype", () => post(`{"__proto__": {"name": "${canary}"}}`), 400, "invalid_json"],
        ["an empty body", () => post(""), 400, "invalid_request"],
        ["a list", () => post(`["${canary}"]`), 400, "invalid_request"],
        [
          "a form",
          () => post("name=x", { "content-type": "application/x-www-form-urlencoded" }),
          415,
          "unsupported_media_type",
        ],
        [
          "a text",
          () => post(`{"name": "${canary}"}`, { "content-type": "text/plain" }),
          415,
          "unsupported_media_type",
        ],
        [
          "a body over the limit",
          () => post(JSON.stringify({ name: "x".repeat(limits.apiBodyBytesMax) })),
          413,
          "body_too_large",
        ],
        ["an unknown route", () => call("GET", "/api/nothing"), 404, "not_found"],
        [
          "a form for an unknown route",
          () =>
            call("POST", "/api/nothing", {
              rawBody: "name=x",
              headers: { "content-type": "application/x-www-form-urlencoded" },
            }),
          404,
          "not_found",
        ],
        ["an unknown route outside of the API", () => call("GET", "/nothing"), 404, "not_found"],
        [
          "a method that the route does not have",
          () => call("PATCH", "/api/sandboxes"),
          404,
          "not_found",
        ],
        ["a path that is no URL path", () => call("GET", "/api/%zz"), 400, "invalid_request"],
        [
          "a head over the limit",
          () =>
            call("GET", "/api/sandboxes", {
              headers: { "x-long": "a".repeat(limits.apiHeaderBytesMax) },
            }),
          431,
          "header_too_large",
        ],
      ];
      for (const [what, send, status, code] of cases) {
        test(`${what} is ${status} ${code}, in JSON and without an echo`, async () => {
          const response = await send();
          const body = errorBodySchema.strict().parse(response.json);
          assert.deepEqual([response.status, body.code], [status, code]);
          assert.ok(!response.text.includes(canary));
        });
      }

      test("an offer of another protocol is ignored, and so is an unknown expectation", async () => {
        const url = `${installation().url()}/api/projects`;
        const headers = { ...json, "x-api-key": installation().apiKey };
        for (const [index, extra] of [
          { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "AAMAAABk" },
          { expect: "the-unexpected" },
        ].entries()) {
          const post = request(url, { method: "POST", headers: { ...headers, ...extra } });
          post.end(JSON.stringify({ name: `offered ${index}` }));
          const response: IncomingMessage = (await once(post, "response"))[0];
          assert.equal(response.statusCode, 201, await text(response));
        }
      });

      test("a request without a body may have any content type", async () => {
        const { sandboxID } = (await call("POST", "/api/sandboxes")).json;
        for (const type of [
          ...["application/json", "application/x-www-form-urlencoded", "text/plain;charset=UTF-8"],
          ...["multipart/form-data", "application/octet-stream"],
        ]) {
          const path = `/api/sandboxes/${sandboxID}/wake`;
          const woken = await call("POST", path, {
            rawBody: "",
            headers: { "content-type": type },
          });
          assert.equal(woken.status, 200, type);
        }
      });

      test("bytes that are no HTTP get a JSON response and the end of the connection", async () => {
        const { port } = new URL(installation().url());
        const text = await new Promise<string>((resolve, reject) => {
          const socket = connect(Number(port), "127.0.0.1", () => socket.write("no http\r\n\r\n"));
          let received = "";
          socket.on("data", (chunk) => {
            received += chunk.toString();
          });
          socket.on("end", () => resolve(received));
          socket.on("error", reject);
        });
        const [head = "", body = ""] = text.split("\r\n\r\n");
        assert.match(head, /^HTTP\/1.1 400 /);
        assert.equal(errorBodySchema.parse(JSON.parse(body)).code, "invalid_request");
      });

      test("nothing of it is in the log, and the server still responds", async () => {
        assert.equal((await call("GET", "/api/secret-stores")).status, 200);
        assert.ok(!installation().recorded().includes(canary));
      });
    },
  );
}
