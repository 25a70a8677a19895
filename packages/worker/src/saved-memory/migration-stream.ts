/**
 * QEMU's migration stream, as far as is needed to take the
 * pages of one memory block out of it. Integers are big-endian.
 *
 *     "QEVM" version:u32                                     the head
 *     0x07 length:u32 name                                   the machine's type
 *     0x01 id:u32 length:u8 name instance:u32 version:u32    the memory's first section:
 *          blocks pages 0x7e id:u32                          its blocks, then pages
 *     0x02 id:u32 pages 0x7e id:u32                          more pages, any number of times
 *     0x03 id:u32 pages 0x7e id:u32                          the last pages
 *     …                                                      the devices, up to the end
 *
 * A page is a u64, its offset with flags in the low bits, the block's name
 * unless it is that of the previous page, and what the flags announce.
 *
 * @see https://www.qemu.org/docs/master/devel/migration/main.html
 */
export interface StreamSink {
  /** A page of the block that is taken out; undefined for zeros. The bytes are valid during the call. */
  page(offset: number, bytes: Buffer | undefined): void;
  /** Bytes of the stream that remains. They are valid during the call. */
  rest(bytes: Buffer): void;
}

export interface StreamSplitter {
  /** Adds the next bytes. @throws {MigrationStreamError} */
  push(bytes: Buffer): void;
  /** @throws {MigrationStreamError} when the stream ended before its devices. */
  end(): void;
}

/** QEMU's stream is not as expected: what was saved cannot be used. */
export class MigrationStreamError extends Error {
  constructor(message: string) {
    super(`QEMU's migration stream: ${message}`);
    this.name = "MigrationStreamError";
  }
}

export const pageBytes = 4096;
const magic = 0x5145564d;
const streamVersion = 3;
const machineNameBytesMax = 256;
const blocksMax = 64;
const mark = { start: 1, part: 2, end: 3, configuration: 7, footer: 0x7e } as const;
const flag = { zero: 0x02, blockList: 0x04, page: 0x08, end: 0x10, sameBlock: 0x20 } as const;
const two32 = 2 ** 32;

/**
 * Splits a stream into the pages of the block `blockName`, and the rest,
 * which QEMU loads when that block's memory is in place already.
 */
export function createStreamSplitter(
  block: { readonly name: string; readonly bytes: number },
  sink: StreamSink,
): StreamSplitter {
  let chunk: Buffer = Buffer.alloc(0);
  let position = 0;
  let isPastMemory = false;
  /** The block of the previous page: in the stream that comes in, and in the rest. */
  let comingBlock: string | undefined;
  let remainingBlock: string | undefined;

  function* take(count: number): Generator<void, Buffer, void> {
    while (chunk.length - position < count) yield;
    position += count;
    return chunk.subarray(position - count, position);
  }

  function* keep(count: number): Generator<void, Buffer, void> {
    const taken = yield* take(count);
    sink.rest(taken);
    return taken;
  }

  function* keepName(): Generator<void, string, void> {
    const length = (yield* keep(1)).readUInt8(0);
    return (yield* keep(length)).toString("latin1");
  }

  function* parse(): Generator<void, void, void> {
    const head = yield* keep(8);
    if (head.readUInt32BE(0) !== magic || head.readUInt32BE(4) !== streamVersion) {
      throw new MigrationStreamError(`expected one of version ${streamVersion}`);
    }
    const machine = yield* keep(5);
    const nameBytes = machine.readUInt32BE(1);
    if (machine.readUInt8(0) !== mark.configuration || nameBytes > machineNameBytesMax) {
      throw new MigrationStreamError("expected the machine's type after the head");
    }
    yield* keep(nameBytes);
    const start = yield* keep(5);
    const sectionId = start.readUInt32BE(1);
    if (start.readUInt8(0) !== mark.start || (yield* keepName()) !== "ram") {
      throw new MigrationStreamError("expected the memory before everything else");
    }
    yield* keep(8);
    yield* parseBlockList();
    for (let isLast = false; ; ) {
      yield* parsePages();
      const footer = yield* keep(5);
      if (footer.readUInt8(0) !== mark.footer || footer.readUInt32BE(1) !== sectionId) {
        throw new MigrationStreamError("a section of memory does not end where its pages do");
      }
      if (isLast) break;
      const next = yield* keep(5);
      const kind = next.readUInt8(0);
      if ((kind !== mark.part && kind !== mark.end) || next.readUInt32BE(1) !== sectionId) {
        throw new MigrationStreamError(`expected more memory, found a section of kind ${kind}`);
      }
      isLast = kind === mark.end;
    }
    isPastMemory = true;
  }

  function* parseBlockList(): Generator<void, void, void> {
    const total = yield* keep(8);
    if (total.readUInt32BE(4) % pageBytes !== flag.blockList) {
      throw new MigrationStreamError("expected the list of memory blocks");
    }
    let left = readOffset(total);
    let found = false;
    for (let count = 0; left > 0; count += 1) {
      const name = yield* keepName();
      const bytes = readNumber(yield* keep(8));
      left -= bytes;
      found ||= name === block.name && bytes === block.bytes;
      if (count === blocksMax || left < 0) throw new MigrationStreamError("too many memory blocks");
    }
    if (!found) {
      throw new MigrationStreamError(
        `expected a memory block ${block.name} of ${block.bytes} bytes`,
      );
    }
  }

  function* parsePages(): Generator<void, void, void> {
    for (;;) {
      const header = Buffer.from(yield* take(8));
      const flags = header.readUInt32BE(4) % pageBytes;
      if (flags === flag.end) return sink.rest(header);
      const kind = flags & ~flag.sameBlock;
      if (kind !== flag.zero && kind !== flag.page) {
        throw new MigrationStreamError(`a page has the flags 0x${flags.toString(16)}`);
      }
      if ((flags & flag.sameBlock) === 0) {
        const length = (yield* take(1)).readUInt8(0);
        comingBlock = (yield* take(length)).toString("latin1");
      }
      const payload = yield* take(kind === flag.zero ? 1 : pageBytes);
      if (kind === flag.zero && payload[0] !== 0) {
        throw new MigrationStreamError("a page that should be zeros has other content");
      }
      if (comingBlock === undefined) throw new MigrationStreamError("a page is of no block");
      if (comingBlock !== block.name) {
        keepPage(header, kind, comingBlock, payload);
        continue;
      }
      const offset = readOffset(header);
      if (offset >= block.bytes)
        throw new MigrationStreamError("a page is beyond the end of its block");
      sink.page(offset, kind === flag.zero ? undefined : payload);
    }
  }

  /** Between two pages that remain, pages of another block may have been taken out. */
  function keepPage(header: Buffer, kind: number, name: string, payload: Buffer): void {
    const isSame = remainingBlock === name;
    const offsetBits = header.readUInt32BE(4) - (header.readUInt32BE(4) % pageBytes);
    header.writeUInt32BE(offsetBits + kind + (isSame ? flag.sameBlock : 0), 4);
    sink.rest(header);
    if (!isSame) sink.rest(Buffer.from([name.length, ...Buffer.from(name, "latin1")]));
    remainingBlock = name;
    sink.rest(payload);
  }

  const parsing = parse();
  return {
    push(bytes) {
      if (isPastMemory) return sink.rest(bytes);
      chunk = position === chunk.length ? bytes : Buffer.concat([chunk.subarray(position), bytes]);
      position = 0;
      parsing.next();
      if (isPastMemory && position < chunk.length) sink.rest(chunk.subarray(position));
    },
    end() {
      if (!isPastMemory) throw new MigrationStreamError("it ended within the memory");
    },
  };
}

function readNumber(bytes: Buffer): number {
  return bytes.readUInt32BE(0) * two32 + bytes.readUInt32BE(4);
}

/** The low bits of an offset carry flags. */
function readOffset(bytes: Buffer): number {
  const value = readNumber(bytes);
  return value - (bytes.readUInt32BE(4) % pageBytes);
}
