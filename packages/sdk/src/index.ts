export type {
  AllowedHosts,
  ApiKeyEntry,
  AsyncCommand,
  Autoscale,
  AwsCredentials,
  BuildLogEvent,
  CheckpointKind,
  CheckpointRecord,
  CheckpointStatus,
  CommandProgress,
  CommandResult,
  CommandSession as CommandSessionInfo,
  CreatedApiKey,
  CreatedSandbox,
  CreatedWebhook,
  CurrentOrgUsage,
  CurrentUsage,
  DirectoryEntry,
  EgressEntry,
  EgressExplanation,
  EgressPage,
  EgressProtocol,
  EgressSecrets,
  EgressSuggestion,
  EventType,
  ExplainedSecret,
  HibernateResponse,
  // Its former name.
  HibernateResponse as HibernatedSandboxAnswer,
  IdleRule,
  ImageManifest,
  OrgUsage,
  PatchRecord,
  PlacementRecommendation,
  PreviewAuth,
  PreviewLink,
  PreviewRecord,
  ProjectRecord,
  // What a program receives of each.
  ReceivedEvent as EventRecord,
  ReceivedEventPage as EventPage,
  RestoredCheckpoint,
  RetentionPolicy,
  RevokeSecretResponse,
  RotatedPreviewAuth,
  SandboxDetail,
  SandboxStatus,
  SandboxSummary,
  SandboxTags,
  SandboxUsage,
  SandboxUsageRow,
  ScaledSandbox,
  ScalingLock,
  SecretEntry,
  SecretStoreRecord,
  SetSecretResponse,
  SignedUrl,
  SnapshotRecord,
  TagKey,
  TagUsage,
  TagUsageRow,
  Terminal as TerminalInfo,
  TerminalSize,
  UsageBucket,
  UsageInterval,
  UsageTotal,
  WebhookDelivery,
  WebhookRecord,
  WithheldReason,
  WokenSandbox,
} from "@opencomputer/protocol/api";
/** Every bound that a caller can run into, and what applies to what is not passed. */
export {
  defaults,
  environmentNamePattern,
  eventTypeSchema,
  limits,
  PlacementError,
  parsePlacement,
  recommendPlacement,
} from "@opencomputer/protocol/api";
export { ApiKey, type CreateApiKeyOptions } from "./api-key.ts";
export type { AttachOptions } from "./commands/attach-session.ts";
export type { CommandSession } from "./commands/command-session.ts";
export type { Commands, RunOptions, StartOptions } from "./commands/commands.ts";
export type { OutputChunk } from "./commands/session-output.ts";
export type { Shell, ShellOptions } from "./commands/shell.ts";
export { ShellBusyError, ShellClosedError } from "./commands/shell-errors.ts";
export type { ShellRunOptions } from "./commands/shell-run.ts";
export { type CallOptions, type ConnectionOptions, defaultApiUrl } from "./connection.ts";
export {
  type EgressFilter,
  EgressLog,
  type ExplainEgressOptions,
  type FollowEgressOptions,
  type ListEgressOptions,
} from "./egress-log.ts";
export { Events, type FollowEventsOptions, type ListEventsOptions } from "./events.ts";
export type { FileContent, Files, SignedUrlOptions } from "./files/files.ts";
export type { StreamSource } from "./files/upload-source.ts";
export { Image } from "./image/image.ts";
export { type CreateSnapshotOptions, Snapshots } from "./image/snapshots.ts";
export type { SetSecretOptions } from "./named-secrets.ts";
export {
  type ClientErrorCode,
  OpenComputerError,
  type OpenComputerErrorCode,
  ScalingLockedError,
} from "./open-computer-error.ts";
export type { Fetch, FetchInit, FetchResponse } from "./platform/fetch.ts";
export {
  type CreateProjectOptions,
  Project,
  type ProjectDefaults,
  type UpdateProjectOptions,
} from "./project.ts";
export type { CreateCheckpointPatchOptions } from "./sandbox/checkpoint-patches.ts";
export type { CreateCheckpointOptions, ForkOptions } from "./sandbox/checkpoints.ts";
export type { CreateSandboxOptions, KillOptions, WakeOptions } from "./sandbox/life-cycle.ts";
export type { CreatePreviewOptions } from "./sandbox/previews.ts";
export { Sandbox } from "./sandbox/sandbox.ts";
export type { ListSandboxesOptions } from "./sandbox/sandbox-records.ts";
export type { AutoscaleOptions, SandboxLimits, ScaleOptions } from "./sandbox/scaling.ts";
export {
  type CreateSecretStoreOptions,
  SecretStore,
  type UpdateSecretStoreOptions,
} from "./secret-store.ts";
export type { AttachTerminalOptions, Terminal } from "./terminals/terminal.ts";
export type { CreateTerminalOptions, Terminals } from "./terminals/terminals.ts";
export {
  type OrgUsageOptions,
  type SandboxUsageOptions,
  Usage,
  type UsagePeriodOptions,
} from "./usage.ts";
export {
  type CreateWebhookOptions,
  type ListDeliveriesOptions,
  type ListWebhooksOptions,
  type UpdateWebhookOptions,
  Webhook,
  type WebhookOptions,
} from "./webhook.ts";
