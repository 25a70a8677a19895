import { randomBytes } from "node:crypto";
import { SettingsError } from "@opencomputer/protocol/wire";
import {
  type CertificateAuthority,
  makeCertificateAuthority,
} from "./certificate-authority/make-certificate-authority.ts";
import type { Database } from "./database/database.ts";
import { isNull } from "./database/query-builder.ts";
import { installations } from "./database/schema.ts";
import { createKeyRing, encryptionKeyBytes, type KeyRing, KeyRingError } from "./vault/key-ring.ts";
import { SecretValue } from "./vault/secret-value.ts";
import { type Vault, VaultError } from "./vault/vault.ts";

/** What is made once per database and kept for its life. */
export interface Installation {
  shortId: string;
  certificateAuthority: CertificateAuthority;
  /**
   * What tokens and signatures are derived from. It outlives the encryption
   * key; what was made before it existed is derived from the oldest of those.
   */
  signingKeys: KeyRing;
}

/**
 * Opens the installation of this database, which is made when it has none.
 *
 * @throws {SettingsError} when the encryption key is not the one that the database was made with.
 */
export async function openInstallation(
  database: Database,
  vault: Vault,
  encryptionKeys: KeyRing,
): Promise<Installation> {
  let row = await readRow(database);
  if (row === undefined) {
    await makeInstallation(database, vault);
    row = await readRow(database);
  }
  if (row === undefined) throw new Error("The installation's row is absent right after its insert");
  assertKeyFits(vault, { encrypted: row.encryptedCheck, keyVersion: row.checkKeyVersion });
  const signingKey = await openSigningKey(database, vault, row.shortId);
  const privateKeyPem = vault.decrypt(
    { encrypted: row.encryptedCaKey, keyVersion: row.caKeyVersion },
    { kind: "certificate-authority-key", shortId: row.shortId },
  );
  return {
    shortId: row.shortId,
    certificateAuthority: { certificatePem: row.caCertificatePem, privateKeyPem },
    signingKeys: createKeyRing([
      ["v1", encryptionKeys.oldestKey()],
      ["v2", signingKey],
    ]),
  };
}

async function readRow(database: Database) {
  const [row] = await database.select().from(installations);
  return row;
}

/** Opens the signing key, which is made when there is none. Of several processes that make one, the first wins. */
async function openSigningKey(database: Database, vault: Vault, shortId: string): Promise<Buffer> {
  const context = { kind: "signing-key", shortId } as const;
  const made = vault.encrypt(
    new SecretValue(randomBytes(encryptionKeyBytes).toString("hex")),
    context,
  );
  await database
    .update(installations)
    .set({ encryptedSigningKey: made.encrypted, signingKeyVersion: made.keyVersion })
    .where(isNull(installations.encryptedSigningKey));
  const row = await readRow(database);
  const { encryptedSigningKey: encrypted, signingKeyVersion: keyVersion } = row ?? {};
  if (!encrypted || !keyVersion)
    throw new Error("The signing key is absent right after its update");
  return vault.decryptKey({ encrypted, keyVersion }, context);
}

async function makeInstallation(database: Database, vault: Vault): Promise<void> {
  const shortId = randomBytes(4).toString("hex");
  const authority = await makeCertificateAuthority(shortId);
  const check = vault.encrypt(new SecretValue("opencomputer"), { kind: "key-check" });
  const key = vault.encrypt(authority.privateKeyPem, {
    kind: "certificate-authority-key",
    shortId,
  });
  await database
    .insert(installations)
    .values({
      shortId,
      encryptedCheck: check.encrypted,
      checkKeyVersion: check.keyVersion,
      caCertificatePem: authority.certificatePem,
      encryptedCaKey: key.encrypted,
      caKeyVersion: key.keyVersion,
    })
    .onConflictDoNothing();
}

function assertKeyFits(vault: Vault, check: { encrypted: string; keyVersion: string }): void {
  try {
    vault.decrypt(check, { kind: "key-check" });
  } catch (error) {
    if (!(error instanceof VaultError) && !(error instanceof KeyRingError)) throw error;
    const settingsError = new SettingsError(
      "The encryption key is not the one that this database was made with. Set OPENSANDBOX_SECRET_ENCRYPTION_KEY to that key, or to a new key with that key in OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS until the log reports that it is not needed; or, when it was never set, restore the data directory's encryption-key files",
    );
    settingsError.cause = error;
    throw settingsError;
  }
}
