import { z } from "zod";
import { limits } from "../api/limits.ts";
import { cpuCountSchema } from "../api/rules/sandbox-size.ts";
import { commandProgressSchema, sessionIdSchema } from "../api/shapes/command-sessions.ts";
import { commandResultSchema } from "../api/shapes/commands.ts";
import { guestLimitsOutcomeSchema, guestLimitsSchema } from "./scaling.ts";

/** The addresses that every guest sees, the same in each. */
export const guestNetwork = {
  guestAddress: "169.254.0.2",
  gatewayAddress: "169.254.0.1",
  prefixLength: 30,
  guestMacAddress: "02:6f:63:00:00:02",
} as const;

/** Where the guest keeps its trust anchors, and the user its commands run as. */
export const guestLayout = {
  trustBundle: "/etc/ssl/certs/ca-certificates.crt",
  installationAuthority: "/usr/local/share/ca-certificates/opencomputer.crt",
  /** Makes the guest trust the authority at `installationAuthority`. */
  trustProgram: "/usr/local/sbin/opencomputer-trust",
  user: "sandbox",
  userId: 1000,
  home: "/home/sandbox",
  /** Directories outside of the home that are the user's, for code. */
  workspace: "/workspace",
  application: "/app",
  /** A text that differs between machines that started from the same memory. */
  generation: "/run/opencomputer/generation",
  /** Programs that run in each machine that starts from memory that others may start from. */
  hooks: "/etc/opencomputer/on-fork.d",
  /** What Node.js loads first, by `NODE_OPTIONS`. */
  renewNode: "/usr/local/lib/opencomputer/renew-node.cjs",
} as const;

/**
 * The variables that make every common runtime trust the installation's CA. The agent gives them
 * to commands, and the image to each program that is started without them.
 * `bundle` is the whole system bundle, `authority` the installation's CA alone,
 * because Node adds the latter to its built-in roots.
 */
export function trustEnvironment(paths: {
  bundle: string;
  authority: string;
}): Record<string, string> {
  return {
    SSL_CERT_FILE: paths.bundle,
    REQUESTS_CA_BUNDLE: paths.bundle,
    CURL_CA_BUNDLE: paths.bundle,
    GIT_SSL_CAINFO: paths.bundle,
    AWS_CA_BUNDLE: paths.bundle,
    PIP_CERT: paths.bundle,
    HTTPLIB2_CA_CERTS: paths.bundle,
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: paths.bundle,
    CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE: paths.bundle,
    NODE_EXTRA_CA_CERTS: paths.authority,
  };
}

/**
 * Body of `POST /v1/configure`, the first call after each restore. It sets what
 * differs between machines: clock, entropy, host name, machine id, the
 * environment of every command, and the number of CPUs that are online. A guest
 * that has the machine id already keeps the names that its user has set.
 *
 * `closeConnections` ends every TCP connection with another host, except the one
 * of this call: after a restore their other ends no longer exist, and a program
 * that waits on one gets ECONNABORTED at once. Connections within the machine
 * stay open.
 *
 * `generation` differs between machines that start from the same memory; absent, the guest keeps
 * what it has, since no other machine continues from its memory. Programs of the guest find it
 * in `guestLayout.generation`.
 *
 * The commands of `restartSessions` are killed first, and started again when all else is done;
 * when one of these sessions does not exist, nothing is done: `session_not_found`.
 *
 * `thaw` resumes, after all else, the processes that `POST /v1/freeze` stopped.
 * That call responds with 204 when all processes are stopped except the agent
 * and those that it starts later.
 */
export const configureGuestRequestSchema = z.object({
  timeUnixMilliseconds: z.int(),
  entropyBase64: z.base64(),
  hostname: z.string().regex(/^[a-z0-9-]{1,63}$/),
  machineId: z.string().regex(/^[0-9a-f]{32}$/),
  environment: z.record(z.string(), z.string()),
  cpuCount: cpuCountSchema,
  generation: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  restartSessions: z.array(sessionIdSchema).max(limits.restartedSessionsMax).optional(),
  /** Absent: those that it has stay. */
  limits: guestLimitsSchema.optional(),
  closeConnections: z.boolean(),
  thaw: z.boolean(),
});
export type ConfigureGuestRequest = z.infer<typeof configureGuestRequestSchema>;

/** Response of `POST /v1/configure`: what the guest has after it. */
export const configuredGuestSchema = z.object({
  cpuCount: z.int().min(1),
  memoryMB: z.int().min(1),
  /** The outcome of `limits`; absent when there were none, or the agent is older. */
  limits: guestLimitsOutcomeSchema.optional(),
  /** Whether `POST /v1/hooks` has something to run; absent from an older agent, which has no such call. */
  hasHooks: z.boolean().optional(),
});

/**
 * Body of `POST /v1/hooks`, which runs the user's programs in `guestLayout.hooks`, with these
 * variables, and responds when they have ended or their time-out has.
 */
export const runHooksRequestSchema = z.object({ environment: z.record(z.string(), z.string()) });
export type RunHooksRequest = z.infer<typeof runHooksRequestSchema>;

/** Response of `POST /v1/hooks`: what failed, empty when nothing did. */
export const hooksOutcomeSchema = z.object({ failure: z.string() });

/**
 * Body of `POST /v1/exec/run`. `command` is an argv; a shell script arrives
 * as `["/bin/bash", "-c", script]`. `asRoot` is for the worker's own set-up.
 */
export const agentRunRequestSchema = z.object({
  command: z.array(z.string()).min(1),
  environment: z.record(z.string(), z.string()),
  workingDirectory: z.string().nullable(),
  timeoutMilliseconds: z.int().min(1),
  outputBytesMax: z.int().min(1),
  asRoot: z.boolean(),
});
export type AgentRunRequest = z.infer<typeof agentRunRequestSchema>;

/** Output of a command, of which each byte is at most one character, and the notice of its time-out. */
const outputSchema = z.string().max(limits.commandOutputBytesMax + 64);
const outputsSchema = z.object({ stdout: outputSchema, stderr: outputSchema });

export const agentRunResponseSchema = commandResultSchema.extend(outputsSchema.shape);

/**
 * Body of `POST /v1/sessions`. With `shell`, `command` is one script.
 * `timeoutMilliseconds` and `maxRunAfterDisconnectMilliseconds` 0 mean no limit;
 * `outputBytesMax` 0 keeps no more output than can be replayed.
 *
 * With `id` the session gets this id. One that has it already is returned,
 * and nothing is started, unless its `fingerprint` is another:
 * `idempotency_key_reused`.
 */
export const agentSessionRequestSchema = z.object({
  command: z.array(z.string()).min(1),
  shell: z.boolean(),
  environment: z.record(z.string(), z.string()),
  workingDirectory: z.string().nullable(),
  input: z.boolean(),
  timeoutMilliseconds: z.int().min(0),
  maxRunAfterDisconnectMilliseconds: z.int().min(0),
  outputBytesMax: z.int().min(0),
  id: sessionIdSchema.optional(),
  fingerprint: z.string().max(64).optional(),
});
export type AgentSessionRequest = z.infer<typeof agentSessionRequestSchema>;

/** A session as the agent reports it: `command` may lack its last arguments. */
export const agentSessionSchema = z.object({
  id: sessionIdSchema,
  command: z.array(z.string()).min(1),
  shell: z.boolean(),
  running: z.boolean(),
  exitCode: z.int().optional(),
  startedAtUnixMilliseconds: z.int().min(0).max(8_640_000_000_000_000),
  attachedClients: z.int().min(0),
});
export type AgentSession = z.infer<typeof agentSessionSchema>;
export const agentSessionResultSchema = commandProgressSchema.extend(outputsSchema.shape);

const agentTerminalSizeSchema = z.object({ columns: z.int(), rows: z.int() });
export type AgentTerminalSize = z.infer<typeof agentTerminalSizeSchema>;

/** Body of `POST /v1/terminals`. `shell` "" is the default; the size is within its limits. */
export const agentTerminalRequestSchema = agentTerminalSizeSchema.extend({
  shell: z.string(),
  workingDirectory: z.string().nullable(),
});
export type AgentTerminalRequest = z.infer<typeof agentTerminalRequestSchema>;

/**
 * A terminal as the agent describes it. Its output comes as that of a session
 * does, all as `stdout`.
 */
export const agentTerminalSchema = agentTerminalSizeSchema.extend({
  id: sessionIdSchema,
  shell: z.string(),
  running: z.boolean(),
  exitCode: z.int().optional(),
  startedAtUnixMilliseconds: z.int().min(0).max(8_640_000_000_000_000),
  attachedClients: z.int().min(0),
});
export type AgentTerminal = z.infer<typeof agentTerminalSchema>;

export const agentHealthSchema = z.object({ version: z.string() });

/**
 * What `Upgrade` names in `GET /v1/tunnel?port=N` to the agent and in
 * `GET /v1/sandboxes/:id/tunnel?port=N` to the worker. After the 101 the
 * connection is one to that TCP port of the guest's loopback, in both
 * directions. Each other response is an error body, such as `port_not_listening`.
 */
export const tunnelProtocol = "opencomputer-tunnel";
