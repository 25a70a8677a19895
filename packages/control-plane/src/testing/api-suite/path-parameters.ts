import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { errorBodySchema } from "@opencomputer/protocol/api";
import { z } from "zod";
import { pathPartCharactersMax } from "../../http/respond/error-responses.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const documentSchema = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
});
const malformed: [what: string, part: string][] = [
  ["the longest", "a".repeat(pathPartCharactersMax)],
  ["one character too long", "a".repeat(pathPartCharactersMax + 1)],
  ["far too long", "a".repeat(10_000)],
  ["too long once it is decoded", "%C3%A9".repeat(pathPartCharactersMax + 1)],
  ["NUL", "%00"],
  ["no escape", "%zz"],
  ["no UTF-8", "%ED%A0%80"],
  ["a path", "..%2f..%2fetc"],
  ["outside of the basic plane", "%F0%9F%92%A5"],
  ["a quote", "'%22;--"],
];
/** What most requests need, so that they get as far as their parameters. */
const body = { name: "x", value: "v", cmd: "true", script: "true", path: "/f", timeout: 5 };

export function describePathParameters(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("path parameters", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const make = async (path: string, given: unknown) =>
      (await call("POST", path, { body: given })).json;

    /** Each operation with its parameters malformed, and with the last one alone. */
    async function operations(): Promise<[method: string, path: string][]> {
      const { paths } = documentSchema.parse((await call("GET", "/api/openapi.json")).json);
      const sandbox = (await make("/api/sandboxes", {})).sandboxID;
      const owners: Record<string, string> = {
        "/api/sandboxes/{id}/": `/api/sandboxes/${sandbox}/`,
        "/api/secret-stores/{id}/": `/api/secret-stores/${(await make("/api/secret-stores", { name: "s" })).id}/`,
        "/api/projects/{id}/": `/api/projects/${(await make("/api/projects", { name: "p" })).id}/`,
      };
      return Object.entries(paths)
        .filter(([path]) => path.includes("{"))
        .flatMap(([path, methods]) => {
          const owner = Object.keys(owners).find((prefix) => path.startsWith(prefix));
          const owned = owner === undefined ? path : path.replace(owner, owners[owner] ?? "");
          const variants = new Set(owned.includes("{") ? [path, owned] : [path]);
          return [...variants].flatMap((variant) =>
            Object.keys(methods).map((method): [string, string] => [method, variant]),
          );
        });
    }

    for (const [what, part] of malformed) {
      test(`one that is ${what} is refused with an error body by every route`, async () => {
        const all = await operations();
        assert.ok(all.length > 40, `only ${all.length} operations`);
        for (const [method, path] of all) {
          const response = await call(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, part), {
            ...(method === "get" || method === "delete" ? {} : { body }),
          });
          const shown = `${method} ${path}: ${response.status} ${response.text.slice(0, 200)}`;
          assert.ok([400, 403, 404].includes(response.status), shown);
          errorBodySchema.strict().parse(response.json);
          assert.ok(response.text.length < 1000, `${shown} is short`);
        }
        assert.doesNotMatch(installation().recorded(), /a request failed/);
      });
    }

    for (const part of ["a".repeat(pathPartCharactersMax + 1), "%zz"]) {
      test(`a WebSocket to ${part.slice(0, 3)}… is refused, and its connection is closed`, async () => {
        const { port, hostname } = new URL(installation().url());
        const socket = connect(Number(port), hostname);
        socket.write(
          `GET /api/sandboxes/${part}/exec/x HTTP/1.1\r\nHost: ${hostname}\r\n` +
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
            `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
        );
        assert.match(await text(socket), /^HTTP\/1\.1 400 .*"code":"invalid_request"/s);
      });
    }

    test("the error of one that is too long names the limit, and the next request succeeds", async () => {
      const path = `/api/sandboxes/${"a".repeat(pathPartCharactersMax + 1)}`;
      const response = await call("GET", path);
      assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
      assert.match(response.json.error, /longer than 256 characters/);
      assert.equal((await call("GET", "/api/sandboxes")).status, 200);
    });
  });
}
