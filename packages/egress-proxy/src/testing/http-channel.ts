import { Duplex } from "node:stream";
import { ByteChannel } from "../http1/byte-channel.ts";

/** A channel that reads these parts, each as an arrival of its own, and then ends. */
export function channelOf(parts: readonly (Buffer | string)[]): ByteChannel {
  const left = parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part));
  const socket = new Duplex({
    read() {
      this.push(left.shift() ?? null);
    },
    write(_octets, _encoding, done) {
      done();
    },
  });
  return new ByteChannel(socket, { onActivity: ignore, onClosed: ignore });
}

function ignore(): void {
  // Nobody asks here what the connection does.
}
