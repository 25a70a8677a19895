import type { IncomingMessage, ServerResponse } from "node:http";
import { WireError } from "@opencomputer/protocol/api";
import type { z } from "zod";

/** One request as a route sees it. */
export interface Exchange {
  /** The value of `:name` in the route's path, decoded. */
  parameter(name: string): string;
  query: URLSearchParams;
  request: IncomingMessage;
  response: ServerResponse;
  /** The JSON body, refused unless the protocol's schema takes it. */
  body<Schema extends z.ZodType>(schema: Schema): Promise<z.output<Schema>>;
  /** Sends a response, which must match the protocol's schema. */
  respond<Schema extends z.ZodType>(
    status: number,
    schema: Schema,
    value: z.input<Schema>,
  ): Promise<void>;
  /** Responds with 204. */
  done(): void;
}

export interface Route {
  method: string;
  /** Below `/api`, such as `/sandboxes/:id`. */
  path: string;
  /** The request carries its own credential instead of an API key. */
  needsNoKey?: true;
  handle(exchange: Exchange): Promise<void> | void;
}

/** The parameters of a path that fits the route's, or undefined. */
export function matchRoute(route: Route, path: string): Record<string, string> | undefined {
  const expected = route.path.split("/");
  const found = path.split("/");
  if (expected.length !== found.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, segment] of expected.entries()) {
    const text = found[index] ?? "";
    if (segment.startsWith(":")) parameters[segment.slice(1)] = decodeURIComponent(text);
    else if (segment !== text) return undefined;
  }
  return parameters;
}

/** Parses with a schema of the protocol, as the service does. */
export function parseOrRefuse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new WireError("invalid_request", `${issue?.path.join(".")}: ${issue?.message}`);
}
