import { guestGatewayAddress, normalizeHost } from "@opencomputer/protocol";
import type { RecordType } from "dns-packet";
import type { SessionPolicy } from "../contract.ts";
import type { JudgeAddress } from "../upstream/public-address.ts";
import { addressReply, type DnsReply, emptyReply } from "./dns-answer.ts";
import { type DnsQuestion, responseCodes } from "./dns-question.ts";

/** What to do with a question: answer it here, or ask the host's nameservers. */
export type Plan =
  | { readonly kind: "reply"; readonly reply: DnsReply; readonly refusal: string | null }
  | { readonly kind: "forward" };

/**
 * Record types that are asked of the nameservers. AAAA is not, because guests
 * have no IPv6; nor are HTTPS and SVCB (RFC 9460), whose hints lead past the
 * proxy; nor zone transfers.
 */
const forwardedTypes = new Set<RecordType>([
  "A",
  "CAA",
  "CNAME",
  "DNAME",
  "DNSKEY",
  "DS",
  "MX",
  "NAPTR",
  "NS",
  "PTR",
  "SOA",
  "SRV",
  "SSHFP",
  "TLSA",
  "TXT",
]);

const gatewayTtlSeconds = 60;

/**
 * Decides on a question by the policy of the sandbox that asks.
 *
 * In mode `allowlisted` nothing is ever asked on a sandbox's behalf, so a name
 * carries nothing out: every host has the gateway's address, and the proxy
 * there refuses in words what the policy does not allow. A host that the
 * operator gave an address has the gateway's in every mode.
 */
export function planAnswer(
  question: DnsQuestion,
  policy: SessionPolicy,
  deps: { isOperatorHost: (host: string) => boolean; judgeAddress: JudgeAddress },
): Plan {
  const host = normalizeHost(question.name);
  if (policy.mode === "allowlisted" || (host !== undefined && deps.isOperatorHost(host))) {
    if (host === undefined) return replied(emptyReply(responseCodes.nameError), null);
    if (question.type !== "A") return replied(emptyReply(), null);
    return replied(addressReply(question.name, guestGatewayAddress, gatewayTtlSeconds), null);
  }
  if (!forwardedTypes.has(question.type)) return replied(emptyReply(), null);
  if (question.type === "PTR" && isPrivateReverseName(question.name, deps.judgeAddress)) {
    return replied(
      emptyReply(responseCodes.nameError),
      "names of addresses outside the public internet are not told",
    );
  }
  return { kind: "forward" };
}

function replied(reply: DnsReply, refusal: string | null): Plan {
  return { kind: "reply", reply, refusal };
}

/** RFC 1035, section 3.5: whether a name asks for the name of an address that is not public. */
function isPrivateReverseName(name: string, judgeAddress: JudgeAddress): boolean {
  const lower = name.toLowerCase();
  if (lower.endsWith(".ip6.arpa")) return true;
  if (!lower.endsWith(".in-addr.arpa")) return false;
  const octets = lower.slice(0, -".in-addr.arpa".length).split(".").reverse();
  while (octets.length < 4) octets.push("0");
  return !judgeAddress(octets.join(".")).allowed;
}
