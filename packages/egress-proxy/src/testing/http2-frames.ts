/** Types of frames of HTTP/2 (RFC 9113 §6), and of two extensions. */
export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
  altsvc: 10,
  origin: 12,
} as const;

export const frameFlags = { endStream: 1, ack: 1, endHeaders: 4, padded: 8 } as const;

/** What a client sends first. */
export const connectionPreface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Settings by identifier (RFC 9113 §6.5.2, RFC 8441 §3). */
export const settingIds = {
  headerTableSize: 1,
  initialWindowSize: 4,
  enableConnectProtocol: 8,
} as const;

const headerBytes = 9;
const windowBytesMax = 2 ** 31 - 1;
const initialConnectionWindowBytes = 65_535;

/** One frame as bytes. */
export function frameOf(
  type: number,
  { flags = 0, stream = 0 }: { readonly flags?: number; readonly stream?: number },
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * settings.length);
  for (const [at, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, 6 * at);
    payload.writeUInt32BE(value, 6 * at + 2);
  }
  return frameOf(frameTypes.settings, {}, payload);
}

export function windowUpdateFrame(stream: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frameOf(frameTypes.windowUpdate, { stream }, payload);
}

export function resetFrame(stream: number, code: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frameOf(frameTypes.rstStream, { stream }, payload);
}

export function dataFrame(stream: number, data: Buffer, flags = 0): Buffer {
  return frameOf(frameTypes.data, { stream, flags }, data);
}

export type FieldList = readonly (readonly [name: string, value: string])[];

/** A header section in one frame. */
export function headersFrame(stream: number, fields: FieldList, flags = 0): Buffer {
  return frameOf(
    frameTypes.headers,
    { stream, flags: flags | frameFlags.endHeaders },
    headerBlock(fields),
  );
}

/** Fields as literals without indexing, which are the same wherever they occur (RFC 7541 §6.2.2). */
export function headerBlock(fields: FieldList): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]),
  );
}

/** A string without Huffman coding (RFC 7541 §5.2). */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** An integer whose first byte has a prefix of so many bits (RFC 7541 §5.1). */
export function integer(value: number, prefixBits: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.of(value);
  const bytes = [most];
  let left = value - most;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  return Buffer.from([...bytes, left]);
}

/** What a client sends before its first request, with windows that nothing exhausts. */
export function clientBeginning(): Buffer {
  return Buffer.concat([
    connectionPreface,
    settingsFrame([[settingIds.initialWindowSize, windowBytesMax]]),
    windowUpdateFrame(0, windowBytesMax - initialConnectionWindowBytes),
  ]);
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Cuts what a side has sent into its frames; the last one may be missing its end. */
export function readFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      stream: bytes.readUInt32BE(at + 5) & windowBytesMax,
      payload: bytes.subarray(at + headerBytes, at + headerBytes + length),
    });
    at += headerBytes + length;
  }
  return frames;
}
