import { OpenComputerError, Sandbox } from "@opencomputer/sdk";
import { z } from "zod";
import { asJson, defineTool, sandboxId, type Tool } from "./define-tool.ts";
import { readPart } from "./read-part.ts";

const readBytesDefault = 64 * 1024;
const readBytesMax = 1024 * 1024;
/** Content that one call writes, in characters; in JSON each may take six bytes. */
const writtenCharactersMax = 1024 * 1024;
/** Entries of a directory that one call lists. */
const listedEntriesMax = 1000;

const path = z.string().min(1).describe("Absolute, or relative to /home/sandbox");
const encoding = z
  .enum(["utf8", "base64"])
  .default("utf8")
  .describe("How the content is written here; base64 is for files that are no text");

const read = defineTool(
  {
    name: "read_file",
    description:
      "Reads a file of a sandbox, or a part of one. nextOffset is where the next part begins; null at the end of the file.",
    input: {
      sandboxId,
      path,
      encoding,
      offset: z.int().min(0).default(0).describe("First byte to read"),
      bytesMax: z.int().min(4).max(readBytesMax).default(readBytesDefault),
    },
    hints: { title: "Read a file", readOnlyHint: true },
  },
  async (input, connection) => {
    const sandbox = await Sandbox.connect(input.sandboxId, connection);
    const stream = await sandbox.files.readStream(input.path, connection);
    const isText = input.encoding === "utf8";
    const { bytes, nextOffset } = await readPart(stream, { ...input, isText });
    return [
      JSON.stringify({ path: input.path, bytes: bytes.length, nextOffset }),
      isText ? decodeText(bytes, input.path) : bytes.toString("base64"),
    ];
  },
);

const write = defineTool(
  {
    name: "write_file",
    description:
      "Writes a file of a sandbox, replacing an existing one, and creates missing directories.",
    input: { sandboxId, path, content: z.string().max(writtenCharactersMax), encoding },
    hints: { title: "Write a file", destructiveHint: true, idempotentHint: true },
  },
  async (input, connection) => {
    const bytes = Buffer.from(input.content, input.encoding);
    if (input.encoding === "base64" && bytes.toString("base64") !== input.content) {
      throw new OpenComputerError(
        "invalid_request",
        "The content is not base64: expected the alphabet of RFC 4648, section 4, with padding and no line breaks",
      );
    }
    const sandbox = await Sandbox.connect(input.sandboxId, connection);
    await sandbox.files.write(input.path, bytes, connection);
    return asJson({ path: input.path, bytes: bytes.length });
  },
);

const list = defineTool(
  {
    name: "list_files",
    description: `Lists a directory of a sandbox, at most ${listedEntriesMax} entries; sizes are in bytes.`,
    input: { sandboxId, path: path.default("/home/sandbox") },
    hints: { title: "List a directory", readOnlyHint: true },
  },
  async (input, connection) => {
    const sandbox = await Sandbox.connect(input.sandboxId, connection);
    const entries = await sandbox.files.list(input.path, connection);
    return asJson({
      entries: entries
        .slice(0, listedEntriesMax)
        .map(({ name, isDir, size }) => ({ name, isDir, size })),
      leftOut: Math.max(0, entries.length - listedEntriesMax),
    });
  },
);

export const fileTools: readonly Tool[] = [read, write, list];

function decodeText(bytes: Buffer, from: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new OpenComputerError(
      "invalid_request",
      `${from} is not UTF-8 text: read it with the encoding base64`,
      { cause },
    );
  }
}
