import assert from "node:assert/strict";
import { test } from "node:test";
import { limits, setSecretResponseSchema } from "@opencomputer/protocol/api";
import type { TestInstallation } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const strongValue = "sk-9fK2mQx7Lw4RbT8vZc1N";

/** What the groups below do with stores, secrets and the sessions that come of them. */
function driver(installation: () => TestInstallation) {
  const call: TestInstallation["call"] = (...parameters) => installation().call(...parameters);
  return {
    call,
    store: async (name: string, substituteIn?: string[] | null) =>
      (await call("POST", "/api/secret-stores", { body: { name, substituteIn } })).json
        .id as string,
    update: (id: string, body: unknown) => call("PUT", `/api/secret-stores/${id}`, { body }),
    set: (id: string, name: string, more: object = {}) =>
      call("PUT", `/api/secret-stores/${id}/secrets/${name}`, {
        body: { value: strongValue, ...more },
      }),
    listed: async (id: string): Promise<Record<string, string[]>> =>
      Object.fromEntries(
        (await call("GET", `/api/secret-stores/${id}/secrets`)).json.map(
          (entry: { name: string; substituteIn: string[] }) => [entry.name, entry.substituteIn],
        ),
      ),
    sandbox: async (body: unknown) =>
      (await call("POST", "/api/sandboxes", { body })).json.sandboxID as string,
    session: (id: string) => {
      const session = installation().egressProxy.sessions.get(id);
      assert.ok(session !== undefined);
      return session;
    },
    handedOver: (id: string): Record<string, string[]> =>
      Object.fromEntries(
        (installation().egressProxy.sessions.get(id)?.secrets ?? []).map(
          ({ name, substituteIn }) => [name, substituteIn],
        ),
      ),
  };
}

export function describePlacements(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("placements", openDatabase, (installation) => {
    const { call, store, update, set, listed, sandbox, session, handedOver } = driver(installation);

    test("a secret has its own, else its store's, else header and body; as list and session show", async () => {
      const plain = await store("plain");
      await set(plain, "OWN", { substituteIn: ["header:X-API-Key", "query", "query"] });
      await set(plain, "NONE");
      const expected = { OWN: ["header:x-api-key", "query"], NONE: ["header", "body"] };
      assert.deepEqual(await listed(plain), expected);
      assert.deepEqual(handedOver(await sandbox({ secretStore: "plain" })), expected);

      const narrow = await store("narrow", ["header"]);
      await set(narrow, "OWN", { substituteIn: ["body:/auth/key", "path"] });
      await set(narrow, "NONE");
      const narrowed = { OWN: ["body:/auth/key", "path"], NONE: ["header"] };
      assert.deepEqual(await listed(narrow), narrowed);
      assert.deepEqual(handedOver(await sandbox({ secretStore: "narrow" })), narrowed);
    });

    test("setting a secret again keeps placements that the call does not name; null too", async () => {
      const id = await store("kept");
      const after = async (more: object) => {
        await set(id, "K", more);
        return (await listed(id))["K"];
      };
      assert.deepEqual(await after({ substituteIn: ["query"] }), ["query"]);
      const running = await sandbox({ secretStore: "kept" });
      assert.deepEqual(await after({ value: "rotated" }), ["query"]);
      assert.deepEqual(await after({ substituteIn: null }), ["query"]);
      assert.deepEqual(handedOver(running), { K: ["query"] });
      assert.deepEqual(await after({ substituteIn: ["header"] }), ["header"]);
      assert.deepEqual(handedOver(running), { K: ["header"] }, "as a rotation does");
    });

    test("a store has a default while it names one; absent and null keep it, [] clears it", async () => {
      const id = await store("default", ["header", "body:client_secret"]);
      const get = async () => (await call("GET", `/api/secret-stores/${id}`)).json;
      const placements = ["header", "body:client_secret"];
      assert.deepEqual((await get()).substituteIn, placements);
      assert.deepEqual((await update(id, { name: "default 2" })).json.substituteIn, placements);
      assert.deepEqual((await update(id, { substituteIn: null })).json.substituteIn, placements);
      assert.deepEqual((await update(id, { substituteIn: ["path"] })).json.substituteIn, ["path"]);
      const cleared = (await update(id, { substituteIn: [] })).json;
      assert.ok(!("substituteIn" in cleared) && !("substituteIn" in (await get())));
      const none = await store("none", null);
      const { json } = await call("GET", `/api/secret-stores/${none}`);
      assert.ok(!("substituteIn" in json));
    });

    test("a changed default reaches running, hibernated and saved copies of secrets that name none", async () => {
      const id = await store("changing");
      await set(id, "OWN", { substituteIn: ["query"] });
      await set(id, "NONE");
      const running = await sandbox({ secretStore: "changing" });
      const asleep = await sandbox({ secretStore: "changing" });
      const other = await sandbox({ secretStore: "plain" });
      const path = `/api/sandboxes/${running}/checkpoints`;
      const checkpoint = (await call("POST", path, { body: { name: "c" } })).json.id;
      await call("POST", `/api/sandboxes/${asleep}/hibernate`);
      const before = structuredClone(session(other));
      const token = session(running).secrets.find(({ name }) => name === "NONE")?.token;

      assert.equal((await update(id, { substituteIn: ["header"] })).status, 200);
      const expected = { OWN: ["query"], NONE: ["header"] };
      assert.deepEqual(handedOver(running), expected);
      assert.deepEqual(
        session(running).formerSecrets.map(({ name, value, substituteIn }) => [
          ...[name, value],
          ...substituteIn,
        ]),
        [["NONE", strongValue, "header", "body"]],
        "a host may still hold what was put into a body",
      );
      assert.equal(session(running).secrets.find(({ name }) => name === "NONE")?.token, token);
      await call("POST", `/api/sandboxes/${asleep}/wake`, { body: {} });
      assert.deepEqual(handedOver(asleep), expected);
      const fork = await call("POST", `/api/sandboxes/from-checkpoint/${checkpoint}`, {
        body: {},
      });
      assert.deepEqual(handedOver(fork.json.sandboxID), expected);
      assert.deepEqual(session(other), before, "another store's sandbox is not touched");

      await update(id, { substituteIn: [] });
      assert.deepEqual(handedOver(running), { OWN: ["query"], NONE: ["header", "body"] });
    });

    test("a changed allowlist or name of a store hands no session over", async () => {
      const id = await store("unchanging", ["header"]);
      await set(id, "K");
      const running = await sandbox({ secretStore: "unchanging" });
      const before = structuredClone(session(running));
      await update(id, { name: "unchanging 2", egressAllowlist: ["a.example.com"] });
      assert.deepEqual(session(running), before);
    });

    test("a change that the proxy refuses fails, so that the caller tries again", async () => {
      const { egressProxy } = installation();
      const id = await store("refused");
      await set(id, "K");
      const running = await sandbox({ secretStore: "refused" });
      egressProxy.before = async () => {
        throw new Error("full");
      };
      const failed = await update(id, { substituteIn: ["header"] });
      egressProxy.before = async () => undefined;
      assert.equal(failed.status, 500);
      assert.equal((await update(id, { substituteIn: ["header"] })).status, 200);
      assert.deepEqual(handedOver(running), { K: ["header"] });
    });

    test("layering: the winner's placements, wider or narrower, as a whole", async () => {
      const base = await store("base", ["header"]);
      await set(base, "A");
      await set(base, "B", { substituteIn: ["path"] });
      const top = await store("top");
      await set(top, "B");
      const parent = await sandbox({ secretStore: "base" });
      const path = `/api/sandboxes/${parent}/checkpoints`;
      const checkpoint = (await call("POST", path, { body: { name: "c" } })).json.id;
      const fork = await call("POST", `/api/sandboxes/from-checkpoint/${checkpoint}`, {
        body: { secretStore: "top" },
      });
      assert.deepEqual(handedOver(fork.json.sandboxID), { A: ["header"], B: ["header", "body"] });
      assert.deepEqual(handedOver(parent), { A: ["header"], B: ["path"] });
    });

    test("a project's secret takes placements; its list stays names", async () => {
      const project = (await call("POST", "/api/projects", { body: { name: "p" } })).json.id;
      const path = `/api/projects/${project}/secrets`;
      const body = { value: strongValue, substituteIn: ["header:Authorization"] };
      assert.equal((await call("PUT", `${path}/K`, { body })).status, 200);
      assert.deepEqual((await call("GET", path)).json, ["K"]);
      assert.deepEqual(handedOver(await sandbox({ project: "p" })), {
        K: ["header:authorization"],
      });
    });

    const refused: [unknown, RegExp][] = [
      [["cookie"], /substituteIn\.0: Placement "cookie" must be header, header:NAME/],
      [["header", "body:"], /substituteIn\.1: .*1 to 256 characters/],
      [["header:a b"], /must name a header field/],
      [[5], /string/],
      ["header", /array/],
      [
        Array.from({ length: limits.placementsMax + 1 }, (_, index) => `body:f${index}`),
        /must have at most 32 entries/,
      ],
    ];
    for (const [substituteIn, message] of refused) {
      test(`substituteIn ${JSON.stringify(substituteIn).slice(0, 40)} is refused everywhere`, async () => {
        const id = await store(`refusing ${JSON.stringify(substituteIn).slice(0, 40)}`);
        for (const response of [
          await call("POST", "/api/secret-stores", { body: { name: "never", substituteIn } }),
          await update(id, { substituteIn }),
          await set(id, "K", { substituteIn }),
        ]) {
          assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
          assert.match(response.json.error, message);
        }
        assert.deepEqual(await listed(id), {});
      });
    }

    test("a secret that names no placement at all is refused", async () => {
      const id = await store("empty");
      const response = await set(id, "K", { substituteIn: [] });
      assert.equal(response.status, 400);
      assert.match(response.json.error, /must name a placement/);
    });

    test("a value that can be guessed is set with a warning that does not quote it; others without", async () => {
      const id = await store("warned");
      const project = (await call("POST", "/api/projects", { body: { name: "warned" } })).json.id;
      const value = "correct-horse";
      for (const path of [`/api/secret-stores/${id}`, `/api/projects/${project}`]) {
        const put = async (body: unknown) =>
          setSecretResponseSchema
            .strict()
            .parse((await call("PUT", `${path}/secrets/GUESSABLE`, { body })).json);
        const { warning = "" } = await put({ value });
        assert.match(warning, /^The value of GUESSABLE can be guessed/);
        assert.match(warning, /not searched for in responses.*--allowed-hosts.*header/s);
        assert.ok(!warning.includes(value));
        assert.equal((await put({ value: strongValue })).warning, undefined);
      }
    });
  });

  describeWithInstallation(
    "placements of the operator",
    openDatabase,
    (installation) => {
      const { store, set, update, listed, sandbox, handedOver } = driver(installation);

      test("apply where neither secret nor store names any", async () => {
        const plain = await store("plain");
        await set(plain, "OWN", { substituteIn: ["header", "body"] });
        await set(plain, "NONE");
        const named = await store("named", ["query"]);
        await set(named, "NONE");
        const expected = { OWN: ["header", "body"], NONE: ["header"] };
        assert.deepEqual(await listed(plain), expected);
        const running = await sandbox({ secretStore: "plain" });
        assert.deepEqual(handedOver(running), expected);
        assert.deepEqual(await listed(named), { NONE: ["query"] });
        await update(named, { substituteIn: [] });
        assert.deepEqual(await listed(named), { NONE: ["header"] });
        await set(plain, "NONE", { value: "rotated" });
        assert.deepEqual(handedOver(running), expected);
      });
    },
    { operatorPlacements: ["header"] },
  );
}
