import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";

describe("oc sandbox scale, autoscale and lock", () => {
  let oc: Oc;
  let id: string;
  before(async () => {
    oc = await startOc();
    id = (await oc.done(["create", "--cpu", "2"])).trim();
  });
  after(() => oc.end());

  test("autoscale shows, enables and disables", async () => {
    assert.equal(await oc.done(["sandbox", "autoscale", id]), `Autoscale disabled for ${id}\n`);
    const on = ["sandbox", "autoscale", id, "--on", "--min", "512", "--max", "4096"];
    const enabled = `Autoscale enabled for ${id} (512–4096 MB)\n`;
    assert.equal(await oc.done(on), enabled);
    assert.equal(await oc.done(["sandbox", "autoscale", id]), enabled);
    const off = await oc.done(["sandbox", "autoscale", id, "--off", "--json"]);
    assert.equal(JSON.parse(off).enabled, false);
  });

  test("scale prints the size, and that autoscale is now disabled", async () => {
    await oc.done(["sandbox", "autoscale", id, "--on", "--min", "512", "--max", "4096"]);
    assert.equal(
      await oc.done(["sandbox", "scale", id, "2048"]),
      `Scaled ${id} to 2048 MB, 200 % CPU; autoscale is now disabled\n`,
    );
  });

  test("a lock is 403, exit code 3, and lock-status shows it", async () => {
    await oc.done(["sandbox", "lock", id]);
    assert.equal(await oc.done(["sandbox", "lock-status", id]), `The size of ${id} is locked\n`);
    const refused = await oc.run(["sandbox", "scale", id, "1024", "--json"]);
    assert.equal(refused.exitCode, 3);
    assert.equal(JSON.parse(refused.stderr).code, "scaling_locked");
    assert.equal(await oc.done(["sandbox", "unlock", id]), `The size of ${id} is not locked\n`);
  });

  const malformed: string[][] = [
    ["scale", "ID"],
    ["scale", "ID", "4GB"],
    ["autoscale", "ID", "--on"],
    ["autoscale", "ID", "--on", "--min", "512"],
    ["autoscale", "ID", "--on", "--off"],
    ["autoscale", "ID", "--min", "512"],
  ];
  for (const words of malformed) {
    test(`${words.join(" ")} is refused before the service is asked`, async () => {
      const before = oc.server.requests.length;
      const result = await oc.run(["sandbox", ...words]);
      assert.equal(result.exitCode, 1);
      assert.equal(oc.server.requests.length, before);
    });
  }
});
