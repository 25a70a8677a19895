import { createAuthority, issueCertificate } from "@opencomputer/harness";
import { type EgressSession, egressPorts } from "@opencomputer/protocol/wire";
import {
  type BenchProxy,
  type OriginName,
  type Peer,
  type RelayName,
  startPeer,
  startProxy,
} from "./bench-processes.ts";
import { measuredHost } from "./sessions.ts";

const proxyAddress = "127.77.0.1";

/** Address that a client connects to, and the session that it uses. */
export interface Target {
  host: string;
  port: number;
  localAddress: string;
  servername: string;
  ca: string;
}

/** An origin and two paths to it: the proxy, and a relay that only terminates and opens TLS. */
export interface MeasuredPath {
  readonly proxy: BenchProxy;
  readonly relay: Peer;
  throughProxy(session: EgressSession): Target;
  throughRelay(session: EgressSession): Target;
  stop(): Promise<void>;
}

/** Starts the processes, and creates the sessions in the proxy. Paths at the same time have different addresses. */
export async function startMeasuredPath({
  origin: name,
  relay: relayName = "relay",
  originSettings = {},
  address = proxyAddress,
  sessions,
}: {
  origin: OriginName;
  relay?: RelayName;
  address?: string;
  originSettings?: Record<string, string>;
  sessions: EgressSession[];
}): Promise<MeasuredPath> {
  const originAuthority = await createAuthority("bench origin");
  const guestAuthority = await createAuthority("bench installation");
  const originKeys = await issueCertificate(originAuthority, [measuredHost]);
  const keyPair = { key: originKeys.privateKeyPem, cert: originKeys.certificatePem };
  const origin = await startPeer(name, { ...keyPair, ...originSettings });
  const relay = await startPeer(relayName, {
    ...keyPair,
    originPort: origin.port,
    originName: measuredHost,
    ca: originAuthority.certificatePem,
  });
  const proxy = await startProxy({
    address,
    egressHosts: `${measuredHost}=127.0.0.1:${origin.port}`,
    originAuthority,
    guestAuthority,
  });
  for (const session of sessions) await proxy.putSession(session);
  return {
    proxy,
    relay,
    throughProxy: ({ sourceAddress }) => ({
      host: address,
      port: egressPorts.tls,
      localAddress: sourceAddress,
      servername: measuredHost,
      ca: guestAuthority.certificatePem,
    }),
    throughRelay: ({ sourceAddress }) => ({
      host: "127.0.0.1",
      port: relay.port,
      localAddress: sourceAddress,
      servername: measuredHost,
      ca: originAuthority.certificatePem,
    }),
    async stop() {
      await proxy.stop();
      relay.stop();
      origin.stop();
    },
  };
}
