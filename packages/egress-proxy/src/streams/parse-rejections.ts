/** A connection that the packet filter rejected. */
export interface Rejection {
  /** The address that its sandbox's packets come from. */
  readonly sourceAddress: string;
  readonly port: number;
}

/** Constants of linux/netfilter/nfnetlink.h and nfnetlink_log.h. Lengths and types are in the byte order of the host: little-endian. */
const packetMessage = 4 << 8;
const payloadAttribute = 9;
const messageHeadBytes = 16;
const netfilterHeadBytes = 4;
const attributeHeadBytes = 4;
const tcpProtocol = 6;

/**
 * Parses one datagram of netfilter's log: each message has the beginning of a
 * packet, which a guest wrote. Skips what is not the beginning of a TCP segment
 * over IPv4. Never throws.
 */
export function parseRejections(datagram: Buffer): readonly Rejection[] {
  return blocksOf(datagram, messageHeadBytes, (at) => datagram.readUInt32LE(at)).flatMap(
    (message) => {
      if (message.readUInt16LE(4) !== packetMessage) return [];
      const body = message.subarray(messageHeadBytes + netfilterHeadBytes);
      const attributes = blocksOf(body, attributeHeadBytes, (at) => body.readUInt16LE(at));
      const payload = attributes.find((found) => found.readUInt16LE(2) === payloadAttribute);
      const rejection = payload && parsePacket(payload.subarray(attributeHeadBytes));
      return rejection === undefined ? [] : [rejection];
    },
  );
}

/** Blocks that begin with their length and are padded to four bytes. */
function blocksOf(
  bytes: Buffer,
  headBytes: number,
  readLength: (at: number) => number,
): readonly Buffer[] {
  const blocks: Buffer[] = [];
  let at = 0;
  while (at + headBytes <= bytes.length) {
    const length = readLength(at);
    if (length < headBytes || at + length > bytes.length) break;
    blocks.push(bytes.subarray(at, at + length));
    at += (length + 3) & ~3;
  }
  return blocks;
}

/** The source and the destination port (RFC 791, RFC 9293). */
function parsePacket(packet: Buffer): Rejection | undefined {
  if (packet.length < 20 || packet.readUInt8(0) >> 4 !== 4) return undefined;
  const headBytes = (packet.readUInt8(0) & 0xf) * 4;
  if (packet.readUInt8(9) !== tcpProtocol || packet.length < headBytes + 4) return undefined;
  const sourceAddress = packet.subarray(12, 16).join(".");
  return { sourceAddress, port: packet.readUInt16BE(headBytes + 2) };
}
