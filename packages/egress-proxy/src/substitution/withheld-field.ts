import { environmentNamePattern } from "@opencomputer/protocol";
import type { SeenSecrets } from "./seen-secrets.ts";

const fieldCharactersMax = 1024;

/**
 * The value of the response field `OpenComputer-Egress` that tells the guest
 * which tokens went upstream as they are, where, and which of them because
 * their value was revoked: without it an upstream's 401 would be all it sees.
 * Undefined when none did; what goes beyond 1 KiB is left out.
 */
export function withheldField(seen: SeenSecrets): string | undefined {
  const withheld = listed(
    "withheld=",
    seen.withheld.map(({ name, place }) => ({ name, text: `${name} (${place})` })),
    fieldCharactersMax,
  );
  if (withheld === undefined) return undefined;
  const revoked = listed(
    "; revoked=",
    seen.revoked.map((name) => ({ name, text: name })),
    fieldCharactersMax - withheld.length,
  );
  return withheld + (revoked ?? "");
}

function listed(
  beginning: string,
  members: readonly { name: string; text: string }[],
  charactersMax: number,
): string | undefined {
  let text = beginning;
  for (const member of members) {
    if (!environmentNamePattern.test(member.name)) continue;
    const next = `${text === beginning ? "" : ", "}${member.text}`;
    if (text.length + next.length > charactersMax) break;
    text += next;
  }
  return text === beginning ? undefined : text;
}
