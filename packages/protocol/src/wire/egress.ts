import { z } from "zod";
import { sandboxIdSchema } from "../api/rules/identifiers.ts";
import { sealedToken } from "./secrets/sealed-token.ts";

/**
 * Where the proxy listens on the egress address, the first if there are several. A slot's
 * rules send the guest's tcp/443, tcp/80 and port 53 here.
 */
export const egressPorts = {
  /** TLS that guests open to port 443. TCP. */
  tls: 8443,
  /** Plain HTTP that guests open to port 80. TCP. */
  http: 8080,
  /** Other ports that allowlists open. TCP, with the address and port that the guest connected to. */
  streams: 8444,
  /** The guest's resolver. UDP and TCP. */
  dns: 5353,
} as const;

/**
 * The group of netfilter's log in which the host's filter of an installation reports
 * connections that it rejected to the `index`-th egress proxy, from 0.
 */
export function refusalLogGroup(installationId: string, index: number): number {
  return (Number.parseInt(installationId, 16) + index) % 2 ** 16;
}

/** The gateway address of every guest; names that an allowlist does not have resolve to it. */
export const guestGatewayAddress = "169.254.0.1";

/**
 * How a sandbox reaches the network.
 *
 * - `open`: ordinary NAT; private ranges are refused.
 * - `intercepted`: tcp/443 and tcp/80 pass the proxy, the rest as `open`.
 * - `allowlisted`: tcp/443 and tcp/80 pass the proxy, nothing else leaves.
 */
export const egressModeSchema = z.enum(["open", "intercepted", "allowlisted"]);
export type EgressMode = z.infer<typeof egressModeSchema>;

/**
 * The ports besides 443 and 80 that the allowlist of a sandbox opens, which the
 * packet filters pass to the proxy.
 */
export const egressPortsSchema = z.array(z.int().min(1).max(65_535)).max(1000);

/** The mode that follows from a sandbox's store and the merged allowlist. */
export function egressModeFor(policy: {
  hasSecretStore: boolean;
  egressAllowlist: readonly string[];
}): EgressMode {
  if (policy.egressAllowlist.length > 0) return "allowlisted";
  return policy.hasSecretStore ? "intercepted" : "open";
}

/**
 * A secret as the proxy has it. No `allowedHosts` means every host that the
 * sandbox may reach. `substituteIn` holds placements in their canonical form;
 * an empty list means that the token is never replaced.
 */
export const egressSecretSchema = z.strictObject({
  name: z.string(),
  token: z.string().regex(sealedToken.pattern),
  value: z.string(),
  allowedHosts: z.array(z.string()),
  substituteIn: z.array(z.string()),
});
export type EgressSecret = z.infer<typeof egressSecretSchema>;

/** A token, and the value that it stands for. */
const tokenWithValue = { token: z.string().regex(sealedToken.pattern), value: z.string() };

/**
 * A secret of kind `aws`. Requests that are signed with its tokens are signed again
 * with its values, at its hosts; its tokens are never replaced anywhere else. The
 * session token has no value when the credentials are long-term ones.
 */
export const awsEgressSecretSchema = egressSecretSchema
  .pick({ name: true, allowedHosts: true, substituteIn: true })
  .extend({
    accessKeyId: z.strictObject(tokenWithValue),
    secretAccessKey: z.strictObject(tokenWithValue),
    sessionToken: z.strictObject({ ...tokenWithValue, value: z.string().nullable() }),
  });
export type AwsEgressSecret = z.infer<typeof awsEgressSecretSchema>;

/** A secret whose value was revoked: its token is sent upstream unchanged, and the response states why. */
export const revokedSecretSchema = egressSecretSchema.pick({ name: true, token: true });
export type RevokedSecret = z.infer<typeof revokedSecretSchema>;

/**
 * Body of `PUT /v1/sessions/:sandboxId`, control plane to egress proxy: all
 * the proxy knows of a sandbox. `sourceAddress` is the address that the
 * sandbox's slot gives its packets; it alone identifies the sandbox. A second
 * PUT replaces the first at once. The wire restricts what a guest may do, so
 * a field that the proxy does not know is refused, not ignored.
 */
export const egressSessionSchema = z.strictObject({
  sandboxId: sandboxIdSchema,
  /**
   * Grows with each hand-over of any sandbox. One that is lower than that of the sandbox's last session,
   * or of the session that has the address, is refused with 409 `stale_session`.
   */
  version: z.int().min(1),
  /** The machine that holds the slot: one life of a sandbox between a prepare and its end. */
  machineId: z.uuid(),
  sourceAddress: z.ipv4(),
  mode: egressModeSchema,
  egressAllowlist: z.array(z.string()),
  secrets: z.array(egressSecretSchema),
  awsSecrets: z.array(awsEgressSecretSchema),
  /**
   * Values that the sandbox, its ancestors or its earlier sessions could use
   * and that it cannot use any more: rotated, overridden in a fork, detached,
   * narrowed, revoked. They are only searched for in responses. Each has the
   * hosts and placements that it had; names and tokens may repeat.
   */
  formerSecrets: z.array(egressSecretSchema),
  /** Secrets of the sandbox that were revoked, one entry for each token; none is among those in use. */
  revokedSecrets: z.array(revokedSecretSchema),
  /**
   * Whether a revocation of the sandbox is not acknowledged yet. Its secret may
   * have been set again since: connections that may send a value which is no
   * longer among `secrets` end.
   */
  enforcesRevocation: z.boolean(),
});
export type EgressSession = z.infer<typeof egressSessionSchema>;

/**
 * Query of `DELETE /v1/sessions/:sandboxId`, control plane to egress proxy. Ends the session of the
 * sandbox that has this version or a lower one, also one that is still on its way; a later one stays.
 */
export const endSessionQuerySchema = z.object({ version: z.coerce.number().int().min(1) });

/** Response of `GET /v1/sessions/:sandboxId`: the policy in force, without tokens and values. */
export const egressPolicySchema = z.object({
  sandboxId: sandboxIdSchema,
  version: z.int().min(1),
  machineId: z.uuid(),
  sourceAddress: z.ipv4(),
  mode: egressModeSchema,
  egressAllowlist: z.array(z.string()),
  perSecretAllowedHosts: z.record(z.string(), z.array(z.string())),
});
export type EgressPolicy = z.infer<typeof egressPolicySchema>;

/** Body of `PUT /v1/certificate-authority`. The key stays in the proxy's memory. */
export const certificateAuthoritySchema = z.object({
  certificatePem: z.string().startsWith("-----BEGIN CERTIFICATE-----"),
  privateKeyPem: z.string().startsWith("-----BEGIN PRIVATE KEY-----"),
});
export type CertificateAuthorityKeys = z.infer<typeof certificateAuthoritySchema>;

/** Response of `GET /v1/status`. A new `instanceId` means that the proxy restarted and has no sessions. */
export const egressProxyStatusSchema = z.object({
  instanceId: z.uuid(),
  hasCertificateAuthority: z.boolean(),
  sessionCount: z.int().min(0),
});
export type EgressProxyStatus = z.infer<typeof egressProxyStatusSchema>;

/**
 * One line of the audit log. It has names of secrets, never values: text that the
 * guest or the upstream server chose is searched for values before. `path` is
 * without its query, and cut at `serviceLimits.auditTextBytesMax`.
 */
export const auditLineSchema = z.object({
  time: z.iso.datetime(),
  kind: z.enum(["https", "http", "tls", "tcp", "dns"]),
  sandboxId: z.string().nullable(),
  sourceAddress: z.string(),
  host: z.string().nullable(),
  method: z.string().nullable(),
  path: z.string().nullable(),
  decision: z.enum(["allowed", "refused"]),
  /** Why it was refused, failed after it was allowed, or was not searched for tokens. */
  reason: z.string().nullable(),
  status: z.int().nullable(),
  /** Secrets whose value went upstream. */
  substituted: z.array(z.string()),
  /** Tokens that were passed on unchanged, with their place: `header NAME`, `body`, `query`, `path` or `trailer`. */
  withheld: z.array(z.strictObject({ name: z.string(), place: z.string() })),
  /** Secrets whose value came back and became a token again. */
  redacted: z.array(z.string()),
  /** Secrets whose value the guest sent in plaintext, although it must not have it. */
  leaked: z.array(z.string()),
  requestBytes: z.number().int().min(0),
  responseBytes: z.number().int().min(0),
  durationMilliseconds: z.number().min(0),
  /** The messages of a WebSocket, and the tokens and values in them; its handshake has the line. */
  webSocket: z
    .strictObject({
      messagesFromGuest: z.int().min(0),
      messagesToGuest: z.int().min(0),
      substituted: z.int().min(0),
      withheld: z.int().min(0),
      redacted: z.int().min(0),
    })
    .optional(),
});
export type AuditLine = z.infer<typeof auditLineSchema>;

/**
 * What the reader of the audit stream writes back, one JSON object a line:
 * whether the audit trail accepts lines. The writer assumes that it does until
 * it is notified otherwise.
 */
export const auditTrailStateSchema = z.strictObject({ isWritable: z.boolean() });
export type AuditTrailState = z.infer<typeof auditTrailStateSchema>;
