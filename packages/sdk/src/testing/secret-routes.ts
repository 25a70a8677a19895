import { randomUUID } from "node:crypto";
import {
  createProjectRequestSchema,
  createSecretStoreRequestSchema,
  type ProjectRecord,
  projectSchema,
  projectSecretNamesSchema,
  type SecretEntry,
  type SecretStoreRecord,
  secretEntrySchema,
  secretNameSchema,
  secretStoreSchema,
  setSecretRequestSchema,
  setSecretResponseSchema,
  updateProjectRequestSchema,
  updateSecretStoreRequestSchema,
  WireError,
} from "@opencomputer/protocol";
import { type Exchange, parseOrRefuse, type Route } from "./route.ts";

/** A store or a project, with the secrets that it owns. */
export interface Owner<Row> {
  row: Row;
  secrets: Map<string, { value: string; entry: SecretEntry }>;
}

export interface SecretState {
  stores: Map<string, Owner<SecretStoreRecord>>;
  projects: Map<string, Owner<ProjectRecord>>;
}

const orgId = randomUUID();

/** Stores, projects and their secrets. */
export function secretRoutes({ stores, projects }: SecretState): Route[] {
  return [
    {
      method: "POST",
      path: "/secret-stores",
      async handle(exchange) {
        const { name, egressAllowlist } = await exchange.body(createSecretStoreRequestSchema);
        refuseNameInUse(stores, name);
        const row = { ...newRow(), name, egressAllowlist: egressAllowlist ?? [] };
        stores.set(row.id, { row, secrets: new Map() });
        await exchange.answer(201, secretStoreSchema, row);
      },
    },
    {
      method: "PUT",
      path: "/secret-stores/:id",
      async handle(exchange) {
        const owner = find(stores, exchange, "secret store");
        const { name, egressAllowlist } = await exchange.body(updateSecretStoreRequestSchema);
        owner.row.name = name ?? owner.row.name;
        owner.row.egressAllowlist = egressAllowlist ?? owner.row.egressAllowlist;
        await exchange.answer(200, secretStoreSchema, owner.row);
      },
    },
    {
      method: "GET",
      path: "/secret-stores/:id/secrets",
      async handle(exchange) {
        const { secrets } = find(stores, exchange, "secret store");
        const entries = [...secrets.values()].map((secret) => secret.entry);
        await exchange.answer(200, secretEntrySchema.array(), entries);
      },
    },
    {
      method: "POST",
      path: "/projects",
      async handle(exchange) {
        const fields = await exchange.body(createProjectRequestSchema);
        refuseNameInUse(projects, fields.name);
        const row = {
          ...newRow(),
          name: fields.name,
          template: fields.template ?? "",
          cpuCount: fields.cpuCount ?? 0,
          memoryMB: fields.memoryMB ?? 0,
          timeoutSec: fields.timeoutSec ?? 0,
          egressAllowlist: fields.egressAllowlist ?? [],
        };
        projects.set(row.id, { row, secrets: new Map() });
        await exchange.answer(201, projectSchema, row);
      },
    },
    {
      method: "PUT",
      path: "/projects/:id",
      async handle(exchange) {
        const owner = find(projects, exchange, "project");
        const fields = await exchange.body(updateProjectRequestSchema);
        owner.row = {
          ...owner.row,
          name: fields.name || owner.row.name,
          template: fields.template || owner.row.template,
          cpuCount: fields.cpuCount || owner.row.cpuCount,
          memoryMB: fields.memoryMB || owner.row.memoryMB,
          timeoutSec: fields.timeoutSec || owner.row.timeoutSec,
          egressAllowlist: fields.egressAllowlist ?? owner.row.egressAllowlist,
        };
        await exchange.answer(200, projectSchema, owner.row);
      },
    },
    {
      method: "GET",
      path: "/projects/:id/secrets",
      async handle(exchange) {
        const { secrets } = find(projects, exchange, "project");
        await exchange.answer(200, projectSecretNamesSchema, [...secrets.keys()].sort());
      },
    },
    ...ownerRoutes("/secret-stores", "secret store", secretStoreSchema, stores),
    ...ownerRoutes("/projects", "project", projectSchema, projects),
  ];
}

/** What stores and projects have in common. */
function ownerRoutes<Row extends { id: string; name: string }>(
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
        await exchange.answer(200, schema.array(), rows);
      },
    },
    {
      method: "GET",
      path: `${path}/:id`,
      async handle(exchange) {
        await exchange.answer(200, schema, schema.parse(find(owners, exchange, kind).row));
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
        const { value, allowedHosts } = await exchange.body(setSecretRequestSchema);
        const entry: SecretEntry = {
          id: randomUUID(),
          storeId: row.id,
          name,
          allowedHosts: allowedHosts ?? secrets.get(name)?.entry.allowedHosts ?? [],
          createdAt: new Date().toISOString(),
          updatedAt: new Date().toISOString(),
        };
        secrets.set(name, { value, entry });
        await exchange.answer(200, setSecretResponseSchema, { name, status: "set" });
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

function find<Row>(owners: Map<string, Owner<Row>>, exchange: Exchange, kind: string): Owner<Row> {
  const owner = owners.get(exchange.parameter("id"));
  if (owner === undefined) throw new WireError("not_found", `There is no such ${kind}`);
  return owner;
}

function refuseNameInUse<Row extends { name: string }>(
  owners: Map<string, Owner<Row>>,
  name: string,
): void {
  for (const { row } of owners.values()) {
    if (row.name === name) throw new WireError("name_in_use", `The name ${name} is in use`);
  }
}

function newRow() {
  const now = new Date().toISOString();
  return { id: randomUUID() as string, orgId: orgId as string, createdAt: now, updatedAt: now };
}
