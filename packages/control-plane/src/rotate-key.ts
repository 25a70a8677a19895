import { statSync } from "node:fs";
import { join } from "node:path";
import { readSettings, SettingsError, settingSchemas } from "@opencomputer/protocol/wire";
import { openKeyFiles } from "./vault/key-files.ts";

/**
 * `npm run rotate-key`: replaces the encryption key that the service keeps by
 * itself. The service may run; its next start uses the new key.
 */
try {
  const settings = readSettings(
    { OPENCOMPUTER_DATA_DIR: settingSchemas.OPENCOMPUTER_DATA_DIR },
    process.env,
  );
  process.stdout.write(`${await rotateKey(settings.OPENCOMPUTER_DATA_DIR)}\n`);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  const code = "code" in error ? error.code : undefined;
  if (!(error instanceof SettingsError) && code !== undefined && code !== "ENOENT") throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function rotateKey(dataDirectory: string): Promise<string> {
  if (process.env["OPENSANDBOX_SECRET_ENCRYPTION_KEY"]) {
    throw new Error(
      "The encryption key is set by OPENSANDBOX_SECRET_ENCRYPTION_KEY: start the service with a new one there and the present one in OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS, until its log reports that every value is encrypted with the new key.",
    );
  }
  becomeOwner(join(dataDirectory, "control-plane"));
  const files = openKeyFiles(".");
  const present = await files.readKey();
  if (present === undefined) {
    throw new Error(
      `${dataDirectory} has no encryption key: it is made at the first start of the service, unless OPENSANDBOX_SECRET_ENCRYPTION_KEY is set.`,
    );
  }
  if ((await files.readPreviousKey()) !== undefined) {
    throw new Error(
      "A rotation has not ended yet: start the service, or restart it once if it has run since before the rotation. Its log reports when every value is encrypted with the new key.",
    );
  }
  await files.replaceKey(present);
  return "The encryption key was replaced. Restart the service: it re-encrypts every value in the background, logs when it is done, and then removes encryption-key.previous. Backups from before need the previous key.";
}

/**
 * Works in a directory as its owner: where that is not root, root must not
 * follow what the owner may have put there.
 */
function becomeOwner(directory: string): void {
  process.chdir(directory);
  const { uid, gid } = statSync(".");
  if (process.getuid?.() !== 0 || uid === 0) return;
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
