import type {
  HibernatedSandbox,
  MakeCheckpointRequest,
  PrepareSandboxRequest,
  RebootSandboxRequest,
  RestoreSandboxRequest,
  WakeSandboxRequest,
  WorkerAutoscaleRequest,
  WorkerCheckpoint,
  WorkerSandbox,
  WorkerScaleRequest,
} from "@opencomputer/protocol/wire";
import type { AgentClient } from "../guest/agent-client.ts";
import type { Machine } from "../machines/machine.ts";
import type { ProcessIdentity } from "../process/process-identity.ts";
import type { ScaleRequester } from "./life/scale-sandboxes.ts";

/** A sandbox whose guest runs. */
export interface RunningSandbox {
  readonly spec: PrepareSandboxRequest;
  readonly agent: AgentClient;
  /** The address that its packets have on the host. */
  readonly sourceAddress: string;
  /** When it began to run in its present machine. */
  readonly startedAtUnixMilliseconds: number;
}

/** The sandboxes of this host, one machine each. */
export interface Sandboxes {
  /**
   * Gives a sandbox a machine and its network rules; nothing of it runs yet.
   * The same request again returns the same.
   *
   * @throws {WireError} `name_in_use` for another request of the same id,
   * `checkpoint_not_found`, `unsupported_option` for a size that the host
   * cannot give.
   */
  prepare(spec: PrepareSandboxRequest): Promise<WorkerSandbox>;
  /** Returns when the sandbox takes commands. One that runs already is no error. */
  start(sandboxId: string, restartSessions?: readonly string[]): Promise<WorkerSandbox>;
  /**
   * Saves a running sandbox and frees what it holds of the host, except for its files.
   *
   * @throws {WireError} `host_storage_full`; it then keeps running.
   */
  hibernate(sandboxId: string): Promise<HibernatedSandbox>;
  /** Prepares a hibernated sandbox again. One that has a machine is returned as it is. */
  wake(sandboxId: string, request: WakeSandboxRequest): Promise<WorkerSandbox>;
  /** Saves the present state of a running sandbox, which is paused only for the end of the save. */
  makeCheckpoint(checkpointId: string, request: MakeCheckpointRequest): Promise<WorkerCheckpoint>;
  /** Forks of it keep running. @throws {WireError} `checkpoint_not_found` */
  removeCheckpoint(checkpointId: string): Promise<void>;
  /** Prepares a sandbox again from a checkpoint. Its former state is discarded once that has worked. */
  restore(sandboxId: string, request: RestoreSandboxRequest): Promise<WorkerSandbox>;
  /**
   * Ends the machine of a running sandbox, orderly or at once, and prepares one
   * that boots from its disk.
   */
  reboot(sandboxId: string, request: RebootSandboxRequest): Promise<WorkerSandbox>;
  /** See {@link scaleSandbox}. */
  scale(
    sandboxId: string,
    request: WorkerScaleRequest,
    requester: ScaleRequester,
  ): Promise<WorkerSandbox>;
  /** See {@link setAutoscale}. */
  setAutoscale(sandboxId: string, request: WorkerAutoscaleRequest): Promise<WorkerSandbox>;
  /** See {@link setScalingLock}. */
  setScalingLock(sandboxId: string, locked: boolean): Promise<WorkerSandbox>;
  get(sandboxId: string): WorkerSandbox;
  list(): WorkerSandbox[];
  /** @throws {WireError} `sandbox_not_found` */
  remove(sandboxId: string): Promise<void>;
  /** The agent of a sandbox. @throws {WireError} `sandbox_not_found`, `sandbox_not_running` */
  agentOf(sandboxId: string): AgentClient;
  /** The sandboxes that run now. */
  listRunning(): RunningSandbox[];
  /** Adopts the machines of an earlier worker, and the sandboxes that it saved. */
  adopt(machines: readonly Machine[]): Promise<void>;
  /** The processes of the running machines. */
  processes(): { sandboxId: string; process: ProcessIdentity }[];
  /** The machines of the sandboxes that run now. */
  runningMachines(): Machine[];
  /** Golden snapshots that the disks of sandboxes, running or hibernated, lie on. */
  goldenFingerprints(): string[];
  /** Keeps the logs of machines within their limit. */
  trimLogs(): Promise<void>;
  /** Returns when no sandbox is being prepared or changed, with the process ids of all their machines. */
  whenIdle(): Promise<ReadonlySet<number>>;
  /** Releases every machine; they keep running. */
  release(): Promise<void>;
}
