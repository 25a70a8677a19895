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
    if (request.is404 || text === "") return done(null, undefined);
    const ofImage = request.routeOptions.config.eventStream !== undefined;
    const valuesMax = ofImage ? limits.manifestValuesMax : limits.apiBodyValuesMax;
    if (hasAtMostJsonValues(text, valuesMax)) parseJson(request, text, done);
    else done(tooManyValues(valuesMax), undefined);
  });
  app.removeContentTypeParser("text/plain");
  app.addContentTypeParser("*", (request, _payload, done) => {
    if (request.is404 || !hasRequestBody(request.headers)) done(null, undefined);
    else done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(), undefined);
  });
}

function tooManyValues(valuesMax: number): WireError {
  return new WireError(
    "invalid_request",
    `The body has more than ${valuesMax} elements and members of JSON, the limit: send fewer`,
  );
}
