import { z } from "zod";
import { serviceLimits } from "../limits.ts";

const { traceAttributesMax, traceAttributeCharactersMax } = serviceLimits;

/**
 * `name=value,…` with percent-encoded values, as OpenTelemetry's variables have
 * them. A message never quotes the text: headers are secret.
 */
const pairsSchema = z.string().transform((text, context): Readonly<Record<string, string>> => {
  const pairs = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map(parsePair);
  if (pairs.length <= traceAttributesMax && pairs.every((pair) => pair !== undefined)) {
    return Object.fromEntries(pairs);
  }
  context.addIssue({
    code: "custom",
    message: `expected at most ${traceAttributesMax} pairs name=value, separated by commas, with percent-encoded values of at most ${traceAttributeCharactersMax} characters`,
    input: text,
  });
  return z.NEVER;
});

/** A value has the printable characters of ASCII only: it may become the value of a header. */
function parsePair(text: string): [name: string, value: string] | undefined {
  const { name, encoded } = /^(?<name>[\w.-]+)\s*=\s*(?<encoded>.*)$/.exec(text)?.groups ?? {};
  if (name === undefined || encoded === undefined) return undefined;
  try {
    const value = decodeURIComponent(encoded);
    const isValid = value.length <= traceAttributeCharactersMax && /^[\x20-\x7e]*$/.test(value);
    return isValid ? [name, value] : undefined;
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

const endpointSchema = z.url({ protocol: /^https?$/ }).refine((text) => !/[?#@]/.test(text), {
  error: "expected an http or https URL without user, query and fragment",
});

/** A PEM file of CAs, which are trusted instead of Node's. */
const certificateFileSchema = z.string().startsWith("/", "expected an absolute path").optional();

/** The one encoding that is spoken; the name of another would otherwise be ignored. */
const protocolSchema = z
  .literal("http/protobuf", { error: "expected http/protobuf, the one that is supported" })
  .default("http/protobuf");

/**
 * OpenTelemetry's own variables, each as its specification has it, as far as they
 * are supported. Without an endpoint nothing is exported.
 */
export const traceSettingSchemas = {
  /** The base URL of an OTLP receiver: spans go to `v1/traces` below it. */
  OTEL_EXPORTER_OTLP_ENDPOINT: endpointSchema.optional(),
  /** The complete URL that spans are sent to instead. */
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpointSchema.optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: protocolSchema,
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: protocolSchema,
  /** Headers of each export, such as a key for the receiver. */
  OTEL_EXPORTER_OTLP_HEADERS: pairsSchema.default({}),
  /** Headers for traces, which override those. */
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: pairsSchema.default({}),
  /** PEM file with the CAs that are trusted for the receiver. */
  OTEL_EXPORTER_OTLP_CERTIFICATE: certificateFileSchema,
  /** PEM file for traces, which is used instead. */
  OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: certificateFileSchema,
  /** Milliseconds that one export may take, with its retries. */
  OTEL_EXPORTER_OTLP_TIMEOUT: z
    .string()
    .regex(/^[0-9]{1,5}$/, "expected milliseconds from 1 to 60000")
    .transform(Number)
    .refine((milliseconds) => milliseconds >= 1 && milliseconds <= 60_000, {
      error: "expected milliseconds from 1 to 60000",
    })
    .default(10_000),
  OTEL_TRACES_SAMPLER: z
    .enum([
      ...["always_on", "always_off", "traceidratio"],
      ...["parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"],
    ] as const)
    .default("parentbased_always_on"),
  /** The share of traces that `traceidratio` samples, from 0 to 1. */
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^[01]?(\.[0-9]{1,9})?$/, "expected a number from 0 to 1")
    .transform(Number)
    .refine((ratio) => ratio >= 0 && ratio <= 1, { error: "expected a number from 0 to 1" })
    .default(1),
  /** Attributes of the installation, such as `deployment.environment.name=production`. */
  OTEL_RESOURCE_ATTRIBUTES: pairsSchema.default({}),
  /** Whether nothing is exported, whatever else is set. */
  OTEL_SDK_DISABLED: z
    .enum(["true", "false"], { error: "expected true or false" })
    .default("false")
    .transform((text) => text === "true"),
} as const;

export type TraceSettings = z.infer<z.ZodObject<typeof traceSettingSchemas>>;
