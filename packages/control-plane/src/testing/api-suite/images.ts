import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, test } from "node:test";
import { limits } from "@opencomputer/protocol/api";
import { eq } from "../../database/query-builder.ts";
import { images, sandboxes, snapshots } from "../../database/schema.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const run = (...commands: string[]) => ({ type: "run", args: { commands } });
const image = (...steps: unknown[]) => ({ base: "base", steps });

interface ServerSentEvent {
  name: string | undefined;
  data: { step?: number; type?: string; message?: string; error?: string; code?: string };
}

/** The events of a response, which must be framed as the contract has it. */
function readEvents(text: string): ServerSentEvent[] {
  assert.ok(text.endsWith("\n\n"));
  return text
    .slice(0, -2)
    .split("\n\n")
    .filter((frame) => frame !== ": keepalive")
    .map((frame) => {
      const { name, data } =
        /^event: (?<name>build_log|result|error)\ndata: (?<data>.+)$/.exec(frame)?.groups ?? {};
      assert.ok(data !== undefined, frame);
      return { name, data: JSON.parse(data) };
    });
}

export function describeImages(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("images and snapshots", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const streamed = { headers: { accept: "text/event-stream" } };
    const createSnapshot = (name: string, manifest: unknown, options: object = {}) =>
      call("POST", "/api/snapshots", { body: { name, image: manifest }, ...options });
    const createSandbox = (body: unknown, options: object = {}) =>
      call("POST", "/api/sandboxes", { body, ...options });
    const builders = () =>
      installation().database.select().from(sandboxes).where(eq(sandboxes.purpose, "builder"));
    /** The scripts that builders have run, without what cleans up after them. */
    const scripts: string[] = [];
    const recordScripts = () => {
      installation().worker.run = (_machine, { args }) => {
        const script = args?.at(-2) ?? "";
        if (!script.includes("apt-get clean")) scripts.push(script);
        return { exitCode: 0, stdout: `ran ${script}\n`, stderr: "" };
      };
    };
    afterEach(() => {
      scripts.length = 0;
      installation().worker.run = () => ({ exitCode: 0, stdout: "", stderr: "" });
      installation().worker.before = async () => undefined;
    });

    /** Holds builders in the middle of a step until the returned function is called. */
    function holdBuilds(): () => void {
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      installation().worker.run = async (_machine, { cmd, args }) => {
        if (cmd !== "sudo") return { exitCode: 0, stdout: "", stderr: "" };
        scripts.push(args?.at(-2) ?? "");
        await released;
        return { exitCode: 0, stdout: "", stderr: "" };
      };
      return release;
    }

    test("a snapshot is built step by step, and nothing but its image is left", async () => {
      const { worker } = installation();
      recordScripts();
      const manifest = image(
        { type: "apt_install", args: { packages: ["git"] } },
        run("echo one", "echo two"),
        { type: "env", args: { vars: { MODE: "image" } } },
        { type: "workdir", args: { path: "/app" } },
      );
      const { status, json } = await createSnapshot("first", manifest);
      assert.equal(status, 201, JSON.stringify(json));
      const { id, orgId, createdAt, ...rest } = json;
      assert.match(`${id} ${orgId}`, /^[0-9a-f-]{36} [0-9a-f-]{36}$/);
      assert.ok(Date.parse(createdAt) > 0);
      assert.deepEqual(rest, {
        name: "first",
        contentHash: createHash("sha256").update(JSON.stringify(manifest)).digest("hex"),
        manifest,
        status: "ready",
        lastUsedAt: null,
      });
      assert.equal(scripts.length, 4);
      assert.match(scripts[0] ?? "", /apt-get \$options update\napt-get .*install.* -- 'git'$/);
      assert.deepEqual(scripts.slice(1, 3), ["echo one", "echo two"]);
      assert.equal(worker.checkpoints.size, 1);
      assert.equal(worker.machines.size, 0);
      assert.deepEqual(await builders(), []);
      assert.deepEqual((await call("GET", "/api/snapshots")).json, [json]);
      assert.deepEqual((await call("GET", "/api/snapshots/first")).json, json);
    });

    test("snapshots of any size are listed by name, each with its manifest", async () => {
      const content = Buffer.alloc(2 * 1024 * 1024, "a").toString("base64");
      for (const name of ["list-b", "list-c", "list-a"]) {
        const file = { type: "add_file", args: { path: `/${name}`, content, encoding: "base64" } };
        assert.equal((await createSnapshot(name, image(file))).status, 201);
      }
      const { json, headers } = await call("GET", "/api/snapshots");
      assert.equal(headers.get("content-type"), "application/json; charset=utf-8");
      const names = json.map(({ name }: { name: string }) => name);
      assert.deepEqual(names, names.toSorted());
      for (const name of ["list-a", "list-b", "list-c"]) {
        const one = (await call("GET", `/api/snapshots/${name}`)).json;
        assert.deepEqual(json[names.indexOf(name)], one);
        assert.equal(one.manifest.steps[0].args.content, content);
        assert.equal((await call("DELETE", `/api/snapshots/${name}`)).status, 204);
      }
    });

    test("a sandbox starts from the image, with its variables and working directory", async () => {
      const { worker } = installation();
      const { id: storeId } = (await call("POST", "/api/secret-stores", { body: { name: "s" } }))
        .json;
      await call("PUT", `/api/secret-stores/${storeId}/secrets/KEY`, { body: { value: "v" } });
      const vars = { KEY: "image", MODE: "image", OTHER: "image" };
      const manifest = image(
        { type: "env", args: { vars } },
        { type: "workdir", args: { path: "/app" } },
      );
      await createSnapshot("with-env", manifest);
      const body = { snapshot: "with-env", secretStore: "s", envs: { MODE: "caller" } };
      const { json } = await createSandbox(body);
      const machine = worker.machines.get(json.sandboxID);
      const row = (await call("GET", "/api/snapshots/with-env")).json;
      assert.ok(Date.parse(row.lastUsedAt) > 0);
      assert.ok(worker.checkpoints.has(machine?.request.checkpointId ?? ""));
      assert.equal(machine?.request.egressMode, "intercepted");
      const { KEY, ...plain } = machine?.request.envs ?? {};
      assert.match(KEY ?? "", /^osb_sealed_/);
      assert.deepEqual(plain, { MODE: "caller", OTHER: "image" });
      let cwd: unknown;
      worker.run = (_machine, command) => {
        cwd = command.cwd;
        return { exitCode: 0, stdout: "", stderr: "" };
      };
      await call("POST", `/api/sandboxes/${json.sandboxID}/exec/run`, { body: { cmd: "pwd" } });
      assert.equal(cwd, "/app");
      await call("POST", `/api/sandboxes/${json.sandboxID}/exec/run`, {
        body: { cmd: "pwd", cwd: "/tmp" },
      });
      assert.equal(cwd, "/tmp");
      await call("POST", `/api/sandboxes/${json.sandboxID}/exec/run`, {
        body: { cmd: "pwd", cwd: "" },
      });
      assert.equal(cwd, "/app", "an empty one is none");
      await call("DELETE", `/api/sandboxes/${json.sandboxID}`);
    });

    test("a project or store that does not exist is refused before anything is built", async () => {
      recordScripts();
      for (const [name, code] of [
        ["secretStore", "secret_store_not_found"],
        ["project", "project_not_found"],
      ] as const) {
        const body = { image: image(run(`never ${name}`)), [name]: "absent" };
        const { status, json } = await createSandbox(body);
        assert.deepEqual([status, json.code], [400, code]);
      }
      assert.deepEqual(scripts, []);
    });

    test("the log comes as events; the second time it is a cache hit", async () => {
      recordScripts();
      const manifest = image(run("make"), { type: "env", args: { vars: { A: "1" } } });
      const first = await createSnapshot("logged", manifest, streamed);
      assert.equal(first.status, 200);
      assert.match(first.headers.get("content-type") ?? "", /^text\/event-stream/);
      const events = readEvents(first.text);
      assert.deepEqual(
        events.slice(1, -3).map(({ name, data }) => [name, data]),
        [
          ["build_log", { step: 1, type: "run", message: "Step 1/2: run make" }],
          ["build_log", { step: 1, type: "output", message: "ran make" }],
          ["build_log", { step: 1, type: "run", message: "Step 1/2 completed" }],
          ["build_log", { step: 2, type: "env", message: "Step 2/2: env A" }],
          ["build_log", { step: 2, type: "env", message: "Step 2/2 completed" }],
        ],
      );
      const last = events.at(-1);
      assert.equal(last?.name, "result");
      assert.deepEqual(last?.data, (await call("GET", "/api/snapshots/logged")).json);

      const second = readEvents((await createSnapshot("again", manifest, streamed)).text);
      assert.deepEqual(
        second.map(({ name, data }) => [name, data.type]),
        [
          ["build_log", "cache_hit"],
          ["result", undefined],
        ],
      );
      assert.equal(scripts.length, 1);
      const sandbox = await createSandbox({ image: manifest }, streamed);
      const created = readEvents(sandbox.text).at(-1)?.data;
      assert.ok(created !== undefined && "sandboxID" in created);
      const plain = await createSandbox({}, streamed);
      assert.equal(plain.status, 201);
      assert.equal(scripts.length, 1);
    });

    test("many who ask for one image share its build, and all hear it from the start", async () => {
      const release = holdBuilds();
      const manifest = image(run("shared"));
      const first = createSnapshot("shared-0", manifest, streamed);
      await eventually(() => scripts.includes("shared"), "the build runs");
      const others = [1, 2, 3].map((n) => createSnapshot(`shared-${n}`, manifest, streamed));
      const sandbox = createSandbox({ image: manifest }, streamed);
      await eventually(
        async () => (await call("GET", "/api/snapshots/shared-3")).status === 200,
        "the others wait",
      );
      release();
      for (const { text } of await Promise.all([first, ...others, sandbox])) {
        const events = readEvents(text);
        assert.equal(events.at(-1)?.name, "result");
        assert.ok(events.some(({ data }) => data.message === "Step 1/1: run shared"));
      }
      assert.equal(scripts.filter((script) => script === "shared").length, 1);
    });

    test("a failed step reports which, its command, exit code and output, and leaves nothing", async () => {
      const { worker, database } = installation();
      worker.run = (_machine, { args }) =>
        args?.at(-2) === "fail"
          ? { exitCode: 3, stdout: "progress\nthe reason\n", stderr: "" }
          : { exitCode: 0, stdout: "", stderr: "" };
      const before = worker.checkpoints.size;
      const manifest = image(run("fine"), run("fine", "fail"));
      const { status, json } = await createSnapshot("failing", manifest);
      assert.deepEqual([status, json.code], [422, "image_build_failed"]);
      assert.match(
        json.error,
        /^Step 2\/2 \(run\) failed: fail ended with exit code 3:\nprogress\nthe reason$/,
      );
      assert.deepEqual(
        [json.details.step, json.details.command, json.details.exitCode],
        [2, "fail", 3],
      );
      const events = readEvents((await createSandbox({ image: manifest }, streamed)).text);
      assert.deepEqual([events.at(-1)?.name, events.at(-1)?.data.code], ["error", json.code]);
      assert.equal(events.at(-1)?.data.error, json.error);
      assert.ok(events.some(({ data }) => data.message === "the reason"));

      const { contentHash } = (await createSnapshot("failing", manifest)).json;
      assert.equal(contentHash, undefined);
      assert.equal((await call("GET", "/api/snapshots/failing")).status, 404);
      assert.equal(worker.checkpoints.size, before);
      assert.match(
        installation().recorded(),
        /"step":2,"type":"run","msg":"an image was not built"/,
      );
      assert.deepEqual(await builders(), []);
      const rows = await database.select().from(images).where(eq(images.state, "building"));
      assert.deepEqual(rows, []);
    });

    test("a checkpoint that cannot be saved leaves nothing either", async () => {
      const { worker } = installation();
      const before = worker.checkpoints.size;
      worker.before = async (step) => {
        if (step === "checkpoint") throw new Error("no space");
      };
      const { status } = await createSnapshot("unsaved", image(run("unsaved")));
      assert.ok(status >= 400);
      assert.equal(worker.checkpoints.size, before);
      assert.deepEqual(await builders(), []);
    });

    test("?async=1 responds at once; the row has the outcome, and a failed name can be used again", async () => {
      const release = holdBuilds();
      const begun = await call("POST", "/api/snapshots?async=1", {
        body: { name: "later", image: image(run("later")) },
      });
      assert.deepEqual([begun.status, begun.json.status], [202, "building"]);
      const used = createSandbox({ snapshot: "later" });
      release();
      assert.equal((await used).status, 201);
      await eventually(
        async () => (await call("GET", "/api/snapshots/later")).json.status === "ready",
        "it is ready",
      );

      installation().worker.run = () => ({ exitCode: 1, stdout: "broken\0\n", stderr: "" });
      await call("POST", "/api/snapshots?async=1", {
        body: { name: "broken", image: image(run("broken")) },
      });
      await eventually(
        async () => (await call("GET", "/api/snapshots/broken")).json.status === "failed",
        "it has failed",
      );
      assert.match(
        (await call("GET", "/api/snapshots/broken")).json.failure,
        /Step 1\/1 .*broken\ufffd/s,
      );
      const refused = await createSandbox({ snapshot: "broken" });
      assert.deepEqual([refused.status, refused.json.code], [409, "snapshot_not_ready"]);
      installation().worker.run = () => ({ exitCode: 0, stdout: "", stderr: "" });
      assert.equal((await createSnapshot("broken", image(run("mended")))).status, 201);
    });

    test("what cannot be is refused before anything is built", async () => {
      const { worker } = installation();
      const events = worker.events.length;
      for (const [manifest, status, code] of [
        [image(run("x")), 409, "name_in_use"],
        [{ base: "other", steps: [] }, 400, "invalid_request"],
        [
          image({ type: "apt_install", args: { packages: ["-o Debug=1"] } }),
          400,
          "invalid_request",
        ],
        [image({ type: "apt_install", args: { packages: [] } }), 400, "invalid_request"],
        [image(run("a\0b")), 400, "invalid_request"],
        [image({ type: "env", args: { vars: { "A B": "1" } } }), 400, "invalid_request"],
        [
          image({
            type: "add_dir",
            args: { path: "/d", files: [{ relativePath: "../x", content: "" }] },
          }),
          400,
          "invalid_request",
        ],
        [image({ type: "shell", args: {} }), 400, "invalid_request"],
        [{ ...image(), builderMemoryMB: 1 }, 400, "invalid_request"],
      ] as const) {
        const response = await createSnapshot("first", manifest);
        assert.deepEqual([response.status, response.json.code], [status, code], response.text);
      }
      const both = await createSandbox({ snapshot: "first", image: image() });
      assert.equal(both.status, 400);
      const unknown = await createSandbox({ snapshot: "unknown" }, streamed);
      assert.equal(readEvents(unknown.text).at(-1)?.data.code, "snapshot_not_found");
      for (const [field, code] of [
        ["snapshot", "snapshot_not_found"],
        ["secretStore", "secret_store_not_found"],
        ["project", "project_not_found"],
      ] as const) {
        const refused = await createSandbox({ [field]: "unknown" });
        assert.deepEqual([refused.status, refused.json.code], [400, code]);
        assert.match(refused.json.error, /^(snapshot|secret store|project) not found: unknown$/);
      }
      for (const method of ["GET", "DELETE"] as const) {
        const absent = await call(method, "/api/snapshots/unknown");
        assert.deepEqual([absent.status, absent.json.code], [404, "not_found"]);
      }
      assert.equal(worker.events.length, events);
    });

    test("a name may be anything of at most 128 characters that a URL can contain", async () => {
      for (const name of ["a/b ?#%", "ü".repeat(limits.objectNameCharactersMax), "...", ".a"]) {
        assert.equal((await createSnapshot(name, image())).status, 201);
        const path = `/api/snapshots/${encodeURIComponent(name)}`;
        assert.equal((await call("GET", path)).json?.name, name);
        assert.equal((await call("DELETE", path)).status, 204);
        assert.equal((await call("GET", path)).status, 404);
      }
      for (const name of ["x".repeat(129), "", ".", ".."]) {
        assert.equal((await createSnapshot(name, image())).status, 400, name);
      }
    });

    test("a build that nobody waits for any more is given up; one with a snapshot continues", async () => {
      const { worker } = installation();
      const before = worker.checkpoints.size;
      let release = holdBuilds();
      const gone = new AbortController();
      const given = createSandbox({ image: image(run("given up")) }, { signal: gone.signal });
      await eventually(() => scripts.includes("given up"), "it is being built");
      gone.abort();
      await assert.rejects(given);
      await eventually(async () => (await builders()).length === 0, "its builder was removed");
      release();
      assert.equal(worker.checkpoints.size, before);

      release = holdBuilds();
      const left = new AbortController();
      const leaving = createSnapshot("kept", image(run("kept")), { signal: left.signal });
      await eventually(() => scripts.includes("kept"), "it is being built");
      left.abort();
      await assert.rejects(leaving);
      release();
      await eventually(
        async () => (await call("GET", "/api/snapshots/kept")).json.status === "ready",
        "it is ready",
      );
    });

    test("a snapshot that is deleted during its build is built for nobody", async () => {
      const release = holdBuilds();
      const creating = createSnapshot("deleted", image(run("deleted")));
      await eventually(() => scripts.includes("deleted"), "it is being built");
      const waiting = call("POST", "/api/sandboxes", { body: { snapshot: "deleted" } });
      await eventually(async () => {
        const { json } = await call("GET", "/api/snapshots/deleted");
        return json.lastUsedAt !== null;
      }, "a create waits for it");
      assert.equal((await call("DELETE", "/api/snapshots/deleted")).status, 204);
      const told = await creating;
      for (const { status, json } of [told, await waiting]) {
        assert.deepEqual([status, json.code], [409, "snapshot_not_ready"]);
        assert.match(json.error, /^Snapshot "deleted" was deleted while it was being built\. /);
      }
      await eventually(async () => (await builders()).length === 0, "its builder was removed");
      release();
    });

    test("builders are not listed, not counted, and not found", async () => {
      const release = holdBuilds();
      const creating = createSnapshot("hidden", image(run("hidden")));
      await eventually(() => scripts.includes("hidden"), "it is being built");
      const [builder] = await builders();
      assert.ok(builder !== undefined);
      for (const status of ["", "running", "stopped"]) {
        const { json } = await call("GET", `/api/sandboxes?status=${status}`);
        const ids = json.map(({ sandboxID }: { sandboxID: string }) => sandboxID);
        assert.ok(!ids.includes(builder.id));
      }
      for (const [method, route, body] of [
        ["GET", "", undefined],
        ["DELETE", "", undefined],
        ["POST", "/exec/run", { cmd: "env" }],
        ["POST", "/timeout", { timeout: 1 }],
      ] as const) {
        const response = await call(method, `/api/sandboxes/${builder.id}${route}`, { body });
        assert.equal(response.status, 404, method + route);
      }
      release();
      assert.equal((await creating).status, 201);
    });

    test(`an org builds ${limits.imageBuildsPerOrgMax} images at once; another org has its own`, async () => {
      const release = holdBuilds();
      const key = await installation().secondOrgKey();
      const building = Array.from({ length: limits.imageBuildsPerOrgMax }, (_, n) =>
        createSnapshot(`at-once-${n}`, image(run(`at once ${n}`))),
      );
      await eventually(
        () => scripts.length === limits.imageBuildsPerOrgMax,
        "as many as the limit are under way",
      );
      const over = await createSnapshot("over", image(run("over")));
      assert.deepEqual([over.status, over.json.code], [429, "too_many_requests"]);
      const other = createSnapshot("at-once-0", image(run("at once 0")), { key });
      await eventually(
        () => scripts.length === limits.imageBuildsPerOrgMax + 1,
        "the other org builds the same",
      );
      release();
      for (const response of await Promise.all([...building, other])) {
        assert.equal(response.status, 201);
      }
    });

    test("files get into the image, from the bytes of the manifest", async () => {
      const { worker } = installation();
      const content = Buffer.from([0, 255, 10]);
      const staged = new Map<string, string>();
      worker.run = (machine) => {
        for (const [path, bytes] of machine.files) staged.set(path, bytes.toString("hex"));
        return { exitCode: 0, stdout: "", stderr: "" };
      };
      const base64 = content.toString("base64");
      const files = [
        { relativePath: "a/b", content: base64 },
        { relativePath: "c", content: "" },
      ];
      await createSnapshot(
        "files",
        image(
          { type: "add_file", args: { path: "f", content: base64, encoding: "base64" } },
          { type: "add_dir", args: { path: "/d", files } },
        ),
      );
      assert.deepEqual(
        [...staged.entries()].map(([path, hex]) => [path.split("/").slice(-2).join("/"), hex]),
        [
          ["opencomputer-build/file", "00ff0a"],
          ["a/b", "00ff0a"],
          ["tree/c", ""],
        ],
      );
    });

    test("large manifests are taken, up to their own limit", async () => {
      const content = Buffer.alloc(8 * 1024 * 1024, "x").toString("base64");
      const step = { type: "add_file", args: { path: "/f", content, encoding: "base64" } };
      assert.equal((await createSnapshot("large", image(step))).status, 201);
      const rawBody = "x".repeat(limits.manifestBytesMax + 1);
      const over = await call("POST", "/api/snapshots", { rawBody });
      assert.deepEqual([over.status, over.json.code], [413, "body_too_large"]);
      assert.match(over.json.error, /67108864 bytes.*an image/);
    });

    test("an image that the worker has lost is built again", async () => {
      const { worker } = installation();
      recordScripts();
      const manifest = image(run("lost"));
      await createSnapshot("lost", manifest);
      worker.checkpoints.clear();
      await worker.restart();
      await eventually(
        async () => (await installation().database.select().from(images)).length === 0,
        "the lost images are forgotten",
      );
      assert.equal((await createSandbox({ snapshot: "lost" })).status, 201);
      assert.equal(scripts.filter((script) => script === "lost").length, 2);
    });

    test("an image stays for a while without its snapshot, and sandboxes of it run on", async () => {
      const { worker, database } = installation();
      recordScripts();
      const manifest = image(run("cached"));
      const { contentHash } = (await createSnapshot("cached", manifest)).json;
      const { sandboxID } = (await createSandbox({ snapshot: "cached" })).json;
      await call("DELETE", "/api/snapshots/cached");
      await createSnapshot("cached-again", manifest);
      assert.equal(scripts.length, 1);
      await call("DELETE", "/api/snapshots/cached-again");
      const lastUsedAt = new Date(Date.now() - (limits.cachedImageIdleSecondsMax + 60) * 1000);
      const [row] = await database
        .update(images)
        .set({ lastUsedAt })
        .where(eq(images.contentHash, contentHash))
        .returning();
      assert.ok(row !== undefined);
      await installation().restart();
      await eventually(() => !worker.checkpoints.has(row.checkpointId), "the image is deleted");
      assert.equal((await call("GET", `/api/sandboxes/${sandboxID}`)).json.status, "running");
    });

    test("a build of an earlier process is removed, and its snapshot has why it failed", async () => {
      const { worker, database } = installation();
      await createSnapshot("interrupted", image(run("interrupted")));
      const { sandboxID } = (await createSandbox({})).json;
      await database
        .update(sandboxes)
        .set({ purpose: "builder" })
        .where(eq(sandboxes.id, sandboxID));
      const { contentHash } = (await call("GET", "/api/snapshots/interrupted")).json;
      await database
        .update(snapshots)
        .set({ status: "building" })
        .where(eq(snapshots.name, "interrupted"));
      await database
        .update(images)
        .set({ state: "building" })
        .where(eq(images.contentHash, contentHash));
      await installation().restart();
      await eventually(() => !worker.machines.has(sandboxID), "the builder was removed");
      assert.deepEqual(await builders(), []);
      const row = (await call("GET", "/api/snapshots/interrupted")).json;
      assert.equal(row.status, "failed");
      assert.match(row.failure, /stopped during the build/);
      assert.equal((await createSnapshot("interrupted", image(run("interrupted")))).status, 201);
    });

    test("a control plane that ends in the middle of a build leaves nothing of it", async () => {
      const release = holdBuilds();
      const creating = createSnapshot("ending", image(run("ending")));
      await eventually(() => scripts.includes("ending"), "it is being built");
      await installation().restart();
      release();
      assert.match((await creating).json.error, /stopped during the build/);
      assert.deepEqual(await builders(), []);
      assert.equal((await call("GET", "/api/snapshots/ending")).status, 404);
    });
  });
}
