import { openLogOutput, traceLogFields } from "@opencomputer/process";
import { type DestinationStream, type Logger, pino } from "pino";
import { DrizzleQueryError } from "./database/query-builder.ts";

interface LoggedError {
  type: string;
  message: string;
  stack: string | undefined;
  code?: unknown;
  cause?: LoggedError | undefined;
}

/** Depth at which a chain of causes is cut. */
const causesMax = 5;

/**
 * Describes only what is known to be harmless of an error: no further properties, where
 * libraries keep requests and parameters. The text of a failed query lists
 * its parameters, so its cause is logged in its place.
 */
export function describeError(error: unknown, depth = 0): LoggedError | undefined {
  if (!(error instanceof Error) || depth > causesMax) return undefined;
  const isQuery = error instanceof DrizzleQueryError;
  const message = isQuery ? "A database query failed" : error.message;
  return {
    type: error.name,
    message,
    stack: isQuery ? undefined : error.stack,
    ...("code" in error ? { code: error.code } : {}),
    cause: describeError(error.cause, depth + 1),
  };
}

/** Creates a logger of JSON lines. No header, no body and no query of a request is ever passed to it. */
export function createLogger(destination?: DestinationStream): Logger {
  return pino(
    {
      base: { process: "control-plane" },
      timestamp: pino.stdTimeFunctions.isoTime,
      mixin: traceLogFields,
      serializers: { err: (error) => describeError(error) },
    },
    destination ?? openLogOutput(),
  );
}
