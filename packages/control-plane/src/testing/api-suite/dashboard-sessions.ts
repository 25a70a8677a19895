import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { dashboardHeader, dashboardSessionSchema, limits } from "@opencomputer/protocol/api";
import { eq } from "../../database/query-builder.ts";
import { apiKeys, dashboardSessions } from "../../database/schema.ts";
import { attachSession, RefusedUpgrade } from "../attach-session.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

/** Longest that what a session has opened may outlive it, with room for a busy machine. */
const endsWithinMilliseconds = 3_000;

export function describeDashboardSessions(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("sessions of the dashboard", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const own = () => installation().url();
    /** What a browser sends with the requests of the dashboard's own page. */
    const page = (cookie?: string) => ({
      origin: own(),
      [dashboardHeader]: "1",
      ...(cookie === undefined ? {} : { cookie }),
    });
    const signIn = (apiKey: string, headers: Record<string, string> = page()) =>
      call("POST", "/dashboard/session", { key: null, headers, body: { apiKey } });
    const cookieOf = async (apiKey = installation().apiKey) => {
      const { headers } = await signIn(apiKey);
      return /^[^;]+/.exec(headers.getSetCookie().at(-1) ?? "")?.[0] ?? "";
    };
    const list = (headers: Record<string, string>) =>
      call("GET", "/api/sandboxes", { key: null, headers });
    const createKey = async (): Promise<{ id: string; key: string }> =>
      (await call("POST", "/api/keys", { body: { name: "of a browser" } })).json;

    test("a key opens one, whose cookie no script reads; the key is in no response", async () => {
      const signedIn = await signIn(installation().apiKey);
      assert.equal(signedIn.status, 200);
      const session = dashboardSessionSchema.strict().parse(signedIn.json);
      assert.equal(session.keyPrefix, installation().apiKey.slice(0, 12));
      assert.ok(!signedIn.text.includes(installation().apiKey));
      const set = signedIn.headers.getSetCookie().at(-1) ?? "";
      assert.match(set, /^oc_dashboard=[A-Za-z0-9_-]{43}; /);
      for (const attribute of ["HttpOnly", "SameSite=Strict", "Path=/"]) {
        assert.ok(set.includes(`; ${attribute}`), set);
      }
      assert.ok(!/domain/i.test(set), set);
      const value = /=([^;]+)/.exec(set)?.[1] ?? "";
      const rows = await installation().database.select().from(dashboardSessions);
      assert.ok(!JSON.stringify(rows).includes(value));
      const again = await call("GET", "/dashboard/session", {
        key: null,
        headers: page(`oc_dashboard=${value}`),
      });
      assert.deepEqual(again.json, session);
    });

    test("it opens the API of the key's org, and no other", async () => {
      const cookie = await cookieOf();
      const created = await call("POST", "/api/sandboxes", { key: null, headers: page(cookie) });
      assert.equal(created.status, 201);
      const ids = (await list(page(cookie))).json.map(
        (one: { sandboxID: string }) => one.sandboxID,
      );
      assert.ok(ids.includes(created.json.sandboxID));
      const other = await cookieOf(await installation().secondOrgKey());
      assert.deepEqual((await list(page(other))).json, []);
    });

    test("a wrong key opens none", async () => {
      for (const key of [`osb_${"0".repeat(64)}`, "nonsense"]) {
        const refused = await signIn(key);
        assert.deepEqual([refused.status, refused.json.code], [403, "invalid_api_key"]);
        assert.deepEqual(refused.headers.getSetCookie(), []);
      }
      assert.equal((await signIn("")).status, 400);
    });

    test("a request without it, or with a made up one, is refused", async () => {
      for (const cookie of [undefined, "oc_dashboard=", `oc_dashboard=${"A".repeat(43)}`]) {
        const refused = await list(page(cookie));
        assert.deepEqual([refused.status, refused.json.code], [401, "missing_api_key"]);
      }
      const none = await call("GET", "/dashboard/session", { key: null, headers: page() });
      assert.equal(none.status, 401);
    });

    test("pages of other origins use it for nothing, the preview's of a sandbox neither", async () => {
      const cookie = await cookieOf();
      const port = new URL(own()).port;
      for (const origin of [
        ...["http://evil.test", "null", "http://127.0.0.1:1", `http://localhost:${port}`],
        ...[`http://sb-a-p80.sandbox.localhost:${port}`, `https://evil.test#${own()}`],
      ]) {
        const headers = { ...page(cookie), origin };
        for (const [method, path] of [
          ...[["GET", "/api/sandboxes"] as const, ["POST", "/api/sandboxes"] as const],
          ...[["GET", "/dashboard/session"] as const, ["DELETE", "/dashboard/session"] as const],
        ]) {
          const refused = await call(method, path, { key: null, headers });
          assert.deepEqual(
            [refused.status, refused.json.code],
            [403, "origin_not_allowed"],
            origin,
          );
        }
        assert.equal((await signIn(installation().apiKey, headers)).status, 403, origin);
      }
      assert.equal((await list(page(cookie))).status, 200);
    });

    test("a form or an image of another page uses it for nothing", async () => {
      const cookie = await cookieOf();
      const without = await list({ cookie });
      assert.deepEqual([without.status, without.json.code], [403, "forbidden"]);
      for (const headers of [
        { cookie, [dashboardHeader]: "1" },
        { cookie, origin: own() },
      ]) {
        const refused = await call("POST", "/api/sandboxes", { key: null, headers });
        assert.equal(refused.status, 403);
      }
    });

    test("a terminal opens with it from the own page alone", async () => {
      const cookie = await cookieOf();
      const id: string = (await call("POST", "/api/sandboxes")).json.sandboxID;
      const path = `/api/sandboxes/${id}/exec`;
      const { sessionID } = (await call("POST", path, { body: { cmd: "sleep" } })).json;
      const attach = (headers: Record<string, string>) =>
        attachSession(`${own()}${path}/${sessionID}`, headers);
      const client = await attach({ cookie, origin: own() });
      client.socket.close();
      for (const headers of [
        { cookie },
        { cookie, origin: "http://evil.test" },
        { cookie: "oc_dashboard=x", origin: own() },
      ]) {
        await assert.rejects(attach(headers), (error) => {
          assert.ok(error instanceof RefusedUpgrade);
          assert.ok([401, 403].includes(error.status), String(error.status));
          return true;
        });
      }
    });

    test("a sign-out ends it, also for a copy of the cookie", async () => {
      const cookie = await cookieOf();
      const ended = await call("DELETE", "/dashboard/session", {
        key: null,
        headers: page(cookie),
      });
      assert.equal(ended.status, 204);
      assert.match(
        ended.headers.getSetCookie().at(-1) ?? "",
        /^oc_dashboard=;.*Expires=Thu, 01 Jan 1970/,
      );
      assert.equal((await list(page(cookie))).status, 401);
    });

    test("revoking its key ends it, with the terminal that it has open", async () => {
      const { id, key } = await createKey();
      const cookie = await cookieOf(key);
      const sandboxId: string = (await call("POST", "/api/sandboxes")).json.sandboxID;
      const path = `/api/sandboxes/${sandboxId}/exec`;
      const { sessionID } = (await call("POST", path, { body: { cmd: "sleep" } })).json;
      const client = await attachSession(`${own()}${path}/${sessionID}`, { cookie, origin: own() });
      assert.equal((await call("DELETE", `/api/keys/${id}`)).status, 204);
      assert.equal((await list(page(cookie))).status, 401);
      assert.equal((await client.closed).code, 1008);
      const rows = await installation().database.select().from(dashboardSessions);
      assert.ok(rows.every(({ apiKeyId }) => apiKeyId !== id));
    });

    /** A terminal and a stream of events that the credential has opened, and how each ends. */
    const openStreams = async (headers: Record<string, string>) => {
      const sandboxId: string = (await call("POST", "/api/sandboxes")).json.sandboxID;
      const path = `/api/sandboxes/${sandboxId}/pty`;
      const { sessionID } = (await call("POST", path, { body: { cols: 80, rows: 24 } })).json;
      const terminal = await attachSession(`${own()}${path}/${sessionID}`, headers);
      const events = await fetch(`${own()}/api/events`, {
        headers: { ...headers, accept: "text/event-stream" },
      });
      assert.equal(events.status, 200);
      const hasEnded = { terminal: false, events: false };
      const ended = Promise.all([
        terminal.closed.finally(() => {
          hasEnded.terminal = true;
        }),
        events
          .text()
          .then(
            () => "complete",
            () => "broken off",
          )
          .finally(() => {
            hasEnded.events = true;
          }),
      ]);
      return { terminal, ended, hasEnded };
    };
    const sessionOf = (cookie: string) => {
      const value = cookie.slice(cookie.indexOf("=") + 1);
      return eq(dashboardSessions.sha256, createHash("sha256").update(value).digest("hex"));
    };
    const endings: Record<string, (cookie: string) => Promise<unknown>> = {
      "a sign-out": (cookie) =>
        call("DELETE", "/dashboard/session", { key: null, headers: page(cookie) }),
      // As another control plane does on the same database.
      "a sign-out at another process": (cookie) =>
        installation().database.delete(dashboardSessions).where(sessionOf(cookie)),
      "its expiry": (cookie) =>
        installation()
          .database.update(dashboardSessions)
          .set({ expiresAt: new Date(0) })
          .where(sessionOf(cookie)),
    };
    for (const [how, end] of Object.entries(endings)) {
      test(`${how} ends its streams within a second, and those of no other session or key`, async () => {
        const cookie = await cookieOf();
        const { ended, hasEnded } = await openStreams(page(cookie));
        const lasting = [
          await openStreams(page(await cookieOf())),
          await openStreams({ "x-api-key": installation().apiKey }),
        ];
        await new Promise((resolve) => setTimeout(resolve, 700));
        assert.deepEqual(hasEnded, { terminal: false, events: false });
        const endedAt = performance.now();
        await end(cookie);
        const closed = { code: 1008, reason: "the session of the dashboard has ended" };
        assert.deepEqual(await ended, [closed, "broken off"]);
        assert.ok(performance.now() - endedAt < endsWithinMilliseconds);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        for (const { terminal, hasEnded: others } of lasting) {
          assert.deepEqual(others, { terminal: false, events: false });
          terminal.socket.terminate();
        }
      });
    }

    test("a key that is kept as revoked, as the initial one is, opens none", async () => {
      const { id, key } = await createKey();
      const cookie = await cookieOf(key);
      const { database } = installation();
      await database.update(apiKeys).set({ revokedAt: new Date() }).where(eq(apiKeys.id, id));
      assert.equal((await list(page(cookie))).status, 401);
    });

    test("it expires, and the next sign-in deletes its row", async () => {
      const { id, key } = await createKey();
      const cookie = await cookieOf(key);
      const { database } = installation();
      const ofKey = eq(dashboardSessions.apiKeyId, id);
      await database
        .update(dashboardSessions)
        .set({ expiresAt: new Date(0) })
        .where(ofKey);
      assert.equal((await list(page(cookie))).status, 401);
      await cookieOf();
      assert.equal(await database.$count(dashboardSessions, ofKey), 0);
    });

    test(`a key has at most ${limits.dashboardSessionsPerKeyMax}: the oldest ends`, async () => {
      const { key } = await createKey();
      const cookies: string[] = [];
      for (let count = 0; count <= limits.dashboardSessionsPerKeyMax; count += 1) {
        cookies.push(await cookieOf(key));
      }
      const [oldest = "", second = ""] = cookies;
      assert.equal((await list(page(oldest))).status, 401);
      assert.equal((await list(page(second))).status, 200);
      assert.equal((await list(page(cookies.at(-1)))).status, 200);
    });

    test("no response has a credential: no key, no token, no secret of a webhook", async () => {
      const headers = page(await cookieOf());
      const send = (method: string, path: string, body?: unknown) =>
        call(method, path, { key: null, headers, body });
      const refused = await send("POST", "/api/keys", { name: "by a page" });
      assert.deepEqual([refused.status, refused.json.code], [403, "forbidden"]);
      const url = "https://hooks.example.com/";
      assert.equal((await send("POST", "/api/webhooks", { url })).status, 403);
      const options = { previewAuth: { token: "auto" }, webhooks: [{ url }] };
      const created = await send("POST", "/api/sandboxes", options);
      assert.equal(created.json.token, "");
      assert.equal("previewAuthToken" in created.json, false);
      assert.equal("webhooks" in created.json, false);
      const path = `/api/sandboxes/${created.json.sandboxID}`;
      assert.equal((await send("GET", path)).json.token, "");
      assert.equal((await send("POST", `${path}/preview/rotate`)).status, 403);
      assert.notEqual((await call("GET", path)).json.token, "");
    });
  });

  describeWithInstallation(
    "the dashboard behind a proxy that ends TLS",
    openDatabase,
    (installation) => {
      test("has a cookie for TLS and for this host alone", async () => {
        const { call, apiKey } = installation();
        const headers = { origin: "https://oc.example.com", [dashboardHeader]: "1" };
        const body = { apiKey };
        const signedIn = await call("POST", "/dashboard/session", { key: null, headers, body });
        const set = signedIn.headers.getSetCookie().at(-1) ?? "";
        assert.match(set, /^__Host-oc_dashboard=/);
        assert.match(set, /; Secure/);
        const value = /=([^;]+)/.exec(set)?.[1] ?? "";
        const list = (cookie: string) =>
          call("GET", "/api/sandboxes", { key: null, headers: { ...headers, cookie } });
        assert.equal((await list(`__Host-oc_dashboard=${value}`)).status, 200);
        // The page of a preview could set this one for all hosts of the domain.
        assert.equal((await list(`oc_dashboard=${value}`)).status, 401);
      });
    },
    { publicUrl: "https://oc.example.com" },
  );
}
