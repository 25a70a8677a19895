import type { AuditRefusal } from "../audit/sparse-audit.ts";
import { entriesFor } from "../egress-policy/decide-stream.ts";
import type { FindPolicy } from "../egress-policy/session-policy.ts";
import type { GivenNames } from "../resolver/given-names.ts";
import type { Rejection } from "./parse-rejections.ts";

/**
 * Audits a connection that the packet filter rejected, with what would allow it. The
 * filter reports its port; what it was meant for is most likely the name that the
 * sandbox asked for last.
 */
export function auditRejection(
  deps: { findPolicy: FindPolicy; givenNames: GivenNames; auditRefusal: AuditRefusal },
  { sourceAddress, port }: Rejection,
): void {
  const policy = deps.findPolicy(sourceAddress);
  if (policy === undefined) return;
  const { sandboxId } = policy;
  const name = deps.givenNames.lastNameOf(sandboxId);
  const reason =
    name === undefined
      ? `port ${port} is not open: ${entriesFor("HOST", port)}`
      : `port ${port} is not open: if it was meant for ${name}, the name that was resolved last, ${entriesFor(name, port)}`;
  deps.auditRefusal({ kind: "tcp", sandboxId, sourceAddress, host: name ?? null, port, reason });
}
