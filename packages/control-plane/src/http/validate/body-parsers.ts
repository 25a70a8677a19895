import { hasRequestBody } from "@opencomputer/process";
import { errorCodes, type FastifyInstance } from "fastify";

/**
 * Makes the routes accept JSON bodies, and bodies without bytes of every content type: clients
 * label those of requests such as `POST /sandboxes/:id/hibernate` as JSON, as text or as a form.
 */
export function addBodyParsers(
  app: Pick<
    FastifyInstance,
    "addContentTypeParser" | "getDefaultJsonParser" | "removeContentTypeParser"
  >,
): void {
  const parseJson = app.getDefaultJsonParser("error", "ignore");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (request.is404 || body === "") done(null, undefined);
    else parseJson(request, body.toString(), done);
  });
  app.removeContentTypeParser("text/plain");
  app.addContentTypeParser("*", (request, _payload, done) => {
    if (request.is404 || !hasRequestBody(request.headers)) done(null, undefined);
    else done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(), undefined);
  });
}
