import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual, promisify } from "node:util";
import { type SharedScenario, startSharedScenario } from "@opencomputer/harness";
import parsePrometheusTextFormat from "parse-prometheus-text-format";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { alertCases } from "./monitoring/alert-cases.ts";
import { startPrometheus, tryAlerts } from "./monitoring/prometheus.ts";

const run = promisify(execFile);
const waitMillisecondsMax = 60_000;
const host = "api.example.com";
const folder = fileURLToPath(new URL("../docs/operators/monitoring/", import.meta.url));
const families = z.array(
  z.object({
    name: z.string(),
    type: z.string(),
    metrics: z.array(z.object({ labels: z.record(z.string(), z.string()).optional() }).loose()),
  }),
);
const rulesSchema = z.object({
  groups: z.array(
    z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() }).loose()) }),
  ),
});
const dashboardSchema = z.object({
  panels: z.array(z.object({ targets: z.array(z.object({ expr: z.string() }).loose()) }).loose()),
});
const scrapesSchema = z.object({
  scrape_configs: z.array(z.looseObject({ metrics_path: z.string().default("/metrics") })),
});
const targetsSchema = z.object({
  activeTargets: z.array(z.object({ scrapePool: z.string(), health: z.string() })),
});
const loadedRulesSchema = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ name: z.string(), health: z.string() })) })),
});
const seriesSchema = z.object({ result: z.array(z.unknown()) });

/** Waits until what is read is what is expected, in any order. */
async function becomes(read: () => Promise<string[]>, expected: string[]): Promise<void> {
  const deadline = Date.now() + waitMillisecondsMax;
  for (;;) {
    const found = (await read()).toSorted();
    if (isDeepStrictEqual(found, expected.toSorted())) return;
    if (Date.now() > deadline) assert.deepEqual(found, expected.toSorted());
    await delay(200);
  }
}

describe("what a Prometheus of the operator reads", () => {
  let scenario: SharedScenario;
  before(async () => {
    scenario = await startSharedScenario({ hosts: [host] });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const read = (file: string) => readFile(folder + file, "utf8");
  const readPaths = async () =>
    scrapesSchema
      .parse(parse(await read("prometheus.yml")))
      .scrape_configs.map(({ metrics_path }) => metrics_path);
  const scrape = async (path: string) => {
    const response = await fetch(scenario.metricsUrl + path);
    assert.equal(response.status, 200, path);
    return families.parse(parsePrometheusTextFormat(await response.text()));
  };

  test("has every metric that the alerts, the dashboard and the page name", async () => {
    const sandbox = await scenario.createSandbox({
      secretStore: (
        await scenario.createStore({
          egressAllowlist: [host],
          secrets: { KEY: "sk-metrics-canary-8GhT2mQ" },
        })
      ).name,
    });
    await sandbox.exec.run(`curl -s https://${host}/ -H "x-key: $KEY"; curl -s https://evil.test/`);
    await sandbox.hibernate();
    await sandbox.exec.run("true");

    const served = new Set<string>();
    const samples = new Map<string, Record<string, string>[]>();
    for (const path of await readPaths()) {
      for (const { name, type, metrics } of await scrape(path)) {
        served.add(name);
        const parts = type === "HISTOGRAM" ? ["_bucket", "_sum", "_count"] : [];
        for (const part of parts) served.add(name + part);
        const labels = metrics.map((metric) => metric.labels ?? {});
        samples.set(name, [...(samples.get(name) ?? []), ...labels]);
      }
    }
    const { groups } = rulesSchema.parse(parse(await read("alerts.yml")));
    const { panels } = dashboardSchema.parse(JSON.parse(await read("dashboard.json")));
    const expressions = [
      ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
      ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ];
    assert.ok(expressions.length > 30);
    const page = await readFile(`${folder}../monitoring.md`, "utf8");
    const named = [...expressions, page].flatMap((text) => [
      ...text.matchAll(/\b(?:opencomputer|nodejs|process)_[a-z0-9_]+[a-z0-9]\b/g),
    ]);
    for (const [name] of named) assert.ok(served.has(name), name);
    for (const name of [...served].filter((text) => text.startsWith("opencomputer_"))) {
      const family = name.replace(/_(bucket|sum|count)$/, "");
      assert.ok(page.includes(`\`${family}\``) || page.includes(`\`${name}\``), name);
    }

    // The series that the alerts compare exist once it has happened.
    const has = (name: string, wanted: Record<string, string>) =>
      samples
        .get(name)
        ?.some((labels) => Object.entries(wanted).every(([key, value]) => labels[key] === value));
    for (const [name, labels] of [
      ["opencomputer_api_requests_total", { method: "POST", route: "/api/sandboxes", code: "ok" }],
      ["opencomputer_wakes_total", { code: "ok" }],
      ["opencomputer_worker_requests_total", { route: "/v1/sandboxes/:sandboxId/hibernate" }],
      ["opencomputer_egress_requests_total", { kind: "https", decision: "allowed" }],
      ["opencomputer_egress_secrets_total", { result: "substituted" }],
      ["opencomputer_process_running", { process: "egress-proxy" }],
      ["opencomputer_process_resident_memory_bytes", { process: "supervisor" }],
      ["opencomputer_process_cpu_seconds_total", { process: "host" }],
      ["opencomputer_egress_log_read_total", { result: "stored" }],
      ["opencomputer_webhook_attempts_total", { result: "delivered" }],
    ] as const) {
      assert.ok(has(name, labels), `${name} ${JSON.stringify(labels)}`);
    }
  });

  test("is scraped by Prometheus with the operators' files, and each query of the dashboard has an answer", async () => {
    const configuration = scrapesSchema.parse(parse(await read("prometheus.yml")));
    const { host: target } = new URL(scenario.metricsUrl);
    const prometheus = await startPrometheus(
      stringify({
        global: { scrape_interval: "1s", evaluation_interval: "1s" },
        rule_files: [`${folder}alerts.yml`],
        scrape_configs: configuration.scrape_configs.map((job) => ({
          ...job,
          static_configs: [{ targets: [target] }],
        })),
      }),
    );
    try {
      const expected = configuration.scrape_configs.map((job) => `${job["job_name"]} up`);
      const readTargets = async () =>
        targetsSchema
          .parse(await prometheus.get("targets"))
          .activeTargets.map(({ scrapePool, health }) => `${scrapePool} ${health}`);
      const readRules = async () =>
        loadedRulesSchema
          .parse(await prometheus.get("rules"))
          .groups.flatMap(({ rules }) => rules.map(({ name, health }) => `${name} ${health}`));
      await becomes(readTargets, expected);
      await becomes(
        readRules,
        Object.keys(alertCases).map((name) => `${name} ok`),
      );
      const { panels } = dashboardSchema.parse(JSON.parse(await read("dashboard.json")));
      for (const { expr } of panels.flatMap(({ targets }) => targets)) {
        const data = await prometheus.get(`query?query=${encodeURIComponent(expr)}`);
        assert.ok(seriesSchema.safeParse(data).success, expr);
      }
    } finally {
      await prometheus.stop();
    }
  });

  test("names no sandbox, host, secret or org, and no guest reaches it", async () => {
    const sandbox = await scenario.createSandbox();
    for (const path of await readPaths()) {
      const text = await (await fetch(scenario.metricsUrl + path)).text();
      assert.doesNotMatch(text, /canary|sb-[a-z2-7]{8}|example\.com|evil\.test/);
    }
    const { port } = new URL(scenario.metricsUrl);
    const addresses = "127.0.0.1 169.254.169.254 $(ip route | awk '/default/ {print $3}')";
    const { stdout } = await sandbox.exec.run(
      `for address in ${addresses}; do curl -s --max-time 5 http://$address:${port}/metrics; done; echo end`,
    );
    assert.equal(stdout, "end\n");
  });
});

describe("the operators' files for Prometheus and Grafana", () => {
  test("have a case for each alert, in which it fires and in which it does not", async () => {
    const { groups } = rulesSchema.parse(parse(await readFile(`${folder}alerts.yml`, "utf8")));
    assert.deepEqual(
      Object.keys(alertCases).toSorted(),
      groups.flatMap(({ rules }) => rules.map(({ alert }) => alert)).toSorted(),
    );
    await tryAlerts(`${folder}alerts.yml`, alertCases);
  });

  test("are a dashboard by Grafana's own schema (full run)", async () => {
    const cwd = fileURLToPath(new URL("monitoring/grafana-dashboard/", import.meta.url));
    await run("go", ["run", ".", `${folder}dashboard.json`], { cwd });
  });
});
