import { z } from "zod";
import { limits } from "../limits.ts";
import { commandResultSchema, runCommandRequestSchema } from "./commands.ts";

/** Id of a session or of a command that runs in the background; they are of one kind. */
export const sessionIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, _ and -");

/**
 * Body of `POST /sandboxes/:id/exec`. `timeout` is in seconds from the start;
 * absent or 0 means no limit. `maxRunAfterDisconnect` is in seconds from when
 * the last attached client disconnected; absent or 0 means no limit.
 */
export const startSessionRequestSchema = runCommandRequestSchema.extend({
  maxRunAfterDisconnect: z.number().min(0).max(limits.commandTimeoutSecondsMax).nullish(),
});
export type StartSessionRequest = z.infer<typeof startSessionRequestSchema>;

/**
 * A command that clients attach to and detach from. `command` is the script
 * when it was started without arguments, and `args` is then empty. `exitCode`
 * is present once it has ended: -1 after a time-out, 128 + n after signal n.
 */
export const commandSessionSchema = z.object({
  sessionID: sessionIdSchema,
  sandboxID: z.string(),
  command: z.string(),
  args: z.array(z.string()),
  running: z.boolean(),
  exitCode: z.int().optional(),
  startedAt: z.iso.datetime(),
  attachedClients: z.int().min(0),
});
export type CommandSession = z.infer<typeof commandSessionSchema>;
export const commandSessionListSchema = z.array(commandSessionSchema);

/** Body of `POST /sandboxes/:id/exec/:sessionID/kill`. `signal` is 9 by default. */
export const killSessionRequestSchema = z.object({
  signal: z.int().min(1).max(64).nullish(),
});
export const killedSessionSchema = z.object({});

/** Response 200 of `POST /sandboxes/:id/exec/run-async`: the command ended at once. */
export const endedCommandSchema = commandResultSchema.extend({ running: z.literal(false) });
/** Response 202 of the same: the command is still running; `execId` identifies its result. */
export const runningCommandSchema = z.object({
  execId: sessionIdSchema,
  running: z.literal(true),
  startedAt: z.iso.datetime(),
});
/** Either response of `run-async`. */
export const asyncCommandSchema = z.discriminatedUnion("running", [
  endedCommandSchema,
  runningCommandSchema,
]);
export type AsyncCommand = z.infer<typeof asyncCommandSchema>;

/**
 * Response of `GET /sandboxes/:id/exec/:execId/result`: the output so far. Once
 * `running` is false, `exitCode` is present, or `error` states why it is not.
 * `truncated` is present and true when there was more output than is kept.
 */
export const commandProgressSchema = z.object({
  running: z.boolean(),
  exitCode: z.int().optional(),
  stdout: z.string(),
  stderr: z.string(),
  truncated: z.boolean().optional(),
  error: z.string().optional(),
});
export type CommandProgress = z.infer<typeof commandProgressSchema>;

/** How long `run-async` waits for the end of the command, and `result` at most. */
export const asyncCommandWaits = { startMilliseconds: 400, resultMilliseconds: 500 } as const;

/**
 * The first byte of each WebSocket message of a session. An empty message
 * only keeps the connection alive.
 *
 * From the client: `stdin` and bytes for the command; without bytes, the
 * command's input ends. To the client: the output that is replayed, `replayEnd`
 * alone, then output as it is produced; last `exit` and the exit code as a
 * big-endian int32.
 */
export const sessionFrames = {
  stdin: 0x00,
  stdout: 0x01,
  stderr: 0x02,
  exit: 0x03,
  replayEnd: 0x04,
} as const;

/** How the server closes a session's WebSocket: after `exit`, and when it was lost before. */
export const sessionCloses = {
  completed: { code: 1000, reason: "exec completed" },
  lost: { code: 1011 },
} as const;
