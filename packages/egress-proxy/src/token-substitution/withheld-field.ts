import { environmentNamePattern } from "@opencomputer/protocol/api";
import type { Field } from "../http/fields.ts";
import type { SeenSecrets } from "./seen-secrets.ts";

/** The response field in which the proxy reports to the guest. */
const ownFieldName = "OpenComputer-Egress";
export const ownFieldLowerName = ownFieldName.toLowerCase();

const fieldCharactersMax = 1024;
const placeCharactersMax = 71;

/** Returns the field in which the proxy reports to the guest; undefined when there is nothing to report. */
export function ownField(seen: SeenSecrets): Field | undefined {
  const value = withheldField(seen);
  if (value === undefined) return undefined;
  return { name: ownFieldName, lowerName: ownFieldLowerName, value };
}

/**
 * Returns the value of the field {@link ownFieldName}. It names the tokens that
 * were sent upstream unchanged, their places, and which of them are revoked:
 * without it a guest would see only the upstream's 401. Undefined when there are
 * none; what is beyond 1 KiB is left out.
 */
export function withheldField(seen: SeenSecrets): string | undefined {
  const withheld = listed(
    "withheld=",
    seen.withheld.map(({ name, place }) => ({
      name,
      text: `${name} (${place.slice(0, placeCharactersMax)})`,
    })),
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
