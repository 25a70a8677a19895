import { limits, type ProjectRecord, WireError } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { asUuid, isUniqueViolation } from "../database/database.ts";
import { and, asc, eq, sql } from "../database/query-builder.ts";
import { projects, secretStores } from "../database/schema.ts";
import type { OrgTransactions } from "../orgs/org-repository.ts";

export interface ProjectChanges {
  name?: string;
  template?: string;
  cpuCount?: number;
  memoryMB?: number;
  timeoutSec?: number;
  egressAllowlist?: string[];
}

/** Stores projects, each with the one store that it owns, which has its allowlist and its secrets. */
export function createProjectRepository(database: Database, orgTransactions: OrgTransactions) {
  const ofOrg = (orgId: string, projectId: string) =>
    and(eq(projects.orgId, orgId), eq(projects.id, projectId));

  const select = (db: Database) =>
    db
      .select({ project: projects, store: secretStores })
      .from(projects)
      .innerJoin(
        secretStores,
        and(eq(secretStores.projectId, projects.id), eq(secretStores.orgId, projects.orgId)),
      );

  async function find(db: Database, orgId: string, projectId: string) {
    const id = asUuid(projectId);
    if (id === undefined) throw projectNotFound(projectId);
    const [row] = await select(db).where(ofOrg(orgId, id));
    if (row === undefined) throw projectNotFound(projectId);
    return row;
  }

  return {
    /** @throws {WireError} `name_in_use`, `limit_exceeded` */
    async create(orgId: string, values: Required<ProjectChanges>): Promise<ProjectRecord> {
      const { egressAllowlist, ...columns } = values;
      return nameInUse(values.name, () =>
        orgTransactions.run(orgId, async (transaction) => {
          await assertProjectLimit(transaction, orgId);
          const [project] = await transaction
            .insert(projects)
            .values({ orgId, ...columns })
            .returning();
          if (project === undefined) throw new Error("An insert into projects returned no row");
          await transaction
            .insert(secretStores)
            .values({ orgId, projectId: project.id, name: project.name, egressAllowlist });
          return toRecord(await find(transaction, orgId, project.id));
        }),
      );
    },

    async list(orgId: string): Promise<ProjectRecord[]> {
      const rows = await select(database)
        .where(eq(projects.orgId, orgId))
        .orderBy(asc(projects.name));
      return rows.map(toRecord);
    },

    /** @throws {WireError} `not_found` */
    async get(orgId: string, projectId: string): Promise<ProjectRecord> {
      return toRecord(await find(database, orgId, projectId));
    },

    /**
     * Returns the id of the store that the project owns.
     *
     * @throws {WireError} `not_found`
     */
    async storeIdOf(orgId: string, projectId: string): Promise<string> {
      return (await find(database, orgId, projectId)).store.id;
    },

    /** Finds a project by its name, with its store's id; `undefined` when there is none. */
    async findByName(
      orgId: string,
      name: string,
    ): Promise<{ project: ProjectRecord; storeId: string } | undefined> {
      const [row] = await select(database).where(
        and(eq(projects.orgId, orgId), eq(projects.name, name)),
      );
      return row === undefined ? undefined : { project: toRecord(row), storeId: row.store.id };
    },

    /**
     * Changes the fields that are given.
     *
     * @throws {WireError} `not_found`, `name_in_use`
     */
    async update(
      orgId: string,
      projectId: string,
      changes: ProjectChanges,
    ): Promise<ProjectRecord> {
      const { egressAllowlist, ...columns } = changes;
      return nameInUse(changes.name, () =>
        database.transaction(async (transaction) => {
          const { project, store } = await find(transaction, orgId, projectId);
          await transaction
            .update(projects)
            .set({ ...columns, updatedAt: sql`now()` })
            .where(ofOrg(orgId, project.id));
          await transaction
            .update(secretStores)
            .set({
              ...(changes.name === undefined ? {} : { name: changes.name }),
              ...(egressAllowlist === undefined ? {} : { egressAllowlist }),
              updatedAt: sql`now()`,
            })
            .where(and(eq(secretStores.orgId, orgId), eq(secretStores.id, store.id)));
          return toRecord(await find(transaction, orgId, project.id));
        }),
      );
    },

    /**
     * Deletes the project and its secrets; sandboxes keep their copies.
     *
     * @throws {WireError} `not_found`
     */
    async delete(orgId: string, projectId: string): Promise<void> {
      const id = asUuid(projectId);
      if (id === undefined) throw projectNotFound(projectId);
      const rows = await database
        .delete(projects)
        .where(ofOrg(orgId, id))
        .returning({ id: projects.id });
      if (rows.length === 0) throw projectNotFound(projectId);
    },
  };
}
export type ProjectRepository = ReturnType<typeof createProjectRepository>;

async function assertProjectLimit(transaction: Database, orgId: string): Promise<void> {
  const existing = await transaction.$count(projects, eq(projects.orgId, orgId));
  if (existing < limits.projectsPerOrgMax) return;
  throw new WireError(
    "limit_exceeded",
    `Project limit reached: this org has ${limits.projectsPerOrgMax} projects, the maximum. Delete one first`,
    { remediation: "oc project delete <id>" },
  );
}

async function nameInUse<Result>(name: string | undefined, work: () => Promise<Result>) {
  try {
    return await work();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new WireError("name_in_use", `A project named ${JSON.stringify(name)} exists`);
  }
}

function projectNotFound(projectId: string): WireError {
  return new WireError("not_found", `project not found: ${projectId}`);
}

function toRecord(row: {
  project: typeof projects.$inferSelect;
  store: typeof secretStores.$inferSelect;
}): ProjectRecord {
  const { project, store } = row;
  return {
    id: project.id,
    orgId: project.orgId,
    name: project.name,
    template: project.template,
    cpuCount: project.cpuCount,
    memoryMB: project.memoryMB,
    timeoutSec: project.timeoutSec,
    egressAllowlist: store.egressAllowlist,
    createdAt: project.createdAt.toISOString(),
    updatedAt: project.updatedAt.toISOString(),
  };
}
