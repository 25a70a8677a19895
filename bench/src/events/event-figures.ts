import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunningInstallation } from "@opencomputer/harness";
import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { type BenchControlPlane, startBenchControlPlane } from "./bench-control-plane.ts";
import { type BenchDatabase, createBenchDatabase } from "./bench-database.ts";
import { measureDayOfEvents } from "./day-figures.ts";
import { Follower } from "./follower.ts";
import type { Report } from "./message.ts";
import { reportedLine, sandboxCount, sandboxIdOf } from "./reported-line.ts";

const rounds = 5;
/** So many that the reads of a second, of the proxy and of the follower, take a small part of a turn. */
const eventsPerTurn = 7_000;
/** As many as the control plane stores in one transaction. */
const insertsPerTransaction = 1_000;
const warmUpEvents = 500;

/** What the real control plane, on a database of its own, takes in events and returns of them. */
export async function measureEventFigures(
  installation: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  const database = await createBenchDatabase(installation);
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-bench-"));
  const egressProxySocket = join(directory, "proxy.sock");
  const proxy = fork(fileURLToPath(new URL("./reporting-proxy.js", import.meta.url)), [
    JSON.stringify({ socketPath: egressProxySocket }),
  ]);
  await once(proxy, "message");
  const controlPlane = await startBenchControlPlane({
    ...{ databaseUrl: database.url, egressProxySocket },
  });
  try {
    await database.execute(benchTables());
    return [
      await measureReportedEvents(
        { proxy, database, connection: controlPlane.connection },
        (text) => onRound(`reported: ${text}`),
      ),
      ...(await measureDayOfEvents(database, controlPlane.connection, (text) =>
        onRound(`a day of events: ${text}`),
      )),
    ];
  } finally {
    await controlPlane.stop();
    proxy.kill();
    await rm(directory, { recursive: true });
  }
}

/**
 * Events that the control plane records in the transactions that store what its egress proxy
 * reports, and that a follower gets, compared with inserts into the same server.
 */
async function measureReportedEvents(
  {
    proxy,
    database,
    connection,
  }: {
    proxy: ChildProcess;
    database: BenchDatabase;
    connection: BenchControlPlane["connection"];
  },
  onRound: (text: string) => void,
): Promise<Figure> {
  const follower = new Follower(connection);
  try {
    let reported = 0;
    const report = async (count: number): Promise<void> => {
      const message: Report = { from: reported, count };
      reported += count;
      proxy.send(message);
      await follower.until(reported);
    };
    await report(warmUpEvents);
    const samples = await measureInTurns({
      rounds,
      measured: () => perSecond(() => report(eventsPerTurn)),
      floor: () => perSecond(() => insertPlainly(database)),
      onRound,
    });
    return describeRatio(
      "events/s that a control plane records as its egress proxy reports them, and one follower gets",
      samples,
      { unit: "/s", floorName: "plain inserts into the same PostgreSQL" },
    );
  } finally {
    await follower.stop();
  }
}

async function perSecond(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (eventsPerTurn * 1000) / (performance.now() - startedAt);
}

/** The sandboxes that the reports name, and a table without further indexes for the floor. */
function benchTables(): string {
  const ids = Array.from({ length: sandboxCount }, (_, index) => `('${sandboxIdOf(index)}')`);
  return `
    insert into sandboxes (id, org_id, state, template_id, cpu_count, memory_mb, idle_timeout_seconds,
      metadata, egress_mode, egress_allowlist, tags, started_at, last_active_at, stopped_at)
    select made.id, orgs.id, 'stopped', 'base', 1, 1024, 0, '{}', 'allowlisted', '[]', '{}', now(), now(), now()
    from (values ${ids.join(",")}) as made (id) cross join orgs;
    create table plain_events (
      id uuid primary key default gen_random_uuid(),
      sequence bigint generated always as identity,
      sandbox_id text not null,
      type text not null,
      data jsonb not null,
      time timestamptz not null default clock_timestamp());`;
}

async function insertPlainly(database: BenchDatabase): Promise<void> {
  const { sandboxId, host, port, reason } = reportedLine(0);
  const data = JSON.stringify({ host, port, reason, count: 1 });
  const insert = `insert into plain_events (sandbox_id, type, data) values ('${sandboxId}', 'egress.refused', '${data}');\n`;
  const transaction = `begin;\n${insert.repeat(insertsPerTransaction)}commit;\n`;
  await database.execute(transaction.repeat(eventsPerTurn / insertsPerTransaction));
}
