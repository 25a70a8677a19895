import { randomBytes } from "node:crypto";
import {
  type CertificateAuthority,
  makeCertificateAuthority,
} from "./certificate-authority/make-certificate-authority.ts";
import type { Database } from "./database/database.ts";
import { installations } from "./database/schema.ts";
import { KeyRingError } from "./vault/key-ring.ts";
import { SecretValue } from "./vault/secret-value.ts";
import { type Vault, VaultError } from "./vault/vault.ts";

/** What is made once per database and stays for its life. */
export interface Installation {
  shortId: string;
  certificateAuthority: CertificateAuthority;
}

/**
 * The installation of this database, made when it has none.
 *
 * @throws when the encryption key is not the one that the database was made with.
 */
export async function openInstallation(database: Database, vault: Vault): Promise<Installation> {
  let row = await readRow(database);
  if (row === undefined) {
    await makeInstallation(database, vault);
    row = await readRow(database);
  }
  if (row === undefined) throw new Error("The installation's row is absent right after its insert");
  assertKeyFits(vault, { sealed: row.checkSealed, keyVersion: row.checkKeyVersion });
  const privateKeyPem = vault.open(
    { sealed: row.caKeySealed, keyVersion: row.caKeyVersion },
    { kind: "certificate-authority-key", shortId: row.shortId },
  );
  return {
    shortId: row.shortId,
    certificateAuthority: { certificatePem: row.caCertificatePem, privateKeyPem },
  };
}

async function readRow(database: Database) {
  const [row] = await database.select().from(installations);
  return row;
}

async function makeInstallation(database: Database, vault: Vault): Promise<void> {
  const shortId = randomBytes(4).toString("hex");
  const authority = await makeCertificateAuthority(shortId);
  const check = vault.seal(new SecretValue("opencomputer"), { kind: "key-check" });
  const key = vault.seal(authority.privateKeyPem, { kind: "certificate-authority-key", shortId });
  await database
    .insert(installations)
    .values({
      shortId,
      checkSealed: check.sealed,
      checkKeyVersion: check.keyVersion,
      caCertificatePem: authority.certificatePem,
      caKeySealed: key.sealed,
      caKeyVersion: key.keyVersion,
    })
    .onConflictDoNothing();
}

function assertKeyFits(vault: Vault, check: { sealed: string; keyVersion: string }): void {
  try {
    vault.open(check, { kind: "key-check" });
  } catch (error) {
    if (!(error instanceof VaultError) && !(error instanceof KeyRingError)) throw error;
    throw new Error(
      "The encryption key is not the one that this database was made with. Set OPENSANDBOX_SECRET_ENCRYPTION_KEY to the first one, or, when it was never set, put the data directory's encryption-key file back",
      { cause: error },
    );
  }
}
