import { setFlagsFromString } from "node:v8";
import {
  cloudServiceRanges,
  exitCodes,
  limits,
  readSettings,
  SettingsError,
} from "@opencomputer/protocol";
import { destination as openDestination, pino, stdTimeFunctions } from "pino";
import { openAuditStream } from "./audit/audit-stream.ts";
import { followAuditTrailState } from "./audit/audit-trail-state.ts";
import { type AuditWriter, createAuditWriter } from "./audit/audit-writer.ts";
import { describeError } from "./describe-error.ts";
import { createBodyBudgets } from "./exchange/body-budgets.ts";
import { systemClock } from "./exchange/clock.ts";
import { defaultExchangeOptions } from "./exchange/exchange-options.ts";
import { createServeConnection } from "./exchange/serve-connection.ts";
import { egressProxySettings } from "./settings.ts";
import { type EgressProxy, startEgressProxy } from "./start-egress-proxy.ts";
import { createReadNameservers } from "./upstream/nameservers.ts";
import { createAddressJudge } from "./upstream/public-address.ts";
import { createUpstreamContext } from "./upstream/trusted-roots.ts";

// Most of what a request allocates is garbage at once. A young generation that
// does not grow keeps the process small however much passes it.
setFlagsFromString("--semi-space-growth-factor=1");

// Standard output is written synchronously: what is said before a crash is seen.
// Pino flushes after a fatal line, and tries for ever when nobody reads the output any more.
const output = Object.assign(openDestination({ fd: 1, sync: true }), {
  flushSync: () => undefined,
});
const log = pino({ name: "egress-proxy", timestamp: stdTimeFunctions.isoTime }, output);
let audit: AuditWriter | undefined;
let proxy: EgressProxy | undefined;
let stopping = false;

/** Ends the process; whoever supervises it starts it again. */
function crash(error: unknown, message: string, exitCode: number = exitCodes.failed): never {
  audit?.flush();
  log.fatal({ error: describeError(error) }, message);
  process.exit(exitCode);
}

async function stop(reason: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info({ reason }, "the egress proxy stops");
  await proxy?.stop();
  audit?.flush();
  process.exit(0);
}

process.on("uncaughtException", (error) => crash(error, "the egress proxy failed"));
process.on("unhandledRejection", (error) => crash(error, "the egress proxy failed"));
process.on("SIGTERM", () => void stop("SIGTERM"));
process.on("SIGINT", () => void stop("SIGINT"));
process.on("disconnect", () => void stop("the process that started it is gone"));
// Without a listener this signal opens Node's debugger, and with it the memory that holds the secrets.
process.on("SIGUSR1", () => log.warn("the debugger of the egress proxy stays closed"));

try {
  const settings = readSettings(egressProxySettings, process.env);
  const auditDescriptor = settings.OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR;
  audit = createAuditWriter({
    send: openAuditStream(auditDescriptor),
    log,
    now: Date.now,
  });
  const isAuditTrailWritable = followAuditTrailState(auditDescriptor, log);
  proxy = await startEgressProxy({
    egressHosts: settings.OPENCOMPUTER_EGRESS_HOSTS,
    judgeAddress: createAddressJudge([...cloudServiceRanges, ...settings.OPENCOMPUTER_EGRESS_DENY]),
    upstreamContext: createUpstreamContext(settings.OPENCOMPUTER_EGRESS_CA_FILE),
    readNameservers: createReadNameservers({
      path: settings.OPENCOMPUTER_EGRESS_RESOLV_CONF,
      now: Date.now,
    }),
    address: settings.OPENCOMPUTER_EGRESS_ADDRESS,
    socketPath: settings.OPENCOMPUTER_EGRESS_PROXY_SOCKET,
    createServe: (deps) =>
      createServeConnection({
        ...deps,
        isAuditTrailWritable,
        bodyBudgets: createBodyBudgets({
          bytesPerSandboxMax: limits.measuredBodyBytesPerSandboxMax,
        }),
        clock: systemClock,
        options: defaultExchangeOptions,
      }),
    writeAudit: audit.write,
    log,
  });
} catch (error) {
  // Nothing secret has reached the process yet, so its words may be repeated.
  const reason = error instanceof Error ? error.message : String(error);
  const exitCode = error instanceof SettingsError ? exitCodes.configuration : exitCodes.failed;
  crash(error, `The egress proxy cannot start: ${reason}`, exitCode);
}
