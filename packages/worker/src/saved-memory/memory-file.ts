import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { pageBytes } from "./migration-stream.ts";

/** A file with a machine's memory at the same offsets. Pages of zeros are holes in it. */
export interface MemoryFile {
  /** Writes a page; undefined means zeros. A page may be written again. */
  put(offset: number, bytes: Buffer | undefined): void;
  /** Writes what is pending. */
  flush(): void;
  close(): void;
}

/** The processes of machines that load it are in the group. */
const groupReads = 0o640;
/** Neighbouring pages are written together, up to this size. */
const runBytesMax = 1024 * 1024;

/**
 * Makes a new memory file. Writing is synchronous: it is a copy into the
 * page cache, and waiting for a thread per run would take longer.
 */
export function createMemoryFile(path: string, bytes: number): MemoryFile {
  const file = openSync(path, "wx", groupReads);
  const isWritten = new Uint8Array(bytes / pageBytes);
  const zeros = Buffer.alloc(pageBytes);
  const run = Buffer.allocUnsafe(runBytesMax);
  let runStart = 0;
  let runLength = 0;

  function flush(): void {
    for (let written = 0; written < runLength; ) {
      written += writeSync(file, run, written, runLength - written, runStart + written);
    }
    runLength = 0;
  }

  try {
    ftruncateSync(file, bytes);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  return {
    put(offset, bytes) {
      const page = offset / pageBytes;
      if (bytes === undefined && isWritten[page] === 0) return;
      isWritten[page] = 1;
      if (offset !== runStart + runLength || runLength === runBytesMax) flush();
      if (runLength === 0) runStart = offset;
      (bytes ?? zeros).copy(run, runLength);
      runLength += pageBytes;
    },
    flush,
    close: () => closeSync(file),
  };
}
