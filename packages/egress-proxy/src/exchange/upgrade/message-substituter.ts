import { isUtf8 } from "node:buffer";
import { sealedToken } from "@opencomputer/protocol/wire";
import type { BodyForm } from "../../token-substitution/body-form.ts";
import { BodyMembers } from "../../token-substitution/body-members.ts";
import { findJsonStrings, type WantedMember } from "../../token-substitution/json-strings.ts";
import type { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import { BodySubstituter } from "../../token-substitution/substitute-body.ts";
import type { TokenTable } from "../../token-substitution/token-table.ts";
import type { MessageTransform } from "../../websocket/frame.ts";
import type { CollectedBytes } from "./collected-bytes.ts";

/** The beginning of a JSON object or array. */
const jsonBeginning = /^[\t\n\r ]*[[{]/;
const beginningBytes = 64;
const nothingWanted: WantedMember = { fields: [], members: new Map() };

/**
 * Substitutes tokens in one text message of a guest, as in a body.
 *
 * A message is collected, because only the whole of it shows whether it is
 * JSON: there a value is escaped and placements may name members. Any other text
 * gets values as they are. A message that is longer than may be collected passes
 * as it arrives; what it begins with decides how values are written into it, and
 * no token that is limited to members becomes its value.
 */
export class MessageSubstituter implements MessageTransform {
  readonly #table: TokenTable;
  readonly #seen: SeenSecrets;
  readonly #collected: CollectedBytes;
  /** Present once the message passes as it arrives. */
  #streaming: BodySubstituter | undefined;

  constructor(table: TokenTable, seen: SeenSecrets, collected: CollectedBytes) {
    this.#table = table;
    this.#seen = seen;
    this.#collected = collected;
    if (!table.changesBodies && table.bodyFields.length === 0) {
      this.#streaming = new BodySubstituter(table, undefined, seen);
    }
  }

  *push(bytes: Buffer): Generator<Buffer, void> {
    if (this.#streaming === undefined) {
      if (this.#collected.add(bytes)) return;
      const beginning = this.#collected.take();
      this.#streaming = new BodySubstituter(
        this.#table,
        formOfBeginning(beginning.length > 0 ? beginning : bytes),
        this.#seen,
      );
      yield* this.#streaming.push(beginning);
    }
    yield* this.#streaming.push(bytes);
  }

  *end(): Generator<Buffer, void> {
    if (this.#streaming === undefined) yield* this.#substituteWhole(this.#collected.take());
    else yield* this.#streaming.end();
  }

  *#substituteWhole(message: Buffer): Generator<Buffer, void> {
    if (!message.includes(sealedToken.prefix)) {
      yield message;
      return;
    }
    const form = isJson(message) ? "json" : "utf8";
    const { bodyFields } = this.#table;
    const members = bodyFields.length > 0 ? BodyMembers.find(message, form, bodyFields) : undefined;
    const substituter = new BodySubstituter(this.#table, form, this.#seen, members);
    yield* substituter.push(message);
    yield* substituter.end();
  }
}

function formOfBeginning(message: Buffer): BodyForm {
  return jsonBeginning.test(message.toString("latin1", 0, beginningBytes)) ? "json" : "utf8";
}

/** Whether all of a message is one JSON text, which every parser reads in the same way. */
function isJson(message: Buffer): boolean {
  return isUtf8(message) && findJsonStrings(message, nothingWanted) !== undefined;
}
