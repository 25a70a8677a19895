import type { Admission } from "../listeners/admission.ts";

function ignore(): void {
  // No connection has to make room.
}

/** A connection for which the sandbox has room. */
export const admitted: Admission = { isRefused: false, idle: ignore, busy: ignore };
/** One more than the sandbox may have. */
export const refusedAdmission: Admission = { ...admitted, isRefused: true };
