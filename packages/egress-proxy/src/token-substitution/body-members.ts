import { isUtf8 } from "node:buffer";
import type { BodyForm } from "./body-form.ts";
import type { MemberRange } from "./form-fields.ts";
import { findFormFields } from "./form-fields.ts";
import { findJsonStrings, type WantedMember } from "./json-strings.ts";

/** The positions in a complete body of the members that placements name. */
export class BodyMembers {
  readonly #ranges: readonly MemberRange[];

  private constructor(ranges: readonly MemberRange[]) {
    this.#ranges = ranges;
  }

  /** Finds the members of these names. None when servers could read the body differently. */
  static find(body: Buffer, form: BodyForm | undefined, fields: readonly string[]): BodyMembers {
    let ranges: readonly MemberRange[] | undefined;
    if (isUtf8(body)) {
      if (form === "json") ranges = findJsonStrings(body, wantedMembers(fields));
      else if (form === "form") ranges = findFormFields(body, new Set(fields));
    }
    return new BodyMembers(ranges ?? []);
  }

  /** Whether the bytes from `start` to `end` are within a member that has one of these names. */
  hold(fields: readonly string[], start: number, end: number): boolean {
    if (fields.length === 0) return false;
    const range = this.#lastFrom(start);
    return (
      range !== undefined &&
      end <= range.end &&
      range.fields.some((field) => fields.includes(field))
    );
  }

  /** Returns the last range that begins at or before a position: ranges are in order and do not overlap. */
  #lastFrom(position: number): MemberRange | undefined {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle];
      if (range !== undefined && range.start <= position) low = middle + 1;
      else high = middle;
    }
    return this.#ranges[low - 1];
  }
}

/** Returns the members as a tree: a plain name is a member of the document, the rest are pointers (RFC 6901). */
function wantedMembers(fields: readonly string[]): WantedMember {
  const root: WantedMember = { fields: [], members: new Map() };
  for (const field of fields) {
    let member = root;
    for (const name of pathOf(field)) {
      let next = member.members.get(name);
      if (next === undefined) {
        next = { fields: [], members: new Map() };
        member.members.set(name, next);
      }
      member = next;
    }
    member.fields.push(field);
  }
  return root;
}

function pathOf(field: string): readonly string[] {
  if (!field.startsWith("/")) return [field];
  return field
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}
