import type { Logger } from "pino";
import type { Database } from "../database/database.ts";
import { eq } from "../database/query-builder.ts";
import { installations } from "../database/schema.ts";
import { type KeyRing, KeyRingError } from "../vault/key-ring.ts";
import {
  type EncryptedValue,
  type EncryptionContext,
  type Vault,
  VaultError,
} from "../vault/vault.ts";
import { type EncryptedRow, type EncryptedTable, encryptedTables } from "./encrypted-tables.ts";

/** How many values are in memory at the same time: one may have 64 KiB. */
const rowsAtOnceMax = 100;

export interface RotateEncryptionKeyDeps {
  database: Database;
  vault: Vault;
  keyRing: KeyRing;
  logger: Logger;
}

/**
 * Encrypts every value that is under another key with the newest one. It may
 * be interrupted and begun again at any time, while others read and write:
 * each row names its key, and is replaced only if it is as it was read.
 *
 * The row of the installation comes last. A service that is started without
 * the previous key before everything else is under the new one refuses to run.
 *
 * @returns whether no value needs a previous key any more; false when it was aborted.
 */
export async function rotateEncryptionKey(
  deps: RotateEncryptionKeyDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { logger, keyRing } = deps;
  let unreadable = 0;
  let left = 0;
  do {
    unreadable = 0;
    left = 0;
    for (const table of encryptedTables) {
      const outcome = await rotateTable(deps, table, signal);
      unreadable += outcome.unreadable;
      left += outcome.left;
      if (signal.aborted) return false;
    }
  } while (left > 0);
  await rotateInstallation(deps);
  if (unreadable > 0) {
    logger.error(
      { unreadable },
      "values that no key of this service decrypts were left as they are: set their secrets again",
    );
  }
  logger.info(
    { keyVersion: keyRing.newestVersion },
    "every value is encrypted with the new key; backups from before still need the previous one",
  );
  return true;
}

async function rotateTable(
  { database, vault, keyRing, logger }: RotateEncryptionKeyDeps,
  table: EncryptedTable,
  signal: AbortSignal,
): Promise<{ unreadable: number; left: number }> {
  const outcome = { rotated: 0, unreadable: 0, left: 0 };
  let after: readonly string[] | undefined;
  while (!signal.aborted) {
    const { newestVersion } = keyRing;
    const rows = await table.readNotUnder(database, newestVersion, after, rowsAtOnceMax);
    const last = rows.at(-1);
    if (last === undefined) break;
    after = last.position;
    for (const row of rows) {
      const value = encryptAnew(vault, row.context, row);
      if (value === undefined) outcome.unreadable += 1;
      else if (await table.replace(database, row, value)) outcome.rotated += 1;
      // It was changed meanwhile, perhaps under another key.
      else outcome.left += 1;
    }
    logger.info({ table: table.name, ...outcome }, "values are being encrypted with the new key");
  }
  return outcome;
}

/** Undefined for a value that no key of the ring decrypts. */
function encryptAnew(
  vault: Vault,
  context: EncryptionContext,
  value: EncryptedValue | EncryptedRow,
): EncryptedValue | undefined {
  try {
    return vault.encrypt(vault.decrypt(value, context), context);
  } catch (error) {
    if (error instanceof VaultError || error instanceof KeyRingError) return undefined;
    throw error;
  }
}

async function rotateInstallation({
  database,
  vault,
  keyRing,
}: RotateEncryptionKeyDeps): Promise<void> {
  await database.transaction(async (transaction) => {
    const [row] = await transaction.select().from(installations).for("update");
    if (row === undefined || row.checkKeyVersion === keyRing.newestVersion) return;
    const { shortId } = row;
    const anew = (value: EncryptedValue, context: EncryptionContext) =>
      vault.encrypt(vault.decrypt(value, context), context);
    const authority = anew(
      { encrypted: row.encryptedCaKey, keyVersion: row.caKeyVersion },
      { kind: "certificate-authority-key", shortId },
    );
    const check = anew(
      { encrypted: row.encryptedCheck, keyVersion: row.checkKeyVersion },
      { kind: "key-check" },
    );
    const { encryptedSigningKey, signingKeyVersion } = row;
    const signing =
      encryptedSigningKey === null || signingKeyVersion === null
        ? undefined
        : anew(
            { encrypted: encryptedSigningKey, keyVersion: signingKeyVersion },
            { kind: "signing-key", shortId },
          );
    await transaction
      .update(installations)
      .set({
        encryptedCaKey: authority.encrypted,
        caKeyVersion: authority.keyVersion,
        encryptedCheck: check.encrypted,
        checkKeyVersion: check.keyVersion,
        ...(signing === undefined
          ? {}
          : { encryptedSigningKey: signing.encrypted, signingKeyVersion: signing.keyVersion }),
      })
      .where(eq(installations.shortId, shortId));
  });
}
