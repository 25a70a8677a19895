import { Duplex } from "node:stream";
import { ByteChannel } from "../http1/byte-channel.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Splits bytes into parts of random length, some of them empty. */
export function splitAtRandom(bytes: Buffer, partMax: number, random: SeededRandom): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = random.below(partMax + 1);
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts;
}

/** A channel that receives these parts, one arrival each, and then ends. */
export function channelOf(parts: readonly (Buffer | string)[]): ByteChannel {
  const left = parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part));
  const socket = new Duplex({
    read() {
      this.push(left.shift() ?? null);
    },
    write(_bytes, _encoding, done) {
      done();
    },
  });
  return new ByteChannel(socket, { onActivity: ignore, onClosed: ignore });
}

function ignore(): void {
  // These tests do not observe the connection.
}
