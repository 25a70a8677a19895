import { type FileHandle, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { sandboxIdPattern } from "@opencomputer/protocol/api";

const ownerOnly = 0o600;
const lineFeed = 0x0a;
const withoutSandbox = "no-sandbox";
const fileNamePattern = /^(?:sb-[a-z2-7]{20}|no-sandbox)(\.1)?\.jsonl$/;

/** The name of a sandbox's audit files. An id that is not of the product's own form names no file. */
export function auditNameOf(sandboxId: string | null): string {
  return sandboxId !== null && sandboxIdPattern.test(sandboxId) ? sandboxId : withoutSandbox;
}

/** The generation of an audit file, by its name; undefined for other files. */
export function auditGenerationOf(fileName: string): "current" | "former" | undefined {
  const match = fileNamePattern.exec(fileName);
  if (match === null) return undefined;
  return match[1] === undefined ? "current" : "former";
}

/**
 * Appends whole lines to the current file of a name. A file that would grow
 * beyond its bound replaces the former one, so a sandbox that writes much loses
 * its own oldest lines.
 *
 * A write that fails, on a full disk for instance, leaves no part of a line.
 */
export async function appendAuditLines(
  directory: string,
  name: string,
  text: string,
  fileBytesMax: number,
): Promise<void> {
  const path = join(directory, `${name}.jsonl`);
  const { size } = await withFile(path, (file) => file.stat());
  if (size > 0 && size + Buffer.byteLength(text) > fileBytesMax) {
    await rename(path, join(directory, `${name}.1.jsonl`));
  }
  await withFile(path, async (file) => {
    const before = (await file.stat()).size;
    try {
      await file.appendFile((await endsInsideLine(file, before)) ? `\n${text}` : text);
    } catch (error) {
      await file.truncate(before);
      throw error;
    }
  });
}

/** Whether the file ends with a part of a line, as after a crash: the next line must not join it. */
async function endsInsideLine(file: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  return last[0] !== lineFeed;
}

async function withFile<Result>(
  path: string,
  use: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  const file = await open(path, "a+", ownerOnly);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
