import { chmod, chown, mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { cloudServiceRanges, exitCodes, readSettings, SettingsError } from "@opencomputer/protocol";
import { parseNetworkBlock } from "../network/network-block.ts";
import { closeInheritedDescriptors } from "../process/close-inherited-descriptors.ts";
import { openLog } from "../process/open-log.ts";
import { createHost } from "./create-host.ts";
import { hostSettingSchemas } from "./host-settings.ts";
import { serveHost } from "./serve-host.ts";

/** What it makes is root's and the worker's; QEMU makes its sockets with this mask too. */
const privateFiles = 0o007;
const groupMayEnter = 0o750;
const groupMayConnect = 0o660;

async function main(): Promise<void> {
  closeInheritedDescriptors();
  const log = openLog("host");
  process.umask(privateFiles);
  const settings = readSettings(hostSettingSchemas, process.env);
  const worker = {
    userId: settings.OPENCOMPUTER_WORKER_USER_ID,
    groupId: settings.OPENCOMPUTER_WORKER_GROUP_ID,
  };
  const host = await createHost({
    dataDirectory: settings.OPENCOMPUTER_DATA_DIR,
    runtimeDirectory: settings.OPENCOMPUTER_RUNTIME_DIR,
    installationId: settings.OPENCOMPUTER_INSTALLATION_ID,
    networkBlock: parseNetworkBlock(settings.OPENCOMPUTER_NETWORK_BLOCK),
    deniedRanges: [...cloudServiceRanges, ...settings.OPENCOMPUTER_EGRESS_DENY],
    worker,
    allowsUnlimited: settings.OPENCOMPUTER_ALLOW_UNLIMITED,
    log,
  });
  const server = serveHost(host, log);
  const socket = settings.OPENCOMPUTER_HOST_SOCKET;
  const directory = dirname(socket);
  await mkdir(directory, { recursive: true });
  await chown(directory, 0, worker.groupId);
  await chmod(directory, groupMayEnter);
  await rm(socket, { force: true });
  await server.listen({ path: socket });
  await chown(socket, 0, worker.groupId);
  await chmod(socket, groupMayConnect);

  let stopping = false;
  async function stop(): Promise<void> {
    if (stopping) return;
    stopping = true;
    await server.close();
    process.exit(0);
  }
  process.once("SIGTERM", () => void stop());
  process.once("SIGINT", () => void stop());
  process.once("disconnect", () => void stop());
}

main().catch((error: unknown) => {
  if (error instanceof SettingsError) {
    process.stderr.write(`${error.message}\n`);
    process.exit(exitCodes.configuration);
  }
  openLog("host").fatal({ err: error }, "The host process could not start");
  process.exit(exitCodes.failed);
});
