import { pageBytes } from "../saved-memory/migration-stream.ts";

export interface StreamPage {
  readonly block: string;
  readonly offset: number;
  /** Undefined for zeros. */
  readonly bytes: Buffer | undefined;
  /** The block's name is written although the page before is of the same block. */
  readonly isNamed?: boolean;
}

/** A machine's memory blocks as QEMU 7.2 lists them, smaller than they are. */
export const streamBlocks: readonly { name: string; bytes: number }[] = [
  { name: "memory0", bytes: 64 * pageBytes },
  { name: "0000:00:01.0/memory1", bytes: 32 * pageBytes },
  { name: "pc.bios", bytes: 16 * pageBytes },
  { name: "/rom@etc/acpi/tables", bytes: 4 * pageBytes },
];

/** What follows the memory: no one reads it on the way. */
export const streamDevices = Buffer.concat([
  Buffer.from([0x04, 0, 0, 0, 3, 5]),
  Buffer.from("timer"),
  Buffer.alloc(300, 0xa5),
  Buffer.from([0x7e, 0, 0, 0, 3, 0x00]),
]);

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function named(name: string): Buffer {
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name)]);
}

/** A page as it is encoded in a stream, after one of the block `before`. */
export function encodePage(page: StreamPage, before: string | undefined): Buffer {
  const isSame = before === page.block && page.isNamed !== true;
  const flags = (page.bytes === undefined ? 0x02 : 0x08) | (isSame ? 0x20 : 0);
  return Buffer.concat([
    u64(page.offset + flags),
    isSame ? Buffer.alloc(0) : named(page.block),
    page.bytes ?? Buffer.from([0]),
  ]);
}

/** The head and the list of blocks; pages follow. */
export function encodeHead(blocks = streamBlocks): Buffer {
  const machine = "pc-q35-7.2";
  return Buffer.concat([
    ...[Buffer.from("QEVM"), u32(3)],
    ...[Buffer.from([0x07]), u32(machine.length), Buffer.from(machine)],
    ...[Buffer.from([0x01]), u32(2), named("ram"), u32(0), u32(4)],
    u64(blocks.reduce((sum, { bytes }) => sum + bytes, 0) + 0x04),
    ...blocks.flatMap(({ name, bytes }) => [named(name), u64(bytes)]),
  ]);
}

/** Ends a section of memory. */
export const sectionEnd = Buffer.concat([u64(0x10), Buffer.from([0x7e]), u32(2)]);

/** A whole stream; `sections` are the pages of the first section of memory, of more, and of the last. */
export function encodeStream(sections: readonly (readonly StreamPage[])[]): Buffer {
  let before: string | undefined;
  const parts = [encodeHead()];
  for (const [index, pages] of sections.entries()) {
    const kind = index === sections.length - 1 ? 0x03 : 0x02;
    if (index > 0) parts.push(Buffer.from([kind]), u32(2));
    for (const page of pages) {
      parts.push(encodePage(page, before));
      before = page.block;
    }
    parts.push(sectionEnd);
  }
  return Buffer.concat([...parts, streamDevices]);
}
