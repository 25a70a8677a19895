import type { LayerSource } from "../../secret-layers/secret-layer.ts";
import type { NewWebhook } from "../../webhooks/webhook-repository.ts";
import type { SandboxConfig } from "../rows/sandbox-config.ts";

/** What a sandbox starts from in the place of the base image. */
export interface ImageOrigin {
  checkpointId: string;
  /** The lowest layer of its environment. */
  envs: Readonly<Record<string, string>>;
  /** Where its commands start; null for the home directory. */
  workingDirectory: string | null;
}

/**
 * What is known of a sandbox before it is made, from a request, a checkpoint or for
 * a build. It names where its secrets are read and has none of them: they are
 * opened when the row is stored.
 */
export interface SandboxPlan {
  purpose: "user" | "builder";
  /** What is known of its configuration; the rest follows from the layers. */
  config: Omit<SandboxConfig, "envs" | "egressMode" | "egressAllowlist">;
  /** The worker's checkpoint that the machine starts from; null for the base image. */
  checkpointId: string | null;
  /** The checkpoint that the API reports it to be a fork of, with that one's sandbox; null when it is none. */
  fork: { checkpointId: string; parentSandboxId: string } | null;
  /** Plain variables of the image or of the parent: the lowest layer. */
  inheritedEnvs: Readonly<Record<string, string>>;
  /** The caller's own plain variables: the highest layer. */
  ownEnvs: Readonly<Record<string, string>>;
  /** Hash of the token that its previews need; null when they need none, as in every fork. */
  previewTokenHash: string | null;
  /** Webhooks that get its events, from its creation on. */
  webhooks: readonly NewWebhook[];
  /** Whether its traffic passes the proxy even when no secret is in the store. */
  hasSecretStore: boolean;
  /** Secrets of the project or of the parent. */
  base: LayerSource;
  /** The secrets of the store that the caller names, laid over those of `base`. */
  top: LayerSource;
}
