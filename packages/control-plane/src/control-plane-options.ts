import type { Tracer } from "@opencomputer/process";
import type { ProcessState } from "@opencomputer/protocol/api";
import type { ProcessUsage } from "@opencomputer/protocol/wire";
import type { BuildSources } from "./images/build-sources.ts";

export interface ControlPlaneOptions {
  dataDirectory: string;
  host: string;
  /** 0 for any free port. */
  port: number;
  /** Where a Prometheus of this machine reads metrics; undefined for nowhere. */
  metricsPort: number | undefined;
  presetApiKey: string | undefined;
  encryptionKey: string | undefined;
  /** Keys that `encryptionKey`, or the one of the data directory, replaces; the oldest first. */
  previousEncryptionKeys: readonly string[];
  sandboxDomain: string;
  /** Placements of secrets that name none, in stores that name none. */
  operatorPlacements: readonly string[];
  /** How many sandboxes an org may have at once. */
  sandboxesPerOrgMax: number;
  /** How many sandboxes of one API key there may be at once; undefined for no such bound. */
  sandboxesPerKeyMax: number | undefined;
  /** What sandboxes, checkpoints and images of an org may take on the disk. */
  diskMBPerOrgMax: number;
  /** How many days an entry of the egress log is kept. */
  egressLogDaysMax: number;
  /** An event is deleted this many days after it happened. */
  eventsDaysMax: number;
  /** How many events of an org are kept; the oldest are deleted. */
  eventsPerOrgMax: number;
  /** Ranges of addresses that webhooks may have besides those of the public internet. */
  webhookAddresses: readonly string[];
  /** API requests of one key in a second; undefined for no such bound. */
  requestsPerSecondMax: number | undefined;
  apiBodyBytesMax: number;
  apiHeaderBytesMax: number;
  /** Where clients reach the API; undefined when that is the host of each request. */
  publicUrl: string | undefined;
  /** Hosts that the API serves, besides addresses, localhost and that of the public URL. */
  allowedHosts: readonly string[];
  /** Origins whose pages may call the API, besides the API's own. */
  corsOrigins: readonly string[];
  /** Whether a proxy in front sets X-Forwarded-For, -Host and -Proto. */
  trustsForwarded: boolean;
  /** Where builds of images get their packages. */
  buildSources: BuildSources;
  /** Where the built files of the dashboard are; null serves no dashboard. */
  dashboardDirectory: string | null;
  workerSocket: string;
  /** The control socket of each egress proxy of the host, by index: at least one. */
  egressProxySockets: readonly string[];
  /** What the supervisor reported last; empty without one. */
  readProcessStates: () => readonly ProcessState[];
  /** What the supervisor measured last of itself and processes without metrics of their own; empty without one. */
  readProcessUsage: () => readonly ProcessUsage[];
  /** Divides the work of requests into spans. */
  tracer: Tracer;
}
