/**
 * Every table. The only columns that hold anything confidential are those named
 * `encrypted…`, each beside the version of the key that its value is encrypted with.
 */

export { checkpointPatches, checkpoints, deletedCheckpoints } from "./schema/checkpoints.ts";
export {
  type EgressLogRow,
  egressLog,
  egressLogCounts,
  type NewEgressEntry,
} from "./schema/egress-log.ts";
export { type EgressEventType, egressEventCounts, events } from "./schema/events.ts";
export { images, snapshots } from "./schema/images.ts";
export { apiKeys, dashboardSessions, installations, orgs } from "./schema/orgs.ts";
export { previewLinks, previews } from "./schema/previews.ts";
export { sandboxes, sandboxStates, sessionVersions } from "./schema/sandboxes.ts";
export {
  checkpointFormerSecrets,
  checkpointSecrets,
  sandboxFormerSecrets,
  sandboxSecrets,
} from "./schema/secret-copies.ts";
export { projects, secretStores, storeSecrets } from "./schema/secret-stores.ts";
export { machineUsage, usageBuckets, usageSandboxes } from "./schema/usage.ts";
export { webhookDeliveries, webhooks } from "./schema/webhooks.ts";
