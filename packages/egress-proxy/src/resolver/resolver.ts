import type { JudgeAddress } from "@opencomputer/process";
import { guestGatewayAddress, serviceLimits } from "@opencomputer/protocol/wire";
import type { DecodedPacket } from "dns-packet";
import type { Logger } from "pino";
import type { AuditRefusal } from "../audit/sparse-audit.ts";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { describeError } from "../logging/describe-error.ts";
import { type DnsQuestion, parseQuestion, responseCodes } from "./dns-question.ts";
import {
  addressResponse,
  type DnsResponse,
  emptyResponse,
  encodeError,
  encodeResponse,
  type Transport,
} from "./dns-response.ts";
import { filterResponse } from "./filter-response.ts";
import type { GivenNames } from "./given-names.ts";
import { type Plan, planResponse } from "./plan-response.ts";

const proxyTtlSeconds = 60;

/** What the resolver needs from its surroundings. */
export interface ResolverDependencies {
  readonly forwardQuestion: (
    question: DnsQuestion,
    signal: AbortSignal,
  ) => Promise<DecodedPacket | undefined>;
  readonly isOperatorHost: (host: string) => boolean;
  readonly givenNames: GivenNames;
  readonly judgeAddress: JudgeAddress;
  readonly auditRefusal: AuditRefusal;
  readonly log: Logger;
}

/**
 * The resolver of the guests, for both transports. The policy of a sandbox
 * decides what it learns. Refusals and failures are audited, at most ten a
 * minute for each sandbox; responses are not.
 */
export class Resolver {
  readonly #deps: ResolverDependencies;
  readonly #openQuestions = new Map<string, number>();

  constructor(deps: ResolverDependencies) {
    this.#deps = deps;
  }

  /**
   * Responds to one DNS message of a sandbox. `undefined` when nothing is to
   * be sent back. Never rejects.
   */
  async respond(
    message: Buffer,
    policy: SessionPolicy,
    transport: Transport,
  ): Promise<Buffer | undefined> {
    const parsed = parseQuestion(message);
    if (parsed.kind === "ignored") return undefined;
    if (parsed.kind === "error") return encodeError(parsed.id, parsed.responseCode);
    const { question } = parsed;
    const { sandboxId } = policy;
    const open = this.#openQuestions.get(sandboxId) ?? 0;
    if (open >= serviceLimits.dnsQuestionsPerSandboxMax) {
      this.#audit(policy, question, "the sandbox has too many DNS queries in progress");
      return undefined;
    }
    this.#openQuestions.set(sandboxId, open + 1);
    try {
      return encodeResponse(question, await this.#responseTo(question, policy), transport);
    } catch (error) {
      this.#deps.log.error({ sandboxId, error: describeError(error) }, "a DNS query failed");
      return encodeResponse(question, emptyResponse(responseCodes.serverFailure), transport);
    } finally {
      const left = (this.#openQuestions.get(sandboxId) ?? 1) - 1;
      if (left > 0) this.#openQuestions.set(sandboxId, left);
      else this.#openQuestions.delete(sandboxId);
    }
  }

  async #responseTo(question: DnsQuestion, policy: SessionPolicy): Promise<DnsResponse> {
    const plan = planResponse(question, policy, this.#deps);
    if (plan.kind === "forward") return await this.#forward(question, plan, policy);
    if (plan.kind === "lead_to_proxy") return this.#leadToProxy(question, policy);
    if (plan.refusal !== null) this.#audit(policy, question, plan.refusal);
    return plan.response;
  }

  async #forward(
    question: DnsQuestion,
    plan: Extract<Plan, { kind: "forward" }>,
    policy: SessionPolicy,
  ): Promise<DnsResponse> {
    const forwarded = await this.#deps.forwardQuestion(
      plan.question,
      AbortSignal.timeout(serviceLimits.dnsTimeoutSeconds * 1000),
    );
    if (forwarded === undefined) {
      this.#audit(policy, question, "no nameserver of the host responded");
      return plan.needsAddress
        ? this.#leadToProxy(question, policy)
        : emptyResponse(responseCodes.serverFailure);
    }
    const { response, removedAddresses } = filterResponse(forwarded, this.#deps.judgeAddress);
    if (removedAddresses.length > 0) {
      this.#audit(
        policy,
        question,
        `its address is not on the public internet: ${removedAddresses[0]}`,
      );
    }
    if (!plan.needsAddress) return spelledAs(question.name, response);
    const addresses = response.answers.flatMap((record) =>
      record.type === "A" ? [record.data] : [],
    );
    if (addresses.length === 0) return this.#leadToProxy(question, policy);
    this.#deps.givenNames.record(policy.sandboxId, plan.question.name, addresses);
    return spelledAs(question.name, response);
  }

  /**
   * The gateway's address leads to the proxy by ports 443 and 80. A name whose
   * other ports are open needs an address of its own, by which a stream is known.
   */
  #leadToProxy({ name }: DnsQuestion, { mode, sandboxId, otherPorts }: SessionPolicy): DnsResponse {
    const { givenNames } = this.#deps;
    const host = name.toLowerCase();
    if (mode !== "allowlisted") return addressResponse(name, guestGatewayAddress, proxyTtlSeconds);
    const address = otherPorts.hasPortOf(host)
      ? givenNames.aliasFor(sandboxId, host)
      : guestGatewayAddress;
    givenNames.record(sandboxId, host, [address]);
    return addressResponse(name, address, proxyTtlSeconds);
  }

  #audit(policy: SessionPolicy, question: DnsQuestion, reason: string): void {
    const { sandboxId, sourceAddress } = policy;
    this.#deps.auditRefusal({
      kind: "dns",
      sandboxId,
      sourceAddress,
      host: question.name,
      reason,
    });
  }
}

/** The response with the name in the spelling of the guest, which may compare it. */
function spelledAs(name: string, response: DnsResponse): DnsResponse {
  const lower = name.toLowerCase();
  const answers = response.answers.map((record) =>
    record.name.toLowerCase() === lower ? { ...record, name } : record,
  );
  return { ...response, answers };
}
