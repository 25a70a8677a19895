import { settingSchemas } from "@opencomputer/protocol";
import { z } from "zod";
import { workerSettingSchemas } from "../worker-settings.ts";

const idSchema = z.coerce
  .number()
  .int()
  .min(1)
  .max(2 ** 32 - 2);

/** The environment of the process that acts on the host for the worker. */
export const hostSettingSchemas = {
  OPENCOMPUTER_DATA_DIR: settingSchemas.OPENCOMPUTER_DATA_DIR,
  OPENCOMPUTER_ALLOW_UNLIMITED: settingSchemas.OPENCOMPUTER_ALLOW_UNLIMITED,
  OPENCOMPUTER_EGRESS_DENY: settingSchemas.OPENCOMPUTER_EGRESS_DENY,
  OPENCOMPUTER_HOST_SOCKET: workerSettingSchemas.OPENCOMPUTER_HOST_SOCKET,
  OPENCOMPUTER_RUNTIME_DIR: workerSettingSchemas.OPENCOMPUTER_RUNTIME_DIR,
  OPENCOMPUTER_INSTALLATION_ID: workerSettingSchemas.OPENCOMPUTER_INSTALLATION_ID,
  OPENCOMPUTER_NETWORK_BLOCK: workerSettingSchemas.OPENCOMPUTER_NETWORK_BLOCK,
  /** The worker's user and group: no other one may connect. */
  OPENCOMPUTER_WORKER_USER_ID: idSchema,
  OPENCOMPUTER_WORKER_GROUP_ID: idSchema,
} as const;
