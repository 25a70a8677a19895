import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { pageBytes } from "./migration-stream.ts";

/** A file with a machine's memory, one octet for one. Pages of zeros are holes in it. */
export interface MemoryFile {
  /** Writes a page; undefined stands for zeros. A page may come again and replaces itself. */
  put(offset: number, octets: Buffer | undefined): void;
  /** Writes what is pending. */
  flush(): void;
  close(): void;
}

/** The process of a machine that is made of it is in the group. */
const groupReads = 0o640;
/** Neighbouring pages are written together, up to so many octets. */
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
    put(offset, octets) {
      const page = offset / pageBytes;
      if (octets === undefined && isWritten[page] === 0) return;
      isWritten[page] = 1;
      if (offset !== runStart + runLength || runLength === runBytesMax) flush();
      if (runLength === 0) runStart = offset;
      (octets ?? zeros).copy(run, runLength);
      runLength += pageBytes;
    },
    flush,
    close: () => closeSync(file),
  };
}
