import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";

const canary = "sk-canary-jQ7vX2mT9wLr4KzB8nYd3HpC";

describe("oc secret", () => {
  let oc: Oc;
  let store: string;
  let project: string;
  before(async () => {
    oc = await startOc();
    store = (await oc.done(["secret-store", "create", "--name", "store"])).trim();
    project = (await oc.done(["project", "create", "--name", "project"])).trim();
  });
  after(() => oc.end());

  const kept = (id: string, name: string) =>
    (oc.server.secrets.stores.get(id) ?? oc.server.secrets.projects.get(id))?.secrets.get(name);

  test("set takes a store's or a project's id", async () => {
    for (const id of [store, project]) {
      assert.equal(
        await oc.done(["secret", "set", id, "KEY", "--from-stdin"], canary),
        "Set KEY\n",
      );
      assert.equal(kept(id, "KEY")?.value, canary);
    }
    const unknown = await oc.run(
      ["secret", "set", "00000000-0000-4000-8000-000000000000", "KEY", "--from-stdin"],
      { input: canary },
    );
    assert.equal(unknown.exitCode, 3);
    assert.match(unknown.stderr, /no project or secret store/);
  });

  test("set --from-stdin keeps the whole input but one newline at its end", async () => {
    for (const [input, value] of [
      ["one line\n", "one line"],
      ["windows\r\n", "windows"],
      ["two newlines\n\n", "two newlines\n"],
      ["-----BEGIN-----\nü\n-----END-----\n", "-----BEGIN-----\nü\n-----END-----"],
      [" spaces ", " spaces "],
      ["\uFEFFmark", "\uFEFFmark"],
    ] as const) {
      await oc.done(["secret", "set", store, "LINES", "--from-stdin"], input);
      assert.equal(kept(store, "LINES")?.value, value);
    }
  });

  test("set --from-stdin refuses what it cannot keep exactly", async () => {
    for (const input of ["", "\n", Uint8Array.of(0x61, 0xff), "x".repeat(64 * 1024 + 3)]) {
      const result = await oc.run(["secret", "set", store, "BAD", "--from-stdin"], { input });
      assert.deepEqual([result.exitCode, result.stdout], [1, ""]);
      assert.match(result.stderr, /on stdin/);
    }
    assert.equal(kept(store, "BAD"), undefined);
  });

  test("set does not echo a value that starts with a dash, and takes it after --", async () => {
    const value = `-----BEGIN ${canary}-----`;
    const refused = await oc.run(["secret", "set", store, "DASHED", value, "--all-hosts"]);
    assert.deepEqual([refused.exitCode, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /after --, or with --from-stdin/);
    assert.doesNotMatch(refused.stderr, new RegExp(canary));
    await oc.done(["secret", "set", store, "DASHED", "--all-hosts", "--", value]);
    assert.equal(kept(store, "DASHED")?.value, value);
  });

  test("set warns of a value on the command line, and never echoes one", async () => {
    const result = await oc.run(["secret", "set", store, "ARGUMENT", canary]);
    assert.equal(result.exitCode, 0);
    assert.match(result.stderr, /^warning: .*--from-stdin/);
    const json = await oc.run(["secret", "set", store, "ARGUMENT", canary, "--json"]);
    assert.match(JSON.parse(json.stderr).warning, /--from-stdin/);
    const refused = await oc.run(["secret", "set", store, "PATH", canary]);
    assert.equal(refused.exitCode, 3);
    const piped = await oc.run(["secret", "set", store, "KEY", "--from-stdin"], { input: canary });
    assert.equal(piped.stderr, "");
    for (const { stdout, stderr } of [result, json, refused, piped]) {
      assert.doesNotMatch(stdout + stderr, /canary/);
    }
  });

  const awsCanaries = {
    AccessKeyId: "AKIAQ7Z2XK9MV4TR8WLP",
    SecretAccessKey: "canary-q7Z2xK9mV4tR8wLpB3nYd5HcJ6fGs1Tu",
    SessionToken: "canary-FwoGZXIvYXdzEJr0q7Z2xK9mV4tR8wLp",
  };
  const awsKept = (name: string) => JSON.parse(kept(store, name)?.value ?? "");

  test("set --kind aws takes what the AWS CLI prints, or the environment", async () => {
    const { AccessKeyId, SecretAccessKey, SessionToken } = awsCanaries;
    const expected = {
      kind: "aws",
      ...{ accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken },
    };
    const set = ["secret", "set", store, "AWS", "--kind", "aws"];
    for (const printed of [{ Version: 1, ...awsCanaries }, { Credentials: awsCanaries }]) {
      await oc.done([...set, "--from-stdin"], JSON.stringify(printed));
      assert.deepEqual(awsKept("AWS"), expected);
    }
    const environment = { AWS_ACCESS_KEY_ID: "AKIAX", AWS_SECRET_ACCESS_KEY: "own" };
    const result = await oc.run([...set, "--from-env"], { environment });
    assert.deepEqual([result.exitCode, result.stdout], [0, "Set AWS\n"]);
    const own = { kind: "aws", accessKeyId: "AKIAX", secretAccessKey: "own" };
    assert.deepEqual(awsKept("AWS"), own);
    assert.match(await oc.done(["secret", "list", store]), /^AWS \(aws\) +\*\.amazonaws\.com +/m);
  });

  test("set --kind aws refuses what is incomplete, and never echoes it", async () => {
    const set = ["secret", "set", store, "BAD", "--kind", "aws"];
    const { SessionToken: _, SecretAccessKey } = awsCanaries;
    const runs = [
      await oc.run([...set, "--from-stdin"], { input: JSON.stringify({ SecretAccessKey }) }),
      await oc.run([...set, "--from-stdin"], { input: `{${SecretAccessKey}` }),
      await oc.run([...set, "--from-env"], { environment: { AWS_SECRET_ACCESS_KEY: "canary" } }),
      await oc.run([...set, "--from-env", "--from-stdin"]),
      await oc.run([...set, SecretAccessKey]),
      await oc.run(set),
      await oc.run(["secret", "set", store, "BAD", "--from-env"]),
    ];
    for (const { exitCode, stdout, stderr } of runs) {
      assert.equal(exitCode, 1);
      assert.doesNotMatch(stdout + stderr, /canary/);
    }
    assert.equal(kept(store, "BAD"), undefined);
  });

  test("set wants the value exactly once", async () => {
    assert.equal((await oc.run(["secret", "set", store, "KEY"])).exitCode, 1);
    assert.equal((await oc.run(["secret", "set", store, "KEY", "x", "--from-stdin"])).exitCode, 1);
  });

  test("set limits hosts by repeated flags, keeps the limits, and lifts them", async () => {
    const set = async (...flags: string[]) => {
      await oc.done(["secret", "set", store, "LIMITED", "--from-stdin", ...flags], canary);
      return kept(store, "LIMITED")?.entry.allowedHosts;
    };
    const hosts = ["api.anthropic.com", "*.openai.com"];
    const flags = hosts.flatMap((host) => ["--allowed-hosts", host]);
    assert.deepEqual(await set(...flags), hosts);
    assert.deepEqual(await set(), hosts);
    assert.deepEqual(await set("--all-hosts"), []);
    const comma = await oc.run(
      ["secret", "set", store, "LIMITED", "--from-stdin", "--allowed-hosts", hosts.join(",")],
      { input: canary },
    );
    assert.equal(comma.exitCode, 3);
  });

  test("list prints a project's names only", async () => {
    await oc.done(["secret", "set", project, "DATABASE_URL", "--from-stdin"], canary);
    assert.equal(await oc.done(["secret", "list", project]), "DATABASE_URL\nKEY\n");
    assert.deepEqual(JSON.parse(await oc.done(["secret", "list", project, "--json"])), [
      ...["DATABASE_URL", "KEY"],
    ]);
    const empty = (await oc.done(["project", "create", "--name", "empty"])).trim();
    assert.equal(await oc.done(["secret", "list", empty]), "");
    assert.equal(await oc.done(["secret", "list", empty, "--json"]), "[]\n");
    assert.equal(await oc.done(["secret", "list", empty, "--details"]), "");
  });

  for (const kind of ["secret-store", "project"]) {
    test(`list prints a ${kind}'s secrets with their hosts and placements`, () =>
      listsDetails(kind));
  }

  async function listsDetails(kind: string) {
    const id = (await oc.done([kind, "create", "--name", "listed"])).trim();
    const list = ["secret", "list", id, ...(kind === "project" ? ["--details"] : [])];
    const set = async (name: string, ...flags: string[]) => {
      await oc.done(["secret", "set", id, name, "--from-stdin", ...flags], canary);
    };
    await set("PLAIN");
    await set("LIMITED", "--allowed-hosts", "api.example.com", "--in", "header:X-Api-Key,query");
    assert.equal(
      await oc.done(list),
      `NAME     HOSTS            PLACEMENTS               LAST USED
LIMITED  api.example.com  header:x-api-key, query  never
PLAIN    all hosts        header, body             never
`,
    );
    const json = await oc.done([...list, "--json"]);
    assert.doesNotMatch(json, /canary/);
    assert.deepEqual(
      JSON.parse(json).map((entry: { substituteIn: string[] }) => entry.substituteIn),
      [
        ["header:x-api-key", "query"],
        ["header", "body"],
      ],
    );
  }

  test("set takes placements by comma-separated and repeated flags, and keeps them", async () => {
    const set = async (...flags: string[]) => {
      await oc.done(["secret", "set", store, "PLACED", "--from-stdin", ...flags], canary);
      return kept(store, "PLACED")?.substituteIn;
    };
    assert.deepEqual(await set("--in", "header,query"), ["header", "query"]);
    const repeated = ["--in", "body:client_secret", "--in", "header:x-api-key,path"];
    assert.deepEqual(await set(...repeated), ["body:client_secret", "header:x-api-key", "path"]);
    assert.deepEqual(await set(), ["body:client_secret", "header:x-api-key", "path"]);
  });

  test("set refuses a malformed placement before it asks for the value", async () => {
    for (const placement of ["cookie", "header, query", "header,", "header:a b", "body:", ""]) {
      const words = ["secret", "set", store, "MISPLACED", "--from-stdin", "--in", placement];
      const result = await oc.run(words, { input: canary });
      assert.deepEqual([result.exitCode, result.stdout], [1, ""], placement);
      assert.match(result.stderr, /^error: .*--in.* Placement ".*" must /, placement);
    }
    const result = await oc.run(["secret", "set", store, "MISPLACED", "x", "--in", "cookie"]);
    assert.match(result.stderr, /must be header, header:NAME, body, body:FIELD, query or path\./);
    assert.equal(kept(store, "MISPLACED"), undefined);
  });

  test("set passes on the warning about a value that can be guessed", async () => {
    const words = ["secret", "set", store, "GUESSABLE", "--from-stdin"];
    const result = await oc.run(words, { input: "20260131" });
    assert.deepEqual([result.exitCode, result.stdout], [0, "Set GUESSABLE\n"]);
    assert.match(result.stderr, /^warning: .*can be guessed.*\n$/);
    const json = await oc.run([...words, "--json"], { input: "20260131" });
    assert.match(JSON.parse(json.stderr).warning, /can be guessed/);
    for (const { stdout, stderr } of [result, json]) {
      assert.doesNotMatch(stdout + stderr, /20260131/);
    }
  });

  test("delete removes a secret; a second time exits with 3", async () => {
    await oc.done(["secret", "delete", project, "DATABASE_URL"]);
    assert.equal(await oc.done(["secret", "list", project]), "KEY\n");
    assert.equal((await oc.run(["secret", "delete", project, "DATABASE_URL"])).exitCode, 3);
  });
});

describe("oc secret revoke", () => {
  let oc: Oc;
  before(async () => {
    oc = await startOc();
  });
  after(() => oc.end());

  test("reports what it revoked and how to use the token again; an unknown id is a 404", async () => {
    const store = (await oc.done(["secret-store", "create", "--name", "leaked"])).trim();
    await oc.run(["secret", "set", store, "KEY", "--from-stdin"], {
      input: "jQ7vX2mT9wLr4KzB8nYd3HpC",
    });
    const { exitCode, stdout, stderr } = await oc.run(["secret", "revoke", store, "KEY"]);
    assert.deepEqual([exitCode, stdout], [0, "Revoked KEY\n"]);
    assert.match(stderr, new RegExp(`oc secret set ${store} KEY`));
    assert.match(await oc.done(["secret", "list", store]), /^KEY .*none \(revoked\) +never$/m);
    const json = await oc.done(["secret", "revoke", store, "KEY", "--json"]);
    assert.deepEqual(JSON.parse(json), { name: "KEY", status: "revoked" });
    for (const words of [
      ["absent", "KEY"],
      [store, "ABSENT"],
    ]) {
      const refused = await oc.run(["secret", "revoke", ...words]);
      assert.equal(refused.exitCode, 3);
    }
  });
});
