import { z } from "zod";
import { limits } from "../limits.ts";
import { environmentSchema } from "../rules/environment.ts";
import { timestampSchema, uuidSchema } from "../rules/identifiers.ts";
import { chosenMemoryMBSchema } from "../rules/sandbox-size.ts";
import { byteLength, storableTextPattern } from "../rules/text.ts";

const entryMax = limits.imageStepEntriesMax;
const textSchema = z
  .string()
  .min(1, "must not be empty")
  .refine((text) => !text.includes("\0"), { error: "must not contain NUL" });
/** A package as apt and pip accept it; it cannot be an option. */
const packageSchema = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9][^\s\0]*$/, "must be a package's name, with its version if you like");
const guestPathTextSchema = textSchema.max(limits.pathBytesMax);
const commandTextSchema = textSchema.refine((text) => byteLength(text) <= limits.commandBytesMax, {
  error: `must be at most ${limits.commandBytesMax} bytes`,
});
/** A path below the directory of its step. */
const relativePathSchema = guestPathTextSchema.refine(
  (path) => path.split("/").every((part) => part !== "" && part !== "." && part !== ".."),
  { error: "must be a path below the directory, without .. and empty parts" },
);

/**
 * One step of an image. Steps run in their order as root, in the working
 * directory and with the environment that earlier steps have set. Both also
 * apply to every command of a sandbox made from the image. Relative
 * paths start at the working directory, at first `/home/sandbox`.
 */
export const imageStepSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("apt_install"),
    args: z.object({ packages: z.array(packageSchema).min(1).max(entryMax) }),
  }),
  z.object({
    type: z.literal("pip_install"),
    args: z.object({ packages: z.array(packageSchema).min(1).max(entryMax) }),
  }),
  z.object({
    type: z.literal("run"),
    args: z.object({ commands: z.array(commandTextSchema).min(1).max(entryMax) }),
  }),
  z.object({
    type: z.literal("env"),
    args: z.object({ vars: environmentSchema }),
  }),
  z.object({ type: z.literal("workdir"), args: z.object({ path: guestPathTextSchema }) }),
  z.object({
    type: z.literal("add_file"),
    args: z.object({
      path: guestPathTextSchema,
      content: z.base64(),
      encoding: z.literal("base64"),
    }),
  }),
  z.object({
    type: z.literal("add_dir"),
    args: z.object({
      path: guestPathTextSchema,
      files: z
        .array(z.object({ relativePath: relativePathSchema, content: z.base64() }))
        .max(limits.imageFilesPerStepMax),
    }),
  }),
]);
export type ImageStep = z.infer<typeof imageStepSchema>;

/**
 * What an image is made of. Its cache key is the SHA-256, in hexadecimal, of
 * the JSON of `{base, steps}`: the same content is built once.
 */
export const imageManifestSchema = z.object({
  base: z.literal("base", { error: 'the only base is "base"' }),
  steps: z.array(imageStepSchema).max(limits.imageStepsMax),
  builderMemoryMB: chosenMemoryMBSchema.nullish(),
});
export type ImageManifest = z.infer<typeof imageManifestSchema>;

/** URLs are resolved before they are sent: `.` and `..` name nothing in a path (RFC 3986, section 5.2.4). */
const pathPartPattern = /^(?!\.{1,2}$)/;

/** Body of `POST /snapshots`. */
export const createSnapshotRequestSchema = z.object({
  name: z
    .string()
    .min(1, "must not be empty")
    .max(limits.objectNameCharactersMax)
    .regex(storableTextPattern, "must be well-formed Unicode without NUL")
    .regex(pathPartPattern, "must not be . or .., which no URL can contain as a part of its path"),
  image: imageManifestSchema,
});
export type CreateSnapshotRequest = z.infer<typeof createSnapshotRequestSchema>;

export const snapshotStatusSchema = z.enum(["building", "ready", "failed"]);

/** A named image. `failure` states which step failed, and how. */
export const snapshotRecordSchema = z.object({
  id: uuidSchema,
  orgId: uuidSchema,
  name: z.string(),
  contentHash: z.string(),
  manifest: imageManifestSchema,
  status: snapshotStatusSchema,
  createdAt: timestampSchema,
  lastUsedAt: timestampSchema.nullable(),
  failure: z.string().optional(),
});
export type SnapshotRecord = z.infer<typeof snapshotRecordSchema>;

/**
 * `data` of an SSE event `build_log`. `step` counts from 1; 0 is about the
 * build as a whole. `type` is the step's type for `Step i/n: …` and `Step i/n
 * completed`, `output` for a line that a step printed, `cache_hit` for an image
 * that exists already, else `build`.
 */
export const buildLogEventSchema = z.object({
  step: z.int().min(0),
  type: z.string(),
  message: z.string(),
});
export type BuildLogEvent = z.infer<typeof buildLogEventSchema>;

/**
 * Events of the response of `POST /snapshots`, and of `POST /sandboxes` with an
 * image, when requested with `Accept: text/event-stream`: any number of
 * `build_log`, then one `result`, whose data is the body of the plain response,
 * or one `error`, whose data is an error body.
 */
export const buildEventNames = ["build_log", "result", "error"] as const;
