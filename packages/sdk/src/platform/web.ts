import { OpenComputerError } from "../open-computer-error.ts";
import type { Fetch } from "./fetch.ts";
import type { LocalFile } from "./local-file.ts";

export { openSocket } from "./web-socket.ts";

export const platformFetch: Fetch = (url, init) => globalThis.fetch(url, init);

/** Returns nothing: in a browser the key and the URL are passed as options. */
export function readEnvironment(_name: string): string | undefined {
  return undefined;
}

export function readLocalFile(path: string): Uint8Array {
  throw needsNode(`read the local file ${path}: pass its content to addFile`);
}

export function listLocalFiles(directory: string): LocalFile[] {
  throw needsNode(`read the local directory ${directory}: pass its files to addFile`);
}

/** Throws: a browser computes digests only asynchronously. */
export function sha256Hex(_text: string): string {
  throw needsNode("compute a cache key: a snapshot's contentHash is the same");
}

function needsNode(what: string): OpenComputerError {
  return new OpenComputerError("invalid_request", `A browser cannot ${what}`);
}
