import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { errorBodySchema } from "@opencomputer/protocol/api";
import { WebSocket } from "ws";
import { attachSession, RefusedUpgrade } from "../attach-session.ts";
import { seededBytes } from "../seeded-random.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const megabyte = 1024 * 1024;

export function describeTerminals(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("terminals", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const createSandbox = async (): Promise<string> =>
      (await call("POST", "/api/sandboxes")).json.sandboxID;
    const open = async (more: object = {}) => {
      const sandboxID = await createSandbox();
      const path = `/api/sandboxes/${sandboxID}/pty`;
      const response = await call("POST", path, { body: { cols: 80, rows: 24, ...more } });
      assert.equal(response.status, 201, response.text);
      const { sessionID } = response.json;
      assert.deepEqual(response.json, { sessionID, sandboxID });
      const terminal = installation().worker.terminals.get(sessionID);
      assert.ok(terminal !== undefined);
      return { sandboxID, sessionID, path: `${path}/${sessionID}`, terminal };
    };
    /** A client with all that it was shown. */
    const attach = async (path: string) => {
      const headers = { "x-api-key": installation().apiKey };
      const socket = new WebSocket(installation().url().replace(/^http/, "ws") + path, { headers });
      const closed = once(socket, "close").then(([code, reason]) => [code, String(reason)]);
      const client = { socket, closed, shown: "", texts: 0 };
      socket.on("message", (data: Buffer, isBinary: boolean) => {
        if (!isBinary) client.texts += 1;
        client.shown += String(data);
      });
      await once(socket, "open");
      return client;
    };
    const refusal = async (path: string, key = installation().apiKey) => {
      const error = await attachSession(installation().url() + path, { "x-api-key": key }).then(
        () => assert.fail("the upgrade was accepted"),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof RefusedUpgrade, String(error));
      return [error.status, errorBodySchema.parse(JSON.parse(error.body)).code];
    };

    test("open, get, list and resize show the terminal as the contract has it", async () => {
      const { path, sessionID, sandboxID, terminal } = await open({ shell: "zsh" });
      const { startedAt } = terminal.info;
      const expected = {
        ...{ sessionID, sandboxID, shell: "zsh", cols: 80, rows: 24 },
        ...{ running: true, startedAt, attachedClients: 0 },
      };
      assert.deepEqual((await call("GET", path)).json, expected);
      assert.deepEqual((await call("GET", `/api/sandboxes/${sandboxID}/pty`)).json, [expected]);
      const resized = await call("POST", `${path}/resize`, { body: { cols: 1, rows: 1000 } });
      assert.deepEqual([resized.status, resized.json], [200, {}]);
      assert.deepEqual([terminal.info.cols, terminal.info.rows], [1, 1000]);
    });

    test("sizes and shells that cannot be are 400 and name the bounds", async () => {
      const path = `/api/sandboxes/${await createSandbox()}/pty`;
      for (const body of [
        { cols: 0, rows: 24 },
        { cols: 10_000, rows: 24 },
        { cols: 80, rows: -1 },
        { cols: 80.5, rows: 24 },
        { cols: "80", rows: 24 },
        { rows: 24 },
      ]) {
        const response = await call("POST", path, { body });
        assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
        assert.match(response.json.error, /(cols|rows): must be .*1.*1000/);
      }
      const shell = await call("POST", path, { body: { cols: 80, rows: 24, shell: "missing" } });
      assert.deepEqual([shell.status, shell.json.code], [400, "command_not_found"]);
      const nul = await call("POST", path, { body: { cols: 80, rows: 24, shell: "a\0" } });
      assert.equal(nul.status, 400);
      const { path: opened } = await open();
      const resized = await call("POST", `${opened}/resize`, { body: { cols: 10_000, rows: 1 } });
      assert.match(resized.json.error, /cols: must be .*1.*1000.*10000/);
    });

    test("the WebSocket carries raw bytes, text or binary, and closes with the exit code", async () => {
      const { path, terminal } = await open();
      terminal.show("before|");
      const client = await attach(path);
      client.socket.send("text|");
      await eventually(() => client.shown === "before|text|", "the echo is shown");
      client.socket.send(Buffer.from("bin\u00e4ry\n"));
      client.socket.send("exit 7\n");
      assert.deepEqual(await client.closed, [1000, "exit code 7"]);
      assert.equal(client.shown, "before|text|bin\u00e4ry\nexit 7\n");
      assert.equal(client.texts, 0);
      const { running, exitCode, attachedClients } = (await call("GET", path)).json;
      assert.deepEqual([running, exitCode, attachedClients], [false, 7, 0]);
      const late = await attach(path);
      assert.deepEqual(await late.closed, [1000, "exit code 7"]);
    });

    test("WebSockets of terminals and commands are served without /api, and nothing else is", async () => {
      const { path, sandboxID } = await open();
      const client = await attach(path.replace("/api", ""));
      client.socket.send("x");
      await eventually(() => client.shown === "x", "the echo is shown");
      client.socket.terminate();
      const started = await call("POST", `/api/sandboxes/${sandboxID}/exec`, {
        body: { cmd: "echo" },
      });
      const session = `/sandboxes/${sandboxID}/exec/${started.json.sessionID}`;
      const headers = { "x-api-key": installation().apiKey };
      const attached = await attachSession(installation().url() + session, headers);
      assert.equal((await attached.closed).code, 1000);
      assert.equal((await call("GET", path.replace("/api", ""))).status, 404);
      assert.deepEqual(await refusal(`/sandboxes/${sandboxID}`), [404, "not_found"]);
      assert.deepEqual(await refusal(path.replace("/api", ""), "osb_x"), [403, "invalid_api_key"]);
    });

    test("a lost client leaves the terminal; delete ends it and closes its clients", async () => {
      const { path, terminal, sandboxID } = await open();
      const first = await attach(path);
      first.socket.send("kept");
      await eventually(() => terminal.typed === "kept", "the input arrived");
      first.socket.terminate();
      await eventually(() => terminal.info.attachedClients === 0, "the client is detached");
      const second = await attach(path);
      await eventually(() => second.shown === "kept", "the output is replayed");
      const deleted = await call("DELETE", path);
      assert.deepEqual([deleted.status, deleted.text], [204, ""]);
      assert.deepEqual(await second.closed, [1000, "exit code 129"]);
      assert.equal((await call("DELETE", path)).json.code, "session_not_found");
      assert.deepEqual(await refusal(path), [404, "session_not_found"]);
      assert.deepEqual((await call("GET", `/api/sandboxes/${sandboxID}/pty`)).json, []);
    });

    test("every route refuses a foreign org, another sandbox and what does not exist", async () => {
      const { path } = await open();
      const key = await installation().secondOrgKey();
      const body = { cols: 80, rows: 24 };
      const calls = [
        ["GET", "", undefined],
        ["POST", "/resize", body],
        ["DELETE", "", undefined],
      ] as const;
      const other = `/api/sandboxes/${await createSandbox()}/pty/${path.split("/").at(-1)}`;
      const absent = [path.replace(/[^/]+$/, "pty-0"), path.replace(/[^/]+$/, "a%20b")];
      for (const [method, route, content] of calls) {
        const options = content === undefined ? {} : { body: content };
        const foreign = await call(method, path + route, { ...options, key });
        assert.deepEqual([foreign.status, foreign.json.code], [404, "sandbox_not_found"]);
        for (const place of [other, ...absent]) {
          const response = await call(method, place + route, options);
          assert.deepEqual([response.status, response.json.code], [404, "session_not_found"]);
        }
      }
      assert.deepEqual(await refusal(path, key), [404, "sandbox_not_found"]);
      for (const place of [other, ...absent]) {
        assert.deepEqual(await refusal(place), [404, "session_not_found"]);
      }
      const list = path.replace(/\/[^/]+$/, "");
      assert.equal((await call("GET", list, { key })).status, 404);
      assert.equal((await call("POST", list, { body, key })).status, 404);
    });

    test("traffic is use of the sandbox, an open and silent WebSocket is not", async () => {
      const { path, sandboxID } = await open();
      const endAt = async () =>
        Date.parse((await call("GET", `/api/sandboxes/${sandboxID}`)).json.endAt);
      const client = await attach(path);
      const silent = await endAt();
      assert.equal(await endAt(), silent);
      client.socket.send(Buffer.alloc(0));
      await eventually(async () => (await endAt()) > silent, "a keep-alive is use");
      client.socket.terminate();
    });

    test("a client that reads nothing stops the program, and nothing is left of it", async () => {
      const { path, terminal } = await open({ shell: "yes" });
      const client = await attach(path);
      client.socket.pause();
      let before = -1;
      await eventually(async () => {
        const isStill = terminal.floodedBytes === before;
        before = terminal.floodedBytes;
        await new Promise((resolve) => setTimeout(resolve, 300));
        return isStill;
      }, "the program waits");
      assert.ok(before < 32 * megabyte, `${Math.round(before / megabyte)} MiB were taken`);
      client.socket.terminate();
      await eventually(() => terminal.info.attachedClients === 0, "the client is detached");
    });

    test("any bytes are typed as they are, and an oversized message ends the client alone", async () => {
      const { path, terminal } = await open();
      const client = await attach(path);
      let expected = "";
      for (let round = 0; round < 100; round += 1) {
        const bytes = seededBytes(`terminal/${round}`, 3 * round);
        const isBinary = round % 2 === 0;
        const message = isBinary ? bytes : Buffer.from(bytes.toString("latin1"));
        expected += message.toString("latin1");
        client.socket.send(message, { binary: isBinary });
      }
      await eventually(() => terminal.typed.length === expected.length, "all was typed");
      assert.equal(terminal.typed, expected);
      client.socket.send(Buffer.alloc(megabyte + 1));
      assert.equal((await client.closed)[0], 1009);
      await eventually(() => terminal.info.attachedClients === 0, "the client is detached");
      assert.equal(terminal.info.running, true);
    });

    test("a stream that breaks the rules closes the WebSocket with 1011", async () => {
      const { path } = await open({ shell: "broken" });
      assert.equal((await (await attach(path)).closed)[0], 1011);
    });

    test("a terminal outlives the control plane, and a hibernation which its next use ends", async () => {
      const { path, sandboxID, terminal } = await open();
      const client = await attach(path);
      client.socket.send("kept");
      await eventually(() => client.shown === "kept", "the echo is shown");
      await installation().restart();
      assert.equal((await client.closed)[0], 1001);
      const again = await attach(path);
      await eventually(() => again.shown === "kept", "the output is replayed");
      assert.equal((await call("POST", `/api/sandboxes/${sandboxID}/hibernate`)).status, 200);
      await again.closed;
      const woken = await attach(path);
      await eventually(() => woken.shown === "kept", "the output is replayed");
      assert.ok(installation().worker.events.includes(`wake ${sandboxID}`));
      woken.socket.terminate();
      await eventually(() => terminal.info.attachedClients === 0, "the client is detached");
    });
  });
}
