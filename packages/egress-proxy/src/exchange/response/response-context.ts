import type { ResponseHead } from "../../http/message-heads.ts";
import type { ValueSearch } from "../../redaction/value-search.ts";
import type { FairTurns } from "../../turns/fair-turns.ts";
import type { GuestSide } from "../guest/guest-side.ts";
import type { OutgoingRequest } from "../request/prepare-request.ts";
import type { AuditRecord } from "../state/audit-record.ts";
import type { BodyBudget } from "../state/body-budgets.ts";
import type { UpstreamLease } from "../upstream/upstream-link.ts";
import type { UpstreamSide } from "../upstream/upstream-side.ts";

/** A request that went out, with the head of its final response. */
export interface Responded {
  readonly lease: UpstreamLease;
  readonly head: ResponseHead;
}

/** What the relay of one response works with. */
export interface ResponseContext {
  readonly guest: GuestSide;
  readonly upstream: UpstreamSide;
  readonly request: OutgoingRequest;
  readonly host: string;
  readonly audit: AuditRecord;
  readonly turns: FairTurns;
  readonly budget: BodyBudget;
  /** For the decoders of compressed responses. */
  readonly decoderBudget: BodyBudget;
  readonly measuredBodyBytesMax: number;
  /** Returns the present search; called again for each part of a body. */
  readonly search: () => ValueSearch | undefined;
  /** Whether the guest understands chunked bodies. */
  readonly guestTakesChunked: boolean;
  /** Whether the guest's connection ends after this response regardless of its framing. */
  readonly close: boolean;
  /** Called when the first byte of the response is about to go to the guest. */
  onResponseBegins(): void;
}

/** A response whose head and body went to the guest. */
export interface StreamedResponse {
  /** Whether only the close of the guest's connection marks the end. */
  readonly closeDelimited: boolean;
}
