import { z } from "zod";
import { limits } from "../limits.ts";
import { queryTimeSchema, sandboxIdSchema, timestampSchema } from "../rules/identifiers.ts";
import { storableTextPattern, toStorableText } from "../rules/text.ts";

/** A text of an event. {@link eventText} makes one of any text. */
const textSchema = z.string().max(limits.eventTextCharactersMax).regex(storableTextPattern);
const nameSchema = z.string().max(limits.objectNameCharactersMax);
const hostSchema = z.string().max(253);
/** How often it happened since the last event of the same kind. */
const countSchema = z.int().min(1);

const ofCheckpoint = {
  checkpointId: z.uuid(),
  name: nameSchema,
  kind: z.enum(["full", "disk_only"]),
};
const ofImageStep = {
  /** SHA-256 of the image's base and steps, in hexadecimal. */
  contentHash: z.string().regex(/^[0-9a-f]{64}$/),
  /** From 1. */
  step: z.int().min(1),
  stepCount: z.int().min(1),
  stepType: z.string().max(64),
};
const ofSecret = { secret: nameSchema, host: hostSchema };

function content<Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) {
  return z.object({ type: z.literal(type), data: z.object(shape) });
}

/**
 * What an event reports: its type, and data of the shape of that type. None has a
 * secret value, a command, or what one printed.
 */
export const eventContentSchema = z.discriminatedUnion("type", [
  /** A sandbox was admitted and is being made. */
  content("sandbox.created", { cpuCount: z.int(), memoryMB: z.int() }),
  /** It takes commands for the first time. */
  content("sandbox.ready", {}),
  /** It was admitted and starts from a checkpoint of its parent. */
  content("sandbox.forked", { checkpointId: z.uuid(), parentSandboxId: sandboxIdSchema }),
  /** `reconciled`: its machine had ended by itself, or with its host. */
  content("sandbox.hibernated", {
    reason: z.enum(["requested", "idle", "reconciled"]),
    sizeBytes: z.int().min(0),
  }),
  /** Its idle time-out has passed, and so it was hibernated. */
  content("sandbox.timed_out", { idleTimeoutSeconds: z.int().min(0) }),
  content("sandbox.woken", {}),
  /** The content of its memory is lost: it boots from its disk. */
  content("sandbox.memory_lost", { reason: textSchema }),
  content("sandbox.killed", {
    reason: z.enum(["requested", "create_failed", "hibernation_failed", "machine_lost"]),
  }),
  content("checkpoint.ready", { ...ofCheckpoint, sizeBytes: z.int().min(0) }),
  content("checkpoint.failed", { ...ofCheckpoint, failure: textSchema }),
  content("image.step_started", ofImageStep),
  content("image.step_finished", ofImageStep),
  /** `exitCode` is null when it failed otherwise than by a command's exit code. */
  content("image.step_failed", { ...ofImageStep, exitCode: z.int().nullable() }),
  /** A webhook no longer gets events: its receiver is gone (410), or failed for a day. */
  content("webhook.disabled", { webhookId: z.uuid(), reason: z.enum(["gone", "failing"]) }),
  /** A secret's token became its value at this host for the first time. */
  content("secret.first_used", ofSecret),
  /** A token was sent as it is, because its secret allows neither this host nor this placement. */
  content("secret.withheld", { ...ofSecret, reason: textSchema, count: countSchema }),
  /** A value in a response became its token again. */
  content("secret.redacted", { ...ofSecret, count: countSchema }),
  /** The sandbox sent a value in plaintext, which it should never have had: rotate the secret. */
  content("secret.leaked", { ...ofSecret, count: countSchema }),
  /** A token was sent that does not belong to the sandbox. */
  content("secret.foreign_token", { host: hostSchema, count: countSchema }),
  content("egress.refused", {
    host: hostSchema,
    port: z.int().min(0).max(65_535),
    reason: textSchema,
    count: countSchema,
  }),
]);
export type EventContent = z.infer<typeof eventContentSchema>;
export type EventType = EventContent["type"];

export const eventTypeSchema = z.enum(
  eventContentSchema.options.map(({ shape }) => shape.type.value),
);

/** A text as an event has it: well-formed, without NUL, shortened where it is long. */
export function eventText(text: string): string {
  const max = limits.eventTextCharactersMax;
  return toStorableText(text.length <= max ? text : `${text.slice(0, max - 1)}…`);
}

/** The exclusive upper bound of both numbers of a cursor. */
const cursorNumberEnd = 2n ** 63n;

/** The place of an event in the order in which an org's events are read; `0-0` is before all of them. */
export const eventCursorSchema = z
  .string()
  .refine(
    (text) =>
      /^[0-9]{1,19}-[0-9]{1,19}$/.test(text) &&
      text.split("-").every((number) => BigInt(number) < cursorNumberEnd),
    { error: "must be a cursor as the API returned it" },
  );

const envelopeSchema = z.object({
  /** Unique; an event that is delivered twice has the same one. */
  id: z.uuid(),
  cursor: eventCursorSchema,
  /** The installation where it happened. */
  nodeId: z.string(),
  /** Null for an event that belongs to no sandbox. */
  sandboxId: z.string().nullable(),
  time: timestampSchema,
});

/** An event as the API returns it. */
export type EventRecord = z.infer<typeof envelopeSchema> & EventContent;

const [firstContentSchema, ...otherContentSchemas] = eventContentSchema.options;

/** Each side allows the fields of the other: JSON Schema has no other way to join objects. */
export const eventRecordSchema: z.ZodType<EventRecord, EventRecord> = envelopeSchema
  .loose()
  .and(
    z.discriminatedUnion("type", [
      firstContentSchema.loose(),
      ...otherContentSchemas.map((option) => option.loose()),
    ]),
  );

const unknownContentSchema = z
  .object({ type: z.string(), data: z.record(z.string(), z.unknown()) })
  .transform(({ type, data }) => ({ type: "unknown" as const, data: { type, data } }));

/** An event as a client reads it: that of a newer service may have the type `unknown`, and its own within its data. */
export const receivedEventSchema = envelopeSchema.and(
  z.union([eventContentSchema, unknownContentSchema]),
);
export type ReceivedEvent = z.infer<typeof receivedEventSchema>;

const typeListSchema = z
  .string()
  .transform((text) => text.split(",").filter((type) => type !== ""))
  .pipe(z.array(eventTypeSchema));

const pageSizeSchema = z
  .string()
  .regex(/^[0-9]{1,9}$/, "must be a whole number")
  .transform(Number)
  .pipe(z.int().min(1).max(limits.eventsPerPageMax));

/**
 * Query of `GET /events`. A page starts after `cursor`, or in order `desc` before it,
 * and without one at the oldest or newest event. `since` is the first moment, `until` the
 * first moment after the events. With `Accept: text/event-stream` only the
 * first three apply, and `Last-Event-ID`, which replaces `cursor`.
 */
export const listEventsQuerySchema = z.object({
  /** Only events of this sandbox, which may have been killed. */
  sandboxId: sandboxIdSchema.optional(),
  /** Only events of these types, separated by commas. */
  type: typeListSchema.optional(),
  cursor: eventCursorSchema.optional(),
  /** `asc` by default: the oldest first. */
  order: z.enum(["asc", "desc"]).optional(),
  /** 100 by default. */
  limit: pageSizeSchema.optional(),
  since: queryTimeSchema.optional(),
  until: queryTimeSchema.optional(),
});
export type ListEventsQuery = z.output<typeof listEventsQuerySchema>;

/** Header of `GET /events`, which a client of an event stream sends when it connects again. */
export const followEventsHeadersSchema = z.object({
  "last-event-id": eventCursorSchema.optional(),
});

/**
 * Response of `GET /events`. `cursor` is where the next page starts, whether it has any
 * events yet or not; `hasMore` is whether it has.
 */
export const eventPageSchema = z.object({
  events: z.array(eventRecordSchema),
  cursor: eventCursorSchema,
  hasMore: z.boolean(),
});
export type EventPage = z.infer<typeof eventPageSchema>;

/** {@link eventPageSchema} as a client reads it. */
export const receivedEventPageSchema = eventPageSchema.extend({
  events: z.array(receivedEventSchema),
});
export type ReceivedEventPage = z.infer<typeof receivedEventPageSchema>;
