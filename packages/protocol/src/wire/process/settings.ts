import { z } from "zod";
import { defaults, limits } from "../../api/limits.ts";
import {
  HostPatternError,
  normalizeHost,
  normalizeHostPattern,
} from "../../api/rules/host-pattern.ts";
import { apiKeySchema } from "../../api/rules/identifiers.ts";
import {
  defaultPlacements,
  normalizePlacement,
  PlacementError,
} from "../../api/rules/placement.ts";
import { serviceLimits } from "../limits.ts";
import { addressRangesSchema } from "./address-ranges.ts";
import { pageOriginsSchema } from "./page-origins.ts";
import { traceSettingSchemas } from "./trace-settings.ts";
import { upstreamProxyExceptionsSchema, upstreamProxySchema } from "./upstream-proxy.ts";

/** An operator's address for a name: the only way to a private address. */
export interface EgressHost {
  host: string;
  /** Port that the guest asks for; null for both 80 and 443. */
  guestPort: number | null;
  address: string;
  port: number;
}

const portSchema = z
  .string()
  .regex(/^[0-9]{1,5}$/, "expected a port number from 1 to 65535")
  .transform(Number)
  .refine((port) => port >= 1 && port <= 65535, {
    error: "expected a port number from 1 to 65535",
  });

/** `host=address:port,…`; `host:80=address:port` limits an entry to one port of the guest's. */
export const egressHostsSchema = z.string().transform((text, context): EgressHost[] => {
  const hosts: EgressHost[] = [];
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const parsed = parseEgressHost(entry);
    if (parsed === undefined) {
      context.addIssue({
        code: "custom",
        message: `expected host=address:port, got ${JSON.stringify(entry)}`,
        input: text,
      });
      return z.NEVER;
    }
    hosts.push(parsed);
  }
  return hosts;
});

/** Placements, separated by commas. */
const placementListSchema = z.string().transform((text, context): readonly string[] => {
  const refuse = (message: string) => {
    context.addIssue({ code: "custom", message, input: text });
    return z.NEVER;
  };
  const entries = text.split(",").map((part) => part.trim());
  try {
    const placements = new Set(entries.filter((entry) => entry !== "").map(normalizePlacement));
    if (placements.size > 0 && placements.size <= limits.placementsMax) return [...placements];
    return refuse(
      `expected 1 to ${limits.placementsMax} placements, such as header,body; got ${placements.size}`,
    );
  } catch (error) {
    if (!(error instanceof PlacementError)) throw error;
    return refuse(error.message);
  }
});

/** Host patterns, separated by commas. */
const hostPatternListSchema = z.string().transform((text, context): readonly string[] => {
  const entries = text.split(",").map((part) => part.trim());
  try {
    return entries.filter((entry) => entry !== "").map(normalizeHostPattern);
  } catch (error) {
    if (!(error instanceof HostPatternError)) throw error;
    context.addIssue({ code: "custom", message: error.message, input: text });
    return z.NEVER;
  }
});

const countSchema = (least: number, most: number) =>
  z
    .string()
    .regex(/^[0-9]{1,12}$/, `expected a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((count) => count >= least && count <= most, {
      error: `expected a whole number from ${least} to ${most}`,
    });

/** Where clients reach the API, without a trailing slash. A path before `/api` is taken along. */
const publicUrlSchema = z
  .url({ protocol: /^https?$/ })
  .refine((text) => /^[^?#@]*[^?#@/]$/.test(text), {
    error: "expected an http or https URL without user, query, fragment and trailing slash",
  });

/** Every variable of the product that a process may read, each with its form. */
export const settingSchemas = {
  ...traceSettingSchemas,
  OPENCOMPUTER_DATA_DIR: z
    .string()
    .regex(/^\/[^\0]*[^/\0]$/, "expected an absolute path without a trailing slash")
    .default(defaults.dataDirectory),
  OPENCOMPUTER_HOST: z
    .union([z.ipv4(), z.ipv6(), z.literal("localhost")])
    .default(defaults.apiHost),
  OPENCOMPUTER_PORT: portSchema.default(defaults.apiPort),
  /** Port of 127.0.0.1 on which metrics are served to a Prometheus of this machine; none without it. */
  OPENCOMPUTER_METRICS_PORT: portSchema.optional(),
  OPENCOMPUTER_API_KEY: apiKeySchema.optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  OPENSANDBOX_SECRET_ENCRYPTION_KEY: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, "expected 64 hexadecimal digits (32 bytes)")
    .optional(),
  /** Keys that the encryption key replaces, separated by commas, the oldest first. */
  OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS: z
    .string()
    .transform((text) => text.split(",").map((part) => part.trim()))
    .refine((keys) => keys.every((key) => /^[0-9a-fA-F]{64}$/.test(key)), {
      error: "expected keys of 64 hexadecimal digits (32 bytes), separated by commas",
    })
    .default([]),
  OPENCOMPUTER_SANDBOX_DOMAIN: z
    .string()
    .refine((text) => normalizeHost(text) === text, { error: "expected a lower-case host name" })
    .default(defaults.sandboxDomain),
  /** Sandboxes that an org may have at once. */
  OPENCOMPUTER_SANDBOXES_PER_ORG_MAX: countSchema(1, 100_000).default(defaults.sandboxesPerOrgMax),
  /** What sandboxes, checkpoints and images of an org may take on the disk; without it the number of sandboxes decides. */
  OPENCOMPUTER_DISK_MB_PER_ORG_MAX: countSchema(limits.diskMBMin, 1_000_000_000).optional(),
  /** Sandboxes of one API key at once; without it those of the org alone count. */
  OPENCOMPUTER_SANDBOXES_PER_KEY_MAX: countSchema(1, 100_000).optional(),
  /** An event is deleted this many days after it happened. */
  OPENCOMPUTER_EVENTS_DAYS_MAX: countSchema(1, 3_650).default(defaults.eventsDaysMax),
  /** Events that are kept of an org; the oldest are deleted. */
  OPENCOMPUTER_EVENTS_PER_ORG_MAX: countSchema(100, 100_000_000).default(defaults.eventsPerOrgMax),
  /** Ranges that webhooks may be in besides the public internet, separated by commas. */
  OPENCOMPUTER_WEBHOOK_ADDRESSES: addressRangesSchema.default([]),
  /** API requests of one key in a second; without it there is no such bound. */
  OPENCOMPUTER_REQUESTS_PER_SECOND_MAX: countSchema(1, 100_000).optional(),
  OPENCOMPUTER_API_BODY_BYTES_MAX: countSchema(64 * 1024, 64 * 1024 * 1024).default(
    limits.apiBodyBytesMax,
  ),
  OPENCOMPUTER_API_HEADER_BYTES_MAX: countSchema(8 * 1024, 1024 * 1024).default(
    limits.apiHeaderBytesMax,
  ),
  OPENCOMPUTER_PUBLIC_URL: publicUrlSchema.optional(),
  /** Hosts that the API serves, besides IP addresses, localhost and that of the public URL. */
  OPENCOMPUTER_ALLOWED_HOSTS: hostPatternListSchema.default([]),
  /** Origins whose pages may call the API, besides the API's own. */
  OPENCOMPUTER_CORS_ORIGINS: pageOriginsSchema.default([]),
  /** Whether a proxy in front sets X-Forwarded-For, -Host and -Proto, so that previews may believe them. */
  OPENCOMPUTER_TRUST_FORWARDED: z
    .enum(["true", "false"], { error: "expected true or false" })
    .default("false")
    .transform((text) => text === "true"),
  /** Placements of secrets that name none, in stores that name none. */
  OPENCOMPUTER_SUBSTITUTE_IN: placementListSchema.default(defaultPlacements),
  /**
   * Where builds of images get Debian's packages: a URL instead of
   * `http://deb.debian.org/debian`, with security updates at the same URL and
   * `-security`, or a line of sources.list(5) instead of all of Debian's.
   */
  OPENCOMPUTER_APT_MIRROR: z
    .string()
    .regex(
      /^(https?:\/\/[^\s"'`$\\]+[^\s"'`$\\/]|deb [^\r\n]+)$/,
      "expected an http or https URL without a trailing slash, or a line that begins with deb",
    )
    .optional(),
  /** The index that builds of images give pip. */
  OPENCOMPUTER_PIP_INDEX_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** The HTTP proxy that builds of images, and nothing else, use. */
  OPENCOMPUTER_BUILD_PROXY: z.url({ protocol: /^https?$/ }).optional(),
  OPENCOMPUTER_EGRESS_HOSTS: egressHostsSchema.default([]),
  /** Ranges that no sandbox reaches, besides those that are not the public internet. */
  OPENCOMPUTER_EGRESS_DENY: addressRangesSchema.default([]),
  /** An entry of the egress log is deleted this many days after it was stored, also of a killed sandbox. */
  OPENCOMPUTER_EGRESS_LOG_DAYS_MAX: countSchema(1, 3_650).default(defaults.egressLogDaysMax),
  OPENCOMPUTER_EGRESS_CA_FILE: z.string().startsWith("/", "expected an absolute path").optional(),
  /** File that names the nameservers for sandboxes, in the form of resolv.conf(5); those of the host by default. */
  OPENCOMPUTER_EGRESS_RESOLV_CONF: z
    .string()
    .startsWith("/", "expected an absolute path")
    .optional(),
  /** The HTTP proxy through which the egress proxy reaches the internet. */
  OPENCOMPUTER_EGRESS_UPSTREAM_PROXY: upstreamProxySchema.optional(),
  /** What the egress proxy reaches without that proxy. */
  OPENCOMPUTER_EGRESS_NO_PROXY: upstreamProxyExceptionsSchema.default({
    hostPatterns: [],
    ranges: [],
  }),
  /** How many egress proxies share the sandboxes of the host, each of which has one of them. */
  OPENCOMPUTER_EGRESS_PROXY_PROCESSES: countSchema(1, serviceLimits.egressProxiesMax).default(1),
  /** The least severe entries that the processes write to their logs. */
  OPENCOMPUTER_LOG_LEVEL: z.enum(["error", "warn", "info", "debug"]).default("info"),
  /** Processes that open Node's inspector, separated by commas. */
  OPENCOMPUTER_INSPECT: z
    .string()
    .transform((text) => text.split(",").map((part) => part.trim()))
    .pipe(z.array(z.enum(["supervisor", "control-plane", "worker", "egress-proxy", "host"])))
    .default([]),
  OPENCOMPUTER_ACCEL: z.enum(["auto", "kvm", "tcg"]).default("auto"),
  /** Whether machines may run where the host gives no control groups to bound them. */
  OPENCOMPUTER_ALLOW_UNLIMITED: z
    .enum(["0", "1"], { error: "expected 0 or 1" })
    .default("0")
    .transform((text) => text === "1"),
} as const;

/** What the supervisor writes to the pipe for the secret settings of a process. */
export const secretSettingsSchema = z.record(z.string(), z.string());
/** The descriptor of that pipe, as its variable names it. */
export const secretsDescriptorSchema = z.coerce.number().int().min(3).max(1023);

/** Thrown at start, before anything is opened: names the variable and what it should be. */
export class SettingsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SettingsError";
  }
}

/**
 * The settings of one process from its environment. An empty variable counts
 * as absent. Values are never part of the message: some are secret.
 *
 * @throws {SettingsError} naming every malformed variable.
 */
export function readSettings<Shape extends z.ZodRawShape>(
  shape: Shape,
  environment: Record<string, string | undefined>,
): z.infer<z.ZodObject<Shape>> {
  const present = Object.fromEntries(
    Object.keys(shape).flatMap((name) => {
      const value = environment[name];
      return value === undefined || value === "" ? [] : [[name, value]];
    }),
  );
  const parsed = z.object(shape).safeParse(present, { reportInput: false });
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new SettingsError(`Settings are malformed:\n  ${lines.join("\n  ")}`);
}

function parseEgressHost(entry: string): EgressHost | undefined {
  const match =
    /^(?<name>[^=:]+)(?::(?<guestPort>\d+))?=(?<address>\[[0-9a-fA-F:.]+\]|[0-9.]+):(?<port>\d+)$/.exec(
      entry,
    );
  const { name, guestPort, address, port } = match?.groups ?? {};
  if (name === undefined || address === undefined) return undefined;
  const host = normalizeHost(name);
  const bareAddress = address.replace(/^\[|\]$/g, "");
  const isAddress = z.union([z.ipv4(), z.ipv6()]).safeParse(bareAddress).success;
  const parsedPort = portSchema.safeParse(port);
  const parsedGuestPort = guestPort === undefined ? null : portSchema.safeParse(guestPort).data;
  if (host === undefined || !isAddress || !parsedPort.success || parsedGuestPort === undefined) {
    return undefined;
  }
  return { host, guestPort: parsedGuestPort, address: bareAddress, port: parsedPort.data };
}
