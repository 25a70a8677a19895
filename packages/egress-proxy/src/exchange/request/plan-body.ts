import { parseContentCodings } from "../../content-coding/content-codings.ts";
import type { Compression } from "../../content-coding/create-decoder.ts";
import { fieldValues } from "../../http/fields.ts";
import type { Framing, RequestHead } from "../../http/message-heads.ts";
import { type BodyForm, bodyFormFor, isText } from "../../token-substitution/body-form.ts";
import type { TokenTable } from "../../token-substitution/token-table.ts";

/** What may become of a request's body, by its head and the tokens that its host may receive. */
export interface BodyPlan {
  /** Whether the body is searched for tokens. */
  readonly searchesBody: boolean;
  /** The compressions to undo for that, in the order in which they were applied. */
  readonly bodyCompressions: readonly Compression[];
  /** Whether the body is in a coding that cannot be undone, so that tokens in it are not found. */
  readonly isBodyUnreadable: boolean;
  /** How values are written into the body; undefined when none is allowed in it. */
  readonly bodyForm: BodyForm | undefined;
  /** Whether a token may become its value anywhere in the body. */
  readonly changesBody: boolean;
  /** Whether a token may become its value in one member of the body, which has to be collected for that. */
  readonly editsBodyMembers: boolean;
  /** Whether the body is JSON, a form or other text, and no file. */
  readonly isTextBody: boolean;
  /** Whether a body that is too long to be measured keeps its length, although tokens in it stay tokens. */
  readonly keepsBodyLength: boolean;
}

const unsearched: BodyPlan = {
  searchesBody: false,
  bodyCompressions: [],
  isBodyUnreadable: false,
  bodyForm: undefined,
  changesBody: false,
  editsBodyMembers: false,
  isTextBody: false,
  keepsBodyLength: true,
};

/** The plan for a body that a signature covers: it is sent as it is, and its tokens are withheld. */
export function planSignedBody(plan: BodyPlan): BodyPlan {
  return {
    ...plan,
    bodyForm: undefined,
    changesBody: false,
    editsBodyMembers: false,
    keepsBodyLength: true,
  };
}

/**
 * Decides what becomes of a request's body.
 *
 * Text is a call of an API: its tokens are substituted throughout, and text that
 * is too long to be measured is sent without a length. Anything else, and
 * whatever a PUT stores, is a file: it keeps its length, because storage
 * services refuse one without (411, 501), and its tokens are substituted as far
 * as it can be measured.
 */
export function planBody(head: RequestHead, framing: Framing, tokens: TokenTable): BodyPlan {
  if (framing.kind === "none" || tokens.entries.size === 0) return unsearched;
  const codings = parseContentCodings(fieldValues(head.fields, "content-encoding"));
  const types = fieldValues(head.fields, "content-type");
  const mayChange = codings.kind !== "unknown" && !codings.hasOwnFraming;
  const isCompressed = codings.kind === "compressed";
  const bodyForm = mayChange ? bodyFormFor(types) : undefined;
  const isTextBody = isText(types);
  return {
    searchesBody: true,
    bodyCompressions: isCompressed && mayChange ? codings.compressions : [],
    isBodyUnreadable: codings.kind === "unknown" || (isCompressed && !mayChange),
    bodyForm,
    changesBody: bodyForm !== undefined && tokens.changesBodies,
    editsBodyMembers: (bodyForm === "json" || bodyForm === "form") && tokens.bodyFields.length > 0,
    isTextBody,
    keepsBodyLength: !isTextBody || head.method === "PUT",
  };
}
