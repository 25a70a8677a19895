import type {
  HibernatedSandbox,
  MakeCheckpointRequest,
  PrepareSandboxRequest,
  RebootSandboxRequest,
  RestoreSandboxRequest,
  WakeSandboxRequest,
  WorkerCheckpoint,
  WorkerSandbox,
} from "@opencomputer/protocol";
import type { AgentClient } from "../guest/agent-client.ts";
import type { Machine } from "../machines/create-machines.ts";
import type { ProcessIdentity } from "../process/process-identity.ts";
import type { ScaleSandboxes } from "../scaling/scale-sandboxes.ts";

/** A sandbox whose guest runs. */
export interface RunningSandbox {
  readonly spec: PrepareSandboxRequest;
  readonly agent: AgentClient;
  /** The address that its packets have on the host. */
  readonly sourceAddress: string;
  /** When it began to run in this machine. */
  readonly startedAtUnixMilliseconds: number;
}

/** The sandboxes of this host, each in a machine of its own. */
export interface Sandboxes extends ScaleSandboxes {
  /**
   * Gives a sandbox a machine and its network rules; nothing of it runs yet.
   * The same request again answers the same.
   *
   * @throws {WireError} `name_in_use` for another request of the same id,
   * `checkpoint_not_found`, `unsupported_option` for a size that the host
   * cannot give.
   */
  prepare(spec: PrepareSandboxRequest): Promise<WorkerSandbox>;
  /** Returns when the sandbox takes commands. Started already is no error. */
  start(sandboxId: string, restartSessions?: readonly string[]): Promise<WorkerSandbox>;
  /**
   * Saves a running sandbox and frees what it holds of the host but its files.
   *
   * @throws {WireError} `host_storage_full`; it then runs on.
   */
  hibernate(sandboxId: string): Promise<HibernatedSandbox>;
  /** Prepares a hibernated sandbox again. One that has a machine answers as it is. */
  wake(sandboxId: string, request: WakeSandboxRequest): Promise<WorkerSandbox>;
  /** Saves what a running sandbox is now. It stands still only for the end of it. */
  makeCheckpoint(checkpointId: string, request: MakeCheckpointRequest): Promise<WorkerCheckpoint>;
  /** Forks of it go on. @throws {WireError} `checkpoint_not_found` */
  removeCheckpoint(checkpointId: string): Promise<void>;
  /** Prepares a sandbox anew from a checkpoint; what it was is given up when that has worked. */
  restore(sandboxId: string, request: RestoreSandboxRequest): Promise<WorkerSandbox>;
  /**
   * Ends the machine of a running sandbox, orderly or at once, and prepares one
   * that boots from its disk.
   */
  reboot(sandboxId: string, request: RebootSandboxRequest): Promise<WorkerSandbox>;
  get(sandboxId: string): WorkerSandbox;
  list(): WorkerSandbox[];
  /** @throws {WireError} `sandbox_not_found` when it is not there, or no more. */
  remove(sandboxId: string): Promise<void>;
  /** The agent of a sandbox. @throws {WireError} when it is not there or does not run. */
  agentOf(sandboxId: string): AgentClient;
  /** The sandboxes that run now. */
  listRunning(): RunningSandbox[];
  /** Takes over the machines of an earlier worker, and the sandboxes that it saved. */
  adopt(machines: readonly Machine[]): Promise<void>;
  /** The processes of the machines that run. */
  processes(): { sandboxId: string; process: ProcessIdentity }[];
  /** Golden snapshots that sandboxes, running or hibernated, stand on. */
  goldenFingerprints(): string[];
  /** Keeps the logs of machines within their limit. */
  trimLogs(): Promise<void>;
  /** Returns when no sandbox is being prepared any more; the processes of those there are. */
  settle(): Promise<ReadonlySet<number>>;
  /** Lets go of every machine; they run on. */
  release(): Promise<void>;
}
