import { once } from "node:events";
import { createServer } from "node:net";
import { SettingsError } from "@opencomputer/protocol/wire";
import type { ServeSettings } from "./serve-settings.ts";

/** Where the API listens, as a URL. */
export function apiOrigin(settings: ServeSettings): string {
  const host = settings.OPENCOMPUTER_HOST.includes(":")
    ? `[${settings.OPENCOMPUTER_HOST}]`
    : settings.OPENCOMPUTER_HOST;
  return `http://${host}:${settings.OPENCOMPUTER_PORT}`;
}

/** The address of metrics. */
const loopbackAddress = "127.0.0.1";

/**
 * Checks that the API and, where they are wanted, the metrics can be listened
 * for, before anything is started for them.
 *
 * @throws when a port is in use or the address is not this machine's.
 */
export async function assertPortsAreFree(settings: ServeSettings): Promise<void> {
  const { OPENCOMPUTER_PORT: port, OPENCOMPUTER_METRICS_PORT: metricsPort } = settings;
  if (metricsPort === port) {
    throw new SettingsError(
      `The service cannot start: OPENCOMPUTER_PORT and OPENCOMPUTER_METRICS_PORT are both ${port}. Choose two ports.`,
    );
  }
  await assertPortIsFree(settings.OPENCOMPUTER_HOST, port);
  if (metricsPort === undefined) return;
  await assertPortIsFree(loopbackAddress, metricsPort, "OPENCOMPUTER_METRICS_PORT");
}

/** @throws when the port is in use or the address is not this machine's. */
export async function assertPortIsFree(
  host: string,
  port: number,
  setting: "OPENCOMPUTER_PORT" | "OPENCOMPUTER_METRICS_PORT" = "OPENCOMPUTER_PORT",
): Promise<void> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    const reason =
      error.code === "EADDRINUSE"
        ? `port ${port} of ${host} is in use: stop the program that listens there, or set ${setting} to another port`
        : `it cannot listen on port ${port} of ${host} (${error.message}): check OPENCOMPUTER_HOST and ${setting}`;
    throw new Error(`The API cannot start: ${reason}.`, { cause: error });
  }
  server.close();
  await once(server, "close");
}
