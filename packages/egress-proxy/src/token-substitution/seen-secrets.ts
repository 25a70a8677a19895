import type { WithheldReason } from "@opencomputer/protocol/api";

/** A token that was passed on unchanged. */
export interface WithheldToken {
  readonly name: string;
  /** `header NAME`, `body`, `query`, `path` or `trailer`. */
  readonly place: string;
}

/** A token that became its value. */
export interface SubstitutedToken {
  readonly name: string;
  /** As of a withheld token, or `signature` for AWS credentials. */
  readonly place: string;
}

/** Most entries of one list: it goes into one audit line, and a guest can fill it. */
const notesMax = 256;

/** The secrets that one exchange involved, each at most once per kind and place. */
export class SeenSecrets {
  readonly substituted: string[] = [];
  /** Where those of `substituted` were. */
  readonly substitutedPlaces: SubstitutedToken[] = [];
  readonly withheld: WithheldToken[] = [];
  /** Why, for each of `withheld`. */
  readonly withheldReasons: WithheldReason[] = [];
  readonly redacted: string[] = [];
  /** How often, by name. */
  readonly redactedCounts = new Map<string, number>();
  readonly leaked: string[] = [];
  /** Names in `withheld` whose value was revoked. */
  readonly revoked: string[] = [];
  /** Tokens and values, each as often as it occurred. */
  readonly occurrences = { substituted: 0, withheld: 0, redacted: 0, leaked: 0, revoked: 0 };
  /** Tokens that stand for no secret of the session. */
  foreignTokens = 0;
  #noted: Set<string> | undefined;

  note(kind: "redacted" | "leaked" | "revoked", name: string): void {
    this.occurrences[kind] += 1;
    if (this.#isNew(`${kind}:${name}`, this[kind])) this[kind].push(name);
    if (kind !== "redacted") return;
    const count = this.redactedCounts.get(name) ?? 0;
    if (count > 0 || this.redactedCounts.size < notesMax) this.redactedCounts.set(name, count + 1);
  }

  noteSubstituted(name: string, place: string): void {
    this.occurrences.substituted += 1;
    if (this.#isNew(`substituted:${name}`, this.substituted)) this.substituted.push(name);
    if (this.#isNew(`substituted:${name}:${place}`, this.substitutedPlaces)) {
      this.substitutedPlaces.push({ name, place });
    }
  }

  noteWithheld(
    {
      name,
      withheldFor,
    }: { readonly name: string; readonly withheldFor: WithheldReason | undefined },
    place: string,
  ): void {
    this.occurrences.withheld += 1;
    if (withheldFor === "revoked") this.note("revoked", name);
    if (this.#isNew(`withheld:${name}:${place}`, this.withheld)) {
      this.withheld.push({ name, place });
      this.withheldReasons.push(withheldFor ?? "placement");
    }
  }

  #isNew(key: string, list: readonly unknown[]): boolean {
    if (list.length >= notesMax || this.#noted?.has(key) === true) return false;
    this.#noted ??= new Set();
    this.#noted.add(key);
    return true;
  }
}

/**
 * Returns the place of a header field of this lower-case name. It is whole, however long:
 * a value in it is redacted before it is cut, because no search finds a part of a value.
 */
export function headerPlace(lowerName: string): string {
  return `header ${lowerName}`;
}
