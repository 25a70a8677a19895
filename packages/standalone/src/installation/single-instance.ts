import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { Installation } from "./installation.ts";
import { holderOf } from "./runtime-directory.ts";

/**
 * Holds the installation for this process: a second service on the same data
 * directory is refused while the first one lives, however it was started.
 *
 * @returns a function that releases the installation.
 */
export async function holdInstallation({
  supervisorSocket,
  runtimeDirectory,
  dataDirectory,
}: Pick<Installation, "supervisorSocket" | "runtimeDirectory" | "dataDirectory">): Promise<
  () => Promise<void>
> {
  if (await isListening(supervisorSocket)) {
    const holder = (await holderOf(runtimeDirectory)) ?? dataDirectory;
    if (holder !== dataDirectory) {
      throw new Error(
        `OpenComputer runs on ${holder}, of which ${dataDirectory} is a copy with the same installation id: stop that service first. Two copies cannot run on one host at the same time.`,
      );
    }
    throw new Error(
      `OpenComputer already runs on this data directory (${supervisorSocket} accepts connections): stop it first, or set OPENCOMPUTER_DATA_DIR and OPENCOMPUTER_PORT for a second one.`,
    );
  }
  await rm(supervisorSocket, { force: true });
  const server = createServer((socket) => socket.destroy());
  server.listen(supervisorSocket);
  await once(server, "listening");
  return async () => {
    server.close();
    await once(server, "close");
  };
}

/** Returns whether a process listens at a socket. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // The socket file does not exist, or a process that was killed left it.
    socket.once("error", () => resolve(false));
  });
}
