import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";

const value = "sk-jQ7vX2mT9wLr4KzB8nYd3HpC";
const narrowing =
  "Recommended for api.anthropic.com: --in header:x-api-key,header:authorization (a token that an agent writes into content there then stays a token)\n";

describe("what oc secret set recommends", () => {
  let oc: Oc;
  let store: string;
  let project: string;
  before(async () => {
    oc = await startOc();
    store = (await oc.done(["secret-store", "create", "--name", "store"])).trim();
    project = (await oc.done(["project", "create", "--name", "project"])).trim();
  });
  after(() => oc.end());

  const set = async (id: string, name: string, ...flags: string[]) => {
    const words = ["secret", "set", id, name, "--from-stdin", ...flags];
    const { exitCode, stderr } = await oc.run(words, { input: value });
    assert.equal(exitCode, 0, stderr);
    return stderr;
  };

  test("hosts and placements of a known name that has neither", async () => {
    const expected = narrowing.replace("--in", "--allowed-hosts api.anthropic.com --in");
    for (const id of [store, project]) {
      assert.equal(await set(id, "ANTHROPIC_API_KEY"), expected);
    }
  });

  test("only what the caller left open", async () => {
    const hosts = ["--allowed-hosts", "api.anthropic.com"];
    assert.equal(await set(store, "WITH_HOSTS", ...hosts), narrowing);
    assert.equal(
      await set(project, "ANTHROPIC_API_KEY", "--in", "header"),
      "Recommended for api.anthropic.com: --allowed-hosts api.anthropic.com (no other host then receives the value)\n",
    );
    assert.equal(await set(store, "WITH_BOTH", ...hosts, "--in", "body"), "");
    const everywhere = await set(store, "ANTHROPIC_API_KEY", "--all-hosts");
    assert.equal(everywhere, narrowing);
  });

  test("nothing for a rotation that keeps narrow limits, and what is open for one that does not", async () => {
    const hosts = ["--allowed-hosts", "api.anthropic.com"];
    await set(store, "ROTATED", ...hosts, "--in", "header");
    assert.equal(await set(store, "ROTATED"), "");
    await set(store, "ROTATED", ...hosts, "--in", "header,body");
    assert.equal(await set(store, "ROTATED"), narrowing);
  });

  test("nothing under a store whose placements are narrow", async () => {
    const flags = ["--name", "narrow", "--substitute-in", "header"];
    const narrow = (await oc.done(["secret-store", "create", ...flags])).trim();
    assert.equal(await set(narrow, "KEY", "--allowed-hosts", "api.anthropic.com"), "");
  });

  test("nothing for what is not known, and nothing with --json", async () => {
    assert.equal(await set(store, "UNKNOWN"), "");
    assert.equal(await set(store, "ANTHROPIC_API_KEY", "--allowed-hosts", "gateway.example"), "");
    assert.equal(await set(project, "ANTHROPIC_API_KEY", "--json"), "");
  });

  test("what the caller left open, and no failure, when the secret is set and cannot be listed", async () => {
    // Once more, because the SDK repeats what can be repeated.
    for (const _attempt of [1, 2]) {
      oc.server.interceptNext(
        (_request, response) => response.writeHead(503).end("{}"),
        `GET /api/secret-stores/${store}/secrets`,
      );
    }
    const words = ["secret", "set", store, "ANTHROPIC_API_KEY", "--from-stdin", "--in", "header"];
    const result = await oc.run(words, { input: value });
    assert.deepEqual([result.exitCode, result.stdout], [0, "Set ANTHROPIC_API_KEY\n"]);
    assert.match(result.stderr, /^Recommended for api.anthropic.com: --allowed-hosts /);
  });
});
