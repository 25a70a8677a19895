import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import {
  formsOf,
  type Scenario,
  searchDisk,
  searchSavedState,
  startScenario,
} from "@opencomputer/harness";
import { Image, Project, Sandbox, SecretStore, Snapshots } from "@opencomputer/sdk";
import { createGitServer, type GitServer } from "./git-server.ts";

const host = "api.example.test";
const gitHost = "git.example.test";
/** Every value begins with it: a search for it finds all of them. */
const canary = `canary/${randomBytes(12).toString("hex")}`;
/** What the sandboxes are given openly, in the forms that are searched for. */
const planted = `planted/${randomBytes(12).toString("hex")}`;
const values = {
  store: `${canary}+store`,
  rotated: `${canary}+rotated`,
  project: `${canary}+project`,
  git: `${canary}-git`,
  limited: `${canary}+limited`,
  fork: `${canary}+fork`,
  image: `${canary}+image`,
};
const pollMilliseconds = 200;

/** One request for each way that a secret goes out or comes back, all by one process, which is slow to start. */
const useEveryWay = `set -e
curl --fail-early -sS https://${host}/header -H "x-key: $KEY" -o echoed-header \\
  --next -sS https://${host}/basic -u "user:$KEY" -o echoed-basic \\
  --next -sS https://${host}/body -H 'content-type: application/json' -d "{\\"key\\":\\"$KEY\\"}" -o echoed-body \\
  --next -sS https://${host}/form --data-urlencode "key=$KEY" -o echoed-form \\
  --next -sS https://${host}/project -H "x-key: $PROJECT_KEY" -o echoed-project \\
  --next -sS https://${host}/limited -H "x-key: $LIMITED" -o echoed-limited
env > environment
sync`;
const useGit = `set -e
git clone -q "https://bot:$GIT_KEY@${gitHost}/repository.git" work && cd work
git config user.email a@example.test && git config user.name a
echo text > text && git add text && git commit -qm text && git push -q origin HEAD && sync`;

describe("nothing that is saved has a secret value", () => {
  let git: GitServer;
  let scenario: Scenario;
  let store: { id: string; name: string };
  let running: Sandbox;
  let checkpointId: string;

  before(async () => {
    git = await createGitServer({ user: "bot", password: values.git });
    scenario = await startScenario({
      hosts: [host, gitHost],
      environment: { OPENCOMPUTER_WARM_POOL_SIZE: "0" },
      handler(request, response, body) {
        if (request.headers.host === gitHost) return git.handle(request, response, body);
        // An echo service: what goes out comes back.
        const { authorization, "x-key": key } = request.headers;
        response.end(JSON.stringify({ authorization, key, body: body.toString() }));
      },
    });
  });
  after(async () => {
    assert.deepEqual(await scenario.end(), []);
    await git.close();
  });

  async function run(of: Sandbox, script: string): Promise<string> {
    const { exitCode, stdout, stderr } = await of.exec.run(script, { timeout: 120 });
    assert.equal(exitCode, 0, stdout + stderr);
    return stdout;
  }
  const received = (path: string) =>
    scenario.internet.requests.filter(({ url }) => url === path).at(-1);
  async function checkpoint(of: Sandbox, name: string, kind: "full" | "disk_only") {
    const { id } = await of.createCheckpoint(name, { kind });
    const isReady = async () =>
      (await of.listCheckpoints()).some((one) => one.id === id && one.status === "ready");
    while (!(await isReady())) await new Promise((done) => setTimeout(done, pollMilliseconds));
    return id;
  }
  const forkOf = (id: string, secretStore?: string) =>
    Sandbox.createFromCheckpoint(id, { ...scenario.connection, secretStore, timeout: 0 });

  test("secrets are used in every way: header, Basic, body, git, layers and rotation", async () => {
    const { connection } = scenario;
    store = await scenario.createStore({
      egressAllowlist: [host, gitHost],
      secrets: {
        KEY: values.store,
        GIT_KEY: { value: values.git, allowedHosts: [gitHost] },
        LIMITED: { value: values.limited, allowedHosts: [gitHost] },
      },
    });
    const project = await Project.create({ ...connection, name: "saved", egressAllowlist: [host] });
    await Project.setSecret(project.id, "PROJECT_KEY", values.project, connection);
    running = await scenario.createSandbox({
      secretStore: store.name,
      project: "saved",
      envs: { PLANTED: planted },
    });
    await run(running, useEveryWay);
    assert.equal(received("/header")?.headers["x-key"], values.store);
    const basic = Buffer.from(`user:${values.store}`).toString("base64");
    assert.equal(received("/basic")?.headers["authorization"], `Basic ${basic}`);
    assert.equal(received("/body")?.body, JSON.stringify({ key: values.store }));
    assert.equal(received("/project")?.headers["x-key"], values.project);
    assert.match(received("/limited")?.headers["x-key"] ?? "", /^osb_sealed_/);
    await run(running, useGit);
    assert.match(await git.log(), /text/);
    await SecretStore.setSecret(store.id, "KEY", values.rotated, connection);
    await run(running, useEveryWay);
    assert.equal(received("/header")?.headers["x-key"], values.rotated);
  });

  test("saved in every way: checkpoints, forks of forks, restores, hibernation, images, patches", async () => {
    const { connection } = scenario;
    // In memory and on disk, so that a search that finds nothing of the values has looked there.
    const forms = formsOf(planted).map(({ bytes }) => bytes.toString("base64"));
    await run(
      running,
      forms
        .map((form, index) => `echo ${form} | base64 -d | tee /dev/shm/${index} > planted-${index}`)
        .concat("sync")
        .join("\n"),
    );
    checkpointId = await checkpoint(running, "full", "full");
    await Sandbox.createCheckpointPatch(checkpointId, {
      ...connection,
      script: `curl -sS https://${host}/patch -H "x-key: $KEY" > /home/sandbox/patched`,
    });
    const forkStore = await scenario.createStore({
      egressAllowlist: [host],
      secrets: { FORK_KEY: values.fork },
    });
    const fork = await forkOf(checkpointId, forkStore.name);
    assert.equal(received("/patch")?.headers["x-key"], values.rotated);
    await run(fork, `curl -sS https://${host}/fork -H "x-key: $FORK_KEY" > echoed; sync`);
    assert.equal(received("/fork")?.headers["x-key"], values.fork);
    const secondFork = await forkOf(await checkpoint(fork, "disk", "disk_only"));
    await run(secondFork, `curl -sS https://${host}/second -H "x-key: $FORK_KEY" > echoed; sync`);
    await secondFork.hibernate();
    await secondFork.wake();
    await run(secondFork, useEveryWay);
    await secondFork.hibernate();
    await fork.hibernate();
    await running.restoreCheckpoint(checkpointId);
    await run(running, useEveryWay);

    const imageStore = await scenario.createStore({
      egressAllowlist: [host],
      secrets: { KEY: values.image },
    });
    await new Snapshots(connection).create({
      name: "saved-image",
      image: Image.base().runCommands("echo built > /opt/built"),
    });
    const fromImage = await scenario.createSandbox({
      snapshot: "saved-image",
      secretStore: imageStore.name,
    });
    await run(fromImage, `curl -sS https://${host}/image -H "x-key: $KEY" > echoed; sync`);
    assert.equal(received("/image")?.headers["x-key"], values.image);
    await checkpoint(fromImage, "full", "full");
    await fromImage.hibernate();
  });

  test("no file has a value: memory, states, disks as files and as guests see them, database, logs", async () => {
    const { dataDirectory } = scenario.installation;
    const { leaks, bytesSearched } = await searchSavedState(dataDirectory, [canary, planted]);
    assert.deepEqual(
      leaks.filter(({ valueIndex }) => valueIndex === 0),
      [],
    );
    assert.ok(bytesSearched > 1024 ** 3, `${bytesSearched} bytes were searched`);
    // What was planted shows that each kind of file was searched, for each form.
    const forms = formsOf(planted).map(({ form }) => form);
    for (const place of [
      /^worker\/hibernated\/[^/]+\/memory$/,
      /^worker\/checkpoints\/[^/]+\/memory$/,
      /^worker\/layers\/[^/]+\.qcow2$/,
    ]) {
      const found = leaks.filter((leak) => place.test(relative(dataDirectory, leak.place)));
      assert.deepEqual(new Set(found.map(({ form }) => form)), new Set(forms), String(place));
    }
    assert.ok(leaks.some(({ place }) => relative(dataDirectory, place).startsWith("postgresql/")));
  });

  test("the search finds each form in each kind of file", async () => {
    const directory = await mkdtemp(join(tmpdir(), "opencomputer-planted-"));
    const kinds = [
      "checkpoints/a/memory",
      "checkpoints/a/state",
      "postgresql/15/base/1/2",
      "logs/w.log",
    ];
    try {
      for (const { form, bytes } of formsOf(canary)) {
        const paths = kinds.map((kind) => join(directory, kind));
        for (const path of paths) {
          await mkdir(join(path, ".."), { recursive: true });
          await writeSparse(path, bytes);
        }
        const image = join(directory, "layers/b.qcow2");
        await mkdir(join(image, ".."), { recursive: true });
        await writeCompressed(image, bytes);
        paths.push(image);
        const { leaks } = await searchSavedState(directory, [canary]);
        const found = new Set(leaks.filter((leak) => leak.form === form).map(({ place }) => place));
        assert.deepEqual(found, new Set(paths), form);
        const chain = await searchDisk(image, [canary]);
        assert.ok(chain.leaks.some((leak) => leak.form === form));
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

/** The bytes behind a hole of 20 MiB, and another hole behind them. */
async function writeSparse(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.write(bytes, 0, bytes.length, 20 * 1024 * 1024 + 17);
    await file.truncate(40 * 1024 * 1024);
  } finally {
    await file.close();
  }
}

/** A disk image that has the bytes in a compressed cluster: the file does not show them. */
async function writeCompressed(path: string, bytes: Uint8Array): Promise<void> {
  const content = Buffer.alloc(64 * 1024, "filling ");
  content.set(bytes, 1000);
  const raw = `${path}.raw`;
  await writeFile(raw, content);
  await promisify(execFile)("qemu-img", ["convert", "-c", "-f", "raw", "-O", "qcow2", raw, path]);
  await rm(raw);
}
