import { chmod, rm } from "node:fs/promises";
import {
  describeError,
  endWhenAsked,
  openLogOutput,
  openTracer,
  readSecretSettings,
  setV8Flags,
  traceLogFields,
} from "@opencomputer/process";
import { exitCodes, readSettings, SettingsError } from "@opencomputer/protocol/wire";
import { pino } from "pino";
import { createServer } from "./api/create-server.ts";
import { connectHost } from "./host-calls/host-client.ts";
import { parseNetworkBlock } from "./network/network-block.ts";
import { closeInheritedDescriptors } from "./process/close-inherited-descriptors.ts";
import { createWorker } from "./start/create-worker.ts";
import { workerSettingSchemas } from "./worker-settings.ts";

/** The process of a machine is in the worker's group, which may read the worker's files. */
const groupReads = 0o027;
const groupMayConnect = 0o660;

const log = pino(
  {
    name: "worker",
    mixin: traceLogFields,
    serializers: { err: (error) => describeError(error) },
  },
  openLogOutput(),
);

async function main(): Promise<void> {
  // Before anything is started, so that no machine or helper inherits a descriptor.
  const descriptors = closeInheritedDescriptors();
  setV8Flags("worker");
  if (descriptors.length > 0) log.info({ descriptors }, "Closed inherited file descriptors");
  process.umask(groupReads);
  const settings = readSettings(workerSettingSchemas, readSecretSettings(process.env));
  log.level = settings.OPENCOMPUTER_LOG_LEVEL;
  const { tracer, close: closeTracer } = await openTracer(settings, {
    processName: "worker",
    log,
  });
  const host = connectHost(settings.OPENCOMPUTER_HOST_SOCKET, tracer);
  const worker = await createWorker(
    {
      dataDirectory: settings.OPENCOMPUTER_DATA_DIR,
      runtimeDirectory: settings.OPENCOMPUTER_RUNTIME_DIR,
      installationId: settings.OPENCOMPUTER_INSTALLATION_ID,
      networkBlock: parseNetworkBlock(settings.OPENCOMPUTER_NETWORK_BLOCK),
      guestImageDirectory: settings.OPENCOMPUTER_GUEST_IMAGE_DIR,
      accelerator: settings.OPENCOMPUTER_ACCEL,
      warmPoolSize: settings.OPENCOMPUTER_WARM_POOL_SIZE,
    },
    host,
    tracer,
    log,
  );
  const server = createServer(worker, tracer, log);
  await rm(settings.OPENCOMPUTER_WORKER_SOCKET, { force: true });
  await server.listen({ path: settings.OPENCOMPUTER_WORKER_SOCKET });
  // The group is that of the socket's directory, which also decides who can reach it.
  await chmod(settings.OPENCOMPUTER_WORKER_SOCKET, groupMayConnect);

  endWhenAsked({
    log,
    // Sandboxes keep running.
    async close() {
      await server.close();
      await worker.close();
      await Promise.all([host.close(), closeTracer()]);
    },
  });
}

main().catch((error: unknown) => {
  if (error instanceof SettingsError) {
    process.stderr.write(`${error.message}\n`);
    process.exit(exitCodes.configuration);
  }
  log.fatal({ err: error }, "The worker could not start");
  process.exit(exitCodes.failed);
});
