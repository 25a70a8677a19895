import { fastify, LogController } from "fastify";
import type { Logger } from "pino";
import type { HostPolicy } from "../dispatch/host-policy.ts";
import { respondToUnknownRoute, respondWithError } from "../respond/error-responses.ts";

/** Only programs of this machine reach it; no packet of a guest does. */
const address = "127.0.0.1";
/** Prometheus, exposition formats: text format 0.0.4. */
const contentType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Serves the metrics of each process to a Prometheus of this machine, on a port
 * of their own: they are the operator's, and no key of an org opens them. The
 * metrics of the worker and the egress proxy come over their sockets; while one
 * of these does not run, its path responds with 503, so that its scrape fails.
 *
 * @throws when the port is in use.
 */
export async function serveMetrics(deps: {
  port: number;
  /** What each path returns. */
  read: Readonly<Record<`/metrics${string}`, () => Promise<string>>>;
  hostPolicy: HostPolicy;
  logger: Logger;
}): Promise<{ close(): Promise<void> }> {
  const app = fastify({
    loggerInstance: deps.logger,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
  });
  app.setErrorHandler(respondWithError);
  app.setNotFoundHandler(respondToUnknownRoute);
  app.addHook("onRequest", async (request) => deps.hostPolicy.assertHost(request.raw));
  for (const [path, read] of Object.entries(deps.read)) {
    app.get(path, async (_request, reply) => reply.type(contentType).send(await read()));
  }
  await app.listen({ host: address, port: deps.port });
  return { close: () => app.close() };
}
