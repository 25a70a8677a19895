import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import {
  limits,
  type OrgUsage,
  orgUsageSchema,
  sandboxUsageSchema,
  tagUsageSchema,
} from "@opencomputer/protocol/api";
import type { MachineUsage } from "@opencomputer/protocol/wire";
import { eq } from "../../database/query-builder.ts";
import { machineUsage, sandboxes, usageBuckets, usageSandboxes } from "../../database/schema.ts";
import { storeUsage } from "../../usage/store-usage.ts";
import { createUsageMaintenance } from "../../usage/usage-maintenance.ts";
import { hibernatedBytes } from "../fake-worker/saved-states.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const minuteMilliseconds = 60_000;
const dayMilliseconds = 24 * 60 * minuteMilliseconds;
const mebi = 1024 * 1024;

/** A machine whose readings a test takes: it started `ageMinutes` ago, and each is of `minute` of its life. */
function meteredMachine(sandboxId: string, ageMinutes: number, machineId: string = randomUUID()) {
  const startedAt = Date.now() - ageMinutes * minuteMilliseconds;
  return (
    minute: number,
    cpuSeconds: number,
    change: Partial<MachineUsage> = {},
  ): MachineUsage => ({
    ...{ sandboxId, machineId, hasEnded: false },
    startedAt: new Date(startedAt).toISOString(),
    readAt: new Date(startedAt + minute * minuteMilliseconds).toISOString(),
    ...{ cpuMilliseconds: cpuSeconds * 1000, memoryBytes: 100 * mebi, diskBytes: 4096 },
    ...{ networkReceivedBytes: minute * 10, networkSentBytes: minute },
    ...change,
  });
}

export function describeUsage(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("usage", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (tags: Record<string, string> = {}): Promise<string> => {
      const { sandboxID } = (await call("POST", "/api/sandboxes")).json;
      await call("PUT", `/api/sandboxes/${sandboxID}/tags`, { body: tags });
      return sandboxID;
    };
    const store = (...readings: MachineUsage[]) => storeUsage(installation().database, readings);
    const read = async (sandboxId: string, query = "") => {
      const response = await call("GET", `/api/sandboxes/${sandboxId}/usage${query}`);
      assert.equal(response.status, 200, response.text);
      return sandboxUsageSchema.strict().parse(response.json);
    };
    const readOrg = async (query = ""): Promise<OrgUsage> => {
      const response = await call("GET", `/api/usage${query}`);
      assert.equal(response.status, 200, response.text);
      return orgUsageSchema.strict().parse(response.json);
    };
    test("a sandbox that was never read has none", async () => {
      const usage = await read(await create());
      assert.deepEqual([usage.status, usage.current, usage.buckets], ["running", null, []]);
      assert.deepEqual(new Set(Object.values(usage.total)), new Set([0]));
    });

    test("what the worker reports is read for a request, of the machine that it has now", async () => {
      const { worker } = installation();
      const sandbox = await create();
      const machineId = worker.machines.get(sandbox)?.machineId ?? "";
      worker.usage = [
        meteredMachine(sandbox, 10, machineId)(10, 60),
        meteredMachine(sandbox, 30)(20, 6, { hasEnded: true }),
        meteredMachine("sb-aaaaaaaaaaaaaaaaaaaa", 10)(10, 600),
      ];
      await eventually(async () => (await read(sandbox)).current !== null, "it is read");
      const { current, total } = await read(sandbox);
      assert.deepEqual([current?.cpuPercent, current?.memoryBytes], [10, 100 * mebi]);
      assert.ok(Math.abs((current?.uptimeSeconds ?? 0) - 600) < 1);
      assert.deepEqual([total.runningSeconds, total.cpuSeconds], [1800, 66]);
      worker.usage = [];
      await call("POST", `/api/sandboxes/${sandbox}/hibernate`);
      const hibernated = await read(sandbox);
      assert.deepEqual(
        [hibernated.status, hibernated.current?.diskBytes],
        [...["hibernated", hibernatedBytes]],
      );
      assert.equal(hibernated.current?.memoryBytes, 0);
    });

    test("a worker that does not respond delays no request for long, and what is stored is returned", async () => {
      const { worker } = installation();
      const sandbox = await create();
      await store(meteredMachine(sandbox, 5)(5, 1));
      await worker.stop();
      try {
        const begin = performance.now();
        assert.equal((await read(sandbox)).total.cpuSeconds, 1);
        assert.ok(performance.now() - begin < 5_000);
      } finally {
        await worker.start();
      }
    });

    test("sums go on over machines, and a reading that comes again adds nothing", async () => {
      const sandbox = await create();
      const first = meteredMachine(sandbox, 30);
      const second = meteredMachine(sandbox, 10);
      const last = first(10, 5, { hasEnded: true });
      await store(first(5, 2));
      await store(last, second(1, 1));
      await store(last, second(1, 1), second(1, 1));
      await Promise.all([store(second(2, 3), last), store(second(2, 3))]);
      const { total } = await read(sandbox);
      assert.deepEqual(
        [total.runningSeconds, total.cpuSeconds, total.memoryMBSeconds],
        [12 * 60, 8, 12 * 60 * 100],
      );
      assert.deepEqual([total.networkReceivedBytes, total.networkSentBytes], [120, 12]);
      assert.deepEqual([total.memoryPeakBytes, total.diskPeakBytes], [100 * mebi, 4096]);
    });

    test("is by the hour or the day, from the bounds that the response states", async () => {
      const sandbox = await create();
      const machine = meteredMachine(sandbox, 3 * 60);
      await store(machine(3 * 60, 180));
      const hours = await read(sandbox, `?interval=hour`);
      assert.ok(hours.buckets.length >= 3 && hours.buckets.length <= 4);
      const cpuSeconds = hours.buckets.reduce((sum, bucket) => sum + bucket.cpuSeconds, 0);
      assert.ok(Math.abs(cpuSeconds - 180) < 0.01);
      for (const { start } of hours.buckets) assert.match(start, /T\d\d:00:00\.000Z$/);
      assert.match(hours.since, /:00:00\.000Z$/);
      const days = await read(sandbox, "?interval=day");
      assert.equal(days.total.cpuSeconds, 180);
      for (const { start } of days.buckets) assert.match(start, /T00:00:00\.000Z$/);
      const until = hours.buckets[1]?.start ?? "";
      const before = await read(sandbox, `?interval=hour&until=${until}`);
      assert.deepEqual(before.buckets, hours.buckets.slice(0, 1));
      assert.equal(before.until, until);
      for (const query of [
        "?interval=week",
        "?since=yesterday",
        "?since=0000-01-01T00:00:00Z",
        "?until=9999-12-31T23:59:59Z",
        `?since=${new Date(Date.now() + 1000).toISOString()}`,
        `?since=${new Date(Date.now() - 30 * dayMilliseconds).toISOString()}&interval=hour`,
      ]) {
        const refused = await call("GET", `/api/sandboxes/${sandbox}/usage${query}`);
        assert.deepEqual([refused.status, refused.json.code], [400, "invalid_request"], query);
      }
    });

    test("of a killed sandbox it stays, with its tags, also when its row is deleted; another org has none", async () => {
      const { database } = installation();
      const sandbox = await create({ team: "killed" });
      await store(meteredMachine(sandbox, 5)(5, 7));
      await call("DELETE", `/api/sandboxes/${sandbox}`);
      assert.deepEqual((({ status, current }) => [status, current])(await read(sandbox)), [
        ...["stopped", null],
      ]);
      await database.delete(sandboxes).where(eq(sandboxes.id, sandbox));
      assert.equal((await read(sandbox)).total.cpuSeconds, 7);
      const { sandboxes: rows } = await readOrg("?tag=team=killed");
      assert.deepEqual(
        rows.map(({ sandboxID, status, tags }) => [sandboxID, status, tags]),
        [[sandbox, "stopped", { team: "killed" }]],
      );
      const key = await installation().secondOrgKey();
      for (const id of [sandbox, "sb-aaaaaaaaaaaaaaaaaaaa", "x"]) {
        const foreign = await call("GET", `/api/sandboxes/${id}/usage`, { key });
        assert.deepEqual([foreign.status, foreign.json.code], [404, "sandbox_not_found"]);
      }
      const foreign = (await call("GET", "/api/usage", { key })).json;
      assert.deepEqual(
        [foreign.sandboxCount, foreign.sandboxes, foreign.total.cpuSeconds],
        [0, [], 0],
      );
      const values = (await call("GET", "/api/usage/tags/team", { key })).json.values;
      assert.deepEqual(values, []);
    });
  });

  describeWithInstallation("usage of an org", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const get = async (path: string) => {
      const response = await call("GET", path);
      assert.equal(response.status, 200, response.text);
      return response.json;
    };
    const make = async (tags: Record<string, string>, cpuSeconds: number) => {
      const { sandboxID } = (await call("POST", "/api/sandboxes")).json;
      await call("PUT", `/api/sandboxes/${sandboxID}/tags`, { body: tags });
      const machineId = installation().worker.machines.get(sandboxID)?.machineId ?? "";
      const reading = meteredMachine(sandboxID, 10, machineId)(10, cpuSeconds);
      await storeUsage(installation().database, [reading]);
      return sandboxID;
    };

    test("has a sum, each sandbox by page with the most CPU time first, and values of tags", async () => {
      const made = [
        await make({ team: "a", env: "prod" }, 30),
        await make({ team: "b", env: "prod" }, 60),
        await make({ team: "a", env: "test: 1&2=3" }, 40),
        await make({}, 10),
        await make({}, 10),
      ];
      const org = orgUsageSchema.strict().parse(await get("/api/usage"));
      assert.deepEqual([org.sandboxCount, org.total.cpuSeconds, org.cursor], [5, 150, null]);
      assert.deepEqual(
        org.sandboxes.map(({ cpuSeconds }) => cpuSeconds),
        [60, 40, 30, 10, 10],
      );
      assert.deepEqual(org.current.runningCount, 5);
      assert.deepEqual([org.current.cpuPercent, org.current.memoryBytes], [25.1, 500 * mebi]);

      const found: string[] = [];
      let cursor: string | null = "";
      for (let pages = 0; cursor !== null && pages < 10; pages += 1) {
        const from: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const page: OrgUsage = orgUsageSchema.parse(await get(`/api/usage?limit=2${from}`));
        assert.equal(page.sandboxCount, 5);
        found.push(...page.sandboxes.map(({ sandboxID }) => sandboxID));
        ({ cursor } = page);
      }
      assert.deepEqual(
        found,
        org.sandboxes.map(({ sandboxID }) => sandboxID),
      );
      assert.deepEqual(found.toSorted(), made.toSorted());

      const beyond = orgUsageSchema.parse(await get("/api/usage?cursor=0:sb-zzz"));
      assert.deepEqual([beyond.sandboxCount, beyond.sandboxes, beyond.cursor], [5, [], null]);

      const prod = orgUsageSchema.parse(await get("/api/usage?tag=env=prod"));
      assert.deepEqual([prod.sandboxCount, prod.total.cpuSeconds], [2, 90]);
      assert.equal(prod.current.runningCount, 2);
      const both = orgUsageSchema.parse(await get("/api/usage?tag=env=prod&tag=team=a"));
      assert.deepEqual([both.sandboxCount, both.total.cpuSeconds], [1, 30]);
      const odd = await get(`/api/usage?tag=${encodeURIComponent("env=test: 1&2=3")}`);
      assert.equal(odd.sandboxCount, 1);

      const teams = tagUsageSchema.strict().parse(await get("/api/usage/tags/team"));
      const shown = ({ value, sandboxCount, cpuSeconds }: (typeof teams.values)[number]) => [
        ...[value, sandboxCount, cpuSeconds],
      ];
      assert.deepEqual(teams.values.map(shown), [
        ["a", 2, 70],
        ["b", 1, 60],
        [null, 2, 20],
      ]);
      const first = tagUsageSchema.parse(await get("/api/usage/tags/team?limit=2"));
      const rest = tagUsageSchema.parse(
        await get(`/api/usage/tags/team?limit=2&cursor=${encodeURIComponent(first.cursor ?? "")}`),
      );
      assert.deepEqual([...first.values, ...rest.values].map(shown), teams.values.map(shown));
      assert.equal(rest.cursor, null);
      const ofProd = tagUsageSchema.parse(await get("/api/usage/tags/team?tag=env=prod"));
      assert.deepEqual(ofProd.values.map(shown), [
        ["b", 1, 60],
        ["a", 1, 30],
      ]);

      for (const path of [
        "/api/usage?tag=team",
        "/api/usage?tag==x",
        "/api/usage?limit=0",
        "/api/usage?limit=1001",
        "/api/usage?cursor=x",
        "/api/usage?cursor=1:%00",
        "/api/usage/tags/team?cursor=1:%00",
        "/api/usage?tag=team=%00",
        "/api/usage/tags/a%20b",
      ]) {
        assert.equal((await call("GET", path)).status, 400, path);
      }
    });

    test("tags count as they are when usage is asked for", async () => {
      const sandbox = await make({ later: "no" }, 5);
      await call("PUT", `/api/sandboxes/${sandbox}/tags`, { body: { later: "yes" } });
      assert.equal((await get("/api/usage?tag=later=yes")).sandboxCount, 1);
      assert.equal((await get("/api/usage?tag=later=no")).sandboxCount, 0);
    });
  });

  describeWithInstallation("maintenance of usage", openDatabase, (installation) => {
    test("joins hours to days, deletes what is old and beyond the bound, and keeps what is added later exact", async () => {
      const { database, call } = installation();
      const create = async () => (await call("POST", "/api/sandboxes")).json.sandboxID;
      const [sandbox, other]: string[] = [await create(), await create()];
      assert.ok(sandbox !== undefined && other !== undefined);
      const machine = meteredMachine(sandbox, 3 * 24 * 60);
      await storeUsage(database, [machine(2 * 24 * 60, 1000)]);
      await storeUsage(database, [meteredMachine(other, 60)(60, 1)]);
      const cpuSeconds = async () => {
        const since = new Date(Date.now() - 30 * dayMilliseconds).toISOString();
        const response = await call("GET", `/api/sandboxes/${sandbox}/usage?since=${since}`);
        return sandboxUsageSchema.parse(response.json).total.cpuSeconds;
      };
      const spans = async () => {
        const rows = await database
          .select({ span: usageBuckets.span })
          .from(usageBuckets)
          .where(eq(usageBuckets.sandboxId, sandbox));
        return new Set(rows.map(({ span }) => span));
      };
      const { joinHours, deleteExpired } = createUsageMaintenance(database, {
        rowsPerOrgMax: 1000,
      });
      const later = (days: number) => new Date(Date.now() + days * dayMilliseconds);

      await joinHours(new Date());
      assert.deepEqual(await spans(), new Set(["hour"]));
      await joinHours(later(limits.usageHourDaysMax + 1));
      assert.deepEqual(await spans(), new Set(["day"]));
      assert.equal(await cpuSeconds(), 1000);
      // Hours that come for a day that was joined already are added to it.
      await storeUsage(database, [machine(3 * 24 * 60, 1500)]);
      await joinHours(later(limits.usageHourDaysMax + 1));
      assert.equal(await cpuSeconds(), 1500);

      await deleteExpired(later(limits.usageDaysMax - 5));
      assert.equal(await cpuSeconds(), 1500);
      const bounded = createUsageMaintenance(database, { rowsPerOrgMax: 2 });
      await bounded.deleteExpired(new Date());
      assert.ok((await database.$count(usageBuckets)) <= 2);
      await deleteExpired(later(limits.usageDaysMax + 5));
      assert.equal(await database.$count(usageBuckets), 0);
      assert.equal(await database.$count(usageSandboxes), 0);
    });

    test("forgets the counters of a machine that is gone, never those of one that a sandbox has", async () => {
      const { database, worker, call } = installation();
      const { sandboxID } = (await call("POST", "/api/sandboxes")).json;
      const machineId = worker.machines.get(sandboxID)?.machineId ?? "";
      const current = meteredMachine(sandboxID, 10, machineId);
      const gone = meteredMachine(sandboxID, 30);
      await storeUsage(database, [current(5, 100), gone(5, 1, { hasEnded: true })]);
      const { deleteExpired } = createUsageMaintenance(database, { rowsPerOrgMax: 1000 });
      await deleteExpired(new Date(Date.now() + 2 * dayMilliseconds));
      const kept = await database.select({ id: machineUsage.machineId }).from(machineUsage);
      assert.deepEqual(kept, [{ id: machineId }]);
      await storeUsage(database, [current(6, 101)]);
      const { total } = (await call("GET", `/api/sandboxes/${sandboxID}/usage`)).json;
      assert.equal(total.cpuSeconds, 102);
    });
  });
}
