import { closeSync, openSync, writeSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { createMemoryFile } from "./memory-file.ts";
import { createStreamSplitter } from "./migration-stream.ts";

/** A Unix socket that takes one migration stream and makes two files of it. */
export interface StateReceiver {
  /** Resolves when all has come and is written; rejects when it has not, or cannot be. */
  readonly received: Promise<void>;
  /** Has `received` reject with the reason, unless all has come, or went wrong here before. */
  fail(reason: Error): void;
  /** Done already is no error. */
  close(): Promise<void>;
}

/** The directory of the socket is the worker's and the machine's alone. */
const anybodyConnects = 0o666;

/**
 * Listens for a stream, from whoever finds the socket: the pages of the
 * block go into the memory file, the rest into the state file. Both are made
 * here; what becomes of them when it fails is the caller's business.
 */
export async function receiveState(options: {
  socketPath: string;
  memoryPath: string;
  statePath: string;
  block: { name: string; bytes: number };
}): Promise<StateReceiver> {
  const { socketPath, block } = options;
  const memory = createMemoryFile(options.memoryPath, block.bytes);
  let state: number;
  try {
    state = openSync(options.statePath, "wx", 0o600);
  } catch (error) {
    memory.close();
    throw error;
  }
  const splitter = createStreamSplitter(block, {
    page: (offset, octets) => memory.put(offset, octets),
    rest: (octets) => writeWhole(state, octets),
  });
  const server = createServer();
  const sockets = new Set<Socket>();
  const failures: ((reason: Error) => void)[] = [];
  const received = new Promise<void>((resolve, reject) => {
    failures.push(reject);
    server.once("error", reject);
    server.once("connection", (socket) => {
      sockets.add(socket);
      server.close();
      const fail = (error: unknown) => {
        socket.destroy();
        reject(error);
      };
      socket.on("data", (octets: Buffer) => {
        try {
          splitter.push(octets);
        } catch (error) {
          fail(error);
        }
      });
      socket.once("error", fail);
      socket.once("close", () => reject(new Error("QEMU broke its migration stream off")));
      socket.once("end", () => {
        try {
          splitter.end();
          memory.flush();
          resolve();
        } catch (error) {
          fail(error);
        }
      });
    });
  });
  // Whoever waits for it hears of a failure; nobody may be waiting yet.
  received.catch(() => undefined);
  let isClosed = false;
  async function close(): Promise<void> {
    if (isClosed) return;
    isClosed = true;
    server.close();
    for (const socket of sockets) socket.destroy();
    memory.close();
    closeSync(state);
    await rm(socketPath, { force: true });
  }
  try {
    // What an earlier worker left there is nobody's.
    await rm(socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(socketPath, () => chmod(socketPath, anybodyConnects).then(resolve, reject));
    });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    received,
    fail(reason) {
      for (const reject of failures) reject(reason);
    },
    close,
  };
}

function writeWhole(file: number, octets: Buffer): void {
  for (let written = 0; written < octets.length; ) {
    written += writeSync(file, octets, written);
  }
}
