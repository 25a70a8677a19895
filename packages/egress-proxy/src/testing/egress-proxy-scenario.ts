import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { type EgressSession, egressPorts } from "@opencomputer/protocol/wire";
import { createTestAuthority, type TestAuthority } from "./certificates.ts";
import { type Curl, createCurl } from "./curl.ts";
import { type EgressProxyProcess, startEgressProxyProcess } from "./egress-proxy-process.ts";
import { startNameserver, type TestNameserver } from "./nameserver.ts";
import { testSecret, testSession } from "./sessions.ts";
import { startUpstreamServer, type UpstreamServer } from "./upstream-server.ts";

/** Loopback addresses by process, so that concurrent runs do not interfere. */
const subnet = `127.${100 + (process.pid % 100)}.${Math.floor(process.pid / 100) % 250}`;
export const addresses = {
  proxy: `${subnet}.1`,
  nameserver: `${subnet}.53`,
  guest: `${subnet}.7`,
  neighbour: `${subnet}.8`,
  s3Server: `${subnet}.80`,
  /** No session has this one. */
  stranger: `${subnet}.9`,
} as const;

/** A secret for one host, and one for every host that the sandbox may reach. */
export const key = testSecret("a", { name: "API_KEY", allowedHosts: ["api.example.com"] });
export const anywhere = testSecret("b", { name: "ANYWHERE" });

/** The real proxy between curl as a sandbox and an internet on loopback. */
export interface EgressProxyScenario {
  readonly environment: Record<string, string> & {
    OPENCOMPUTER_EGRESS_PROXY_SOCKET: string;
    OPENCOMPUTER_EGRESS_CA_FILE: string;
  };
  readonly upstream: UpstreamServer;
  /** The authority that the proxy trusts for upstreams. */
  readonly internet: TestAuthority;
  /** The file of the authority that guests trust. */
  readonly authorityFile: string;
  readonly nameserver: TestNameserver;
  /** The proxy that was started last. */
  readonly proxy: EgressProxyProcess;
  readonly curlHttps: Curl;
  readonly curlHttp: Curl;
  /** What every proxy of this scenario printed. */
  output(): string;
  /** Maps a name's port 443 to a port on loopback, for proxies that are started later. */
  mapHost(name: string, port: number): void;
  startProxy(): Promise<void>;
  giveAuthority(): Promise<void>;
  /** A later version of a session each time. By default: the guest may reach `*.example.com` and has both secrets. */
  giveSession(changes?: Partial<EgressSession>): Promise<void>;
  /** Ends the session of a sandbox, of whichever version it is. */
  endSession(sandboxId: string): Promise<void>;
  /** Opens TLS to the proxy as the guest. */
  openTls(serverName: string, protocols?: readonly string[]): TLSSocket;
  openTcp(port: number): Socket;
  stop(): Promise<void>;
}

/**
 * Starts everything but the proxy. Five names below `example.com` are mapped
 * to the upstream by the operator's table, and one to its server of HTTP/2 alone; the nameserver gives names that
 * begin with `private` a private address, and all others a public one.
 */
export async function startEgressProxyScenario(): Promise<EgressProxyScenario> {
  const directory = mkdtempSync(join(tmpdir(), "egress-proxy-"));
  const fileWith = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const installation = await createTestAuthority({ name: "Installation CA" });
  const internet = await createTestAuthority({ name: "Internet CA" });
  const stranger = await createTestAuthority({ name: "Unknown CA" });
  const upstream = await startUpstreamServer({
    authority: internet,
    certificates: new Map([
      ["unknown-ca.example.com", await stranger.issue({ hosts: ["unknown-ca.example.com"] })],
      ["wrong-name.example.com", await internet.issue({ hosts: ["other.example.org"] })],
    ]),
  });
  const nameserver = await startNameserver(
    (query) => {
      const { name = "", type } = query.questions?.[0] ?? {};
      const data = name.startsWith("private") ? "10.1.2.3" : "93.184.216.34";
      return type === "A" ? { answers: [{ type, class: "IN", name, ttl: 5, data }] } : {};
    },
    { host: addresses.nameserver, port: 53 },
  );
  const environment = {
    OPENCOMPUTER_EGRESS_PROXY_SOCKET: join(directory, "control.sock"),
    OPENCOMPUTER_EGRESS_ADDRESS: addresses.proxy,
    OPENCOMPUTER_EGRESS_CA_FILE: fileWith("roots.pem", internet.certificatePem),
    OPENCOMPUTER_EGRESS_RESOLV_CONF: fileWith(
      "resolv.conf",
      `nameserver ${addresses.nameserver}\n`,
    ),
    OPENCOMPUTER_EGRESS_HOSTS: ["api", "other", "third", "unknown-ca", "wrong-name"]
      .flatMap((name) => [
        `${name}.example.com:443=127.0.0.1:${upstream.tlsPort}`,
        `${name}.example.com:80=127.0.0.1:${upstream.httpPort}`,
      ])
      .concat(`h2.example.com:443=127.0.0.1:${upstream.http2Port}`)
      .join(","),
  };
  const authorityFile = fileWith("installation.pem", installation.certificatePem);
  const curlTo = (port: number): Curl =>
    createCurl({
      proxyAddress: addresses.proxy,
      proxyPort: port,
      guestAddress: addresses.guest,
      authorityFile,
    });

  let version = 0;
  const started: EgressProxyProcess[] = [];
  const running = (): EgressProxyProcess => {
    const proxy = started.at(-1);
    if (proxy === undefined) throw new Error("The scenario has started no proxy");
    return proxy;
  };
  const request = async (method: "PUT" | "DELETE", path: string, body?: unknown): Promise<void> => {
    const response = await running().control(method, path, body);
    if (response.status !== 204) {
      throw new Error(`${method} ${path}: ${response.status} ${response.body}`);
    }
  };
  const put = (path: string, body: unknown) => request("PUT", path, body);
  const openTcp = (port: number): Socket =>
    connectTcp({ host: addresses.proxy, port, localAddress: addresses.guest });

  return {
    environment,
    upstream,
    internet,
    authorityFile,
    nameserver,
    get proxy() {
      return running();
    },
    curlHttps: curlTo(egressPorts.tls),
    curlHttp: curlTo(egressPorts.http),
    output: () => started.map((proxy) => proxy.output()).join("\n"),
    mapHost(name, port) {
      environment.OPENCOMPUTER_EGRESS_HOSTS += `,${name}:443=127.0.0.1:${port}`;
    },
    async startProxy() {
      started.push(await startEgressProxyProcess(environment));
    },
    giveAuthority() {
      const { certificatePem, privateKeyPem } = installation;
      return put("/v1/certificate-authority", { certificatePem, privateKeyPem });
    },
    giveSession(changes = {}) {
      version += 1;
      const session = testSession({
        version,
        sourceAddress: addresses.guest,
        egressAllowlist: ["*.example.com"],
        secrets: [key, anywhere],
        ...changes,
      });
      return put(`/v1/sessions/${session.sandboxId}`, session);
    },
    async endSession(sandboxId) {
      await request("DELETE", `/v1/sessions/${sandboxId}?version=${version}`);
    },
    openTcp,
    openTls: (serverName, protocols = []) =>
      connectTls({
        ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
        socket: openTcp(egressPorts.tls),
        servername: serverName,
        ca: installation.certificatePem,
      }),
    async stop() {
      await started.at(-1)?.end("SIGKILL");
      await Promise.all([upstream.close(), nameserver.close()]);
      rmSync(directory, { recursive: true });
    },
  };
}

/** Resolves when a socket has closed, in whatever way. */
export function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.resume().once("close", () => resolve()));
}
