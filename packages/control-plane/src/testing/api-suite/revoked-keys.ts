import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { WebSocket } from "ws";
import { eq } from "../../database/query-builder.ts";
import { apiKeys } from "../../database/schema.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

/** Longest that what a key has opened may outlive it, with room for a busy machine. */
const endsWithinMilliseconds = 3_000;

/** By then the service has ended its side; a client that has not read all before sees it when it reads on. */
const enforcedWithinMilliseconds = 2_000;

/** How one kind of request is opened with a key, and how it ends; `readOn` for one that has paused. */
type Open = (key: string) => Promise<{ ended: Promise<unknown>; readOn?: () => void }>;

export function describeRevokedKeys(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("what a revoked API key has opened", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const createKey = async (): Promise<{ id: string; key: string }> =>
      (await call("POST", "/api/keys", { body: { name: "short-lived" } })).json;
    const createSandbox = async (): Promise<string> =>
      (await call("POST", "/api/sandboxes")).json.sandboxID;
    const machineOf = (id: string) => {
      const machine = installation().worker.machines.get(id);
      assert.ok(machine !== undefined);
      return machine;
    };

    const attach = async (path: string, headers: Record<string, string>) => {
      const url = installation().url().replace(/^http/, "ws") + path;
      const socket = new WebSocket(url, { headers });
      const ended = once(socket, "close").then(([code, reason]) => [code, String(reason)]);
      await once(socket, "open");
      return { ended };
    };
    const begin = (method: string, path: string, key: string, headers: object = {}) =>
      request(installation().url() + path, {
        method,
        agent: false,
        headers: { "x-api-key": key, ...headers },
      });
    /** A request whose response or end is awaited by the test. */
    const send = (method: string, path: string, key: string, headers: object = {}) => {
      const sent = begin(method, path, key, headers);
      const ended = once(sent, "response").then(async ([response]) => [
        response.statusCode,
        await text(response).then(
          (body) => body,
          () => "broken off",
        ),
      ]);
      // What is not awaited may fail all the same.
      ended.catch(() => undefined);
      return { sent, ended };
    };
    /** Resolves when the control plane has handed the request to the worker. */
    const hanging = async () => {
      const { worker } = installation();
      let reached: () => void = () => undefined;
      const underWay = new Promise<void>((resolve) => {
        reached = resolve;
      });
      worker.run = async () => {
        reached();
        await new Promise((resolve) => setTimeout(resolve, 8_000));
        return { exitCode: 0, stdout: "late", stderr: "" };
      };
      return underWay;
    };

    const opens: Record<string, Open> = {
      "a command session": async (key) => {
        const path = `/api/sandboxes/${await createSandbox()}/exec`;
        const { sessionID } = (await call("POST", path, { body: { cmd: "sleep" } })).json;
        return attach(`${path}/${sessionID}`, { "x-api-key": key });
      },
      "a terminal": async (key) => {
        const path = `/api/sandboxes/${await createSandbox()}/pty`;
        const { sessionID } = (await call("POST", path, { body: { cols: 80, rows: 24 } })).json;
        return attach(`${path}/${sessionID}`, { "x-api-key": key });
      },
      "a WebSocket with its key in the URL": async (key) => {
        const path = `/api/sandboxes/${await createSandbox()}/pty`;
        const { sessionID } = (await call("POST", path, { body: { cols: 80, rows: 24 } })).json;
        return attach(`${path}/${sessionID}?api_key=${key}`, {});
      },
      "a command that runs": async (key) => {
        const path = `/api/sandboxes/${await createSandbox()}/exec/run`;
        const reached = hanging();
        const { sent, ended } = send("POST", path, key, { "content-type": "application/json" });
        sent.end(JSON.stringify({ cmd: "sleep 60" }));
        await reached;
        return { ended };
      },
      "a download": async (key) => {
        const id = await createSandbox();
        machineOf(id).files.set("/large", Buffer.alloc(64 * 1024 * 1024));
        const sent = begin("GET", `/api/sandboxes/${id}/files?path=/large`, key);
        sent.end();
        const [response] = await once(sent, "response");
        const ended = new Promise((resolve) => {
          response.once("aborted", () => resolve("broken off"));
          response.once("error", () => resolve("broken off"));
          response.once("end", () => resolve("complete"));
        });
        return { ended, readOn: () => response.resume() };
      },
      "an upload": async (key) => {
        const id = await createSandbox();
        const { sent, ended } = send("PUT", `/api/sandboxes/${id}/files?path=/swallow/x`, key);
        const body = new PassThrough();
        body.pipe(sent).on("error", () => body.destroy());
        body.write("half");
        await new Promise((resolve) => setTimeout(resolve, 300));
        return { ended };
      },
      "the log of a build": async (key) => {
        const underWay = hanging();
        const { sent } = send("POST", "/api/snapshots", key, {
          "content-type": "application/json",
          accept: "text/event-stream",
        });
        const image = { base: "base", steps: [{ type: "run", args: { commands: [key] } }] };
        sent.end(JSON.stringify({ name: key.slice(-20), image }));
        const [response] = await once(sent, "response");
        await underWay;
        const ended = text(response).then(
          () => "complete",
          () => "broken off",
        );
        return { ended };
      },
    };
    const endings: Record<string, unknown> = {
      "a command session": [1008, "the API key was revoked"],
      "a terminal": [1008, "the API key was revoked"],
      "a WebSocket with its key in the URL": [1008, "the API key was revoked"],
      "a command that runs": [403, '{"error":"The API key was revoked","code":"invalid_api_key"}'],
      "a download": "broken off",
      "an upload": [403, '{"error":"The API key was revoked","code":"invalid_api_key"}'],
      "the log of a build": "broken off",
    };
    const revocations: [string, (id: string) => Promise<unknown>][] = [
      ["by a request", (id) => call("DELETE", `/api/keys/${id}`)],
      // As another control plane does on the same database.
      [
        "in the database alone",
        (id) => installation().database.delete(apiKeys).where(eq(apiKeys.id, id)),
      ],
    ];

    for (const [kind, open] of Object.entries(opens)) {
      for (const [how, revoke] of revocations) {
        test(`${kind} ends within a second of a revocation ${how}`, async () => {
          const { run } = installation().worker;
          const { id, key } = await createKey();
          const { ended, readOn } = await open(key);
          const early = await Promise.race([
            ended.then(() => "ended"),
            new Promise((resolve) => setTimeout(resolve, 700, "open")),
          ]);
          assert.equal(early, "open", "it lasts while its key does");
          const revokedAt = performance.now();
          await revoke(id);
          if (readOn !== undefined) setTimeout(readOn, enforcedWithinMilliseconds);
          const ending = await Promise.race([
            ended,
            new Promise((resolve) => setTimeout(resolve, endsWithinMilliseconds, "still open")),
          ]);
          assert.deepEqual(ending, endings[kind]);
          assert.ok(performance.now() - revokedAt < endsWithinMilliseconds);
          installation().worker.run = run;
        });
      }
    }

    test("what other keys and tokens of sandboxes have opened lasts", async () => {
      const { id, key } = await createKey();
      const { sandboxID, token } = (await call("POST", "/api/sandboxes")).json;
      const path = `/api/sandboxes/${sandboxID}/pty`;
      const { sessionID } = (await call("POST", path, { body: { cols: 80, rows: 24 } })).json;
      const url = `${installation().url().replace(/^http/, "ws")}${path}/${sessionID}`;
      const sockets = [
        { "x-api-key": installation().apiKey },
        { authorization: `Bearer ${token}` },
      ].map((headers) => new WebSocket(url, { headers }));
      await Promise.all(sockets.map((socket) => once(socket, "open")));
      const { ended } = await attach(`${path}/${sessionID}`, { "x-api-key": key });
      await call("DELETE", `/api/keys/${id}`);
      await ended;
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      for (const socket of sockets) {
        assert.equal(socket.readyState, socket.OPEN);
        socket.terminate();
      }
    });

    test("a key that revokes itself gets the response", async () => {
      const { id, key } = await createKey();
      assert.equal((await call("DELETE", `/api/keys/${id}`, { key })).status, 204);
    });

    test("a key that another process has revoked opens nothing within a second", async () => {
      const { id, key } = await createKey();
      assert.equal((await call("GET", "/api/sandboxes", { key })).status, 200);
      await installation().database.delete(apiKeys).where(eq(apiKeys.id, id));
      await eventually(
        async () => (await call("GET", "/api/sandboxes", { key })).status === 403,
        "the key opens nothing",
        endsWithinMilliseconds,
      );
    });
  });
}
