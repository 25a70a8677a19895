import assert from "node:assert/strict";
import { test } from "node:test";
import { limits, sandboxTagsSchema, tagKeysSchema } from "@opencomputer/protocol/api";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeTags(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("tags", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async () =>
      `/api/sandboxes/${(await call("POST", "/api/sandboxes")).json.sandboxID}`;

    test("a new sandbox has none, and they have never changed", async () => {
      const path = await create();
      assert.deepEqual((await call("GET", `${path}/tags`)).json, {
        tags: {},
        tagsLastUpdatedAt: null,
      });
    });

    test("PUT replaces the whole map, and get and list show it", async () => {
      const path = await create();
      const first = await call("PUT", `${path}/tags`, { body: { team: "a", "env:x.y_z-1": "" } });
      assert.equal(first.status, 200);
      const response = sandboxTagsSchema.strict().parse(first.json);
      assert.deepEqual(response.tags, { team: "a", "env:x.y_z-1": "" });
      assert.ok(response.tagsLastUpdatedAt !== null);
      await call("PUT", `${path}/tags`, { body: { tags: "a key like any other" } });
      const tags = { tags: "a key like any other" };
      assert.deepEqual((await call("GET", `${path}/tags`)).json.tags, tags);
      assert.deepEqual((await call("GET", path)).json.tags, tags);
      const rows = (await call("GET", "/api/sandboxes")).json;
      const row = rows.find(({ sandboxID }: { sandboxID: string }) => path.endsWith(sandboxID));
      assert.deepEqual(row.tags, tags);
      assert.deepEqual((await call("PUT", `${path}/tags`, { body: {} })).json.tags, {});
    });

    test("the same tags again do not move the time of the change; others do", async () => {
      const path = `${await create()}/tags`;
      const put = async (body: unknown) =>
        (await call("PUT", path, { body })).json.tagsLastUpdatedAt;
      const first = await put({ a: "1", b: "2" });
      await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(await put({ b: "2", a: "1" }), first);
      assert.notEqual(await put({ a: "1" }), first);
    });

    test("PATCH sets tags, removes those that are null and keeps the others", async () => {
      const path = `${await create()}/tags`;
      const patch = async (body: unknown) => (await call("PATCH", path, { body })).json;
      await call("PUT", path, { body: { team: "a", env: "dev", old: "x" } });
      const changed = sandboxTagsSchema
        .strict()
        .parse(await patch({ env: "", new: "null", old: null, absent: null }));
      assert.deepEqual(changed.tags, { team: "a", env: "", new: "null" });
      assert.deepEqual((await call("GET", path)).json, changed);
      for (const same of [{}, { team: "a", absent: null }]) {
        assert.deepEqual(await patch(same), changed);
      }
      assert.deepEqual((await patch({ team: null, env: null, new: null })).tags, {});
    });

    test("of many changes at the same time none is lost", async () => {
      const path = `${await create()}/tags`;
      const changes = Array.from({ length: 20 }, (_, index) => ({ [`k${index}`]: "v" }));
      await Promise.all(changes.map((body) => call("PATCH", path, { body })));
      assert.deepEqual((await call("GET", path)).json.tags, Object.assign({}, ...changes));
    });

    test("changes past the limit are 400 limit_exceeded and change nothing; in place of others they are made", async () => {
      const path = `${await create()}/tags`;
      const full = entries(limits.tagsPerSandboxMax);
      await call("PUT", path, { body: full });
      const over = await call("PATCH", path, { body: { more: "v", k0: "changed" } });
      assert.deepEqual([over.status, over.json.code], [400, "limit_exceeded"]);
      assert.match(over.json.error, new RegExp(`${limits.tagsPerSandboxMax} of`));
      assert.deepEqual((await call("GET", path)).json.tags, full);
      const removed = Object.fromEntries(Object.keys(full).map((key) => [key, null]));
      const others = Object.fromEntries(Object.keys(full).map((key) => [`other-${key}`, "v"]));
      const replaced = await call("PATCH", path, { body: { ...removed, ...others } });
      assert.deepEqual([replaced.status, replaced.json.tags], [200, others]);
    });

    const entries = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"]));
    const accepted: [string, Record<string, unknown>][] = [
      ["as many as the limit", entries(limits.tagsPerSandboxMax)],
      ["the longest key", { ["k".repeat(limits.tagKeyCharactersMax)]: "v" }],
      ["the longest value", { k: "v".repeat(limits.tagValueCharactersMax) }],
    ];
    for (const [what, body] of accepted) {
      test(`${what} is taken`, async () => {
        const response = await call("PUT", `${await create()}/tags`, { body });
        assert.deepEqual([response.status, response.json.tags], [200, body]);
      });
    }
    const refused: [string, unknown][] = [
      ["one tag too many", entries(limits.tagsPerSandboxMax + 1)],
      ["a key that is too long", { ["k".repeat(limits.tagKeyCharactersMax + 1)]: "v" }],
      ["an empty key", { "": "v" }],
      ["a key with a space", { "a b": "v" }],
      ["a key with a letter that is not ASCII", { ä: "v" }],
      ["a value that is too long", { k: "v".repeat(limits.tagValueCharactersMax + 1) }],
      ["a value that is no text", { k: 1 }],
      ["a value with NUL", { k: "\0" }],
      ["a list", ["k"]],
      ["null", null],
      ["no body", undefined],
    ];
    const refusedChanges: [string, unknown][] = [
      ["one change too many", entries(limits.tagChangesPerRequestMax + 1)],
      ...refused.filter(([what]) => what !== "one tag too many"),
    ];
    for (const [what, body] of refusedChanges) {
      test(`${what} is 400 for PATCH and changes nothing`, async () => {
        const path = `${await create()}/tags`;
        await call("PUT", path, { body: { kept: "yes" } });
        const response = await call("PATCH", path, { body });
        assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
        assert.deepEqual((await call("GET", path)).json.tags, { kept: "yes" });
      });
    }
    for (const [what, body] of refused) {
      test(`${what} is 400 and changes nothing`, async () => {
        const path = `${await create()}/tags`;
        await call("PUT", path, { body: { kept: "yes" } });
        const response = await call("PUT", path, { body });
        assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
        assert.deepEqual((await call("GET", path)).json.tags, { kept: "yes" });
      });
    }
  });

  describeWithInstallation("keys of tags", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);

    test("are those of one's own running sandboxes, counted", async () => {
      assert.equal((await call("GET", "/api/tags")).text, '{"keys":[]}');
      const key = await installation().secondOrgKey();
      const make = async (tags: Record<string, string>, options: { key?: string } = {}) => {
        const { sandboxID } = (await call("POST", "/api/sandboxes", options)).json;
        await call("PUT", `/api/sandboxes/${sandboxID}/tags`, { body: tags, ...options });
        return sandboxID;
      };
      await make({ team: "a", Env: "prod" });
      await make({ team: "a" });
      await make({ team: "b" });
      const killed = await make({ gone: "x" });
      await call("DELETE", `/api/sandboxes/${killed}`);
      await make({ foreign: "x", team: "c" }, { key });
      const { keys } = tagKeysSchema.strict().parse((await call("GET", "/api/tags")).json);
      assert.deepEqual(keys, [
        { key: "Env", sandboxCount: 1, valueCount: 1 },
        { key: "team", sandboxCount: 3, valueCount: 2 },
      ]);
      const foreign = (await call("GET", "/api/tags", { key })).json.keys;
      assert.deepEqual(
        foreign.map((row: { key: string }) => row.key),
        ["foreign", "team"],
      );
    });
  });
}
