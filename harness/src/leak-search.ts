import { execFile } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { type FileHandle, mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { listEntries } from "./list-entries.ts";

const chunkBytes = 8 * 1024 * 1024;
const pageBytes = 4096;
/** stat(2), `st_blocks`. */
const blockBytes = 512;
const sparseBytesMin = 16 * 1024 * 1024;

/** Where a value was found, and in which form. */
export interface Leak {
  /** Which of the values that were searched for. */
  valueIndex: number;
  place: string;
  form: string;
  offset: number;
}

/** What a search went through, so that an empty result means something. */
export interface SearchResult {
  leaks: Leak[];
  bytesSearched: number;
}

interface Needle {
  form: string;
  bytes: Buffer;
}

/**
 * A value as text, as URLs and JSON write it, in hexadecimal, and as any base64
 * text that holds it would show it.
 */
export function formsOf(value: string): Needle[] {
  const bytes = Buffer.from(value);
  const hex = bytes.toString("hex");
  const written = [
    { form: "URL", text: encodeURIComponent(value) },
    { form: "form", text: new URLSearchParams({ "": value }).toString().slice(1) },
    { form: "JSON", text: JSON.stringify(value).slice(1, -1) },
  ].filter(({ text }) => text !== value);
  return [
    { form: "raw", bytes },
    ...written.map(({ form, text }) => ({ form, bytes: Buffer.from(text) })),
    { form: "UTF-16", bytes: Buffer.from(value, "utf16le") },
    { form: "hex", bytes: Buffer.from(hex) },
    { form: "HEX", bytes: Buffer.from(hex.toUpperCase()) },
    ...[0, 1, 2].map((alignment) => ({
      form: `base64 at ${alignment}`,
      bytes: Buffer.from(base64Core(bytes, alignment)),
    })),
  ];
}

/** Searches every file below a directory. */
export async function searchDirectory(directory: string, values: string[]): Promise<SearchResult> {
  const total: SearchResult = { leaks: [], bytesSearched: 0 };
  for await (const { path, isFile } of listEntries(directory)) {
    if (!isFile) continue;
    merge(total, await searchFile(path, values).catch(unlessRemoved(path)));
  }
  return total;
}

/** A file that is removed during the search holds nothing to find. */
function unlessRemoved(path: string): (error: unknown) => SearchResult {
  return (error) => {
    if (existsSync(path)) throw error;
    return { leaks: [], bytesSearched: 0 };
  };
}

/** Searches the bytes of one file; of a sparse one, without its holes. */
async function searchFile(path: string, values: string[]): Promise<SearchResult> {
  const total: SearchResult = { leaks: [], bytesSearched: 0 };
  for (const { start, length } of await listExtents(path)) {
    const search = createSearch(path, values, start);
    const range = { start, end: start + length - 1, highWaterMark: chunkBytes };
    for await (const chunk of createReadStream(path, range)) search.feed(chunk as Buffer);
    merge(total, search.result());
  }
  return total;
}

const extentsSchema = z.array(
  z.object({ start: z.int(), length: z.int().min(1), zero: z.boolean() }),
);

/** Where a file is not a hole. */
async function listExtents(path: string): Promise<{ start: number; length: number }[]> {
  const { size, blocks } = await stat(path);
  if (size === 0) return [];
  if (blocks * blockBytes >= size || size < sparseBytesMin) return [{ start: 0, length: size }];
  const args = ["map", "--force-share", "--format=raw", "--output=json", path];
  const { stdout } = await promisify(execFile)("qemu-img", args, { maxBuffer: 256 * 1024 * 1024 });
  return extentsSchema.parse(JSON.parse(stdout)).filter(({ zero }) => !zero);
}

/**
 * Searches a data directory with all that was saved in it: every file as it
 * is, memory and state streams too, and beside it what each disk image holds
 * for a guest, which may be compressed in the file.
 */
export async function searchSavedState(directory: string, values: string[]): Promise<SearchResult> {
  const total = await searchDirectory(directory, values);
  for await (const { path, isFile } of listEntries(directory)) {
    if (!isFile || !path.endsWith(".qcow2")) continue;
    const result = searchDisk(path, values, { alone: true });
    merge(total, await result.catch(unlessRemoved(path)));
  }
  return total;
}

/**
 * Searches what a guest sees of its disk, as raw bytes: the image with all
 * its backing files, or `alone`.
 */
export async function searchDisk(
  imagePath: string,
  values: string[],
  { alone = false } = {},
): Promise<SearchResult> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-disk-"));
  const raw = join(directory, "disk.raw");
  const file = { driver: "file", filename: imagePath };
  const source = alone
    ? `json:${JSON.stringify({ driver: "qcow2", file, backing: null })}`
    : imagePath;
  try {
    await promisify(execFile)("qemu-img", ["convert", "-U", "-O", "raw", source, raw]);
    const result = await searchFile(raw, values);
    return { ...result, leaks: result.leaks.map((leak) => ({ ...leak, place: imagePath })) };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/**
 * Searches every page that a process has in memory: for QEMU that is the
 * guest's memory too. Pages of a mapped file that it never touched are in the
 * file and not searched here.
 */
export async function searchProcessMemory(pid: number, values: string[]): Promise<SearchResult> {
  const total: SearchResult = { leaks: [], bytesSearched: 0 };
  const memory = await open(`/proc/${pid}/mem`);
  const pageMap = await open(`/proc/${pid}/pagemap`);
  try {
    for (const line of (await readFile(`/proc/${pid}/maps`, "utf8")).split("\n")) {
      const mapping = /^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+\s*(.*)$/.exec(line);
      const name = mapping?.[3] ?? "";
      // The kernel's own pages cannot be read through /proc and hold nothing of the process.
      if (
        mapping === null ||
        name === "[vvar]" ||
        name === "[vvar_vclock]" ||
        name === "[vsyscall]"
      ) {
        continue;
      }
      const start = Number.parseInt(mapping[1] ?? "", 16);
      const end = Number.parseInt(mapping[2] ?? "", 16);
      const search = createSearch(`memory of process ${pid} ${name}`, values);
      const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, end - start));
      for (let position = start; position < end; position += buffer.length) {
        const length = Math.min(buffer.length, end - position);
        if (!(await isAnyPagePresent(pageMap, position, length))) continue;
        const { bytesRead } = await memory.read(buffer, 0, length, position);
        search.feed(Buffer.from(buffer.subarray(0, bytesRead)));
      }
      merge(total, search.result());
    }
  } finally {
    await memory.close();
    await pageMap.close();
  }
  return total;
}

/** proc(5), `/proc/pid/pagemap`: 8 bytes a page, whose top two bits are set for a present and for a swapped one. */
async function isAnyPagePresent(
  pageMap: FileHandle,
  position: number,
  length: number,
): Promise<boolean> {
  const entries = Buffer.alloc(Math.ceil(length / pageBytes) * 8);
  await pageMap.read(entries, 0, entries.length, (position / pageBytes) * 8);
  for (let at = 7; at < entries.length; at += 8) {
    if ((entries.readUInt8(at) & 0xc0) !== 0) return true;
  }
  return false;
}

const zeros = Buffer.alloc(chunkBytes);

function createSearch(place: string, values: string[], firstOffset = 0) {
  const needles = values.flatMap((value, valueIndex) =>
    formsOf(value).map((needle) => ({ ...needle, valueIndex })),
  );
  const overlapBytes = Math.max(...needles.map((needle) => needle.bytes.length)) - 1;
  const leaks: Leak[] = [];
  let tail: Buffer = Buffer.alloc(0);
  let bytesSearched = 0;
  return {
    feed(chunk: Buffer) {
      // Of the holes of a sparse file only the edge can belong to a value.
      const isHole = zeros.compare(chunk, 0, chunk.length, 0, chunk.length) === 0;
      const window = Buffer.concat([tail, isHole ? chunk.subarray(0, overlapBytes) : chunk]);
      for (const { valueIndex, form, bytes } of needles) {
        const index = window.indexOf(bytes);
        if (index === -1) continue;
        leaks.push({
          valueIndex,
          place,
          form,
          offset: firstOffset + bytesSearched - tail.length + index,
        });
      }
      tail = window.subarray(Math.max(0, window.length - overlapBytes));
      bytesSearched += chunk.length;
    },
    result: (): SearchResult => ({ leaks, bytesSearched }),
  };
}

/** The characters of a base64 text that depend on the value alone, not on what surrounds it. */
function base64Core(bytes: Buffer, alignment: number): string {
  const padded = Buffer.concat([Buffer.alloc(alignment), bytes]);
  const firstWhole = alignment === 0 ? 0 : 4;
  const wholeGroups = Math.floor(padded.length / 3);
  return padded.toString("base64").slice(firstWhole, wholeGroups * 4);
}

function merge(total: SearchResult, part: SearchResult): void {
  total.leaks.push(...part.leaks);
  total.bytesSearched += part.bytesSearched;
}
