import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Makes sure that the API can listen, before anything is started for it.
 *
 * @throws when the port is taken or the address is not this machine's.
 */
export async function assertPortIsFree(host: string, port: number): Promise<void> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    const reason =
      error.code === "EADDRINUSE"
        ? `port ${port} of ${host} is in use: stop the program that listens there, or set OPENCOMPUTER_PORT to another port`
        : `${host} port ${port} cannot be listened at (${error.message}): check OPENCOMPUTER_HOST and OPENCOMPUTER_PORT`;
    throw new Error(`The API cannot start: ${reason}.`, { cause: error });
  }
  server.close();
  await once(server, "close");
}
