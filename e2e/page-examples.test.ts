import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { clearOrg, type Scenario, startSharedScenario } from "@opencomputer/harness";
import { ApiKey, Project, Sandbox, SecretStore, Snapshots } from "@opencomputer/sdk";
import { type GuideExamples, openGuideExamples, readFences } from "./guide-examples.ts";
import { type GuideHosts, guideHost as host, openGuideHosts } from "./guide-hosts.ts";

const tokenLine = /^osb_sealed_[0-9a-f]{32}$/m;

test("readFences refuses a fence that would not be run", () => {
  assert.equal(readFences("page", "```ts example=one\nrun()\n```\n").size, 1);
  for (const markdown of [
    "```ts\nrun()\n```\n",
    "```ts example\nrun()\n```\n",
    "```ts exmaple=one\nrun()\n```\n",
    "```ts example=one\nrun()\n",
    "```ts example=one\n```\n```ts example=one\n```\n",
  ]) {
    assert.throws(() => readFences("page", markdown), /page:/, markdown);
  }
});

describe("the examples of the guide run as they are printed", () => {
  let guideHosts: GuideHosts;
  let scenario: Scenario;
  let guide: GuideExamples;
  before(async () => {
    guideHosts = await openGuideHosts();
    scenario = await startSharedScenario(guideHosts);
    guide = await openGuideExamples(scenario.connection);
  });
  after(async () => {
    await guide.end();
    assert.deepEqual(await scenario.end(), []);
    await guideHosts.close();
  });

  afterEach(async () => {
    const { connection } = scenario;
    await clearOrg(connection);
  });

  const sentKey = () => scenario.internet.requestsTo(host).at(-1)?.headers["x-api-key"];
  /** Cells of a table, line by line, with what differs from run to run as its kind. */
  const cells = (text: string) =>
    text
      .replace(/\b(sb-\w+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/g, "ID")
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
      .replace(/\b\d+[smhd]$/gm, "AGE")
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));

  test("secrets", async () => {
    const { connection, internet } = scenario;
    const { stdout } = await guide.run("secrets/quick-start");
    assert.match(stdout, tokenLine);
    assert.match(stdout, /\{"ok":true\}/);
    const request = internet.requestsTo(host).at(-1);
    assert.equal(request?.headers["x-api-key"], "sk-ant-...");
    assert.equal(request?.headers["anthropic-version"], "2023-06-01");
    assert.match(request?.body ?? "", /^\{"model":"claude-haiku-4-5-20251001"/);

    const [store] = await SecretStore.list(connection);
    assert.ok(store !== undefined);
    await guide.run("secrets/host-restrictions", { given: { store } });
    const limits = (await SecretStore.listSecrets(store.id, connection)).map((secret) => [
      ...[secret.name, secret.allowedHosts],
    ]);
    assert.deepEqual(limits, [
      ["ANTHROPIC_API_KEY", [host]],
      ["GENERIC_TOKEN", []],
    ]);

    const placements = await guide.run("secrets/placements", { given: { store } });
    assert.match(placements.stderr, /can be guessed/);
    const placed = (await SecretStore.listSecrets(store.id, connection)).map((secret) => [
      ...[secret.name, secret.substituteIn],
    ]);
    assert.deepEqual(Object.fromEntries(placed), {
      ANTHROPIC_API_KEY: ["header:x-api-key"],
      CLIENT_SECRET: ["body:client_secret", "header:authorization"],
      GEMINI_KEY: ["header:x-goog-api-key", "query"],
      GENERIC_TOKEN: ["header", "body"],
    });

    await guide.run("secrets/aws", { given: { store } });
    const aws = (await SecretStore.listSecrets(store.id, connection)).find(
      ({ name }) => name === "AWS",
    );
    assert.deepEqual([aws?.kind, aws?.allowedHosts], ["aws", ["*.amazonaws.com"]]);

    await guide.run("secrets/egress-allowlist");
    const restricted = (await SecretStore.list(connection)).find(
      ({ name }) => name === "restricted-store",
    );
    assert.deepEqual(restricted?.egressAllowlist, [host, "*.openai.com"]);
    await SecretStore.delete(restricted.id, connection);

    await SecretStore.setSecret(store.id, "OLD_KEY", "old", connection);
    await SecretStore.setSecret(store.id, "LEAKED_KEY", "leaked", scenario.connection);
    await guide.run("secrets/revoke", { given: { store } });
    await guide.run("secrets/managing-secrets", { given: { store } });
    assert.deepEqual(await SecretStore.list(connection), []);
  });

  test("secret stores in TypeScript (full run)", async () => {
    const { connection } = scenario;
    await guide.run("secret-stores/create");
    const [store] = await SecretStore.list(connection);
    assert.deepEqual([store?.name, store?.egressAllowlist], ["my-agent-secrets", [host]]);
    const id = store?.id ?? "";
    const replace = { "store-uuid": id };
    await guide.run("secret-stores/find", { replace });
    await guide.run("secret-stores/set-secret", { replace });
    const [secret] = await SecretStore.listSecrets(id, connection);
    assert.deepEqual([secret?.name, secret?.allowedHosts], ["ANTHROPIC_API_KEY", [host]]);

    const used = await guide.run("secret-stores/use-in-a-sandbox");
    assert.match(used.stdout, tokenLine);
    assert.equal(sentKey(), "sk-ant-...");

    await guide.run("secret-stores/update", { replace });
    const { name, egressAllowlist, substituteIn } = await SecretStore.get(id, connection);
    assert.deepEqual([name, egressAllowlist], ["new-name", [host, "*.openai.com"]]);
    assert.deepEqual(substituteIn, ["header"]);
    await guide.run("secret-stores/revoke-secret", { replace });
    const [revoked] = await SecretStore.listSecrets(id, connection);
    assert.ok(revoked?.revokedAt !== undefined);
    const listed = await guide.run("secret-stores/list-and-delete-secrets", { replace });
    assert.match(
      listed.stdout,
      /^ANTHROPIC_API_KEY \[ 'api.anthropic.com' \] \[ 'header:x-api-key' \]$/m,
    );
    assert.deepEqual(await SecretStore.listSecrets(id, connection), []);
    await guide.run("secret-stores/delete", { replace });
    assert.deepEqual(await SecretStore.list(connection), []);
  });

  test("secret stores on the command line", async () => {
    await writeFile(join(guide.home, ".anthropic_key"), "sk-ant-from-a-file\n");
    const { stdout } = await guide.run("secret-stores/command-line");
    assert.match(stdout, /^ANTHROPIC_API_KEY +api\.anthropic\.com +header:x-api-key +never$/m);
    assert.match(stdout, /^\{"ok":true\}$/m);
    assert.equal(sentKey(), "sk-ant-from-a-file");
    assert.deepEqual(await SecretStore.list(scenario.connection), []);
    assert.deepEqual(await Sandbox.list(scenario.connection), []);
  });

  test("placements on the command line", async () => {
    for (const file of [".internal_key", ".gemini_key", ".client_secret", ".openai_key"]) {
      await writeFile(join(guide.home, file), "jQ7vX2mT9wLr4KzB8nYd3HpC\n");
    }
    const listed = await guide.run("secret-stores/placements-on-the-command-line");
    const table = listed.stdout.slice(listed.stdout.indexOf("NAME "));
    assert.equal(table, guide.output("secret-stores/placements-on-the-command-line"));
    assert.equal(listed.stderr, "");
    await writeFile(join(guide.home, ".leaked_key"), "jQ7vX2mT9wLr4KzB8nYd3HpC\n");
    const revoked = await guide.run("secret-stores/revoke-on-the-command-line");
    const printed = revoked.stdout.slice(revoked.stdout.indexOf("Revoked "));
    assert.equal(printed, guide.output("secret-stores/revoke-on-the-command-line"));
    const recommended = await guide.run("secret-stores/recommendation");
    assert.equal(recommended.stderr, guide.output("secret-stores/recommendation"));
  });

  test("a token that is withheld, on the command line", async () => {
    const { connection } = scenario;
    const { id } = await SecretStore.create({ name: "headers", ...connection });
    await SecretStore.setSecret(id, "ANTHROPIC_API_KEY", "sk-ant-...", connection);
    const sandbox = await scenario.createSandbox({ secretStore: "headers" });
    const { stdout } = await guide.run("command-line/withheld", {
      replace: { "sb-abc123": sandbox.id },
    });
    const expected = guide.output("command-line/withheld").trim().toLowerCase();
    assert.equal(stdout.trim().toLowerCase(), expected);
  });

  test("projects on the command line", async () => {
    const { connection } = scenario;
    const created = await guide.run("projects/create");
    const list = await guide.run("projects/list");
    assert.deepEqual(cells(list.stdout), cells(guide.output("projects/list")));
    assert.match((await guide.run("projects/get")).stdout, new RegExp(created.stdout.trim()));
    await guide.run("projects/update");
    const [project] = await Project.list(connection);
    assert.deepEqual(
      [project?.name, project?.cpuCount, project?.memoryMB, project?.timeoutSec],
      ["my-agent", 2, 2048, 600],
    );

    assert.match((await guide.run("projects/set-secret")).stderr, /^warning: .*--from-stdin/);
    await writeFile(join(guide.home, ".anthropic_key"), "sk-ant-...\n");
    const fromStdin = await guide.run("projects/set-secret-from-stdin");
    assert.doesNotMatch(fromStdin.stderr, /--from-stdin|sk-ant/);
    await Project.setSecret(project?.id ?? "", "DATABASE_URL", "postgres://…", connection);
    const { stdout: names } = await guide.run("projects/list-secrets");
    assert.equal(names, guide.output("projects/list-secrets"));

    await Project.update(project?.id ?? "", { memoryMB: 1024, ...connection });
    const sandboxId = (await guide.run("projects/create-sandbox")).stdout.trim();
    const { cpuCount, memoryMB } = await Sandbox.get(sandboxId, connection);
    assert.deepEqual([cpuCount, memoryMB], [2, 1024]);
    assert.match((await guide.run("projects/sealed-inside")).stdout, tokenLine);

    await guide.run("projects/delete-secret");
    assert.deepEqual(await Project.listSecrets(project?.id ?? "", connection), ["DATABASE_URL"]);
    await guide.run("projects/delete");
    assert.deepEqual(await Project.list(connection), []);
    assert.equal((await Sandbox.get(sandboxId, connection)).status, "running");
  });

  test("the workflow of a project (full run)", async () => {
    const { stdout } = await guide.run("projects/workflow");
    assert.match(stdout, /^ANTHROPIC_API_KEY\nDATABASE_URL$/m);
    assert.match(stdout, /^ANTHROPIC_API_KEY=osb_sealed_[0-9a-f]{32}$/m);
    assert.match(stdout, /^DATABASE_URL=osb_sealed_[0-9a-f]{32}$/m);
    assert.equal(sentKey(), "sk-ant-...");
    assert.deepEqual(await Project.list(scenario.connection), []);
    assert.deepEqual(await Sandbox.list(scenario.connection), []);
  });

  test("projects in TypeScript (full run)", async () => {
    const { connection } = scenario;
    await guide.run("projects/create-in-typescript");
    const [project] = await Project.list(connection);
    const id = project?.id ?? "";
    const replace = { "project-uuid": id };
    await guide.run("projects/find-in-typescript", { replace });
    await guide.run("projects/set-secret-in-typescript", { replace });
    const sandbox = await guide.run("projects/create-sandbox-in-typescript");
    assert.match(sandbox.stdout, tokenLine);
    assert.equal(sentKey(), "sk-ant-...");

    await guide.run("projects/update-in-typescript", { replace });
    const { name, cpuCount, memoryMB, timeoutSec } = await Project.get(id, connection);
    assert.deepEqual([name, cpuCount, memoryMB, timeoutSec], ["my-agent", 2, 2048, 900]);
    await Project.setSecret(id, "DATABASE_URL", "postgres://…", connection);
    await guide.run("projects/list-secrets-in-typescript", { replace });
    await guide.run("projects/delete-secret-in-typescript", { replace });
    assert.deepEqual(await Project.listSecrets(id, connection), ["ANTHROPIC_API_KEY"]);
    await guide.run("projects/delete-in-typescript", { replace });
    assert.deepEqual(await Project.list(connection), []);
  });

  test("API keys", async () => {
    const { connection } = scenario;
    const before = await ApiKey.list(connection);
    const shown = await guide.run("api-keys/on-the-command-line");
    assert.match(shown.stdout, /^ID +NAME +KEY +LAST USED +AGE\n(.*\n)*\S+ +ci +osb_/);
    const lines = (await guide.run("api-keys/typescript")).stdout.trimEnd().split("\n");
    assert.deepEqual([lines[0], lines.at(-1)], ["68 0", "invalid_api_key"]);
    assert.match(lines.at(-2) ?? "", /^agent osb_\w+ \d{4}-/);
    assert.deepEqual(
      (await ApiKey.list(connection)).map(({ id }) => id),
      before.map(({ id }) => id),
    );
  });

  test("files and terminals", async () => {
    const sandbox = await scenario.createSandbox();
    const replace = { "sb-abc123": sandbox.id };
    for (const name of ["read-and-write", "signed-urls"]) {
      const { stdout } = await guide.run(`files/${name}`, { replace });
      assert.equal(stdout, guide.output(`files/${name}`));
    }
    await writeFile(join(guide.home, "data.tar"), randomBytes(1_000_000));
    await guide.run("files/streams", { replace });
    const copied = await readFile(join(guide.home, "copy.tar"));
    assert.ok(copied.equals(await readFile(join(guide.home, "data.tar"))));
    await mkdir(join(guide.home, "src"));
    await writeFile(join(guide.home, "src/main.ts"), "");
    await writeFile(join(guide.home, "notes.txt"), "of the reader\n");
    const afterwards = "tar -tzf src.tar.gz";
    const onTheCommandLine = await guide.run("files/on-the-command-line", { replace, afterwards });
    assert.equal(onTheCommandLine.stdout, "of the reader\nsrc/\nsrc/main.ts\n");

    const shell = await guide.run("terminals/shell", { replace });
    assert.match(shell.stdout, /^xterm-256color\r?$/m);
    assert.match(shell.stdout, /^ended with 3$/m);
    const typed = await guide.run("terminals/typescript");
    assert.match(typed.stdout, /^40 120\r?$/m);
    assert.match(typed.stdout, /^exit code 7$/m);
    assert.equal((await guide.run("terminals/attach")).stdout, "true\n");
  });

  test("scaling (full run)", async () => {
    const { stdout } = await guide.run("scaling/scale");
    assert.equal(stdout.trim(), "2048 100");
    const [made] = await Sandbox.list(scenario.connection);
    assert.ok(made !== undefined);
    const sandbox = made.sandboxID;
    const [again] = (await guide.run("scaling/scale-on-the-command-line")).stdout.split("\n");
    assert.equal(again, `Scaled ${sandbox} to 1536 MB, 50 % CPU`);
    const refused = await guide.run("scaling/oom-floor", { sandbox });
    assert.match(refused.stdout, /^oom_floor\n\{\s+memoryUsedBytes: \d+/);
    const follows = await guide.run("scaling/autoscale", { sandbox });
    assert.match(follows.stdout, /enabled: true,\s+minMemoryMB: 1024,\s+maxMemoryMB: 4096/);
    const shown = await guide.run("scaling/autoscale-on-the-command-line");
    assert.deepEqual(shown.stdout.trim().split("\n").slice(1), [
      `Autoscale enabled for ${sandbox} (1024–4096 MB)`,
      `Autoscale disabled for ${sandbox}`,
    ]);
    assert.equal((await guide.run("scaling/lock", { sandbox })).stdout, "scaling_locked\n");
    const locks = await guide.run("scaling/lock-on-the-command-line");
    assert.match(locks.stdout, /is locked\n.*is locked\n.*is not locked\n/);
    const inside = await guide.run("scaling/metadata-service", { sandbox });
    assert.match(inside.stdout, new RegExp(`"sandboxId":"${sandbox}"`));
    assert.match(inside.stdout, /"memLimit":\d+,"pids":\d+/);
    assert.match(inside.stdout, /\{"ok":true,"memoryMB":768\}/);
    await guide.run("scaling/reboot", { sandbox });
    const rebooted = await guide.run("scaling/reboot-on-the-command-line");
    assert.match(rebooted.stdout, /^Rebooted .*\nPower-cycled /);
  });

  test("events", async () => {
    const sandbox = await scenario.createSandbox();
    const listed = await guide.run("events/list");
    assert.match(listed.stdout, new RegExp(`Z sandbox\\.ready ${sandbox.id} \\{\\}`));
    const shown = (await guide.run("events/on-the-command-line")).stdout.split("\n").slice(0, 3);
    const printed = cells(guide.output("events/on-the-command-line"));
    assert.deepEqual(cells(shown.join("\n")), printed);
    const following = guide.run("events/follow");
    let isFollowing = true;
    const ended = following.finally(() => {
      isFollowing = false;
    });
    // It begins with what happens once it is connected.
    while (isFollowing) await (await scenario.createSandbox()).kill();
    assert.match((await ended).stdout, /^sb-\w+ \{ reason: 'requested' \}\n$/);
    const command = "oc events --follow --json";
    const interrupted = `${command} > followed &
      until [ -s followed ]; do sleep 0.1; done
      kill -TERM $!
      wait $!
      head -n 1 followed`;
    const { stdout } = await guide.run("events/follow-on-the-command-line", {
      replace: { [command]: interrupted },
    });
    assert.equal(typeof JSON.parse(stdout).id, "string");

    assert.match((await guide.run("events/webhook")).stdout, /^[0-9a-f-]{36} whsec_\n$/);
    const shownWebhooks = await guide.run("events/webhook-on-the-command-line");
    assert.match(shownWebhooks.stdout, /^ID: .*\nSecret: +whsec_/);
    assert.match(shownWebhooks.stdout, /example\.com\/hook +sandbox\.killed +enabled/);
    const ofSandbox = await guide.run("events/webhook-of-a-sandbox");
    assert.match(ofSandbox.stdout, /^[0-9a-f-]{36} whsec_\n$/);
    const secret = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
    const body = JSON.stringify({ type: "sandbox.ready" });
    const headers = {
      "webhook-id": "event",
      "webhook-timestamp": String(Math.floor(Date.now() / 1000)),
    };
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const signature = createHmac("sha256", Buffer.alloc(32, 1)).update(signed).digest("base64");
    const given = { secret, body, headers: { ...headers, "webhook-signature": `v1,${signature}` } };
    const verified = await guide.run("events/verify", { given });
    assert.equal(verified.stdout, "{ type: 'sandbox.ready' }\n");
  });

  test("sandboxes on the command line", async () => {
    const { connection } = scenario;
    const id = (await guide.run("command-line/create")).stdout.trim();
    const replace = { "sb-abc123": id };
    const list = (await guide.run("command-line/list")).stdout;
    const jsonAt = list.indexOf("[\n");
    assert.deepEqual(cells(list.slice(0, jsonAt)), cells(guide.output("command-line/list")));
    assert.match(list.slice(jsonAt), new RegExp(`"sandboxID": "${id}"`));
    const shown = await guide.run("command-line/get", { replace });
    assert.deepEqual(cells(shown.stdout), cells(guide.output("command-line/get")));
    const tagged = await guide.run("command-line/tags", { replace });
    assert.equal(tagged.stdout, guide.output("command-line/tags"));
    await guide.run("command-line/set-timeout", { replace });
    await guide.run("command-line/kill", { replace });
    assert.equal((await Sandbox.get(id, connection)).status, "stopped");
  });

  test("commands", async () => {
    for (const name of ["shell", "idempotency-key", "idle"]) {
      const { stdout } = await guide.run(`commands/${name}`);
      assert.equal(stdout, guide.output(`commands/${name}`));
    }
    const { stdout } = await guide.run("commands/idle-on-the-command-line");
    assert.ok(stdout.includes(guide.output("commands/idle-on-the-command-line")), stdout);
  });

  test("allowed hosts on the command line", async () => {
    const { connection } = scenario;
    const egressAllowlist = ["api.openai.com", host];
    const store = await SecretStore.create({ name: "my-store", egressAllowlist, ...connection });
    await SecretStore.setSecret(store.id, "OPENAI_API_KEY", "sk-...", {
      allowedHosts: ["api.openai.com"],
      ...connection,
    });
    const sandbox = await scenario.createSandbox({ secretStore: "my-store" });
    const replace = { "sb-abc123": sandbox.id };
    const asPrinted = (text: string) => text.replaceAll("sb-abc123", sandbox.id);
    const { stdout } = await guide.run("command-line/allowed-hosts", { replace });
    assert.equal(stdout, asPrinted(guide.comments("command-line/allowed-hosts")));
    const json = await guide.run("command-line/allowed-hosts-as-json", { replace });
    const expected = asPrinted(guide.output("command-line/allowed-hosts-as-json"));
    assert.deepEqual(JSON.parse(json.stdout), JSON.parse(expected));
  });

  test("egress log", async () => {
    const { connection } = scenario;
    const store = await SecretStore.create({ name: "s", egressAllowlist: [host], ...connection });
    await SecretStore.setSecret(store.id, "API_KEY", "sk-...", connection);
    const sandbox = await scenario.createSandbox({ secretStore: "s" });
    const curl = `curl -sS -m 20 -H "x-api-key: $API_KEY" https://${host}/v1/log`;
    const { exitCode, stderr } = await sandbox.exec.run(
      `${curl}; ${curl.replace(host, "example.org")}; true`,
    );
    assert.equal(exitCode, 0, stderr);
    const start = { cursor: "0", signal: AbortSignal.timeout(60_000) };
    for await (const { path, status, secrets } of sandbox.egress.follow(start)) {
      if (path !== "/v1/log") continue;
      assert.equal(status, 200);
      assert.deepEqual(secrets.substituted, [{ name: "API_KEY", places: ["header x-api-key"] }]);
      break;
    }
    for await (const entry of sandbox.egress.follow({ ...start, refused: true })) {
      assert.equal(entry.host, "example.org");
      break;
    }
    const replace = { "sb-abc123": sandbox.id };
    const list = (await guide.run("egress-log/list", { replace })).stdout;
    assert.match(list, /allowed +200 +GET https:\/\/api\.anthropic\.com\/v1\/log/);
    assert.match(list, /refused .*example\.org/);
    const read = (await guide.run("egress-log/read", { sandbox: sandbox.id })).stdout;
    assert.match(read, /^example\.org /m);
    const explained = (await guide.run("egress-log/explain", { replace })).stdout;
    assert.ok(explained.startsWith(guide.output("egress-log/explain")), explained);
    assert.match(explained, /API_KEY: substituted in header, body$/m);
    const inCode = await guide.run("egress-log/explain-in-typescript", { sandbox: sandbox.id });
    assert.equal(inCode.stdout, "refused not_in_allowlist []\n");
    const suggested = (await guide.run("egress-log/suggest", { replace })).stdout;
    assert.match(suggested, /Egress allowlist:\n {2}• api\.anthropic\.com\n/);
    assert.match(suggested, /API_KEY:\n {4}• api\.anthropic\.com\n/);
  });

  test("usage", async () => {
    const sandbox = await scenario.createSandbox();
    // Sandboxes of other examples have the tag of the page.
    await sandbox.setTags({ team: "research", env: "metered" });
    await sandbox.exec.run("true");
    const replace = { "sb-abc123": sandbox.id, prod: "metered" };
    const all = (await guide.run("usage/all")).stdout;
    const heads = (text: string) => text.split("\n", 1)[0]?.split(/ {2,}/);
    assert.deepEqual(heads(all), heads(guide.output("usage/all")));
    // Those that used most come first, and this one may be beyond the last line.
    assert.match(all, /^sb-\w+ +[\d.]+s +[\d.]+s +[\d.]+ [MG]B/m);
    const ofTag = (await guide.shell("oc usage --tag env=metered")).stdout;
    assert.match(ofTag, new RegExp(`^${sandbox.id} +[\\d.]+s +[\\d.]+s +\\d+ MB`, "m"));
    const one = (await guide.run("usage/one", { replace })).stdout;
    assert.match(one, /^SINCE +RUNNING.*\n\d{4}-\S+Z +[\d.]+s/);
    assert.match(one, /"value": "research"/);
    const read = (await guide.run("usage/read", { replace })).stdout.split("\n");
    assert.match(read[0] ?? "", /^[\d.]+ \d{7,} [\d.]+$/);
    assert.equal(read[1], "1 1 [ 'research' ]");
  });

  /** A store of this name with one secret. */
  const makeStore = async (name: string, secret: string, value: string) => {
    const { connection } = scenario;
    const { id } = await SecretStore.create({ name, ...connection });
    await SecretStore.setSecret(id, secret, value, connection);
  };
  const workerStores = async () => {
    await makeStore("worker-1-keys", "API_KEY", "key of worker 1");
    await makeStore("worker-2-keys", "API_KEY", "key of worker 2");
  };
  /** The sandboxes there are, by the store that each was made with. */
  const byStore = async () => {
    const { connection } = scenario;
    const found = new Map<string, Sandbox>();
    for (const { sandboxID } of await Sandbox.list(connection)) {
      const { secretStore = "" } = await Sandbox.get(sandboxID, connection);
      found.set(secretStore, await Sandbox.connect(sandboxID, connection));
    }
    return found;
  };
  /** What a sandbox sends to the host when it uses its secret. */
  const keyOf = async (sandbox: Sandbox | undefined) => {
    const sent = await sandbox?.exec.run(`curl -sS -H "x-api-key: $API_KEY" https://${host}/`);
    assert.equal(sent?.exitCode, 0, sent?.stderr);
    return sentKey();
  };

  test("hibernate and wake", async () => {
    assert.equal((await guide.run("saved-states/hibernate")).stdout, "true\ntrue\n");
    const { stdout } = await guide.run("saved-states/hibernate-on-the-command-line");
    assert.match(stdout, /^Hibernated sb-\w+ \([\d.]+ [KMG]B\)\nWoke sb-\w+\n$/);
  });

  test("forks with secrets (full run)", async () => {
    await makeStore("git-creds", "GIT_TOKEN", "token of git");
    await workerStores();
    await guide.run("saved-states/fork-with-secrets");
    const sandboxes = await byStore();
    const base = sandboxes.get("git-creds");
    const gitToken = (await base?.exec.run("echo $GIT_TOKEN$API_KEY"))?.stdout ?? "";
    assert.match(gitToken, tokenLine);
    for (const number of [1, 2]) {
      const worker = sandboxes.get(`worker-${number}-keys`);
      assert.equal(
        (await worker?.exec.run("test -d /app/.git && echo $GIT_TOKEN"))?.stdout,
        gitToken,
      );
      assert.equal(await keyOf(worker), `key of worker ${number}`);
      assert.equal((await worker?.allowedHosts())?.baseSecretStore, "git-creds");
    }
  });

  test("restoring a checkpoint", async () => {
    const { connection } = scenario;
    const sandbox = await scenario.createSandbox();
    await sandbox.exec.run("mkdir important && touch important/file");
    const afterwards = await guide.run("saved-states/restore", { sandbox: sandbox.id });
    assert.match(afterwards.stdout, /^[0-9a-f-]{36} before-migration ready\n$/);
    assert.equal((await sandbox.exec.run("ls important")).stdout, "file\n");
    assert.deepEqual(await sandbox.listCheckpoints(), []);
    assert.equal((await Sandbox.get(sandbox.id, connection)).status, "running");
  });

  test("checkpoints on the command line (full run)", async () => {
    const sandbox = await scenario.createSandbox();
    const placeholder = { "<sandbox-id>": sandbox.id };
    const replace = { replace: placeholder };
    const { stdout } = await guide.run("saved-states/checkpoints-on-the-command-line", replace);
    assert.match(stdout, /^ID +NAME +KIND +STATUS +SIZE +AGE$/m);
    assert.match(stdout, / repo-cloned +full +(processing|ready) /);
    assert.match(stdout, /\d\d:\d\d:\d\d/);
  });

  test("snapshots with secrets (full run)", async () => {
    await workerStores();
    await guide.run("saved-states/snapshot-with-secrets");
    const sandboxes = await byStore();
    for (const number of [1, 2]) {
      const worker = sandboxes.get(`worker-${number}-keys`);
      const version = await worker?.exec.run(
        "python3 -c 'import pandas; print(pandas.__version__)'",
      );
      assert.equal(version?.stdout, "2.2.3\n");
      assert.equal(await keyOf(worker), `key of worker ${number}`);
    }
    await new Snapshots(scenario.connection).delete("data-pipeline");
  });

  test("images (full run)", async () => {
    const { stdout } = await guide.run("saved-states/image-steps");
    assert.match(stdout, /^Step 6\/6 completed$/m);
    assert.match(stdout, /^\/srv\/app\nproduction\nbuilt-at\nsettings.json$/m);
    const { stdout: listed } = await guide.run("saved-states/snapshots-on-the-command-line");
    assert.match(listed, /^tools +ready +3 +never/m);
    assert.match(listed, /^Step 3: +run date > built-at$/m);
  });

  test("previews (full run)", async () => {
    const { connection } = scenario;
    const created = await guide.run("previews/create");
    assert.match(created.stdout, /^http:\/\/sb-\w+-p3000\.sandbox\.localhost:\d+$/m);
    const [served] = await Sandbox.list(connection);
    const replace = { "<sandbox-id>": served?.sandboxID ?? "" };
    const listed = await guide.run("previews/on-the-command-line", { replace });
    assert.match(listed.stdout, /PORT +HOSTNAME +SSL +CREATED/);
    await guide.run("previews/authentication");
    const opened = await guide.run("previews/authentication-on-the-command-line", { replace });
    assert.match(opened.stderr, /Preview token, shown only once: [\w-]{43}$/m);
    assert.match(opened.stdout, /\/\.opencomputer\/open\?code=/);
  });

  test("the configuration of an agent", async () => {
    const { mcpServers } = JSON.parse(guide.output("mcp/configuration"));
    const { command, args } = mcpServers.opencomputer;
    const list = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    const { stdout } = await guide.shell(`echo '${list}' | ${[command, ...args].join(" ")}`);
    const { result } = JSON.parse(stdout);
    const documented = [...guide.page("mcp").matchAll(/`([a-z]+_[a-z]+|exec)`/g)];
    for (const { name } of result.tools) {
      assert.ok(
        documented.some(([, tool]) => tool === name),
        name,
      );
    }
  });

  test("completion", async () => {
    const { stdout } = await guide.run("command-line/completion", { afterwards: "complete -p oc" });
    assert.match(stdout, /^complete .* oc$/m);
  });

  test("those in TypeScript satisfy its compiler", async () => {
    assert.equal(await guide.typeFaults(), "");
  });

  test("all of them are tested (full run)", () => assert.deepEqual(guide.notRun(), []));
});
