import { Events, type ListEventsOptions } from "@opencomputer/sdk";
import { describeSamples, type Figure } from "../figure.ts";
import { median } from "../statistics.ts";
import type { BenchControlPlane } from "./bench-control-plane.ts";
import type { BenchDatabase } from "./bench-database.ts";
import { sandboxIdOf } from "./reported-line.ts";

const rounds = 20;
const sandboxCount = 1_000;
const eventsPerSandbox = 100;
const daySeconds = 24 * 3600;

const pages: readonly { name: string; options: ListEventsOptions }[] = [
  { name: "the newest 100", options: { order: "desc", limit: 100 } },
  {
    name: "the newest 100 of one sandbox",
    options: { order: "desc", limit: 100, sandboxId: sandboxIdOf(sandboxCount / 2) },
  },
  {
    name: "the oldest 100 kills of the last hour",
    options: {
      ...{ limit: 100, types: ["sandbox.killed"] },
      since: new Date(Date.now() - 3_600_000),
    },
  },
];

/** What a sandbox does, again and again. */
const content = [
  { type: "sandbox.ready", data: "{}" },
  { type: "sandbox.woken", data: "{}" },
  { type: "sandbox.timed_out", data: '{"idleTimeoutSeconds":300}' },
  { type: "sandbox.killed", data: '{"reason":"requested"}' },
];

/** Pages of the API from a day of events of many sandboxes. */
export async function measureDayOfEvents(
  database: BenchDatabase,
  connection: BenchControlPlane["connection"],
  onRound: (text: string) => void,
): Promise<Figure[]> {
  onRound("inserting");
  await database.execute(dayOfEvents());
  const figures: Figure[] = [];
  for (const { name, options } of pages) {
    const milliseconds: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      onRound(`${name}: round ${round} of ${rounds}`);
      const startedAt = performance.now();
      const { events } = await Events.list({ ...connection, ...options });
      milliseconds.push(performance.now() - startedAt);
      if (events.length === 0) throw new Error(`There are no events: ${name}`);
    }
    figures.push({
      name: `a day of ${eventsPerSandbox} events of each of ${sandboxCount.toLocaleString("en")} sandboxes: ${name}`,
      measured: describeSamples(milliseconds, "ms"),
      floor: "—",
      result: `${median(milliseconds).toFixed(0)} ms`,
      mustReach: "reported",
      reached: null,
    });
  }
  return figures;
}

/** Each sandbox has as many events, spread over the day. */
function dayOfEvents(): string {
  const ids = Array.from({ length: sandboxCount }, (_, index) => `'${sandboxIdOf(index)}'`);
  const count = sandboxCount * eventsPerSandbox;
  const ofType = (texts: readonly string[]) =>
    `(array[${texts.map((text) => `'${text}'`).join(",")}])[1 + (n / ${sandboxCount}) % ${texts.length}]`;
  return `
    insert into events (node_id, org_id, sandbox_id, type, data, time)
    select (select short_id from installations), (select id from orgs), (array[${ids.join(",")}])[1 + n % ${sandboxCount}],
      ${ofType(content.map(({ type }) => type))}, ${ofType(content.map(({ data }) => data))}::jsonb,
      now() - make_interval(secs => ${daySeconds} * (1 - n / ${count}.0))
    from generate_series(0, ${count - 1}) as n;
    analyze events;`;
}
