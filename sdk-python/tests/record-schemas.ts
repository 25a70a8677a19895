import * as api from "@opencomputer/protocol/api";
import { z } from "zod";

const { shape: checkpoint } = api.checkpointRecordSchema;
const { shape: egressSecrets } = api.egressSecretsSchema;

/** The schema of the service for each record of the Python SDK. */
const schemas: Record<string, z.ZodType> = {
  AllowedHosts: api.allowedHostsSchema,
  ApiKeyEntry: api.apiKeyEntrySchema,
  Autoscale: api.autoscaleSchema,
  BuildLogEvent: api.buildLogEventSchema,
  CheckpointRecord: api.checkpointRecordSchema,
  CountedEntry: api.egressSuggestionSchema.shape.refused.element,
  CreatedApiKey: api.createdApiKeySchema,
  CreatedPatch: api.createdPatchSchema,
  CreatedSandbox: api.createdSandboxSchema,
  CreatedWebhook: api.createdWebhookSchema,
  CurrentOrgUsage: api.currentOrgUsageSchema,
  CurrentUsage: api.currentUsageSchema,
  DirectoryEntry: api.directoryEntrySchema,
  EgressEntry: api.egressEntrySchema,
  EgressExplanation: api.egressExplanationSchema,
  EgressPage: api.egressPageSchema,
  EgressSecrets: api.egressSecretsSchema,
  EgressSuggestion: api.egressSuggestionSchema,
  EventPage: api.eventPageSchema,
  ExplainedSecret: api.explainedSecretSchema,
  HibernatedSandbox: api.hibernateResponseSchema,
  ImageManifest: api.imageManifestSchema,
  LimitsSet: api.limitsSetSchema,
  OpenedTerminal: api.openedTerminalSchema,
  OrgUsage: api.orgUsageSchema,
  PatchRecord: api.patchRecordSchema,
  PreviewAuth: api.previewAuthSchema,
  PreviewLink: api.previewLinkSchema,
  PreviewRecord: api.previewRecordSchema,
  ProjectRecord: api.projectSchema,
  RedactedSecret: egressSecrets.redacted.element,
  RestoredCheckpoint: api.restoredCheckpointSchema,
  RetentionPolicy: api.retentionPolicySchema,
  RevokeSecretResponse: api.revokeSecretResponseSchema,
  RotatedPreviewAuth: api.rotatedPreviewAuthSchema,
  SandboxConfig: checkpoint.sandboxConfig,
  SandboxDetail: api.sandboxDetailSchema,
  SandboxSummary: api.sandboxSummarySchema,
  SandboxTags: api.sandboxTagsSchema,
  SandboxUsage: api.sandboxUsageSchema,
  SandboxUsageRow: api.sandboxUsageRowSchema,
  ScaledSandbox: api.scaledSandboxSchema,
  ScalingLock: api.scalingLockSchema,
  SecretEntry: api.secretEntrySchema,
  SecretStoreRecord: api.secretStoreSchema,
  SessionInfo: api.commandSessionSchema,
  SetSecretResponse: api.setSecretResponseSchema,
  SignedUrl: api.signedUrlSchema,
  SnapshotRecord: api.snapshotRecordSchema,
  SubstitutedSecret: egressSecrets.substituted.element,
  TagKey: api.tagKeysSchema.shape.keys.element,
  TagKeys: api.tagKeysSchema,
  TagUsage: api.tagUsageSchema,
  TagUsageRow: api.tagUsageRowSchema,
  TerminalInfo: api.terminalSchema,
  UsageBucket: api.usageBucketSchema,
  UsageTotal: api.usageTotalSchema,
  WebhookDelivery: api.webhookDeliverySchema,
  WebhookOptions: api.createWebhookRequestSchema,
  WebhookRecord: api.webhookRecordSchema,
  WithheldSecret: egressSecrets.withheld.element,
  WokenSandbox: api.wokenSandboxSchema,
};

/** The fields of each record, and those that it always has. */
export const recordFields = Object.fromEntries(
  Object.entries(schemas).map(([name, schema]) => {
    // A field with a default is absent in the response of an older service.
    const { properties, required } = z.toJSONSchema(schema, {
      io: "input",
      unrepresentable: "any",
    });
    return [name, { all: Object.keys(properties ?? {}), required: required ?? [] }];
  }),
);
