import { z } from "zod";
import { limits } from "../limits.ts";
import { timestampSchema } from "../rules/identifiers.ts";
import { storableTextPattern } from "../rules/text.ts";

const tagKeyPattern = new RegExp(`^[A-Za-z0-9_.:-]{1,${limits.tagKeyCharactersMax}}$`);

export const tagKeySchema = z
  .string()
  .regex(
    tagKeyPattern,
    `must be 1 to ${limits.tagKeyCharactersMax} of A-Z, a-z, 0-9, _, ., : and -`,
  );

const tagValueSchema = z
  .string()
  .max(limits.tagValueCharactersMax)
  .regex(storableTextPattern, "must be well-formed Unicode without NUL");

/** Body of `PUT /sandboxes/:id/tags`: all tags that the sandbox has from then on. */
export const tagsSchema = z
  .record(tagKeySchema, tagValueSchema)
  .refine((tags) => Object.keys(tags).length <= limits.tagsPerSandboxMax, {
    error: `must have at most ${limits.tagsPerSandboxMax} tags`,
  });

/**
 * Body of `PATCH /sandboxes/:id/tags`, a JSON merge patch (RFC 7396): a value sets its
 * tag, null removes it, and the other tags stay.
 */
export const tagChangesSchema = z
  .record(tagKeySchema, tagValueSchema.nullable())
  .refine((changes) => Object.keys(changes).length <= limits.tagChangesPerRequestMax, {
    error: `must change at most ${limits.tagChangesPerRequestMax} tags`,
  });
export type TagChanges = z.infer<typeof tagChangesSchema>;

/** `tagsLastUpdatedAt` is when the tags last changed; null when they never did. */
export const sandboxTagsSchema = z.object({
  tags: z.record(z.string(), z.string()),
  tagsLastUpdatedAt: timestampSchema.nullable(),
});
export type SandboxTags = z.infer<typeof sandboxTagsSchema>;

/**
 * Response of `GET /tags`: the keys in use on the org's running sandboxes, by
 * name, each with how many sandboxes and how many different values it has.
 */
export const tagKeysSchema = z.object({
  keys: z.array(
    z.object({
      key: z.string(),
      sandboxCount: z.int().min(1),
      valueCount: z.int().min(1),
    }),
  ),
});
export type TagKeys = z.infer<typeof tagKeysSchema>;
export type TagKey = TagKeys["keys"][number];
