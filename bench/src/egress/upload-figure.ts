import { once } from "node:events";
import { request } from "node:https";
import { createAuthority, readMemory, resetPeakMemory, startInternet } from "@opencomputer/harness";
import { egressPorts } from "@opencomputer/protocol/wire";
import type { Figure } from "../figure.ts";
import { startProxy } from "./setup/bench-processes.ts";
import { proxyAddress } from "./setup/measured-path.ts";
import { measuredHost, sessions } from "./setup/sessions.ts";

const mebibyte = 1024 ** 2;
const uploadBytes = 1024 * mebibyte;
const warmUpBytes = 8 * mebibyte;
const growthBytesMax = 32 * mebibyte;
const session = sessions.withOneSecret();

/** Growth of the proxy's memory during an upload of 1 GiB that may contain a token anywhere. */
export async function measureUpload(): Promise<Figure> {
  let received = 0;
  const internet = await startInternet({
    hosts: [measuredHost],
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
    await upload(guestAuthority.certificatePem, warmUpBytes);
    received = 0;
    await resetPeakMemory(proxy.pid);
    const before = await readMemory(proxy.pid);
    const startedAt = performance.now();
    await upload(guestAuthority.certificatePem, uploadBytes);
    const seconds = (performance.now() - startedAt) / 1000;
    if (received !== uploadBytes) throw new Error(`Sent ${uploadBytes} bytes, ${received} arrived`);
    const growth = (await readMemory(proxy.pid)).peak - before.now;
    return {
      name: "1 GiB upload through the proxy: growth of its memory",
      measured: `${(growth / mebibyte).toFixed(1)} MiB over ${(before.now / mebibyte).toFixed(0)} MiB`,
      floor: "—",
      result: `${(growth / mebibyte).toFixed(1)} MiB, ${(uploadBytes / mebibyte / seconds).toFixed(0)} MiB/s`,
      mustReach: `≤ ${growthBytesMax / mebibyte} MiB`,
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
    servername: measuredHost,
    localAddress: session.sourceAddress,
    method: "PUT",
    path: "/upload",
    ca,
    headers: { host: measuredHost, "content-length": bytes },
  });
  for (let sent = 0; sent < bytes; sent += chunk.length) {
    if (!outgoing.write(chunk)) await once(outgoing, "drain");
  }
  outgoing.end();
  const [response] = await once(outgoing, "response");
  response.resume();
  await once(response, "end");
  if (response.statusCode !== 200) throw new Error(`The upload returned ${response.statusCode}`);
}
