import { once } from "node:events";
import type { Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { errorCode } from "../logging/describe-error.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Listens on a TCP address. Rejects with the address named when it cannot. */
export async function listen(server: Server, { host, port }: ListenAddress): Promise<void> {
  server.listen({ host, port, backlog: 1024 });
  await untilListening(server, `tcp ${host}:${port}`);
}

/** Listens on a socket that the process was started with. */
export async function listenOnDescriptor(server: Server, descriptor: number): Promise<void> {
  server.listen({ fd: descriptor });
  await untilListening(server, `file descriptor ${descriptor}`);
}

async function untilListening(server: Server, place: string): Promise<void> {
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new Error(`Cannot listen on ${place} (${errorCode(cause) ?? "no code"})`, { cause });
  }
}

const attemptDelayMilliseconds = 200;

/**
 * Tries again while the host does not have the address yet: another process
 * gives it to the host, at about the same time as this one starts.
 */
export async function untilAddressExists(
  attempt: () => Promise<void>,
  options: { timeoutMilliseconds: number },
): Promise<void> {
  const deadline = performance.now() + options.timeoutMilliseconds;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const absent = error instanceof Error && errorCode(error.cause) === "EADDRNOTAVAIL";
      if (!absent || performance.now() >= deadline) throw error;
    }
    await delay(attemptDelayMilliseconds);
  }
}

/** Stops accepting. Resolves once every connection has ended. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
