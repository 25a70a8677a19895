import assert from "node:assert/strict";
import { constants, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { errorBodySchema } from "@opencomputer/protocol/api";
import { workerSandboxListSchema, workerSandboxSchema } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { hostInterfaceGroups } from "./network/host-rules.ts";
import { parseNetworkBlock } from "./network/network-block.ts";
import { slotAt } from "./network/slot.ts";
import { runProgram } from "./process/run-program.ts";
import { hostGroupOf, removeSlotRules } from "./testing/escaped-process.ts";
import { testInstallation } from "./testing/network-scene.ts";
import {
  newSandboxId,
  processesOf,
  specOf,
  startWorkerScene,
  until,
  type WorkerScene,
} from "./testing/worker-process.ts";

/** All tests share one worker, and its one golden snapshot, in this order. */
describe("worker", () => {
  let scene: WorkerScene;
  let installationId: string;
  let block: string;

  before(async () => {
    const installation = await testInstallation();
    ({ installationId, block } = installation);
    const launcher = ["bash", "-c", 'exec 9<"$0" 200<"$0"; exec "$@"', import.meta.filename];
    scene = await startWorkerScene({ ...installation, launcher });
    await scene.start();
  });

  after(async () => {
    await scene.stop("SIGTERM");
    await scene.close();
  });

  const slotOf = async (sandboxId: string) => {
    const { slotIndex } = await scene.recordOf(sandboxId);
    return slotAt(installationId, parseNetworkBlock(block), slotIndex);
  };
  const codeOf = (body: unknown) => errorBodySchema.parse(body).code;

  test("PUT trust: before it, no sandbox is taken; then it bakes, once for all callers", async () => {
    const early = await scene.call("POST", "/v1/sandboxes", specOf(newSandboxId()));
    assert.equal(early.status, 503);
    assert.equal(codeOf(early.body), "worker_unavailable");
    const { ready } = await scene.status();
    assert.equal(ready, false);
    await Promise.all([scene.trust(), scene.trust()]);
    const bakes = (await scene.log()).match(/"stage":"booting the guest image"/g);
    assert.equal(bakes?.length, 1);
  });

  test("start: a sandbox is prepared, then runs, with its name, environment, CPU and memory", async () => {
    const spec = await scene.prepare();
    const path = `/v1/sandboxes/${spec.sandboxId}`;
    const prepared = workerSandboxSchema.parse((await scene.call("GET", path)).body);
    assert.equal(prepared.state, "prepared");
    const tooEarly = await scene.call("POST", `${path}/exec/run`, { cmd: "true" });
    assert.equal(codeOf(tooEarly.body), "sandbox_not_running");
    const again = await scene.call("POST", "/v1/sandboxes", spec);
    assert.deepEqual(again.body, prepared);
    const otherwise = await scene.call("POST", "/v1/sandboxes", { ...spec, memoryMB: 2048 });
    assert.equal(codeOf(otherwise.body), "name_in_use");
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const started = await scene.call("POST", `${path}/start`);
      assert.deepEqual(started.body, { ...prepared, state: "running" });
    }
    const script = "hostname; echo $GREETING; id -un; nproc; free -m | awk '/^Mem/ {print $2}'";
    const { stdout } = await scene.run(spec.sandboxId, script);
    const [hostname, greeting, user, cpuCount, memoryMB] = stdout.trim().split("\n");
    assert.deepEqual(
      [hostname, greeting, user, cpuCount],
      [spec.sandboxId, "hello", "sandbox", "1"],
    );
    assert.ok(Number(memoryMB) > 850 && Number(memoryMB) <= 1024, memoryMB);
    assert.equal((await scene.call("DELETE", path)).status, 204);
    const gone = await scene.call("DELETE", path);
    assert.equal(gone.status, 404);
    assert.equal(codeOf(gone.body), "sandbox_not_found");
  });

  test("start: each sandbox has its own machine", async () => {
    const script = "cat /etc/machine-id; head -c 16 /dev/urandom | od -An -tx1; date +%s";
    const ids = [await scene.create(), await scene.create()];
    const outputs = await Promise.all(ids.map((id) => scene.run(id, script)));
    const [first, second] = outputs.map(({ stdout }) => stdout.trim().split("\n"));
    assert.notEqual(first?.[0], second?.[0]);
    assert.notEqual(first?.[1], second?.[1]);
    assert.ok(Math.abs(Number(first?.[2]) - Date.now() / 1000) < 30, first?.[2]);
    await Promise.all(ids.map((id) => scene.call("DELETE", `/v1/sandboxes/${id}`)));
  });

  const sizes = [
    { cpuCount: 2, memoryMB: 2048, memoryMin: 1800, memoryMax: 2048 },
    { cpuCount: 1, memoryMB: 512, memoryMin: 300, memoryMax: 512 },
    { cpuCount: 1, memoryMB: 256, memoryMin: 128, memoryMax: 512, extent: " (full run)" },
  ];
  for (const { cpuCount, memoryMB, memoryMin, memoryMax, extent = "" } of sizes) {
    test(`start: ${cpuCount} CPUs and ${memoryMB} MB are what the guest sees${extent}`, async (context) => {
      if (cpuCount > (await scene.status()).cpuCountMax) {
        return context.skip(`the host has fewer than ${cpuCount} CPUs`);
      }
      const id = await scene.create({ cpuCount, memoryMB });
      const { stdout } = await scene.run(id, "nproc; free -m | awk '/^Mem/ {print $2}'");
      const [cpus, memory] = stdout.trim().split("\n").map(Number);
      assert.equal(cpus, cpuCount);
      assert.ok(memory !== undefined && memory > memoryMin && memory <= memoryMax, stdout);
      await scene.call("DELETE", `/v1/sandboxes/${id}`);
    });
  }

  test("POST sandboxes: sizes that the host cannot give are refused", async () => {
    const { cpuCountMax } = await scene.status();
    for (const change of [{ cpuCount: Math.min(8, cpuCountMax + 1) }, { diskMB: 1024 }]) {
      if ("cpuCount" in change && cpuCountMax === 8) continue;
      const spec = { ...specOf(newSandboxId()), ...change };
      const response = await scene.call("POST", "/v1/sandboxes", spec);
      assert.equal(response.status, 400);
      assert.equal(codeOf(response.body), "unsupported_option");
    }
    const response = await scene.call("POST", "/v1/sandboxes", { sandboxId: "sb-1" });
    assert.equal(codeOf(response.body), "invalid_request");
  });

  describe("a running sandbox", () => {
    let id: string;
    before(async () => {
      id = await scene.create();
    });
    after(async () => {
      await scene.call("DELETE", `/v1/sandboxes/${id}`);
    });

    test("exec: separate streams, exit code, environment, directory, arguments", async () => {
      assert.deepEqual(await scene.run(id, "echo out; echo err >&2; exit 7"), {
        exitCode: 7,
        stdout: "out\n",
        stderr: "err\n",
      });
      const inTmp = await scene.run(id, "pwd; echo $A", { cwd: "/tmp", envs: { A: "b c" } });
      assert.equal(inTmp.stdout, "/tmp\nb c\n");
      const argv = await scene.run(id, "printf", { args: ["%s|", "$HOME", "a b"] });
      assert.equal(argv.stdout, "$HOME|a b|");
    });

    test("exec: a time-out ends the command and nothing else", async () => {
      const result = await scene.run(id, "echo before; sleep 100", { timeout: 1 });
      assert.equal(result.exitCode, -1);
      assert.equal(result.stdout, "before\n");
      assert.ok(result.stderr.endsWith("\nProcess timed out"));
      assert.equal((await scene.run(id, "echo alive")).stdout, "alive\n");
    });

    test("exec: the guest's refusals come through with their codes", async () => {
      const path = `/v1/sandboxes/${id}/exec/run`;
      const unknown = await scene.call("POST", path, { cmd: "no-such-program", args: [] });
      assert.equal(codeOf(unknown.body), "command_not_found");
      const nowhere = await scene.call("POST", path, { cmd: "true", cwd: "/nowhere" });
      assert.equal(codeOf(nowhere.body), "working_directory_not_found");
      const malformed = await scene.call("POST", path, { cmd: "" });
      assert.equal(codeOf(malformed.body), "invalid_request");
    });

    test("exec: 10 MB of output arrive whole", async () => {
      const { stdout } = await scene.run(id, "head -c 10000000 /dev/zero | tr '\\0' x");
      assert.equal(stdout.length, 10_000_000);
    });

    test("files: up, listed, down, removed", async () => {
      const files = `/v1/sandboxes/${id}/files`;
      const content = "line\n".repeat(300_000);
      const at = (path: string) => `path=${encodeURIComponent(path)}`;
      assert.equal(
        (await scene.call("POST", `${files}/mkdir?${at("/workspace/a b")}`)).status,
        204,
      );
      const put = await scene.call("PUT", `${files}?${at("/workspace/a b/c.txt")}`, content);
      assert.equal(put.status, 204);
      const list = await scene.call("GET", `${files}/list?${at("/workspace/a b")}`);
      assert.deepEqual(list.body, [
        { name: "c.txt", path: "/workspace/a b/c.txt", isDir: false, size: content.length },
      ]);
      const got = await scene.call("GET", `${files}?${at("/workspace/a b/c.txt")}`);
      assert.equal(got.body, content);
      assert.equal((await scene.call("DELETE", `${files}?${at("/workspace/a b")}`)).status, 204);
      const missing = await scene.call("GET", `${files}?${at("/workspace/a b/c.txt")}`);
      assert.equal(missing.status, 404);
      assert.equal(codeOf(missing.body), "file_not_found");
      const empty = await scene.call("PUT", `${files}?${at("/workspace/empty")}`);
      assert.equal(empty.status, 204);
    });

    test("trust: the guest trusts the installation's certificate, and not another", async () => {
      await scene.call("PUT", `/v1/sandboxes/${id}/files?path=/tmp/ca.pem`, scene.authority);
      const verified = await scene.run(
        id,
        "openssl verify -CAfile $SSL_CERT_FILE /tmp/ca.pem && openssl verify /tmp/ca.pem",
      );
      assert.equal(verified.exitCode, 0, verified.stderr);
      const other = await scene.run(
        id,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -subj /CN=x -out /tmp/x.pem 2>/dev/null; openssl verify /tmp/x.pem",
      );
      assert.notEqual(other.exitCode, 0);
    });

    test("its QEMU is no root, has no capability, a seccomp filter, no core dumps", async () => {
      for (const pid of await processesOf(installationId)) {
        const status = await readFile(`/proc/${pid}/status`, "utf8");
        const field = (name: string) =>
          new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "missing";
        assert.ok(Number(field("Uid").split("\t")[0]) >= 2 ** 29);
        assert.ok(Number(field("Gid").split("\t")[0]) >= 2 ** 29);
        assert.match(field("CapEff"), /^0+$/);
        assert.match(field("CapPrm"), /^0+$/);
        assert.equal(field("NoNewPrivs"), "1");
        assert.equal(field("Seccomp"), "2");
        const limits = await readFile(`/proc/${pid}/limits`, "utf8");
        assert.match(limits, /^Max core file size\s+0\s+0/m);
      }
    });

    test("its QEMU has no file open that was left open for the worker", async () => {
      const pids = await processesOf(installationId);
      assert.ok(pids.length > 0);
      for (const pid of pids) {
        const descriptors = await readdir(`/proc/${pid}/fd`);
        const files = await Promise.all(
          descriptors.map((descriptor) => readlink(`/proc/${pid}/fd/${descriptor}`)),
        );
        assert.ok(files.some((file) => file.endsWith("/dev/net/tun")));
        assert.ok(!files.includes(import.meta.filename), files.join("\n"));
      }
    });

    test("its QEMU is in its own namespaces, and finds only the layers of its own disk", async () => {
      const record = await scene.recordOf(id);
      const { pid } = record.process;
      for (const kind of ["mnt", "pid", "ipc", "uts", "net"]) {
        const [own, host] = await Promise.all(
          [String(pid), "self"].map((process) => readlink(`/proc/${process}/ns/${kind}`)),
        );
        assert.notEqual(own, host, kind);
      }
      const root = `/proc/${pid}/root`;
      const layers = await readdir(join(root, scene.dataDirectory, "worker/layers"));
      assert.deepEqual(
        layers,
        record.disk.layers.map((layer) => `${layer}.qcow2`),
      );
      assert.deepEqual(await readdir(join(root, scene.dataDirectory)), [
        "golden",
        "images",
        "worker",
      ]);
      assert.deepEqual(await readdir(join(root, scene.runtimeDirectory, "machines")), [record.id]);
    });

    test("its QEMU has the golden memory open for reading alone", async () => {
      const { pid } = (await scene.recordOf(id)).process;
      const accessModes: number[] = [];
      for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
        if (!(await readlink(`/proc/${pid}/fd/${descriptor}`)).endsWith("/memory")) continue;
        const information = await readFile(`/proc/${pid}/fdinfo/${descriptor}`, "utf8");
        const flags = /^flags:\s*([0-7]+)$/m.exec(information)?.[1] ?? "";
        accessModes.push(Number.parseInt(flags, 8) & (constants.O_WRONLY | constants.O_RDWR));
      }
      assert.deepEqual(accessModes, [constants.O_RDONLY]);
    });

    test("no guest sees another's files, and the golden snapshot does not change", async () => {
      await scene.run(id, "echo mine > /workspace/mine; sync");
      const otherId = await scene.create();
      const other = await scene.run(otherId, "cat /workspace/mine");
      assert.notEqual(other.exitCode, 0);
      await scene.call("DELETE", `/v1/sandboxes/${otherId}`);
    });
  });

  test("ten sandboxes at once all work (full run)", async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => scene.create()));
    const names = await Promise.all(ids.map((id) => scene.run(id, "hostname")));
    assert.deepEqual(
      names.map(({ stdout }) => stdout.trim()),
      ids,
    );
    const { body } = await scene.call("GET", "/v1/sandboxes");
    const list = workerSandboxListSchema.parse(body);
    assert.equal(new Set(list.map(({ sourceAddress }) => sourceAddress)).size, 10);
    const removed = await Promise.all(ids.map((id) => scene.call("DELETE", `/v1/sandboxes/${id}`)));
    assert.ok(removed.every(({ status }) => status === 204));
  });

  test("DELETE leaves no process, interface, namespace, cgroup, socket or file", async () => {
    const id = await scene.create();
    await scene.call("DELETE", `/v1/sandboxes/${id}`);
    await until("only the pool is left", async () => {
      const { processes, machines, namespaces, links, sockets } = await scene.traces();
      const counts = [processes, machines, namespaces, links, sockets].map(({ length }) => length);
      return counts.every((count) => count === 1);
    });
  });

  for (const [signal, extent] of [
    ["SIGKILL", ""],
    ["SIGTERM", " (full run)"],
  ] as const) {
    test(`a worker ended by ${signal} finds its sandboxes again${extent}`, async () => {
      const id = await scene.create();
      const preparedOnly = await scene.prepare();
      await scene.run(
        id,
        "echo kept > /workspace/kept; sleep 1000 >/dev/null 2>&1 & echo $! > /tmp/pid",
      );
      const before = await scene.call("GET", `/v1/sandboxes/${id}`);
      const { instanceId } = await scene.status();
      await scene.stop(signal);
      const slots = await Promise.all([id, preparedOnly.sandboxId].map(slotOf));
      // As an older worker leaves them, and one that ended before it loaded the rules.
      for (const slot of slots) {
        await removeSlotRules(slot);
        await runProgram("ip", ["link", "set", "dev", slot.name, "group", "default"]);
      }
      await scene.start();
      for (const slot of slots) {
        assert.equal(await hostGroupOf(slot), hostInterfaceGroups.allowlisted);
        const rules = ["nft", "list", "chain", "inet", "slot", "output"];
        assert.match(
          await runProgram("nsenter", [`--net=/run/netns/${slot.name}`, ...rules]),
          /policy drop/,
        );
      }
      assert.notEqual((await scene.status()).instanceId, instanceId);
      assert.deepEqual((await scene.call("GET", `/v1/sandboxes/${id}`)).body, before.body);
      const kept = await scene.run(
        id,
        "cat /workspace/kept; kill -0 $(cat /tmp/pid) && echo alive",
      );
      assert.equal(kept.stdout, "kept\nalive\n");
      assert.equal((await processesOf(installationId)).length, 2);
      const started = await scene.call("POST", `/v1/sandboxes/${preparedOnly.sandboxId}/start`);
      assert.equal(started.status, 200);
      assert.equal((await scene.run(preparedOnly.sandboxId, "hostname")).exitCode, 0);
      await scene.trust();
      for (const sandboxId of [id, preparedOnly.sandboxId]) {
        assert.equal((await scene.call("DELETE", `/v1/sandboxes/${sandboxId}`)).status, 204);
      }
    });
  }

  test("a machine that ends by itself leaves its sandbox hibernated, without memory; its commands fail", async () => {
    const id = await scene.create();
    const path = `/v1/sandboxes/${id}`;
    const hanging = scene.call("POST", `${path}/exec/run`, { cmd: "sleep 1000", timeout: 2000 });
    await scene.run(
      id,
      "sudo sh -c 'echo 1 > /proc/sys/kernel/sysrq; echo o > /proc/sysrq-trigger' &",
    );
    await until("the sandbox is hibernated", async () => {
      const { body } = await scene.call("GET", path);
      return workerSandboxSchema.parse(body).state === "hibernated";
    });
    const left = workerSandboxSchema.parse((await scene.call("GET", path)).body);
    assert.deepEqual([left.memory, left.sourceAddress], ["lost", null]);
    assert.equal(codeOf((await hanging).body), "outcome_unknown");
    const refused = await scene.call("POST", `${path}/exec/run`, { cmd: "true" });
    assert.equal(codeOf(refused.body), "sandbox_not_running");
    assert.equal((await scene.call("DELETE", path)).status, 204);
  });

  test("a machine that ended while the worker was away leaves its sandbox hibernated, without memory", async () => {
    const id = await scene.create();
    await scene.stop("SIGKILL");
    for (const pid of await processesOf(installationId)) process.kill(pid, "SIGKILL");
    await scene.start();
    const { body } = await scene.call("GET", `/v1/sandboxes/${id}`);
    const { state, memory } = workerSandboxSchema.parse(body);
    assert.deepEqual([state, memory], ["hibernated", "lost"]);
    assert.equal((await scene.call("DELETE", `/v1/sandboxes/${id}`)).status, 204);
  });

  test("SIGTERM without sandboxes leaves nothing on the host", async () => {
    await scene.trust();
    assert.equal(await scene.stop("SIGTERM"), 0);
    assert.deepEqual(await scene.traces(), {
      processes: [],
      links: [],
      namespaces: [],
      tables: [],
      egressAddresses: [],
      cgroups: [],
      sockets: [],
      machines: [],
    });
  });

  test("a copied data directory serves elsewhere: its disks name each other relatively", async () => {
    const golden = join(scene.dataDirectory, "golden");
    const [fingerprint = "none"] = await readdir(golden);
    for (const disk of ["disk.qcow2", "overlay.qcow2"]) {
      const path = join(golden, fingerprint, disk);
      const output = await runProgram("qemu-img", ["info", "-U", "--output=json", path]);
      const { "backing-filename": backing } = z
        .object({ "backing-filename": z.string() })
        .parse(JSON.parse(output));
      assert.ok(backing.startsWith("../"), backing);
    }
  });
});
