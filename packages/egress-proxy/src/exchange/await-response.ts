import type { ByteChannel } from "../http1/byte-channel.ts";
import { readHead, takeHead } from "../http1/head-reader.ts";
import { parseResponseHead, type ResponseHead } from "../http1/response-head.ts";
import { redactHead } from "../redaction/redact-head.ts";
import type { ValueSearch } from "../redaction/value-search.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { Refusal, upstreamClosed, upstreamRefusal } from "./refusal.ts";
import { bodilessFraming, responseHeadText } from "./response-head-text.ts";

const interimResponsesMax = 64;
const partialContent = 206;
const instanceManipulationUsed = 226;

/**
 * Reads heads from the upstream until the final one and passes the interim
 * ones (100, 102, 103) on to the guest (RFC 9110 §15.2). 101 is final here.
 * Values are redacted before a head is parsed.
 *
 * @throws {ChannelLostError}
 * @throws {Refusal} for a malformed head, when the upstream ends, sends
 * interim responses without end, switches protocols unasked, or sends a part
 * that was not asked for
 */
export async function awaitResponse(
  sides: {
    readonly guest: ByteChannel;
    readonly upstream: ByteChannel;
    readonly guestTakesInterim: boolean;
  },
  request: OutgoingRequest,
  context: {
    readonly host: string;
    readonly seen: SeenSecrets;
    readonly search: () => ValueSearch | undefined;
  },
): Promise<ResponseHead> {
  const { host, seen } = context;
  for (let interim = 0; interim <= interimResponsesMax; interim += 1) {
    let head: ResponseHead;
    try {
      await sides.upstream.readable();
      const bytes = takeHead(sides.upstream) ?? (await readHead(sides.upstream));
      head = parse(bytes, context);
    } catch (error) {
      throw upstreamRefusal(error, host);
    }
    const { status } = head;
    if (status === 101 && request.upgrade === undefined) {
      throw malformedResponse(`${host} switched protocols without being asked`);
    }
    if (isUnaskedPart(status, request)) {
      throw new Refusal(
        "partial_response_refused",
        `${host} sent a part of a resource (${status}) that was not asked for; parts of a secret value cannot be recognised, so it is not passed on`,
        { wasAllowed: true },
      );
    }
    if (status >= 200 || status === 101) return head;
    if (sides.guestTakesInterim) {
      const blocked = sides.guest.write(responseHeadText(head, bodilessFraming, seen));
      if (blocked !== undefined) await blocked;
    }
  }
  throw malformedResponse(`${host} sent more than ${interimResponsesMax} interim responses`);
}

function parse(
  bytes: Buffer | null,
  { host, seen, search }: Parameters<typeof awaitResponse>[2],
): ResponseHead {
  if (bytes === null) throw upstreamClosed(host);
  return parseResponseHead(redactHead(bytes, search(), (name) => seen.note("redacted", name)));
}

function isUnaskedPart(status: number, { mayGetPartial, policy }: OutgoingRequest): boolean {
  return (
    (status === partialContent || status === instanceManipulationUsed) &&
    policy.search !== undefined &&
    !mayGetPartial
  );
}

function malformedResponse(message: string): Refusal {
  return new Refusal("upstream_malformed", message, { wasAllowed: true });
}
