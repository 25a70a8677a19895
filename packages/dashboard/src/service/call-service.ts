import { errorBodySchema } from "@opencomputer/protocol/api";
import { OpenComputerError } from "@opencomputer/sdk";
import type { z } from "zod";
import { fetchWithSession } from "./connection.ts";

/** Calls a route that the SDK has no method for, and returns its JSON; undefined where it has none. */
async function send(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetchWithSession(globalThis.location.origin + path, {
    method,
    redirect: "error",
    headers: body === undefined ? {} : { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const value: unknown = text === "" ? undefined : JSON.parse(text);
  if (response.status < 400) return value;
  const { error, code, remediation } = errorBodySchema.parse(value);
  throw new OpenComputerError(code, error, { status: response.status, remediation });
}

/** @throws {OpenComputerError} for every refusal */
export async function callService<Schema extends z.ZodType>(
  request: { method: string; path: string; body?: unknown },
  schema: Schema,
): Promise<z.output<Schema>> {
  return schema.parse(await send(request.method, request.path, request.body));
}

/** As {@link callService}, for a route without a response body. */
export async function tellService(method: string, path: string): Promise<void> {
  await send(method, path);
}
