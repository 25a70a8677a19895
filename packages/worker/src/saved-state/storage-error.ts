import { WireError } from "@opencomputer/protocol";
import { hasCode } from "../process/process-identity.ts";

const noSpaceCodes = ["ENOSPC", "EDQUOT"];

/** A full disk as the error that callers see; any other error as it is. */
export function asStorageError(error: unknown): unknown {
  if (!noSpaceCodes.some((code) => hasCode(error, code))) return error;
  return new WireError(
    "host_storage_full",
    "The host's disk is full: nothing was saved and the sandbox is as it was; free space in the data directory",
    { cause: error },
  );
}
