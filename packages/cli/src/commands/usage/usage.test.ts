import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Sandbox } from "@opencomputer/sdk";
import { type Oc, startOc } from "../../testing/start-oc.ts";

describe("oc usage", () => {
  let oc: Oc;
  let id: string;
  let other: string;
  before(async () => {
    oc = await startOc();
    id = (await oc.done(["create"])).trim();
    other = (await oc.done(["create"])).trim();
    const connection = { apiKey: oc.server.apiKey, apiUrl: oc.server.url };
    await (await Sandbox.connect(id, connection)).setTags({ team: "research" });
  });
  after(() => oc.end());

  const sent = (part: string) => oc.server.requests.filter((line) => line.includes(part)).at(-1);

  test("shows all sandboxes with their total, within the width of a terminal", async () => {
    const { stdout, stderr } = await oc.run(["usage"], { columns: 80 });
    const [head, ...rows] = stdout.trimEnd().split("\n");
    assert.match(head ?? "", /^ID +RUNNING +CPU +MEMORY +DISK +RECEIVED +SENT$/);
    assert.equal(rows.length, 3);
    assert.match(
      rows[0] ?? "",
      new RegExp(`^${id} +1h +7m 30s +512 MB +1\\.0 MB +2\\.0 KB +1\\.0 KB$`),
    );
    assert.match(rows[2] ?? "", /^total +2h +15m +512 MB/);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
    assert.match(stderr, /Now: 2 running, 12\.5 % of a CPU, 256 MB of memory/);
  });

  test("chooses by tag, and sums by the values of a tag", async () => {
    const chosen = JSON.parse(await oc.done(["usage", "--tag", "team=research", "--json"]));
    assert.deepEqual([chosen.sandboxCount, chosen.sandboxes[0].sandboxID], [1, id]);
    const table = await oc.done(["usage", "--by", "team"]);
    assert.match(table, /^TEAM +RUNNING.*\nresearch +1h.*\n\(none\) +1h/);
    const { values } = JSON.parse(await oc.done(["usage", "--by", "team", "--json"]));
    assert.deepEqual(
      values.map(({ value }: { value: string | null }) => value),
      ["research", null],
    );
  });

  test("says when there is more", async () => {
    const { stdout, stderr } = await oc.run(["usage", "--limit", "1"]);
    assert.match(stderr, /more sandboxes: raise --limit/);
    assert.ok(!stdout.includes(other));
  });

  test("shows one sandbox by the hour, and what it uses now", async () => {
    const { stdout, stderr } = await oc.run(["usage", id, "--since", "24h", "--interval", "hour"]);
    const [head, row, total] = stdout.split("\n");
    assert.match(head ?? "", /^SINCE +RUNNING/);
    assert.match(row ?? "", /^\d{4}-\S+Z +1h/);
    assert.match(total ?? "", /^total +1h/);
    assert.match(
      stderr,
      /has been running for 1h: 12\.5 % of a CPU, 256 MB of memory, 1\.0 MB on disk/,
    );
    assert.match(sent(`${id}/usage`) ?? "", /since=20\d\d-.*&interval=hour/);
    await oc.done(["kill", id]);
    assert.match((await oc.run(["usage", id])).stderr, /is stopped/);
    assert.equal((await oc.run(["usage", "sb-none"])).exitCode, 3);
  });

  test("refuses times and options that mean nothing", async () => {
    for (const words of [
      ["usage", "--since", "yesterday"],
      ["usage", "--tag", "team"],
      ["usage", id, "--by", "team"],
      ["usage", id, "--interval", "week"],
    ]) {
      assert.equal((await oc.run(words)).exitCode, 1, words.join(" "));
    }
  });
});
