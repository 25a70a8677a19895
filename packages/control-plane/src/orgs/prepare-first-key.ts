import { join } from "node:path";
import { apiKeySchema } from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import { readTextIfPresent, writePrivateFile } from "../data-directory/private-file.ts";
import type { ApiKeyRepository } from "./api-key-repository.ts";
import { mintApiKey } from "./api-key-repository.ts";

/**
 * Gives the default org a key that its operator knows: the preset one, or
 * one that is made at the first start and written to `api-key` in the data
 * directory. The file is written before the row, so the next start completes
 * what a crash between the two interrupted. Once that key is revoked, another
 * replaces it only if the org would have none.
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
  return apiKeySchema.safeParse(await readTextIfPresent(path)).data;
}
