import { BlockScanner, type ScanWork } from "../redaction/block-scanner.ts";
import { StreamRedactor } from "../redaction/stream-redactor.ts";
import { createValueSearch } from "../redaction/value-search.ts";

/** Holds bytes back and releases them, as {@link StreamRedactor} does. */
export interface Redactor {
  push(arrived: Buffer): readonly Buffer[];
  end(): readonly Buffer[];
}

/** A redactor of one value, with the counter of the work that it does. */
export interface RedactorUnderTest extends Redactor {
  readonly work: ScanWork;
}

export const token = `osb_sealed_${"a".repeat(32)}`;

/** The product's own redactor, searching for these values. */
export function redactorOf(...values: readonly string[]): RedactorUnderTest {
  const scanner = new BlockScanner();
  const search = createValueSearch(
    scanner,
    values.map((value, at) => ({ name: `KEY${at}`, token, value })),
  );
  const redactor = new StreamRedactor(
    () => search,
    () => undefined,
  );
  return {
    push: (arrived) => redactor.push(arrived),
    end: () => redactor.end(),
    work: scanner.work,
  };
}

/** All that can be observed of a redactor while these parts arrive: what is released when, and the work. */
export function observe(redactor: RedactorUnderTest, parts: readonly Buffer[]): string[] {
  const seen = parts.map((part) => leaving(redactor.push(part), redactor.work));
  seen.push(leaving(redactor.end(), redactor.work));
  return seen;
}

function leaving(left: readonly Buffer[], { blocks, lookups, comparedBytes }: ScanWork): string {
  const parts = left.map((part) => part.toString("latin1"));
  return JSON.stringify([parts, blocks, lookups, comparedBytes]);
}

/** Returns the bytes split at these positions. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places, bytes.length];
  return ends.map((end, at) => bytes.subarray(at === 0 ? 0 : ends[at - 1], end));
}
