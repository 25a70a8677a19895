import { errorBodySchema, parseJson } from "@opencomputer/protocol/api";
import { OpenComputerError, serviceError } from "../open-computer-error.ts";
import type { FetchResponse } from "../platform/fetch.ts";
import type { ApiRequest } from "./api-request.ts";

/** The part of a schema of the protocol that the SDK uses. */
export interface ResponseSchema<Body> {
  safeParse(
    value: unknown,
  ): { success: true; data: Body } | { success: false; error: { message: string } };
}

/** Reads a JSON response and parses it with the schema of its route. */
export async function readJson<Body>(
  request: ApiRequest,
  response: FetchResponse,
  schema: ResponseSchema<Body>,
): Promise<Body> {
  const parsed = schema.safeParse(parseJson(await response.text()));
  if (parsed.success) return parsed.data;
  throw unexpectedResponse(request, response, parsed.error);
}

/** The error for a response with a status other than 2xx. */
export async function readError(
  request: ApiRequest,
  response: FetchResponse,
): Promise<OpenComputerError> {
  const parsed = errorBodySchema.safeParse(parseJson(await response.text()));
  if (!parsed.success) return unexpectedResponse(request, response, parsed.error);
  return serviceError(parsed.data.code, parsed.data.error, {
    status: response.status,
    remediation: parsed.data.remediation,
    details: parsed.data.details,
  });
}

function unexpectedResponse(
  request: ApiRequest,
  response: FetchResponse,
  cause: unknown,
): OpenComputerError {
  const found = response.headers.get("content-type") ?? "no content type";
  return new OpenComputerError(
    "unexpected_response",
    `The response to ${request.method} ${request.path} is not one of OpenComputer: status ${response.status}, ${found}. ` +
      "Check that the API URL is the service's, and that the service has the SDK's version or a later one",
    { status: response.status, cause },
  );
}
