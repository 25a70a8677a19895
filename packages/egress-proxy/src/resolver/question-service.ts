import { limits } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { AuditRefusal } from "../audit/sparse-audit.ts";
import type { SessionPolicy } from "../contract.ts";
import { describeError } from "../describe-error.ts";
import type { JudgeAddress } from "../upstream/public-address.ts";
import { planAnswer } from "./answer-question.ts";
import {
  type DnsReply,
  emptyReply,
  encodeError,
  encodeReply,
  type Transport,
} from "./dns-answer.ts";
import { type DnsQuestion, parseQuestion, responseCodes } from "./dns-question.ts";
import { filterAnswer } from "./filter-answer.ts";
import type { ForwardQuestion } from "./forward-question.ts";

/**
 * Answers one DNS message of a sandbox. `undefined` means that nothing is to
 * be sent back. Never rejects.
 */
export type AnswerMessage = (
  message: Buffer,
  policy: SessionPolicy,
  transport: Transport,
) => Promise<Buffer | undefined>;

/**
 * The resolver behind both transports. What a sandbox is told is decided by
 * its policy; refusals and failures are audited sparsely, answers are not.
 */
export function createAnswerMessage(deps: {
  forwardQuestion: ForwardQuestion;
  isOperatorHost: (host: string) => boolean;
  judgeAddress: JudgeAddress;
  auditRefusal: AuditRefusal;
  log: Logger;
}): AnswerMessage {
  const openQuestions = new Map<string, number>();

  const audit = (policy: SessionPolicy, question: DnsQuestion, reason: string): void => {
    const { sandboxId, sourceAddress } = policy;
    deps.auditRefusal({ kind: "dns", sandboxId, sourceAddress, host: question.name, reason });
  };

  const forward = async (policy: SessionPolicy, question: DnsQuestion): Promise<DnsReply> => {
    const answer = await deps.forwardQuestion(
      question,
      AbortSignal.timeout(limits.dnsTimeoutSeconds * 1000),
    );
    if (answer === undefined) {
      audit(policy, question, "no nameserver of the host answered");
      return emptyReply(responseCodes.serverFailure);
    }
    const { reply, removedAddresses } = filterAnswer(answer, deps.judgeAddress);
    if (removedAddresses.length > 0) {
      audit(policy, question, `its address is not on the public internet: ${removedAddresses[0]}`);
    }
    return reply;
  };

  const replyTo = async (policy: SessionPolicy, question: DnsQuestion): Promise<DnsReply> => {
    const plan = planAnswer(question, policy, deps);
    if (plan.kind === "forward") return await forward(policy, question);
    if (plan.refusal !== null) audit(policy, question, plan.refusal);
    return plan.reply;
  };

  return async (message, policy, transport) => {
    const parsed = parseQuestion(message);
    if (parsed.kind === "ignored") return undefined;
    if (parsed.kind === "error") return encodeError(parsed.id, parsed.responseCode);
    const { question } = parsed;
    const { sandboxId } = policy;
    const open = openQuestions.get(sandboxId) ?? 0;
    if (open >= limits.dnsQuestionsPerSandboxMax) {
      audit(policy, question, "the sandbox has too many questions open");
      return undefined;
    }
    openQuestions.set(sandboxId, open + 1);
    try {
      return encodeReply(question, await replyTo(policy, question), transport);
    } catch (error) {
      deps.log.error({ sandboxId, error: describeError(error) }, "a DNS question failed");
      return encodeReply(question, emptyReply(responseCodes.serverFailure), transport);
    } finally {
      const left = (openQuestions.get(sandboxId) ?? 1) - 1;
      if (left > 0) openQuestions.set(sandboxId, left);
      else openQuestions.delete(sandboxId);
    }
  };
}
