import type { BodySink } from "../../http/body-sink.ts";
import { ChannelLostError } from "../../http/channel-lost-error.ts";
import type { Field } from "../../http/fields.ts";
import type { ResponseHead } from "../../http/message-heads.ts";
import { outgoingResponse } from "./outgoing-response.ts";
import type { ResponseContext, StreamedResponse } from "./response-context.ts";

/** The response as it is written to the guest, once its head was. */
export interface OutgoingBody extends StreamedResponse {
  readonly writer: BodySink;
  readonly context: ResponseContext;
}

/** Writes the head. A body without a length is chunked, or ends with the connection. */
export function beginBody(
  context: ResponseContext,
  head: ResponseHead,
  length: number | undefined,
  decoded = false,
): OutgoingBody {
  const { guest, audit } = context;
  const chunked = length === undefined && context.guestTakesChunked;
  const closeDelimited = length === undefined && !chunked;
  context.onResponseBegins();
  const writer = guest.begin(
    outgoingResponse(
      head,
      {
        contentLength: length === undefined ? undefined : String(length),
        chunked,
        close: context.close || closeDelimited,
        decoded,
      },
      audit.seen,
    ),
  );
  return { writer, closeDelimited, context };
}

/** Writes data until there is no more. */
export async function passOn(
  context: ResponseContext,
  writer: BodySink,
  next: () => Promise<readonly Buffer[] | null>,
): Promise<void> {
  for (;;) {
    const data = await next();
    if (data === null) return;
    await writeBody(context, writer, data);
  }
}

/** Writes what is released at one time as one chunk, so that chunk sizes reveal nothing of the content. */
export async function writeBody(
  context: ResponseContext,
  writer: BodySink,
  data: readonly Buffer[],
): Promise<void> {
  const blocked = writer.writeTogether(data);
  context.audit.responseBytes = writer.bytes;
  if (blocked !== undefined) await blocked;
  if (!context.guest.writable) throw new ChannelLostError("the guest closed the connection");
}

export async function finishBody(
  { writer }: OutgoingBody,
  trailers: readonly Field[],
): Promise<void> {
  const blocked = writer.end(trailers);
  if (blocked !== undefined) await blocked;
}
