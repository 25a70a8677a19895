import { chmod, chown, link, lstat, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Logger } from "pino";
import { createCgroups, readCgroupFiles } from "../cgroups/create-cgroups.ts";
import { layerFileName } from "../disks/create-layers.ts";
import { rebaseLayer } from "../disks/rebase-layer.ts";
import { syncPath } from "../files/durable-files.ts";
import { type HostPaths, hostPaths } from "../files/host-paths.ts";
import type { Host } from "../host-calls/host.ts";
import { createHostNetwork } from "../network/create-host-network.ts";
import { createSlotHost } from "../network/create-slot-host.ts";
import type { NetworkBlock } from "../network/network-block.ts";
import { isMachineUser, slotAt } from "../network/slot.ts";
import { hasCode } from "../process/process-identity.ts";
import { createMachineProcesses } from "./machine-processes.ts";
import { adoptFiles, type FileOwners, giveFile } from "./owned-files.ts";

const tunDevice = "/dev/net/tun";
const everybodyReadsAndWrites = 0o666;
const stickyForGroup = 0o1770;

export interface HostOptions {
  readonly dataDirectory: string;
  readonly runtimeDirectory: string;
  readonly installationId: string;
  readonly networkBlock: NetworkBlock;
  readonly egressProxyCount: number;
  readonly deniedRanges: readonly string[];
  readonly worker: { readonly userId: number; readonly groupId: number };
  /** Whether machines may run without control groups that limit them. */
  readonly allowsUnlimited: boolean;
  readonly log: Pick<Logger, "warn">;
}

/** Prepares the directories of the worker, and returns what acts on the host as root. */
export async function createHost(options: HostOptions): Promise<Host> {
  const { installationId, networkBlock: block, deniedRanges, worker, dataDirectory } = options;
  const paths = hostPaths(options);
  const owners: FileOwners = {
    worker,
    isMachineUser: (userId) => isMachineUser(installationId, userId),
  };
  await prepareDirectories(paths, owners);
  await openTunDevice();
  for (const directory of [dataDirectory, dirname(paths.machines)]) await syncPath(directory);
  const network = createHostNetwork({
    installationId,
    block,
    egressProxyCount: options.egressProxyCount,
    deniedRanges,
    clientUserId: worker.userId,
    markerPath: join(options.runtimeDirectory, "forwarding-was-off"),
  });
  const cgroups = await createCgroups({
    installationId,
    files: await readCgroupFiles(),
    allowsUnlimited: options.allowsUnlimited,
    log: options.log,
  });
  const processes = createMachineProcesses({
    ...{ installationId, block, dataDirectory, paths, owners },
  });
  const layerPath = (layerId: string) => join(paths.layers, layerFileName(layerId));

  return {
    ...createSlotHost({ installationId, block, deniedRanges }),
    ...processes,
    describe: async () => ({ limitsEnforced: cgroups.enforced }),
    setUpNetwork: () => network.setUp().then(() => null),
    tearDownNetwork: () => network.tearDown().then(() => null),
    async startMachine(start) {
      const identity = await processes.startMachine(start);
      try {
        await cgroups.add(start.machineId, identity.pid);
        return identity;
      } catch (error) {
        await processes.endMachine(identity);
        throw error;
      }
    },
    limitMachine: (machineId, limits) => cgroups.limit(machineId, limits).then(() => null),
    removeGroup: (machineId) => cgroups.remove(machineId).then(() => null),
    removeGroupsBut: (kept) => cgroups.removeOrphans(new Set(kept)).then(() => null),
    tearDownGroups: () => cgroups.tearDown().then(() => null),

    async showLayers(machineId, layerIds) {
      const directory = join(paths.disks, machineId);
      await mkdir(directory, { recursive: true });
      await chmod(directory, 0o711);
      const wanted = new Set(layerIds.map(layerFileName));
      const shown = new Set(await readdir(directory));
      for (const name of wanted) {
        if (!shown.has(name)) await link(join(paths.layers, name), join(directory, name));
      }
      for (const name of shown) if (!wanted.has(name)) await rm(join(directory, name));
      return null;
    },
    async hideLayers(machineId) {
      await rm(join(paths.disks, machineId), { recursive: true, force: true });
      return null;
    },
    async giveLayer(layerId, slotIndex) {
      await giveFile(layerPath(layerId), slotAt(installationId, block, slotIndex).userId, owners);
      return null;
    },
    async rebaseLayer(layerId, disk) {
      const user = { ...worker, otherGroupIds: [] };
      await rebaseLayer({ directories: paths, user, layerId, disk });
      return null;
    },
  };
}

/**
 * Prepares the worker's directories, and makes what earlier versions left to root
 * the worker's. The directory above them is root's, and sticky: the worker can
 * make files in it, but not replace the directory in it that is root's.
 */
async function prepareDirectories(paths: HostPaths, owners: FileOwners): Promise<void> {
  const { disks, sockets, ...data } = paths;
  const workerDirectory = dirname(disks);
  for (const directory of [...Object.values(data), sockets]) {
    await mkdir(directory, { recursive: true });
  }
  await chown(workerDirectory, 0, owners.worker.groupId);
  await chmod(workerDirectory, stickyForGroup);
  await makeRootDirectory(disks);
  const names = await readdir(workerDirectory);
  const ofWorker = names.map((name) => join(workerDirectory, name)).filter((one) => one !== disks);
  for (const path of [...ofWorker, paths.golden, paths.images, sockets]) {
    await adoptFiles(path, owners);
  }
  await moveFormerDisks(paths);
}

async function makeRootDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  if (found.isDirectory() && found.uid === 0) return;
  throw new Error(
    `${path} must be a directory that belongs to root: stop the service, move it away, and start again.`,
  );
}

/**
 * Lets every user open the device, as the rules of udev do: it only gives access
 * to a user's own interfaces. On hosts without udev only root may open it.
 */
async function openTunDevice(): Promise<void> {
  const { mode } = await stat(tunDevice);
  if ((mode & everybodyReadsAndWrites) === everybodyReadsAndWrites) return;
  await chmod(tunDevice, everybodyReadsAndWrites);
}

/** Moves the links that earlier versions kept beside the record. Running processes still find them. */
async function moveFormerDisks({ machines, disks }: HostPaths): Promise<void> {
  for (const machineId of await readdir(machines)) {
    try {
      await rename(join(machines, machineId, "disk"), join(disks, machineId));
    } catch (error) {
      if (!hasCode(error, "ENOENT") && !hasCode(error, "ENOTDIR")) throw error;
    }
  }
}
