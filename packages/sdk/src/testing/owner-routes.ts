import { randomUUID } from "node:crypto";
import {
  awsHosts,
  type projectSchema,
  revokeSecretResponseSchema,
  type SecretEntry,
  secretNameSchema,
  type secretStoreSchema,
  setSecretRequestSchema,
  setSecretResponseSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { searchedParts } from "@opencomputer/protocol/wire";
import { type Exchange, parseOrRefuse, type Route } from "./route.ts";

/** A secret; its placements are undefined until it is given some. */
interface KeptSecret {
  value: string;
  substituteIn: string[] | undefined;
  entry: Omit<SecretEntry, "substituteIn">;
}

/** A store or a project, with the secrets that it owns. */
export interface Owner<Row> {
  row: Row;
  secrets: Map<string, KeptSecret>;
}

export const guessableWarning =
  "This value can be guessed, so responses are not searched for it: a host that echoes it shows it";

/** What stores and projects have in common. */
export function ownerRoutes<Row extends { id: string; name: string }>(
  path: string,
  kind: string,
  schema: typeof secretStoreSchema | typeof projectSchema,
  owners: Map<string, Owner<Row>>,
): Route[] {
  return [
    {
      method: "GET",
      path,
      async handle(exchange) {
        const rows = [...owners.values()].map((owner) => schema.parse(owner.row));
        rows.sort((one, other) => one.name.localeCompare(other.name));
        await exchange.respond(200, schema.array(), rows);
      },
    },
    {
      method: "GET",
      path: `${path}/:id`,
      async handle(exchange) {
        await exchange.respond(200, schema, schema.parse(find(owners, exchange, kind).row));
      },
    },
    {
      method: "DELETE",
      path: `${path}/:id`,
      handle(exchange) {
        find(owners, exchange, kind);
        owners.delete(exchange.parameter("id"));
        exchange.done();
      },
    },
    {
      method: "PUT",
      path: `${path}/:id/secrets/:name`,
      async handle(exchange) {
        const { row, secrets } = find(owners, exchange, kind);
        const name = parseOrRefuse(secretNameSchema, exchange.parameter("name"));
        const fields = await exchange.body(setSecretRequestSchema);
        const earlier = secrets.get(name);
        const secretKind = fields.kind ?? "value";
        const hosts = secretKind === "aws" ? [...awsHosts] : [];
        const value = fields.kind === "aws" ? JSON.stringify(fields) : fields.value;
        const entry = {
          id: randomUUID(),
          storeId: row.id,
          name,
          kind: secretKind,
          allowedHosts: fields.allowedHosts ?? earlier?.entry.allowedHosts ?? hosts,
          createdAt: new Date().toISOString(),
          updatedAt: new Date().toISOString(),
        };
        const substituteIn = fields.substituteIn ?? earlier?.substituteIn;
        secrets.set(name, { value, substituteIn, entry });
        const warning = searchedParts(value).length === 0 ? guessableWarning : undefined;
        await exchange.respond(200, setSecretResponseSchema, { name, status: "set", warning });
      },
    },
    {
      method: "POST",
      path: `${path}/:id/secrets/:name/revoke`,
      async handle(exchange) {
        const { secrets } = find(owners, exchange, kind);
        const name = exchange.parameter("name");
        const secret = secrets.get(name);
        if (secret === undefined) {
          throw new WireError("not_found", `There is no secret named ${name}`);
        }
        secret.value = "";
        secret.entry.revokedAt ??= new Date().toISOString();
        await exchange.respond(200, revokeSecretResponseSchema, { name, status: "revoked" });
      },
    },
    {
      method: "DELETE",
      path: `${path}/:id/secrets/:name`,
      handle(exchange) {
        const { secrets } = find(owners, exchange, kind);
        const name = exchange.parameter("name");
        if (!secrets.delete(name)) {
          throw new WireError("not_found", `There is no secret named ${name}`);
        }
        exchange.done();
      },
    },
  ];
}

export function find<Row>(
  owners: Map<string, Owner<Row>>,
  exchange: Exchange,
  kind: string,
): Owner<Row> {
  const owner = owners.get(exchange.parameter("id"));
  if (owner === undefined) throw new WireError("not_found", `There is no such ${kind}`);
  return owner;
}
