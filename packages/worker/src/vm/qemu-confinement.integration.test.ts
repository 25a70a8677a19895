import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, link, mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { layerMounts } from "../host/layer-mounts.ts";
import { createSlotHost } from "../network/create-slot-host.ts";
import { createSlots } from "../network/create-slots.ts";
import { parseNetworkBlock } from "../network/network-block.ts";
import { type Slot, slotInterfaces } from "../network/slot.ts";
import { confined } from "../process/confinement.ts";
import { runProgram } from "../process/run-program.ts";
import { listConfined, probeConfined, probeHost } from "../testing/confined-probe.ts";
import { testInstallation } from "../testing/network-scene.ts";
import { newMachineShape } from "./machine-shape.ts";
import type { QemuLaunch } from "./qemu-arguments.ts";
import { type DiskFiles, qemuConfinement } from "./qemu-confinement.ts";

const { installationId, block } = await testInstallation();
const workerGroupId = 60_990;

/** A probe runs instead of QEMU, as code would that broke out of a guest. */
describe("what QEMU is confined to", () => {
  const parsedBlock = parseNetworkBlock(block);
  const host = createSlotHost({ installationId, block: parsedBlock, deniedRanges: [] });
  const slots = createSlots({ installationId, block: parsedBlock, host });
  const abstractName = `opencomputer-test-${installationId}`;
  const closing: (() => Promise<unknown> | unknown)[] = [];
  let slot: Slot;
  let root: string;
  let links: string;
  let launch: QemuLaunch;
  let disk: DiskFiles;
  let twin: ChildProcess;
  let sharedMemoryId: string;
  let own: { layer: string; sharedLayer: string; socket: string };
  let foreign: { layer: string; key: string; memory: string; socket: string };

  const confinement = () =>
    qemuConfinement({
      ...{ launch, disk, networkNamespace: slot.name, reportDescriptor: 4 },
      user: { userId: slot.userId, groupId: slot.userId, otherGroupIds: [workerGroupId] },
    });
  const task = (paths: readonly string[]) => ({
    paths,
    abstractSockets: [abstractName],
    unixSockets: [own.socket, foreign.socket],
    processIds: [twin.pid ?? 0, process.pid],
  });

  /** A file that everybody may read and write: only the confinement is in the way. */
  async function place(path: string, mode = 0o666): Promise<string> {
    const full = join(root, path);
    await mkdir(dirname(full), { recursive: true, mode: 0o755 });
    await writeFile(full, path);
    await chmod(full, mode);
    return full;
  }

  async function listen(path: string): Promise<void> {
    const server = createServer((socket) => socket.end());
    server.listen(path);
    await once(server, "listening");
    if (path.startsWith("/")) await chmod(path, 0o666);
    closing.push(() => server.close());
  }

  before(async () => {
    slot = await slots.open();
    closing.push(() => slots.close(slot));
    root = await mkdtemp(join(tmpdir(), "confinement-"));
    closing.push(() => rm(root, { recursive: true }));
    await chmod(root, 0o755);
    const layers = join(root, "worker/layers");
    own = {
      layer: await place("worker/layers/1111.qcow2", 0o600),
      sharedLayer: await place("worker/layers/2222.qcow2", 0o640),
      socket: join(root, "sockets/own/qmp"),
    };
    // A layer of a machine that had the slot earlier, and is shared since, is its user's too.
    for (const layer of [own.layer, own.sharedLayer]) {
      await chown(layer, slot.userId, workerGroupId);
    }
    foreign = {
      layer: await place("worker/layers/3333.qcow2"),
      key: await place("encryption-key"),
      memory: await place("golden/b/memory"),
      socket: join(root, "sockets/foreign/qmp"),
    };
    links = join(root, "worker/disks/own");
    await mkdir(links, { recursive: true });
    // As a worker that was broken into may have one made: it leads nowhere.
    await symlink(foreign.key, join(links, "4444.qcow2"));
    for (const layer of [own.layer, own.sharedLayer]) {
      await link(layer, join(links, layer.slice(layers.length + 1)));
    }
    for (const path of [own.socket, foreign.socket]) {
      await mkdir(dirname(path), { recursive: true });
      await listen(path);
    }
    await listen(`\0${abstractName}`);
    sharedMemoryId = /\d+/.exec(await runProgram("ipcmk", ["-M", "4096", "-p", "0666"]))?.[0] ?? "";
    closing.push(() => runProgram("ipcrm", ["-m", sharedMemoryId]));
    const user = [`--reuid=${slot.userId}`, `--regid=${slot.userId}`, "--clear-groups"];
    twin = spawn("setpriv", [...user, "sleep", "600"]);
    await once(twin, "spawn");
    closing.push(() => twin.kill("SIGKILL"));
    const golden = await place("golden/a/disk.qcow2");
    disk = {
      mounts: [
        ...(await layerMounts({
          linkDirectory: links,
          layersDirectory: layers,
          newestName: "1111.qcow2",
        })),
        { source: golden, target: golden, access: "read" },
      ],
      directory: layers,
    };
    launch = {
      name: "confined",
      shape: newMachineShape("tcg", 1024),
      kernel: { path: await place("images/a/kernel"), commandLine: "" },
      initramfsPath: await place("images/a/initramfs"),
      memoryPath: await place("golden/a/memory"),
      cpuCount: 1,
      diskPath: own.layer,
      qmpSocketPath: own.socket,
      statePath: null,
    };
  });

  after(async () => {
    for (const close of closing.reverse()) await close();
  });

  test("of the data directory it has the files of its machine, and of the host its program", async () => {
    const files = await listConfined(confinement());
    const inRoot = files.filter((path) => path.startsWith(`${root}/`));
    assert.deepEqual(
      inRoot.sort(),
      [
        ...[own.layer, own.sharedLayer, own.socket, launch.kernel.path, launch.initramfsPath],
        ...[launch.memoryPath ?? "", join(root, "golden/a/disk.qcow2")],
        join(root, "worker/layers/4444.qcow2"),
      ].sort(),
    );
    const others = files.filter((path) => !path.startsWith(`${root}/`));
    const expected =
      /^\/(dev\/(null|urandom|net\/tun)|lib|lib64|proc\/sys\/vm\/overcommit_memory|usr\/(lib|lib64|share\/(qemu|seabios)\/.*|bin\/(setpriv|probe)))$/;
    const library = /\/packages\/worker\/native\/build\/open-memory-read-only\.so$/;
    assert.deepEqual(
      others.filter((path) => !expected.test(path) && !library.test(path)),
      [],
    );
  });

  test("it writes to its newest layer and its socket, and to nothing that is shared", async () => {
    const { memoryPath } = launch;
    const shared = [memoryPath ?? "", launch.kernel.path, join(root, "golden/a/disk.qcow2")];
    const planted = join(root, "worker/layers/4444.qcow2");
    const paths = [own.layer, own.sharedLayer, planted, ...shared, ...Object.values(foreign)];
    const found = await probeConfined(confinement(), task(paths));
    assert.deepEqual(found.readable, [own.layer, own.sharedLayer, ...shared]);
    assert.deepEqual(found.writable, [own.layer]);
    const outside = await probeHost(slot.userId, task(paths));
    assert.deepEqual(
      outside.writable.sort(),
      [
        own.layer,
        own.sharedLayer,
        ...shared,
        ...[foreign.layer, foreign.key, foreign.memory],
      ].sort(),
    );
  });

  test("a layer that its disk no longer needs disappears at once, although it is mounted", async () => {
    const options = { ...confinement(), endsWithCaller: true, reportDescriptor: null };
    const [program = "", ...programArguments] = confined(["cat"], options);
    const running = spawn(program, programArguments, { stdio: ["pipe", "pipe", "inherit"] });
    running.stdin.write("ready\n");
    await once(running.stdout, "data");
    assert.equal((await stat(own.sharedLayer)).nlink, 2);
    await rm(join(links, "2222.qcow2"));
    assert.equal((await stat(own.sharedLayer)).nlink, 1);
    running.kill("SIGKILL");
    await once(running, "close");
    await link(own.sharedLayer, join(links, "2222.qcow2"));
  });

  test("it reaches no socket, process or shared memory of the host, not those of its own user either", async () => {
    const found = await probeConfined(confinement(), task([]));
    assert.deepEqual(found.connectable, [own.socket]);
    assert.deepEqual(found.signalable, []);
    assert.doesNotMatch(found.sharedMemory, new RegExp(`\\b${sharedMemoryId}\\b`));
    const outside = await probeHost(slot.userId, task([]));
    assert.deepEqual(outside.connectable, [abstractName, own.socket, foreign.socket]);
    assert.deepEqual(outside.signalable, [twin.pid]);
    assert.match(outside.sharedMemory, new RegExp(`\\b${sharedMemoryId}\\b`));
  });

  test("its network is its slot's", async () => {
    const { interfaces } = await probeConfined(confinement(), task([]));
    // The guest's own, tap0, is down as long as no QEMU has opened it.
    assert.deepEqual(interfaces, [slotInterfaces.host]);
  });
});
