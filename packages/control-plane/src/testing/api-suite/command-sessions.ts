import assert from "node:assert/strict";
import { test } from "node:test";
import { commandSessionSchema, errorBodySchema, sessionFrames } from "@opencomputer/protocol/api";
import { attachSession, RefusedUpgrade } from "../attach-session.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const megabyte = 1024 * 1024;
const { stdout, replayEnd, exit } = sessionFrames;

export function describeCommandSessions(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("command sessions", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const createSandbox = async () => (await call("POST", "/api/sandboxes")).json.sandboxID;
    const start = async (body: object) => {
      const path = `/api/sandboxes/${await createSandbox()}/exec`;
      const response = await call("POST", path, { body });
      assert.equal(response.status, 201, response.text);
      return { path, ...commandSessionSchema.parse(response.json) };
    };
    const attach = (path: string) =>
      attachSession(installation().url() + path, { "x-api-key": installation().apiKey });
    const refusal = async (attaching: Promise<unknown>) => {
      const error = await attaching.then(
        () => assert.fail("the upgrade was accepted"),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof RefusedUpgrade, String(error));
      return [error.status, errorBodySchema.parse(JSON.parse(error.body)).code];
    };

    test("start, get and list show the session as the contract has it", async () => {
      const { path, sessionID, ...session } = await start({ cmd: "sleep", args: ["a b"] });
      const { startedAt: _, sandboxID: __, ...rest } = session;
      const expected = { command: "sleep", args: ["a b"], running: true, attachedClients: 0 };
      assert.deepEqual(rest, expected);
      assert.deepEqual((await call("GET", `${path}/${sessionID}`)).json, { sessionID, ...session });
      assert.deepEqual((await call("GET", path)).json, [{ sessionID, ...session }]);
    });

    test("an idempotency key reaches the worker, and a malformed one is refused by name", async () => {
      const path = `/api/sandboxes/${await createSandbox()}/exec`;
      const body = { cmd: "true" };
      const { worker } = installation();
      worker.keys.length = 0;
      for (const [route, key] of [
        ["", "one"],
        ["/run", "t~wo!"],
        ["/run-async", "x".repeat(255)],
      ] as const) {
        const headers = { "idempotency-key": key };
        const response = await call("POST", path + route, { body, headers });
        assert.ok(response.status < 300, response.text);
        await call("POST", path + route, { body });
        for (const malformed of ["", "a b", "x".repeat(256)]) {
          const refused = await call("POST", path + route, {
            ...{ body, headers: { "idempotency-key": malformed } },
          });
          assert.equal(refused.status, 400, malformed);
          assert.match(refused.json.error, /idempotency-key: must be 1 to 255 visible ASCII/);
        }
      }
      assert.deepEqual(worker.keys, ["one", "t~wo!", "x".repeat(255)]);
    });

    test("attach: replay, its end once, live output, exit, close 1000", async () => {
      const { path, sessionID } = await start({ cmd: "cat" });
      installation()
        .worker.sessions.get(sessionID)
        ?.say({ type: "stdout", bytes: Buffer.from("before") });
      const client = await attach(`${path}/${sessionID}`);
      client.send("one ");
      client.send("two");
      client.endInput();
      assert.deepEqual(await client.closed, { code: 1000, reason: "exec completed" });
      assert.deepEqual(client.messages, [
        [stdout, "before"],
        [replayEnd, ""],
        [stdout, "one two"],
        [exit, ""],
      ]);
      assert.equal(client.exitCode(), 0);
      const later = await attach(`${path}/${sessionID}`);
      await later.closed;
      assert.deepEqual(later.messages.slice(0, 2), [
        [stdout, "beforeone two"],
        [replayEnd, ""],
      ]);
    });

    test("a client that goes away leaves the session and its input as they are", async () => {
      const { path, sessionID } = await start({ cmd: "cat" });
      const first = await attach(`${path}/${sessionID}`);
      first.send("first ");
      const { worker } = installation();
      await eventually(() => worker.sessions.get(sessionID)?.said.length === 1, "input arrived");
      first.socket.terminate();
      await eventually(
        async () => (await call("GET", `${path}/${sessionID}`)).json.attachedClients === 0,
        "the client is detached",
      );
      assert.equal((await call("GET", `${path}/${sessionID}`)).json.running, true);
      const second = await attach(`${path}/${sessionID}`);
      second.send("second");
      second.endInput();
      await second.closed;
      assert.deepEqual(second.messages[0], [stdout, "first "]);
      assert.deepEqual(second.messages[2], [stdout, "second"]);
    });

    test("messages that mean nothing are ignored, and one that is too large ends it", async () => {
      const { path, sessionID } = await start({ cmd: "cat" });
      const client = await attach(`${path}/${sessionID}`);
      client.socket.send(Buffer.alloc(0));
      client.socket.send("text");
      client.socket.send(Buffer.from([9, 1, 2]));
      client.send("done");
      client.endInput();
      assert.equal((await client.closed).code, 1000);
      assert.deepEqual(client.messages[1], [stdout, "done"]);
      const other = await start({ cmd: "cat" });
      const greedy = await attach(`${other.path}/${other.sessionID}`);
      greedy.send("x".repeat(megabyte));
      assert.equal((await greedy.closed).code, 1009);
    });

    test("traffic is use of the sandbox, an open and silent WebSocket is not", async () => {
      const { path, sessionID, sandboxID } = await start({ cmd: "cat" });
      const endAt = async () =>
        Date.parse((await call("GET", `/api/sandboxes/${sandboxID}`)).json.endAt);
      const client = await attach(`${path}/${sessionID}`);
      await eventually(() => client.messages.length === 1, "the replay ended");
      const silent = await endAt();
      assert.equal(await endAt(), silent);
      client.socket.send(Buffer.alloc(0));
      await eventually(async () => (await endAt()) > silent, "a keep-alive is use");
      client.socket.terminate();
    });

    test("a slow reader stops the command, and then gets everything", async () => {
      const bytes = 96 * megabyte;
      const { path, sessionID } = await start({ cmd: `flood ${bytes}` });
      const client = await attach(`${path}/${sessionID}`);
      client.socket.removeAllListeners("message");
      client.socket.pause();
      const session = installation().worker.sessions.get(sessionID);
      let before = -1;
      await eventually(async () => {
        const isStill = session?.floodedBytes === before;
        before = session?.floodedBytes ?? 0;
        await new Promise((resolve) => setTimeout(resolve, 300));
        return isStill;
      }, "the command waits");
      assert.ok(before < 32 * megabyte, `${Math.round(before / megabyte)} MiB were taken`);
      let received = client.messages.find(([type]) => type === stdout)?.[1].length ?? 0;
      client.socket.on("message", (data: Buffer) => {
        if (data[0] === stdout) received += data.length - 1;
      });
      client.socket.resume();
      assert.equal((await client.closed).code, 1000);
      assert.equal(received, bytes);
    });

    test("a stream that breaks the rules closes the WebSocket with 1011", async () => {
      const { path, sessionID } = await start({ cmd: "broken" });
      assert.equal((await (await attach(`${path}/${sessionID}`)).closed).code, 1011);
    });

    test("the key may be in the URL of a WebSocket, and only there", async () => {
      const { path, sessionID } = await start({ cmd: "echo" });
      const url = `${installation().url()}${path}/${sessionID}`;
      const query = `?api_key=${encodeURIComponent(installation().apiKey)}`;
      assert.equal((await (await attachSession(url + query)).closed).code, 1000);
      assert.deepEqual(await refusal(attachSession(url)), [401, "missing_api_key"]);
      assert.deepEqual(await refusal(attachSession(`${url}?api_key=`)), [401, "missing_api_key"]);
      const unset = { "x-api-key": "", authorization: "" };
      assert.equal((await (await attachSession(url + query, unset)).closed).code, 1000);
      assert.deepEqual(await refusal(attachSession(url, unset)), [401, "missing_api_key"]);
      assert.deepEqual(await refusal(attachSession(`${url}?api_key=osb_x`)), [
        403,
        "invalid_api_key",
      ]);
      assert.equal((await call("GET", `${path}/${sessionID}${query}`, { key: null })).status, 401);
      assert.equal((await call("GET", `${path}${query}`, { key: null })).status, 401);
      await refusal(attachSession(`${url}/nothing${query}`));
      await refusal(attachSession(`${installation().url()}${path}${query}`));
      assert.ok(
        !installation().recorded().includes(installation().apiKey),
        "the key is in the log",
      );
    });

    test("attach refuses a foreign org, another sandbox and what is not there with 404", async () => {
      const { path, sessionID } = await start({ cmd: "sleep" });
      const url = `${installation().url()}${path}/${sessionID}`;
      const foreign = { "x-api-key": await installation().secondOrgKey() };
      assert.deepEqual(await refusal(attachSession(url, foreign)), [404, "sandbox_not_found"]);
      const other = `/api/sandboxes/${await createSandbox()}/exec/${sessionID}`;
      for (const absent of [
        other,
        `${path}/exec-0`,
        `${path}/a%20b`,
        `${path}/${"x".repeat(65)}`,
      ]) {
        assert.deepEqual(await refusal(attach(absent)), [404, "session_not_found"], absent);
        const plain = await call("GET", absent);
        assert.deepEqual([plain.status, plain.json.code], [404, "session_not_found"], absent);
      }
    });

    test("kill sends the signal, 9 when none is named", async () => {
      const { path, sessionID } = await start({ cmd: "sleep" });
      const client = await attach(`${path}/${sessionID}`);
      const kill = `${path}/${sessionID}/kill`;
      for (const signal of [0, 65, 1.5, "TERM"]) {
        assert.equal((await call("POST", kill, { body: { signal } })).status, 400, `${signal}`);
      }
      const response = await call("POST", kill, { body: { signal: 15 } });
      assert.deepEqual([response.status, response.json], [200, {}]);
      await client.closed;
      assert.equal(client.exitCode(), 143);
      assert.equal((await call("POST", kill)).status, 200);
      assert.deepEqual(installation().worker.sessions.get(sessionID)?.signals, [15, 9]);
      assert.equal((await call("POST", `${path}/exec-0/kill`)).status, 404);
    });

    test("run-async responds 200 for what ended at once, 202 and a result for the rest", async () => {
      const path = `/api/sandboxes/${await createSandbox()}/exec`;
      const quick = await call("POST", `${path}/run-async`, { body: { cmd: "echo" } });
      const ended = { exitCode: 0, stdout: "echo\n", stderr: "", running: false };
      assert.deepEqual([quick.status, quick.json], [200, ended]);
      const slow = await call("POST", `${path}/run-async`, { body: { cmd: "sleep" } });
      const { execId, startedAt } = slow.json;
      assert.deepEqual([slow.status, slow.json], [202, { execId, running: true, startedAt }]);
      const result = `${path}/${execId}/result`;
      const running = { running: true, stdout: "", stderr: "" };
      assert.deepEqual((await call("GET", result)).json, running);
      await call("POST", `${path}/${execId}/kill`);
      assert.deepEqual((await call("GET", result)).json, {
        ...{ running: false, exitCode: 137 },
        ...{ stdout: "", stderr: "" },
      });
      assert.equal((await call("GET", `${path}/exec-0/result`)).json.code, "session_not_found");
    });

    test("bodies that are wrong are 400", async () => {
      const path = `/api/sandboxes/${await createSandbox()}/exec`;
      for (const body of [{}, { cmd: "" }, { cmd: "a", timeout: -1 }, { cmd: "a", args: "b" }]) {
        assert.equal((await call("POST", path, { body })).status, 400);
        assert.equal((await call("POST", `${path}/run-async`, { body })).status, 400);
      }
      const body = { cmd: "a", maxRunAfterDisconnect: -1 };
      assert.equal((await call("POST", path, { body })).status, 400);
    });

    test("a session outlives the control plane, and its clients are asked to attach again", async () => {
      const { path, sessionID } = await start({ cmd: "cat" });
      const client = await attach(`${path}/${sessionID}`);
      client.send("kept");
      await eventually(() => client.messages.length === 2, "the output arrived");
      await installation().restart();
      assert.equal((await client.closed).code, 1001);
      const again = await attach(`${path}/${sessionID}`);
      again.endInput();
      await again.closed;
      assert.deepEqual(again.messages.slice(0, 2), [
        [stdout, "kept"],
        [replayEnd, ""],
      ]);
    });
  });
}
