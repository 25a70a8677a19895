import assert from "node:assert/strict";

/** A response as a guest received it, one character a byte. */
export interface ReceivedResponse {
  /** Status line and fields, without the empty line. */
  readonly head: string;
  /** The body as it was framed. */
  readonly body: string;
}

/** Splits all that arrived on a connection after its first head. */
export function splitResponse(received: string): ReceivedResponse {
  const end = received.indexOf("\r\n\r\n");
  assert.notEqual(end, -1, `no head has come to its end in ${JSON.stringify(received)}`);
  return { head: received.slice(0, end), body: received.slice(end + 4) };
}

export function bodyOf(received: string): string {
  return splitResponse(received).body;
}

export interface ChunkedBody {
  readonly chunks: readonly string[];
  readonly data: string;
  /** The trailer section, each line with its CRLF. */
  readonly trailers: string;
}

/** Reads a chunked body to its end, and refuses anything after it. */
export function readChunked(body: string): ChunkedBody {
  const chunks: string[] = [];
  for (let at = 0; ; ) {
    const lineEnd = body.indexOf("\r\n", at);
    assert.notEqual(lineEnd, -1, "the body does not end with a last chunk");
    const length = Number.parseInt(body.slice(at, lineEnd), 16);
    const from = lineEnd + 2;
    if (length === 0) {
      assert.ok(body.slice(from).endsWith("\r\n"), "the trailer section does not end");
      return { chunks, data: chunks.join(""), trailers: body.slice(from, -2) };
    }
    chunks.push(body.slice(from, from + length));
    assert.equal(body.slice(from + length, from + length + 2), "\r\n");
    at = from + length + 2;
  }
}
