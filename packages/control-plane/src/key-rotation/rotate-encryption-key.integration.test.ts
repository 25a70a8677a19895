import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { exitCodes } from "@opencomputer/protocol/wire";
import type { OpenDatabase } from "../database/database.ts";
import { openServerDatabase } from "../database/open-server-database.ts";
import {
  checkpointFormerSecrets,
  checkpointSecrets,
  checkpoints,
  installations,
  orgs,
  sandboxes,
  sandboxFormerSecrets,
  sandboxSecrets,
  secretStores,
  storeSecrets,
  webhooks,
} from "../database/schema.ts";
import { openInstallation } from "../installation.ts";
import { freePort } from "../testing/free-port.ts";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { eventually } from "../testing/test-installation.ts";
import { createKeyRing, keyIdOf } from "../vault/key-ring.ts";
import { SecretValue } from "../vault/secret-value.ts";
import {
  createVault,
  type EncryptedValue,
  type EncryptionContext,
  type Vault,
} from "../vault/vault.ts";
import { encryptedTables } from "./encrypted-tables.ts";
import { rotateEncryptionKey } from "./rotate-encryption-key.ts";

const mainFile = fileURLToPath(new URL("../../dist/program/main.js", import.meta.url));
const keys = ["11", "22"].map((byte) => Buffer.from(byte.repeat(32), "hex"));
const [oldKey = Buffer.alloc(0), newKey = Buffer.alloc(0)] = keys;
const rowsPerTable = 250;

/** A ring of these keys, the newest last. */
const ringOf = (...ringKeys: Buffer[]) =>
  createKeyRing(ringKeys.map((key) => [keyIdOf(key), key] as const));

describe("rotation of the encryption key", () => {
  let cluster: PostgresCluster;
  let url: string;
  let opened: OpenDatabase;
  let directory: string;
  let running: ChildProcess | undefined;
  const { logger } = createRecordingLogger();
  /** What each value was before any rotation, by its context. */
  const expected = new Map<string, string>();

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "opencomputer-rotation-"));
    cluster = await startPostgresCluster();
    url = await cluster.createDatabase();
    opened = await openServerDatabase(url, logger);
    // As a version before key ids has left it.
    const ring = createKeyRing([["v1", oldKey]]);
    const vault = createVault(ring);
    await openInstallation(opened.database, vault, ring);
    await fill(vault);
  });
  after(async () => {
    running?.kill("SIGKILL");
    await opened?.close();
    await cluster?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  async function fill(vault: Vault): Promise<void> {
    const { database } = opened;
    const [org] = await database.insert(orgs).values({ name: "rotated" }).returning();
    const orgId = org?.id ?? "";
    const [store] = await database
      .insert(secretStores)
      .values({ orgId, name: "s", egressAllowlist: [] })
      .returning();
    const storeId = store?.id ?? "";
    const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";
    const checkpointId = randomUUID();
    const config = {
      ...{ orgId, templateId: "base", cpuCount: 1, memoryMB: 512, idleTimeoutSeconds: 0 },
      ...{ metadata: {}, egressMode: "intercepted" as const, egressAllowlist: [] },
    };
    const now = new Date();
    await database.insert(sandboxes).values({
      ...{ ...config, id: sandboxId, state: "hibernated", tags: {} },
      ...{ startedAt: now, lastActiveAt: now },
    });
    await database.insert(checkpoints).values({
      ...{ ...config, id: checkpointId, sandboxId, name: "c", kind: "full", status: "ready" },
      envs: {},
    });
    const encrypt = (context: EncryptionContext): EncryptedValue => {
      const value = `value of ${JSON.stringify(context)}`;
      expected.set(JSON.stringify(context), value);
      return vault.encrypt(new SecretValue(value), context);
    };
    const names = Array.from({ length: rowsPerTable }, (_, index) => `NAME_${index}`);
    const use = { allowedHosts: [], substituteIn: ["header"] };
    const copies = names.map((name, index) => {
      const token = `osb_sealed_${index.toString(16).padStart(32, "0")}`;
      return { orgId, name, token, ...use };
    });
    await database.insert(storeSecrets).values(
      names.map((name) => ({
        ...{ orgId, storeId, name, allowedHosts: [] },
        ...encrypt({ kind: "store-secret", orgId, storeId, name }),
      })),
    );
    await database.insert(sandboxSecrets).values(
      copies.map((copy) => ({
        ...{ ...copy, sandboxId, sourceStoreId: storeId },
        ...encrypt({ kind: "sandbox-secret", orgId, sandboxId, name: copy.name }),
      })),
    );
    await database.insert(checkpointSecrets).values(
      copies.map((copy) => ({
        ...{ ...copy, checkpointId, sourceStoreId: storeId },
        ...encrypt({ kind: "checkpoint-secret", orgId, checkpointId, name: copy.name }),
      })),
    );
    await database.insert(webhooks).values(
      names.slice(0, 10).map((name) => {
        const id = randomUUID();
        const context = { kind: "webhook-secret", orgId, webhookId: id } as const;
        return { id, orgId, url: `https://${name}.example.com/`, ...encrypt(context) };
      }),
    );
    for (const [table, kind, ownerId] of [
      [sandboxFormerSecrets, "sandbox-former-secret", sandboxId],
      [checkpointFormerSecrets, "checkpoint-former-secret", checkpointId],
    ] as const) {
      await database.insert(table).values(
        copies.map((copy) => {
          const id = randomUUID();
          const encrypted = encrypt({ kind, orgId, ownerId, name: copy.name, id });
          return { ...copy, id, ownerId, retiredAt: now, ...encrypted };
        }),
      );
    }
  }

  /** Asserts that all values can be read with these keys, and counts those that are not under `newest`. */
  async function readAll(newest: Buffer, ...others: Buffer[]): Promise<number> {
    const ring = ringOf(...others, newest);
    const vault = createVault(ring);
    let read = 0;
    let notNewest = 0;
    for (const table of encryptedTables) {
      const rows = await table.readNotUnder(opened.database, "none", undefined, 10_000);
      for (const row of rows) {
        const value = vault.decrypt(row, row.context).reveal();
        assert.equal(value, expected.get(JSON.stringify(row.context)));
        read += 1;
        if (row.keyVersion !== ring.newestVersion) notNewest += 1;
      }
    }
    assert.equal(read, expected.size);
    await openInstallation(opened.database, vault, ring);
    return notNewest;
  }

  async function startService(environment: Record<string, string>) {
    const child = fork(mainFile, {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        PATH: process.env["PATH"] ?? "",
        DATABASE_URL: url,
        OPENCOMPUTER_DATA_DIR: join(directory, "data"),
        OPENCOMPUTER_PORT: String(await freePort()),
        OPENCOMPUTER_WORKER_SOCKET: join(directory, "worker.sock"),
        OPENCOMPUTER_EGRESS_PROXY_SOCKETS: join(directory, "egress-proxy.sock"),
        ...environment,
      },
    });
    running = child;
    const service = { child, output: "", exitCode: undefined as number | null | undefined };
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (part) => {
        service.output += String(part);
      });
    }
    child.once("exit", (code) => {
      service.exitCode = code;
    });
    return service;
  }
  const rotating = {
    OPENSANDBOX_SECRET_ENCRYPTION_KEY: newKey.toString("hex"),
    OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS: oldKey.toString("hex"),
  };

  test("half way, killed, everything is readable with both keys, and the new one alone is refused", async () => {
    const service = await startService(rotating);
    await eventually(
      () => service.output.includes("values are being encrypted") || service.exitCode !== undefined,
      "the rotation is under way",
    );
    service.child.kill("SIGKILL");
    await eventually(() => service.exitCode !== undefined, "it is dead");
    const left = await readAll(newKey, oldKey);
    assert.ok(left > 0 && left < expected.size, `${left} of ${expected.size} are left`);

    const early = await startService({
      OPENSANDBOX_SECRET_ENCRYPTION_KEY: newKey.toString("hex"),
    });
    await eventually(() => early.exitCode !== undefined, "it ends");
    assert.equal(early.exitCode, exitCodes.configuration);
    assert.match(early.output, /OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS/);
  });

  test("begun again it ends, and then the previous key is not needed", async () => {
    const service = await startService(rotating);
    await eventually(
      () => service.output.includes("unset OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS"),
      "the log reports that it is done",
    );
    service.child.kill("SIGTERM");
    await eventually(() => service.exitCode !== undefined, "it ends");
    assert.equal(await readAll(newKey), 0);
    const hexKeys = [oldKey, newKey].map((key) => key.toString("hex"));
    assert.ok(!hexKeys.some((hex) => service.output.includes(hex)));
    assert.ok(!service.output.includes("value of"));
    const [row] = await opened.database.select().from(installations);
    const { checkKeyVersion, caKeyVersion, signingKeyVersion } = row ?? {};
    const id = keyIdOf(newKey);
    assert.deepEqual([checkKeyVersion, caKeyVersion, signingKeyVersion], [id, id, id]);
  });

  test("a value that is set meanwhile is not overwritten, and one that no key decrypts is kept", async () => {
    const third = Buffer.alloc(32, 3);
    const [table] = encryptedTables;
    assert.ok(table !== undefined);
    const rows = await table.readNotUnder(opened.database, "none", undefined, 2);
    const [changed, damaged] = rows;
    assert.ok(changed !== undefined && damaged !== undefined);
    const vault = createVault(ringOf(newKey));
    await table.replace(opened.database, damaged, { ...damaged, encrypted: "A".repeat(80) });
    const anew = vault.encrypt(new SecretValue("set meanwhile"), changed.context);
    assert.ok(await table.replace(opened.database, changed, anew));
    assert.equal(await table.replace(opened.database, changed, anew), false, "it was read before");

    const ring = ringOf(newKey, third);
    const deps = { vault: createVault(ring), keyRing: ring, logger };
    assert.ok(
      await rotateEncryptionKey(
        { ...deps, database: opened.database },
        new AbortController().signal,
      ),
    );
    const after = await table.readNotUnder(opened.database, "none", undefined, 10_000);
    const rowAt = (id: string | undefined) => {
      const row = after.find(({ position }) => position[0] === id);
      assert.ok(row !== undefined);
      return row;
    };
    const found = rowAt(changed.position[0]);
    assert.equal(deps.vault.decrypt(found, found.context).reveal(), "set meanwhile");
    assert.equal(rowAt(damaged.position[0]).encrypted, "A".repeat(80));
    assert.equal(after.filter(({ keyVersion }) => keyVersion !== ring.newestVersion).length, 1);
  });
});
