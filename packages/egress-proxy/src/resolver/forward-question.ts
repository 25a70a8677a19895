import { randomInt } from "node:crypto";
import { type DecodedPacket, encode, RECURSION_DESIRED } from "dns-packet";
import type { ReadNameservers } from "../upstream/nameservers.ts";
import { askOverTcp, askOverUdp } from "./ask-nameserver.ts";
import { optionsRecord } from "./dns-answer.ts";
import { type DnsQuestion, responseCodes, tryDecode } from "./dns-question.ts";
import { responseCodeOf } from "./filter-answer.ts";

/** The first usable answer of the host's nameservers; `undefined` when none gave one in time. */
export type ForwardQuestion = (
  question: DnsQuestion,
  signal: AbortSignal,
) => Promise<DecodedPacket | undefined>;

/** One nameserver has this long before the next is asked. */
const attemptTimeoutMilliseconds = 2_500;

/**
 * Asks the host's nameservers one after another on a guest's behalf. The
 * question is written anew with an id of its own; whatever else the guest's
 * message had stays here. An answer counts when it repeats id and question
 * (RFC 5452, section 4.2) and is no failure of the nameserver's own; one
 * that is truncated is asked for again over TCP.
 */
export function createForwardQuestion(deps: {
  readNameservers: ReadNameservers;
  nameserverPort: number;
}): ForwardQuestion {
  return async (question, signal) => {
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
        accept: (message: Buffer) => acceptAnswer(message, id, question),
      };
      const overUdp = await askOverUdp(query);
      const answer = overUdp?.flag_tc ? await askOverTcp(query) : overUdp;
      if (answer !== undefined && isConclusive(answer)) return answer;
    }
    return undefined;
  };
}

/** The decoded answer when it is one to this question; `undefined` otherwise. */
export function acceptAnswer(
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

/** Whether the message could hold as many records as its header claims: 11 octets are the least. */
function countsArePossible(message: Buffer): boolean {
  if (message.length < 12) return false;
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  return message.readUInt16BE(4) <= 1 && records * 11 <= message.length;
}

function isConclusive(answer: DecodedPacket): boolean {
  const responseCode = responseCodeOf(answer);
  return responseCode === responseCodes.noError || responseCode === responseCodes.nameError;
}
