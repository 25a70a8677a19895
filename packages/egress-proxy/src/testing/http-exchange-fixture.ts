import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import type { Duplex } from "node:stream";
import { type AuditLine, auditLineSchema, serviceLimits } from "@opencomputer/protocol/wire";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { serveConnection } from "../exchange/serve-connection.ts";
import { createBodyBudgets } from "../exchange/state/body-budgets.ts";
import type { Clock } from "../exchange/state/clock.ts";
import {
  createExchangeDependencies,
  type ExchangeOptions,
} from "../exchange/state/exchange-dependencies.ts";
import type { Admission } from "../listeners/admission.ts";
import { type Dial, DialError, type Scheme, schemePorts } from "../upstream/destination.ts";
import type { Protocol } from "../upstream/upstream-protocols.ts";
import { admitted } from "./admissions.ts";
import { testSandboxId } from "./sessions.ts";

export interface ExchangeFixtureOptions {
  /** An HTTP server's listener; `raw` instead is called with each connection. */
  readonly upstream?: http.RequestListener;
  readonly raw?: (socket: net.Socket, connectionCount: number) => void;
  readonly dial?: Dial;
  readonly scheme?: Scheme;
  readonly serverName?: string;
  readonly admission?: Admission;
  /** The version of HTTP that the guest speaks. */
  readonly protocol?: Protocol;
  /** The port that the guest connects to; that of the scheme when absent. */
  readonly guestPort?: number;
  readonly policy?: SessionPolicy | undefined;
  readonly options?: Partial<ExchangeOptions>;
  readonly budgetBytes?: number;
  readonly clock?: Clock;
}

export interface ExchangeFixture {
  /** Port on loopback where a guest may connect. */
  readonly port: number;
  readonly audits: AuditLine[];
  /** The policy for requests that have not begun; undefined for no session. */
  policy: SessionPolicy | undefined;
  /** Whether requests that have not begun may be audited; they may at first. */
  setAuditTrailWritable(isWritable: boolean): void;
  /** Hosts that were dialled. */
  readonly dialled: string[];
  connect(): net.Socket;
  /** Sends bytes unchanged and returns all that arrives until the proxy closes. */
  send(bytes: string | Buffer): Promise<string>;
  /** Resolves when this many audit lines have been written. */
  audited(count: number): Promise<AuditLine[]>;
  close(): Promise<void>;
}

/**
 * The data path between a guest on loopback and an upstream on loopback, all
 * without TLS: the scheme and the server name are set by the fixture.
 */
export async function startExchange(given: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const sockets = new Set<Duplex>();
  const track = (socket: Duplex) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  let connectionCount = 0;
  const upstream = given.raw === undefined ? http.createServer(given.upstream) : net.createServer();
  upstream.on("connection", (socket: net.Socket) => {
    track(socket);
    socket.on("error", () => socket.destroy());
    connectionCount += 1;
    given.raw?.(socket, connectionCount);
  });
  const upstreamPort = await listen(upstream);
  const audits: AuditLine[] = [];
  const waiting: { count: number; resolve(lines: AuditLine[]): void }[] = [];
  const dialled: string[] = [];
  const scheme = given.scheme ?? "https";
  const state = { policy: given.policy, isAuditTrailWritable: true };
  const exchange = createExchangeDependencies({
    isAuditTrailWritable: () => state.isAuditTrailWritable,
    findPolicy: () => state.policy,
    writeAudit(line) {
      audits.push(auditLineSchema.parse(line));
      for (const { count, resolve } of waiting) if (audits.length >= count) resolve(audits);
    },
    bodyBudgets: createBodyBudgets({
      bytesPerSandboxMax: given.budgetBytes ?? serviceLimits.measuredBodyBytesPerSandboxMax,
    }),
    ...(given.clock === undefined ? {} : { clock: given.clock }),
    options: { lingerSeconds: 1, timeoutCheckSeconds: 0.02, ...given.options },
    dial: (destination, signal, protocols) => {
      dialled.push(destination.host);
      return (given.dial ?? dialLoopback(upstreamPort))(destination, signal, protocols);
    },
  });
  const listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    track(socket);
    void serveConnection(exchange, {
      socket,
      scheme,
      port: given.guestPort ?? schemePorts[scheme],
      sourceAddress: "198.18.4.6",
      sandboxId: state.policy?.sandboxId ?? testSandboxId,
      serverName: scheme === "https" ? (given.serverName ?? "api.example.com") : null,
      admission: given.admission ?? admitted,
      protocol: given.protocol ?? "http/1.1",
    });
  });
  const port = await listen(listener);

  const connect = () => {
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    track(socket);
    return socket;
  };
  return {
    port,
    audits,
    dialled,
    get policy() {
      return state.policy;
    },
    set policy(policy) {
      state.policy = policy;
    },
    setAuditTrailWritable(isWritable) {
      state.isAuditTrailWritable = isWritable;
    },
    connect,
    async send(bytes) {
      const socket = connect();
      socket.write(bytes);
      return await readToEnd(socket);
    },
    audited: (count) =>
      new Promise((resolve) => {
        if (audits.length >= count) resolve(audits);
        else waiting.push({ count, resolve });
      }),
    async close() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      upstream.close();
      await Promise.all([once(listener, "close"), once(upstream, "close")]);
    },
  };
}

/** Returns everything that a socket receives until its end or a reset, as latin1, and then ends the socket. */
export async function readToEnd(socket: net.Socket): Promise<string> {
  const parts: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => parts.push(bytes));
  socket.once("end", () => socket.end());
  socket.on("error", () => socket.destroy());
  if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(parts).toString("latin1");
}

/** Reads until the text so far satisfies `isEnough`, and returns it. */
export async function readUntil(
  socket: net.Socket,
  isEnough: (text: string) => boolean,
): Promise<string> {
  let text = "";
  for await (const bytes of on(socket)) {
    text += bytes.toString("latin1");
    if (isEnough(text)) return text;
  }
  throw new Error(`The connection ended after ${JSON.stringify(text)}`);
}

async function* on(socket: net.Socket): AsyncGenerator<Buffer> {
  const queue: Buffer[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  const onData = (bytes: Buffer) => {
    queue.push(bytes);
    wake?.();
  };
  const onEnd = () => {
    ended = true;
    wake?.();
  };
  socket.on("data", onData);
  socket.once("end", onEnd);
  socket.once("close", onEnd);
  try {
    for (;;) {
      const bytes = queue.shift();
      if (bytes !== undefined) yield bytes;
      else if (ended) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    socket.off("data", onData);
    socket.off("end", onEnd);
    socket.off("close", onEnd);
  }
}

function dialLoopback(port: number): Dial {
  return (_destination, signal) =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: "127.0.0.1", noDelay: true, signal });
      const onError = (cause: Error) =>
        reject(new DialError("connection_failed", "the upstream does not exist", { cause }));
      socket.once("error", onError);
      socket.once("connect", () => {
        socket.off("error", onError);
        resolve(socket);
      });
    });
}

async function listen(server: net.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  return address.port;
}
