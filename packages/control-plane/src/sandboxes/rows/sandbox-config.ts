import type { IdleRule } from "@opencomputer/protocol/api";
import type { EgressMode, SandboxScaling } from "@opencomputer/protocol/wire";

/** What a sandbox is made with. Its row stores it, and a checkpoint keeps it for the forks. */
export interface SandboxConfig {
  templateId: string;
  cpuCount: number;
  memoryMB: number;
  /** In MB; null for the size of the image. */
  diskMB: number | null;
  /** How it may change its size; null for one that was never scaled. */
  scaling: SandboxScaling | null;
  /** 0 means never. */
  idleTimeoutSeconds: number;
  /** What counts as use beside requests. */
  idle: IdleRule;
  metadata: Record<string, string>;
  /** Every plain variable; tokens are stored with the secrets. */
  envs: Record<string, string>;
  /** Where commands start that name no directory; null for the home directory. */
  workingDirectory: string | null;
  /** Names at the time of the create: a sandbox outlives its project and its stores. */
  projectName: string | null;
  secretStoreName: string | null;
  baseSecretStoreName: string | null;
  /** The stores of those names, whatever their names are now. */
  secretStoreId: string | null;
  baseSecretStoreId: string | null;
  egressMode: EgressMode;
  egressAllowlist: string[];
}

/** Picks the configuration of a row. */
export function configOf(row: SandboxConfig): SandboxConfig {
  return {
    templateId: row.templateId,
    cpuCount: row.cpuCount,
    memoryMB: row.memoryMB,
    diskMB: row.diskMB,
    scaling: row.scaling,
    idleTimeoutSeconds: row.idleTimeoutSeconds,
    idle: row.idle,
    metadata: row.metadata,
    envs: row.envs,
    workingDirectory: row.workingDirectory,
    projectName: row.projectName,
    secretStoreName: row.secretStoreName,
    baseSecretStoreName: row.baseSecretStoreName,
    secretStoreId: row.secretStoreId,
    baseSecretStoreId: row.baseSecretStoreId,
    egressMode: row.egressMode,
    egressAllowlist: row.egressAllowlist,
  };
}
