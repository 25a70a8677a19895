import type { Database } from "../database/database.ts";
import type { FormerSecret } from "../former-secrets/former-secret.ts";
import type { SecretLayer } from "../secret-stores/layer-secrets.ts";
import type { OpenSecret } from "../secret-stores/open-layer.ts";
import type { SandboxOptions } from "./sandbox-options.ts";

/** What is known of a sandbox before it is made, whatever it is made from. */
export interface SandboxPlan {
  options: SandboxOptions;
  purpose: "user" | "builder";
  /** The worker's checkpoint that the machine starts from; null for the base image. */
  checkpointId: string | null;
  /** The checkpoint that it is shown to be a fork of. */
  fromCheckpointId: string | null;
  /** Plain variables of the image or of the parent: the lowest layer. */
  inheritedEnvs: Readonly<Record<string, string>>;
  /** The caller's own plain variables: the highest layer. */
  envs: Readonly<Record<string, string>>;
  workingDirectory: string | null;
  metadata: Record<string, string>;
  /** Hash of the token that its previews need; absent when they need none, as in every fork. */
  previewTokenHash?: string;
  projectName: string | null;
  secretStoreName: string | null;
  baseSecretStoreName: string | null;
  /** Whether its traffic passes the proxy even when no secret is in the store. */
  hasSecretStore: boolean;
  base: SecretLayer<OpenSecret>;
  top: SecretLayer<OpenSecret>;
  /** What the parent could use before. */
  inheritedFormerSecrets: readonly FormerSecret[];
}

/**
 * Makes the plan inside of the transaction that stores the row. The org is
 * locked by then, so no secret is rotated between the reading and the copying.
 */
export type DrawPlan = (transaction: Database) => Promise<SandboxPlan>;
