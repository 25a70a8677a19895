import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { limits } from "@opencomputer/protocol/api";
import { seededBytes } from "../seeded-random.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeHeads(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("HEAD", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async () => (await call("POST", "/api/sandboxes")).json.sandboxID as string;
    // A response that did not end would leave its connection to no other request.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    after(() => agent.destroy());

    async function send(
      method: string,
      path: string,
      headers: Record<string, string> = { "x-api-key": installation().apiKey },
    ) {
      const sent = request(installation().url() + path, { method, headers, agent });
      sent.end();
      const response: IncomingMessage = (await once(sent, "response"))[0];
      const body = await text(response);
      const { "content-type": type, "content-length": length } = response.headers;
      return { status: response.statusCode, type, length, body };
    }

    test("is a GET without the body, also of an error", async () => {
      const id = await create();
      for (const path of [
        ...["/api/sandboxes", `/api/sandboxes/${id}`, "/api/sandboxes/sb-absent"],
        ...["/health", "/api/docs", `/api/sandboxes/${id}/exec`, "/api/events?limit=nothing"],
      ]) {
        const { body, ...head } = await send("GET", path);
        assert.deepEqual(await send("HEAD", path), { ...head, body: "" }, path);
        assert.equal(Number(head.length), Buffer.byteLength(body), path);
      }
      assert.equal((await send("HEAD", "/api/sandboxes", {})).status, 401);
      assert.equal((await send("HEAD", "/api/nothing")).status, 404);
    });

    test("of a file has its size, with a key as with a signed URL, and reads none of it", async () => {
      const path = `/api/sandboxes/${await create()}/files`;
      const rawBody = seededBytes("head", 3000);
      const headers = { "content-type": "application/octet-stream" };
      await call("PUT", `${path}?path=/f`, { rawBody, headers });
      const head = { status: 200, type: "application/octet-stream", length: "3000", body: "" };
      assert.deepEqual(await send("HEAD", `${path}?path=/f`), head);
      const { url } = (await call("POST", `${path}/download-url`, { body: { path: "/f" } })).json;
      const signed = url.slice(installation().url().length);
      assert.deepEqual(await send("HEAD", signed, {}), head);
      assert.equal((await send("HEAD", `${signed}0`, {})).status, 403);
      assert.equal((await send("HEAD", `${path}?path=/absent`)).status, 404);
    });

    test("of a stream of events ends, and is none of an org's streams", async () => {
      const headers = { "x-api-key": installation().apiKey, accept: "text/event-stream" };
      const id = await create();
      for (const [path, followersMax] of [
        ["/api/events", limits.eventFollowersPerOrgMax],
        [`/api/sandboxes/${id}/egress`, limits.egressLogFollowersPerOrgMax],
      ] as const) {
        for (let count = 0; count <= followersMax; count += 1) {
          const { status, type, body } = await send("HEAD", path, headers);
          assert.deepEqual([status, type, body], [200, "text/event-stream", ""]);
        }
      }
      assert.equal((await send("HEAD", "/api/sandboxes/sb-absent/egress", headers)).status, 404);
    });

    test("does not open a WebSocket", async () => {
      const id = await create();
      const { sessionID } = (
        await call("POST", `/api/sandboxes/${id}/exec`, { body: { cmd: "echo" } })
      ).json;
      const path = `/api/sandboxes/${id}/exec/${sessionID}`;
      assert.equal((await send("HEAD", path)).status, 200);
      const upgrade = { connection: "Upgrade", upgrade: "websocket" };
      const key = { "x-api-key": installation().apiKey };
      assert.equal((await send("HEAD", path, { ...key, ...upgrade })).status, 404);
    });

    test("is in no description of the API", async () => {
      const { paths } = (await call("GET", "/api/openapi.json")).json;
      for (const operations of Object.values<object>(paths)) assert.ok(!("head" in operations));
    });
  });
}
