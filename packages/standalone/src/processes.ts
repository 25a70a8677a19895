import { fileURLToPath } from "node:url";
import type { Installation } from "./installation.ts";
import { egressAddressOf } from "./network-block.ts";
import type { ServeSettings } from "./settings.ts";
import { auditDescriptor, type ProcessDefinition } from "./supervised-process.ts";

/**
 * The processes in the order of their start, each with its own variables and
 * no others: the worker never sees the encryption key, nor the proxy the
 * database.
 */
export function defineProcesses({
  settings,
  installation,
  networkBlock,
  environment,
}: {
  settings: ServeSettings;
  installation: Installation;
  networkBlock: string;
  environment: NodeJS.ProcessEnv;
}): { worker: ProcessDefinition; egressProxy: ProcessDefinition; controlPlane: ProcessDefinition } {
  const pass = (names: readonly string[]) => pick(environment, ["PATH", "LANG", "TZ", ...names]);
  return {
    worker: {
      name: "worker",
      mainFile: mainFileOf("worker"),
      capabilities: "all",
      environment: {
        ...pass(["OPENCOMPUTER_ACCEL", "OPENCOMPUTER_WARM_POOL_SIZE", "OPENCOMPUTER_EGRESS_DENY"]),
        OPENCOMPUTER_DATA_DIR: installation.dataDirectory,
        OPENCOMPUTER_WORKER_SOCKET: installation.workerSocket,
        OPENCOMPUTER_RUNTIME_DIR: installation.runtimeDirectory,
        OPENCOMPUTER_INSTALLATION_ID: installation.id,
        OPENCOMPUTER_NETWORK_BLOCK: networkBlock,
        OPENCOMPUTER_GUEST_IMAGE_DIR: fileURLToPath(
          new URL("../../../guest-image/build", import.meta.url),
        ),
      },
    },
    egressProxy: {
      name: "egress-proxy",
      mainFile: mainFileOf("egress-proxy"),
      capabilities: "none",
      environment: {
        ...pass([
          "OPENCOMPUTER_EGRESS_HOSTS",
          "OPENCOMPUTER_EGRESS_DENY",
          "OPENCOMPUTER_EGRESS_CA_FILE",
        ]),
        OPENCOMPUTER_EGRESS_PROXY_SOCKET: installation.egressProxySocket,
        OPENCOMPUTER_EGRESS_ADDRESS: egressAddressOf(networkBlock),
        OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: String(auditDescriptor),
      },
    },
    controlPlane: {
      name: "control-plane",
      mainFile: mainFileOf("control-plane"),
      capabilities: "none",
      environment: {
        ...pass([
          "OPENCOMPUTER_API_KEY",
          "OPENCOMPUTER_SANDBOXES_PER_ORG_MAX",
          "OPENCOMPUTER_SANDBOXES_PER_KEY_MAX",
          "OPENCOMPUTER_REQUESTS_PER_SECOND_MAX",
          "OPENCOMPUTER_API_BODY_BYTES_MAX",
          "OPENCOMPUTER_API_HEADER_BYTES_MAX",
          "OPENCOMPUTER_PUBLIC_URL",
          "OPENCOMPUTER_TRUST_FORWARDED",
          "OPENCOMPUTER_SUBSTITUTE_IN",
          "DATABASE_URL",
          "OPENSANDBOX_SECRET_ENCRYPTION_KEY",
          "OPENCOMPUTER_APT_MIRROR",
          "OPENCOMPUTER_PIP_INDEX_URL",
          "OPENCOMPUTER_BUILD_PROXY",
        ]),
        OPENCOMPUTER_DATA_DIR: installation.dataDirectory,
        OPENCOMPUTER_HOST: settings.OPENCOMPUTER_HOST,
        OPENCOMPUTER_PORT: String(settings.OPENCOMPUTER_PORT),
        OPENCOMPUTER_SANDBOX_DOMAIN: settings.OPENCOMPUTER_SANDBOX_DOMAIN,
        OPENCOMPUTER_WORKER_SOCKET: installation.workerSocket,
        OPENCOMPUTER_EGRESS_PROXY_SOCKET: installation.egressProxySocket,
      },
    },
  };
}

function mainFileOf(name: string): string {
  return fileURLToPath(new URL(`../../${name}/dist/main.js`, import.meta.url));
}

function pick(environment: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
