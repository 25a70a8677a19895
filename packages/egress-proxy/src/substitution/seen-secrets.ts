/** A token that was passed on as it is. */
export interface WithheldToken {
  readonly name: string;
  /** `header NAME`, `body`, `query`, `path` or `trailer`. */
  readonly place: string;
}

/** What one list may hold: it goes into one audit line, and a guest can fill it. */
const notesMax = 256;
const fieldNameCharactersMax = 64;

/** Names of the secrets that one exchange met, each at most once per kind and place. */
export class SeenSecrets {
  readonly substituted: string[] = [];
  readonly withheld: WithheldToken[] = [];
  readonly redacted: string[] = [];
  readonly leaked: string[] = [];
  /** Those of `withheld` whose value was revoked. */
  readonly revoked: string[] = [];
  #noted: Set<string> | undefined;

  note(kind: "substituted" | "redacted" | "leaked" | "revoked", name: string): void {
    if (this.#isNew(`${kind}:${name}`, this[kind])) this[kind].push(name);
  }

  noteWithheld({ name, isRevoked }: { name: string; isRevoked: boolean }, place: string): void {
    if (isRevoked) this.note("revoked", name);
    if (this.#isNew(`withheld:${name}:${place}`, this.withheld)) {
      this.withheld.push({ name, place });
    }
  }

  #isNew(key: string, list: readonly unknown[]): boolean {
    if (list.length >= notesMax || this.#noted?.has(key) === true) return false;
    this.#noted ??= new Set();
    this.#noted.add(key);
    return true;
  }
}

/** The place that a header field of this lower-case name is; a guest chooses the name, so it is cut. */
export function headerPlace(lowerName: string): string {
  return `header ${lowerName.slice(0, fieldNameCharactersMax)}`;
}
