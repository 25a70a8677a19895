import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { workerCheckpointListSchema, workerSandboxListSchema } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { readRecord } from "./files/record-kind.ts";
import { runProgram } from "./process/run-program.ts";
import { savedManifestKind } from "./saved-machines/saved-manifest.ts";

import { startWorkerScene, type WorkerScene } from "./testing/worker-process.ts";

const fixture = new URL("./testing/data-directory-of-94da7af/data.tar.gz", import.meta.url);
const idOf = (name: string) => `sb-${name.padEnd(20, "a")}`;
const checkpoints = [
  "11111111-1111-4111-8111-111111111111",
  "22222222-2222-4222-8222-222222222222",
];
const versionSchema = z.looseObject({ version: z.int().optional() });

/** What the first release left on the disk; the README beside it describes how it was made. */
describe("a data directory of an older worker", () => {
  let scene: WorkerScene;
  let data: string;
  before(async () => {
    scene = await startWorkerScene({ installationId: "5a7e000a", block: "198.19.212.0/22" });
    data = await scene.makeDataDirectory();
    await runProgram("tar", ["--extract", "--gzip", "-f", fixture.pathname, "-C", data]);
  });
  after(async () => {
    await scene.stop("SIGTERM");
    await scene.close();
  });

  async function sandboxes() {
    const listed = workerSandboxListSchema.parse((await scene.call("GET", "/v1/sandboxes")).body);
    return Object.fromEntries(
      listed.map(({ sandboxId, state, memory, lostBecause }) => [
        sandboxId,
        [state, memory, lostBecause],
      ]),
    );
  }
  const versionOf = async (path: string) =>
    versionSchema.parse(JSON.parse(await readFile(path, "utf8"))).version;

  test("has nothing with a version, and all of it is adopted", async () => {
    const hibernated = join(data, "worker/hibernated");
    for (const name of await readdir(hibernated)) {
      assert.equal(await versionOf(join(hibernated, name, "saved.json")), undefined);
    }
    const layers = await scene.layers();
    await scene.start();
    assert.deepEqual(await sandboxes(), {
      [idOf("running")]: ["hibernated", "lost", "its machine ended by itself"],
      [idOf("hibernated")]: ["hibernated", "kept", null],
      [idOf("lost")]: ["hibernated", "lost", "its machine ended by itself"],
      [idOf("waking")]: ["hibernated", "kept", null],
    });
    const listed = (await scene.call("GET", "/v1/checkpoints")).body;
    assert.deepEqual(
      workerCheckpointListSchema
        .parse(listed)
        .map(({ checkpointId }) => checkpointId)
        .sort(),
      checkpoints,
    );
    assert.deepEqual((await scene.status()).quarantined, []);
    assert.deepEqual((await scene.layers()).sort(), layers.sort());
    assert.equal(await versionOf(join(hibernated, idOf("running"), "saved.json")), 2);
  });

  test("keeps the machine that saved memory loads into", async () => {
    const path = join(data, "worker/hibernated", idOf("hibernated"), "saved.json");
    const saved = await readRecord(path, savedManifestKind);
    assert.deepEqual([saved?.machineType, saved?.processorModel], ["q35", "max,erms=off"]);
  });

  test("loses nothing by what the worker cannot read, or that a later one wrote", async () => {
    await scene.stop("SIGTERM");
    const paths = {
      later: join(data, "worker/hibernated", idOf("hibernated")),
      damaged: join(data, "worker/checkpoints", checkpoints[0] ?? ""),
      machine: join(data, "worker/machines/00000000000000cc"),
    };
    const [manifest, damaged] = [
      join(paths.later, "saved.json"),
      join(paths.damaged, "saved.json"),
    ];
    const texts = [await readFile(manifest, "utf8"), await readFile(damaged, "utf8")] as const;
    await writeFile(manifest, texts[0].replace("{", '{ "version": 99,'));
    await writeFile(damaged, texts[1].slice(0, 40));
    await mkdir(paths.machine);
    await writeFile(join(paths.machine, "machine.json"), '{ "version": 99 }');
    await writeFile(join(data, "worker/layers/notes.txt"), "of the operator");
    await cp(join(data, "worker"), join(data, "before"), { recursive: true });
    await scene.start();
    assert.deepEqual(
      (await scene.status()).quarantined.toSorted(),
      Object.values(paths).toSorted(),
    );
    assert.deepEqual(Object.keys(await sandboxes()).sort(), [
      ...[idOf("lost"), idOf("running"), idOf("waking")],
    ]);
    await runProgram("diff", ["--recursive", join(data, "before"), join(data, "worker")]);
    assert.match(await scene.log(), /has version 99, and this worker reads versions up to 2/);

    await scene.stop("SIGTERM");
    await writeFile(manifest, texts[0]);
    await writeFile(damaged, texts[1]);
    await runProgram("rm", ["-r", paths.machine]);
    await scene.start();
    assert.deepEqual((await scene.status()).quarantined, []);
    assert.equal(Object.keys(await sandboxes()).length, 4);
    assert.ok((await scene.layers()).includes("notes.txt"), "what is not understood stays");
  });
});
