import type { JudgeAddress } from "@opencomputer/process";
import { normalizeHost } from "@opencomputer/protocol/api";
import type { RecordType } from "dns-packet";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { type DnsQuestion, responseCodes } from "./dns-question.ts";
import { type DnsResponse, emptyResponse } from "./dns-response.ts";
import { isPrivateReverseName } from "./private-reverse-name.ts";
import { serviceBindingTypes } from "./service-binding.ts";

/** What to do with a question: respond to it here, or forward it to the host's nameservers. */
export type Plan =
  | { readonly kind: "respond"; readonly response: DnsResponse; readonly refusal: string | null }
  /** With an address that leads to the proxy, whose refusal the guest can read. */
  | { readonly kind: "lead_to_proxy" }
  | {
      readonly kind: "forward";
      /** What is sent: under an allowlist the canonical name, whose spelling carries no data. */
      readonly question: DnsQuestion;
      /** Whether a name that has no address for the guest gets one that leads to the proxy. */
      readonly needsAddress: boolean;
    };

/**
 * Record types that are forwarded to the nameservers. AAAA is not, because guests
 * have no IPv6; nor are zone transfers.
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

/**
 * Decides how to respond to a question, by the policy of the sandbox that asks.
 *
 * In mode `allowlisted` only questions about names of the list are forwarded,
 * so no other name carries data out. Every other host leads to the proxy,
 * which refuses it with a reason. So does, in every mode, a host that the operator
 * gave an address.
 *
 * HTTPS and SVCB records (RFC 9460) are forwarded under an allowlist alone:
 * without one, their ports and protocols lead past the proxy.
 */
export function planResponse(
  question: DnsQuestion,
  policy: SessionPolicy,
  deps: { isOperatorHost: (host: string) => boolean; judgeAddress: JudgeAddress },
): Plan {
  const host = normalizeHost(question.name);
  const isRestricted = policy.mode === "allowlisted";
  if (host === undefined && isRestricted) {
    return responded(emptyResponse(responseCodes.nameError), null);
  }
  if (
    (isRestricted && !mayLeave(question, host, policy)) ||
    (host !== undefined && deps.isOperatorHost(host))
  ) {
    return question.type === "A" ? { kind: "lead_to_proxy" } : responded(emptyResponse(), null);
  }
  const isForwarded =
    forwardedTypes.has(question.type) || (isRestricted && serviceBindingTypes.has(question.type));
  if (!isForwarded) return responded(emptyResponse(), null);
  if (isPrivateReverseName(question.name, deps.judgeAddress)) {
    return responded(
      emptyResponse(responseCodes.nameError),
      "names of addresses outside the public internet are not given",
    );
  }
  return {
    kind: "forward",
    question: isRestricted ? { ...question, name: question.name.toLowerCase() } : question,
    needsAddress: isRestricted && question.type === "A",
  };
}

/** Whether a name is one of the allowlist, apart from upper and lower case. */
function mayLeave(question: DnsQuestion, host: string | undefined, policy: SessionPolicy): boolean {
  return host === question.name.toLowerCase() && policy.otherPorts.hasHost(host);
}

function responded(response: DnsResponse, refusal: string | null): Plan {
  return { kind: "respond", response, refusal };
}
