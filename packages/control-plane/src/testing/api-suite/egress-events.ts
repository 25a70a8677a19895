import assert from "node:assert/strict";
import { test } from "node:test";
import { eventPageSchema } from "@opencomputer/protocol/api";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { sql } from "../../database/query-builder.ts";
import { egressEventCounts } from "../../database/schema.ts";
import { recordDueEgressEvents } from "../../egress-log/record-egress-events.ts";
import { noSecrets } from "../fake-egress-proxy.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeEgressEvents(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("events of the egress log", openDatabase, (installation) => {
    const create = async (): Promise<string> =>
      (await installation().call("POST", "/api/sandboxes")).json.sandboxID;
    const untilStored = async () => {
      const { egressProxy } = installation();
      await eventually(() => egressProxy.unacknowledged() === 0, "the log is acknowledged");
    };
    /** The events of a sandbox that follow from its egress log, as type and data. */
    const eventsOf = async (sandbox: string) => {
      const path = `/api/events?sandboxId=${sandbox}&limit=1000`;
      const { events } = eventPageSchema.parse((await installation().call("GET", path)).json);
      return events
        .filter(({ type }) => type.startsWith("secret.") || type === "egress.refused")
        .map(({ type, data }) => ({ type, ...data }));
    };
    const passAnHour = async () => {
      const { database } = installation();
      const seconds = serviceLimits.egressEventSecondsMin + 1;
      await database
        .update(egressEventCounts)
        .set({ reportedAt: sql`reported_at - make_interval(secs => ${seconds})` });
      await recordDueEgressEvents(database);
    };

    test("the first use, a withheld token, a redaction, a leak, a foreign token and a refusal are events", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      const used = [{ name: "KEY", places: ["body", "query"] }];
      for (const host of ["a.example.com", "a.example.com", "b.example.com"]) {
        egressProxy.log(sandbox, { host, secrets: { ...noSecrets, substituted: used } });
      }
      egressProxy.log(sandbox, {
        ...{ host: "c.example.com", port: 8443 },
        secrets: {
          ...noSecrets,
          withheld: [{ name: "KEY", place: "body", reason: "host" }],
          redacted: [{ name: "KEY", count: 3 }],
          leaked: ["OTHER"],
          foreignTokens: 2,
        },
      });
      egressProxy.log(sandbox, { decision: "refused", reason: "not on the list" });
      await untilStored();
      const expected = [
        { type: "secret.first_used", secret: "KEY", host: "a.example.com" },
        { type: "secret.first_used", secret: "KEY", host: "b.example.com" },
        ...[
          { type: "secret.withheld", secret: "KEY", host: "c.example.com:8443", reason: "host" },
        ].map((event) => ({ ...event, count: 1 })),
        { type: "secret.redacted", secret: "KEY", host: "c.example.com:8443", count: 3 },
        { type: "secret.leaked", secret: "OTHER", host: "c.example.com:8443", count: 1 },
        { type: "secret.foreign_token", host: "c.example.com", count: 2 },
        {
          ...{ type: "egress.refused", host: "api.example.com", port: 443 },
          ...{ reason: "not on the list", count: 1 },
        },
      ];
      const byText = (one: object, other: object) =>
        JSON.stringify(one) < JSON.stringify(other) ? -1 : 1;
      const sorted = (events: Record<string, unknown>[]) =>
        events.map((event) => Object.fromEntries(Object.entries(event).sort())).sort(byText);
      assert.deepEqual(sorted(await eventsOf(sandbox)), sorted(expected));
    });

    test("what continues is one event an hour with its count, and a later use is not a first one", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      const secrets = { ...noSecrets, substituted: [{ name: "KEY", places: ["body"] }] };
      const refuse = async () => {
        egressProxy.log(sandbox, { secrets });
        egressProxy.log(sandbox, { decision: "refused", reason: "no", leftOut: 40 });
        await untilStored();
      };
      const countsOf = async () =>
        (await eventsOf(sandbox)).map((event) => ("count" in event ? event.count : event.type));
      await refuse();
      await refuse();
      await refuse();
      assert.deepEqual(await countsOf(), ["secret.first_used", 40]);
      await passAnHour();
      assert.deepEqual(await countsOf(), ["secret.first_used", 40, 80]);
      await passAnHour();
      assert.deepEqual(await countsOf(), ["secret.first_used", 40, 80]);
      await passAnHour();
      await refuse();
      assert.deepEqual(await countsOf(), ["secret.first_used", 40, 80, 40]);
    });

    test("values that leak are one event an hour for each secret and host, to webhooks as well", async () => {
      const { egressProxy } = installation();
      const url = "https://hooks.invalid/";
      const { id } = (
        await installation().call("POST", "/api/webhooks", {
          body: { url, eventTypes: ["secret.leaked"] },
        })
      ).json;
      const sandbox = await create();
      const leak = async (names: string[], host = "api.example.com") => {
        egressProxy.log(sandbox, { host, secrets: { ...noSecrets, leaked: names } });
        await untilStored();
      };
      for (let count = 0; count < 3; count += 1) await leak(["A"]);
      await leak(["A", "B"], "b.example.com");
      const leaked = (secret: string, host: string, count: number) => ({
        ...{ type: "secret.leaked", secret, host, count },
      });
      const first = [
        leaked("A", "api.example.com", 1),
        leaked("A", "b.example.com", 1),
        leaked("B", "b.example.com", 1),
      ];
      assert.deepEqual(await eventsOf(sandbox), first);
      await passAnHour();
      assert.deepEqual(await eventsOf(sandbox), [...first, leaked("A", "api.example.com", 2)]);
      const deliveries = await installation().call("GET", `/api/webhooks/${id}/deliveries`);
      assert.equal(deliveries.json.length, 4);
      await installation().call("DELETE", `/api/webhooks/${id}`);
    });

    test("a guest that makes hosts up has events of so many, and one for the others", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      const most = serviceLimits.egressEventSubjectsPerSandboxMax;
      for (let index = 0; index < most + 50; index += 1) {
        egressProxy.log(sandbox, { host: `h${index}.example.com`, decision: "refused" });
      }
      await untilStored();
      const events = await eventsOf(sandbox);
      assert.equal(events.length, most + 1);
      const others = events.filter((event) => "host" in event && event.host === "*");
      assert.deepEqual(
        others.map((event) => ("count" in event ? event.count : 0)),
        [50],
      );
      const neighbour = await create();
      egressProxy.log(neighbour, { host: "h0.example.com", decision: "refused" });
      await untilStored();
      assert.equal((await eventsOf(neighbour)).length, 1);
    });

    test("hosts and reasons of any text make events, and a line that is read again makes none", async () => {
      const { egressProxy } = installation();
      const sandbox = await create();
      for (const host of ["\0\ud800", "🔑".repeat(300), null]) {
        egressProxy.log(sandbox, { ...{ host, decision: "refused" }, reason: "é\0".repeat(900) });
      }
      let reads = 0;
      egressProxy.beforeLog = async () => {
        reads += 1;
        if (reads === 2) throw new Error("the acknowledgement is lost");
      };
      await untilStored();
      egressProxy.beforeLog = async () => undefined;
      const counts = (await eventsOf(sandbox)).map((event) => "count" in event && event.count);
      assert.deepEqual(counts, [1, 1, 1]);
    });
  });
}
