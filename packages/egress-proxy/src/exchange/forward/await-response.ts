import { serviceLimits } from "@opencomputer/protocol/wire";
import { fieldBytes } from "../../http/fields.ts";
import type { ResponseHead } from "../../http/message-heads.ts";
import { redactHead } from "../../redaction/redact-head.ts";
import type { ValueSearch } from "../../redaction/value-search.ts";
import type { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import { Refusal, upstreamClosed, upstreamRefusal } from "../failure/refusal.ts";
import type { GuestSide } from "../guest/guest-side.ts";
import type { OutgoingRequest } from "../request/prepare-request.ts";
import { bodilessFraming, outgoingResponse } from "../response/outgoing-response.ts";
import type { UpstreamSide } from "../upstream/upstream-side.ts";

const interimResponsesMax = 64;
const partialContent = 206;
const instanceManipulationUsed = 226;

/**
 * Reads response heads up to the final one, and passes the interim ones (100,
 * 102, 103) on to the guest (RFC 9110 §15.2). 101 counts as final. Values are
 * redacted before a head is parsed.
 *
 * @throws {ChannelLostError}
 * @throws {Refusal} for a malformed head, when the upstream ends, sends
 * too many interim responses, switches protocols unasked, or sends a part that
 * was not requested
 */
export async function awaitResponse(
  sides: {
    readonly guest: GuestSide;
    readonly upstream: UpstreamSide;
    readonly guestTakesInterim: boolean;
  },
  request: OutgoingRequest,
  context: {
    readonly host: string;
    readonly seen: SeenSecrets;
    readonly search: () => ValueSearch | undefined;
  },
): Promise<ResponseHead> {
  const { host, seen, search } = context;
  const redact = (bytes: Buffer): Buffer =>
    redactHead(bytes, search(), (name) => seen.note("redacted", name));
  let interimBytes = 0;
  for (let interim = 0; interim <= interimResponsesMax; interim += 1) {
    let head: ResponseHead | null;
    try {
      head = await sides.upstream.readHead(redact);
    } catch (error) {
      throw upstreamRefusal(error, host);
    }
    if (head === null) throw upstreamClosed(host);
    const { status } = head;
    if (status === 101 && request.head.upgrade === undefined) {
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
    interimBytes += fieldBytes(head.fields);
    if (interimBytes > serviceLimits.httpHeadBytesMax) {
      throw malformedResponse(
        `${host} sent interim responses of more than ${serviceLimits.httpHeadBytesMax} bytes`,
      );
    }
    if (sides.guestTakesInterim) {
      const blocked = sides.guest.sendInterim(outgoingResponse(head, bodilessFraming, seen));
      if (blocked !== undefined) await blocked;
    }
  }
  throw malformedResponse(`${host} sent more than ${interimResponsesMax} interim responses`);
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
