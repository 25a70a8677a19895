import type { Readable } from "node:stream";
import { hasAtMostJsonValues } from "@opencomputer/process";
import {
  type ErrorCode,
  errorBodySchema,
  isErrorCode,
  limits,
  toStorableText,
  WireError,
} from "@opencomputer/protocol/api";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { type Dispatcher, Pool } from "undici";
import { z } from "zod";
import { type ByteBudget, readBounded } from "./guest-bounds.ts";

/** The errors of a guest that are passed on. A guest is untrusted: any other becomes `guest_failed`. */
const errorsOfGuests: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "invalid_request",
  "limit_exceeded",
  "command_not_found",
  "working_directory_not_found",
  "not_a_file",
  "not_a_directory",
  "file_not_found",
  "file_exists",
  "session_not_found",
  "forbidden",
  "directory_too_large",
  "too_many_requests",
  "guest_storage_full",
  "idempotency_key_reused",
  "port_not_listening",
]);

/** How much of a response is received and parsed. */
export interface ResponseBounds {
  readonly bytesMax: number;
  /** Arrays, objects, elements and members. */
  readonly valuesMax: number;
}

/** For responses that are a confirmation or one session, whose command may have that many arguments. */
export const smallResponse: ResponseBounds = {
  bytesMax: 256 * 1024,
  valuesMax: limits.commandArgumentsMax + 64,
};
/** For those that are the outcome of a command. */
export const outcomeResponse: ResponseBounds = {
  bytesMax: serviceLimits.agentResponseBytesMax,
  valuesMax: 64,
};

export interface ListBounds extends ResponseBounds {
  readonly elementsMax: number;
}

/** Sends requests to the agent of one guest and reads its responses, each bounded and parsed. */
export interface AgentCalls {
  call(request: Omit<Dispatcher.RequestOptions, "origin">): Promise<Dispatcher.ResponseData>;
  read(response: { body: Readable }, bytesMax: number): Promise<string>;
  parse<Schema extends z.ZodType>(
    response: Dispatcher.ResponseData,
    schema: Schema,
    bounds: ResponseBounds,
  ): Promise<z.infer<Schema>>;
  /** As {@link parse}, of a list: its first element that is not of the schema ends the parsing. */
  parseList<Schema extends z.ZodType>(
    response: Dispatcher.ResponseData,
    elementSchema: Schema,
    bounds: ListBounds,
  ): Promise<z.infer<Schema>[]>;
}

/** The connections of one agent's client. */
export interface AgentConnections extends AgentCalls {
  /** Converts an error response. */
  toError(status: number, body: Readable): Promise<WireError>;
  isClosed(): boolean;
  /** Ends every call. Idempotent. */
  close(): Promise<void>;
}

export function openAgentConnections(options: {
  origin: string;
  budget: ByteBudget;
}): AgentConnections {
  const pool = new Pool(options.origin, {
    connections: limits.commandsPerSandboxMax + 2 * limits.attachedClientsMax + 16,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    connect: { timeout: 15_000 },
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 16 * 1024,
  });
  const share = options.budget.openShare();

  async function toError(status: number, body: Readable): Promise<WireError> {
    const text = await read({ body }, smallResponse.bytesMax);
    const parsed = errorBodySchema.safeParse(parseJson(text, smallResponse.valuesMax));
    if (!parsed.success) return guestFailure(`responded with status ${status}`, undefined);
    const { code, error } = parsed.data;
    const message = toStorableText(error.slice(0, serviceLimits.agentErrorCharactersMax));
    return isErrorCode(code) && errorsOfGuests.has(code)
      ? new WireError(code, message)
      : new WireError("guest_failed", message);
  }

  async function read(response: { body: Readable }, bytesMax: number): Promise<string> {
    try {
      return await readBounded(response.body, { bytesMax, share });
    } catch (error) {
      if (error instanceof WireError) throw error;
      throw guestFailure("did not complete its response", error);
    }
  }

  return {
    toError,
    read,
    async call(request) {
      let response: Dispatcher.ResponseData;
      try {
        response = await pool.request(request);
      } catch (error) {
        throw guestFailure("did not respond", error);
      }
      if (response.statusCode >= 200 && response.statusCode < 300) return response;
      throw await toError(response.statusCode, response.body);
    },
    async parse(response, schema, { bytesMax, valuesMax }) {
      return check(schema, parseJson(await read(response, bytesMax), valuesMax));
    },
    async parseList(response, elementSchema, { bytesMax, valuesMax, elementsMax }) {
      const list = check(
        z.array(z.unknown()).max(elementsMax),
        parseJson(await read(response, bytesMax), valuesMax),
      );
      return list.map((element) => check(elementSchema, element));
    },
    isClosed: () => pool.destroyed,
    async close() {
      if (!pool.destroyed) await pool.destroy();
    },
  };
}

/** An error of the agent itself, as opposed to one that it reports. */
export function guestFailure(what: string, cause: unknown): WireError {
  return new WireError("guest_failed", `The agent in the sandbox ${what}`, { cause });
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  // The error itself has a text for each wrong value, of which a guest can send very many.
  throw guestFailure(
    `sent a response of an unknown form, at ${issue?.path.join(".") || "its root"}`,
    undefined,
  );
}

function parseJson(text: string, valuesMax: number): unknown {
  if (!hasAtMostJsonValues(text, valuesMax)) {
    throw guestFailure(`sent a response of more than ${valuesMax} values, the maximum`, undefined);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw guestFailure("sent a response that is not JSON", error);
  }
}
