import { closeSync, openSync, writeSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { createMemoryFile } from "./memory-file.ts";
import { createStreamSplitter } from "./migration-stream.ts";

/** A Unix socket that receives one migration stream and splits it into two files. */
export interface StateReceiver {
  /** Resolves when the whole stream is written; rejects when it is incomplete, or cannot be written. */
  readonly received: Promise<void>;
  /** Makes `received` reject with the reason, unless it has resolved or rejected already. */
  fail(reason: Error): void;
  /** Closing it again is no error. */
  close(): Promise<void>;
}

/** Only the worker and the machine have access to the socket's directory. */
const anybodyConnects = 0o666;

/**
 * Listens for a stream, from any process that finds the socket: the pages of
 * the block go into the memory file, the rest into the state file. Both are made
 * here, and stay when receiving fails: the caller removes them.
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
    page: (offset, bytes) => memory.put(offset, bytes),
    rest: (bytes) => writeWhole(state, bytes),
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
      socket.on("data", (bytes: Buffer) => {
        try {
          splitter.push(bytes);
        } catch (error) {
          fail(error);
        }
      });
      socket.once("error", fail);
      socket.once("close", () => reject(new Error("QEMU ended its migration stream early")));
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
  // A failure is reported to the caller who awaits it, which may be later.
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
    // An earlier worker may have left its socket.
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

function writeWhole(file: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(file, bytes, written);
  }
}
