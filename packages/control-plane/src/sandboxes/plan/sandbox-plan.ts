import type { LayerSource } from "../../secret-layers/secret-layer.ts";
import type { NewWebhook } from "../../webhooks/webhook-repository.ts";
import type { SandboxConfig } from "../rows/sandbox-config.ts";

/** What a sandbox starts from instead of the base image. */
export interface ImageOrigin {
  checkpointId: string;
  /** The lowest layer of its environment. */
  envs: Readonly<Record<string, string>>;
  /** Where its commands start; null for the home directory. */
  workingDirectory: string | null;
}

/**
 * What is known of a sandbox before it is created: by a request, as a fork or to
 * build an image. It names where its secrets are read, and contains none: they are
 * decrypted when the row is stored.
 */
export interface SandboxPlan {
  purpose: "user" | "builder";
  /** Its configuration, without what follows from the layers, such as the id of the store of `top`. */
  config: Omit<SandboxConfig, "envs" | "egressMode" | "egressAllowlist">;
  /** The worker's checkpoint that the machine starts from; null for the base image. */
  checkpointId: string | null;
  /** The checkpoint that it is a fork of, as the API reports it, and the sandbox of that checkpoint; null when it is not a fork. */
  fork: { checkpointId: string; parentSandboxId: string } | null;
  /** Plain variables of the image or of the parent: the lowest layer. */
  inheritedEnvs: Readonly<Record<string, string>>;
  /** The caller's own plain variables: the highest layer. */
  ownEnvs: Readonly<Record<string, string>>;
  /** Hash of the token that its previews require; null when they require none, as in every fork. */
  previewTokenHash: string | null;
  /** Webhooks that get its events, from its creation on. */
  webhooks: readonly NewWebhook[];
  /** Whether its traffic passes through the proxy even when the store has no secret. */
  hasSecretStore: boolean;
  /** Secrets of the project or of the parent. */
  base: LayerSource;
  /** The secrets of the store that the caller names, laid over those of `base`. */
  top: LayerSource;
}
