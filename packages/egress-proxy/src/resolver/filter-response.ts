import type { JudgeAddress } from "@opencomputer/process";
import type { Answer, DecodedPacket } from "dns-packet";
import { responseCodes } from "./dns-question.ts";
import type { DnsResponse } from "./dns-response.ts";
import { isPrivateReverseName } from "./private-reverse-name.ts";
import { filterServiceBinding, serviceBindingTypes } from "./service-binding.ts";

/** A nameserver's response without what a guest must not see. */
export interface FilteredResponse {
  readonly response: DnsResponse;
  /** Addresses, and reverse names of such, that were removed because they are not on the public internet. */
  readonly removedAddresses: readonly string[];
}

/**
 * Filters a nameserver's response down to what a guest may learn: the answer
 * records without addresses outside the public internet and without IPv6
 * addresses, HTTPS and SVCB records without what bypasses the proxy, and the
 * SOA record of an empty response. Nameservers follow an alias to wherever its owner
 * lets it lead, so it may lead to the reverse name of a private address, whose
 * records are left out too.
 */
export function filterResponse(
  packet: DecodedPacket,
  judgeAddress: JudgeAddress,
): FilteredResponse {
  const removedAddresses: string[] = [];
  const filterRecord = (record: Answer): Answer[] => {
    if (!isInternetRecord(record) || record.type === "AAAA") return [];
    if (isPrivateReverseName(record.name, judgeAddress)) {
      removedAddresses.push(record.name);
      return [];
    }
    if (serviceBindingTypes.has(record.type)) return filterBinding(record);
    if (record.type !== "A" || judgeAddress(record.data).allowed) return [record];
    removedAddresses.push(record.data);
    return [];
  };
  const answers = (packet.answers ?? []).flatMap(filterRecord);
  const authorities = (packet.authorities ?? []).filter(
    (record) =>
      isInternetRecord(record) &&
      record.type === "SOA" &&
      !isPrivateReverseName(record.name, judgeAddress),
  );
  return {
    response: { responseCode: responseCodeOf(packet), answers, authorities },
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

function filterBinding(record: Answer): Answer[] {
  if (!("data" in record) || !Buffer.isBuffer(record.data)) return [];
  const data = filterServiceBinding(record.data);
  return data === undefined ? [] : [{ ...record, data } as Answer];
}
