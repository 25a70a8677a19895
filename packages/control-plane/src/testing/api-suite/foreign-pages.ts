import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { attachSession, RefusedUpgrade } from "../attach-session.ts";
import { visitPreview } from "../visit-preview.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

/** A page that the operator listed. */
const page = "https://app.example.com";

export function describeForeignPages(openDatabase: OpenTestDatabase): void {
  describeWithInstallation(
    "pages of other sites",
    openDatabase,
    (installation) => {
      const call: ReturnType<typeof installation>["call"] = (...parameters) =>
        installation().call(...parameters);
      const port = () => new URL(installation().url()).port;
      const keyed = () => ({ "x-api-key": installation().apiKey });
      const visit = (host: string, path: string, method = "GET") =>
        visitPreview(installation().url(), host, { path, method, headers: keyed() });
      /** What the service responds to the bytes of one request. */
      const raw = async (head: string) => {
        const socket = connect(Number(port()), "127.0.0.1");
        await once(socket, "connect");
        socket.write(`${head}\r\n\r\n`);
        return text(socket);
      };

      test("reach the API under no name of theirs, with a key neither, on any route", async () => {
        for (const path of ["/health", "/api/sandboxes", "/api/docs", "/nowhere"]) {
          for (const host of ["evil.test", `evil.test:${port()}`, "myserver", "EVIL.test."]) {
            const { status, text: body } = await visit(host, path);
            assert.equal(status, 421, `${host}${path}`);
            const { code, error } = JSON.parse(body);
            assert.equal(code, "host_not_allowed");
            assert.match(error, /OPENCOMPUTER_ALLOWED_HOSTS/);
          }
        }
        const before = (await call("GET", "/api/sandboxes")).json.length;
        assert.equal((await visit("evil.test", "/api/sandboxes", "POST")).status, 421);
        assert.equal((await call("GET", "/api/sandboxes")).json.length, before);
      });

      test("addresses, localhost and listed hosts reach it", async () => {
        for (const host of [
          ...["127.0.0.1", `127.0.0.1:${port()}`, "LOCALHOST.", "[::1]:8080", "10.0.0.7"],
          ...["oc.internal", "a.corp.example:8080"],
        ]) {
          assert.equal((await visit(host, "/api/sandboxes")).status, 200, host);
        }
      });

      test("a request without Host, with two, and with an absolute target", async () => {
        assert.match(await raw("GET /health HTTP/1.0"), /^HTTP\/1\.1 200 /);
        assert.match(await raw("GET /health HTTP/1.1\r\nConnection: close"), /^HTTP\/1\.1 400 /);
        const close = "Connection: close";
        const cases = [
          ["GET /health HTTP/1.0\r\nHost: evil.test", 421],
          [`GET /health HTTP/1.1\r\n${close}\r\nHost: 127.0.0.1\r\nHost: evil.test`, 400],
          [`GET /health HTTP/1.1\r\n${close}\r\nHost: evil.test\r\nhost: 127.0.0.1`, 421],
          [`GET http://evil.test/health HTTP/1.1\r\n${close}\r\nHost: 127.0.0.1`, 421],
          [`GET http://127.0.0.1/health HTTP/1.1\r\n${close}\r\nHost: evil.test`, 421],
        ] as const;
        for (const [head, status] of cases) {
          const response = await raw(head);
          assert.ok(
            [status, 400].some((expected) => response.startsWith(`HTTP/1.1 ${expected} `)),
            `${head}\n${response}`,
          );
        }
      });

      test("a body is not asked for under a foreign name", async () => {
        const head =
          "PUT /api/sandboxes/x/files?path=/x HTTP/1.1\r\nHost: evil.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close";
        assert.ok((await raw(head)).includes("421"));
      });

      test("open no WebSocket, whatever key they have; own and listed pages do", async () => {
        const id: string = (await call("POST", "/api/sandboxes")).json.sandboxID;
        const path = `/api/sandboxes/${id}`;
        const session = (await call("POST", `${path}/exec`, { body: { cmd: "sleep" } })).json;
        const terminal = (await call("POST", `${path}/pty`, { body: { cols: 80, rows: 24 } })).json;
        const own = `http://127.0.0.1:${port()}`;
        for (const at of [`exec/${session.sessionID}`, `pty/${terminal.sessionID}`]) {
          const open = (origin: string | undefined) =>
            attachSession(`${installation().url()}${path}/${at}`, {
              ...keyed(),
              ...(origin === undefined ? {} : { origin }),
            });
          for (const origin of ["http://evil.test", "null", `http://localhost:${port()}`]) {
            const refusal = await open(origin).then(
              () => undefined,
              (error: unknown) => error,
            );
            assert.ok(refusal instanceof RefusedUpgrade, origin);
            assert.deepEqual(
              [refusal.status, JSON.parse(refusal.body).code],
              [403, "origin_not_allowed"],
            );
          }
          for (const origin of [undefined, own, "https://oc.internal:3000", page]) {
            (await open(origin)).socket.terminate();
          }
        }
      });

      test("get no credential by a cookie, and no leave of a preflight", async () => {
        const headers = { origin: "http://evil.test", "sec-fetch-site": "cross-site" };
        for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
          const posted = await call("POST", "/api/sandboxes", {
            key: null,
            rawBody: "{}",
            headers: {
              ...headers,
              "content-type": type,
              cookie: `x-api-key=${keyed()["x-api-key"]}`,
            },
          });
          assert.deepEqual([posted.status, posted.json.code], [401, "missing_api_key"]);
        }
        for (const path of ["/api/sandboxes", "/api/keys", "/api/sandboxes/x/files/upload"]) {
          const preflight = await call("OPTIONS", path, {
            key: null,
            headers: { ...headers, "access-control-request-method": "PUT" },
          });
          assert.deepEqual([preflight.status, preflight.json.code], [403, "origin_not_allowed"]);
          assert.match(preflight.json.error, /"http:\/\/evil\.test".*OPENCOMPUTER_CORS_ORIGINS/);
          const granted = [...preflight.headers.keys()].filter((name) =>
            name.startsWith("access-control-"),
          );
          assert.deepEqual(granted, []);
        }
        const read = await call("GET", "/api/sandboxes", { headers });
        assert.deepEqual(
          [read.status, read.headers.get("access-control-allow-origin")],
          [200, null],
        );
        assert.equal(read.headers.get("vary"), "Origin");
      });

      test("of listed origins may call every route and read its response, errors too", async () => {
        for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
          const preflight = await call("OPTIONS", "/api/sandboxes", {
            key: null,
            headers: {
              origin: page,
              "access-control-request-method": method,
              "access-control-request-headers":
                "x-api-key,content-type,last-event-id,idempotency-key",
            },
          });
          assert.equal(preflight.status, 204);
          assert.equal(preflight.headers.get("access-control-allow-origin"), page);
          const allowed = (field: string) =>
            preflight.headers.get(`access-control-allow-${field}`)?.toLowerCase().split(", ") ?? [];
          assert.ok(allowed("methods").includes(method.toLowerCase()));
          for (const name of ["x-api-key", "content-type", "last-event-id", "idempotency-key"]) {
            assert.ok(allowed("headers").includes(name), name);
          }
          assert.equal(preflight.headers.get("access-control-allow-credentials"), null);
        }
        const id: string = (await call("POST", "/api/sandboxes")).json.sandboxID;
        const path = `/api/sandboxes/${id}/files?path=note`;
        for (const [method, route, key, status] of [
          ["GET", "/health", null, 200],
          ["GET", "/api/sandboxes", undefined, 200],
          ["PUT", path, undefined, 204],
          ["GET", path, undefined, 200],
          ["GET", "/api/sandboxes", null, 401],
          ["GET", "/api/sandboxes/sb-none", undefined, 404],
          ["GET", "/api/nowhere", undefined, 404],
        ] as const) {
          const response = await call(method, route, {
            headers: { origin: page },
            ...(key === undefined ? {} : { key }),
            ...(method === "PUT" ? { rawBody: "from a page" } : {}),
          });
          assert.equal(response.status, status, route);
          assert.equal(response.headers.get("access-control-allow-origin"), page, route);
          assert.equal(response.headers.get("access-control-expose-headers"), "Retry-After");
        }
      });

      test("of listed origins reach it under no foreign name either", async () => {
        const head = `GET /health HTTP/1.1\r\nConnection: close\r\nHost: evil.test\r\nOrigin: ${page}`;
        assert.match(await raw(head), /^HTTP\/1\.1 421 /);
      });
    },
    { allowedHosts: ["oc.internal", "*.corp.example"], corsOrigins: [page] },
  );
}
