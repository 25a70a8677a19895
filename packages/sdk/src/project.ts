import {
  type AwsCredentials,
  type ProjectRecord,
  projectSchema,
  projectSecretNamesSchema,
  type RevokeSecretResponse,
  type SecretEntry,
  type SetSecretResponse,
  secretEntrySchema,
} from "@opencomputer/protocol/api";
import { type ConnectionOptions, resolveConnection } from "./connection.ts";
import { putSecret, removeSecret, type SetSecretOptions, withdrawSecret } from "./named-secrets.ts";
import { apiPath } from "./request/api-request.ts";
import { requestDeletion, requestJson } from "./request/send-request.ts";

/** Defaults for the sandboxes of the project. Absent ones are those of the platform. */
export interface ProjectDefaults {
  /** Template; `base` is the platform's. */
  template?: string | undefined;
  /** Virtual CPUs, 1–8. */
  cpuCount?: number | undefined;
  /** Memory in MB, 256–16384. */
  memoryMB?: number | undefined;
  /** Idle time-out in seconds; 0 is as absent. */
  timeoutSec?: number | undefined;
  /** Hosts that a sandbox may reach; empty or absent: all hosts. */
  egressAllowlist?: readonly string[] | undefined;
}

/** Options of {@link Project.create}. */
export interface CreateProjectOptions extends ConnectionOptions, ProjectDefaults {
  /** Unique in the org, at most 128 characters. A sandbox names its project by it. */
  name: string;
}

/** Options of {@link Project.update}. Absent fields are kept; `egressAllowlist: []` clears the list. */
export interface UpdateProjectOptions extends ConnectionOptions, ProjectDefaults {
  /** Unique in the org, at most 128 characters. */
  name?: string | undefined;
}

/**
 * Projects group sandboxes: they have defaults and encrypted secrets for them.
 * Every call throws {@link OpenComputerError}.
 */
export const Project = {
  /** Creates a project. @throws `name_in_use`, `invalid_request`, `invalid_host_pattern`, `limit_exceeded`. */
  async create(options: CreateProjectOptions): Promise<ProjectRecord> {
    return await requestJson(
      resolveConnection(options),
      { method: "POST", path: "/projects", body: { kind: "json", value: projectFields(options) } },
      projectSchema,
    );
  },

  /** Lists all projects of the org, by name. */
  async list(options: ConnectionOptions = {}): Promise<ProjectRecord[]> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: "/projects" },
      projectSchema.array(),
    );
  },

  /** Returns one project, by its UUID. @throws `not_found`. */
  async get(projectId: string, options: ConnectionOptions = {}): Promise<ProjectRecord> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: projectPath(projectId) },
      projectSchema,
    );
  },

  /** Changes the fields that are given. @throws `not_found`, `name_in_use`, `invalid_request`, `invalid_host_pattern`. */
  async update(projectId: string, options: UpdateProjectOptions): Promise<ProjectRecord> {
    return await requestJson(
      resolveConnection(options),
      {
        method: "PUT",
        path: projectPath(projectId),
        body: { kind: "json", value: projectFields(options) },
      },
      projectSchema,
    );
  },

  /** Deletes a project and its secrets. Running sandboxes are not affected. @throws `not_found`. */
  async delete(projectId: string, options: ConnectionOptions = {}): Promise<void> {
    await requestDeletion(resolveConnection(options), {
      method: "DELETE",
      path: projectPath(projectId),
    });
  },

  /**
   * Sets a secret of the project, or replaces its value.
   *
   * @param name Environment variable that holds the token in a sandbox. Of AWS credentials the
   *   beginning of three: `AWS` gives `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
   * @param value 1 byte to 64 KiB; or AWS credentials, which requests are signed with.
   * @returns With a `warning` when the value can be guessed, so that responses are not searched for it.
   * @throws `not_found`, `invalid_secret_name`, `invalid_host_pattern`, `limit_exceeded`; `invalid_request` for a malformed placement;
   *   `name_in_use` when the name is that of a text and the value is AWS credentials, or the other way round.
   */
  async setSecret(
    projectId: string,
    name: string,
    value: string | AwsCredentials,
    options: SetSecretOptions = {},
  ): Promise<SetSecretResponse> {
    return await putSecret(projectPath(projectId), name, value, options);
  },

  /** Lists the names of the project's secrets; {@link Project.listSecretEntries} has more of each. @throws `not_found`. */
  async listSecrets(projectId: string, options: ConnectionOptions = {}): Promise<string[]> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: `${projectPath(projectId)}/secrets` },
      projectSecretNamesSchema,
    );
  },

  /**
   * Lists the project's secrets without their values, as {@link SecretStore.listSecrets} does
   * those of a store. `substituteIn` has the placements that apply, and `storeId` is of the store
   * that the project has for them. @throws `not_found`.
   */
  async listSecretEntries(
    projectId: string,
    options: ConnectionOptions = {},
  ): Promise<SecretEntry[]> {
    return await requestJson(
      resolveConnection(options),
      {
        method: "GET",
        path: `${projectPath(projectId)}/secrets`,
        query: { details: "true" },
      },
      secretEntrySchema.array(),
    );
  },

  /**
   * Revokes the value of a secret at once, for every sandbox and checkpoint that
   * has it. They keep its token, which is not replaced in any request until the
   * secret is set again. Revoking it again changes nothing.
   *
   * @throws `not_found`; `enforcement_pending` when a running sandbox may still use the value: call again.
   */
  async revokeSecret(
    projectId: string,
    name: string,
    options: ConnectionOptions = {},
  ): Promise<RevokeSecretResponse> {
    return await withdrawSecret(projectPath(projectId), name, options);
  },

  /** Deletes a secret of the project. Running sandboxes are not affected. @throws `not_found`. */
  async deleteSecret(
    projectId: string,
    name: string,
    options: ConnectionOptions = {},
  ): Promise<void> {
    await removeSecret(projectPath(projectId), name, options);
  },
};

function projectPath(projectId: string): string {
  return apiPath`/projects/${projectId}`;
}

/** The part of the options that is sent. */
function projectFields(options: ProjectDefaults & { name?: string | undefined }) {
  const { name, template, cpuCount, memoryMB, timeoutSec, egressAllowlist } = options;
  return { name, template, cpuCount, memoryMB, timeoutSec, egressAllowlist };
}
