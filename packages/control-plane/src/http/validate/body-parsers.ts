import { hasAtMostJsonValues, hasRequestBody } from "@opencomputer/process";
import { limits, WireError } from "@opencomputer/protocol/api";
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
    const text = body.toString();
    if (request.is404 || text === "") done(null, undefined);
    else if (hasAtMostJsonValues(text, limits.apiBodyValuesMax)) parseJson(request, text, done);
    else done(tooManyValues, undefined);
  });
  app.removeContentTypeParser("text/plain");
  app.addContentTypeParser("*", (request, _payload, done) => {
    if (request.is404 || !hasRequestBody(request.headers)) done(null, undefined);
    else done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(), undefined);
  });
}

const tooManyValues = new WireError(
  "invalid_request",
  `The body has more than ${limits.apiBodyValuesMax} JSON values, the limit: send fewer, or have a run step fetch the files of an image`,
);
