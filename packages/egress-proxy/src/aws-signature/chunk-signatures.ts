import { createHash, type Hash } from "node:crypto";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { AwsSignatureError } from "./aws-signature-error.ts";
import {
  type CredentialScope,
  scopeText,
  sha256,
  sha256OfNothing,
  signatureOf,
} from "./credential-scope.ts";
import { isSameSignature } from "./request-signature.ts";

/** One chain of signatures: each covers the one before it. */
interface Chain {
  readonly key: Buffer;
  /** The signature of the head. */
  readonly seed: string;
}

const lineFeed = 0x0a;
const lineBytesMax = 1024;
const trailerBytesMax = 8 * 1024;
const trailerSignatureName = "x-amz-trailer-signature";
const trailerLine = /^([^:\s]+):\s*(.*?)\s*$/;
const chunkLine = /^([0-9a-fA-F]{1,8});chunk-signature=([0-9a-f]{64})$/;

/**
 * Verifies the signatures of an `aws-chunked` body and replaces them, as the body
 * arrives in parts split anywhere. Its length does not change.
 *
 * The signature of a chunk is in front of its data, so a chunk is sent on once it
 * is complete and verified; `reserve` takes its bytes from what the sandbox may
 * have in memory.
 */
export class ChunkSignatures {
  readonly #time: string;
  readonly #scope: CredentialScope;
  readonly #hasTrailer: boolean;
  readonly #keys: { guest: Buffer; upstream: Buffer };
  readonly #reserve: (bytes: number) => boolean;
  #previous: { guest: string; upstream: string };
  #state: "size" | "data" | "data_end" | "trailer" | "last_line" | "done" = "size";
  #line = "";
  /** As the guest wrote it. */
  #size = "";
  #remaining = 0;
  #stated = "";
  #hash: Hash = createHash("sha256");
  #parts: Buffer[] = [];
  #trailers: string[] = [];
  #trailerBytes = 0;
  #reserved = 0;

  constructor(options: {
    readonly time: string;
    readonly scope: CredentialScope;
    readonly hasTrailer: boolean;
    readonly guest: Chain;
    readonly upstream: Chain;
    readonly reserve: (bytes: number) => boolean;
  }) {
    this.#time = options.time;
    this.#scope = options.scope;
    this.#hasTrailer = options.hasTrailer;
    this.#keys = { guest: options.guest.key, upstream: options.upstream.key };
    this.#previous = { guest: options.guest.seed, upstream: options.upstream.seed };
    this.#reserve = options.reserve;
  }

  /**
   * Yields what may be sent on, now that these bytes have arrived.
   *
   * @throws {AwsSignatureError}
   */
  *push(bytes: Buffer): Generator<Buffer, void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === "data") {
        const part = bytes.subarray(at, at + this.#remaining);
        this.#hash.update(part);
        this.#parts.push(part);
        this.#remaining -= part.length;
        at += part.length;
        if (this.#remaining === 0) this.#state = "data_end";
        continue;
      }
      const feed = bytes.indexOf(lineFeed, at);
      const end = feed === -1 ? bytes.length : feed + 1;
      if (this.#line.length + end - at > lineBytesMax) throw malformed("a line of it is too long");
      this.#line += bytes.toString("latin1", at, end);
      at = end;
      if (feed === -1) return;
      const line = this.#line;
      this.#line = "";
      yield* this.#takeLine(line, line.replace(/\r?\n$/, ""));
    }
  }

  /** @throws {AwsSignatureError} when the body ended before its last chunk. */
  end(): Iterable<Buffer> {
    const isComplete = this.#state === "done" || this.#state === "last_line";
    if (!isComplete || this.#line !== "") throw malformed("it ends before its last chunk");
    return [];
  }

  *#takeLine(line: string, text: string): Generator<Buffer, void> {
    switch (this.#state) {
      case "size":
        yield* this.#beginChunk(text);
        break;
      case "trailer":
        yield* this.#takeTrailer(line, text);
        break;
      case "data_end":
        if (text !== "") throw malformed("a chunk is longer than it states");
        yield this.#chunkLine(this.#hash.digest("hex"));
        yield* this.#parts;
        yield crlf;
        this.#parts = [];
        this.#hash = createHash("sha256");
        this.#state = "size";
        break;
      case "last_line":
        if (text !== "") throw malformed("its last chunk is not followed by an empty line");
        yield crlf;
        this.#state = "done";
        break;
      default:
        throw malformed("bytes follow its last chunk");
    }
  }

  *#beginChunk(text: string): Generator<Buffer, void> {
    const [, size, stated] = chunkLine.exec(text) ?? [];
    if (size === undefined || stated === undefined) {
      throw malformed("a chunk does not begin with SIZE;chunk-signature=SIGNATURE");
    }
    this.#size = size;
    this.#stated = stated;
    this.#remaining = Number.parseInt(size, 16);
    if (this.#remaining > 0) {
      this.#takeBudget(this.#remaining);
      this.#state = "data";
      return;
    }
    yield this.#chunkLine(sha256OfNothing);
    this.#state = this.#hasTrailer ? "trailer" : "last_line";
  }

  #takeBudget(bytes: number): void {
    const { awsChunkBytesMax } = serviceLimits;
    if (bytes > awsChunkBytesMax) {
      throw new AwsSignatureError(
        `A signed chunk has ${bytes} bytes, expected at most ${awsChunkBytesMax}: configure smaller chunks, or send the body unsigned (UNSIGNED-PAYLOAD)`,
        "too_large",
      );
    }
    if (bytes <= this.#reserved) return;
    if (!this.#reserve(bytes - this.#reserved)) {
      throw new AwsSignatureError(
        "The sandbox sends too many signed chunks at the same time: send fewer requests at a time, or smaller chunks",
        "busy",
      );
    }
    this.#reserved = bytes;
  }

  #chunkLine(hash: string): Buffer {
    const again = this.#next("PAYLOAD", [sha256OfNothing, hash], this.#stated, "a chunk");
    return Buffer.from(`${this.#size};chunk-signature=${again}\r\n`, "latin1");
  }

  *#takeTrailer(line: string, text: string): Generator<Buffer, void> {
    this.#trailerBytes += line.length;
    if (this.#trailerBytes > trailerBytesMax) throw malformed("its trailers are too long");
    const [, name, value] = trailerLine.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      if (text !== "") throw malformed("a trailer is not of the form name:value");
      yield Buffer.from(line, "latin1");
    } else if (name.toLowerCase() === trailerSignatureName) {
      const signed = sha256(this.#trailers.sort().join(""));
      const again = this.#next("TRAILER", [signed], value, "the trailers");
      yield Buffer.from(`${name}:${again}${line.slice(text.length)}`, "latin1");
      this.#state = "last_line";
    } else {
      this.#trailers.push(`${name.toLowerCase()}:${value}\n`);
      yield Buffer.from(line, "latin1");
    }
  }

  /** Verifies one signature of the guest's chain, and returns the same of the upstream's. */
  #next(kind: string, covered: readonly string[], stated: string, what: string): string {
    const sign = (key: Buffer, previous: string) =>
      signatureOf(
        key,
        [`AWS4-HMAC-SHA256-${kind}`, this.#time, scopeText(this.#scope), previous, ...covered].join(
          "\n",
        ),
      );
    const expected = sign(this.#keys.guest, this.#previous.guest);
    if (!isSameSignature(stated, expected)) {
      throw new AwsSignatureError(
        `The signature of ${what} of the body is not the one that the tokens of the secret give`,
      );
    }
    const again = sign(this.#keys.upstream, this.#previous.upstream);
    this.#previous = { guest: expected, upstream: again };
    return again;
  }
}

const crlf = Buffer.from("\r\n", "latin1");

function malformed(what: string): AwsSignatureError {
  return new AwsSignatureError(`The signed body is malformed: ${what}`);
}
