import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tracer } from "@opencomputer/process";
import { defaultPlacements, defaults, limits } from "@opencomputer/protocol/api";
import { type ControlPlane, startControlPlane } from "../control-plane.ts";
import type { ControlPlaneOptions } from "../control-plane-options.ts";
import type { OpenDatabase } from "../database/database.ts";
import { createApiKeyRepository, mintApiKey } from "../orgs/api-key-repository.ts";
import { ensureOrg, OrgTransactions } from "../orgs/org-repository.ts";
import { createFakeEgressProxy } from "./fake-egress-proxy.ts";
import { createFakeWorker } from "./fake-worker/fake-worker.ts";
import { createRecordingLogger } from "./recording-logger.ts";

export interface ApiResponse {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests compare what came, whatever its shape
  json: any;
}

interface CallOptions {
  body?: unknown;
  rawBody?: string | Uint8Array;
  headers?: Record<string, string>;
  /** null for no key. */
  key?: string | null;
  signal?: AbortSignal;
}

/** A control plane between a fake worker and a fake proxy, with everything that it logs recorded. */
export async function startTestInstallation(
  openDatabase: () => Promise<OpenDatabase>,
  options: Partial<ControlPlaneOptions> = {},
) {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-control-plane-"));
  const dataDirectory = join(directory, "data");
  const worker = createFakeWorker(join(directory, "worker.sock"));
  const egressProxy = createFakeEgressProxy(join(directory, "egress-proxy.sock"));
  await worker.start();
  await egressProxy.start();
  const opened = await openDatabase();
  const { database } = opened;
  const { logger, lines } = createRecordingLogger();
  let responses = "";
  const start = (changes: Partial<ControlPlaneOptions> = {}): Promise<ControlPlane> =>
    startControlPlane(
      opened,
      {
        dataDirectory,
        host: "127.0.0.1",
        port: 0,
        metricsPort: undefined,
        presetApiKey: undefined,
        encryptionKey: undefined,
        previousEncryptionKeys: [],
        sandboxDomain: "sandbox.localhost",
        operatorPlacements: defaultPlacements,
        sandboxesPerOrgMax: 200,
        sandboxesPerKeyMax: undefined,
        diskMBPerOrgMax: 1_000_000_000,
        egressLogDaysMax: 7,
        requestsPerSecondMax: undefined,
        eventsDaysMax: defaults.eventsDaysMax,
        eventsPerOrgMax: defaults.eventsPerOrgMax,
        webhookAddresses: ["127.0.0.0/8"],
        apiBodyBytesMax: limits.apiBodyBytesMax,
        apiHeaderBytesMax: limits.apiHeaderBytesMax,
        publicUrl: undefined,
        allowedHosts: [],
        corsOrigins: [],
        trustsForwarded: false,
        buildSources: { aptMirror: undefined, pipIndexUrl: undefined, proxy: undefined },
        dashboardDirectory: null,
        workerSocket: join(directory, "worker.sock"),
        egressProxySockets: [join(directory, "egress-proxy.sock")],
        readProcessStates: () => [],
        tracer: new Tracer(),
        readProcessUsage: () => [],
        ...options,
        ...changes,
      },
      logger,
    );
  let controlPlane = await start();
  const apiKey =
    options.presetApiKey ?? (await readFile(join(dataDirectory, "api-key"), "utf8")).trim();

  const installation = {
    worker,
    egressProxy,
    database,
    dataDirectory,
    apiKey,
    url: () => controlPlane.url,
    /** Every log line and every response so far. */
    recorded: () => lines() + responses,

    async call(method: string, path: string, call: CallOptions = {}): Promise<ApiResponse> {
      const key = call.key === undefined ? apiKey : call.key;
      const body =
        call.rawBody ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
      const response = await fetch(controlPlane.url + path, {
        method,
        headers: {
          ...(key === null ? {} : { "x-api-key": key }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...call.headers,
        },
        ...(body === undefined ? {} : { body }),
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      });
      const text = await response.text();
      responses += text;
      const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
      return {
        status: response.status,
        headers: response.headers,
        text,
        json: isJson ? JSON.parse(text) : undefined,
      };
    },

    /** The key of another org. */
    async secondOrgKey(): Promise<string> {
      const key = mintApiKey();
      await createApiKeyRepository(database, new OrgTransactions(database)).add(
        await ensureOrg(database, "second"),
        "created",
        key,
      );
      return key;
    },

    /** Ends the control plane and starts another on the same database and directory. */
    async restart(changes: Partial<ControlPlaneOptions> = {}): Promise<void> {
      await controlPlane.close();
      controlPlane = await start(changes);
    },

    async close(): Promise<void> {
      await controlPlane.close();
      await worker.stop();
      await egressProxy.stop();
      await opened.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return installation;
}
export type TestInstallation = Awaited<ReturnType<typeof startTestInstallation>>;

/** Waits until a condition holds; fails when it does not come about in time. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMilliseconds = 30_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMilliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`It did not come about that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
