import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";
import { formatAllowedHosts } from "./allowed-hosts.ts";

describe("oc sandbox", () => {
  let oc: Oc;
  before(async () => {
    oc = await startOc();
  });
  after(() => oc.end());

  const detailOf = (id: string) => oc.server.sandboxes.get(id.trim())?.detail;

  test("create prints the id alone, so that a script can take it", async () => {
    const stdout = await oc.done(["create"]);
    assert.match(stdout, /^sb-[a-z2-7]{20}\n$/);
    assert.equal(
      await oc.done(["sandbox", "create"]).then((id) => detailOf(id)?.status),
      "running",
    );
  });

  test("create passes every flag on, repeated ones whole", async () => {
    const id = await oc.done([
      ...["create", "--timeout", "600", "--cpu", "2", "--memory", "2048"],
      ...["--env", "LIST=a,b=c", "--env", "EMPTY=", "--metadata", "a.b/c=1,2"],
    ]);
    const detail = detailOf(id);
    assert.deepEqual([detail?.cpuCount, detail?.memoryMB], [2, 2048]);
    assert.deepEqual(detail?.metadata, { "a.b/c": "1,2" });
    assert.deepEqual(oc.server.sandboxes.get(id.trim())?.environment, { LIST: "a,b=c", EMPTY: "" });
  });

  test("create --webhook has events sent, and prints each secret beside the id", async () => {
    const urls = ["https://example.com/one", "https://example.com/two"];
    const created = await oc.run(["create", ...urls.flatMap((url) => ["--webhook", url])]);
    assert.match(created.stdout, /^sb-[a-z2-7]{20}\n$/);
    const secrets = created.stderr.match(/ to https:\S+, secret shown only once: whsec_\S+\n/g);
    assert.equal(secrets?.length, 2);
    const id = created.stdout.trim();
    const listed = JSON.parse(await oc.done(["webhook", "list", "--sandbox", id, "--json"]));
    assert.deepEqual(
      listed.map(({ url }: { url: string }) => url),
      urls,
    );
    const refused = await oc.run(["create", "--webhook", "ftp://example.com"]);
    assert.match(refused.stderr, /must be an https or http URL/);
  });

  test("create leaves the time-out to a project unless the flag is given", async () => {
    await oc.done(["project", "create", "--name", "slow", "--timeout", "9000"]);
    const seconds = async (...flags: string[]) => {
      const detail = detailOf(await oc.done(["create", ...flags]));
      return (Date.parse(detail?.endAt ?? "") - Date.parse(detail?.startedAt ?? "")) / 1000;
    };
    assert.equal(await seconds(), 300);
    assert.equal(await seconds("--project", "slow"), 9000);
    assert.equal(await seconds("--project", "slow", "--timeout", "300"), 300);
    const words = ["create", "--project", "slow", "--timeout", "0", "--json"];
    const endless = JSON.parse(await oc.done(words));
    assert.deepEqual([endless.endAt, detailOf(endless.sandboxID)?.endAt], [null, null]);
  });

  test("create --idle chooses what keeps the sandbox awake", async () => {
    assert.equal(detailOf(await oc.done(["create"]))?.idle, "requests");
    const id = (await oc.done(["create", "--idle", "cpu"])).trim();
    assert.equal(detailOf(id)?.idle, "cpu");
    const refused = await oc.run(["create", "--idle", "always"]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /requests, cpu/);
  });

  test("create refuses malformed flags before it asks the service", async () => {
    for (const [flag, value, message] of [
      ["--timeout", "soon", /--timeout.*whole number/],
      ["--cpu", "1.5", /--cpu.*whole number/],
      ["--memory", "-1", /--memory/],
      ["--env", "NOVALUE", /NAME=VALUE|KEY=VALUE/],
      ["--env", "1ST=x", /NAME=VALUE/],
      ["--metadata", "=x", /KEY=VALUE/],
      ["--unknown", "x", /unknown option/],
    ] as const) {
      const before = oc.server.requests.length;
      const result = await oc.run(["create", flag, value]);
      assert.equal(result.exitCode, 1);
      assert.match(result.stderr, message);
      assert.equal(oc.server.requests.length, before);
    }
  });

  test("ls has the columns of the manual; --json has everything", async () => {
    const id = (await oc.done(["create", "--cpu", "4"])).trim();
    const lines = (await oc.done(["ls"])).split("\n");
    assert.match(lines[0] ?? "", /^ID +TEMPLATE {2}STATUS +CPU {2}MEM +AGE$/);
    const row = lines.find((line) => line.startsWith(id));
    assert.match(row ?? "", new RegExp(`^${id} {2}base {6}running {2}4 {4}1024 {2}\\d+s$`));
    const listed: unknown = JSON.parse(await oc.done(["sandbox", "list", "--json"]));
    assert.deepEqual(listed, JSON.parse(await oc.done(["--json", "ls"])));
    assert.ok(Array.isArray(listed) && listed.some((sandbox) => sandbox.sandboxID === id));
  });

  test("ls of nothing prints nothing on stdout, and [] with --json", async () => {
    const result = await oc.run(["ls", "--status", "hibernated"]);
    assert.deepEqual([result.exitCode, result.stdout], [0, ""]);
    assert.match(result.stderr, /oc create/);
    const json = await oc.run(["ls", "--status", "hibernated", "--json"]);
    assert.deepEqual(json, { exitCode: 0, stdout: "[]\n", stderr: "" });
  });

  test("get shows the fields of the manual", async () => {
    const id = (await oc.done(["create", "--timeout", "0"])).trim();
    const text = await oc.done(["get", id]);
    const names = text.split("\n").map((line) => line.split(":")[0]);
    assert.deepEqual(names.slice(0, 7), [
      ...["ID", "Template", "Status", "CPU", "Memory", "Started", "Ends"],
    ]);
    assert.match(text, /^Ends: +never$/m);
    assert.equal(await oc.done(["sandbox", "get", id]), text);
  });

  test("create waits for a service that is starting, and shows each step once", async () => {
    const starting = (error: string) =>
      oc.server.interceptNext((_, response) => {
        const details = { retryAfterSeconds: 0 };
        response.writeHead(503).end(JSON.stringify({ error, code: "worker_unavailable", details }));
      });
    for (const step of ["booting", "booting", "saving"]) starting(step);
    const created = await oc.run(["create"]);
    assert.equal(created.exitCode, 0);
    assert.match(created.stdout, /^sb-/);
    assert.equal(
      created.stderr,
      "Waiting for the service: booting\nWaiting for the service: saving\n",
    );
    starting("booting");
    const quiet = await oc.run(["create", "--json"]);
    assert.deepEqual([quiet.exitCode, quiet.stderr], [0, ""]);
  });

  test("kill deletes the store with --delete-secret-store, and exits with 4 while it is in use", async () => {
    const store = (await oc.done(["secret-store", "create", "--name", "owned"])).trim();
    const create = async () => (await oc.done(["create", "--secret-store", "owned"])).trim();
    const [one, other] = [await create(), await create()];
    assert.equal((await oc.run(["kill", one, "--delete-secret-store"])).exitCode, 4);
    assert.equal(detailOf(one)?.status, "running");
    await oc.done(["kill", other]);
    assert.match(await oc.done(["secret-store", "get", store]), /owned/);
    await oc.done(["kill", one, "--delete-secret-store"]);
    assert.equal((await oc.run(["secret-store", "get", store])).exitCode, 3);
  });

  test("kill and its alias end a sandbox; an unknown one exits with 3", async () => {
    for (const words of [["kill"], ["delete"], ["sandbox", "kill"], ["sandbox", "delete"]]) {
      const id = (await oc.done(["create"])).trim();
      assert.equal(await oc.done([...words, id]), `Killed ${id}\n`);
      assert.equal(detailOf(id)?.status, "stopped");
      const unknown = await oc.run([...words, "sb-unknown", "--json"]);
      assert.deepEqual([unknown.exitCode, unknown.stdout], [3, ""]);
      assert.deepEqual(JSON.parse(unknown.stderr), {
        error: "There is no sandbox sb-unknown",
        code: "sandbox_not_found",
      });
    }
  });

  test("set-timeout sets it", async () => {
    const id = (await oc.done(["create"])).trim();
    await oc.done(["sandbox", "set-timeout", id, "0"]);
    assert.equal(detailOf(id)?.endAt, null);
    assert.equal((await oc.run(["sandbox", "set-timeout", id, "soon"])).exitCode, 1);
    assert.equal((await oc.run(["sandbox", "set-timeout", "sb-absent", "5"])).exitCode, 3);
  });

  test("allowed-hosts prints the layout of the manual", async () => {
    const store = (
      await oc.done([
        ...["secret-store", "create", "--name", "my-store"],
        ...["--egress-allowlist", "api.openai.com", "--egress-allowlist", "api.anthropic.com"],
      ])
    ).trim();
    const hosts = ["--allowed-hosts", "api.openai.com"];
    await oc.done(["secret", "set", store, "OPENAI_API_KEY", "--from-stdin", ...hosts], "sk-1");
    const id = (await oc.done(["create", "--secret-store", "my-store"])).trim();
    assert.equal(
      await oc.done(["sandbox", "allowed-hosts", id]),
      `Sandbox ${id} (secret store: my-store)

Egress allowlist:
  • api.openai.com
  • api.anthropic.com

Per-secret allowed hosts:
  OPENAI_API_KEY:
    • api.openai.com
`,
    );
    assert.deepEqual(JSON.parse(await oc.done(["sandbox", "allowed-hosts", id, "--json"])), {
      sandboxID: id,
      secretStore: "my-store",
      egressAllowlist: ["api.openai.com", "api.anthropic.com"],
      perSecretAllowedHosts: { OPENAI_API_KEY: ["api.openai.com"] },
    });
  });

  test("allowed-hosts names a base store, and says what an empty list means", () => {
    const allowed = { sandboxID: "sb-1", egressAllowlist: [], perSecretAllowedHosts: {} };
    assert.match(
      formatAllowedHosts({ ...allowed, secretStore: "top", baseSecretStore: "base" }),
      /^Sandbox sb-1 \(secret store: top, on top of base\)$/m,
    );
    assert.equal(
      formatAllowedHosts(allowed),
      `Sandbox sb-1 (no secret store)

Egress allowlist:
  (empty: all hosts are allowed)

Per-secret allowed hosts:
  (none)`,
    );
  });

  test("allowed-hosts names the project, and every secret that may be used at all hosts", () => {
    const allowed = {
      ...{ sandboxID: "sb-1", project: "shop", perSecretAllowedHosts: {} },
      secretsForAllHosts: ["API_KEY"],
    };
    assert.equal(
      formatAllowedHosts({ ...allowed, egressAllowlist: [] }),
      `Sandbox sb-1 (project: shop)

Egress allowlist:
  (empty: all hosts are allowed)

Per-secret allowed hosts:
  API_KEY:
    (all hosts)`,
    );
    const layered = { ...allowed, secretStore: "team", baseSecretStore: "shop" };
    assert.match(
      formatAllowedHosts({ ...layered, egressAllowlist: ["a.example.com"] }),
      /^Sandbox sb-1 \(project: shop, secret store: team\)\n[\s\S]*\n {2}API_KEY:\n {4}\(every host of the egress allowlist\)$/,
    );
  });
});
