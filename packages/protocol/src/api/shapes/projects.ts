import { z } from "zod";
import { limits } from "../limits.ts";
import { timestampSchema } from "../rules/identifiers.ts";
import { chosenCpuCountSchema, chosenMemoryMBSchema } from "../rules/sandbox-size.ts";
import { storableTextPattern } from "../rules/text.ts";
import { idleTimeoutSchema } from "./sandboxes.ts";
import { egressAllowlistSchema, objectNameSchema } from "./secret-stores.ts";

/** Zero and the empty string mean that the project does not choose: the platform's default applies. */
const projectDefaultsShape = {
  template: z
    .string()
    .max(limits.objectNameCharactersMax)
    .regex(storableTextPattern, "must be well-formed Unicode without NUL")
    .nullish(),
  cpuCount: chosenCpuCountSchema.nullish(),
  memoryMB: chosenMemoryMBSchema.nullish(),
  timeoutSec: idleTimeoutSchema.nullish(),
  egressAllowlist: egressAllowlistSchema.nullish(),
};

/** Body of `POST /projects`. The name is unique in its org. */
export const createProjectRequestSchema = z.object({
  name: objectNameSchema,
  ...projectDefaultsShape,
});

/**
 * Body of `PUT /projects/:id`. Absent, null, zero and the empty string keep a
 * field; an empty allowlist clears it.
 */
export const updateProjectRequestSchema = z.object({
  name: z.union([z.literal(""), objectNameSchema]).nullish(),
  ...projectDefaultsShape,
});

export const projectSchema = z.object({
  id: z.uuid(),
  orgId: z.uuid(),
  name: z.string(),
  template: z.string(),
  cpuCount: z.int().min(0),
  memoryMB: z.int().min(0),
  timeoutSec: z.int().min(0),
  egressAllowlist: z.array(z.string()),
  createdAt: timestampSchema,
  updatedAt: timestampSchema,
});
export type ProjectRecord = z.infer<typeof projectSchema>;

/** Query of `GET /projects/:id/secrets`: names only, or the entries that secrets of a store have. */
export const projectSecretsQuerySchema = z.object({
  details: z.enum(["true", "false", ""]).optional(),
});

/** Response of `GET /projects/:id/secrets` without details. */
export const projectSecretNamesSchema = z.array(z.string());
