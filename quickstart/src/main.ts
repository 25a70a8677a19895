import { randomBytes } from "node:crypto";
import {
  listHostResources,
  type RunningInstallation,
  startInstallation,
  startInternet,
} from "@opencomputer/harness";
import { readSettings, SettingsError, settingSchemas } from "@opencomputer/protocol/wire";
import { OpenComputerError, Sandbox, SecretStore } from "@opencomputer/sdk";
import {
  type Connection,
  createSandbox,
  createStore,
  forbiddenHost,
  keyHost,
  otherHost,
  showRefusals,
  showToken,
  useSecret,
} from "./main-job.ts";
import { createNarration, QuickstartError } from "./narration.ts";
import { type QuickstartOptions, readOptions } from "./options.ts";
import { searchForKey } from "./search-for-key.ts";

const narration = createNarration(process.stdout);
try {
  const key = `sk-ant-demo-${randomBytes(24).toString("hex")}`;
  await quickstart(readOptions(process.argv.slice(2), process.env, key));
} catch (error) {
  if (
    !(error instanceof QuickstartError) &&
    !(error instanceof OpenComputerError) &&
    !(error instanceof SettingsError)
  ) {
    throw error;
  }
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}

async function quickstart(options: QuickstartOptions): Promise<void> {
  const settings = readSettings(settingSchemas, process.env);
  const internet = options.live
    ? undefined
    : await startInternet({ hosts: [keyHost, otherHost, forbiddenHost] });
  process.stdout.write(
    options.live
      ? `Live: requests go to the real ${keyHost}.\n\n`
      : `Offline: ${keyHost} and the other hosts are servers on this machine; OPENCOMPUTER_EGRESS_HOSTS and\nOPENCOMPUTER_EGRESS_CA_FILE direct the proxy to them. --live uses the real hosts.\n\n`,
  );
  try {
    const installation = await startInstallation({
      dataDirectory: settings.OPENCOMPUTER_DATA_DIR,
      port: settings.OPENCOMPUTER_PORT,
      environment: {
        ...definedSettings(process.env),
        ...(internet === undefined
          ? {}
          : {
              OPENCOMPUTER_EGRESS_HOSTS: internet.egressHosts,
              OPENCOMPUTER_EGRESS_CA_FILE: internet.caFile,
            }),
      },
      onOutput: (text) => process.stdout.write(text),
    });
    try {
      const others = await Sandbox.list(connectionTo(installation));
      await mainJob(installation, internet ?? null, options.key);
      await endService(installation, others.length);
    } finally {
      await installation.stop();
    }
  } finally {
    await internet?.close();
  }
  process.stdout.write(
    "\nDone. Next: `npm run serve`, then `npx oc create` or the TypeScript example of the README.\n",
  );
}

async function mainJob(
  installation: RunningInstallation,
  internet: Awaited<ReturnType<typeof startInternet>> | null,
  key: string,
): Promise<void> {
  const connection = connectionTo(installation);
  const storeName = `quickstart-${randomBytes(4).toString("hex")}`;
  const storeId = await createStore(narration, connection, { storeName, key });
  const sandbox = await createSandbox(narration, connection, storeName);
  try {
    const token = await showToken(narration, sandbox);
    await useSecret(narration, sandbox, {
      key,
      received: internet === null ? null : () => internet.requestsTo(keyHost),
    });
    await showRefusals(narration, sandbox, {
      token,
      received: internet === null ? null : (host) => internet.requestsTo(host),
    });
    const { sandboxId } = sandbox;
    await searchForKey(narration, installation, { sandboxId, key, token });
  } finally {
    narration.step("Kill the sandbox and stop the service");
    await sandbox.kill();
    await SecretStore.delete(storeId, connection);
  }
  narration.shown(`${sandbox.sandboxId} was killed, and its store deleted`);
}

async function endService(
  installation: RunningInstallation,
  earlierSandboxes: number,
): Promise<void> {
  await installation.stop();
  if (earlierSandboxes > 0) {
    narration.note(`${earlierSandboxes} earlier sandboxes keep running`);
    return;
  }
  const remaining = await listHostResources(installation);
  narration.expect(
    remaining.length === 0,
    "no process, namespace, socket or filter remains",
    remaining.join("\n"),
  );
}

function connectionTo(installation: RunningInstallation): Connection {
  return { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
}

/** The settings of the service that are set in this environment. */
function definedSettings(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.keys(settingSchemas).flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
