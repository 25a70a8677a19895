import type { Answer, DecodedPacket } from "dns-packet";
import type { JudgeAddress } from "../upstream/public-address.ts";
import type { DnsReply } from "./dns-answer.ts";
import { responseCodes } from "./dns-question.ts";

/** A nameserver's answer made fit for a guest. */
export interface FilteredAnswer {
  readonly reply: DnsReply;
  /** Addresses that were taken out because they are not on the public internet. */
  readonly removedAddresses: readonly string[];
}

/**
 * Keeps of a nameserver's answer what a guest may learn: the answer records
 * without addresses outside the public internet and without IPv6 addresses,
 * and the SOA record of an empty answer. All else is dropped.
 */
export function filterAnswer(packet: DecodedPacket, judgeAddress: JudgeAddress): FilteredAnswer {
  const removedAddresses: string[] = [];
  const answers = (packet.answers ?? []).filter((record) => {
    if (!isInternetRecord(record) || record.type === "AAAA") return false;
    if (record.type !== "A") return true;
    if (judgeAddress(record.data).allowed) return true;
    removedAddresses.push(record.data);
    return false;
  });
  const authorities = (packet.authorities ?? []).filter(
    (record) => isInternetRecord(record) && record.type === "SOA",
  );
  return {
    reply: { responseCode: responseCodeOf(packet), answers, authorities },
    removedAddresses,
  };
}

/** The low four bits of the flags (RFC 1035, section 4.1.1). */
export function responseCodeOf(packet: DecodedPacket): number {
  return (packet.flags ?? responseCodes.serverFailure) & 0xf;
}

function isInternetRecord(record: Answer): boolean {
  return record.type !== "OPT" && record.class === "IN";
}
