import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EgressEntry,
  type EgressExplanation,
  egressExplanationSchema,
  egressPageSchema,
  egressSuggestionSchema,
  type SecretEntry,
} from "@opencomputer/protocol/api";
import { count, eq } from "../../database/query-builder.ts";
import { egressLog, egressLogCounts, sandboxes } from "../../database/schema.ts";
import { createEgressLogMaintenance } from "../../egress-log/egress-log-maintenance.ts";
import { noSecrets } from "../fake-egress-proxy.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeEgressLog(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("egress log", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (): Promise<string> =>
      (await call("POST", "/api/sandboxes")).json.sandboxID;
    const read = async (sandboxId: string, query = "") => {
      const response = await call("GET", `/api/sandboxes/${sandboxId}/egress${query}`);
      assert.equal(response.status, 200, response.text);
      return egressPageSchema.parse(response.json);
    };
    const untilStored = async () => {
      const { egressProxy } = installation();
      await eventually(() => egressProxy.unacknowledged() === 0, "the log is acknowledged");
    };
    const pathsOf = (entries: readonly EgressEntry[]) => entries.map(({ path }) => path);

    test("a new sandbox has none", async () => {
      const sandbox = await create();
      assert.deepEqual(await read(sandbox), { entries: [], cursor: "0", hasMore: false });
    });

    test("entries have what the proxy reports, in their order, by page from either end", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      const other = await create();
      const secrets = {
        ...noSecrets,
        substituted: [{ name: "KEY", places: ["header authorization"] }],
        withheld: [{ name: "OTHER", place: "body", reason: "host" as const }],
        redacted: [{ name: "KEY", count: 2 }],
      };
      for (let index = 1; index <= 5; index += 1) {
        egressProxy.log(sandbox, { path: `/${index}`, secrets });
        egressProxy.log(other, { path: "/other" });
      }
      await untilStored();
      const all = await read(sandbox);
      assert.deepEqual(pathsOf(all.entries), ["/1", "/2", "/3", "/4", "/5"]);
      const [first] = all.entries;
      assert.deepEqual(first?.secrets, secrets);
      assert.deepEqual(
        [first?.host, first?.port, first?.protocol, first?.status, first?.durationMilliseconds],
        ["api.example.com", 443, "https", 200, 3.5],
      );
      assert.equal(new Set(all.entries.map(({ id }) => id)).size, 5);
      const some = await read(sandbox, "?limit=2");
      assert.deepEqual([pathsOf(some.entries), some.hasMore], [["/1", "/2"], true]);
      const rest = await read(sandbox, `?cursor=${some.cursor}`);
      assert.deepEqual([pathsOf(rest.entries), rest.hasMore], [["/3", "/4", "/5"], false]);
      const latest = await read(sandbox, "?order=desc&limit=2");
      assert.deepEqual([pathsOf(latest.entries), latest.hasMore], [["/5", "/4"], true]);
      const before = await read(sandbox, `?order=desc&cursor=${latest.cursor}`);
      assert.deepEqual(pathsOf(before.entries), ["/3", "/2", "/1"]);
      assert.deepEqual(await read(sandbox, `?cursor=${rest.cursor}`), {
        ...{ entries: [], cursor: rest.cursor, hasMore: false },
      });
    });

    test("filters by decision and host", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      egressProxy.log(sandbox, { host: "a.example.com" });
      egressProxy.log(sandbox, { host: "b.example.com", decision: "refused", reason: "no" });
      egressProxy.log(sandbox, { host: "example.com", decision: "refused", reason: "no" });
      egressProxy.log(sandbox, { host: null, protocol: "tls", decision: "refused" });
      await untilStored();
      const hostsOf = async (query: string) =>
        (await read(sandbox, query)).entries.map(({ host }) => host);
      assert.deepEqual(await hostsOf("?refused=true"), ["b.example.com", "example.com", null]);
      assert.deepEqual(await hostsOf("?host=*.example.com"), ["a.example.com", "b.example.com"]);
      assert.deepEqual(await hostsOf("?host=EXAMPLE.com"), ["example.com"]);
      assert.deepEqual(await hostsOf("?host=a.example.com&refused=true"), []);
      assert.equal((await hostsOf("?refused=false")).length, 4);
      for (const query of [
        "?host=https://a",
        "?limit=0",
        "?limit=1001",
        "?refused=2",
        "?cursor=x",
      ]) {
        const refused = await call("GET", `/api/sandboxes/${sandbox}/egress${query}`);
        assert.equal(refused.status, 400, query);
      }
    });

    test("the secret of a store has the time of its last use, whichever sandbox used it", async () => {
      const { egressProxy } = installation();
      const storeWith = async (name: string) => {
        const store = (await call("POST", "/api/secret-stores", { body: { name } })).json;
        for (const secret of ["USED", "UNUSED"]) {
          const body = { value: `canary-${name}-${secret}-4Kq9Zr2wLm` };
          await call("PUT", `/api/secret-stores/${store.id}/secrets/${secret}`, { body });
        }
        return store.id;
      };
      const [storeId, otherId] = [await storeWith("uses"), await storeWith("other-uses")];
      const body = { secretStore: "uses" };
      const [first, second] = await Promise.all(
        [0, 1].map(async () => (await call("POST", "/api/sandboxes", { body })).json.sandboxID),
      );
      const lastUses = async (id: string) => {
        const { json } = await call("GET", `/api/secret-stores/${id}/secrets`);
        return json.map(({ lastUsedAt }: SecretEntry) => lastUsedAt);
      };
      assert.deepEqual(await lastUses(storeId), [undefined, undefined]);
      const use = async (sandbox: string, time: string, name: string) => {
        const secrets = { ...noSecrets, substituted: [{ name, places: ["header x-key"] }] };
        egressProxy.log(sandbox, { time, secrets });
        await untilStored();
      };
      const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
      const [earliest, earlier, latest] = [minutesAgo(10), minutesAgo(5), minutesAgo(0)];
      await use(first, earlier, "USED");
      await use(second, earliest, "USED");
      await use(second, earliest, "NO_SECRET_OF_A_STORE");
      // Secrets are sorted by name.
      assert.deepEqual(await lastUses(storeId), [undefined, earlier]);
      await use(second, latest, "USED");
      assert.deepEqual(await lastUses(storeId), [undefined, latest]);
      await use(first, new Date(Date.parse(latest) + 1_000).toISOString(), "USED");
      assert.deepEqual(await lastUses(storeId), [undefined, latest], "within a minute");
      assert.deepEqual(await lastUses(otherId), [undefined, undefined]);
    });

    test("so has the secret of a project", async () => {
      const { egressProxy } = installation();
      const { id } = (await call("POST", "/api/projects", { body: { name: "project-uses" } })).json;
      const path = `/api/projects/${id}/secrets`;
      for (const secret of ["USED", "UNUSED"]) {
        const body = { value: `canary-project-${secret}-4Kq9Zr2wLm` };
        await call("PUT", `${path}/${secret}`, { body });
      }
      const sandbox = (await call("POST", "/api/sandboxes", { body: { project: "project-uses" } }))
        .json.sandboxID;
      const time = new Date().toISOString();
      const substituted = [{ name: "USED", places: ["header x-key"] }];
      egressProxy.log(sandbox, { time, secrets: { ...noSecrets, substituted } });
      await untilStored();
      const { json } = await call("GET", `${path}?details=true`);
      const lastUses = json.map(({ lastUsedAt }: SecretEntry) => lastUsedAt);
      assert.deepEqual(lastUses, [undefined, time]);
    });

    test("a line that is read again after an interruption is stored once", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      let reads = 0;
      egressProxy.beforeLog = async () => {
        reads += 1;
        if (reads < 3) throw new Error("the response is lost");
      };
      egressProxy.log(sandbox, { path: "/once" });
      await untilStored();
      egressProxy.beforeLog = async () => undefined;
      assert.deepEqual(pathsOf((await read(sandbox)).entries), ["/once"]);

      // A control plane that has stored a line ends before the proxy knows that it has.
      let restarted: () => void = () => undefined;
      const isRestarted = new Promise<void>((resolve) => {
        restarted = resolve;
      });
      const sequence = egressProxy.log(sandbox, { path: "/again" });
      egressProxy.beforeLog = async ({ acknowledged }) => {
        if (acknowledged?.sequence === sequence) await isRestarted;
      };
      try {
        await eventually(
          async () => (await read(sandbox)).entries.length === 2,
          "the second line is stored",
        );
        assert.equal(egressProxy.unacknowledged(), 1);
        await installation().restart();
      } finally {
        egressProxy.beforeLog = async () => undefined;
        restarted();
      }
      await untilStored();
      assert.deepEqual(pathsOf((await read(sandbox)).entries), ["/once", "/again"]);
    });

    test("a new process of the proxy counts from the start, and its lines are new ones", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      egressProxy.log(sandbox, { path: "/former" });
      await untilStored();
      await egressProxy.restart();
      egressProxy.log(sandbox, { path: "/new" });
      await untilStored();
      assert.deepEqual(pathsOf((await read(sandbox)).entries), ["/former", "/new"]);
    });

    test("text that no database stores does not stop the log", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      egressProxy.log(sandbox, { path: "/a\0b\ud800", reason: "\0", method: "\udc00" });
      egressProxy.log(sandbox, { path: "/next" });
      await untilStored();
      assert.deepEqual(pathsOf((await read(sandbox)).entries), ["/a\u{fffd}b\u{fffd}", "/next"]);
    });

    test("what was left out is an entry of its own", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      egressProxy.log(sandbox, { host: null, path: null, leftOut: 700, reason: "700 exchanges" });
      await untilStored();
      assert.equal((await read(sandbox)).entries[0]?.leftOut, 700);
      const suggestion = await call("GET", `/api/sandboxes/${sandbox}/egress/suggestion`);
      assert.equal(egressSuggestionSchema.parse(suggestion.json).isIncomplete, true);
    });

    test("the log of a killed sandbox stays, also when its row is deleted; lines of unknown ones are dropped", async () => {
      const { egressProxy, database } = installation();
      const sandbox = await create();
      egressProxy.log(sandbox, { path: "/last-words" });
      egressProxy.log("sb-aaaaaaaaaaaaaaaaaaaa", { path: "/nobody" });
      await untilStored();
      await call("DELETE", `/api/sandboxes/${sandbox}`);
      assert.deepEqual(pathsOf((await read(sandbox)).entries), ["/last-words"]);
      await database.delete(sandboxes).where(eq(sandboxes.id, sandbox));
      assert.deepEqual(pathsOf((await read(sandbox)).entries), ["/last-words"]);
      const key = await installation().secondOrgKey();
      for (const route of ["", "/suggestion"]) {
        const foreign = await call("GET", `/api/sandboxes/${sandbox}/egress${route}`, { key });
        assert.equal(foreign.status, 404);
      }
      const nobody = await call("GET", "/api/sandboxes/sb-aaaaaaaaaaaaaaaaaaaa/egress");
      assert.equal(nobody.status, 404);
    });

    test("old entries and those beyond the bounds are deleted, the oldest first", async () => {
      const { egressProxy, database } = installation();
      const [sandbox, quiet] = [await create(), await create()];
      egressProxy.log(quiet, { path: "/quiet" });
      for (let index = 1; index <= 6; index += 1) egressProxy.log(sandbox, { path: `/${index}` });
      await untilStored();
      const deleted: string[] = [];
      const expire = (entriesPerSandboxMax: number, entriesPerOrgMax: number, days = 7) =>
        createEgressLogMaintenance(
          database,
          { entriesPerSandboxMax, entriesPerOrgMax, egressLogDaysMax: days },
          (reason, entries) => void deleted.push(`${reason} ${entries}`),
        ).deleteExpired();
      const assertCounted = async () => {
        const counted = await database
          .select({ sandboxId: egressLog.sandboxId, entries: count() })
          .from(egressLog)
          .groupBy(egressLog.sandboxId)
          .orderBy(egressLog.sandboxId);
        const kept = await database
          .select({ sandboxId: egressLogCounts.sandboxId, entries: egressLogCounts.entries })
          .from(egressLogCounts)
          .orderBy(egressLogCounts.sandboxId);
        assert.deepEqual(kept, counted);
      };
      await assertCounted();
      await expire(4, 1_000_000);
      assert.deepEqual(pathsOf((await read(sandbox)).entries), ["/3", "/4", "/5", "/6"]);
      assert.deepEqual(pathsOf((await read(quiet)).entries), ["/quiet"]);
      await assertCounted();
      await expire(1000, 2);
      assert.deepEqual(pathsOf((await read(sandbox)).entries), ["/5", "/6"]);
      await assertCounted();
      egressProxy.log(sandbox, { path: "/7" });
      await untilStored();
      await expire(2, 1000);
      assert.deepEqual(pathsOf((await read(sandbox)).entries), ["/6", "/7"]);
      deleted.length = 0;
      await expire(1000, 1000, 0);
      assert.deepEqual(deleted, ["age 2", "sandbox 0", "org 0"]);
      assert.deepEqual((await read(sandbox)).entries, []);
      await assertCounted();
    });

    test("an event stream has the entries as they are stored, and continues after the last id", async () => {
      const { egressProxy, url, apiKey } = installation();
      const sandbox = await create();
      const follow = async (count: number, lastId?: string) => {
        const stop = new AbortController();
        const response = await fetch(
          `${url()}/api/sandboxes/${sandbox}/egress?host=*.example.com`,
          {
            headers: {
              "x-api-key": apiKey,
              accept: "text/event-stream",
              ...(lastId === undefined ? {} : { "last-event-id": lastId }),
            },
            signal: stop.signal,
          },
        );
        assert.equal(response.headers.get("content-type"), "text/event-stream");
        return { text: textUntil(response, count).finally(() => stop.abort()) };
      };
      egressProxy.log(sandbox, { path: "/before" });
      await untilStored();
      const [before] = (await read(sandbox)).entries;
      const live = await follow(2);
      egressProxy.log(sandbox, { path: "/1" });
      egressProxy.log(sandbox, { path: "/filtered", host: "example.org" });
      egressProxy.log(sandbox, { path: "/2" });
      const text = await live.text;
      assert.deepEqual(pathsIn(text), ["/1", "/2"]);
      const [id] = /^id: (\d+)$/m.exec(text)?.slice(1) ?? [];
      assert.deepEqual(pathsIn(await (await follow(1, id)).text), ["/2"]);
      assert.deepEqual(pathsIn(await (await follow(2, before?.cursor)).text), ["/1", "/2"]);
    });

    test("a suggestion has the hosts of what was allowed, by secret too, and what was refused or never reached apart", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      const used = (name: string) => ({ ...noSecrets, substituted: [{ name, places: ["body"] }] });
      egressProxy.log(sandbox, { host: "b.example.com", secrets: used("KEY") });
      egressProxy.log(sandbox, { host: "a.example.com", secrets: used("KEY") });
      egressProxy.log(sandbox, { host: "a.example.com", protocol: "http", port: 80 });
      egressProxy.log(sandbox, { host: "c.example.com", port: 8443, secrets: used("OTHER") });
      egressProxy.log(sandbox, { host: "db.example.com", port: 5432, protocol: "tcp" });
      const failed = { wasSent: false, reason: "typo.example.com was not found", status: 502 };
      egressProxy.log(sandbox, { ...failed, host: "typo.example.com" });
      egressProxy.log(sandbox, { host: "evil.example.com", decision: "refused" });
      egressProxy.log(sandbox, { host: "evil.example.com", protocol: "dns", decision: "refused" });
      egressProxy.log(sandbox, { host: "osb_sealed_…(99 bytes)", decision: "refused" });
      await untilStored();
      const response = await call("GET", `/api/sandboxes/${sandbox}/egress/suggestion`);
      const { since, ...suggestion } = egressSuggestionSchema.parse(response.json);
      assert.notEqual(since, null);
      assert.deepEqual(suggestion, {
        egressAllowlist: [
          "a.example.com",
          "b.example.com",
          "c.example.com:8443",
          "tcp://db.example.com:5432",
        ],
        perSecretAllowedHosts: {
          KEY: ["a.example.com", "b.example.com"],
          OTHER: ["c.example.com:8443"],
        },
        refused: [{ entry: "evil.example.com", count: 2 }],
        unreached: [{ entry: "typo.example.com", count: 1 }],
        exchangeCount: 9,
        isIncomplete: false,
      });
    });

    test("an explanation is the proxy's, for a hibernated sandbox by what it gets at its wake", async () => {
      const { egressProxy } = installation();
      const allowlist = { name: "explained", egressAllowlist: ["api.example.com"] };
      const store = (await call("POST", "/api/secret-stores", { body: allowlist })).json.id;
      const secret = { value: "canary-of-an-explanation", allowedHosts: ["api.example.com"] };
      await call("PUT", `/api/secret-stores/${store}/secrets/KEY`, { body: secret });
      const created = await call("POST", "/api/sandboxes", { body: { secretStore: "explained" } });
      const sandbox = created.json.sandboxID;
      const explanation: EgressExplanation = {
        ...{ decision: "allowed", rule: "allowlist_entry", entry: "api.example.com" },
        ...{ reason: "r", protocol: "https", host: "api.example.com", port: 443, method: "GET" },
        secrets: [],
      };
      egressProxy.explanation = explanation;
      egressProxy.questions = [];
      const explain = (url: string, rest = "") =>
        call(
          "GET",
          `/api/sandboxes/${sandbox}/egress/explain?url=${encodeURIComponent(url)}${rest}`,
        );
      const explained = await explain("https://API.example.com/v1?x=y", "&method=post");
      assert.deepEqual(egressExplanationSchema.parse(explained.json), explanation);
      await explain("tcp://db.example.com:5432");
      await explain("http://api.example.com:8080/");
      await call("POST", `/api/sandboxes/${sandbox}/hibernate`);
      await explain("https://api.example.com/");
      const requestOf = (index: number) => egressProxy.questions[index]?.question;
      assert.deepEqual(requestOf(0), {
        request: { method: "POST", protocol: "https", host: "api.example.com", port: 443 },
        session: null,
      });
      assert.deepEqual(requestOf(1)?.request, {
        ...{ method: "GET", protocol: "tcp", host: "db.example.com", port: 5432 },
      });
      assert.equal(requestOf(2)?.request.port, 8080);
      assert.deepEqual(requestOf(3)?.session, {
        mode: "allowlisted",
        egressAllowlist: ["api.example.com"],
        secrets: [
          {
            ...{ name: "KEY", kind: "value", allowedHosts: ["api.example.com"] },
            substituteIn: ["header", "body"],
          },
        ],
        revokedSecrets: [],
      });
      for (const url of [
        ...["", "api.example.com", "ftp://api.example.com", "https://", "https://exa mple.com/"],
        ...["tcp://db.example.com", "tcp://db.example.com:443", "tcp://db.example.com:80"],
        ...["tcp://db.example.com:53", "https://api.example.com:99999/"],
      ]) {
        assert.equal((await explain(url)).status, 400, url);
      }
      assert.equal((await explain("https://api.example.com/", "&method=A%20B")).status, 400);
      await call("DELETE", `/api/sandboxes/${sandbox}`);
      const killed = await explain("https://api.example.com/");
      assert.deepEqual([killed.status, killed.json.code], [409, "sandbox_not_running"]);
    });
  });
}

/** The text of an event stream once it has so many events with data. */
async function textUntil(response: Response, count: number): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    if (text.split("\ndata: ").length > count && text.endsWith("\n\n")) break;
  }
  return text;
}

function pathsIn(text: string): unknown[] {
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? "").path);
}
