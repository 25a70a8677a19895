import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../testing/start-oc.ts";

const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";

describe("oc events", () => {
  let oc: Oc;
  before(async () => {
    oc = await startOc();
  });
  after(() => oc.end());

  const addKilled = () =>
    oc.server.events.add(sandboxId, { type: "sandbox.killed", data: { reason: "requested" } });

  test("prints the newest, the oldest of them first, with their data", async () => {
    oc.server.events.add(null, {
      type: "image.step_failed",
      data: {
        ...{ contentHash: "ab".repeat(32), step: 1, stepCount: 2, stepType: "run" },
        exitCode: null,
      },
    });
    const { time } = addKilled();
    const table = await oc.done(["events", "--limit", "2"]);
    const [head, first, second, ...rest] = table.split("\n");
    assert.match(head ?? "", /^TIME +TYPE +SANDBOX +DETAILS$/);
    assert.match(first ?? "", /image\.step_failed +- +contentHash=abab.* exitCode=null$/);
    assert.match(
      second ?? "",
      new RegExp(`^${time} +sandbox.killed +${sandboxId} +reason=requested$`),
    );
    assert.deepEqual(rest, [""]);
    const events = JSON.parse(await oc.done(["events", "--limit", "1", "--json"]));
    assert.deepEqual([events.length, events[0].type], [1, "sandbox.killed"]);
  });

  test("chooses by sandbox and by types, and refuses a type that does not exist", async () => {
    oc.server.events.add(sandboxId, { type: "sandbox.woken", data: {} });
    oc.server.events.add("sb-bbbbbbbbbbbbbbbbbbbb", { type: "sandbox.woken", data: {} });
    const types = ["--type", "sandbox.woken", "--type", "sandbox.ready,sandbox.created"];
    const words = ["events", "--sandbox", sandboxId, ...types, "--json"];
    const events: { type: string; sandboxId: string }[] = JSON.parse(await oc.done(words));
    assert.deepEqual(
      events.map((event) => [event.type, event.sandboxId]),
      [["sandbox.woken", sandboxId]],
    );
    const refused = await oc.run(["events", "--type", "sandbox.imagined"]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /sandbox\.killed/);
    assert.equal((await oc.run(["events", "--sandbox", "x"])).exitCode, 3);
  });

  for (const json of [false, true]) {
    test(`--follow prints${json ? " a line of JSON for" : ""} each event as it happens, until an interrupt`, async () => {
      const signals = new EventEmitter();
      const { id } = addKilled();
      let printed = "";
      const result = await oc.run(
        ["events", "--follow", "--limit", "1", ...(json ? ["--json"] : [])],
        {
          signals,
          onStdout(text) {
            printed += text;
            const lines = printed.split("\n").length - 1;
            if (lines === 1) setTimeout(addKilled, 20);
            if (lines === 2) signals.emit("SIGINT");
          },
        },
      );
      assert.deepEqual([result.exitCode, result.stderr], [0, ""]);
      const lines = result.stdout.trimEnd().split("\n");
      assert.equal(lines.length, 2);
      if (json) assert.equal(JSON.parse(lines[0] ?? "").id, id);
      else assert.ok(lines.every((line) => line.includes("sandbox.killed")));
    });
  }
});
