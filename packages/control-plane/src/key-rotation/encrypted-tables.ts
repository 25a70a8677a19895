import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import { z } from "zod";
import type { Database } from "../database/database.ts";
import { getTableName, type SQL, sql } from "../database/query-builder.ts";
import {
  checkpointFormerSecrets,
  checkpointSecrets,
  sandboxFormerSecrets,
  sandboxSecrets,
  storeSecrets,
  webhooks,
} from "../database/schema.ts";
import type { EncryptedValue, EncryptionContext } from "../vault/vault.ts";

/** An encrypted value with the primary key of its row. */
export interface EncryptedRow extends EncryptedValue {
  /** The row's primary key. */
  position: string[];
  context: EncryptionContext;
}

/** A table of encrypted values, whose rows are read in the order of their primary key. */
export interface EncryptedTable {
  name: string;
  /** Reads rows after a position that are not under this key. */
  readNotUnder(
    database: Database,
    keyVersion: string,
    after: readonly string[] | undefined,
    rowsMax: number,
  ): Promise<EncryptedRow[]>;
  /** Replaces what a row held when it was read; false when it was changed or deleted since. */
  replace(database: Database, row: EncryptedRow, value: EncryptedValue): Promise<boolean>;
}

const rowsSchema = z.object({
  rows: z.array(z.looseObject({ sealed: z.string(), key_version: z.string() })),
});
const changedSchema = z.object({ rows: z.array(z.unknown()) });

function describeTable<Shape extends z.ZodType>(options: {
  table: PgTable & { encrypted: PgColumn; keyVersion: PgColumn };
  primaryKey: readonly PgColumn[];
  shape: Shape;
  contextOf: (row: z.infer<Shape>) => EncryptionContext;
}): EncryptedTable {
  const { table, primaryKey, shape, contextOf } = options;
  const columns = sql.join([...primaryKey], sql`, `);
  const valuesOf = (position: readonly string[]): SQL =>
    sql.join(
      position.map(
        (text, index) => sql`${text}::${sql.raw(primaryKey[index]?.getSQLType() ?? "")}`,
      ),
      sql`, `,
    );
  const textSchema = z.record(z.string(), z.unknown());

  return {
    name: getTableName(table),

    async readNotUnder(database, keyVersion, after, rowsMax) {
      const isAfter = after === undefined ? sql`true` : sql`(${columns}) > (${valuesOf(after)})`;
      const result = await database.execute(
        sql`select * from ${table} where ${table.keyVersion} <> ${keyVersion} and ${isAfter}
          order by ${columns} limit ${rowsMax}`,
      );
      return rowsSchema.parse(result).rows.map((row) => {
        const fields = textSchema.parse(row);
        return {
          position: primaryKey.map(({ name }) => z.string().parse(fields[name])),
          context: contextOf(shape.parse(row)),
          encrypted: row.sealed,
          keyVersion: row.key_version,
        };
      });
    },

    async replace(database, { position, encrypted }, value) {
      const result = await database.execute(
        sql`update ${table} set sealed = ${value.encrypted}, key_version = ${value.keyVersion}
          where (${columns}) = (${valuesOf(position)}) and ${table.encrypted} = ${encrypted}
          returning true`,
      );
      return changedSchema.parse(result).rows.length > 0;
    },
  };
}

const text = z.string();

/** Every table with encrypted values of orgs. The installation's own row is not among them. */
export const encryptedTables: readonly EncryptedTable[] = [
  describeTable({
    table: storeSecrets,
    primaryKey: [storeSecrets.id],
    shape: z.object({ org_id: text, store_id: text, name: text }),
    contextOf: ({ org_id: orgId, store_id: storeId, name }) => ({
      ...{ kind: "store-secret", orgId, storeId, name },
    }),
  }),
  describeTable({
    table: sandboxSecrets,
    primaryKey: [sandboxSecrets.sandboxId, sandboxSecrets.name],
    shape: z.object({ org_id: text, sandbox_id: text, name: text }),
    contextOf: ({ org_id: orgId, sandbox_id: sandboxId, name }) => ({
      ...{ kind: "sandbox-secret", orgId, sandboxId, name },
    }),
  }),
  describeTable({
    table: checkpointSecrets,
    primaryKey: [checkpointSecrets.checkpointId, checkpointSecrets.name],
    shape: z.object({ org_id: text, checkpoint_id: text, name: text }),
    contextOf: ({ org_id: orgId, checkpoint_id: checkpointId, name }) => ({
      ...{ kind: "checkpoint-secret", orgId, checkpointId, name },
    }),
  }),
  describeTable({
    table: sandboxFormerSecrets,
    primaryKey: [sandboxFormerSecrets.id],
    shape: z.object({ org_id: text, sandbox_id: text, name: text, id: text }),
    contextOf: ({ org_id: orgId, sandbox_id: ownerId, name, id }) => ({
      ...{ kind: "sandbox-former-secret", orgId, ownerId, name, id },
    }),
  }),
  describeTable({
    table: checkpointFormerSecrets,
    primaryKey: [checkpointFormerSecrets.id],
    shape: z.object({ org_id: text, checkpoint_id: text, name: text, id: text }),
    contextOf: ({ org_id: orgId, checkpoint_id: ownerId, name, id }) => ({
      ...{ kind: "checkpoint-former-secret", orgId, ownerId, name, id },
    }),
  }),
  describeTable({
    table: webhooks,
    primaryKey: [webhooks.id],
    shape: z.object({ org_id: text, id: text }),
    contextOf: ({ org_id: orgId, id: webhookId }) => ({
      ...{ kind: "webhook-secret", orgId, webhookId },
    }),
  }),
];
