import { rm } from "node:fs/promises";
import { errorBodySchema, WireError } from "@opencomputer/protocol/api";
import { type FastifyInstance, fastify } from "fastify";

/** A peer on a Unix socket that can go away and come back, as a restarted process does. */
export interface UnixSocketPeer {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** @param addRoutes Called at each start with a new server. */
export function createUnixSocketPeer(
  socketPath: string,
  addRoutes: (app: FastifyInstance) => void,
): UnixSocketPeer {
  let app: FastifyInstance | undefined;
  return {
    async start() {
      await rm(socketPath, { force: true });
      app = fastify({ forceCloseConnections: true, bodyLimit: 64 * 1024 * 1024 });
      app.setErrorHandler((error, _request, reply) => {
        const wireError =
          error instanceof WireError ? error : new WireError("internal_error", String(error));
        return reply.code(wireError.status).send(errorBodySchema.parse(wireError.toBody()));
      });
      addRoutes(app);
      await app.listen({ path: socketPath });
    },
    async stop() {
      await app?.close();
      app = undefined;
    },
  };
}
