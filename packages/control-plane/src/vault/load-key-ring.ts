import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { writePrivateFile } from "../private-file.ts";
import { createKeyRing, encryptionKeyBytes, type KeyRing } from "./key-ring.ts";

const firstVersion = "v1";
const keyFileName = "encryption-key";

/**
 * The key ring from `OPENSANDBOX_SECRET_ENCRYPTION_KEY`, or from the file
 * `encryption-key` of the data directory, which is made once when the
 * variable is not set.
 *
 * @throws when the file exists and is not 64 hexadecimal digits.
 */
export async function loadKeyRing(options: {
  configuredKey: string | undefined;
  dataDirectory: string;
  logger: Logger;
}): Promise<KeyRing> {
  if (options.configuredKey !== undefined) {
    return createKeyRing([[firstVersion, Buffer.from(options.configuredKey, "hex")]]);
  }
  const path = join(options.dataDirectory, keyFileName);
  const text = (await readKeyFile(path)) ?? (await makeKeyFile(path));
  options.logger.warn(
    { path },
    "secrets are encrypted with a key that lies beside them; in production set OPENSANDBOX_SECRET_ENCRYPTION_KEY",
  );
  return createKeyRing([[firstVersion, Buffer.from(text, "hex")]]);
}

async function readKeyFile(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  if (/^[0-9a-f]{64}$/i.test(text)) return text;
  throw new Error(
    `${path} must hold 64 hexadecimal digits and does not; restore it from a backup, or set OPENSANDBOX_SECRET_ENCRYPTION_KEY`,
  );
}

async function makeKeyFile(path: string): Promise<string> {
  const text = randomBytes(encryptionKeyBytes).toString("hex");
  await writePrivateFile(path, `${text}\n`);
  return text;
}
