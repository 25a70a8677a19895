import { chmod, chown, mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { describeError, endWhenAsked, openLogOutput } from "@opencomputer/process";
import {
  cloudServiceRanges,
  exitCodes,
  readSettings,
  SettingsError,
  settingSchemas,
} from "@opencomputer/protocol/wire";
import { pino } from "pino";
import { z } from "zod";
import { parseNetworkBlock } from "../network/network-block.ts";
import { closeInheritedDescriptors } from "../process/close-inherited-descriptors.ts";
import { workerSettingSchemas } from "../worker-settings.ts";
import { createHost } from "./create-host.ts";
import { serveHost } from "./serve-host.ts";

/** Its files are only for root and the worker; QEMU creates its sockets with this mask too. */
const privateFiles = 0o007;
const groupMayEnter = 0o750;
const groupMayConnect = 0o660;

const idSchema = z.coerce
  .number()
  .int()
  .min(1)
  .max(2 ** 32 - 2);

/** The environment of the process that acts on the host for the worker. */
const hostSettingSchemas = {
  OPENCOMPUTER_DATA_DIR: settingSchemas.OPENCOMPUTER_DATA_DIR,
  OPENCOMPUTER_LOG_LEVEL: settingSchemas.OPENCOMPUTER_LOG_LEVEL,
  OPENCOMPUTER_ALLOW_UNLIMITED: settingSchemas.OPENCOMPUTER_ALLOW_UNLIMITED,
  OPENCOMPUTER_EGRESS_DENY: settingSchemas.OPENCOMPUTER_EGRESS_DENY,
  OPENCOMPUTER_EGRESS_PROXY_PROCESSES: settingSchemas.OPENCOMPUTER_EGRESS_PROXY_PROCESSES,
  OPENCOMPUTER_HOST_SOCKET: workerSettingSchemas.OPENCOMPUTER_HOST_SOCKET,
  OPENCOMPUTER_RUNTIME_DIR: workerSettingSchemas.OPENCOMPUTER_RUNTIME_DIR,
  OPENCOMPUTER_INSTALLATION_ID: workerSettingSchemas.OPENCOMPUTER_INSTALLATION_ID,
  OPENCOMPUTER_NETWORK_BLOCK: workerSettingSchemas.OPENCOMPUTER_NETWORK_BLOCK,
  /** The worker's user and group: no other one may connect. */
  OPENCOMPUTER_WORKER_USER_ID: idSchema,
  OPENCOMPUTER_WORKER_GROUP_ID: idSchema,
} as const;

const log = pino(
  { name: "host", serializers: { err: (error) => describeError(error) } },
  openLogOutput(),
);

async function main(): Promise<void> {
  closeInheritedDescriptors();
  process.umask(privateFiles);
  const settings = readSettings(hostSettingSchemas, process.env);
  log.level = settings.OPENCOMPUTER_LOG_LEVEL;
  const worker = {
    userId: settings.OPENCOMPUTER_WORKER_USER_ID,
    groupId: settings.OPENCOMPUTER_WORKER_GROUP_ID,
  };
  const host = await createHost({
    dataDirectory: settings.OPENCOMPUTER_DATA_DIR,
    runtimeDirectory: settings.OPENCOMPUTER_RUNTIME_DIR,
    installationId: settings.OPENCOMPUTER_INSTALLATION_ID,
    networkBlock: parseNetworkBlock(settings.OPENCOMPUTER_NETWORK_BLOCK),
    egressProxyCount: settings.OPENCOMPUTER_EGRESS_PROXY_PROCESSES,
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

  endWhenAsked({ log, close: () => server.close() });
}

main().catch((error: unknown) => {
  if (error instanceof SettingsError) {
    process.stderr.write(`${error.message}\n`);
    process.exit(exitCodes.configuration);
  }
  log.fatal({ err: error }, "The host process could not start");
  process.exit(exitCodes.failed);
});
