import type { ChunkSignatures } from "../../aws-signature/chunk-signatures.ts";
import type { OutgoingRequestHead } from "../../http/outgoing-heads.ts";
import { BodyMembers } from "../../token-substitution/body-members.ts";
import type { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import { BodySubstituter } from "../../token-substitution/substitute-body.ts";
import type { OutgoingRequest } from "../request/prepare-request.ts";
import type { CompressedSearch } from "./compressed-search.ts";

/** A body that was collected, substituted and measured. It can be sent again. Equal values in it share their bytes. */
export interface MeasuredBody {
  readonly kind: "measured";
  readonly head: OutgoingRequestHead;
  readonly parts: readonly Buffer[];
  readonly bytes: number;
}

/** A body that is passed on as it arrives. */
export interface StreamedBody {
  readonly kind: "streamed";
  readonly head: OutgoingRequestHead;
  /** `Expect` to send; undefined when the guest already has `100 Continue`. */
  readonly expect: string | undefined;
  /** Length of all of it; undefined when unknown. */
  readonly length: number | undefined;
  /** What was read before and is sent first, as it is. */
  readonly beginning: readonly Buffer[];
  /** What the rest passes through; undefined when it is not searched. */
  readonly substituter: BodySubstituter | undefined;
  /** What signs the chunks of the body again, instead of a substituter. */
  readonly chunks: ChunkSignatures | undefined;
  /** Looks for tokens in what the rest decodes to. */
  readonly compressedSearch: CompressedSearch | undefined;
  /** Whether members are edited if the body turns out to be no longer than `collectedBytesMax`. */
  readonly collectedBytesMax: number;
}

export type OutgoingBody = MeasuredBody | StreamedBody;

/**
 * A body that is passed on as it arrives. Its length is kept unless a token in
 * it may become its value and there is reason to substitute all of it.
 */
export function streamed(
  request: OutgoingRequest,
  seen: SeenSecrets,
  collectedBytesMax = 0,
): StreamedBody {
  const { framing, changesBody, keepsBodyLength } = request;
  const keepsLength = !changesBody || keepsBodyLength;
  return {
    kind: "streamed",
    head: request.head,
    expect: request.expect,
    length: framing.kind === "length" && keepsLength ? framing.length : undefined,
    beginning: [],
    substituter: request.searchesBody ? substituterFor(request, seen, undefined) : undefined,
    chunks: undefined,
    compressedSearch: undefined,
    collectedBytesMax,
  };
}

export function measured(
  request: Pick<OutgoingRequest, "head">,
  parts: readonly Buffer[],
): MeasuredBody {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return { kind: "measured", head: request.head, parts, bytes };
}

/** Creates a substituter for the request's body; `whole` is all of it when its members may be edited. */
export function substituterFor(
  request: OutgoingRequest,
  seen: SeenSecrets,
  whole: Buffer | undefined,
): BodySubstituter {
  const { tokens, bodyForm } = request;
  const members =
    whole !== undefined && request.editsBodyMembers
      ? BodyMembers.find(whole, bodyForm, tokens.bodyFields)
      : undefined;
  return new BodySubstituter(tokens, bodyForm, seen, members);
}
