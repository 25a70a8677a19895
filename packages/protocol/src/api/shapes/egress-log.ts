import { z } from "zod";
import { limits } from "../limits.ts";
import { timestampSchema } from "../rules/identifiers.ts";

/**
 * Why a token was sent as it is.
 *
 * - `host`: its secret does not allow the host
 * - `placement`: its secret does not allow this part of the request
 * - `plain_http`: the request was not encrypted
 * - `signature`: a token of AWS credentials, which are only used in a request's signature
 * - `revoked`: the value of its secret was revoked
 */
export const withheldReasonSchema = z.enum([
  "host",
  "placement",
  "plain_http",
  "signature",
  "revoked",
]);
export type WithheldReason = z.infer<typeof withheldReasonSchema>;

/**
 * What a sandbox used. `tls` is a handshake and `tcp` a connection that was refused before
 * there was a request, or a stream to another port; `dns` is a question that was refused.
 */
export const egressProtocolSchema = z.enum([
  "https",
  "http",
  "websocket",
  "grpc",
  "tls",
  "tcp",
  "dns",
]);
export type EgressProtocol = z.infer<typeof egressProtocolSchema>;

/** What happened to the secrets of one exchange, by name. It has no values. */
export const egressSecretsSchema = z.object({
  /** Tokens that became their values, with the places: `header NAME`, `body`, `query`, `path` or `signature`. */
  substituted: z.array(z.object({ name: z.string(), places: z.array(z.string()) })),
  /** Tokens that were sent as they are. `reason` is null in a line that stands for several exchanges. */
  withheld: z.array(
    z.object({ name: z.string(), place: z.string(), reason: withheldReasonSchema.nullable() }),
  ),
  /** Values in the response that became tokens again, with how often. */
  redacted: z.array(z.object({ name: z.string(), count: z.int().min(1) })),
  /** Secrets whose value the sandbox sent in plaintext. It should never have had it: rotate them. */
  leaked: z.array(z.string()),
  /** How many tokens were sent that stand for no secret of the sandbox. */
  foreignTokens: z.int().min(0),
});
export type EgressSecrets = z.infer<typeof egressSecretsSchema>;

/** One exchange of a sandbox with the network, as the egress log records it. */
export const egressExchangeSchema = z.object({
  /** When it began. */
  time: timestampSchema,
  protocol: egressProtocolSchema,
  host: z.string().nullable(),
  port: z.int().nullable(),
  method: z.string().nullable(),
  /** Without the query; tokens are as the sandbox sent them. A long one is cut, with its length appended. */
  path: z.string().nullable(),
  decision: z.enum(["allowed", "refused"]),
  /** Why it was refused, failed after it was allowed, or was not searched for tokens. */
  reason: z.string().nullable(),
  secrets: egressSecretsSchema,
  /** Status of the response; null when there was none. */
  status: z.int().nullable(),
  requestBytes: z.int().min(0),
  responseBytes: z.int().min(0),
  durationMilliseconds: z.number().min(0),
  /** 0 for one exchange. Otherwise how many exchanges the entry summarizes, which were too many to be kept one by one. */
  leftOut: z.int().min(0),
});
export type EgressExchange = z.infer<typeof egressExchangeSchema>;

/** A place in the egress log: that of the entry with this cursor. */
export const egressCursorSchema = z
  .string()
  .regex(/^[0-9]{1,18}$/, "must be a cursor that the egress log returned");

/** An entry of the egress log, which is in the order in which entries were stored. */
export const egressEntrySchema = egressExchangeSchema.extend({
  /** Unique: the process of the egress proxy, and the number of the line in it. */
  id: z.string(),
  cursor: egressCursorSchema,
});
export type EgressEntry = z.infer<typeof egressEntrySchema>;

const pageSizeSchema = z
  .string()
  .regex(/^[0-9]{1,9}$/, "must be a whole number")
  .transform(Number)
  .pipe(z.int().min(1).max(limits.egressLogPageEntriesMax));

/**
 * Query of `GET /sandboxes/:id/egress`. A page starts after `cursor`, or in order `desc`
 * before it, and without one at the oldest or newest entry. With
 * `Accept: text/event-stream` neither `order` nor `limit` applies, and `Last-Event-ID`
 * replaces `cursor`.
 */
export const egressLogQuerySchema = z.object({
  cursor: egressCursorSchema.optional(),
  /** `asc` by default: the oldest first. */
  order: z.enum(["asc", "desc"]).optional(),
  /** 100 by default. */
  limit: pageSizeSchema.optional(),
  /** `true` for refused exchanges alone. */
  refused: z
    .enum(["true", "false"], { error: "must be true or false" })
    .transform((text) => text === "true")
    .optional(),
  /** A host, or `*.` and a suffix, without a port. */
  host: z.string().max(255).optional(),
});
export type EgressLogQuery = z.output<typeof egressLogQuerySchema>;

/** Header of `GET /sandboxes/:id/egress`, which a client of an event stream sends when it connects again. */
export const followEgressHeadersSchema = z.object({
  "last-event-id": egressCursorSchema.optional(),
});

/**
 * Response of `GET /sandboxes/:id/egress`. `cursor` is where the next page starts, whether
 * it has any entries yet or not; `hasMore` is whether it has.
 */
export const egressPageSchema = z.object({
  entries: z.array(egressEntrySchema),
  cursor: egressCursorSchema,
  hasMore: z.boolean(),
});
export type EgressPage = z.infer<typeof egressPageSchema>;

/** Query of `GET /sandboxes/:id/egress/explain`. */
export const explainEgressQuerySchema = z.object({
  /** An https, http or tcp URL, such as `https://api.example.com/v1` or `tcp://db.example.com:5432`. */
  url: z.string().min(1).max(limits.explainedUrlCharactersMax),
  method: z
    .string()
    .regex(/^[A-Za-z]{1,32}$/, "must be a method of HTTP, such as GET")
    .optional(),
});

export type ExplainEgressQuery = z.output<typeof explainEgressQuerySchema>;

/** What would happen to one secret's token in a request. */
export const explainedSecretSchema = z.object({
  name: z.string(),
  /** Placements in which the token would become its value; empty when it would be withheld everywhere. */
  substituteIn: z.array(z.string()),
  /** Why it would be withheld; null when there are placements for it. */
  withheld: withheldReasonSchema.nullable(),
  /** The hosts that the secret allows; empty for every host that the sandbox may reach. */
  allowedHosts: z.array(z.string()),
});
export type ExplainedSecret = z.infer<typeof explainedSecretSchema>;

/**
 * Response of `GET /sandboxes/:id/egress/explain`: what would happen to a request. The
 * host's name is resolved for it; nothing is sent to the host.
 */
export const egressExplanationSchema = z.object({
  decision: z.enum(["allowed", "refused"]),
  /**
   * The rule that decides.
   *
   * - `open`: the sandbox has neither a secret store nor an allowlist: it is not intercepted
   * - `no_allowlist`: no allowlist restricts it
   * - `allowlist_entry`: `entry` of its allowlist allows it
   * - `not_in_allowlist`: no entry of its allowlist allows it
   * - `address`: the host is not on the public internet
   * - `name_not_resolved`: the host has no address
   */
  rule: z.enum([
    "open",
    "no_allowlist",
    "allowlist_entry",
    "not_in_allowlist",
    "address",
    "name_not_resolved",
  ]),
  entry: z.string().nullable(),
  /** For people: why it would be refused, or how it would be sent. */
  reason: z.string(),
  protocol: z.enum(["https", "http", "tcp"]),
  host: z.string(),
  port: z.int(),
  method: z.string().nullable(),
  secrets: z.array(explainedSecretSchema),
});
export type EgressExplanation = z.infer<typeof egressExplanationSchema>;

/**
 * Response of `GET /sandboxes/:id/egress/suggestion`: the smallest allowlist, and the fewest
 * hosts of each secret, that allow what the log has of the sandbox.
 */
export const egressSuggestionSchema = z.object({
  /** The allowlist for what was allowed and sent. */
  egressAllowlist: z.array(z.string()),
  /** Hosts that received each secret's value. */
  perSecretAllowedHosts: z.record(z.string(), z.array(z.string())),
  /** Entries that would allow what was refused, for you to judge; no part of the lists above. */
  refused: z.array(z.object({ entry: z.string(), count: z.int().min(1) })),
  /**
   * Entries of what was allowed and never reached: the name was not found, or no connection
   * was made. No part of the lists above.
   */
  unreached: z.array(z.object({ entry: z.string(), count: z.int().min(1) })),
  /** The number of exchanges that it follows from, and the time of the first; null without any. */
  exchangeCount: z.int().min(0),
  since: timestampSchema.nullable(),
  /** Whether exchanges were left out of the log in that time: then the lists may lack hosts. */
  isIncomplete: z.boolean(),
});
export type EgressSuggestion = z.infer<typeof egressSuggestionSchema>;
