import { type CreateSandboxRequest, objectNameSchema, WireError } from "@opencomputer/protocol/api";
import type { Database } from "../../database/database.ts";
import type { ProjectRepository } from "../../projects/project-repository.ts";
import { assertStoreExists } from "../../secret-layers/open-store-layer.ts";
import { resolveConfig } from "./resolve-config.ts";
import type { ImageOrigin, SandboxPlan } from "./sandbox-plan.ts";

/**
 * Plans a `POST /sandboxes`: the project's store is the base, and the named
 * store is laid over it. `made` is what was made for this request alone.
 *
 * @throws {WireError} `project_not_found`, `secret_store_not_found`, `invalid_request`
 */
export async function planCreate(
  deps: { database: Database; projects: ProjectRepository },
  orgId: string,
  request: CreateSandboxRequest,
  made: Pick<SandboxPlan, "previewTokenHash" | "webhooks">,
): Promise<SandboxPlan> {
  const owner = await findProject(deps.projects, orgId, request.project);
  const storeName = request.secretStore || null;
  const projectName = owner?.project.name ?? null;
  const plan: SandboxPlan = {
    purpose: "user",
    config: {
      ...resolveConfig(request, owner?.project),
      scaling: null,
      metadata: request.metadata ?? {},
      workingDirectory: null,
      projectName,
      secretStoreName: storeName,
      baseSecretStoreName: storeName === null ? null : projectName,
      secretStoreId: null,
      baseSecretStoreId: storeName === null ? null : (owner?.storeId ?? null),
    },
    checkpointId: null,
    fork: null,
    inheritedEnvs: {},
    ownEnvs: request.envs ?? {},
    ...made,
    hasSecretStore: storeName !== null,
    base: owner === undefined ? { kind: "none" } : { kind: "project", storeId: owner.storeId },
    top: storeName === null ? { kind: "none" } : { kind: "store", name: storeName },
  };
  // A build may take minutes: a wrong name is reported before it.
  if ((request.image || request.snapshot) && storeName !== null) {
    await assertStoreExists(deps.database, orgId, storeName);
  }
  return plan;
}

/** Changes a plan to start from an image instead of the base image. */
export function planOnImage(plan: SandboxPlan, image: ImageOrigin | undefined): SandboxPlan {
  if (image === undefined) return plan;
  const { checkpointId, envs, workingDirectory } = image;
  const config = { ...plan.config, workingDirectory };
  return { ...plan, config, checkpointId, inheritedEnvs: envs };
}

async function findProject(
  projects: ProjectRepository,
  orgId: string,
  name: CreateSandboxRequest["project"],
) {
  if (!name) return undefined;
  const owner = objectNameSchema.safeParse(name).success
    ? await projects.findByName(orgId, name)
    : undefined;
  if (owner !== undefined) return owner;
  throw new WireError("project_not_found", `project not found: ${name}`, {
    remediation: "oc project list, oc project create --name <name>",
  });
}
