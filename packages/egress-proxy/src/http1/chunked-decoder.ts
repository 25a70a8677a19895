import { serviceLimits } from "@opencomputer/protocol/wire";
import { type Field, parseFieldLines, refuseForbiddenBytes } from "../http/fields.ts";
import { HttpSyntaxError, malformed } from "../http/http-syntax-error.ts";

const lineFeed = 0x0a;
/** Longest line with the size and extensions of a chunk; extensions are dropped, so long ones are useless. */
const chunkLineBytesMax = 1024;
const chunkLinePattern = /^([0-9a-fA-F]{1,12})(?:;.*)?$/;

/**
 * Decodes a chunked body (RFC 9112 §7.1), fed with bytes split anywhere.
 *
 * Strict: every line ends in CRLF, no whitespace follows the size. Extensions
 * are dropped.
 */
export class ChunkedDecoder {
  #state: "size" | "data" | "data_end" | "trailers" | "done" = "size";
  #remaining = 0;
  #line = "";
  #trailerLines: string[] = [];
  #trailerBytes = 0;
  #trailers: readonly Field[] = [];
  readonly #readTrailerLine: (line: string) => string;

  /** `readTrailerLine` sees each line of the trailer section before it is parsed, and may change it. */
  constructor(readTrailerLine: (line: string) => string = (line) => line) {
    this.#readTrailerLine = readTrailerLine;
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /** The trailer fields, once done. */
  get trailers(): readonly Field[] {
    return this.#trailers;
  }

  /**
   * Reads from `bytes[from]` on, appends the body data to `data`, and returns
   * where it stopped: at the end of the bytes, or of the body.
   *
   * @throws {HttpSyntaxError}
   */
  push(bytes: Buffer, from: number, data: Buffer[]): number {
    let at = from;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(bytes.length, at + this.#remaining);
        data.push(bytes.subarray(at, end));
        this.#remaining -= end - at;
        at = end;
        if (this.#remaining === 0) this.#state = "data_end";
      } else {
        at = this.#readLine(bytes, at);
      }
    }
    return at;
  }

  #readLine(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(lineFeed, from);
    const upTo = end === -1 ? bytes.length : end + 1;
    if (this.#line.length + upTo - from > this.#lineBytesMax()) {
      throw new HttpSyntaxError("too_large", "a line of the chunked body is too long");
    }
    this.#line += bytes.toString("latin1", from, upTo);
    if (end === -1) return upTo;
    if (!this.#line.endsWith("\r\n")) throw malformed("a line of the chunked body lacks its CR");
    refuseForbiddenBytes(Buffer.from(this.#line, "latin1"));
    const line = this.#line.slice(0, -2);
    this.#line = "";
    this.#takeLine(line);
    return upTo;
  }

  #lineBytesMax(): number {
    if (this.#state === "data_end") return 2;
    if (this.#state === "size") return chunkLineBytesMax;
    return serviceLimits.httpHeadBytesMax - this.#trailerBytes;
  }

  #takeLine(line: string): void {
    if (this.#state === "data_end") {
      if (line !== "") throw malformed("chunk data is longer than its chunk size");
      this.#state = "size";
    } else if (this.#state === "size") {
      const [, digits] = chunkLinePattern.exec(line) ?? [];
      if (digits === undefined) throw malformed("a chunk size is not a hexadecimal number");
      this.#remaining = Number.parseInt(digits, 16);
      this.#state = this.#remaining === 0 ? "trailers" : "data";
    } else if (line === "") {
      this.#trailers = parseFieldLines(this.#trailerLines);
      this.#state = "done";
    } else {
      this.#trailerLines.push(this.#readTrailerLine(line));
      this.#trailerBytes += line.length + 2;
    }
  }
}
