import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { clearOrg, type Scenario, startSharedScenario } from "@opencomputer/harness";
import { Project, Sandbox, SecretStore, Snapshots } from "@opencomputer/sdk";
import { methodNames } from "@opencomputer/sdk/testing/every-method";
import { z } from "zod";
import { testPythons } from "../setup/python.mjs";
import { isFullRun } from "../setup/test/full-run.mjs";
import { type Exchange, readDocumentedApi } from "./documented-api.ts";
import { type GuideHosts, guideHost as host, openGuideHosts } from "./guide-hosts.ts";
import { openPythonExamples, type PythonExamples } from "./python-examples.ts";

const tokenLine = /^osb_sealed_[0-9a-f]{32}$/m;
const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const everyMethodSchema = z.object({
  methods: z.array(z.string()),
  exchanges: z.record(
    z.string(),
    z.array(
      z.object({
        method: z.string(),
        url: z.string(),
        contentType: z.string().nullable(),
        body: z.string().nullable(),
        status: z.int(),
        type: z.string().nullable(),
        response: z.unknown(),
      }),
    ),
  ),
});

/** Python has no two methods of one name, of which one is of the class and one of an object. */
const namesInPython: Readonly<Record<string, string>> = {
  "Sandbox.kill": "Sandbox.kill_by_id",
  "Sandbox.listCheckpoints": "Sandbox.list_checkpoints_by_id",
  "Sandbox.deleteCheckpoint": "Sandbox.delete_checkpoint_by_id",
};

const nameInPython = (name: string) =>
  namesInPython[name] ??
  name.replace(/(?<=[a-z])[A-Z]+(?=[a-z]|$)/g, (letters, at) =>
    at > name.lastIndexOf(".") ? `_${letters.toLowerCase()}` : letters,
  );

/** Operations that no method of an SDK sends, and why. */
const sentByOthers: Readonly<Record<string, string>> = {
  "GET /api/health": "for supervisors and load balancers",
  "GET /health": "for supervisors and load balancers",
  "GET /api/docs": "for people",
  "GET /api/openapi.json": "for generators of clients, and this test",
  "GET /api/sandboxes/{id}/files/download": "what the URL of files.download_url leads to",
  "PUT /api/sandboxes/{id}/files/upload": "what the URL of files.upload_url leads to",
};

/** The oldest comes first; `npm test -- python` runs the SDK's own tests on both. */
const pythons = (await testPythons()).slice(isFullRun ? 0 : -1);
for (const { name: pythonName, program } of pythons) {
  describe(`the Python SDK on ${pythonName}`, () => {
    let guideHosts: GuideHosts;
    let scenario: Scenario;
    let examples: PythonExamples;
    before(async () => {
      guideHosts = await openGuideHosts();
      scenario = await startSharedScenario(guideHosts);
      examples = await openPythonExamples(scenario.connection, program);
    });
    after(async () => {
      await examples.end();
      assert.deepEqual(await scenario.end(), []);
      await guideHosts.close();
    });

    afterEach(async () => {
      const { connection } = scenario;
      await clearOrg(connection);
    });

    const sentKey = () => scenario.internet.requestsTo(host).at(-1)?.headers["x-api-key"];
    const makeStore = async (name: string, secret: string, value: string) => {
      const { id } = await SecretStore.create({ name, ...scenario.connection });
      await SecretStore.setSecret(id, secret, value, scenario.connection);
    };
    const byStore = async (name: string) => {
      for (const { sandboxID } of await Sandbox.list(scenario.connection)) {
        const { secretStore } = await Sandbox.get(sandboxID, scenario.connection);
        if (secretStore === name) return await Sandbox.connect(sandboxID, scenario.connection);
      }
      throw new Error(`No sandbox has the store ${name}`);
    };
    /** What a sandbox sends to the host when it uses its secret. */
    const keyOf = async (sandbox: Sandbox) => {
      const sent = await sandbox.exec.run(`curl -sS -H "x-api-key: $API_KEY" https://${host}/`);
      assert.equal(sent.exitCode, 0, sent.stderr);
      return sentKey();
    };

    test("is installed from a clone as in the guide", async () => {
      assert.equal((await examples.run("python/install")).stdout, "http://127.0.0.1:8080\n");
    });

    test("the quick start", async () => {
      const { stdout } = await examples.run("python/quick-start");
      assert.match(stdout, tokenLine);
      assert.match(stdout, /^0 \{"ok":true\}$/m);
      assert.equal(sentKey(), "sk-ant-...");
      assert.deepEqual(await Sandbox.list(scenario.connection), []);
    });

    test("without asyncio", async () => {
      assert.equal((await examples.run("python/sync")).stdout, "2\n\n");
      assert.deepEqual(await Sandbox.list(scenario.connection), []);
    });

    test("sessions, files, errors and cancellation", async () => {
      const { stdout } = await examples.run("python/sessions");
      const live = examples.output("python/sessions");
      assert.equal(stdout.slice(0, live.length), live);
      const replayed = [...stdout.slice(live.length).matchAll(/^stdout b'(.*)'$/gm)];
      const text = replayed.map(([, data]) => data?.replaceAll("\\n", "\n")).join("");
      assert.equal(`${text}exit code 3\n`, live);
      const terminal = (await examples.run("python/terminal")).stdout;
      assert.match(terminal, /40 120\r*\nxterm-256color\r*\n.*exit code 7\n$/s);
      assert.match((await examples.run("python/files")).stdout, /^20000000\n\d{4}-\d\d-\d\dT/);
      const { stdout: errors } = await examples.run("python/errors");
      assert.equal(errors, examples.output("python/errors"));
    });

    test("projects (full run)", async () => {
      const { connection } = scenario;
      await examples.run("python-projects/create");
      const [project] = await Project.list(connection);
      const id = project?.id ?? "";
      const replace = { "project-uuid": id };
      const { template, cpuCount, memoryMB, timeoutSec } = await Project.get(id, connection);
      assert.deepEqual([template, cpuCount, memoryMB, timeoutSec], ["default", 2, 1024, 600]);
      await examples.run("python-projects/find", replace);
      await examples.run("python-projects/set-secret", replace);
      const sandbox = await examples.run("python-projects/create-sandbox");
      assert.match(sandbox.stdout, tokenLine);
      assert.equal(sentKey(), "sk-ant-...");

      await examples.run("python-projects/update", replace);
      const updated = await Project.get(id, connection);
      assert.deepEqual(
        [updated.name, updated.template, updated.cpuCount, updated.memoryMB, updated.timeoutSec],
        ["my-agent", "default", 2, 2048, 900],
      );
      await Project.setSecret(id, "DATABASE_URL", "postgres://…", connection);
      const { stdout } = await examples.run("python-projects/list-secrets", replace);
      assert.equal(stdout, "['ANTHROPIC_API_KEY', 'DATABASE_URL']\n");
      await examples.run("python-projects/delete-secret", replace);
      assert.deepEqual(await Project.listSecrets(id, connection), ["ANTHROPIC_API_KEY"]);
      await examples.run("python-projects/delete", replace);
      assert.deepEqual(await Project.list(connection), []);
    });

    test("secret stores (full run)", async () => {
      const { connection } = scenario;
      await examples.run("python-secret-stores/create");
      const [store] = await SecretStore.list(connection);
      assert.deepEqual([store?.name, store?.egressAllowlist], ["my-agent-secrets", [host]]);
      const id = store?.id ?? "";
      const replace = { "store-uuid": id };
      await examples.run("python-secret-stores/find", replace);
      const warned = await examples.run("python-secret-stores/set-secret", replace);
      assert.match(warned.stderr, /SecretWarning: Secret ANTHROPIC_API_KEY: .*guessed/);
      const [secret] = await SecretStore.listSecrets(id, connection);
      assert.deepEqual([secret?.name, secret?.allowedHosts], ["ANTHROPIC_API_KEY", [host]]);
      const used = await examples.run("python-secret-stores/use-in-a-sandbox");
      assert.match(used.stdout, tokenLine);
      assert.equal(sentKey(), "sk-ant-...");

      await examples.run("python-secret-stores/update", replace);
      const { name, egressAllowlist } = await SecretStore.get(id, connection);
      assert.deepEqual([name, egressAllowlist], ["new-name", [host, "*.openai.com"]]);
      const { stdout: guessed } = await examples.run("python-secret-stores/placements", replace);
      assert.match(guessed, /guessed/);
      await examples.run("python-secret-stores/aws", replace);
      await examples.run("python-secret-stores/revoke-secret", replace);
      const listed = await examples.run("python-secret-stores/list-and-delete-secrets", replace);
      assert.match(
        listed.stdout,
        /^ANTHROPIC_API_KEY \['api.anthropic.com'\] \['header', 'body'\]$/m,
      );
      assert.match(
        listed.stdout,
        /^CLIENT_SECRET .*\['body:client_secret', 'header:authorization'\]$/m,
      );
      assert.deepEqual(
        (await SecretStore.listSecrets(id, connection)).map((entry) => entry.name),
        ["AWS", "CLIENT_SECRET"],
      );
      await examples.run("python-secret-stores/delete", replace);
      assert.deepEqual(await SecretStore.list(connection), []);
    });

    test("hibernation and restoring (full run)", async () => {
      for (const name of ["python-saved-states/hibernate", "python-saved-states/restore"]) {
        assert.equal((await examples.run(name)).stdout, examples.output(name));
      }
    });

    test("snapshots and images (full run)", async () => {
      await makeStore("worker-1-keys", "API_KEY", "key of worker 1");
      await makeStore("worker-2-keys", "API_KEY", "key of worker 2");
      await examples.run("python-saved-states/snapshot-with-secrets");
      for (const number of [1, 2]) {
        const worker = await byStore(`worker-${number}-keys`);
        const version = await worker.exec.run(
          "python3 -c 'import pandas; print(pandas.__version__)'",
        );
        assert.equal(version.stdout, "2.2.3\n");
        assert.equal(await keyOf(worker), `key of worker ${number}`);
      }
      await new Snapshots(scenario.connection).delete("data-pipeline");
      const { stdout } = await examples.run("python-saved-states/image-steps");
      assert.match(stdout, /^Step 4\/4 completed$/m);
      assert.match(stdout, /^\/srv\/app\nproduction\nbuilt-at\nsettings.json$/m);
    });

    test("forks with secrets (full run)", async () => {
      await makeStore("git-creds", "GIT_TOKEN", "token of git");
      await makeStore("worker-keys", "API_KEY", "key of the worker");
      await examples.run("python-saved-states/fork-with-secrets");
      const base = await byStore("git-creds");
      const gitToken = (await base.exec.run("echo $GIT_TOKEN$API_KEY")).stdout;
      assert.match(gitToken, tokenLine);
      const worker = await byStore("worker-keys");
      const inherited = await worker.exec.run("test -d /app/.git && echo $GIT_TOKEN");
      assert.equal(inherited.stdout, gitToken);
      assert.equal(await keyOf(worker), "key of the worker");
    });

    test("commands (full run)", async () => {
      for (const name of ["shell", "idempotency-key", "idle"]) {
        const { stdout } = await examples.run(`python-commands/${name}`);
        assert.equal(stdout, examples.output(`python-commands/${name}`));
      }
    });

    test("no example is left out (full run)", () => assert.deepEqual(examples.notRun(), []));

    test("a large file is transferred both ways in constant memory (full run)", async () => {
      const sandbox = await scenario.createSandbox();
      const blocks = isFullRun ? 300 : 80;
      const { stdout } = await examples.runProgram(
        pathOf("python-large-file.py"),
        ...[sandbox.id, String(blocks)],
      );
      const found = z
        .object({ sent: z.string(), received: z.string(), grownBytes: z.number() })
        .parse(JSON.parse(stdout));
      assert.equal(found.received, found.sent);
      const { stdout: inside } = await sandbox.exec.run("sha256sum < /tmp/large", { timeout: 120 });
      assert.equal(inside.split(" ")[0], found.sent);
      assert.notEqual(found.sent, createHash("sha256").digest("hex"));
      assert.ok(found.grownBytes < 32 * 1024 * 1024, `grew by ${found.grownBytes} bytes`);
    });

    test("has the methods of the TypeScript SDK, and both cover the documented API", async () => {
      const { connection } = scenario;
      const api = await readDocumentedApi(connection.apiUrl);
      const program = pathOf("../sdk-python/tests/every_method.py");
      const { stdout } = await examples.runProgram(program);
      const { methods, exchanges } = everyMethodSchema.parse(JSON.parse(stdout));
      const inTypeScript = methodNames(await scenario.createSandbox());
      assert.deepEqual(methods.toSorted(), inTypeScript.map(nameInPython).toSorted());
      assert.deepEqual(Object.keys(exchanges).toSorted(), methods.toSorted());

      const sent = new Set<string>();
      for (const [name, found] of Object.entries(exchanges)) {
        assert.notEqual(found.length, 0, `${name} sent nothing`);
        for (const { method, url, contentType, body, status, type, response } of found) {
          const headers: Record<string, string> =
            contentType === null ? {} : { "content-type": contentType };
          const init = {
            ...{ method, headers, redirect: "manual" as const },
            ...(body === null
              ? contentType === null
                ? {}
                : { body: new Uint8Array(0) }
              : { body }),
          };
          const exchange: Exchange = {
            ...{ url, init, status, type: type ?? undefined },
            response,
          };
          assert.deepEqual(api.faultsOf(exchange), [], name);
          sent.add(api.operationOf(exchange).name);
        }
      }
      const unsent = api.operationNames.filter((operation) => !sent.has(operation));
      assert.deepEqual(unsent.toSorted(), Object.keys(sentByOthers).toSorted());
    });
  });
}
