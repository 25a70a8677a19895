import { parsePlacement } from "@opencomputer/protocol/api";
import { mayCarryCredential, mayNameCredential } from "./credential-fields.ts";

/** The places in a request where one token becomes its value: parsed placements. */
export class PlacementSet {
  /** Anywhere in the body. */
  readonly body: boolean;
  /** In these members of the body alone; empty when `body` covers them. */
  readonly bodyFields: readonly string[];
  readonly query: boolean;
  readonly path: boolean;
  readonly #anyHeader: boolean;
  readonly #headerNames: ReadonlySet<string>;

  /** @throws {PlacementError} */
  constructor(texts: readonly string[]) {
    const headerNames = new Set<string>();
    const bodyFields = new Set<string>();
    let anyHeader = false;
    let body = false;
    let query = false;
    let path = false;
    for (const text of texts) {
      const placement = parsePlacement(text);
      if (placement.kind === "query") query = true;
      else if (placement.kind === "path") path = true;
      else if (placement.kind === "header") {
        if (placement.fieldName === undefined) anyHeader = true;
        else headerNames.add(placement.fieldName);
      } else if (placement.field === undefined) body = true;
      else bodyFields.add(placement.field);
    }
    this.body = body;
    this.bodyFields = body ? [] : [...bodyFields];
    this.query = query;
    this.path = path;
    this.#anyHeader = anyHeader;
    this.#headerNames = headerNames;
  }

  header(lowerName: string): boolean {
    return (
      (this.#anyHeader && mayCarryCredential(lowerName)) ||
      (this.#headerNames.has(lowerName) && mayNameCredential(lowerName))
    );
  }
}

/** The placements of a token whose value a destination must not receive. */
export const nowhere = new PlacementSet([]);
