import type {
  AllowedHosts,
  Autoscale,
  CheckpointRecord,
  CreatedSandbox,
  HibernateResponse,
  PatchRecord,
  PreviewLink,
  PreviewRecord,
  RestoredCheckpoint,
  RotatedPreviewAuth,
  SandboxDetail,
  SandboxSummary,
  SandboxTags,
  SandboxUsage,
  ScaledSandbox,
  ScalingLock,
  TagKey,
  WokenSandbox,
} from "@opencomputer/protocol/api";
import { type Commands, createCommands } from "../commands/commands.ts";
import {
  type CallOptions,
  type Connection,
  type ConnectionOptions,
  resolveConnection,
} from "../connection.ts";
import { EgressLog } from "../egress-log.ts";
import { createFiles, type Files } from "../files/files.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import { apiPath } from "../request/api-request.ts";
import { createTerminals, type Terminals } from "../terminals/terminals.ts";
import { type SandboxUsageOptions, sandboxUsage } from "../usage.ts";
import { type CreateCheckpointPatchOptions, patchCalls } from "./checkpoint-patches.ts";
import { type CreateCheckpointOptions, checkpointCalls, type ForkOptions } from "./checkpoints.ts";
import {
  type CreateSandboxOptions,
  type KillOptions,
  lifeCycleCalls,
  type WakeOptions,
} from "./life-cycle.ts";
import { type CreatePreviewOptions, previewCalls } from "./previews.ts";
import { type ListSandboxesOptions, recordCalls } from "./sandbox-records.ts";
import {
  type AutoscaleOptions,
  type SandboxLimits,
  type ScaleOptions,
  scalingCalls,
} from "./scaling.ts";
import { tagCalls } from "./tags.ts";

/**
 * A virtual machine. {@link Sandbox.create} makes one, {@link Sandbox.connect}
 * finds one by its id.
 *
 * Every call throws {@link OpenComputerError}: `sandbox_not_found` for a sandbox
 * that does not exist, and most `sandbox_not_running` for one that was killed.
 */
export class Sandbox {
  /** `sb-…`; with it and the API key, any program can connect. */
  readonly sandboxId: string;
  /** Runs commands. */
  readonly exec: Commands;
  /** The same as {@link exec}. */
  readonly commands: Commands;
  /** Reads and writes files. */
  readonly files: Files;
  /** Opens terminals. */
  readonly pty: Terminals;
  /** Reads the egress log, and explains what would happen to a request. */
  readonly egress: EgressLog;
  /** The state of the sandbox when this object was made. */
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
    this.pty = createTerminals(this.#connection, info.sandboxID);
    const { apiKey, baseUrl: apiUrl, fetch, onStarting } = connection;
    this.egress = new EgressLog(info.sandboxID, { apiKey, apiUrl, fetch, onStarting });
  }

  /** The same as {@link sandboxId}. */
  get id(): string {
    return this.sandboxId;
  }

  /**
   * Creates a sandbox; resolves when it accepts commands. The request is never
   * sent twice, because a sandbox may have been created although the response was lost.
   *
   * @throws {OpenComputerError} `secret_store_not_found`, `project_not_found`,
   * `snapshot_not_found`, `image_build_failed`, `invalid_request`, `limit_exceeded`;
   * `too_many_requests`, `limit_reached` and `capacity_exhausted` when there are
   * as many sandboxes as there may be.
   */
  static async create(options: CreateSandboxOptions = {}): Promise<Sandbox> {
    const connection = resolveConnection(options);
    return new Sandbox(connection, await lifeCycleCalls.create(connection, options));
  }

  /**
   * Creates a sandbox from a checkpoint: a fork, which continues from the
   * moment of the checkpoint and shares nothing with its parent. The service
   * waits up to 30 s for a checkpoint that is still being made.
   *
   * @throws {OpenComputerError} `checkpoint_not_found`, `checkpoint_not_ready`,
   * `checkpoint_failed`, `secret_store_not_found`, `session_not_found`; and when there
   * are as many sandboxes as there may be, as {@link Sandbox.create}.
   */
  static async createFromCheckpoint(
    checkpointId: string,
    options: ForkOptions = {},
  ): Promise<Sandbox> {
    const connection = resolveConnection(options);
    return new Sandbox(connection, await checkpointCalls.fork(connection, checkpointId, options));
  }

  /** Lists the checkpoints of a sandbox, even of a killed one. @throws {OpenComputerError} `sandbox_not_found`. */
  static async listCheckpoints(
    sandboxId: string,
    options: ConnectionOptions = {},
  ): Promise<CheckpointRecord[]> {
    return await checkpointCalls.list(resolveConnection(options), sandboxPath(sandboxId));
  }

  /**
   * Deletes a checkpoint of a sandbox, also of one that was killed. Its forks keep running.
   *
   * @throws {OpenComputerError} `checkpoint_not_found`.
   */
  static async deleteCheckpoint(
    sandboxId: string,
    checkpointId: string,
    options: ConnectionOptions = {},
  ): Promise<void> {
    await checkpointCalls.delete(resolveConnection(options), sandboxPath(sandboxId), checkpointId);
  }

  /**
   * Adds a script to a checkpoint. Each later fork runs the scripts in their
   * order before it accepts commands; after the first that fails no further one
   * runs, and `patchError` of that sandbox states the failure. A script is
   * killed after 5 minutes, which is a failure, too.
   *
   * @throws {OpenComputerError} `checkpoint_not_found`; `limit_exceeded` for more than 100 patches.
   */
  static async createCheckpointPatch(
    checkpointId: string,
    options: CreateCheckpointPatchOptions,
  ): Promise<PatchRecord> {
    return await patchCalls.create(resolveConnection(options), checkpointId, options);
  }

  /** Lists the patches of a checkpoint, in the order in which they run. @throws {OpenComputerError} `checkpoint_not_found`. */
  static async listCheckpointPatches(
    checkpointId: string,
    options: ConnectionOptions = {},
  ): Promise<PatchRecord[]> {
    return await patchCalls.list(resolveConnection(options), checkpointId);
  }

  /** Deletes a patch of a checkpoint. @throws {OpenComputerError} `patch_not_found`. */
  static async deleteCheckpointPatch(
    checkpointId: string,
    patchId: string,
    options: ConnectionOptions = {},
  ): Promise<void> {
    await patchCalls.delete(resolveConnection(options), checkpointId, patchId);
  }

  /**
   * Finds a sandbox by its id, without waking it. One that was killed is not
   * found, even while {@link Sandbox.get} still returns it.
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

  /** Returns the record of a sandbox, for some time also of a killed one. @throws {OpenComputerError} `sandbox_not_found`. */
  static async get(sandboxId: string, options: ConnectionOptions = {}): Promise<SandboxDetail> {
    return await recordCalls.get(resolveConnection(options), sandboxPath(sandboxId));
  }

  /** Lists the org's sandboxes of a status, newest first. Default: running and hibernated ones. */
  static async list(options: ListSandboxesOptions = {}): Promise<SandboxSummary[]> {
    return await recordCalls.list(resolveConnection(options), options);
  }

  /** Lists the tag keys in use on the org's running and hibernated sandboxes, with the number of sandboxes of each. */
  static async listTagKeys(options: ConnectionOptions = {}): Promise<TagKey[]> {
    return await tagCalls.listKeys(resolveConnection(options));
  }

  /**
   * Kills a sandbox by its id, and deletes its memory and disk. Its checkpoints are kept.
   *
   * @throws {OpenComputerError} `sandbox_not_found`, `secret_store_in_use`.
   */
  static async kill(
    sandboxId: string,
    options: ConnectionOptions & KillOptions = {},
  ): Promise<void> {
    await lifeCycleCalls.kill(resolveConnection(options), sandboxPath(sandboxId), options);
  }

  /**
   * Kills this sandbox, and deletes its memory and disk. Its checkpoints are kept.
   *
   * @throws {OpenComputerError} `sandbox_not_found`, `secret_store_in_use`.
   */
  async kill(options?: CallOptions & KillOptions): Promise<void> {
    await lifeCycleCalls.kill(this.#at(options), this.#path, options);
  }

  /** Whether the sandbox is running; false when it is hibernated, was killed or does not exist. */
  async isRunning(options?: CallOptions): Promise<boolean> {
    try {
      return (await this.getInfo(options)).status === "running";
    } catch (error) {
      if (error instanceof OpenComputerError && error.status === 404) return false;
      throw error;
    }
  }

  /** Returns the current record of this sandbox. @throws {OpenComputerError} `sandbox_not_found`. */
  async getInfo(options?: CallOptions): Promise<SandboxDetail> {
    return await recordCalls.get(this.#at(options), this.#path);
  }

  /**
   * Returns what the sandbox uses of its host, now and over time, without waking it.
   *
   * @throws {OpenComputerError} `sandbox_not_found`, `invalid_request`.
   */
  async usage(options: SandboxUsageOptions = {}): Promise<SandboxUsage> {
    return await sandboxUsage(this.#at(options), this.#path, options);
  }

  /** Sets the idle time-out, in seconds from now; 0 is never. @throws {OpenComputerError} `invalid_request`. */
  async setTimeout(seconds: number, options?: CallOptions): Promise<void> {
    await lifeCycleCalls.setTimeout(this.#at(options), this.#path, seconds);
  }

  /**
   * Saves the sandbox with its memory, and frees its CPU and memory of the host.
   * Its next use wakes it, and it continues.
   */
  async hibernate(options?: CallOptions): Promise<HibernateResponse> {
    return await lifeCycleCalls.hibernate(this.#at(options), this.#path);
  }

  /** Wakes the sandbox, if it is hibernated; resolves when it accepts commands. */
  async wake(options: WakeOptions = {}): Promise<WokenSandbox> {
    return await lifeCycleCalls.wake(this.#at(options), this.#path, options);
  }

  /**
   * Changes the sandbox's memory while it runs; resolves when the memory is
   * available. Disables autoscale. One that is hibernated is woken.
   *
   * @throws {ScalingLockedError} `scaling_locked`.
   * @throws {OpenComputerError} `oom_floor` when its commands use more: `details`
   * has `memoryUsedBytes`, `requestedMemoryMB` and `smallestMemoryMB`.
   */
  async scale(options: ScaleOptions & CallOptions): Promise<ScaledSandbox> {
    return await scalingCalls.scale(this.#at(options), this.#path, options);
  }

  /**
   * Changes memory, CPU time or both, as {@link scale} changes memory.
   *
   * @throws {ScalingLockedError} `scaling_locked`.
   * @throws {OpenComputerError} `oom_floor` as {@link scale}; `invalid_request` for neither.
   */
  async setLimits(limits: SandboxLimits & CallOptions): Promise<void> {
    await scalingCalls.setLimits(this.#at(limits), this.#path, limits);
  }

  /**
   * Enables or disables autoscale, in which the memory follows its use between
   * two bounds.
   *
   * @throws {ScalingLockedError} `scaling_locked`, when the options enable it.
   */
  async setAutoscale(options: AutoscaleOptions & CallOptions): Promise<Autoscale> {
    return await scalingCalls.setAutoscale(this.#at(options), this.#path, options);
  }

  /** Whether autoscale is enabled, and its bounds. */
  async getAutoscale(options?: CallOptions): Promise<Autoscale> {
    return await scalingCalls.getAutoscale(this.#at(options), this.#path);
  }

  /**
   * Locks the size, so that neither a call nor the sandbox itself can change
   * it, or unlocks it. Locking disables autoscale; unlocking does not enable it again.
   */
  async setScalingLock(locked: boolean, options?: CallOptions): Promise<ScalingLock> {
    return await scalingCalls.setLock(this.#at(options), this.#path, locked);
  }

  /** Whether the size is locked. */
  async getScalingLock(options?: CallOptions): Promise<ScalingLock> {
    return await scalingCalls.getLock(this.#at(options), this.#path);
  }

  /**
   * Boots the sandbox from its disk, after its processes were ended and the disk
   * was written out. Sessions end; files, tokens and policy stay.
   */
  async reboot(options?: CallOptions): Promise<void> {
    await scalingCalls.reboot(this.#at(options), this.#path, "reboot");
  }

  /**
   * Ends the sandbox at once, like a loss of power, and boots it from its disk as
   * {@link reboot} does. What was not written to the disk is lost.
   */
  async powerCycle(options?: CallOptions): Promise<void> {
    await scalingCalls.reboot(this.#at(options), this.#path, "power-cycle");
  }

  /**
   * Makes a checkpoint of the sandbox, which keeps running. Its moment is before
   * the call resolves: nothing that the sandbox does afterwards is in it. The
   * returned record is `processing`, or with `wait`, `ready`.
   *
   * @param name Unique among the sandbox's checkpoints, at most 128 characters.
   * @throws {OpenComputerError} `name_in_use`, `limit_reached`, `outcome_unknown`
   *   when the service lost the sandbox's worker meanwhile; with `wait`
   *   `checkpoint_failed`.
   */
  async createCheckpoint(
    name: string,
    options: CreateCheckpointOptions = {},
  ): Promise<CheckpointRecord> {
    return await checkpointCalls.create(this.#at(options), this.#path, name, options);
  }

  /** Lists the checkpoints of this sandbox. */
  async listCheckpoints(options?: CallOptions): Promise<CheckpointRecord[]> {
    return await checkpointCalls.list(this.#at(options), this.#path);
  }

  /**
   * Restores the sandbox to one of its checkpoints, in place. Its state since
   * then is lost; the checkpoint is checked before that.
   *
   * @throws {OpenComputerError} `checkpoint_not_found`, `checkpoint_not_ready`, `checkpoint_failed`.
   */
  async restoreCheckpoint(
    checkpointId: string,
    options?: CallOptions,
  ): Promise<RestoredCheckpoint> {
    return await checkpointCalls.restore(this.#at(options), this.#path, checkpointId);
  }

  /** Deletes a checkpoint. Its forks keep running. @throws {OpenComputerError} `checkpoint_not_found`. */
  async deleteCheckpoint(checkpointId: string, options?: CallOptions): Promise<void> {
    await checkpointCalls.delete(this.#at(options), this.#path, checkpointId);
  }

  /** Returns the hosts that the sandbox may reach, and those that each secret may be sent to. */
  async allowedHosts(options?: CallOptions): Promise<AllowedHosts> {
    return await recordCalls.allowedHosts(this.#at(options), this.#path);
  }

  /** Returns the sandbox's tags, and when they last changed. */
  async getTags(options?: CallOptions): Promise<SandboxTags> {
    return await tagCalls.get(this.#at(options), this.#path);
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
    return await tagCalls.set(this.#at(options), this.#path, tags);
  }

  /**
   * Sets the tags that have a value, removes those that are null and keeps the
   * others. Of changes at the same time none is lost. At most 100 changes.
   *
   * @throws {OpenComputerError} `invalid_request`; `limit_exceeded` for more than 50 tags in all.
   */
  async updateTags(
    changes: Readonly<Record<string, string | null>>,
    options?: CallOptions,
  ): Promise<SandboxTags> {
    return await tagCalls.update(this.#at(options), this.#path, changes);
  }

  /**
   * Creates a preview: HTTP requests for its `url` reach the server on this
   * port, and wake the sandbox. For a port that has a preview, returns the existing one.
   *
   * @throws {OpenComputerError} `invalid_request`, `limit_exceeded`; `name_in_use`
   * for a domain of another preview.
   */
  async createPreviewURL(options: CreatePreviewOptions): Promise<PreviewRecord> {
    return await previewCalls.create(this.#at(options), this.#path, options);
  }

  /** Lists the sandbox's previews, by port. */
  async listPreviewURLs(options?: CallOptions): Promise<PreviewRecord[]> {
    return await previewCalls.list(this.#at(options), this.#path);
  }

  /** Deletes the preview of a port. @throws {OpenComputerError} `preview_not_found`. */
  async deletePreviewURL(port: number, options?: CallOptions): Promise<void> {
    await previewCalls.delete(this.#at(options), this.#path, port);
  }

  /**
   * Replaces the token of all previews of the sandbox; the new one is returned
   * only here. The old one is invalid at once, and connections that it opened are
   * closed. Previews that required no token require this one from now on.
   */
  async rotatePreviewAuth(options?: CallOptions): Promise<RotatedPreviewAuth> {
    return await previewCalls.rotate(this.#at(options), this.#path);
  }

  /**
   * Makes a link that opens a preview in a browser. Where previews require a
   * token, it works once, within five minutes.
   *
   * @throws {OpenComputerError} `preview_not_found`.
   */
  async createPreviewLink(port: number, options?: CallOptions): Promise<PreviewLink> {
    return await previewCalls.link(this.#at(options), this.#path, port);
  }

  #at(options: CallOptions | undefined): Connection {
    return { ...this.#connection, signal: options?.signal };
  }
}

function sandboxPath(sandboxId: string): string {
  return apiPath`/sandboxes/${sandboxId}`;
}
