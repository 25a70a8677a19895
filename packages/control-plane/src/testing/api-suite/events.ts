import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EventRecord,
  eventPageSchema,
  eventRecordSchema,
  limits,
} from "@opencomputer/protocol/api";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

/** Reads events from a stream until there are enough that count, and then disconnects. */
async function readStream(
  url: string,
  headers: Record<string, string>,
  count: number,
  options: { onOpen?: () => Promise<unknown>; counts?: (event: EventRecord) => boolean } = {},
): Promise<EventRecord[]> {
  const { onOpen = async () => undefined, counts = () => true } = options;
  const response = await fetch(url, { headers: { accept: "text/event-stream", ...headers } });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  await onOpen();
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const complete = text.slice(0, text.lastIndexOf("\n\n")).split("\n\n");
    const events = complete.filter((frame) => frame.startsWith("id: ")).map(parseFrame);
    const counted = events.filter(counts);
    if (counted.length >= count) return counted;
  }
  assert.fail(`the stream ended: ${text}`);
}

function parseFrame(frame: string): EventRecord {
  const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(frame) ?? [];
  const event = eventRecordSchema.parse(JSON.parse(data ?? ""));
  assert.equal(id, event.cursor);
  return event;
}

export function describeEvents(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("events", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (body: unknown = {}) =>
      (await call("POST", "/api/sandboxes", { body })).json.sandboxID as string;
    const list = async (query: string): Promise<EventRecord[]> => {
      const response = await call("GET", `/api/events?${query}`);
      assert.equal(response.status, 200, response.text);
      return eventPageSchema.parse(response.json).events;
    };
    const typesOf = async (id: string) =>
      (await list(`sandboxId=${id}`)).map(({ type }) => type as string);
    const follow = (
      query: string,
      count: number,
      options: Parameters<typeof readStream>[3] & { lastEventId?: string } = {},
    ) => {
      const { lastEventId } = options;
      const headers = {
        "x-api-key": installation().apiKey,
        ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
      };
      return readStream(`${installation().url()}/api/events?${query}`, headers, count, options);
    };

    test("the life of a sandbox is what happened, in order", async () => {
      const id = await create({ memoryMB: 512 });
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      await call("POST", `/api/sandboxes/${id}/wake`);
      await call("DELETE", `/api/sandboxes/${id}`);
      await call("DELETE", `/api/sandboxes/${id}`);
      const events = await list(`sandboxId=${id}`);
      assert.deepEqual(
        events.map(({ type, data }) => [type, data]),
        [
          ["sandbox.created", { cpuCount: 1, memoryMB: 512 }],
          ["sandbox.ready", {}],
          ["sandbox.hibernated", { reason: "requested", sizeBytes: 4096 }],
          ["sandbox.woken", {}],
          ["sandbox.killed", { reason: "requested" }],
        ],
      );
      assert.equal(new Set(events.map((event) => event.id)).size, 5);
      assert.ok(events.every(({ sandboxId }) => sandboxId === id));
    });

    test("an idle time-out is one event, the hibernation it causes another", async () => {
      const id = await create({ timeout: 1 });
      await eventually(
        async () => (await typesOf(id)).includes("sandbox.hibernated"),
        "the sandbox is hibernated",
      );
      assert.deepEqual(
        (await list(`sandboxId=${id}`)).slice(2).map(({ type, data }) => [type, data]),
        [
          ["sandbox.timed_out", { idleTimeoutSeconds: 1 }],
          ["sandbox.hibernated", { reason: "idle", sizeBytes: 4096 }],
        ],
      );
    });

    test("a checkpoint and a fork name each other", async () => {
      const id = await create();
      const { json } = await call("POST", `/api/sandboxes/${id}/checkpoints`, {
        body: { name: "saved" },
      });
      const fork = await call("POST", `/api/sandboxes/from-checkpoint/${json.id}`);
      const [ready] = (await list(`sandboxId=${id}&type=checkpoint.ready`)).map(({ data }) => data);
      assert.deepEqual(ready, {
        checkpointId: json.id,
        name: "saved",
        kind: "full",
        sizeBytes: 8192,
      });
      const events = await list(`sandboxId=${fork.json.sandboxID}`);
      assert.deepEqual(
        events.map(({ type }) => type),
        ["sandbox.created", "sandbox.forked", "sandbox.ready"],
      );
      assert.deepEqual(events[1]?.data, { checkpointId: json.id, parentSandboxId: id });
    });

    test("a checkpoint that fails is one, and states why", async () => {
      const id = await create();
      const { worker } = installation();
      worker.before = async (step) => {
        if (step === "checkpoint") throw new Error("the disk is gone");
      };
      await call("POST", `/api/sandboxes/${id}/checkpoints`, { body: { name: "failing" } });
      worker.before = async () => undefined;
      const [failed] = await list(`sandboxId=${id}&type=checkpoint.failed`);
      assert.ok(failed?.type === "checkpoint.failed");
      assert.deepEqual([failed.data.name, failed.data.kind], ["failing", "full"]);
      assert.ok(failed.data.failure.length > 0);
    });

    test("a create that fails ends as killed, and never was ready", async () => {
      const { worker } = installation();
      const from = (await call("GET", "/api/events?order=desc&limit=1")).json.events[0].cursor;
      worker.before = async (step) => {
        if (step === "start") throw new Error("no memory");
      };
      const response = await call("POST", "/api/sandboxes");
      worker.before = async () => undefined;
      assert.ok(response.status >= 500);
      assert.deepEqual(
        (await list(`cursor=${from}`)).map(({ type, data }) => [type, data]),
        [
          ["sandbox.created", { cpuCount: 1, memoryMB: 1024 }],
          ["sandbox.killed", { reason: "create_failed" }],
        ],
      );
    });

    test("memory that is lost is reported once", async () => {
      const id = await create();
      const machine = installation().worker.machines.get(id);
      assert.ok(machine !== undefined);
      Object.assign(machine, { state: "hibernated", lostBecause: "the host lost power" });
      await eventually(
        async () => (await typesOf(id)).includes("sandbox.hibernated"),
        "the loss is noticed",
      );
      await call("POST", `/api/sandboxes/${id}/wake`);
      assert.deepEqual(
        (await list(`sandboxId=${id}`)).slice(2).map(({ type, data }) => [type, data]),
        [
          ["sandbox.memory_lost", { reason: "the host lost power" }],
          ["sandbox.hibernated", { reason: "reconciled", sizeBytes: 4096 }],
          ["sandbox.woken", {}],
        ],
      );
    });

    test("steps of an image are events of no sandbox, without their commands", async () => {
      const from = (await call("GET", "/api/events?order=desc&limit=1")).json.events[0].cursor;
      const image = {
        base: "base",
        steps: [{ type: "run", args: { commands: ["echo canary-of-a-command"] } }],
      };
      const response = await call("POST", "/api/snapshots", {
        body: { name: "with-events", image },
      });
      assert.equal(response.status, 201, response.text);
      const events = await list(`cursor=${from}`);
      assert.deepEqual(
        events.map(({ type, sandboxId }) => [type, sandboxId]),
        [
          ["image.step_started", null],
          ["image.step_finished", null],
        ],
      );
      const { contentHash } = response.json;
      const step = { contentHash, step: 1, stepCount: 1, stepType: "run" };
      assert.deepEqual(events[0]?.data, step);
      assert.ok(!JSON.stringify(events).includes("canary"));
    });

    test("another org sees none of it", async () => {
      const id = await create();
      const key = await installation().secondOrgKey();
      const response = await call("GET", `/api/events?sandboxId=${id}`, { key });
      assert.deepEqual([response.json.events, response.json.hasMore], [[], false]);
      assert.deepEqual((await call("GET", "/api/events", { key })).json.events, []);
    });

    test("pages follow one another by their cursor", async () => {
      const id = await create();
      await call("DELETE", `/api/sandboxes/${id}`);
      const first = (await call("GET", `/api/events?sandboxId=${id}&limit=2`)).json;
      assert.deepEqual([first.events.length, first.hasMore], [2, true]);
      const second = (await call("GET", `/api/events?sandboxId=${id}&cursor=${first.cursor}`)).json;
      assert.deepEqual([second.events.length, second.hasMore], [1, false]);
      const third = (await call("GET", `/api/events?sandboxId=${id}&cursor=${second.cursor}`)).json;
      assert.deepEqual([third.events, third.hasMore], [[], false]);
    });

    test("a time limits what is listed", async () => {
      const id = await create();
      const [event] = await list(`sandboxId=${id}`);
      const at = event?.time ?? "";
      const next = new Date(Date.parse(at) + 1).toISOString();
      const created = await list(`sandboxId=${id}&since=${at}&until=${next}&type=sandbox.created`);
      assert.equal(created.length, 1);
      assert.deepEqual(await list(`sandboxId=${id}&until=${at}`), []);
    });

    const refused = [
      ["cursor=x"],
      ["cursor=1-2-3"],
      ["cursor=99999999999999999999999-1"],
      ["cursor=1-9999999999999999999"],
      ["limit=0"],
      [`limit=${limits.eventsPerPageMax + 1}`],
      ["limit=-1"],
      ["sandboxId=x"],
      ["type=sandbox.imagined"],
      ["order=up"],
      ["since=yesterday"],
      ["since=0000-01-01T00:00:00Z"],
    ];
    for (const [query] of refused) {
      test(`${query} is 400`, async () => {
        const response = await call("GET", `/api/events?${query}`);
        assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
      });
    }

    test("a list of types that is empty restricts nothing", async () => {
      assert.ok((await list("type=")).length > 0);
      const types = await list("type=sandbox.ready,sandbox.killed&limit=1000");
      assert.deepEqual(
        new Set(types.map(({ type }) => type)),
        new Set(["sandbox.ready", "sandbox.killed"]),
      );
    });

    test("a stream has what happens from now on, and continues after the last id", async () => {
      const types = "type=sandbox.created,sandbox.ready,sandbox.killed";
      let id = "";
      const events = await follow(types, 2, {
        onOpen: async () => {
          id = await create();
        },
        // Events of just before are there, too, where an older transaction still ran.
        counts: ({ sandboxId }) => sandboxId === id,
      });
      assert.deepEqual(
        events.map(({ type }) => type),
        ["sandbox.created", "sandbox.ready"],
      );
      await call("DELETE", `/api/sandboxes/${id}`);
      const lastEventId = events[1]?.cursor ?? "";
      const [killed] = await follow(types, 1, { lastEventId });
      assert.deepEqual([killed?.type, killed?.sandboxId], ["sandbox.killed", id]);
      const again = await follow(`sandboxId=${id}&cursor=0-0`, 3);
      assert.deepEqual(
        again.map(({ type }) => type),
        ["sandbox.created", "sandbox.ready", "sandbox.killed"],
      );
    });

    test("a stream of another org has its own events alone", async () => {
      const key = await installation().secondOrgKey();
      const id = await create();
      const url = `${installation().url()}/api/events?cursor=0-0`;
      const [event] = await readStream(url, { "x-api-key": key }, 1, {
        onOpen: () => call("POST", "/api/sandboxes", { key }),
      });
      assert.equal(event?.type, "sandbox.created");
      assert.notEqual(event.sandboxId, id);
    });

    test("an id that is no cursor is 400, before a stream begins", async () => {
      const response = await call("GET", "/api/events", {
        headers: { accept: "text/event-stream", "last-event-id": "x" },
      });
      assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
    });

    test("an org has so many streams at once, and one that ends makes room", async () => {
      const aborts: AbortController[] = [];
      const open = async () => {
        const abort = new AbortController();
        aborts.push(abort);
        return fetch(`${installation().url()}/api/events`, {
          headers: { accept: "text/event-stream", "x-api-key": installation().apiKey },
          signal: abort.signal,
        });
      };
      const opened = await Promise.all(
        Array.from({ length: limits.eventFollowersPerOrgMax }, open),
      );
      assert.ok(opened.every(({ status }) => status === 200));
      assert.equal((await open()).status, 429);
      assert.equal((await call("GET", "/api/events")).status, 200);
      aborts[0]?.abort();
      await eventually(async () => (await open()).status === 200, "there is room again");
      for (const abort of aborts) abort.abort();
    });

    test("a stream ends with the control plane", async () => {
      const response = await fetch(`${installation().url()}/api/events`, {
        headers: { accept: "text/event-stream", "x-api-key": installation().apiKey },
      });
      await installation().restart();
      await response.text();
      assert.ok((await list("limit=1")).length > 0, "events outlive the control plane");
    });
  });
}
