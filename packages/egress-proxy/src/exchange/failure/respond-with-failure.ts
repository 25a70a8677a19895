import { isSignedForS3 } from "../../aws-signature/is-signed-for-s3.ts";
import { ChannelLostError } from "../../http/channel-lost-error.ts";
import { connectionOptions } from "../../http/hop-by-hop.ts";
import { HttpSyntaxError } from "../../http/http-syntax-error.ts";
import type { RequestHead } from "../../http/message-heads.ts";
import { grpcFraming } from "../grpc/grpc-content.ts";
import type { Exchange } from "../state/exchange.ts";
import { Refusal, type RefusalCode, refusalFrom, upstreamClosed } from "./refusal.ts";
import { type RefusalForm, respondWithRefusal } from "./respond-with-refusal.ts";

/** After these the guest's connection is always closed: what follows on it cannot be trusted, or has no room. */
const closingCodes: ReadonlySet<RefusalCode> = new Set([
  "malformed_request",
  "head_too_large",
  "no_session",
  "too_many_connections",
  "internal_error",
]);

/**
 * Responds to the guest with the reason of a failure, or breaks its connection
 * off when a response has begun already. Returns whether the connection may
 * carry another request.
 */
export function respondWithFailure(exchange: Exchange, thrown: unknown): boolean {
  const { connection, audit, head } = exchange;
  const refusal = explain(exchange, exchange.sending?.failure ?? thrown);
  connection.link.drop();
  if (refusal === undefined) {
    audit.failed("the guest closed the connection before its response was complete");
    connection.guest.destroy();
    return false;
  }
  exchange.deps.countFailure(refusal.code);
  if (refusal.wasAllowed) audit.failed(refusal.message);
  else audit.refused(refusal.message);
  if (connection.stage !== "requested") {
    connection.guest.reset();
    return false;
  }
  const keeps =
    head?.minorVersion === 1 &&
    exchange.body?.complete === true &&
    !connectionOptions(head.fields).has("close") &&
    !connection.watchdog.expired &&
    !closingCodes.has(refusal.code);
  connection.stage = "responding";
  audit.status = refusal.status;
  audit.responseBytes = respondWithRefusal(connection.guest, refusal, {
    method: head?.method,
    seen: audit.seen,
    form: head === undefined ? "json" : formFor(head),
    close: !keeps,
  });
  return keeps;
}

/** The form in which the client of a request reads errors. */
function formFor(head: RequestHead): RefusalForm {
  if (grpcFraming(head.fields) === "grpc") return "grpc";
  return isSignedForS3(head) ? "s3" : "json";
}

/** Returns the refusal that an error amounts to; undefined when the guest closed the connection. */
function explain(exchange: Exchange, error: unknown): Refusal | undefined {
  const { connection, audit } = exchange;
  if (connection.watchdog.expired) {
    return exchange.head === undefined
      ? new Refusal("request_timed_out", "The request head did not arrive in time")
      : new Refusal("timed_out", "No byte was sent in either direction for too long", {
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
  return new Refusal(
    "internal_error",
    `The egress proxy failed unexpectedly (${kind}): its log has the reason`,
    {
      wasAllowed: true,
      cause: error,
    },
  );
}
