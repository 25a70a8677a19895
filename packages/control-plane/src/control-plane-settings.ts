import { settingSchemas, traceSettingSchemas } from "@opencomputer/protocol/wire";
import { z } from "zod";
import type { ControlPlaneOptions } from "./control-plane-options.ts";
import { defaultDiskMBPerOrgMax } from "./orgs/disk-budget.ts";

const absolutePath = z.string().startsWith("/", "expected an absolute path");

/** The control plane's environment: settings of the operator, and what the supervisor passes. */
export const controlPlaneSettings = {
  ...traceSettingSchemas,
  OPENCOMPUTER_DATA_DIR: settingSchemas.OPENCOMPUTER_DATA_DIR,
  OPENCOMPUTER_LOG_LEVEL: settingSchemas.OPENCOMPUTER_LOG_LEVEL,
  OPENCOMPUTER_HOST: settingSchemas.OPENCOMPUTER_HOST,
  OPENCOMPUTER_PORT: settingSchemas.OPENCOMPUTER_PORT,
  OPENCOMPUTER_METRICS_PORT: settingSchemas.OPENCOMPUTER_METRICS_PORT,
  OPENCOMPUTER_API_KEY: settingSchemas.OPENCOMPUTER_API_KEY,
  /** The supervisor gives the one of its private cluster where the operator gives none. */
  DATABASE_URL: settingSchemas.DATABASE_URL.unwrap(),
  OPENSANDBOX_SECRET_ENCRYPTION_KEY: settingSchemas.OPENSANDBOX_SECRET_ENCRYPTION_KEY,
  OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS:
    settingSchemas.OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS,
  OPENCOMPUTER_SANDBOX_DOMAIN: settingSchemas.OPENCOMPUTER_SANDBOX_DOMAIN,
  OPENCOMPUTER_SUBSTITUTE_IN: settingSchemas.OPENCOMPUTER_SUBSTITUTE_IN,
  OPENCOMPUTER_SANDBOXES_PER_ORG_MAX: settingSchemas.OPENCOMPUTER_SANDBOXES_PER_ORG_MAX,
  OPENCOMPUTER_DISK_MB_PER_ORG_MAX: settingSchemas.OPENCOMPUTER_DISK_MB_PER_ORG_MAX,
  OPENCOMPUTER_SANDBOXES_PER_KEY_MAX: settingSchemas.OPENCOMPUTER_SANDBOXES_PER_KEY_MAX,
  OPENCOMPUTER_EGRESS_LOG_DAYS_MAX: settingSchemas.OPENCOMPUTER_EGRESS_LOG_DAYS_MAX,
  OPENCOMPUTER_REQUESTS_PER_SECOND_MAX: settingSchemas.OPENCOMPUTER_REQUESTS_PER_SECOND_MAX,
  OPENCOMPUTER_EVENTS_DAYS_MAX: settingSchemas.OPENCOMPUTER_EVENTS_DAYS_MAX,
  OPENCOMPUTER_EVENTS_PER_ORG_MAX: settingSchemas.OPENCOMPUTER_EVENTS_PER_ORG_MAX,
  OPENCOMPUTER_WEBHOOK_ADDRESSES: settingSchemas.OPENCOMPUTER_WEBHOOK_ADDRESSES,
  OPENCOMPUTER_API_BODY_BYTES_MAX: settingSchemas.OPENCOMPUTER_API_BODY_BYTES_MAX,
  OPENCOMPUTER_API_HEADER_BYTES_MAX: settingSchemas.OPENCOMPUTER_API_HEADER_BYTES_MAX,
  OPENCOMPUTER_PUBLIC_URL: settingSchemas.OPENCOMPUTER_PUBLIC_URL,
  OPENCOMPUTER_ALLOWED_HOSTS: settingSchemas.OPENCOMPUTER_ALLOWED_HOSTS,
  OPENCOMPUTER_CORS_ORIGINS: settingSchemas.OPENCOMPUTER_CORS_ORIGINS,
  OPENCOMPUTER_TRUST_FORWARDED: settingSchemas.OPENCOMPUTER_TRUST_FORWARDED,
  OPENCOMPUTER_APT_MIRROR: settingSchemas.OPENCOMPUTER_APT_MIRROR,
  OPENCOMPUTER_PIP_INDEX_URL: settingSchemas.OPENCOMPUTER_PIP_INDEX_URL,
  OPENCOMPUTER_BUILD_PROXY: settingSchemas.OPENCOMPUTER_BUILD_PROXY,
  OPENCOMPUTER_WORKER_SOCKET: absolutePath,
  /** Paths, separated by commas. */
  OPENCOMPUTER_EGRESS_PROXY_SOCKETS: z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(absolutePath)),
} as const;

/** The options that follow from settings alone. */
export function optionsOf(
  settings: z.infer<z.ZodObject<typeof controlPlaneSettings>>,
): Omit<
  ControlPlaneOptions,
  "dashboardDirectory" | "readProcessStates" | "readProcessUsage" | "tracer"
> {
  return {
    dataDirectory: settings.OPENCOMPUTER_DATA_DIR,
    host: settings.OPENCOMPUTER_HOST,
    port: settings.OPENCOMPUTER_PORT,
    metricsPort: settings.OPENCOMPUTER_METRICS_PORT,
    presetApiKey: settings.OPENCOMPUTER_API_KEY,
    encryptionKey: settings.OPENSANDBOX_SECRET_ENCRYPTION_KEY,
    previousEncryptionKeys: settings.OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS,
    sandboxDomain: settings.OPENCOMPUTER_SANDBOX_DOMAIN,
    operatorPlacements: settings.OPENCOMPUTER_SUBSTITUTE_IN,
    sandboxesPerOrgMax: settings.OPENCOMPUTER_SANDBOXES_PER_ORG_MAX,
    diskMBPerOrgMax:
      settings.OPENCOMPUTER_DISK_MB_PER_ORG_MAX ??
      defaultDiskMBPerOrgMax(settings.OPENCOMPUTER_SANDBOXES_PER_ORG_MAX),
    sandboxesPerKeyMax: settings.OPENCOMPUTER_SANDBOXES_PER_KEY_MAX,
    egressLogDaysMax: settings.OPENCOMPUTER_EGRESS_LOG_DAYS_MAX,
    requestsPerSecondMax: settings.OPENCOMPUTER_REQUESTS_PER_SECOND_MAX,
    eventsDaysMax: settings.OPENCOMPUTER_EVENTS_DAYS_MAX,
    eventsPerOrgMax: settings.OPENCOMPUTER_EVENTS_PER_ORG_MAX,
    webhookAddresses: settings.OPENCOMPUTER_WEBHOOK_ADDRESSES,
    apiBodyBytesMax: settings.OPENCOMPUTER_API_BODY_BYTES_MAX,
    apiHeaderBytesMax: settings.OPENCOMPUTER_API_HEADER_BYTES_MAX,
    publicUrl: settings.OPENCOMPUTER_PUBLIC_URL,
    allowedHosts: settings.OPENCOMPUTER_ALLOWED_HOSTS,
    corsOrigins: settings.OPENCOMPUTER_CORS_ORIGINS,
    trustsForwarded: settings.OPENCOMPUTER_TRUST_FORWARDED,
    buildSources: {
      aptMirror: settings.OPENCOMPUTER_APT_MIRROR,
      pipIndexUrl: settings.OPENCOMPUTER_PIP_INDEX_URL,
      proxy: settings.OPENCOMPUTER_BUILD_PROXY,
    },
    workerSocket: settings.OPENCOMPUTER_WORKER_SOCKET,
    egressProxySockets: settings.OPENCOMPUTER_EGRESS_PROXY_SOCKETS,
  };
}
