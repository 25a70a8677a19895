import { randomBytes } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { SettingsError } from "@opencomputer/protocol/wire";
import { readTextIfPresent, writePrivateFile } from "../data-directory/private-file.ts";
import { encryptionKeyBytes } from "./key-ring.ts";

const keyFileName = "encryption-key";
const previousFileName = "encryption-key.previous";

/** The keys that the service makes and keeps, in a directory of the control plane alone. */
export interface KeyFiles {
  path: string;
  previousPath: string;
  /** Undefined before the first start. @throws {SettingsError} when a file does not hold a key. */
  readKey(): Promise<string | undefined>;
  /** The key that is being replaced; undefined when none is. */
  readPreviousKey(): Promise<string | undefined>;
  makeKey(): Promise<void>;
  /**
   * Makes a new key and keeps the present one as the previous one. Whenever
   * this is interrupted, every value can be decrypted with the files that exist.
   */
  replaceKey(present: string): Promise<void>;
  /** Forgets the key that was replaced. */
  removePreviousKey(): Promise<void>;
}

export function openKeyFiles(directory: string): KeyFiles {
  const path = join(directory, keyFileName);
  const previousPath = join(directory, previousFileName);
  const writeNewKey = () =>
    writePrivateFile(path, `${randomBytes(encryptionKeyBytes).toString("hex")}\n`);

  return {
    path,
    previousPath,
    readKey: () => readKeyFile(path),
    readPreviousKey: () => readKeyFile(previousPath),
    makeKey: writeNewKey,

    async replaceKey(present) {
      await writePrivateFile(previousPath, `${present}\n`);
      await writeNewKey();
    },

    async removePreviousKey() {
      await rm(previousPath, { force: true });
      const handle = await open(directory, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

async function readKeyFile(path: string): Promise<string | undefined> {
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  if (/^[0-9a-f]{64}$/i.test(text)) return text;
  throw new SettingsError(
    `${path} must hold 64 hexadecimal digits and does not; restore it from a backup, or set OPENSANDBOX_SECRET_ENCRYPTION_KEY`,
  );
}
