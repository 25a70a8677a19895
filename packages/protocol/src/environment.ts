import { z } from "zod";
import { environmentNameSchema } from "./environment-name.ts";
import { limits } from "./limits.ts";

const octets = new TextEncoder();

/** Plain environment variables of a sandbox, an image or a command. */
export const environmentSchema = z
  .record(
    environmentNameSchema,
    z
      .string()
      .refine((value) => octets.encode(value).length <= limits.environmentValueBytesMax, {
        error: `must be at most ${limits.environmentValueBytesMax} octets`,
      })
      .refine((value) => !value.includes("\0"), { error: "must not contain NUL" }),
  )
  .refine((variables) => Object.keys(variables).length <= limits.environmentVariablesMax, {
    error: `must have at most ${limits.environmentVariablesMax} variables`,
  });
