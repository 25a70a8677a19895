import { createConnection, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { hasCode } from "../process/process-identity.ts";

/** Longest message from QEMU. A longer one closes the connection. */
export const qmpMessageBytesMax = 1024 * 1024;

const messageSchema = z.union([
  z.object({ QMP: z.unknown() }).transform(() => ({ kind: "greeting" as const })),
  z
    .object({ event: z.string(), data: z.unknown().optional() })
    .transform(({ event, data }) => ({ kind: "event" as const, event, data })),
  z
    .object({ return: z.unknown(), id: z.int() })
    .transform((message) => ({ kind: "result" as const, id: message.id, value: message.return })),
  z
    .object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.int().optional() })
    .transform(({ error, id }) => ({ kind: "failure" as const, id, description: error.desc })),
]);
export type QmpMessage = z.infer<typeof messageSchema>;

/** QEMU refused a command, or the connection to it ended. */
export class QmpError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "QmpError";
  }
}

/** QEMU refused a command, and did nothing. */
export class QmpRefusal extends QmpError {}

/** A connection to one QEMU's monitor: QEMU Machine Protocol, JSON lines on a Unix socket. */
export interface QmpClient {
  /**
   * Runs a command and parses what it returns.
   *
   * @throws {QmpError} when QEMU refuses, does not respond in 30 seconds, or ends.
   */
  execute<Schema extends z.ZodType>(
    command: string,
    commandArguments: Record<string, unknown>,
    schema: Schema,
  ): Promise<z.infer<Schema>>;
  /** Calls back when the connection to QEMU has ended. At once when it has already. */
  onClose(callback: () => void): void;
  /** Calls back for each event of that name, with its data. The returned function ends it. */
  onEvent(name: string, callback: (data: unknown) => void): () => void;
  /** Ends the connection; QEMU keeps running. `onClose` is not called. */
  disconnect(): void;
}

/** Splits bytes into lines and parses each. The rest of a line waits for more bytes. */
export function createQmpParser(): (bytes: Buffer) => QmpMessage[] {
  let pending = "";
  return (bytes) => {
    // Only the new bytes are searched, so that a message in small pieces costs no more.
    const [first = "", ...others] = bytes.toString("latin1").split("\n");
    const lines = [pending + first, ...others];
    pending = lines.pop() ?? "";
    if (pending.length > qmpMessageBytesMax || lines.some((l) => l.length > qmpMessageBytesMax)) {
      throw new QmpError(`QEMU sent a message longer than ${qmpMessageBytesMax} bytes`);
    }
    return lines.filter((line) => line.trim() !== "").map(parseMessage);
  };
}

function parseMessage(line: string): QmpMessage {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(line, "latin1").toString("utf8"));
  } catch (error) {
    throw new QmpError("QEMU sent a line that is not JSON", { cause: error });
  }
  const parsed = messageSchema.safeParse(value);
  if (!parsed.success) {
    throw new QmpError("QEMU sent a message of an unknown form", { cause: parsed.error });
  }
  return parsed.data;
}

const commandTimeoutMilliseconds = 30_000;

/**
 * Connects to the monitor of a QEMU that may still be starting.
 *
 * @throws {QmpError} when there is no response within `timeoutSeconds`, or
 * `isStarting` returns false, which means that there will be none.
 */
export async function connectQmp(
  socketPath: string,
  options: { timeoutSeconds: number; isStarting?: () => boolean },
): Promise<QmpClient> {
  const deadline = performance.now() + options.timeoutSeconds * 1000;
  for (;;) {
    let client: QmpClient | undefined;
    try {
      client = createQmpClient(await openSocket(socketPath));
      await client.execute("qmp_capabilities", {}, z.unknown());
      return client;
    } catch (error) {
      client?.disconnect();
      const notYet = hasCode(error, "ENOENT") || hasCode(error, "ECONNREFUSED");
      if (!notYet || performance.now() > deadline || options.isStarting?.() === false) {
        throw new QmpError(`QEMU does not respond on ${socketPath}`, { cause: error });
      }
      await delay(4);
    }
  }
}

function openSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Speaks QMP on an open socket, and owns the socket from then on. */
function createQmpClient(socket: Socket): QmpClient {
  const waiting = new Map<
    number,
    { command: string; resolve(value: unknown): void; reject(error: QmpError): void }
  >();
  /** Commands that timed out; their later results are ignored. */
  const late = new Set<number>();
  const closeCallbacks: (() => void)[] = [];
  const eventCallbacks = new Set<{ name: string; callback: (data: unknown) => void }>();
  const parse = createQmpParser();
  let lastId = 0;
  let ended: QmpError | undefined;
  let disconnected = false;

  function end(error: QmpError): void {
    if (ended !== undefined) return;
    ended = error;
    socket.destroy();
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    if (!disconnected) for (const callback of closeCallbacks) callback();
  }

  function take(message: QmpMessage): void {
    if (message.kind === "greeting") return;
    if (message.kind === "event") {
      for (const { name, callback } of eventCallbacks)
        if (name === message.event) callback(message.data);
      return;
    }
    if (message.id !== undefined && late.delete(message.id)) return;
    const waiter = message.id === undefined ? undefined : waiting.get(message.id);
    if (waiter === undefined || message.id === undefined) {
      throw new QmpError("QEMU responded to a command that was not sent");
    }
    waiting.delete(message.id);
    if (message.kind === "result") waiter.resolve(message.value);
    else waiter.reject(new QmpRefusal(`QEMU refused ${waiter.command}: ${message.description}`));
  }

  socket.on("data", (bytes) => {
    try {
      for (const message of parse(bytes)) take(message);
    } catch (error) {
      end(
        error instanceof QmpError ? error : new QmpError("QMP could not be read", { cause: error }),
      );
    }
  });
  socket.on("error", (error) =>
    end(new QmpError("The connection to QEMU broke", { cause: error })),
  );
  socket.on("close", () => end(new QmpError("QEMU has ended")));

  return {
    async execute(command, commandArguments, schema) {
      if (ended !== undefined) throw ended;
      lastId += 1;
      const id = lastId;
      const value = await new Promise<unknown>((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(id);
          late.add(id);
          reject(new QmpError(`QEMU did not respond to ${command} in 30 seconds`));
        }, commandTimeoutMilliseconds);
        waiting.set(id, {
          command,
          resolve: (result) => {
            clearTimeout(timer);
            resolve(result);
          },
          reject: (error) => {
            clearTimeout(timer);
            reject(error);
          },
        });
        socket.write(`${JSON.stringify({ execute: command, arguments: commandArguments, id })}\n`);
      });
      const parsed = schema.safeParse(value);
      if (parsed.success) return parsed.data;
      throw new QmpError(`QEMU responded to ${command} in an unknown form`, {
        cause: parsed.error,
      });
    },
    onClose(callback) {
      if (ended === undefined) closeCallbacks.push(callback);
      else if (!disconnected) callback();
    },
    onEvent(name, callback) {
      const entry = { name, callback };
      eventCallbacks.add(entry);
      return () => void eventCallbacks.delete(entry);
    },
    disconnect() {
      disconnected = true;
      end(new QmpError("The connection to QEMU was closed"));
    },
  };
}
