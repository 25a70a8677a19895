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

/** Body of `PUT /sandboxes/:id/tags`: all tags that the sandbox has from then on. */
export const tagsSchema = z
  .record(
    tagKeySchema,
    z
      .string()
      .max(limits.tagValueCharactersMax)
      .regex(storableTextPattern, "must be well-formed Unicode without NUL"),
  )
  .refine((tags) => Object.keys(tags).length <= limits.tagsPerSandboxMax, {
    error: `must have at most ${limits.tagsPerSandboxMax} tags`,
  });

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
