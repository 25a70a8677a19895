import { Sandbox, Snapshots } from "@opencomputer/sdk";
import { clearOrg } from "./clear-org.ts";
import { findFreePort } from "./installation.ts";
import { type Handler, respondOk } from "./internet.ts";
import { createPackageMirror, type PackageMirror } from "./package-mirror.ts";
import { type Scenario, startScenario } from "./scenario.ts";

/** What the internet of a shared installation has: a test names the hosts that it uses. */
const sharedHosts = [
  ...["api.anthropic.com", "api.example.com", "api.example.test", "api.github.com"],
  "attacker.example",
  ...["fork.example.test", "git.example.test", "other.example.test", "parent.example.test"],
  ...["github.com", "refused.example.test", "reset.example.test", "third.example.test"],
];
/** Their server shows the certificate of the other hosts. */
const sharedMisnamedHosts = ["wrong-name.example.test"];
const sharedPlainHosts = ["plain.example.test"];
/** What builds of images install: the second is that of the guide. */
const pythonPackages = { tinypackage: "1.2.3", pandas: "2.2.3" };

/** The installation of this process's test files, which run one after the other. */
interface SharedInstallation {
  readonly scenario: SharedScenario;
  readonly mirror: PackageMirror;
  handler: Handler;
}
/** A scenario whose service serves metrics, and builds images from a mirror of packages. */
export interface SharedScenario extends Scenario {
  /** Where, such as `http://127.0.0.1:9464`. */
  readonly metricsUrl: string;
}
let shared: Promise<SharedInstallation> | undefined;
let isKept = false;

/**
 * Keeps the shared installation from one test file of this process to the next.
 * Whoever calls it calls `endSharedInstallation` after the last.
 */
export function keepSharedInstallation(): void {
  isKept = true;
}

/**
 * A scenario on the installation that all test files of this process share,
 * for tests that need no settings and leave the service as they found it.
 * `end` removes the sandboxes, stores, projects and snapshots; what is left
 * on the host shows in `endSharedInstallation`. Where nobody keeps the installation, as for
 * a file that runs by itself, `end` ends it, too.
 */
export async function startSharedScenario({
  hosts = [],
  plainHosts = [],
  handler = respondOk,
}: {
  hosts?: string[];
  plainHosts?: string[];
  handler?: Handler;
} = {}): Promise<SharedScenario> {
  for (const host of [...hosts, ...plainHosts]) {
    if (![...sharedHosts, ...sharedMisnamedHosts, ...sharedPlainHosts].includes(host)) {
      throw new Error(`The shared installation has no host ${host}: add it to sharedHosts`);
    }
  }
  shared ??= start();
  const installation = await shared;
  installation.handler = handler;
  const { scenario } = installation;
  scenario.internet.requests.length = 0;
  return {
    ...scenario,
    async end() {
      const notKilled = await removeEverything(scenario);
      return isKept ? notKilled : [...notKilled, ...(await endSharedInstallation())];
    },
  };
}

/** Stops the shared installation, if there is one. Returns what it leaves on the host. */
export async function endSharedInstallation(): Promise<string[]> {
  if (shared === undefined) return [];
  const { scenario, mirror } = await shared;
  shared = undefined;
  await mirror.close();
  return await scenario.end();
}

async function start(): Promise<SharedInstallation> {
  const metricsPort = await findFreePort();
  const mirror = await createPackageMirror(pythonPackages);
  const scenario = await startScenario({
    environment: { OPENCOMPUTER_METRICS_PORT: String(metricsPort), ...mirror.environment },
    hosts: sharedHosts,
    misnamedHosts: sharedMisnamedHosts,
    plainHosts: [...sharedPlainHosts, ...mirror.hosts],
    otherHttpsPlaces: ["api.example.test:8443"],
    streamPlaces: ["db.example.test:6379"],
    handler(request, response, body) {
      if (mirror.hosts.includes(request.headers.host ?? "")) mirror.handle(request, response);
      else installation.handler(request, response, body);
    },
  });
  const installation: SharedInstallation = {
    scenario: { ...scenario, metricsUrl: `http://127.0.0.1:${metricsPort}` },
    mirror,
    handler: respondOk,
  };
  return installation;
}

/** Returns the names of sandboxes that could not be killed: none. */
async function removeEverything({ connection }: { connection: Scenario["connection"] }) {
  await clearOrg(connection);
  const snapshots = new Snapshots(connection);
  for (const { name } of await snapshots.list()) await snapshots.delete(name);
  return (await Sandbox.list(connection)).map(({ sandboxID }) => sandboxID);
}
