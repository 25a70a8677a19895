import { fieldValues } from "../../http/fields.ts";
import type { RequestHead } from "../../http/message-heads.ts";
import type { GuestSide } from "./guest-side.ts";

/** `Expect` of a request; undefined for one of HTTP/1.0, whose clients expect nothing (RFC 9110 §10.1.1). */
export function expectOf({ minorVersion, fields }: RequestHead): string | undefined {
  return minorVersion === 1 ? fieldValues(fields, "expect")[0] : undefined;
}

/** Sends `100 Continue` to a guest that waits for it, because the upstream receives the head only later. */
export function askForBody(guest: GuestSide, expect: string | undefined): void {
  if (expect?.toLowerCase() === "100-continue") guest.sendContinue();
}
