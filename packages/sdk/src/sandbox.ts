import {
  type AllowedHosts,
  allowedHostsSchema,
  type CreatedSandbox,
  createdSandboxSchema,
  type SandboxDetail,
  type SandboxStatus,
  type SandboxSummary,
  type SandboxTags,
  sandboxDetailSchema,
  sandboxSummarySchema,
  sandboxTagsSchema,
  type TagKey,
  tagKeysSchema,
} from "@opencomputer/protocol";
import { type Commands, createCommands } from "./commands/commands.ts";
import { type Connection, type ConnectionOptions, resolveConnection } from "./connection.ts";
import { type CallOptions, createFiles, type Files } from "./files/files.ts";
import { OpenComputerError } from "./open-computer-error.ts";
import { apiPath } from "./request/api-request.ts";
import { requestDeletion, requestJson, requestNothing } from "./request/send-request.ts";

/** Options of {@link Sandbox.create}. What is absent falls to the project's, then to the platform's. */
export interface CreateSandboxOptions extends ConnectionOptions {
  /** Name of the secret store whose secrets the sandbox gets, as sealed tokens. */
  secretStore?: string | undefined;
  /** Name of the project whose defaults and secrets the sandbox gets. */
  project?: string | undefined;
  /** Idle time-out in seconds; 0 is never. Platform default 300. Each use of the sandbox starts it anew. */
  timeout?: number | undefined;
  /** Plain variables of every command. One of a secret's name replaces that secret. */
  envs?: Readonly<Record<string, string>> | undefined;
  /** Labels for your own use; the sandbox does not see them. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /** Virtual CPUs, 1–8. Platform default 1. */
  cpuCount?: number | undefined;
  /** Memory in MB, 256–16384. Platform default 1024. */
  memoryMB?: number | undefined;
  /** Disk in MB: at least the guest image's (8192, also the default), at most 262144. */
  diskMB?: number | undefined;
  /** Template; `base` is the platform's. */
  templateID?: string | undefined;
}

export interface ListSandboxesOptions extends ConnectionOptions {
  /** Only sandboxes of this status. Default: running and hibernated ones. */
  status?: SandboxStatus | undefined;
}

/**
 * A virtual machine of your own. Make one with {@link Sandbox.create}, find a
 * running one again with {@link Sandbox.connect}.
 */
export class Sandbox {
  /** `sb-…`; whoever has it and the API key can connect. */
  readonly sandboxId: string;
  /** Runs commands. */
  readonly exec: Commands;
  /** The same as {@link exec}. */
  readonly commands: Commands;
  /** Reads and writes files. */
  readonly files: Files;
  /** What the service said of the sandbox when this object was made. */
  readonly info: CreatedSandbox;
  readonly #connection: Connection;
  readonly #path: string;

  private constructor(connection: Connection, info: CreatedSandbox) {
    this.#connection = { ...connection, signal: undefined };
    this.#path = sandboxPath(info.sandboxID);
    this.info = info;
    this.sandboxId = info.sandboxID;
    this.exec = createCommands(this.#connection, info.sandboxID);
    this.commands = this.exec;
    this.files = createFiles(this.#connection, info.sandboxID);
  }

  /** The same as {@link sandboxId}. */
  get id(): string {
    return this.sandboxId;
  }

  /**
   * Creates a sandbox; resolves when it takes commands. It is never sent
   * twice, because a sandbox may have come to be although the answer was lost.
   *
   * @throws {OpenComputerError} `secret_store_not_found`, `project_not_found`,
   * `invalid_request`, `capacity_exhausted`.
   */
  static async create(options: CreateSandboxOptions = {}): Promise<Sandbox> {
    const connection = resolveConnection(options);
    const { secretStore, project, timeout, envs, metadata } = options;
    const { cpuCount, memoryMB, diskMB, templateID } = options;
    const info = await requestJson(
      connection,
      {
        method: "POST",
        path: "/sandboxes",
        body: {
          kind: "json",
          value: {
            ...{ secretStore, project, timeout, envs, metadata },
            ...{ cpuCount, memoryMB, diskMB, templateID },
          },
        },
      },
      createdSandboxSchema,
    );
    return new Sandbox(connection, info);
  }

  /**
   * Finds a sandbox by its id. One that was killed is not found, also while
   * {@link Sandbox.get} still tells of it.
   *
   * @throws {OpenComputerError} `sandbox_not_found`.
   */
  static async connect(sandboxId: string, options: ConnectionOptions = {}): Promise<Sandbox> {
    const info = await Sandbox.get(sandboxId, options);
    if (info.status === "stopped") {
      throw new OpenComputerError(
        "sandbox_not_found",
        `Sandbox ${sandboxId} was killed or has ended: create another with Sandbox.create`,
        { status: 404 },
      );
    }
    return new Sandbox(resolveConnection(options), info);
  }

  /** What the service knows of a sandbox. @throws {OpenComputerError} `sandbox_not_found`. */
  static async get(sandboxId: string, options: ConnectionOptions = {}): Promise<SandboxDetail> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: sandboxPath(sandboxId) },
      sandboxDetailSchema,
    );
  }

  /** The org's sandboxes. */
  static async list(options: ListSandboxesOptions = {}): Promise<SandboxSummary[]> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: "/sandboxes", query: { status: options.status } },
      sandboxSummarySchema.array(),
    );
  }

  /** The tag keys in use on the org's running sandboxes, with how often each is. */
  static async listTagKeys(options: ConnectionOptions = {}): Promise<TagKey[]> {
    const request = { method: "GET", path: "/tags" } as const;
    return (await requestJson(resolveConnection(options), request, tagKeysSchema)).keys;
  }

  /** Ends a sandbox by its id and removes all it held. @throws {OpenComputerError} `sandbox_not_found`. */
  static async kill(sandboxId: string, options: ConnectionOptions = {}): Promise<void> {
    await killSandbox(resolveConnection(options), sandboxPath(sandboxId));
  }

  /** Ends this sandbox and removes all it held. @throws {OpenComputerError} `sandbox_not_found`. */
  async kill(options?: CallOptions): Promise<void> {
    await killSandbox(this.#at(options), this.#path);
  }

  /** Whether the sandbox runs now; false once it is hibernated, stopped or gone. */
  async isRunning(options?: CallOptions): Promise<boolean> {
    try {
      return (await this.getInfo(options)).status === "running";
    } catch (error) {
      if (error instanceof OpenComputerError && error.status === 404) return false;
      throw error;
    }
  }

  /** What the service knows of this sandbox now. @throws {OpenComputerError} `sandbox_not_found`. */
  async getInfo(options?: CallOptions): Promise<SandboxDetail> {
    const request = { method: "GET", path: this.#path } as const;
    return await requestJson(this.#at(options), request, sandboxDetailSchema);
  }

  /** Sets the idle time-out, in seconds from now; 0 is never. @throws {OpenComputerError} `invalid_request`. */
  async setTimeout(seconds: number, options?: CallOptions): Promise<void> {
    await requestNothing(this.#at(options), {
      method: "POST",
      path: `${this.#path}/timeout`,
      body: { kind: "json", value: { timeout: seconds } },
      idempotent: true,
    });
  }

  /** The hosts that the proxy allows this sandbox, and those that each secret may go to. */
  async allowedHosts(options?: CallOptions): Promise<AllowedHosts> {
    const request = { method: "GET", path: `${this.#path}/allowed-hosts` } as const;
    return await requestJson(this.#at(options), request, allowedHostsSchema);
  }

  /** The sandbox's tags, and when they last changed. */
  async getTags(options?: CallOptions): Promise<SandboxTags> {
    const request = { method: "GET", path: `${this.#path}/tags` } as const;
    return await requestJson(this.#at(options), request, sandboxTagsSchema);
  }

  /**
   * Replaces all tags of the sandbox: at most 50, keys of 1–128 letters,
   * digits, `_`, `.`, `:` and `-`, values of at most 256 characters.
   *
   * @throws {OpenComputerError} `invalid_request`.
   */
  async setTags(
    tags: Readonly<Record<string, string>>,
    options?: CallOptions,
  ): Promise<SandboxTags> {
    return await requestJson(
      this.#at(options),
      { method: "PUT", path: `${this.#path}/tags`, body: { kind: "json", value: tags } },
      sandboxTagsSchema,
    );
  }

  #at(options: CallOptions | undefined): Connection {
    return { ...this.#connection, signal: options?.signal };
  }
}

function sandboxPath(sandboxId: string): string {
  return apiPath`/sandboxes/${sandboxId}`;
}

async function killSandbox(connection: Connection, path: string): Promise<void> {
  await requestDeletion(connection, { method: "DELETE", path });
}
