import { ChannelLostError } from "../http1/byte-channel.ts";
import { connectionOptions } from "../http1/hop-by-hop.ts";
import { HttpSyntaxError } from "../http1/http-syntax-error.ts";
import { withheldField } from "../substitution/withheld-field.ts";
import { answerRefusal } from "./answer-refusal.ts";
import type { Exchange } from "./exchange.ts";
import { Refusal, type RefusalCode, refusalFrom, upstreamClosed } from "./refusal.ts";

/** After these the guest's connection is closed in any case: what follows on it is in doubt. */
const closingCodes: ReadonlySet<RefusalCode> = new Set([
  "malformed_request",
  "head_too_large",
  "no_session",
  "internal_error",
]);

/**
 * Tells the guest what went wrong, or breaks its connection off when an answer
 * has begun already. Answers whether the connection may carry another request.
 */
export function answerFailure(exchange: Exchange, thrown: unknown): boolean {
  const { connection, audit, head } = exchange;
  const refusal = explain(exchange, exchange.sending?.failure ?? thrown);
  connection.link.drop();
  if (refusal === undefined) {
    audit.failed("the guest closed the connection before its response was complete");
    connection.guest.destroy();
    return false;
  }
  if (refusal.wasAllowed) audit.failed(refusal.message);
  else audit.refused(refusal.message);
  if (!connection.canAnswer) {
    connection.guest.reset();
    return false;
  }
  const keeps =
    head?.minorVersion === 1 &&
    exchange.body?.complete === true &&
    !connectionOptions(head.fields).has("close") &&
    !connection.watchdog.expired &&
    !closingCodes.has(refusal.code);
  connection.canAnswer = false;
  audit.status = refusal.status;
  audit.responseBytes = answerRefusal(connection.guest, refusal, {
    method: head?.method,
    withheld: withheldField(audit.seen),
    close: !keeps,
  });
  return keeps;
}

/** The refusal that an error amounts to; undefined when the guest itself went away. */
function explain(exchange: Exchange, error: unknown): Refusal | undefined {
  const { connection, audit } = exchange;
  if (connection.watchdog.expired) {
    return exchange.head === undefined
      ? new Refusal("request_timed_out", "The request head did not arrive in time")
      : new Refusal("timed_out", "Nothing moved on the connection for too long", {
          wasAllowed: true,
          cause: error,
        });
  }
  if (!connection.guest.writable) return undefined;
  if (error instanceof HttpSyntaxError && error.fault === "truncated") return undefined;
  const refusal = refusalFrom(error);
  if (refusal !== undefined) return refusal;
  if (error instanceof ChannelLostError) return upstreamClosed(audit.hostText, error);
  const kind = error instanceof Error ? error.name : typeof error;
  return new Refusal("internal_error", `The egress proxy failed inside (${kind})`, {
    wasAllowed: true,
    cause: error,
  });
}
