import { z } from "zod";
import { limits } from "../limits.ts";
import { sessionIdSchema } from "./command-sessions.ts";

const sideSchema = z.int().min(1).max(limits.terminalSizeMax);

/** Size of a terminal in characters: `cols` and `rows` from 1 to 1000. Body of `POST …/pty/:sessionID/resize`. */
export const terminalSizeSchema = z.object({ cols: sideSchema, rows: sideSchema });
export type TerminalSize = z.infer<typeof terminalSizeSchema>;

/**
 * Body of `POST /sandboxes/:id/pty`. `shell` is a path in the sandbox, or a
 * name that is looked up in its `PATH`; absent or empty, `/bin/bash`.
 */
export const openTerminalRequestSchema = terminalSizeSchema.extend({
  shell: z
    .string()
    .max(limits.pathBytesMax)
    .refine((shell) => !shell.includes("\0"), "must not contain NUL")
    .nullish(),
});
export type OpenTerminalRequest = z.infer<typeof openTerminalRequestSchema>;

/** Response 201 of the same. */
export const openedTerminalSchema = z.object({
  sessionID: sessionIdSchema,
  sandboxID: z.string(),
});
export type OpenedTerminal = z.infer<typeof openedTerminalSchema>;

/**
 * A shell in a pseudo-terminal. `exitCode` is present once the shell has
 * ended: 128 + n after signal n.
 */
export const terminalSchema = z.object({
  sessionID: sessionIdSchema,
  sandboxID: z.string(),
  shell: z.string(),
  cols: z.int(),
  rows: z.int(),
  running: z.boolean(),
  exitCode: z.int().optional(),
  startedAt: z.iso.datetime(),
  attachedClients: z.int().min(0),
});
export type Terminal = z.infer<typeof terminalSchema>;
export const terminalListSchema = z.array(terminalSchema);

/** Response 200 of `POST …/pty/:sessionID/resize`. */
export const resizedTerminalSchema = z.object({});

/**
 * How the server closes a terminal's WebSocket: at the shell's end, whose exit
 * code is in the reason; when the terminal was lost; when the client took no
 * output for `limits.terminalStallSecondsMax` (1013, "try again later").
 */
export const terminalCloses = {
  ended: { code: 1000, reasonPrefix: "exit code " },
  lost: { code: 1011, reason: "the terminal was lost: attach again" },
  stalled: { code: 1013, reason: "no output was taken for too long: attach again" },
} as const;

/** The exit code in the reason that a terminal's WebSocket was closed with; undefined in any other. */
export function exitCodeOfClose(code: number, reason: string): number | undefined {
  const { ended } = terminalCloses;
  if (code !== ended.code || !reason.startsWith(ended.reasonPrefix)) return undefined;
  const text = reason.slice(ended.reasonPrefix.length);
  return /^-?\d{1,10}$/.test(text) ? Number(text) : undefined;
}
