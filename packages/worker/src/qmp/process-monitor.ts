import { EventEmitter, once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { z } from "zod";
import { isAlive, type ProcessIdentity } from "../process/process-identity.ts";
import { connectQmp, type QmpClient, QmpError } from "./qmp-client.ts";

/**
 * The monitor of a QEMU process for as long as that process lives. A connection
 * that ends is replaced by another one.
 */
export interface ProcessMonitor extends QmpClient {
  /** Calls back after each connection but the first: events in between were missed. */
  onReconnect(callback: () => void): void;
}

const retryMillisecondsMin = 5;
const retryMillisecondsMax = 2_000;

/**
 * Keeps a connection to the monitor of a process. `onClose` callbacks are called
 * at the end of the process, not of a connection.
 *
 * @param options.connection The first connection; without one, it
 * is made in the background.
 */
export function monitorProcess(options: {
  process: ProcessIdentity;
  socketPath: string;
  connection: QmpClient | undefined;
  /** How long a command waits for a connection. */
  patienceMilliseconds?: number;
  log: { warn(details: object, message: string): void };
}): ProcessMonitor {
  const { process, socketPath, patienceMilliseconds = 10_000, log } = options;
  const closeCallbacks: (() => void)[] = [];
  const reconnectCallbacks: (() => void)[] = [];
  const events = new Set<{ name: string; callback: (data: unknown) => void }>();
  const connections = new EventEmitter<{ connected: [] }>().setMaxListeners(0);
  /** Aborted once there will be no further connection; the reason is a {@link QmpError}. */
  const over = new AbortController();
  let hasEnded = false;
  let current: QmpClient | undefined;

  function use(connection: QmpClient): void {
    current = connection;
    for (const { name, callback } of events) connection.onEvent(name, callback);
    connection.onClose(() => {
      current = undefined;
      void connectAgain();
    });
    connections.emit("connected");
  }

  function end(): void {
    hasEnded = true;
    over.abort(new QmpError("QEMU has ended"));
    for (const callback of closeCallbacks) callback();
  }

  async function connectAgain(): Promise<void> {
    let waitMilliseconds = retryMillisecondsMin;
    let isReported = false;
    while (!over.signal.aborted) {
      if (!(await isAlive(process))) return end();
      try {
        const connection = await connectQmp(socketPath, { timeoutSeconds: 0 });
        if (over.signal.aborted) return connection.disconnect();
        if (isReported) log.warn({ pid: process.pid }, "A machine's monitor responds again");
        use(connection);
        for (const callback of reconnectCallbacks) callback();
        return;
      } catch (error) {
        if (waitMilliseconds === retryMillisecondsMax && !isReported) {
          isReported = true;
          log.warn({ pid: process.pid, err: error }, "A machine's monitor does not respond");
        }
      }
      await delay(waitMilliseconds, undefined, { ref: false });
      waitMilliseconds = Math.min(waitMilliseconds * 2, retryMillisecondsMax);
    }
  }

  /** @throws {QmpError} at the end of the process, and when there is no connection in time. */
  async function connected(): Promise<QmpClient> {
    if (current !== undefined) return current;
    over.signal.throwIfAborted();
    const waiting = new AbortController();
    const stop = () => waiting.abort();
    const timer = setTimeout(stop, patienceMilliseconds);
    over.signal.addEventListener("abort", stop);
    try {
      while (current === undefined) await once(connections, "connected", waiting);
      return current;
    } catch (error) {
      over.signal.throwIfAborted();
      const seconds = patienceMilliseconds / 1000;
      throw new QmpError(`QEMU's monitor did not respond for ${seconds} seconds`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      over.signal.removeEventListener("abort", stop);
    }
  }

  if (options.connection === undefined) void connectAgain();
  else use(options.connection);

  return {
    async execute<Schema extends z.ZodType>(
      command: string,
      commandArguments: Record<string, unknown>,
      schema: Schema,
    ) {
      return (await connected()).execute(command, commandArguments, schema);
    },
    onClose(callback) {
      if (hasEnded) callback();
      else closeCallbacks.push(callback);
    },
    onReconnect: (callback) => void reconnectCallbacks.push(callback),
    onEvent(name, callback) {
      const entry = { name, callback };
      events.add(entry);
      const stop = current?.onEvent(name, callback);
      return () => {
        events.delete(entry);
        stop?.();
      };
    },
    disconnect() {
      over.abort(new QmpError("The connection to QEMU was closed"));
      current?.disconnect();
      current = undefined;
    },
  };
}
