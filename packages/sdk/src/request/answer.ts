import { errorBodySchema } from "@opencomputer/protocol";
import { OpenComputerError, serviceError } from "../open-computer-error.ts";
import type { FetchResponse } from "../platform/fetch.ts";
import type { ApiRequest } from "./api-request.ts";
import { parseJson } from "./parse-json.ts";

/** What the SDK needs of a schema of the protocol. */
export interface AnswerSchema<Answer> {
  safeParse(
    value: unknown,
  ): { success: true; data: Answer } | { success: false; error: { message: string } };
}

/** Reads a JSON answer in the shape that the protocol gives it. */
export async function readJson<Answer>(
  request: ApiRequest,
  response: FetchResponse,
  schema: AnswerSchema<Answer>,
): Promise<Answer> {
  const parsed = schema.safeParse(parseJson(await response.text()));
  if (parsed.success) return parsed.data;
  throw unexpectedAnswer(request, response, parsed.error);
}

/** The error that an answer other than 2xx stands for. */
export async function readError(
  request: ApiRequest,
  response: FetchResponse,
): Promise<OpenComputerError> {
  const parsed = errorBodySchema.safeParse(parseJson(await response.text()));
  if (!parsed.success) return unexpectedAnswer(request, response, parsed.error);
  return serviceError(parsed.data.code, parsed.data.error, {
    status: response.status,
    details: parsed.data.details,
  });
}

function unexpectedAnswer(
  request: ApiRequest,
  response: FetchResponse,
  cause: unknown,
): OpenComputerError {
  const found = response.headers.get("content-type") ?? "no content type";
  return new OpenComputerError(
    "unexpected_response",
    `${request.method} ${request.path} was answered with ${response.status} (${found}), ` +
      "but not as OpenComputer answers: does the API URL lead to the service, and is it of this SDK's version?",
    { status: response.status, cause },
  );
}
