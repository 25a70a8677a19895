import { environmentNamePattern } from "@opencomputer/protocol";
import type { SeenSecrets } from "./seen-secrets.ts";

const fieldCharactersMax = 1024;

/**
 * The value of the response field `OpenComputer-Egress` that tells the guest
 * which tokens went upstream as they are, and where: without it an upstream's
 * 401 would be all it sees. Undefined when none did; what goes beyond 1 KiB
 * is left out.
 */
export function withheldField(seen: SeenSecrets): string | undefined {
  const beginning = "withheld=";
  let text = beginning;
  for (const { name, place } of seen.withheld) {
    if (!environmentNamePattern.test(name)) continue;
    const member = `${text === beginning ? "" : ", "}${name} (${place})`;
    if (text.length + member.length > fieldCharactersMax) break;
    text += member;
  }
  return text === beginning ? undefined : text;
}
