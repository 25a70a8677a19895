import { randomInt } from "node:crypto";
import { type DecodedPacket, encode, RECURSION_DESIRED } from "dns-packet";
import { type DnsQuestion, responseCodes, tryDecode } from "./dns-question.ts";
import { optionsRecord } from "./dns-response.ts";
import { responseCodeOf } from "./filter-response.ts";
import { queryOverTcp, queryOverUdp } from "./query-nameserver.ts";

/** Longest wait for one nameserver before the next is tried. */
const attemptTimeoutMilliseconds = 2_500;

/**
 * Forwards a guest's question to the host's nameservers, one after another, and
 * returns the first usable response; `undefined` when none came in time.
 *
 * The query is written afresh with a random id, so nothing else of the guest's
 * message leaves. A response is accepted when it repeats id and question (RFC
 * 5452, section 4.2) and is not an error of the nameserver itself; a truncated
 * one is requested again over TCP.
 */
export async function forwardQuestion(
  deps: { readNameservers: () => Promise<readonly string[]>; nameserverPort: number },
  question: DnsQuestion,
  signal: AbortSignal,
): Promise<DecodedPacket | undefined> {
  for (const address of await deps.readNameservers()) {
    if (signal.aborted) return undefined;
    const id = randomInt(0x1_0000);
    const query = {
      message: encode({
        type: "query",
        id,
        flags: RECURSION_DESIRED,
        questions: [{ name: question.name, type: question.type, class: "IN" }],
        additionals: [optionsRecord()],
      }),
      address,
      port: deps.nameserverPort,
      timeoutMilliseconds: attemptTimeoutMilliseconds,
      signal,
      accept: (message: Buffer) => acceptResponse(message, id, question),
    };
    const overUdp = await queryOverUdp(query);
    const response = overUdp?.flag_tc ? await queryOverTcp(query) : overUdp;
    if (response !== undefined && isConclusive(response)) return response;
  }
  return undefined;
}

/** Decodes a message that is a response to this question; `undefined` for any other. */
export function acceptResponse(
  message: Buffer,
  id: number,
  question: DnsQuestion,
): DecodedPacket | undefined {
  if (!countsArePossible(message) || message.readUInt16BE(0) !== id) return undefined;
  const packet = tryDecode(message);
  const repeated = packet?.questions?.[0];
  const matches =
    packet?.flag_qr === true &&
    packet.questions?.length === 1 &&
    repeated?.name.toLowerCase() === question.name.toLowerCase() &&
    repeated.type === question.type &&
    repeated.class === "IN";
  return matches ? packet : undefined;
}

/** Whether the message could hold as many records as its header claims: 11 bytes are the least. */
function countsArePossible(message: Buffer): boolean {
  if (message.length < 12) return false;
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  return message.readUInt16BE(4) <= 1 && records * 11 <= message.length;
}

function isConclusive(response: DecodedPacket): boolean {
  const responseCode = responseCodeOf(response);
  return responseCode === responseCodes.noError || responseCode === responseCodes.nameError;
}
