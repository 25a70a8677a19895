import { z } from "zod";
import { limits } from "../limits.ts";
import { environmentSchema } from "../rules/environment.ts";
import { byteLength } from "../rules/text.ts";

const commandTextSchema = z
  .string()
  .refine((text) => byteLength(text) <= limits.commandBytesMax, {
    error: `must be at most ${limits.commandBytesMax} bytes`,
  })
  .refine((text) => !text.includes("\0"), { error: "must not contain NUL" });

export const guestPathSchema = z
  .string()
  .min(1, "must not be empty")
  .refine((path) => byteLength(path) <= limits.pathBytesMax, {
    error: `must be at most ${limits.pathBytesMax} bytes`,
  })
  .refine((path) => !path.includes("\0"), { error: "must not contain NUL" });

/**
 * Body of `POST /sandboxes/:id/exec/run`. Without `args`, `cmd` is a script
 * for the shell; with `args`, `cmd` is a program. `timeout` is in seconds,
 * 60 by default. An empty `cwd` counts as absent.
 */
export const runCommandRequestSchema = z.object({
  cmd: commandTextSchema.refine((text) => text.trim() !== "", { error: "must not be empty" }),
  args: z.array(commandTextSchema).max(limits.commandArgumentsMax).nullish(),
  envs: environmentSchema.nullish(),
  cwd: z.union([z.literal(""), guestPathSchema]).nullish(),
  timeout: z.number().min(0).max(limits.commandTimeoutSecondsMax).nullish(),
});
export type RunCommandRequest = z.infer<typeof runCommandRequestSchema>;

/**
 * A finished command. `exitCode` is -1 after a time-out, when `stderr` ends
 * with `\nProcess timed out`; 128 + n after signal n. `truncated` is present
 * and true when a stream was longer than the limit.
 */
export const commandResultSchema = z.object({
  exitCode: z.int(),
  stdout: z.string(),
  stderr: z.string(),
  truncated: z.boolean().optional(),
});
export type CommandResult = z.infer<typeof commandResultSchema>;

/** One entry of a directory listing. `size` is in bytes. */
export const directoryEntrySchema = z.object({
  name: z.string(),
  path: z.string(),
  isDir: z.boolean(),
  size: z.number().int().min(0),
});
export type DirectoryEntry = z.infer<typeof directoryEntrySchema>;
export const directoryListingSchema = z.array(directoryEntrySchema).max(limits.directoryEntriesMax);

export const filePathQuerySchema = z.object({ path: guestPathSchema });
