import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { encodeStream, streamBlocks } from "../testing/migration-streams.ts";
import { MigrationStreamError, pageBytes } from "./migration-stream.ts";
import { receiveState } from "./receive-state.ts";

const [block = { name: "", bytes: 0 }, other = block] = streamBlocks;
const page = { block: block.name, offset: 5 * pageBytes, bytes: Buffer.alloc(pageBytes, 9) };
const otherPage = { ...page, block: other.name };
const stream = encodeStream([[page], [otherPage]]);

describe("receiveState", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "state-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const paths = () => ({
    socketPath: join(directory, "socket"),
    memoryPath: join(directory, "memory"),
    statePath: join(directory, "state"),
  });
  const receive = () => receiveState({ ...paths(), block });
  async function openFiles(): Promise<string[]> {
    const names = await readdir("/proc/self/fd");
    // The one that lists them is gone again.
    const targets = names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ""));
    return (await Promise.all(targets)).filter((target) => target.startsWith(directory));
  }

  async function connect() {
    const socket = createConnection(paths().socketPath);
    // The other side may close it on what it gets.
    socket.on("error", () => socket.destroy());
    await once(socket, "connect");
    return socket;
  }

  test("takes a stream apart into two files, and leaves no socket", async () => {
    const receiver = await receive();
    assert.equal((await openFiles()).length, 2);
    (await connect()).end(stream);
    await receiver.received;
    await receiver.close();
    await receiver.close();
    const memory = await readFile(paths().memoryPath);
    const expected = Buffer.alloc(block.bytes);
    page.bytes.copy(expected, page.offset);
    assert.ok(memory.equals(expected));
    assert.ok((await readFile(paths().statePath)).equals(encodeStream([[], [otherPage]])));
    assert.deepEqual((await readdir(directory)).sort(), ["memory", "state"]);
    assert.equal((await stat(paths().memoryPath)).mode & 0o777, 0o640);
    assert.equal((await stat(paths().statePath)).mode & 0o777, 0o600);
    assert.deepEqual(await openFiles(), []);
  });

  const broken = [
    ["ends early", stream.subarray(0, 200), MigrationStreamError],
    ["is none", Buffer.alloc(100, 1), MigrationStreamError],
  ] as const;
  for (const [what, bytes, expected] of broken) {
    test(`a stream that ${what} is refused`, async () => {
      const receiver = await receive();
      (await connect()).end(bytes);
      await assert.rejects(receiver.received, expected);
      await receiver.close();
    });
  }

  test("a failure that is reported by `fail` ends the wait for a sender that never connects", async () => {
    const receiver = await receive();
    receiver.fail(new Error("QEMU could not connect"));
    await assert.rejects(receiver.received, /could not connect/);
    await receiver.close();
  });

  test("the first failure is reported", async () => {
    const receiver = await receive();
    (await connect()).end(Buffer.alloc(100, 1));
    await assert.rejects(receiver.received, MigrationStreamError);
    receiver.fail(new Error("QEMU lost its connection"));
    await assert.rejects(receiver.received, MigrationStreamError);
    await receiver.close();
  });

  test("a socket that an earlier worker left is replaced", async () => {
    await writeFile(paths().socketPath, "");
    const receiver = await receive();
    (await connect()).end(stream);
    await receiver.received;
    await receiver.close();
  });

  for (const name of ["memory", "state"]) {
    test(`a ${name} file that exists is not overwritten, and nothing stays open`, async () => {
      await writeFile(join(directory, name), "kept");
      await assert.rejects(receive(), { code: "EEXIST" });
      assert.deepEqual(await openFiles(), []);
      assert.equal(await readFile(join(directory, name), "utf8"), "kept");
    });
  }

  test("a directory that was removed fails at once, and nothing stays open", async () => {
    const socketPath = join(directory, "gone/socket");
    const options = { ...paths(), socketPath, userId: 0, block };
    await assert.rejects(receiveState(options), /listen/);
    assert.deepEqual(await openFiles(), []);
  });
});
