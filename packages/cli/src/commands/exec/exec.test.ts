import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";

describe("oc exec", () => {
  let oc: Oc;
  let id: string;
  before(async () => {
    oc = await startOc();
    id = (await oc.done(["create", "--env", "GREETING=hello world"])).trim();
  });
  after(() => oc.end());

  test("prints stdout and stderr apart and ends with the command's exit code", async () => {
    const result = await oc.run(["exec", id, "--", "echo out; echo err >&2; exit 9"]);
    assert.deepEqual(result, { exitCode: 9, stdout: "out\n", stderr: "err\n" });
  });

  test("takes several words as an argv in which variables are the sandbox's", async () => {
    assert.equal(
      await oc.done(["exec", id, "--", "echo", "$GREETING; `id`"]),
      "hello world; `id`\n",
    );
    assert.equal(await oc.done(["exec", id, "--", "printf", "%s|", "a b", "", "*"]), "a b||*|");
  });

  test("leaves what stands after -- to the command, flags and all", async () => {
    const words = ["--", "echo", "--json", "-h", "--", "--cwd"];
    assert.equal(await oc.done(["exec", id, ...words]), "--json -h -- --cwd\n");
    assert.equal(await oc.done(["sandbox", "exec", id, "--", "echo", "-n", "x"]), "x");
    assert.equal(await oc.done(["exec", id, "echo", "x"]), "x\n");
  });

  test("passes --cwd, --env and --timeout on", async () => {
    const flags = ["--cwd", "/usr", "--env", "A=1,2", "--env", "B=3=4", "--wait"];
    assert.equal(
      await oc.done(["exec", id, ...flags, "--", 'echo "$PWD $A $B"']),
      "/usr 1,2 3=4\n",
    );
    const killed = await oc.run(["exec", id, "--timeout", "0.1", "--", "sleep", "60"]);
    assert.equal(killed.exitCode, 124);
    assert.match(killed.stderr, /Process timed out\n$/);
  });

  test("a program that does not exist ends with 127, as in a shell", async () => {
    const result = await oc.run(["exec", id, "--", "no-such-program", "x"]);
    assert.equal(result.exitCode, 127);
    assert.match(result.stderr, /no-such-program/);
  });

  test("--json prints the result and keeps the exit code", async () => {
    const result = await oc.run(["exec", id, "--json", "--", "echo out; exit 2"]);
    assert.equal(result.exitCode, 2);
    assert.deepEqual(JSON.parse(result.stdout), { exitCode: 2, stdout: "out\n", stderr: "" });
  });

  test("an absent sandbox exits with 3, and a missing command with 1", async () => {
    assert.equal((await oc.run(["exec", "sb-absent", "--", "true"])).exitCode, 3);
    assert.equal((await oc.run(["exec", id])).exitCode, 1);
  });
});
