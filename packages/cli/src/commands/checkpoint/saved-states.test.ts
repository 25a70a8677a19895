import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";

describe("oc sandbox hibernate and wake, oc checkpoint, oc patch", () => {
  let oc: Oc;
  let sandbox: string;
  before(async () => {
    oc = await startOc();
    sandbox = (await oc.done(["create"])).trim();
  });
  after(() => oc.end());

  test("hibernate prints the size, wake resumes", async () => {
    const hibernated = await oc.done(["sandbox", "hibernate", sandbox]);
    assert.equal(hibernated, `Hibernated ${sandbox} (300 MB)\n`);
    assert.match(await oc.done(["ls"]), /hibernated/);
    assert.equal(await oc.done(["sandbox", "wake", sandbox]), `Woke ${sandbox}\n`);
    const woken = JSON.parse(await oc.done(["sandbox", "wake", sandbox, "--json"]));
    assert.deepEqual([woken.sandboxID, woken.status], [sandbox, "running"]);
    for (const command of ["hibernate", "wake"]) {
      assert.equal((await oc.run(["sandbox", command, "sb-none"])).exitCode, 3);
    }
  });

  test("a wake that lost the memory warns, and says why", async () => {
    oc.server.interceptNext((request, response) => {
      request.resume();
      const woken = { sandboxID: sandbox, status: "running", sandboxDomain: "d", token: "t" };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ ...woken, memoryLost: "its file was gone" }));
    }, "/wake");
    const result = await oc.run(["sandbox", "wake", sandbox]);
    assert.match(result.stderr, /without its memory: its file was gone/);
  });

  test("checkpoint create prints the id alone; spawn, restore and delete take it", async () => {
    const id = (await oc.done(["checkpoint", "create", sandbox, "--name", "saved"])).trim();
    assert.match(id, /^[0-9a-f-]{36}$/);
    const table = await oc.done(["cp", "list", sandbox]);
    assert.match(table, /^ID +NAME +KIND +STATUS +SIZE +AGE\n/);
    assert.match(table, new RegExp(`${id} +saved +full +ready +4.0 KB`));
    const fork = (await oc.done(["cp", "spawn", id, "--timeout", "600"])).trim();
    assert.notEqual(fork, sandbox);
    const restarting = await oc.run(["cp", "spawn", id, "--restart-session", "exec-none"]);
    assert.equal(restarting.exitCode, 3);
    assert.match(restarting.stderr, /exec-none/);
    assert.match(await oc.done(["checkpoint", "restore", sandbox, id]), /^Restored /);
    assert.equal((await oc.run(["cp", "create", sandbox, "--name", "saved"])).exitCode, 4);
    assert.equal(await oc.done(["cp", "delete", sandbox, id]), `Deleted ${id}\n`);
    assert.equal((await oc.run(["cp", "spawn", id])).exitCode, 3);
    assert.equal(
      (await oc.run(["cp", "create", sandbox, "--name", "x", "--kind", "all"])).exitCode,
      1,
    );
    assert.equal((await oc.run(["cp", "create", sandbox])).exitCode, 1);
    const waited = ["cp", "create", sandbox, "--name", "waited", "--wait", "--json"];
    assert.equal(JSON.parse(await oc.done(waited)).status, "ready");
  });

  test("checkpoints of a sandbox that was killed are listed, and deleted", async () => {
    const killed = (await oc.done(["create"])).trim();
    const id = (await oc.done(["cp", "create", killed, "--name", "outlives-it"])).trim();
    await oc.done(["sandbox", "kill", killed]);
    assert.match(await oc.done(["cp", "list", killed]), new RegExp(id));
    await oc.done(["cp", "delete", killed, id]);
    assert.doesNotMatch(await oc.done(["cp", "list", killed]), new RegExp(id));
  });

  test("patch create takes a file or stdin; what is missing is named", async () => {
    const words = ["cp", "create", sandbox, "--name", "patched", "--kind", "disk_only"];
    const id = (await oc.done(words)).trim();
    const fromStdin = ["patch", "create", id, "--script", "-", "--description", "from stdin"];
    const patch = (await oc.done(fromStdin, "git pull\n")).trim();
    const table = await oc.done(["patch", "list", id]);
    assert.match(table, new RegExp(`${patch} +1 +from stdin`));
    assert.equal(oc.server.checkpoints.get(id)?.patches[0]?.script, "git pull\n");
    assert.equal(await oc.done(["patch", "delete", id, patch]), `Deleted ${patch}\n`);
    assert.equal((await oc.run(["patch", "delete", id, patch])).exitCode, 3);
    const missing = await oc.run(["patch", "create", id, "--script", "/no/such/file"]);
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stderr, /Cannot read \/no\/such\/file/);
  });
});
