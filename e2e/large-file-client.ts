import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { Sandbox } from "@opencomputer/sdk";
import { z } from "zod";

/** A task of the client, one at a time; it responds with a {@link clientResultSchema}. */
const clientTaskSchema = z.object({
  apiUrl: z.string(),
  apiKey: z.string(),
  sandboxId: z.string(),
  direction: z.enum(["up", "down"]),
  /** By the SDK's streams with the key, or by a signed URL without one. */
  way: z.enum(["sdk", "signed URL"]),
  path: z.string(),
  bytes: z.number(),
});
export type ClientTask = z.infer<typeof clientTaskSchema>;

export const clientResultSchema = z.object({ sha256: z.string(), bytes: z.number() });

const blockBytes = 1024 * 1024;

// A program that moves large files, in a process of its own so that its memory can be measured apart.
process.on("message", (message) => {
  void perform(clientTaskSchema.parse(message)).then((result) => process.send?.(result));
});
process.on("disconnect", () => process.exit(0));

async function perform(task: ClientTask): Promise<z.infer<typeof clientResultSchema>> {
  const sandbox = await Sandbox.connect(task.sandboxId, {
    apiUrl: task.apiUrl,
    apiKey: task.apiKey,
  });
  const digest = createHash("sha256");
  let bytes = 0;
  const note = (part: Uint8Array) => {
    digest.update(part);
    bytes += part.length;
  };
  if (task.direction === "up") await upload(sandbox, task, note);
  else for await (const part of await download(sandbox, task)) note(part);
  return { sha256: digest.digest("hex"), bytes };
}

async function upload(
  sandbox: Sandbox,
  { way, path, bytes }: ClientTask,
  note: (part: Uint8Array) => void,
): Promise<void> {
  const content = blocks(bytes, note);
  if (way === "sdk") return sandbox.files.writeStream(path, content);
  const { url } = await sandbox.files.uploadUrl(path);
  // Without the last two options Node's fetch keeps a copy of the whole body.
  const response = await fetch(url, {
    method: "PUT",
    body: Readable.toWeb(Readable.from(content)),
    duplex: "half",
    redirect: "error",
    window: null,
  });
  if (response.status !== 204) throw new Error(`PUT returned ${response.status}`);
}

async function download(
  sandbox: Sandbox,
  { way, path }: ClientTask,
): Promise<AsyncIterable<Uint8Array>> {
  if (way === "sdk") return sandbox.files.readStream(path);
  const response = await fetch((await sandbox.files.downloadUrl(path)).url);
  if (response.status !== 200 || response.body === null) {
    throw new Error(`GET returned ${response.status}`);
  }
  return response.body;
}

/** Random bytes of which no two blocks are alike, so that one lost or doubled changes the sum. */
async function* blocks(bytes: number, note: (part: Uint8Array) => void) {
  const random = randomBytes(blockBytes);
  for (let at = 0; at < bytes; at += blockBytes) {
    const block = Buffer.from(random.subarray(0, Math.min(blockBytes, bytes - at)));
    block.writeUIntBE(at / blockBytes, 0, 6);
    note(block);
    yield block;
  }
}
