import type { SessionPolicy } from "../contract.ts";
import type { BodyReader } from "../http1/body-reader.ts";
import { findInHead } from "../redaction/redact-head.ts";
import { StreamRedactor } from "../redaction/stream-redactor.ts";
import type { Exchange } from "./exchange.ts";

/**
 * Notes the values that a request carries in plaintext: the guest has what it
 * must not have. The request goes on as ever, so that the guest cannot see
 * that it was noticed; what the audit trail says of it is redacted.
 */
export function watchForLeaks(
  exchange: Exchange,
  policy: SessionPolicy,
  head: Buffer | null,
  body: BodyReader,
): void {
  const { audit } = exchange;
  const { search } = policy;
  if (search === undefined || head === null) return;
  const noteLeak = (name: string) => audit.seen.note("leaked", name);
  for (const { name } of findInHead(head, search)) noteLeak(name);
  if (audit.seen.leaked.length > 0) audit.redact(search);
  const watch = new StreamRedactor(() => search, noteLeak);
  body.watch({
    onData: (part) => watch.push(part),
    onEnd: () => watch.end(),
  });
}
