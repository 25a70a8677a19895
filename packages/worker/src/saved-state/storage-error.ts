import { WireError } from "@opencomputer/protocol";
import { hasCode } from "../process/process-identity.ts";

const noSpaceCodes = ["ENOSPC", "EDQUOT"];
/** How the programs that are run here say it. */
const noSpaceMessages = /No space left on device|Disk quota exceeded/;

function tellsOfFullDisk(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof WireError) return false;
  if (noSpaceCodes.some((code) => hasCode(error, code))) return true;
  return noSpaceMessages.test(error.message) || tellsOfFullDisk(error.cause);
}

/** A full disk as the error that callers see; any other error as it is. */
export function asStorageError(error: unknown): unknown {
  if (!tellsOfFullDisk(error)) return error;
  return new WireError(
    "host_storage_full",
    "The host's disk is full: nothing was saved and the sandbox is as it was; free space in the data directory",
    { cause: error },
  );
}
