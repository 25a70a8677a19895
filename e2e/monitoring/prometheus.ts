import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findFreePort } from "@opencomputer/harness";
import { stringify } from "yaml";
import { z } from "zod";
import { untilReady } from "../server-process.ts";
import type { AlertCase } from "./alert-cases.ts";

const run = promisify(execFile);
/** Where the set-up unpacks Debian's package. */
const programs = fileURLToPath(new URL("../../.cache/prometheus/usr/bin/", import.meta.url));

/**
 * Tries rules with the series of each case, by promtool.
 *
 * @throws with promtool's comparison when an alert fires or stays quiet against its case
 */
export async function tryAlerts(
  rulesFile: string,
  cases: Readonly<Record<string, AlertCase>>,
): Promise<void> {
  const tests = Object.entries(cases).flatMap(([alertname, { minutes, fires, staysQuiet }]) =>
    [fires, staysQuiet].map((series) => ({
      name: `${alertname} ${series === fires ? "fires" : "stays quiet"}`,
      interval: "1m",
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${alertname}", alertstate="firing"})`,
          eval_time: `${minutes}m`,
          exp_samples: series === fires ? [{ labels: "{}", value: 1 }] : [],
        },
      ],
    })),
  );
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-alerts-"));
  try {
    const file = join(directory, "tests.yml");
    await writeFile(file, stringify({ rule_files: [rulesFile], evaluation_interval: "1m", tests }));
    await run(`${programs}promtool`, ["test", "rules", file]);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const responseSchema = z.object({ status: z.literal("success"), data: z.unknown() });

/** A running Prometheus. */
export interface Prometheus {
  /** Returns the `data` of a response of its HTTP API; rejects when it is not a success. */
  get(path: string): Promise<unknown>;
  stop(): Promise<void>;
}

/** Starts Prometheus with a configuration that names other files by their full paths. */
export async function startPrometheus(configuration: string): Promise<Prometheus> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-prometheus-"));
  const port = await findFreePort();
  await writeFile(join(directory, "prometheus.yml"), configuration);
  const child = spawn(
    `${programs}prometheus`,
    [
      `--config.file=${join(directory, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(directory, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const end = await untilReady(
    child,
    child.stderr,
    "Server is ready to receive web requests",
    "Prometheus ended before it was ready",
  );
  return {
    async get(path) {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
      return responseSchema.parse(await response.json()).data;
    },
    async stop() {
      await end();
      await rm(directory, { recursive: true });
    },
  };
}
