import { randomUUID } from "node:crypto";
import {
  createProjectRequestSchema,
  createSecretStoreRequestSchema,
  defaultPlacements,
  type ProjectRecord,
  projectSchema,
  projectSecretNamesSchema,
  type SecretStoreRecord,
  secretEntrySchema,
  secretStoreSchema,
  updateProjectRequestSchema,
  updateSecretStoreRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { find, type Owner, ownerRoutes } from "./owner-routes.ts";
import type { Route } from "./route.ts";

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
        const fields = await exchange.body(createSecretStoreRequestSchema);
        refuseNameInUse(stores, fields.name);
        const row = {
          ...newRow(),
          name: fields.name,
          egressAllowlist: fields.egressAllowlist ?? [],
          substituteIn: fields.substituteIn ?? undefined,
        };
        stores.set(row.id, { row, secrets: new Map() });
        await exchange.respond(201, secretStoreSchema, row);
      },
    },
    {
      method: "PUT",
      path: "/secret-stores/:id",
      async handle(exchange) {
        const owner = find(stores, exchange, "secret store");
        const fields = await exchange.body(updateSecretStoreRequestSchema);
        const { name, egressAllowlist, substituteIn } = fields;
        owner.row.name = name ?? owner.row.name;
        owner.row.egressAllowlist = egressAllowlist ?? owner.row.egressAllowlist;
        const placements = substituteIn ?? owner.row.substituteIn ?? [];
        owner.row.substituteIn = placements.length === 0 ? undefined : placements;
        await exchange.respond(200, secretStoreSchema, owner.row);
      },
    },
    {
      method: "GET",
      path: "/secret-stores/:id/secrets",
      async handle(exchange) {
        const { row, secrets } = find(stores, exchange, "secret store");
        const entries = entriesOf(secrets, row.substituteIn);
        await exchange.respond(200, secretEntrySchema.array(), entries);
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
        await exchange.respond(201, projectSchema, row);
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
        await exchange.respond(200, projectSchema, owner.row);
      },
    },
    {
      method: "GET",
      path: "/projects/:id/secrets",
      async handle(exchange) {
        const { secrets } = find(projects, exchange, "project");
        if (exchange.query.get("details") === "true") {
          await exchange.respond(200, secretEntrySchema.array(), entriesOf(secrets));
          return;
        }
        await exchange.respond(200, projectSecretNamesSchema, [...secrets.keys()].sort());
      },
    },
    ...ownerRoutes("/secret-stores", "secret store", secretStoreSchema, stores),
    ...ownerRoutes("/projects", "project", projectSchema, projects),
  ];
}

function entriesOf(
  secrets: Owner<unknown>["secrets"],
  placements: readonly string[] = defaultPlacements,
) {
  return [...secrets.values()]
    .map(({ entry, substituteIn }) => ({
      ...entry,
      substituteIn: substituteIn ?? [...placements],
    }))
    .sort((one, other) => one.name.localeCompare(other.name));
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
