import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { apiKeySchema } from "@opencomputer/protocol";
import type { Logger } from "pino";
import { writePrivateFile } from "../private-file.ts";
import { mintApiKey } from "./api-key.ts";
import type { ApiKeyRepository } from "./api-key-repository.ts";

/**
 * Gives the default org a key that its operator knows: the preset one, or
 * one that is made at the first start and written to `api-key` in the data
 * directory. The file is written before the row, so a crash between the two
 * is made good at the next start. Once that key is revoked, another takes its
 * place only if the org would be left without any.
 */
export async function prepareFirstKey(options: {
  apiKeys: ApiKeyRepository;
  orgId: string;
  presetKey: string | undefined;
  dataDirectory: string;
  logger: Logger;
}): Promise<void> {
  const { apiKeys, orgId, presetKey, logger } = options;
  await apiKeys.replacePreset(orgId, presetKey);
  if (presetKey !== undefined || (await apiKeys.hasKind(orgId, "initial"))) return;
  const path = join(options.dataDirectory, "api-key");
  let key = await readKey(path);
  const isRevoked = key !== undefined && (await apiKeys.isRevoked(key));
  if (isRevoked && (await apiKeys.hasAny(orgId))) return;
  if (key === undefined || isRevoked) {
    key = mintApiKey();
    await writePrivateFile(path, `${key}\n`);
  }
  await apiKeys.add(orgId, "initial", key);
  logger.info({ path }, "the API key of the default org is in this file");
}

async function readKey(path: string): Promise<string | undefined> {
  try {
    return apiKeySchema.safeParse((await readFile(path, "utf8")).trim()).data;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
