import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Authority } from "@opencomputer/harness";
import { type EgressSession, nodeOptions, programFiles } from "@opencomputer/protocol/wire";
import { Client } from "undici";
import { listeningSchema } from "../peers/message.ts";

const pollMilliseconds = 50;
const auditDescriptor = 3;

/** Server programs of the bench; each is a file in `peers`. */
export type OriginName = "origin" | "http2-origin" | "body-origin" | "event-origin";
export type RelayName = "relay" | "http2-relay";

/** A process of the bench that listens on a port. */
export interface Peer {
  readonly pid: number;
  readonly port: number;
  stop(): void;
}

/** Starts a server program of the bench, by its name. */
export function startPeer(
  name: OriginName | RelayName,
  settings: Record<string, string | number>,
): Promise<Peer> {
  return forkPeer(new URL(`../peers/${name}.js`, import.meta.url), settings);
}

/** Starts a process, sends its settings and waits for its port. */
export async function forkPeer(
  program: URL,
  settings: Record<string, string | number>,
): Promise<Peer> {
  const child = fork(fileURLToPath(program));
  child.send(settings);
  const [message] = await once(child, "message");
  const { port } = listeningSchema.parse(message);
  return { pid: child.pid ?? 0, port, stop: () => void child.kill() };
}

/** The real egress proxy on a loopback address. */
export interface BenchProxy {
  readonly pid: number;
  putSession(session: EgressSession): Promise<void>;
  stop(): Promise<void>;
}

export async function startProxy({
  address,
  egressHosts,
  originAuthority,
  guestAuthority,
}: {
  address: string;
  egressHosts: string;
  originAuthority: Authority;
  guestAuthority: Authority;
}): Promise<BenchProxy> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-bench-"));
  const socketPath = join(directory, "proxy.sock");
  const caFile = join(directory, "ca.pem");
  await writeFile(caFile, originAuthority.certificatePem);
  const child = fork(
    fileURLToPath(new URL(`../../../../${programFiles["egress-proxy"].compiled}`, import.meta.url)),
    {
      env: {
        PATH: process.env["PATH"],
        OPENCOMPUTER_EGRESS_HOSTS: egressHosts,
        OPENCOMPUTER_EGRESS_CA_FILE: caFile,
        OPENCOMPUTER_EGRESS_PROXY_SOCKET: socketPath,
        OPENCOMPUTER_EGRESS_ADDRESS: address,
        OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: String(auditDescriptor),
      },
      // As the supervisor starts it.
      execArgv: [...nodeOptions["egress-proxy"].commandLine],
      stdio: ["ignore", "ignore", "inherit", "pipe", "ipc"],
    },
  );
  const auditStream = child.stdio[auditDescriptor];
  if (!(auditStream instanceof Readable)) throw new TypeError("The proxy has no audit stream");
  auditStream.resume();
  const client = new Client("http://egress-proxy", { socketPath });
  await untilServing(child, client);
  const put = async (path: string, body: unknown) => {
    const response = await client.request({
      method: "PUT",
      path,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300)
      throw new Error(`PUT ${path} returned ${response.statusCode}: ${text}`);
  };
  await put("/v1/certificate-authority", {
    certificatePem: guestAuthority.certificatePem,
    privateKeyPem: guestAuthority.privateKeyPem,
  });
  return {
    pid: child.pid ?? 0,
    putSession: (session) => put(`/v1/sessions/${session.sandboxId}`, session),
    async stop() {
      await client.destroy();
      child.kill();
      await once(child, "exit");
      await rm(directory, { recursive: true });
    },
  };
}

async function untilServing(child: ChildProcess, client: Client): Promise<void> {
  for (;;) {
    if (child.exitCode !== null)
      throw new Error(`The proxy ended with exit code ${child.exitCode}`);
    try {
      const { body, statusCode } = await client.request({ method: "GET", path: "/v1/status" });
      await body.dump();
      if (statusCode === 200) return;
    } catch (error) {
      // It is not listening yet.
      if (!(error instanceof Error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
}
