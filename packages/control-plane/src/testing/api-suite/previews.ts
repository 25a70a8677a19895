import assert from "node:assert/strict";
import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
} from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { limits, previewRecordSchema } from "@opencomputer/protocol/api";
import { WebSocket } from "ws";
import { orgs, previews } from "../../database/schema.ts";
import { OrgTransactions } from "../../orgs/org-repository.ts";
import { createPreviewRepository } from "../../previews/preview-repository.ts";
import { mintSandboxId } from "../../sandboxes/identity/sandbox-identity.ts";
import { eventually } from "../test-installation.ts";
import { type Visit, visitPreview } from "../visit-preview.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const missing = '{"error":"preview URL requires authentication"}';
const invalid = '{"error":"invalid preview token"}';
const notFound = '{"error":"not found","code":"not_found"}';

export function describePreviews(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("previews", openDatabase, (installation) => {
    const servers: Server[] = [];
    after(() => {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    });
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (body: unknown = {}) =>
      (await call("POST", "/api/sandboxes", { body })).json as {
        sandboxID: string;
        previewAuthToken?: string;
      };
    const post = (id: string, body: unknown) =>
      call("POST", `/api/sandboxes/${id}/preview`, { body });
    const visit = (host: string, options?: Visit) =>
      visitPreview(installation().url(), host, options);
    const hostOf = (id: string, port = 3000) => `${id}-p${port}.sandbox.localhost`;

    /** A server of the sandbox on port 3000. */
    async function serve(id: string, listener: RequestListener, port = 3000): Promise<Server> {
      const server = createServer(listener);
      servers.push(server);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const local = (server.address() as AddressInfo).port;
      installation().worker.servers.set(`${id} ${port}`, local);
      return server;
    }

    /** A sandbox with a preview of port 3000, whose server responds with what it got. */
    async function open(body: unknown = {}, listener?: RequestListener) {
      const { sandboxID: id, previewAuthToken: token = "" } = await create(body);
      const seen: IncomingMessage[] = [];
      await serve(id, (request, response) => {
        seen.push(request);
        if (listener === undefined) response.end(`${request.method} ${request.url}`);
        else listener(request, response);
      });
      assert.equal((await post(id, { port: 3000 })).status, 201);
      return { id, host: hostOf(id), token, seen };
    }

    test("an authConfig is returned as it is, and one of too many levels is refused", async () => {
      const { sandboxID: id } = await create();
      const escaped = { text: "\\u0000 \\\\ud800 \n 🔑" };
      assert.deepEqual(
        (await post(id, { port: 81, authConfig: escaped })).json.authConfig,
        escaped,
      );
      const levels = 200_000;
      const nested = await call("POST", `/api/sandboxes/${id}/preview`, {
        rawBody: `{"port":82,"authConfig":{"a":${"[".repeat(levels)}${"]".repeat(levels)}}}`,
      });
      assert.deepEqual([nested.status, nested.json.code], [400, "invalid_request"]);
    });

    test("a preview is created once, listed and deleted", async () => {
      const { sandboxID: id } = await create();
      const created = await post(id, { port: 3000, authConfig: { note: "kept" } });
      assert.equal(created.status, 201);
      const preview = previewRecordSchema.strict().parse(created.json);
      assert.equal(preview.hostname, hostOf(id));
      assert.deepEqual([preview.sslStatus, preview.authConfig], ["none", { note: "kept" }]);
      const { port } = new URL(installation().url());
      assert.equal(preview.url, `http://${hostOf(id)}:${port}`);
      const again = await post(id, { port: 3000 });
      assert.deepEqual([again.status, again.json], [200, created.json]);
      await post(id, { port: 80, authConfig: null, domain: "" });
      const list = (await call("GET", `/api/sandboxes/${id}/preview`)).json;
      assert.deepEqual(
        list.map((row: { port: number }) => row.port),
        [80, 3000],
      );
      const remove = () => call("DELETE", `/api/sandboxes/${id}/preview/3000`);
      assert.equal((await remove()).status, 204);
      assert.deepEqual((await remove()).json.code, "preview_not_found");
      assert.equal((await visit(hostOf(id))).text, notFound);
    });

    for (const [what, body] of [
      ["port 0", { port: 0 }],
      ["port 70000", { port: 70_000 }],
      ["no port", {}],
      ["a port that is no whole number", { port: 80.5 }],
      ["the agent's own port", { port: 7070 }],
      ["a domain of the platform", { port: 80, domain: "x.sandbox.localhost" }],
      ["localhost as a domain", { port: 80, domain: "localhost" }],
      ["an address as a domain", { port: 80, domain: "127.0.0.1" }],
      ["a domain with a port", { port: 80, domain: "example.com:80" }],
      ["an authConfig that is too long", { port: 80, authConfig: { a: "x".repeat(5000) } }],
      ["an authConfig with NUL", { port: 80, authConfig: { a: ["\0"] } }],
      ["an authConfig with half a character", { port: 80, authConfig: { "\udc00": 1 } }],
    ] as const) {
      test(`${what} is 400`, async () => {
        const { sandboxID: id } = await create();
        const result = await post(id, body);
        assert.deepEqual([result.status, result.json.code], [400, "invalid_request"]);
        assert.equal((await call("GET", `/api/sandboxes/${id}/preview`)).text, "[]");
      });
    }

    test("there are only so many of one sandbox", async () => {
      const { sandboxID: id } = await create();
      for (let port = 1; port <= limits.previewsPerSandboxMax; port++) await post(id, { port });
      assert.equal((await post(id, { port: 9999 })).json.code, "limit_exceeded");
      assert.equal((await post(id, { port: 1 })).status, 200);
    });

    test("those of a killed, foreign or absent sandbox are refused, and their hosts reveal nothing", async () => {
      const { id, host } = await open();
      const key = await installation().secondOrgKey();
      const foreign = { key, body: { port: 80 } };
      const path = `/api/sandboxes/${id}/preview`;
      assert.equal((await call("POST", path, foreign)).json.code, "sandbox_not_found");
      assert.equal((await call("POST", `${path}/rotate`, { key })).json.code, "sandbox_not_found");
      assert.equal(
        (await call("POST", `${path}/3000/link`, { key })).json.code,
        "sandbox_not_found",
      );
      await call("DELETE", `/api/sandboxes/${id}`);
      assert.equal((await post(id, { port: 80 })).json.code, "sandbox_not_running");
      const hosts = [host, hostOf(id, 80), hostOf(mintSandboxId()), "x.sandbox.localhost"];
      for (const name of hosts) {
        const response = await visit(name);
        assert.deepEqual([response.status, response.text], [404, notFound], name);
      }
    });

    test("nothing of the API is reachable under the host of a preview, and no preview under the API's", async () => {
      const { id, host, seen } = await open();
      const { apiKey } = installation();
      const path = `/api/sandboxes/${id}`;
      const options = { path, headers: { "x-api-key": apiKey } };
      assert.equal((await visit(host, options)).text, `GET ${path}`);
      assert.equal(seen[0]?.headers["x-api-key"], undefined);
      for (const name of [
        hostOf(id, 80),
        "api.sandbox.localhost",
        `${host.toUpperCase()}.x.sandbox.localhost`,
      ]) {
        assert.equal((await visit(name, options)).text, notFound);
      }
      // The authority in the request line replaces Host.
      const { port } = new URL(installation().url());
      const absolute = { ...options, path: `http://${host}:${port}${path}` };
      assert.equal((await visit("127.0.0.1", absolute)).text, `GET ${path}`);
      assert.equal((await visit("127.0.0.1", { path: "/" })).status, 404);
      assert.equal(seen.length, 2);
    });

    test("case, port and a trailing dot of the host do not matter", async () => {
      const { host } = await open();
      for (const name of [host.toUpperCase(), `${host}:1234`, `${host}.`, `${host}.:80`]) {
        assert.equal((await visit(name, { path: "/x?y=1" })).text, "GET /x?y=1", name);
      }
    });

    test("fields of one connection end there; X-Forwarded-* are the gateway's own", async () => {
      const { host, seen } = await open({}, (_request, response) => {
        response.setHeader("Connection", "keep-alive, X-Hop");
        response.setHeader("X-Hop", "1");
        response.setHeader("Proxy-Authenticate", "Basic");
        response.setHeader("Alt-Svc", 'h3=":443"');
        response.setHeader("X-Kept", ["a", "b"]);
        response.end("done");
      });
      const response = await visit(`${host}:99`, {
        method: "POST",
        headers: {
          connection: "close, X-Secret",
          "x-secret": "1",
          te: "trailers",
          "proxy-authorization": "Basic x",
          "x-forwarded-for": "6.6.6.6",
          "x-forwarded-host": "evil",
          x_forwarded_proto: "https",
          "x-real-ip": "6.6.6.6",
          forwarded: "for=6.6.6.6",
          "x-kept": ["1", "2"],
          cookie: "a=1; oc_preview=stolen; b=2",
        },
      });
      const headers = seen[0]?.headers ?? {};
      for (const name of [
        "x-secret",
        "te",
        "proxy-authorization",
        "x_forwarded_proto",
        "x-real-ip",
        "forwarded",
      ]) {
        assert.equal(headers[name], undefined, name);
      }
      assert.deepEqual(
        [
          headers.host,
          headers["x-forwarded-for"],
          headers["x-forwarded-host"],
          headers["x-forwarded-proto"],
        ],
        [`${host}:99`, "127.0.0.1", `${host}:99`, "http"],
      );
      assert.deepEqual([headers["x-kept"], headers.cookie], ["1, 2", "a=1; b=2"]);
      for (const name of ["x-hop", "proxy-authenticate", "alt-svc"]) {
        assert.equal(response.headers[name], undefined, name);
      }
      assert.deepEqual([response.headers["x-kept"], response.text], ["a, b", "done"]);
    });

    test("cookies stay with the host that set them", async () => {
      const { host } = await open({}, (_request, response) => {
        response.setHeader("Set-Cookie", [
          "a=1; Domain=.sandbox.localhost; Path=/",
          "b=2; domain = sandbox.localhost",
          `c=3; Domain=${host.toUpperCase()}`,
          "d=4; HttpOnly",
          "oc_preview=forged",
        ]);
        response.end();
      });
      assert.deepEqual((await visit(host)).headers["set-cookie"], [
        "a=1; Path=/",
        "b=2",
        `c=3; Domain=${host.toUpperCase()}`,
        "d=4; HttpOnly",
      ]);
    });

    test("bodies, HEAD, 1xx and trailers pass", async () => {
      const { host } = await open({}, async (request, response) => {
        if (request.url === "/hints") response.writeEarlyHints({ link: "</a.css>; rel=preload" });
        if (request.method === "HEAD") return void response.setHeader("Content-Length", 5).end();
        const body = await text(request);
        if (request.url === "/trailers") response.setHeader("Trailer", "X-Sum");
        response.write(body);
        response.addTrailers({ "X-Sum": String(body.length) });
        response.end();
      });
      const posted = await visit(host, {
        method: "POST",
        path: "/trailers",
        body: "x".repeat(1e6),
      });
      assert.deepEqual([posted.text.length, posted.trailers["x-sum"]], [1e6, "1000000"]);
      const chunked = {
        method: "DELETE",
        headers: { "transfer-encoding": "chunked" },
        body: "in chunks",
      };
      assert.equal((await visit(host, chunked)).text, "in chunks");
      const head = await visit(host, { method: "HEAD" });
      assert.deepEqual([head.status, head.headers["content-length"], head.text], [200, "5", ""]);
      const expecting = { method: "PUT", headers: { expect: "100-continue" }, body: "waited" };
      assert.equal((await visit(host, expecting)).text, "waited");
      const { hostname, port } = new URL(installation().url());
      const hinted = request({ hostname, port, path: "/hints", headers: { host }, agent: false });
      const information = once(hinted, "information");
      const result = once(hinted, "response");
      hinted.end();
      const [interim] = await information;
      assert.deepEqual([interim.statusCode, interim.headers.link], [103, "</a.css>; rel=preload"]);
      await text((await result)[0]);
    });

    test("connections are kept for one port of one sandbox, and for no other", async () => {
      const first = await open();
      const second = await open();
      const opened = () =>
        [first, second].map(
          ({ id }) => installation().worker.tunnels.filter((name) => name === `${id} 3000`).length,
        );
      for (let count = 0; count < 3; count++) await visit(first.host);
      await visit(second.host);
      assert.deepEqual(opened(), [1, 1]);
    });

    test("a server that closes each connection is asked again", async () => {
      const { host } = await open({}, (_request, response) => {
        response.end("once");
        setImmediate(() => response.socket?.destroy());
      });
      for (let count = 0; count < 5; count++) assert.equal((await visit(host)).text, "once");
    });

    const hostile: [string, string][] = [
      ["garbage", "\0\0\0\r\n\r\n"],
      ["nothing", ""],
      [
        "a head that is too large",
        `HTTP/1.1 200 OK\r\nA: ${"a".repeat(limits.previewHeadBytesMax)}\r\n\r\n`,
      ],
      ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
      [
        "length and chunks",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      ],
      ["another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx"],
      ["an invalid status", "HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n"],
      [
        "an upgrade that nobody asked for",
        "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
      ],
    ];
    for (const [what, bytes] of hostile) {
      test(`${what} of a server is 502`, async () => {
        const { sandboxID: id } = await create();
        const server = createTcpServer((socket) => {
          socket.on("error", () => undefined);
          socket.once("data", () => socket.end(bytes, "latin1"));
        });
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        installation().worker.servers.set(`${id} 3000`, (server.address() as AddressInfo).port);
        await post(id, { port: 3000 });
        const response = await visit(hostOf(id));
        assert.deepEqual([response.status, JSON.parse(response.text).code], [502, "guest_failed"]);
        server.close();
      });
    }

    test("nothing listens: JSON, and a page for browsers", async () => {
      const { sandboxID: id } = await create();
      await post(id, { port: 4000 });
      const json = await visit(hostOf(id, 4000));
      assert.deepEqual([json.status, JSON.parse(json.text).code], [502, "port_not_listening"]);
      const page = await visit(hostOf(id, 4000), {
        headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" },
      });
      assert.equal(page.headers["content-type"], "text/html; charset=utf-8");
      assert.match(page.text, /Nothing listens on port 4000/);
    });

    test("a token is made, shown once and asked for", async () => {
      const { host, token, id, seen } = await open({
        previewAuth: { scheme: "bearer", token: "auto" },
      });
      assert.match(token, /^[A-Za-z0-9_-]{43}$/);
      assert.ok(!(await call("GET", `/api/sandboxes/${id}`)).text.includes(token));
      const none = await visit(host, { headers: { accept: "text/html" } });
      assert.deepEqual([none.status, none.text], [401, missing]);
      assert.equal(none.headers["www-authenticate"], 'Bearer realm="preview"');
      const wrong: Record<string, string>[] = [
        { authorization: "Bearer x" },
        { authorization: `Bearer ${token}x` },
        { "x-oc-preview-token": "x" },
        { "x-oc-preview-token": token.toLowerCase() },
      ];
      for (const headers of wrong) {
        const response = await visit(host, { headers });
        assert.deepEqual([response.status, response.text], [401, invalid]);
        assert.equal(response.headers["www-authenticate"], 'Bearer realm="preview"');
      }
      assert.equal((await visit(host, { headers: { authorization: "Basic x" } })).text, missing);
      const unset = { authorization: "", "x-oc-preview-token": "" };
      assert.equal((await visit(host, { headers: unset })).text, missing);
      assert.equal((await visit(host, { headers: { cookie: "oc_preview=1.x" } })).text, missing);
      assert.equal(seen.length, 0);
    });

    test("the credential is stripped, and what is the sandbox's own passes", async () => {
      const own = "a-token-of-16-characters";
      const { host, token, seen } = await open({ previewAuth: { token: own } });
      assert.equal(token, own);
      await visit(host, { headers: { authorization: `bearer ${own}` } });
      await visit(host, { headers: { "x-oc-preview-token": own, authorization: "Bearer app" } });
      assert.deepEqual(
        seen.map(({ headers }) => [headers.authorization, headers["x-oc-preview-token"]]),
        [
          [undefined, undefined],
          ["Bearer app", undefined],
        ],
      );
    });

    test("a rotation holds at once, ends what is open, and turns authentication on", async () => {
      const { id, host, token } = await open(
        { previewAuth: { token: "auto" } },
        (request, response) => {
          if (request.url === "/endless") response.write("begun");
          else response.end("in");
        },
      );
      const rotate = async () =>
        (await call("POST", `/api/sandboxes/${id}/preview/rotate`)).json.previewAuthToken as string;
      const { hostname, port } = new URL(installation().url());
      const headers = { host, "x-oc-preview-token": token };
      const endless = request({ hostname, port, path: "/endless", headers, agent: false });
      endless.end();
      const [response] = await once(endless, "response");
      const broken = assert.rejects(text(response));
      const fresh = await rotate();
      await broken;
      assert.equal((await visit(host, { headers })).text, invalid);
      assert.equal((await visit(host, { headers: { "x-oc-preview-token": fresh } })).text, "in");

      const plain = await open();
      assert.equal((await visit(plain.host)).status, 200);
      await call("POST", `/api/sandboxes/${plain.id}/preview/rotate`);
      assert.equal((await visit(plain.host)).text, missing);
    });

    test("a link works once and becomes a cookie of that host alone", async () => {
      const { id, host, seen } = await open({ previewAuth: { token: "auto" } });
      const link = async () => {
        const { url, expiresAt } = (await call("POST", `/api/sandboxes/${id}/preview/3000/link`))
          .json;
        assert.ok(Date.parse(expiresAt) > Date.now());
        const { pathname, search, host: linked } = new URL(url);
        assert.equal(linked, `${host}:${new URL(installation().url()).port}`);
        return pathname + search;
      };
      const path = await link();
      assert.equal((await visit(host, { path, method: "HEAD" })).status, 401);
      const opened = await visit(host, { path });
      assert.deepEqual([opened.status, opened.headers.location], [303, "/"]);
      const [setCookie = ""] = opened.headers["set-cookie"] ?? [];
      assert.match(setCookie, /^oc_preview=[^;]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/);
      const cookie = setCookie.split(";")[0] ?? "";
      assert.equal((await visit(host, { path })).status, 401);
      assert.equal((await visit(host, { path: "/.opencomputer/open?code=x" })).status, 401);
      // Another host's script may have set one of the same name.
      const headers = { cookie: `oc_preview=tossed; ${cookie}; mine=1` };
      assert.equal((await visit(host, { headers })).status, 200);
      assert.equal(seen[0]?.headers.cookie, "mine=1");
      const other = await open({ previewAuth: { token: "auto" } });
      assert.equal((await visit(other.host, { headers: { cookie } })).text, missing);
      await post(id, { port: 80 });
      assert.equal((await visit(hostOf(id, 80), { headers: { cookie } })).text, missing);
      // The cookie is sent with what a page of another sandbox's preview asks for, too.
      const from = (origin: string, method = "POST") =>
        visit(host, { method, headers: { cookie, origin } });
      const foreign = "the cookie of a preview opens it to its own pages alone";
      for (const page of [`http://${other.host}`, "http://evil.test", "null"]) {
        const refused = await from(page);
        assert.deepEqual([refused.status, JSON.parse(refused.text).error], [401, foreign], page);
        assert.equal((await from(page, "GET")).status, 200, "it cannot read the response");
        const upgrade = new WebSocket(installation().url().replace("http", "ws"), {
          headers: { host, cookie, origin: page },
        });
        await assert.rejects(once(upgrade, "open"), /401/);
      }
      for (const page of [`http://${host}`, `https://${host}:8443`, `http://${hostOf(id, 80)}`]) {
        assert.equal((await from(page)).status, 200, page);
      }
      const unused = await link();
      await call("POST", `/api/sandboxes/${id}/preview/rotate`);
      assert.equal((await visit(host, { headers: { cookie } })).text, missing);
      assert.equal((await visit(host, { path: unused })).status, 401);
    });

    test("without authentication the link is the preview itself", async () => {
      const { id, host } = await open();
      const { url, expiresAt } = (await call("POST", `/api/sandboxes/${id}/preview/3000/link`))
        .json;
      assert.deepEqual(
        [new URL(url).hostname, new URL(url).pathname, expiresAt],
        [host, "/", null],
      );
      const absent = await call("POST", `/api/sandboxes/${id}/preview/81/link`);
      assert.equal(absent.json.code, "preview_not_found");
      assert.equal(
        (await visit(host, { path: "/.opencomputer/open" })).text,
        "GET /.opencomputer/open",
      );
    });

    test("a custom domain is served, is unique, and leads nowhere once it is deleted", async () => {
      const { id } = await open();
      const result = await post(id, { port: 3000, domain: "App.Example.COM." });
      assert.deepEqual([result.status, result.json.customHostname], [200, "app.example.com"]);
      assert.equal((await visit("app.example.com:80")).text, "GET /");
      const other = await open();
      const taken = await post(other.id, { port: 3000, domain: "app.example.com" });
      assert.deepEqual([taken.status, taken.json.code], [409, "name_in_use"]);
      const path = "/api/openapi.json";
      assert.equal((await visit("app.example.com", { path })).text, `GET ${path}`);
      await call("DELETE", `/api/sandboxes/${id}`);
      assert.equal((await visit("app.example.com", { path })).status, 421);
      assert.equal((await post(other.id, { port: 3000, domain: "app.example.com" })).status, 200);
    });

    test("one that is created while its sandbox is killed does not stay", async () => {
      const { id } = await open();
      const [{ orgId }] = (await call("GET", `/api/sandboxes/${id}/preview`)).json;
      await call("DELETE", `/api/sandboxes/${id}`);
      const { database } = installation();
      const previews = createPreviewRepository(database, new OrgTransactions(database));
      const late = previews.put(
        orgId,
        { sandboxId: id, port: 3000 },
        { customHostname: "late.example.com", authConfig: undefined },
      );
      await assert.rejects(late, { code: "sandbox_not_running" });
      const other = await open();
      const body = { port: 3000, domain: "late.example.com" };
      assert.equal((await post(other.id, body)).status, 200);
    });

    test("a request wakes a hibernated sandbox, and one under way keeps it awake", async () => {
      const { id, host } = await open();
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      const responses = await Promise.all([visit(host), visit(host), visit(host)]);
      assert.deepEqual(
        responses.map(({ status }) => status),
        [200, 200, 200],
      );
      const wakes = installation().worker.events.filter((event) => event === `wake ${id}`);
      assert.equal(wakes.length, 1);
      // What is refused wakes nothing.
      await call("POST", `/api/sandboxes/${id}/preview/rotate`);
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      await visit(host);
      assert.equal((await call("GET", `/api/sandboxes/${id}`)).json.status, "hibernated");
    });

    test("a visitor who leaves during the wake does not keep the sandbox in use", async () => {
      const { worker, url } = installation();
      const { id, host, seen } = await open();
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      const { port } = new URL(url());
      for (const upgrade of ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"]) {
        const visitor = connect(Number(port), "127.0.0.1");
        let proceed = (): void => undefined;
        const left = new Promise<void>((resolve) => {
          proceed = resolve;
        });
        worker.before = async (step) => {
          if (step !== "wake") return;
          visitor.destroy();
          await left;
        };
        visitor.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n${upgrade}\r\n`);
        await once(visitor, "close");
        // Time for the service to notice it.
        await delay(100);
        proceed();
        const detail = async () => (await call("GET", `/api/sandboxes/${id}`)).json;
        await eventually(async () => (await detail()).status === "running", "it runs");
        await delay(100);
        const { endAt } = await detail();
        await delay(50);
        assert.equal((await detail()).endAt, endAt, "its idle time-out runs");
        // Of a visitor that asked to upgrade, the service reads nothing before the machine answers.
        if (upgrade === "") assert.equal(seen.length, 0, "nothing was asked of its server");
        worker.before = async () => undefined;
        await call("POST", `/api/sandboxes/${id}/hibernate`);
      }
    });

    test("a fork has no previews and no token of its parent", async () => {
      const { id } = await open({ previewAuth: { token: "auto" } });
      const checkpoint = await call("POST", `/api/sandboxes/${id}/checkpoints`, {
        body: { name: "c" },
      });
      const fork = await call("POST", `/api/sandboxes/from-checkpoint/${checkpoint.json.id}`, {
        body: {},
      });
      const forkId = fork.json.sandboxID;
      assert.equal((await call("GET", `/api/sandboxes/${forkId}/preview`)).text, "[]");
      await post(forkId, { port: 3000 });
      await serve(forkId, (_request, response) => response.end("fork"));
      assert.equal((await visit(hostOf(forkId))).text, "fork");
    });

    test("a WebSocket passes as it is, and its end on either side is the other's", async () => {
      const { id, host } = await open();
      const server = servers.at(-1);
      server?.on("upgrade", (upgrade, socket) => {
        socket.on("error", () => undefined);
        socket.write(
          `HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Got: ${upgrade.headers["sec-websocket-key"]} ${upgrade.headers.host}\r\nSet-Cookie: a=1; Domain=sandbox.localhost\r\n\r\nhello`,
        );
        socket.pipe(socket);
      });
      const { hostname, port } = new URL(installation().url());
      const headers = {
        host,
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-key": "k",
      };
      const upgrade = request({ hostname, port, headers, agent: false });
      upgrade.end();
      const [response, socket, head] = await once(upgrade, "upgrade");
      assert.equal(response.headers["x-got"], `k ${host}`);
      assert.deepEqual(response.headers["set-cookie"], ["a=1"]);
      socket.unshift(head);
      socket.write(" and back");
      let got = "";
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
        got += chunk;
        if (got === "hello and back") break;
      }
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.on("error", () => undefined);
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      await closed;
    });

    test("an upgrade is refused as any request is; one to something else is an ordinary request", async () => {
      const { host } = await open({ previewAuth: { token: "auto" } });
      const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-key": "k" };
      assert.equal((await visit(host, { headers })).text, missing);
      assert.equal((await visit("x.sandbox.localhost", { headers })).text, notFound);
      const plain = await open({}, async (request, response) => response.end(await text(request)));
      const h2c = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "" };
      const body = "x".repeat(200_000);
      assert.equal(
        (
          await visit(plain.host, {
            method: "POST",
            headers: { ...h2c, "content-length": String(body.length) },
            body,
          })
        ).text,
        body,
      );
      assert.equal((await visit(plain.host, { headers })).text, "");
    });
  });

  describeWithInstallation(
    "previews behind a trusted proxy",
    openDatabase,
    (installation) => {
      test("its X-Forwarded-* are believed, and cookies are Secure", async () => {
        const { call, worker, url } = installation();
        const body = { previewAuth: { token: "auto" } };
        const { sandboxID: id, previewAuthToken } = (await call("POST", "/api/sandboxes", { body }))
          .json;
        const seen: IncomingMessage[] = [];
        const server = createServer((request, response) => {
          seen.push(request);
          response.end();
        });
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        worker.servers.set(`${id} 80`, (server.address() as AddressInfo).port);
        const made = await call("POST", `/api/sandboxes/${id}/preview`, { body: { port: 80 } });
        const host = `${id}-p80.sandbox.localhost`;
        assert.deepEqual([made.json.url, made.json.sslStatus], [`https://${host}`, "external"]);
        const forwarded = { "x-forwarded-for": "9.9.9.9", "x-forwarded-proto": "https" };
        await visitPreview(url(), host, {
          headers: { ...forwarded, "x-oc-preview-token": previewAuthToken },
        });
        const headers = seen[0]?.headers ?? {};
        assert.deepEqual(
          [headers["x-forwarded-for"], headers["x-forwarded-proto"], headers["x-forwarded-host"]],
          ["9.9.9.9, 127.0.0.1", "https", host],
        );
        const link = new URL((await call("POST", `/api/sandboxes/${id}/preview/80/link`)).json.url);
        const opened = await visitPreview(url(), host, {
          path: link.pathname + link.search,
          headers: forwarded,
        });
        assert.match(opened.headers["set-cookie"]?.[0] ?? "", /^__Host-oc_preview=.*; Secure$/);
        const domain = await call("POST", `/api/sandboxes/${id}/preview`, {
          body: { port: 80, domain: "api.example.com" },
        });
        assert.equal(domain.json.code, "invalid_request");
        server.closeAllConnections();
        server.close();
      });
    },
    { publicUrl: "https://api.example.com", trustsForwarded: true },
  );

  describeWithInstallation(
    "previews and the names of the API",
    openDatabase,
    (installation) => {
      const names = [
        "oc.internal.example",
        "a.corp.example",
        "a.b.corp.example",
        "api.example.com",
      ];
      const create = async () =>
        (await installation().call("POST", "/api/sandboxes", { body: {} })).json
          .sandboxID as string;

      test("none can be had as a domain, in whatever form it is written", async () => {
        const { call } = installation();
        const path = `/api/sandboxes/${await create()}/preview`;
        for (const domain of [...names, "OC.Internal.Example.", "A.CORP.example"]) {
          const result = await call("POST", path, { body: { port: 80, domain } });
          assert.deepEqual([result.status, result.json.code], [400, "invalid_request"], domain);
        }
        assert.equal((await call("GET", path)).text, "[]");
        const own = { port: 80, domain: "corp.example" };
        assert.equal((await call("POST", path, { body: own })).status, 201);
      });

      test("one that a preview has leads to the API all the same", async () => {
        const { database, worker, url } = installation();
        const seen: (string | undefined)[] = [];
        const server = createServer((request, response) => {
          seen.push(request.headers.host);
          response.end("of the sandbox");
        });
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        const { port: local } = server.address() as AddressInfo;
        const [org] = await database.select().from(orgs);
        for (const customHostname of names) {
          const sandboxId = await create();
          const row = { orgId: org?.id ?? "", sandboxId, port: 80, customHostname, authConfig: {} };
          await database.insert(previews).values(row);
          worker.servers.set(`${sandboxId} 80`, local);
          const response = await visitPreview(url(), customHostname, { path: "/api/openapi.json" });
          assert.match(response.text, /^\{"openapi":/, customHostname);
          assert.deepEqual(seen, [], customHostname);
          const host = `${sandboxId}-p80.sandbox.corp.example`;
          assert.equal((await visitPreview(url(), host)).text, "of the sandbox");
          assert.deepEqual(seen.splice(0), [host]);
        }
        server.closeAllConnections();
        server.close();
      });
    },
    {
      publicUrl: "https://api.example.com",
      allowedHosts: ["oc.internal.example", "*.corp.example"],
      sandboxDomain: "sandbox.corp.example",
    },
  );
}
