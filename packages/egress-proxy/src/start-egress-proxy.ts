import type { SecureContext } from "node:tls";
import { createProcessMetrics, type JudgeAddress, OwnAddresses } from "@opencomputer/process";
import { type EgressHost, type EgressPorts, serviceLimits } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import type { AuditWriter, WriteAudit } from "./audit/audit-writer.ts";
import { type AuditRefusal, SparseAudit } from "./audit/sparse-audit.ts";
import { createLeafKey } from "./certificates/leaf-certificate.ts";
import { createLeafContexts } from "./certificates/leaf-contexts.ts";
import { createControlApi, sessionNotFound } from "./control-api/control-api.ts";
import { listenOnSocket } from "./control-api/listen-on-socket.ts";
import type { EgressLogBuffer } from "./egress-log/egress-log-buffer.ts";
import { serveConnection } from "./exchange/serve-connection.ts";
import { createBodyBudgets } from "./exchange/state/body-budgets.ts";
import { systemClock } from "./exchange/state/clock.ts";
import { createExchangeDependencies } from "./exchange/state/exchange-dependencies.ts";
import { describedPolicy } from "./explain/described-policy.ts";
import { explainRequest } from "./explain/explain-request.ts";
import { admitGuest } from "./listeners/admit-guest.ts";
import { createConnectionTable } from "./listeners/connection-table.ts";
import type { GuestConnection } from "./listeners/guest-connection.ts";
import { createGuestTlsByPort } from "./listeners/guest-tls-by-port.ts";
import { createHttpListener } from "./listeners/http-listener.ts";
import { close, listen, listenOnDescriptor, untilAddressExists } from "./listeners/listen.ts";
import { createTlsListener } from "./listeners/tls-listener.ts";
import { createEgressMetrics } from "./metrics/egress-metrics.ts";
import { BlockScanner } from "./redaction/block-scanner.ts";
import { forwardQuestion } from "./resolver/forward-question.ts";
import { GivenNames } from "./resolver/given-names.ts";
import { Resolver } from "./resolver/resolver.ts";
import { createTcpListener } from "./resolver/tcp-listener.ts";
import { createUdpListener } from "./resolver/udp-listener.ts";
import { createSessionVersions } from "./sessions/session-versions.ts";
import { createSessions } from "./sessions/sessions.ts";
import { auditRejection } from "./streams/audit-rejection.ts";
import { followRejections } from "./streams/follow-rejections.ts";
import { createStreamListener } from "./streams/stream-listener.ts";
import { FairTurns } from "./turns/fair-turns.ts";
import type { UpstreamProxyUse } from "./upstream/choose-route.ts";
import { connect, connectThroughProxy } from "./upstream/connect.ts";
import { type DialDependencies, dial } from "./upstream/dial.ts";
import type { Nameservers } from "./upstream/nameservers.ts";
import { createOperatorHosts } from "./upstream/operator-hosts.ts";
import { rememberAddresses } from "./upstream/remember-addresses.ts";
import { resolveHost } from "./upstream/resolve-host.ts";
import { createSessionCache } from "./upstream/session-cache.ts";
import { UpstreamProtocols } from "./upstream/upstream-protocols.ts";

/** The running proxy. */
export interface EgressProxy {
  /**
   * Stops listening, ends every connection after a moment for requests in progress, and lets
   * the control plane take what the egress log has.
   */
  stop(): Promise<void>;
}

const nameserverPort = 53;
const addressTimeoutMilliseconds = 30_000;
const drainMilliseconds = 2_000;
/** How long the control plane has to take the last lines of the egress log. */
const logDrainMilliseconds = 1_000;

/**
 * Wires the proxy together and starts it. The control API listens last: once
 * it responds, the ports of the guests are served.
 */
export async function startEgressProxy(options: {
  egressHosts: readonly EgressHost[];
  judgeAddress: JudgeAddress;
  upstreamContext: SecureContext;
  /** The operator's proxy, when the internet is reached through one. */
  upstreamProxy: UpstreamProxyUse | undefined;
  nameservers: Nameservers;
  /** Where guests' connections arrive. */
  address: string;
  ports: EgressPorts;
  /** File descriptor of the socket for guests' other ports; those ports are closed without it. */
  streamDescriptor: number | undefined;
  /** File descriptor from which is read what the packet filter rejected; that is not audited without it. */
  refusalDescriptor: number | undefined;
  socketPath: string;
  /** Whether the audit trail takes lines; while it does not, no request is sent. */
  isAuditTrailWritable: () => boolean;
  audit: AuditWriter;
  egressLog: EgressLogBuffer;
  log: Logger;
}): Promise<EgressProxy> {
  const { log, audit, egressLog, address, ports, judgeAddress } = options;
  const readNameservers = () => options.nameservers.read();
  const now = Date.now;
  const { monotonicMilliseconds } = systemClock;

  const connections = createConnectionTable({
    limits: {
      servedMax: serviceLimits.egressConnectionsPerSandboxMax,
      refusedMax: serviceLimits.egressRefusedConnectionsPerSandboxMax,
    },
    now: monotonicMilliseconds,
  });
  const dnsConnections = createConnectionTable({
    limits: { servedMax: serviceLimits.dnsConnectionsPerSandboxMax, refusedMax: 0 },
    now: monotonicMilliseconds,
  });
  const sessions = createSessions({
    scanner: new BlockScanner(),
    onAddressReleased(sourceAddress) {
      connections.destroyAllOf(sourceAddress);
      dnsConnections.destroyAllOf(sourceAddress);
    },
    onPolicyEnded: (policy) => exchange.idleUpstreams.closeAllOf(policy),
    onAddressTaken: (change) =>
      log.warn(change, "a source address passed to another sandbox; the former session ended"),
  });
  const { findPolicy } = sessions;
  const processMetrics = createProcessMetrics();
  const metrics = createEgressMetrics(processMetrics.registry, {
    connections: () => connections.count,
    dnsConnections: () => dnsConnections.count,
    sessions: () => sessions.count,
    isAuditTrailWritable: options.isAuditTrailWritable,
    egressLog: () => egressLog,
  });
  const writeAudit: WriteAudit = (line, detail) => {
    metrics.countLine(line);
    audit.write(line, detail);
  };
  // It leaves out lines, so refusals are counted before it, and here only what leaked in them.
  const sparseAudit = new SparseAudit({
    writeAudit(line, detail) {
      metrics.countSecrets(line);
      audit.write(line, detail);
    },
    ...{ findPolicy, now },
  });
  const auditRefusal: AuditRefusal = (refusal) => {
    metrics.countRefusal(refusal);
    sparseAudit.auditRefusal(refusal);
  };
  const contexts = createLeafContexts({
    leafKey: await createLeafKey(),
    contextsMax: serviceLimits.leafCertificatesMax,
    now: () => new Date(now()),
  });

  const protocols = new UpstreamProtocols();
  const operatorHosts = createOperatorHosts(options.egressHosts);
  const resolution = {
    readNameservers,
    timeoutMilliseconds: serviceLimits.dnsTimeoutSeconds * 1000,
  };
  const upstreams = { secureContext: options.upstreamContext, sessions: createSessionCache() };
  const ownAddresses = new OwnAddresses({ now });
  const dialling: DialDependencies = {
    operatorHosts,
    resolveHost: (host, signal) => resolveHost(resolution, host, signal),
    judgeAddress,
    isOwnAddress: (address) => ownAddresses.has(address),
    upstreamProxy: options.upstreamProxy,
    connect: (attempt) => connect(upstreams, attempt),
    connectThroughProxy: (attempt) => connectThroughProxy(upstreams, attempt),
    timeoutMilliseconds: serviceLimits.egressConnectTimeoutSeconds * 1000,
    now,
  };
  const turns = new FairTurns();
  const exchange = createExchangeDependencies({
    turns,
    dial: (destination, signal, protocols) => dial(dialling, destination, signal, protocols),
    protocols,
    findPolicy,
    writeAudit,
    countFailure: metrics.countFailure,
    isAuditTrailWritable: options.isAuditTrailWritable,
    bodyBudgets: createBodyBudgets({
      bytesPerSandboxMax: serviceLimits.measuredBodyBytesPerSandboxMax,
    }),
  });
  const serve = (connection: GuestConnection) => serveConnection(exchange, connection);

  const admission = { findPolicy, auditRefusal };
  const tlsFor = createGuestTlsByPort({
    contexts,
    serveConnection: serve,
    protocols,
    turns,
    auditRefusal,
    log,
  });
  const tls = createTlsListener({
    admitGuest: (socket) => admitGuest({ kind: "https", connections, ...admission }, socket),
    tlsFor,
    log,
  });
  const http = createHttpListener({
    admitGuest: (socket) => admitGuest({ kind: "http", connections, ...admission }, socket),
    serveConnection: serve,
    log,
  });

  const givenNames = new GivenNames();
  const streams = createStreamListener({
    admitGuest: (socket) => admitGuest({ kind: "tcp", connections, ...admission }, socket),
    tlsFor,
    givenNames,
    // A guest may connect to many addresses that it was not given.
    resolveHost: rememberAddresses(dialling.resolveHost),
    dial: (destination, signal) => dial(dialling, destination, signal, []),
    findPolicy,
    isAuditTrailWritable: options.isAuditTrailWritable,
    writeAudit,
    auditRefusal,
    now,
    log,
  });
  const resolver = new Resolver({
    givenNames,
    forwardQuestion: (question, signal) =>
      forwardQuestion({ readNameservers, nameserverPort }, question, signal),
    isOperatorHost: (host) => operatorHosts.has(host),
    judgeAddress,
    auditRefusal,
    log,
  });
  const dnsOverTcp = createTcpListener({
    admitGuest: (socket) =>
      admitGuest({ kind: "dns", connections: dnsConnections, ...admission }, socket),
    resolver,
    turns,
    findPolicy,
    log,
  });
  const dnsOverUdp = createUdpListener({ resolver, findPolicy, auditRefusal, log });

  await untilAddressExists(() => listen(tls, { host: address, port: ports.tls }), {
    timeoutMilliseconds: addressTimeoutMilliseconds,
  });
  await listen(http, { host: address, port: ports.http });
  if (options.streamDescriptor !== undefined) {
    await listenOnDescriptor(streams, options.streamDescriptor);
  }
  await listen(dnsOverTcp, { host: address, port: ports.dns });
  await dnsOverUdp.listen({ host: address, port: ports.dns });
  if (options.refusalDescriptor !== undefined) {
    followRejections(options.refusalDescriptor, {
      onRejected: (rejection) =>
        auditRejection({ findPolicy, givenNames, auditRefusal }, rejection),
      log,
    });
  }
  const controlApi = createControlApi({
    egressLog,
    explain(sandboxId, { request, session }, signal) {
      const policy = session === null ? sessions.get(sandboxId) : describedPolicy(session);
      if (policy === undefined) throw sessionNotFound(sandboxId);
      return explainRequest(dialling, policy, request, signal);
    },
    sessions,
    sessionVersions: createSessionVersions(),
    contexts,
    readMetrics: processMetrics.read,
    log,
  });
  await listenOnSocket(controlApi, options.socketPath);
  const upstreamProxy = options.upstreamProxy?.proxy;
  log.info(
    {
      address,
      ports,
      ...(upstreamProxy && { upstreamProxy: `${upstreamProxy.host}:${upstreamProxy.port}` }),
    },
    "the egress proxy serves guests",
  );

  return {
    async stop() {
      dnsOverUdp.close();
      const closed = [tls, http, streams, dnsOverTcp].map(close);
      const drained = setTimeout(() => {
        connections.destroyAll();
        dnsConnections.destroyAll();
      }, drainMilliseconds);
      await Promise.all(closed);
      clearTimeout(drained);
      audit.flush();
      await egressLog.drain(logDrainMilliseconds);
      await controlApi.close();
    },
  };
}
