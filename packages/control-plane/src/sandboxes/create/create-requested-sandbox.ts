import type { CreateSandboxRequest } from "@opencomputer/protocol/api";
import type { Database } from "../../database/database.ts";
import type { ImageFollower } from "../../images/image-builds.ts";
import { type OpenImageDeps, openImage } from "../../images/open-image.ts";
import type { Caller } from "../../orgs/api-key-repository.ts";
import type { ProjectRepository } from "../../projects/project-repository.ts";
import { planCreate, planOnImage } from "../plan/plan-create.ts";
import type { SandboxPlan } from "../plan/sandbox-plan.ts";
import type { SandboxRow } from "../rows/sandbox-repository.ts";
import { type CreateSandboxDeps, createSandbox } from "./create-sandbox.ts";

export interface CreateRequestedSandboxDeps extends CreateSandboxDeps, OpenImageDeps {
  database: Database;
  projects: ProjectRepository;
}

/**
 * Creates the sandbox of a `POST /sandboxes`, after building the image that it
 * names unless that exists.
 *
 * @throws {WireError} what the plan, the image and the create throw.
 */
export async function createRequestedSandbox(
  deps: CreateRequestedSandboxDeps,
  caller: Caller,
  request: CreateSandboxRequest,
  made: Pick<SandboxPlan, "previewTokenHash" | "webhooks">,
  follower: ImageFollower,
): Promise<SandboxRow> {
  const plan = await planCreate(deps, caller.orgId, request, made);
  const image = await openImage(deps, caller.orgId, request, follower);
  return createSandbox(deps, caller, planOnImage(plan, image), follower.signal);
}
