import { describeError, openLogOutput, traceLogFields } from "@opencomputer/process";
import { type DestinationStream, type Logger, pino } from "pino";
import { DrizzleQueryError } from "./database/query-builder.ts";

/** The text of a failed query lists its parameters, so its cause is logged in its place. */
function withoutParameters(error: Error): string | undefined {
  return error instanceof DrizzleQueryError ? "A database query failed" : undefined;
}

/** Creates a logger of JSON lines. No header, no body and no query of a request is ever passed to it. */
export function createLogger(destination?: DestinationStream): Logger {
  return pino(
    {
      base: { process: "control-plane" },
      timestamp: pino.stdTimeFunctions.isoTime,
      mixin: traceLogFields,
      serializers: { err: (error) => describeError(error, withoutParameters) },
    },
    destination ?? openLogOutput(),
  );
}
