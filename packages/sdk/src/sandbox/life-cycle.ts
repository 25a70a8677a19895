import {
  type BuildLogEvent,
  type CreatedSandbox,
  createdSandboxSchema,
  type HibernateResponse,
  hibernateResponseSchema,
  type IdleRule,
  type PreviewAuth,
  type WokenSandbox,
  wokenSandboxSchema,
} from "@opencomputer/protocol/api";
import type { CallOptions, Connection, ConnectionOptions } from "../connection.ts";
import type { Image } from "../image/image.ts";
import type { ApiRequest } from "../request/api-request.ts";
import { saveDeadlineSeconds } from "../request/deadline.ts";
import { requestWithLog } from "../request/read-events.ts";
import { requestDeletion, requestJson, requestNothing } from "../request/send-request.ts";
import type { WebhookOptions } from "../webhook.ts";

/** Options of {@link Sandbox.create}. Absent ones take the project's value, or else the platform's. */
export interface CreateSandboxOptions extends ConnectionOptions {
  /**
   * Name of the secret store whose secrets the sandbox gets, as sealed tokens. With a
   * `project` they are added to the project's own secrets and override them.
   */
  secretStore?: string | undefined;
  /** Name of the project whose defaults and secrets the sandbox gets. */
  project?: string | undefined;
  /**
   * Idle time-out in seconds; 0 is never. Platform default 300. Each use of the sandbox restarts it.
   * With a `project`, 0 is as absent: {@link Sandbox.setTimeout} sets it afterwards.
   */
  timeout?: number | undefined;
  /**
   * What counts as use. `requests`, the default: commands, files and every
   * other call, and live WebSocket traffic. `cpu`: also 10 seconds in which
   * the sandbox takes at least 5 percent of one CPU, so that work in the
   * background keeps it awake.
   */
  idle?: IdleRule | undefined;
  /** Plain variables of every command. A variable with a secret's name replaces that secret. */
  envs?: Readonly<Record<string, string>> | undefined;
  /** Labels for your own use; the sandbox does not see them. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /** Virtual CPUs, 1–8. Platform default 1. */
  cpuCount?: number | undefined;
  /** Memory in MB, 256–16384. Platform default 1024. */
  memoryMB?: number | undefined;
  /** Disk in MB, 20480–262144. Platform default 20480; it takes disk space of the host as it is written to. */
  diskMB?: number | undefined;
  /** Template; `base` is the platform's. */
  templateID?: string | undefined;
  /** The image to start from instead of the base image. It is built unless it exists. */
  image?: Image | undefined;
  /** Name of the snapshot to start from. Not together with `image`. */
  snapshot?: string | undefined;
  /**
   * Makes the sandbox's previews require a bearer token: `auto`, which the service
   * makes, or your own of at least 16 characters. It is `sandbox.info.previewAuthToken`
   * of the created sandbox, and returned nowhere else.
   */
  previewAuth?: PreviewAuth | undefined;
  /**
   * Webhooks that get the events of this sandbox and end with it, at most 5. They
   * are `sandbox.info.webhooks` of the created sandbox, with their secrets.
   */
  webhooks?: readonly WebhookOptions[] | undefined;
  /** Called with each line of the build of `image`, or of a snapshot that is being built. */
  onBuildLog?: ((event: BuildLogEvent) => void) | undefined;
}

export interface WakeOptions extends CallOptions {
  /** Idle time-out from now on, in seconds; 0 is never. Absent: unchanged. */
  timeout?: number | undefined;
}

/** Options of {@link Sandbox.kill}. */
export interface KillOptions {
  /**
   * Deletes the secret store that the sandbox was created with, too. When another
   * sandbox or a checkpoint uses it, nothing is done and the error is `secret_store_in_use`.
   */
  deleteSecretStore?: boolean;
}

/** The life of a sandbox, from its creation to its end. All but `create` are under its path. */
export const lifeCycleCalls = {
  async create(connection: Connection, options: CreateSandboxOptions): Promise<CreatedSandbox> {
    const { secretStore, project, timeout, idle, envs, metadata } = options;
    const { cpuCount, memoryMB, diskMB, templateID, image, snapshot, previewAuth, webhooks } =
      options;
    const request: ApiRequest = {
      method: "POST",
      path: "/sandboxes",
      body: {
        kind: "json",
        value: {
          ...{ secretStore, project, timeout, idle, envs, metadata },
          ...{ cpuCount, memoryMB, diskMB, templateID, image, snapshot, previewAuth, webhooks },
        },
      },
    };
    return image === undefined && !snapshot
      ? await requestJson(connection, request, createdSandboxSchema)
      : await requestWithLog(connection, request, createdSandboxSchema, options.onBuildLog);
  },

  async setTimeout(connection: Connection, sandboxPath: string, seconds: number): Promise<void> {
    await requestNothing(connection, {
      method: "POST",
      path: `${sandboxPath}/timeout`,
      body: { kind: "json", value: { timeout: seconds } },
      idempotent: true,
    });
  },

  async hibernate(connection: Connection, sandboxPath: string): Promise<HibernateResponse> {
    return await requestJson(
      connection,
      {
        method: "POST",
        path: `${sandboxPath}/hibernate`,
        idempotent: true,
        deadlineSeconds: saveDeadlineSeconds,
      },
      hibernateResponseSchema,
    );
  },

  async wake(
    connection: Connection,
    sandboxPath: string,
    { timeout }: WakeOptions,
  ): Promise<WokenSandbox> {
    return await requestJson(
      connection,
      {
        method: "POST",
        path: `${sandboxPath}/wake`,
        body: { kind: "json", value: { timeout } },
        idempotent: true,
        // Each patch that a fork has not run yet may take five minutes.
        deadlineSeconds: null,
      },
      wokenSandboxSchema,
    );
  },

  async kill(
    connection: Connection,
    sandboxPath: string,
    options: KillOptions = {},
  ): Promise<void> {
    const query = options.deleteSecretStore ? { deleteSecretStore: "true" } : {};
    await requestDeletion(connection, { method: "DELETE", path: sandboxPath, query });
  },
};
