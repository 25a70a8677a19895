import { type CreateSandboxRequest, objectNameSchema, WireError } from "@opencomputer/protocol";
import type { Database } from "../database/database.ts";
import type { ImageOrigin } from "../images/image-origin.ts";
import type { ProjectRepository } from "../projects/project-repository.ts";
import { loadLayer, loadNamedLayer } from "../secret-stores/load-layer.ts";
import { emptyLayer, openLayer } from "../secret-stores/open-layer.ts";
import type { Vault } from "../vault/vault.ts";
import { resolveSandboxOptions } from "./sandbox-options.ts";
import type { DrawPlan } from "./sandbox-plan.ts";

/**
 * The plan of a create on an image, which is built meanwhile.
 *
 * @throws {WireError} `project_not_found`, `secret_store_not_found`, `invalid_request`
 */
export type PlanCreate = (
  orgId: string,
  request: CreateSandboxRequest,
) => Promise<(image: ImageOrigin | undefined) => DrawPlan>;

/**
 * The plan of `POST /sandboxes`: the project's store is the base, the named
 * store is laid over it, and the image, when there is one, is below both.
 */
export function createPlanCreate(deps: {
  database: Database;
  projects: ProjectRepository;
  vault: Vault;
  /** Placements of secrets that name none, in stores that name none. */
  operatorPlacements: readonly string[];
}): PlanCreate {
  return async (orgId, request) => {
    const owner = await findProject(deps.projects, orgId, request.project);
    const options = resolveSandboxOptions(request, owner?.project);
    const storeName = request.secretStore || null;
    const projectName = owner?.project.name ?? null;
    const open = (layer: Awaited<ReturnType<typeof loadLayer>>) => openLayer(deps, orgId, layer);

    const planOn =
      (image: ImageOrigin | undefined): DrawPlan =>
      async (transaction) => ({
        options,
        purpose: "user",
        checkpointId: image?.checkpointId ?? null,
        fromCheckpointId: null,
        inheritedEnvs: image?.envs ?? {},
        envs: request.envs ?? {},
        workingDirectory: image?.workingDirectory ?? null,
        metadata: request.metadata ?? {},
        projectName,
        secretStoreName: storeName,
        baseSecretStoreName: storeName === null ? null : projectName,
        hasSecretStore: storeName !== null,
        base:
          owner === undefined
            ? emptyLayer
            : open(await loadLayer(transaction, orgId, owner.storeId)),
        top:
          storeName === null
            ? emptyLayer
            : open(await loadNamedLayer(transaction, orgId, storeName)),
        inheritedFormerSecrets: [],
      });
    // A build may take minutes: a name that is wrong is told of before it.
    if (request.image || request.snapshot) await deps.database.transaction(planOn(undefined));
    return planOn;
  };
}

async function findProject(projects: ProjectRepository, orgId: string, name: string | undefined) {
  if (name === undefined || name === "") return undefined;
  const owner = objectNameSchema.safeParse(name).success
    ? await projects.findByName(orgId, name)
    : undefined;
  if (owner !== undefined) return owner;
  throw new WireError("project_not_found", `project not found: ${name}`);
}
