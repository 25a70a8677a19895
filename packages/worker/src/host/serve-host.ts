import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from "fastify";
import { ZodError, type z } from "zod";
import type { Host } from "../host-calls/host.ts";
import { type HostCall, hostCalls } from "../host-calls/host-wire.ts";

const bodyBytesMax = 256 * 1024;

/** The HTTP server of the process that acts on the host for the worker, not listening yet. */
export function serveHost(host: Host, log: FastifyBaseLogger): FastifyInstance {
  const server = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyBytesMax,
    requestTimeout: 0,
    forceCloseConnections: true,
  });
  server.setErrorHandler<Error & { statusCode?: number }>((error, request, reply) => {
    const isMalformed = error instanceof ZodError || error.statusCode === 400;
    const message = describeError(error);
    request.log.error({ err: error, call: request.url }, "A call failed");
    return reply.status(isMalformed ? 400 : 500).send({ error: message });
  });
  for (const name of Object.keys(hostCalls) as HostCall[]) route(server, host, name);
  return server;
}

function route<Call extends HostCall>(server: FastifyInstance, host: Host, name: Call): void {
  const { request: schema } = hostCalls[name];
  const handle = host[name] as (...request: z.infer<typeof schema>) => Promise<unknown>;
  server.post(`/v1/${name}`, async (request, reply) => {
    const response = await handle(...(schema.parse(request.body) as z.infer<typeof schema>));
    return reply.type("application/json").send(JSON.stringify(response));
  });
}

/** The message with those of its causes, since the worker gets nothing else of the error. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? error.message
    : `${error.message}: ${describeError(error.cause)}`;
}
