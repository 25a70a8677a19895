import { settingSchemas, traceSettingSchemas } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { parseNetworkBlock } from "./network/network-block.ts";

/** The path of a Unix socket has at most 107 bytes; a machine's adds 36 to the directory's. */
const runtimeDirectoryCharactersMax = 64;

/** The worker's environment: settings of the operator, and what the supervisor passes. */
export const workerSettingSchemas = {
  ...traceSettingSchemas,
  OPENCOMPUTER_DATA_DIR: settingSchemas.OPENCOMPUTER_DATA_DIR,
  OPENCOMPUTER_LOG_LEVEL: settingSchemas.OPENCOMPUTER_LOG_LEVEL,
  OPENCOMPUTER_ACCEL: settingSchemas.OPENCOMPUTER_ACCEL,
  OPENCOMPUTER_WORKER_SOCKET: z.string().startsWith("/", "expected an absolute path"),
  OPENCOMPUTER_HOST_SOCKET: z.string().startsWith("/", "expected an absolute path"),
  OPENCOMPUTER_RUNTIME_DIR: z
    .string()
    .startsWith("/", "expected an absolute path")
    .max(
      runtimeDirectoryCharactersMax,
      `expected at most ${runtimeDirectoryCharactersMax} characters`,
    ),
  OPENCOMPUTER_INSTALLATION_ID: z
    .string()
    .regex(/^[0-9a-f]{8}$/, "expected 8 lowercase hexadecimal digits"),
  OPENCOMPUTER_NETWORK_BLOCK: z.string().superRefine((text, context) => {
    try {
      parseNetworkBlock(text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      context.addIssue({ code: "custom", message: error.message, input: text });
    }
  }),
  OPENCOMPUTER_GUEST_IMAGE_DIR: z.string().startsWith("/", "expected an absolute path"),
  OPENCOMPUTER_WARM_POOL_SIZE: z.coerce.number().int().min(0).max(64).default(2),
} as const;
