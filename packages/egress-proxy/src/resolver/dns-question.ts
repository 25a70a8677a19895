import { type DecodedPacket, decode, type RecordType } from "dns-packet";

/** The parts of a guest's DNS query that the resolver uses. */
export interface DnsQuestion {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** As the guest spelled it: some mix upper and lower case and expect the same spelling back. */
  readonly name: string;
  /** Record type in capitals; `UNKNOWN_n` for a number without a name. */
  readonly type: RecordType;
  /** Largest response over UDP that the guest accepts, from EDNS; null without EDNS. */
  readonly udpPayloadBytes: number | null;
}

/** What a message from a guest turned out to be: a question, or an error to respond with. */
export type ParsedQuestion =
  | { readonly kind: "question"; readonly question: DnsQuestion }
  | { readonly kind: "error"; readonly id: number; readonly responseCode: number }
  | { readonly kind: "ignored" };

/** RFC 1035, section 4.1.1, and RFC 2136. */
export const responseCodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const;

const headerBytes = 12;
const additionalsMax = 4;
/** Names of printable ASCII: only those can be passed on unchanged. */
const namePattern =
  /^(?:\.|(?:[\x21-\x2d\x2f-\x5b\x5d-\x7e]{1,63}\.)*[\x21-\x2d\x2f-\x5b\x5d-\x7e]{1,63})$/;

/**
 * Parses one DNS message that a guest sent (RFC 1035, RFC 6891). Never throws.
 *
 * The counts of the header are checked before the records are decoded,
 * because the decoder allocates as many as the header claims. Responses, and
 * messages too short to have an id, are ignored: responding to them could
 * start a loop.
 */
export function parseQuestion(message: Buffer): ParsedQuestion {
  if (message.length < headerBytes) return { kind: "ignored" };
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  const isResponse = (flags & 0x8000) !== 0;
  if (isResponse) return { kind: "ignored" };
  const error = (responseCode: number): ParsedQuestion => ({ kind: "error", id, responseCode });
  if (((flags >> 11) & 0xf) !== 0) return error(responseCodes.notImplemented);
  const countsFit =
    message.readUInt16BE(4) === 1 &&
    message.readUInt16BE(6) === 0 &&
    message.readUInt16BE(8) === 0 &&
    message.readUInt16BE(10) <= additionalsMax;
  if (!countsFit) return error(responseCodes.formatError);

  const packet = tryDecode(message);
  const question = packet?.questions?.[0];
  if (packet === undefined || question === undefined) return error(responseCodes.formatError);
  if (question.name.length > 253 || !namePattern.test(question.name)) {
    return error(responseCodes.formatError);
  }
  if (question.class !== "IN") return error(responseCodes.refused);
  const options = packet.additionals?.find((record) => record.type === "OPT");
  return {
    kind: "question",
    question: {
      id,
      recursionDesired: packet.flag_rd,
      name: question.name,
      type: question.type,
      udpPayloadBytes: options?.type === "OPT" ? options.udpPayloadSize : null,
    },
  };
}

/** The decoded message; `undefined` when it is malformed. */
export function tryDecode(message: Buffer): DecodedPacket | undefined {
  try {
    return decode(message);
  } catch {
    // The decoder throws for any malformed message; the caller needs no reason.
    return undefined;
  }
}
