import { randomUUID } from "node:crypto";
import {
  createAddressJudge,
  openLogOutput,
  readSecretSettings,
  setV8Flags,
} from "@opencomputer/process";
import {
  cloudServiceRanges,
  egressPortsOf,
  exitCodes,
  readSettings,
  SettingsError,
} from "@opencomputer/protocol/wire";
import { pino, stdTimeFunctions } from "pino";
import { openAuditStream } from "./audit/audit-stream.ts";
import { followAuditTrailState } from "./audit/audit-trail-state.ts";
import { type AuditWriter, createAuditWriter } from "./audit/audit-writer.ts";
import { EgressLogBuffer } from "./egress-log/egress-log-buffer.ts";
import { describeError } from "./logging/describe-error.ts";
import { egressProxySettings } from "./settings.ts";
import { type EgressProxy, startEgressProxy } from "./start-egress-proxy.ts";
import { createUpstreamProxyUse } from "./upstream/choose-route.ts";
import { Nameservers } from "./upstream/nameservers.ts";
import { createUpstreamContext } from "./upstream/trusted-roots.ts";

setV8Flags("egress-proxy");

const log = pino({ name: "egress-proxy", timestamp: stdTimeFunctions.isoTime }, openLogOutput());
let audit: AuditWriter | undefined;
let proxy: EgressProxy | undefined;
let stopping = false;

/** Ends the process; its supervisor starts it again. */
function crash(error: unknown, message: string, exitCode: number = exitCodes.failed): never {
  audit?.flush();
  log.fatal({ error: describeError(error) }, message);
  process.exit(exitCode);
}

async function stop(reason: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info({ reason }, "the egress proxy is stopping");
  await proxy?.stop();
  audit?.flush();
  process.exit(0);
}

process.on("uncaughtException", (error) => crash(error, "the egress proxy failed"));
process.on("unhandledRejection", (error) => crash(error, "the egress proxy failed"));
process.on("SIGTERM", () => void stop("SIGTERM"));
process.on("SIGINT", () => void stop("SIGINT"));
process.on("disconnect", () => void stop("the process that started it has ended"));
// Without a listener this signal opens Node's debugger, and with it the memory that holds the secrets.
process.on("SIGUSR1", () => log.warn("the debugger of the egress proxy stays closed"));

try {
  const settings = readSettings(egressProxySettings, readSecretSettings(process.env));
  log.level = settings.OPENCOMPUTER_LOG_LEVEL;
  const auditDescriptor = settings.OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR;
  const egressLog = new EgressLogBuffer({ instanceId: randomUUID() });
  audit = createAuditWriter({
    send: openAuditStream(auditDescriptor),
    log,
    now: Date.now,
    keepLine: egressLog.keep,
  });
  proxy = await startEgressProxy({
    egressHosts: settings.OPENCOMPUTER_EGRESS_HOSTS,
    judgeAddress: createAddressJudge([...cloudServiceRanges, ...settings.OPENCOMPUTER_EGRESS_DENY]),
    upstreamContext: createUpstreamContext(settings.OPENCOMPUTER_EGRESS_CA_FILE),
    upstreamProxy: createUpstreamProxyUse(
      settings.OPENCOMPUTER_EGRESS_UPSTREAM_PROXY,
      settings.OPENCOMPUTER_EGRESS_NO_PROXY,
    ),
    nameservers: new Nameservers({
      path: settings.OPENCOMPUTER_EGRESS_RESOLV_CONF ?? "/etc/resolv.conf",
      now: Date.now,
    }),
    address: settings.OPENCOMPUTER_EGRESS_ADDRESS,
    ports: egressPortsOf(settings.OPENCOMPUTER_EGRESS_PROXY_INDEX),
    streamDescriptor: settings.OPENCOMPUTER_EGRESS_STREAM_DESCRIPTOR,
    refusalDescriptor: settings.OPENCOMPUTER_EGRESS_REFUSAL_DESCRIPTOR,
    socketPath: settings.OPENCOMPUTER_EGRESS_PROXY_SOCKET,
    isAuditTrailWritable: followAuditTrailState(auditDescriptor, log),
    audit,
    egressLog,
    log,
  });
} catch (error) {
  // No secret has reached the process yet, so the message may be repeated.
  const reason = error instanceof Error ? error.message : String(error);
  const exitCode = error instanceof SettingsError ? exitCodes.configuration : exitCodes.failed;
  crash(error, `The egress proxy cannot start: ${reason}`, exitCode);
}
