import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";

let oc: Oc;
before(async () => {
  oc = await startOc();
});
after(() => oc.end());

describe("oc project", () => {
  test("create prints the id, list prints the table of the manual", async () => {
    const flags = ["--name", "my-agent", "--cpu", "2", "--memory", "1024", "--timeout", "600"];
    const id = (await oc.done(["project", "create", ...flags])).trim();
    assert.equal(
      await oc.done(["project", "list"]),
      `ID                                    NAME      TEMPLATE  CPU  MEMORY  TIMEOUT
${id}  my-agent  default   2    1024    600
`,
    );
  });

  test("update changes only what is passed", async () => {
    const id = (
      await oc.done([
        ...["project", "create", "--name", "update", "--template", "base", "--cpu", "2"],
        ...["--egress-allowlist", "api.anthropic.com"],
      ])
    ).trim();
    const before = JSON.parse(await oc.done(["project", "get", id, "--json"]));
    await oc.done(["project", "update", id, "--memory", "2048"]);
    const after = JSON.parse(await oc.done(["project", "get", id, "--json"]));
    assert.deepEqual(after, { ...before, memoryMB: 2048 });
    assert.match(await oc.done(["project", "get", id]), /^Memory: +2048 MB\nTimeout: +-$/m);
    await oc.done(["project", "update", id, "--clear-egress-allowlist", "--name", "renamed"]);
    const cleared = JSON.parse(await oc.done(["project", "get", id, "--json"]));
    assert.deepEqual([cleared.egressAllowlist, cleared.name], [[], "renamed"]);
  });

  test("a name in use exits with 4, a missing name with 1", async () => {
    await oc.done(["project", "create", "--name", "taken"]);
    const conflict = await oc.run(["project", "create", "--name", "taken", "--json"]);
    assert.equal(conflict.exitCode, 4);
    assert.equal(JSON.parse(conflict.stderr).code, "name_in_use");
    assert.equal((await oc.run(["project", "create"])).exitCode, 1);
  });

  test("delete removes it", async () => {
    const id = (await oc.done(["project", "create", "--name", "gone"])).trim();
    assert.equal(await oc.done(["project", "delete", id]), `Deleted ${id}\n`);
    assert.equal((await oc.run(["project", "get", id])).exitCode, 3);
  });
});

describe("oc secret-store", () => {
  test("create takes repeated hosts, list and get show them", async () => {
    const hosts = ["--egress-allowlist", "api.anthropic.com", "--egress-allowlist", "*.openai.com"];
    const id = (await oc.done(["secret-store", "create", "--name", "hosts", ...hosts])).trim();
    const table = await oc.done(["secret-store", "list"]);
    assert.match(table, /^ID +NAME +EGRESS +AGE\n/);
    assert.match(
      table,
      new RegExp(`^${id} {2}hosts {2}api.anthropic.com, \\*.openai.com {2}`, "m"),
    );
    assert.match(await oc.done(["secret-store", "get", id]), /^Name: +hosts$/m);
  });

  test("update changes only what is passed, and clears", async () => {
    const flags = ["--name", "before", "--egress-allowlist", "a.example.com"];
    const id = (await oc.done(["secret-store", "create", ...flags])).trim();
    const updated = async (...words: string[]) => {
      const store = JSON.parse(await oc.done(["secret-store", "update", id, ...words, "--json"]));
      return [store.name, store.egressAllowlist];
    };
    assert.deepEqual(await updated("--name", "after"), ["after", ["a.example.com"]]);
    assert.deepEqual(await updated("--egress-allowlist", "b.example.com"), [
      ...["after", ["b.example.com"]],
    ]);
    assert.deepEqual(await updated("--clear-egress-allowlist"), ["after", []]);
    const both = ["--clear-egress-allowlist", "--egress-allowlist", "c.example.com"];
    assert.equal((await oc.run(["secret-store", "update", id, ...both])).exitCode, 1);
  });

  test("placements: create and update set them, get shows them, clearing takes them away", async () => {
    const flags = ["--name", "placed", "--substitute-in", "header,query"];
    const id = (await oc.done(["secret-store", "create", ...flags])).trim();
    assert.match(await oc.done(["secret-store", "get", id]), /^Placements: +header, query$/m);
    const update = (...words: string[]) => oc.run(["secret-store", "update", id, ...words]);
    const updated = await update("--substitute-in", "header", "--substitute-in", "body:key");
    assert.match(updated.stdout, /^Placements: +header, body:key$/m);
    assert.match((await update("--name", "same")).stdout, /^Placements: +header, body:key$/m);
    const cleared = await update("--clear-substitute-in");
    assert.match(cleared.stdout, /^Placements: +the operator's default$/m);
    const both = await update("--clear-substitute-in", "--substitute-in", "header");
    assert.equal(both.exitCode, 1);
    const refused = await update("--substitute-in", "cookie");
    assert.deepEqual([refused.exitCode, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /"cookie" must be header, header:NAME, body/);
  });

  test("a malformed host exits with 3 and says why", async () => {
    const flags = ["--name", "bad", "--egress-allowlist", "https://api.example.com"];
    const result = await oc.run(["secret-store", "create", ...flags]);
    assert.equal(result.exitCode, 3);
    assert.match(result.stderr, /has a scheme/);
  });

  test("delete removes it", async () => {
    const id = (await oc.done(["secret-store", "create", "--name", "gone"])).trim();
    await oc.done(["secret-store", "delete", id]);
    assert.equal((await oc.run(["secret-store", "get", id])).exitCode, 3);
  });
});
