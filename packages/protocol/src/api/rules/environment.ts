import { z } from "zod";
import { limits } from "../limits.ts";
import { environmentNameSchema } from "./environment-name.ts";
import { byteLength, storableTextPattern } from "./text.ts";

/** The size of variables in the environment of a Linux program: each is `NAME=value` and NUL. */
export function environmentBytes(variables: Readonly<Record<string, string>>): number {
  let byteCount = 0;
  for (const [name, value] of Object.entries(variables)) {
    byteCount += byteLength(name) + byteLength(value) + 2;
  }
  return byteCount;
}

/** Variables of a sandbox as the worker gets them: each is valid; the API has limited their total size. */
export const environmentVariablesSchema = z
  .record(
    environmentNameSchema,
    z
      .string()
      .refine((value) => byteLength(value) <= limits.environmentValueBytesMax, {
        error: `must be at most ${limits.environmentValueBytesMax} bytes`,
      })
      .regex(storableTextPattern, "must be well-formed Unicode without NUL"),
  )
  .refine((variables) => Object.keys(variables).length <= limits.environmentVariablesMax, {
    error: `must have at most ${limits.environmentVariablesMax} variables`,
  });

/** Plain environment variables of a sandbox, an image or a command, as a caller sets them. */
export const environmentSchema = environmentVariablesSchema.superRefine((variables, context) => {
  const byteCount = environmentBytes(variables);
  if (byteCount <= limits.environmentBytesTotalMax) return;
  context.addIssue({
    code: "custom",
    message: `must be at most ${limits.environmentBytesTotalMax} bytes together, with their names: pass fewer, or write large values to files`,
    params: { found: `${byteCount} bytes` },
  });
});
