import { z } from "zod";
import { limits } from "../limits.ts";
import { timestampSchema } from "../rules/identifiers.ts";

/** TCP port of the agent in the guest, which no preview can use. */
export const agentPort = 7070;

/** A TCP port of a sandbox that a preview may lead to: 1–65535, except the agent's. */
export const previewPortSchema = z
  .int()
  .min(1, "must be from 1 to 65535")
  .max(65_535, "must be from 1 to 65535")
  .refine((port) => port !== agentPort, {
    error: `must not be ${agentPort}, which the sandbox's agent uses: choose another port for your server`,
  });

/** As JSON writes NUL, and halves of surrogate pairs. */
const unstorableEscape = /\\u(?:0000|d)/;

/** Stored and returned unchanged; it does not restrict access to the preview. */
const authConfigSchema = z.record(z.string(), z.unknown()).superRefine((config, context) => {
  const json = writeJson(config);
  if (json === undefined || json.length > limits.previewAuthConfigCharactersMax) {
    const message = `must have at most ${limits.previewAuthConfigCharactersMax} characters as JSON`;
    context.addIssue({ code: "custom", message });
  } else if (unstorableEscape.test(json.replaceAll("\\\\", ""))) {
    context.addIssue({ code: "custom", message: "must be well-formed Unicode without NUL" });
  }
});

/** The value as JSON; undefined when it has more levels than can be written. */
function writeJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * Body of `POST /sandboxes/:id/preview`. `domain` is a host name of your own
 * that leads to this server, besides `{sandboxID}-p{port}.{sandboxDomain}`.
 */
export const createPreviewRequestSchema = z.object({
  port: previewPortSchema,
  domain: z.string().max(253).nullish(),
  authConfig: authConfigSchema.nullish(),
});

/**
 * A preview: HTTP requests for `hostname`, and for `customHostname`, reach the
 * server that listens on `port` in the sandbox. `url` is where clients of this
 * API reach it. `sslStatus` is `external` where a proxy of the operator's ends
 * TLS in front of this server, else `none`.
 */
export const previewRecordSchema = z.object({
  id: z.uuid(),
  sandboxId: z.string(),
  orgId: z.uuid(),
  hostname: z.string(),
  port: z.int(),
  customHostname: z.string().optional(),
  sslStatus: z.enum(["none", "external"]),
  authConfig: z.record(z.string(), z.unknown()),
  url: z.url(),
  createdAt: timestampSchema,
});
export type PreviewRecord = z.infer<typeof previewRecordSchema>;

const previewTokenPattern = /^[\x21-\x7e]*$/;

/**
 * Bearer authentication of all previews of a sandbox. `auto` has the server
 * make a token of 256 random bits.
 */
export const previewAuthSchema = z.object({
  scheme: z.literal("bearer", "must be bearer").default("bearer"),
  token: z
    .string()
    .max(limits.previewTokenCharactersMax)
    .regex(previewTokenPattern, "must be of printable ASCII without spaces")
    .refine((token) => token === "auto" || token.length >= limits.previewTokenCharactersMin, {
      error: `must be auto, or have at least ${limits.previewTokenCharactersMin} characters`,
    }),
});
export type PreviewAuth = z.input<typeof previewAuthSchema>;

/** Response of `POST /sandboxes/:id/preview/rotate`: the new token, which is shown this once. */
export const rotatedPreviewAuthSchema = z.object({
  previewAuthToken: z.string(),
  scheme: z.literal("bearer"),
});
export type RotatedPreviewAuth = z.infer<typeof rotatedPreviewAuthSchema>;

/**
 * Response of `POST /sandboxes/:id/preview/:port/link`. `url` opens the
 * preview in a browser. Where the previews need a token, the URL has a code
 * that works once, before `expiresAt`, and is exchanged for a cookie of that host.
 */
export const previewLinkSchema = z.object({ url: z.url(), expiresAt: timestampSchema.nullable() });
export type PreviewLink = z.infer<typeof previewLinkSchema>;
