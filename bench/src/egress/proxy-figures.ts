import { once } from "node:events";
import { request } from "node:https";
import {
  createAuthority,
  issueCertificate,
  readMemory,
  resetPeakMemory,
  startInternet,
} from "@opencomputer/harness";
import { type EgressSession, egressPorts, sealedTokenFrom } from "@opencomputer/protocol";
import { describeSamples, type Figure } from "../figure.ts";
import { median, pairedRatios } from "../statistics.ts";
import { startPeer, startProxy } from "./bench-processes.ts";
import { measureLoad } from "./load.ts";

const host = "api.example.test";
const proxyAddress = "127.77.0.1";
const guestAddress = "127.77.0.2";
const token = sealedTokenFrom(new Uint8Array(16).fill(0xab));
const session: EgressSession = {
  sandboxId: "sb-aaaaaaaaaaaaaaaaaaaa",
  sourceAddress: guestAddress,
  mode: "allowlisted",
  egressAllowlist: [host],
  secrets: [{ name: "API_KEY", token, value: "sk-bench-0123456789abcdef", allowedHosts: [host] }],
};
const head = [
  "GET /v1/messages HTTP/1.1",
  `Host: ${host}`,
  "User-Agent: bench",
  "Accept: */*",
  `X-Api-Key: ${token}`,
  "",
  "",
].join("\r\n");

const rounds = 20;
const connections = 32;
const requestsRatioMin = 0.55;
const uploadBytes = 1024 ** 3;
const growthBytesMax = 32 * 1024 ** 2;

/** Requests a second through the proxy against the bare relay, turn by turn in the same run. */
export async function measureRequests(onRound: (text: string) => void): Promise<Figure> {
  const originAuthority = await createAuthority("bench origin");
  const guestAuthority = await createAuthority("bench installation");
  const originKeys = await issueCertificate(originAuthority, [host]);
  const keyPair = { key: originKeys.privateKeyPem, cert: originKeys.certificatePem };
  const origin = await startPeer("origin", keyPair);
  const relay = await startPeer("relay", {
    ...keyPair,
    originPort: origin.port,
    originName: host,
    ca: originAuthority.certificatePem,
  });
  const proxy = await startProxy({
    address: proxyAddress,
    egressHosts: `${host}=127.0.0.1:${origin.port}`,
    originAuthority,
    guestAuthority,
  });
  try {
    await proxy.putSession(session);
    const settings = { head, connections, warmUpMilliseconds: 300, milliseconds: 1000 };
    const target = { localAddress: guestAddress, servername: host };
    const throughProxy: number[] = [];
    const throughRelay: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      onRound(`round ${round} of ${rounds}`);
      throughRelay.push(
        await measureLoad({
          ...settings,
          target: {
            ...target,
            host: "127.0.0.1",
            port: relay.port,
            ca: originAuthority.certificatePem,
          },
        }),
      );
      throughProxy.push(
        await measureLoad({
          ...settings,
          target: {
            ...target,
            host: proxyAddress,
            port: egressPorts.tls,
            ca: guestAuthority.certificatePem,
          },
        }),
      );
    }
    // Each round against its neighbour: the machine may be faster or slower in the next one.
    const ratio = median(pairedRatios(throughProxy, throughRelay));
    return {
      name: `requests/s through the proxy, one substituted header, ${connections} connections`,
      measured: describeSamples(throughProxy, "/s"),
      floor: `${describeSamples(throughRelay, "/s")} (bare Node TLS relay)`,
      result: `${ratio.toFixed(2)} × the floor`,
      mustReach: `≥ ${requestsRatioMin} × the floor`,
      reached: ratio >= requestsRatioMin,
    };
  } finally {
    await proxy.stop();
    relay.stop();
    origin.stop();
  }
}

/** How much the proxy grows while 1 GiB passes it, with a secret that may be anywhere in it. */
export async function measureUpload(): Promise<Figure> {
  let received = 0;
  const internet = await startInternet({
    hosts: [host],
    streamed: true,
    handler: (incoming, response) => {
      incoming.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      incoming.once("end", () => response.end("ok"));
    },
  });
  const guestAuthority = await createAuthority("bench installation");
  const proxy = await startProxy({
    address: proxyAddress,
    egressHosts: internet.egressHosts,
    originAuthority: internet.authority,
    guestAuthority,
  });
  try {
    await proxy.putSession(session);
    await upload(guestAuthority.certificatePem, 8 * 1024 ** 2);
    received = 0;
    await resetPeakMemory(proxy.pid);
    const before = await readMemory(proxy.pid);
    const startedAt = performance.now();
    await upload(guestAuthority.certificatePem, uploadBytes);
    const seconds = (performance.now() - startedAt) / 1000;
    if (received !== uploadBytes)
      throw new Error(`Sent ${uploadBytes} octets, ${received} arrived`);
    const growth = (await readMemory(proxy.pid)).peak - before.now;
    return {
      name: "1 GiB upload through the proxy: growth of its memory",
      measured: `${(growth / 1024 ** 2).toFixed(1)} MiB over ${(before.now / 1024 ** 2).toFixed(0)} MiB`,
      floor: "—",
      result: `${(growth / 1024 ** 2).toFixed(1)} MiB, ${(uploadBytes / 1024 ** 2 / seconds).toFixed(0)} MiB/s`,
      mustReach: `≤ ${growthBytesMax / 1024 ** 2} MiB`,
      reached: growth <= growthBytesMax,
    };
  } finally {
    await proxy.stop();
    await internet.close();
  }
}

async function upload(ca: string, bytes: number): Promise<void> {
  const chunk = Buffer.alloc(256 * 1024, "a");
  const outgoing = request({
    host: proxyAddress,
    port: egressPorts.tls,
    servername: host,
    localAddress: guestAddress,
    method: "PUT",
    path: "/upload",
    ca,
    headers: { host, "content-length": bytes },
  });
  for (let sent = 0; sent < bytes; sent += chunk.length) {
    if (!outgoing.write(chunk)) await once(outgoing, "drain");
  }
  outgoing.end();
  const [response] = await once(outgoing, "response");
  response.resume();
  await once(response, "end");
  if (response.statusCode !== 200)
    throw new Error(`The upload was answered ${response.statusCode}`);
}
