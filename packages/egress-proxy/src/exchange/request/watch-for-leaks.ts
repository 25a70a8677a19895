import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import type { IncomingBody } from "../../http/incoming-body.ts";
import { StreamRedactor } from "../../redaction/stream-redactor.ts";
import type { Exchange } from "../state/exchange.ts";
import { presentPolicy } from "../state/present-policy.ts";

/**
 * Notes the values that the head of a guest's request carries in plaintext,
 * before it is parsed: the guest has values that it must not have. The request
 * continues, so that the guest cannot observe this; its audit line is redacted.
 */
export function watchHead({ audit, connection, deps }: Exchange, head: Buffer): void {
  const policy = presentPolicy(deps, connection.origin);
  if (policy?.search === undefined) return;
  const found = policy.search.findInHead(head);
  if (found.length === 0) return;
  for (const { name } of found) audit.seen.note("leaked", name);
  audit.session(policy);
  audit.redact(policy.search);
}

/** Notes the values that the body of a request carries in plaintext. */
export function watchBody(
  { audit }: Exchange,
  { search }: SessionPolicy,
  body: IncomingBody,
): void {
  if (search === undefined) return;
  if (body.complete) return;
  const watch = new StreamRedactor(
    () => search,
    (name) => audit.seen.note("leaked", name),
  );
  body.watch({
    onData: (part) => watch.push(part),
    onEnd: () => watch.end(),
  });
}
