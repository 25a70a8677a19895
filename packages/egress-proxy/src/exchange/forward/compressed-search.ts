import type { Compression } from "../../content-coding/create-decoder.ts";
import { ContentDecodingError, decodeBody } from "../../content-coding/decode-body.ts";
import { BodySubstituter } from "../../token-substitution/substitute-body.ts";
import type { TokenTable } from "../../token-substitution/token-table.ts";
import type { AuditRecord } from "../state/audit-record.ts";

/**
 * Looks for tokens in a compressed body that is passed on as it is: they stay
 * tokens, and are noted as withheld. What cannot be decoded, or is longer than the
 * bound, is passed on all the same, and the audit states it.
 */
export class CompressedSearch {
  readonly #arrived: (Buffer | null)[] = [];
  readonly #searching: Promise<void>;
  #wake: (() => void) | undefined;
  #taken: (() => void) | undefined;
  #isOver = false;
  #isClosed = false;
  readonly #audit: Pick<AuditRecord, "seen" | "unsearched">;

  constructor(
    compressions: readonly Compression[],
    tokens: TokenTable,
    audit: Pick<AuditRecord, "seen" | "unsearched">,
    decodedBytesMax: number,
  ) {
    this.#audit = audit;
    const substituter = new BodySubstituter(tokens, undefined, audit.seen);
    this.#searching = this.#search(compressions, substituter, decodedBytesMax);
  }

  /** Resolves when the next part may be pushed. */
  async push(part: Buffer): Promise<void> {
    await this.#give(part);
  }

  /** Ends the search of a body that is not passed on to its end. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
    this.#taken?.();
  }

  /** Resolves when all has been searched. */
  async end(): Promise<void> {
    await this.#give(null);
    await this.#searching;
  }

  async #give(part: Buffer | null): Promise<void> {
    if (this.#isOver || this.#isClosed) return;
    this.#arrived.push(part);
    this.#wake?.();
    if (part === null) return;
    await new Promise<void>((resolve) => {
      this.#taken = resolve;
    });
  }

  async #search(
    compressions: readonly Compression[],
    substituter: BodySubstituter,
    decodedBytesMax: number,
  ): Promise<void> {
    let bytes = 0;
    try {
      for await (const part of decodeBody({ read: () => this.#next() }, compressions)) {
        bytes += part.length;
        // What would be sent is of no interest here.
        for (const _piece of substituter.push(part));
        if (bytes <= decodedBytesMax) continue;
        this.#audit.unsearched(
          `only the first ${decodedBytesMax} bytes of the compressed request body were searched for tokens`,
        );
        break;
      }
    } catch (error) {
      if (this.#isClosed) return;
      // The body passes whatever it is, so that no error of its decoder is one of the exchange.
      const kind = error instanceof ContentDecodingError ? error.compression : "compressed data";
      this.#audit.unsearched(
        `the request body is not valid ${kind}, which its Content-Encoding names; only the part that could be decoded was searched for tokens`,
      );
    } finally {
      this.#isOver = true;
      this.#taken?.();
    }
  }

  async #next(): Promise<readonly Buffer[] | null> {
    this.#taken?.();
    this.#taken = undefined;
    if (this.#arrived.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    const part = this.#arrived.shift() ?? null;
    return part === null ? null : [part];
  }
}
