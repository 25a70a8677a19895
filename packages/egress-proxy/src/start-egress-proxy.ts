import { randomUUID } from "node:crypto";
import type { SecureContext } from "node:tls";
import { type EgressHost, egressPorts, limits } from "@opencomputer/protocol";
import type { Logger } from "pino";
import { createSparseAudit } from "./audit/sparse-audit.ts";
import { createLeafKey } from "./certificates/leaf-certificate.ts";
import { createLeafContexts } from "./certificates/leaf-contexts.ts";
import type { Dial, FindPolicy, ServeConnection, WriteAudit } from "./contract.ts";
import { createControlApi } from "./control-api/control-api.ts";
import { listenOnSocket } from "./control-api/listen-on-socket.ts";
import { createAdmitGuest } from "./listeners/admit-guest.ts";
import { createConnectionTable } from "./listeners/connection-table.ts";
import { createHttpListener } from "./listeners/http-listener.ts";
import { close, listen, untilAddressExists } from "./listeners/listen.ts";
import { createTlsListener } from "./listeners/tls-listener.ts";
import { BlockScanner } from "./redaction/block-scanner.ts";
import { createForwardQuestion } from "./resolver/forward-question.ts";
import { createAnswerMessage } from "./resolver/question-service.ts";
import { createTcpListener } from "./resolver/tcp-listener.ts";
import { createUdpListener } from "./resolver/udp-listener.ts";
import { createSessionVersions } from "./sessions/session-versions.ts";
import { createSessions } from "./sessions/sessions.ts";
import { createConnect } from "./upstream/connect.ts";
import { createDial } from "./upstream/dial.ts";
import type { ReadNameservers } from "./upstream/nameservers.ts";
import { createOperatorHosts } from "./upstream/operator-hosts.ts";
import { createIsOwnAddress } from "./upstream/own-addresses.ts";
import type { JudgeAddress } from "./upstream/public-address.ts";
import { createResolveHost } from "./upstream/resolve-host.ts";
import { createSessionCache } from "./upstream/session-cache.ts";

/** Makes the data path, given what surrounds it. */
export type CreateServe = (deps: {
  dial: Dial;
  findPolicy: FindPolicy;
  writeAudit: WriteAudit;
}) => ServeConnection;

export interface EgressProxy {
  /** Ends every connection and stops listening, giving requests in progress a moment. */
  stop(): Promise<void>;
}

const nameserverPort = 53;
const addressTimeoutMilliseconds = 30_000;
const drainMilliseconds = 2_000;

/**
 * Wires the proxy together and starts it. The control API listens last, so
 * that whoever reaches it finds the guests' ports served.
 */
export async function startEgressProxy(options: {
  egressHosts: readonly EgressHost[];
  judgeAddress: JudgeAddress;
  upstreamContext: SecureContext;
  readNameservers: ReadNameservers;
  address: string;
  socketPath: string;
  createServe: CreateServe;
  writeAudit: WriteAudit;
  log: Logger;
}): Promise<EgressProxy> {
  const { log, writeAudit, address, readNameservers, judgeAddress } = options;
  const now = Date.now;

  const connections = createConnectionTable({
    perAddressMax: limits.egressConnectionsPerSandboxMax,
  });
  const dnsConnections = createConnectionTable({
    perAddressMax: limits.dnsConnectionsPerSandboxMax,
  });
  const sessions = createSessions({
    scanner: new BlockScanner(),
    onAddressReleased(sourceAddress) {
      connections.destroyAllOf(sourceAddress);
      dnsConnections.destroyAllOf(sourceAddress);
    },
    onAddressTaken: (change) =>
      log.warn(change, "a source address passed to another sandbox; the former session ended"),
  });
  const { findPolicy } = sessions;
  const auditRefusal = createSparseAudit({ writeAudit, findPolicy, now });
  const contexts = createLeafContexts({
    leafKey: await createLeafKey(),
    contextsMax: limits.leafCertificatesMax,
    now: () => new Date(now()),
  });

  const dial = createDial({
    egressHosts: options.egressHosts,
    resolveHost: createResolveHost({
      readNameservers,
      timeoutMilliseconds: limits.dnsTimeoutSeconds * 1000,
    }),
    judgeAddress,
    isOwnAddress: createIsOwnAddress({ now }),
    connect: createConnect({
      secureContext: options.upstreamContext,
      sessions: createSessionCache(),
    }),
    timeoutMilliseconds: limits.egressConnectTimeoutSeconds * 1000,
    now,
  });
  const serveConnection = options.createServe({ dial, findPolicy, writeAudit });

  const admission = { findPolicy, auditRefusal };
  const tls = createTlsListener({
    admitGuest: createAdmitGuest({ kind: "https", connections, ...admission }),
    contexts,
    serveConnection,
    findPolicy,
    auditRefusal,
    log,
  });
  const http = createHttpListener({
    admitGuest: createAdmitGuest({ kind: "http", connections, ...admission }),
    serveConnection,
    log,
  });

  const operatorHosts = createOperatorHosts(options.egressHosts);
  const answerMessage = createAnswerMessage({
    forwardQuestion: createForwardQuestion({ readNameservers, nameserverPort }),
    isOperatorHost: (host) => operatorHosts.has(host),
    judgeAddress,
    auditRefusal,
    log,
  });
  const dnsOverTcp = createTcpListener({
    admitGuest: createAdmitGuest({ kind: "dns", connections: dnsConnections, ...admission }),
    answerMessage,
    findPolicy,
    log,
  });
  const dnsOverUdp = createUdpListener({ answerMessage, findPolicy, auditRefusal, log });

  await untilAddressExists(() => listen(tls, { host: address, port: egressPorts.tls }), {
    timeoutMilliseconds: addressTimeoutMilliseconds,
  });
  await listen(http, { host: address, port: egressPorts.http });
  await listen(dnsOverTcp, { host: address, port: egressPorts.dns });
  await dnsOverUdp.listen({ host: address, port: egressPorts.dns });
  const controlApi = createControlApi({
    instanceId: randomUUID(),
    sessions,
    sessionVersions: createSessionVersions(),
    contexts,
    log,
  });
  await listenOnSocket(controlApi, options.socketPath);
  log.info({ address, ports: egressPorts }, "the egress proxy serves guests");

  return {
    async stop() {
      dnsOverUdp.close();
      const closed = [tls, http, dnsOverTcp].map(close);
      const drained = setTimeout(() => {
        connections.destroyAll();
        dnsConnections.destroyAll();
      }, drainMilliseconds);
      await Promise.all([...closed, controlApi.close()]);
      clearTimeout(drained);
    },
  };
}
