import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";

const hosts = ["parent.example.test", "fork.example.test", "third.example.test"] as const;
const [parentHost, forkHost, thirdHost] = hosts;
const values = {
  parentShared: "canary-forks-77a1-parent-shared",
  parentOnly: "canary-forks-77a1-parent-only",
  forkShared: "canary-forks-77a1-fork-shared",
  forkOnly: "canary-forks-77a1-fork-only",
  thirdOnly: "canary-forks-77a1-third-only",
};

/**
 * A process that took its token from the environment once, and uses it when
 * it is given a host and a name for the request.
 */
const agent = `mkfifo /tmp/orders /tmp/outcomes
cat > /tmp/agent.sh <<'END'
while read -r host name < /tmp/orders; do
  curl -sS -m 30 "https://$host/$name" -H "x-key: $SHARED" > /tmp/response 2>&1
  echo $? > /tmp/outcomes
done
END
nohup bash /tmp/agent.sh > /dev/null 2>&1 &`;

describe("forks and their secrets", () => {
  let scenario: Scenario;
  let stores: { parent: string; fork: string; third: string };
  let parent: Sandbox;
  let checkpointId: string;
  let fork: Sandbox;

  before(async () => {
    scenario = await startSharedScenario({ hosts: [...hosts] });
    const create = async (
      host: string,
      secrets: Record<string, string | { value: string; allowedHosts: string[] }>,
    ) => (await scenario.createStore({ egressAllowlist: [host], secrets })).name;
    stores = {
      parent: await create(parentHost, {
        SHARED: { value: values.parentShared, allowedHosts: [parentHost] },
        PARENT_ONLY: values.parentOnly,
      }),
      fork: await create(forkHost, {
        SHARED: { value: values.forkShared, allowedHosts: [forkHost] },
        FORK_ONLY: values.forkOnly,
      }),
      third: await create(thirdHost, { THIRD_ONLY: values.thirdOnly }),
    };
    parent = await scenario.createSandbox({
      secretStore: stores.parent,
      envs: { PLAIN: "parent" },
      metadata: { team: "a" },
    });
    await run(parent, `${agent} echo parent > /workspace/file; sync`);
    checkpointId = (await parent.createCheckpoint("base")).id;
    fork = await forkOf(checkpointId, { secretStore: stores.fork, envs: { PLAIN: "fork" } });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const forkOf = (id: string, options: Parameters<typeof Sandbox.createFromCheckpoint>[1] = {}) =>
    Sandbox.createFromCheckpoint(id, { ...scenario.connection, timeout: 0, ...options });
  async function run(of: Sandbox, command: string): Promise<string> {
    const { exitCode, stdout, stderr } = await of.exec.run(command);
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  }
  const received = (name: string) =>
    scenario.internet.requests.find(({ url }) => url === `/${name}`)?.headers["x-key"];
  /** Sends a variable to each target, under a name for the request. */
  const curl = (of: Sandbox, ...sent: [target: string, name: string, variable: string][]) => {
    const requests = sent.map(
      ([target, name, variable]) => `-sS -m 30 https://${target}/${name} -H "x-key: $${variable}"`,
    );
    return of.exec.run(`curl --fail-early ${requests.join(" --next ")}`);
  };
  /** Has the process that came out of the parent's memory send a request. */
  async function order(of: Sandbox, target: string, name: string): Promise<number> {
    return Number(await run(of, `echo ${target} ${name} > /tmp/orders; cat /tmp/outcomes`));
  }

  test("a fork has the parent's files, tokens and envs, and its own identity", async () => {
    assert.notEqual(fork.sandboxId, parent.sandboxId);
    assert.equal(await run(fork, "cat /workspace/file; hostname"), `parent\n${fork.sandboxId}`);
    for (const name of ["SHARED", "PARENT_ONLY"]) {
      assert.equal(await run(fork, `echo $${name}`), await run(parent, `echo $${name}`));
    }
    assert.match(await run(fork, "echo $FORK_ONLY"), /^osb_sealed_[0-9a-f]{32}$/);
    assert.deepEqual(
      [await run(parent, "echo $PLAIN"), await run(fork, "echo $PLAIN")],
      ["parent", "fork"],
    );
    const [ofParent, ofFork] = [parent, fork].map((one) => run(one, "cat /etc/machine-id"));
    assert.notEqual(await ofParent, await ofFork);
    assert.deepEqual((await fork.getInfo()).metadata, { team: "a" });
  });

  test("a process in the parent's memory uses its token: each sandbox's own value goes out", async () => {
    assert.equal(await order(fork, forkHost, "memory-fork"), 0);
    assert.equal(received("memory-fork"), values.forkShared);
    assert.equal(await order(parent, parentHost, "memory-parent"), 0);
    assert.equal(received("memory-parent"), values.parentShared);
  });

  test("host limits are those of the secret that applies; lists are joined, and the parent's does not change", async () => {
    const token = await run(fork, "echo $SHARED");
    const { exitCode, stderr } = await curl(
      fork,
      [parentHost, "limited", "SHARED"],
      [parentHost, "inherited", "PARENT_ONLY"],
      [forkHost, "own", "FORK_ONLY"],
    );
    assert.equal(exitCode, 0, stderr);
    assert.equal(received("limited"), token, "the fork's value is for the fork's host");
    assert.equal(received("inherited"), values.parentOnly);
    assert.equal(received("own"), values.forkOnly);
    await parent.exec.run(`curl -sS -m 5 https://${forkHost}/refused -H "x-key: $SHARED"`);
    assert.ok(!scenario.internet.requests.some(({ url }) => url === "/refused"));
    assert.deepEqual(await fork.allowedHosts(), {
      sandboxID: fork.sandboxId,
      secretStore: stores.fork,
      baseSecretStore: stores.parent,
      egressAllowlist: [parentHost, forkHost],
      perSecretAllowedHosts: { SHARED: [forkHost] },
      secretsForAllHosts: ["FORK_ONLY", "PARENT_ONLY"],
    });
    assert.deepEqual((await parent.allowedHosts()).egressAllowlist, [parentHost]);
  });

  test("a token has no effect in an unrelated sandbox", async () => {
    const token = await run(parent, "echo $SHARED");
    const stranger = await scenario.createSandbox({ secretStore: stores.parent });
    const command = `curl -sS -m 30 https://${parentHost}/stranger -H "x-key: ${token}"`;
    assert.equal((await stranger.exec.run(command)).exitCode, 0);
    assert.equal(received("stranger"), token);
    await stranger.kill();
  });

  test("a fork of a fork begins with the merged result; disk_only boots anew with it", async () => {
    await run(fork, "echo fork > /workspace/file; sync");
    const { id } = await fork.createCheckpoint("second", { kind: "disk_only" });
    const third = await forkOf(id, { secretStore: stores.third });
    assert.equal(
      await run(third, "cat /workspace/file; pgrep -c -f '[a]gent.sh' || true"),
      "fork\n0",
    );
    assert.equal(await run(third, "echo $SHARED"), await run(parent, "echo $SHARED"));
    const { exitCode, stderr } = await curl(
      third,
      [forkHost, "third-shared", "SHARED"],
      [parentHost, "third-parent", "PARENT_ONLY"],
      [thirdHost, "third-own", "THIRD_ONLY"],
    );
    assert.equal(exitCode, 0, stderr);
    assert.equal(received("third-shared"), values.forkShared);
    assert.equal(received("third-parent"), values.parentOnly);
    assert.equal(received("third-own"), values.thirdOnly);
    const { secretStore, baseSecretStore, egressAllowlist } = await third.allowedHosts();
    assert.deepEqual([secretStore, baseSecretStore], [stores.third, stores.fork]);
    assert.deepEqual(egressAllowlist, [...hosts]);
    await third.kill();
  });

  test("patches run in order in each fork; the first failure stops them, is reported, and leaves the fork usable", async () => {
    const add = (script: string, description?: string) =>
      Sandbox.createCheckpointPatch(checkpointId, { ...scenario.connection, script, description });
    await add("echo one >> /workspace/patches");
    const failing = await add("echo two >> /workspace/patches; echo no luck >&2; exit 7", "bad");
    await add("echo three >> /workspace/patches");
    const failed = await forkOf(checkpointId);
    assert.match(
      (await failed.getInfo()).patchError ?? "",
      /Patch 2 \(bad\).*exit code 7.*no luck/,
    );
    assert.equal(await run(failed, "cat /workspace/patches"), "one\ntwo");
    await failed.kill();
    await Sandbox.deleteCheckpointPatch(checkpointId, failing.id, scenario.connection);
    const good = await forkOf(checkpointId);
    assert.equal((await good.getInfo()).patchError, undefined);
    assert.equal(await run(good, "cat /workspace/patches"), "one\nthree");
    await good.kill();
  });

  const forkCount = 4;
  test(`${forkCount} forks at once outlive parent and checkpoint, independently (full run)`, async () => {
    const forks = await Promise.all(Array.from({ length: forkCount }, () => forkOf(checkpointId)));
    await parent.deleteCheckpoint(checkpointId);
    await parent.kill();
    await Promise.all(forks.map((one, index) => run(one, `echo ${index} > /workspace/file; sync`)));
    for (const [index, one] of forks.entries()) {
      await one.hibernate();
      assert.equal(await run(one, "cat /workspace/file"), String(index));
    }
    const names = forks.map((_one, index) => `many-${index}`);
    await Promise.all(
      forks.map((one, index) => curl(one, [parentHost, `many-${index}`, "PARENT_ONLY"])),
    );
    assert.deepEqual(
      names.map(received),
      names.map(() => values.parentOnly),
    );
  });
});
