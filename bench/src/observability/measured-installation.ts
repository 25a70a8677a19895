import { readFile } from "node:fs/promises";
import { queryDatabase, type RunningInstallation, readMachines } from "@opencomputer/harness";
import { egressPorts } from "@opencomputer/protocol/wire";
import { Sandbox, SecretStore } from "@opencomputer/sdk";
import { z } from "zod";
import { measuredHost, usedSecret } from "../egress/setup/sessions.ts";
import { openSlotOutput } from "../slot-namespace.ts";
import type { ProxyLoad } from "./proxy-load-task.ts";

/** An installation with a sandbox, and the way of the sandbox's requests to the proxy. */
export interface MeasuredInstallation {
  readonly connection: { readonly apiUrl: string; readonly apiKey: string };
  readonly sandbox: Sandbox;
  /** Control plane and worker. */
  readonly pids: readonly number[];
  readonly proxy: {
    readonly pid: number;
    /** The process in whose network namespace the sandbox's requests to the proxy are sent. */
    readonly machinePid: number;
    readonly target: ProxyLoad["target"];
    /** Becomes {@link usedSecret}'s value on its way to the host. */
    readonly token: string;
  };
}

/** Creates the sandbox, with a secret for {@link measuredHost}, and lets the bench reach the proxy in its place. */
export async function prepareMeasurement(
  installation: RunningInstallation,
): Promise<MeasuredInstallation> {
  const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
  const store = await SecretStore.create({
    ...{ ...connection, name: "bench", egressAllowlist: [measuredHost] },
  });
  const { name, value } = usedSecret;
  await SecretStore.setSecret(store.id, name, value, connection);
  const sandbox = await Sandbox.create({ ...connection, timeout: 0, secretStore: store.name });
  const { stdout: token } = await sandbox.exec.run(`printf %s "$${name}"`);
  const machine = (await readMachines(installation.dataDirectory)).get(sandbox.sandboxId);
  if (machine === undefined) throw new Error("The sandbox has no machine");
  const pidOf = async (part: "control-plane" | "worker" | "egress-proxy") => {
    const [pid] = await installation.pidsOf(part);
    if (pid === undefined) throw new Error(`The ${part} does not run`);
    return pid;
  };
  const proxyPid = await pidOf("egress-proxy");
  const host = await egressAddressOf(proxyPid);
  const destination = ["ip", "daddr", host, "tcp", "dport", String(egressPorts.tls)];
  await openSlotOutput(machine.pid, ...destination);
  const select = (column: string, table: string) =>
    queryDatabase(installation, `select to_json(${column}) from ${table}`, z.string());
  return {
    ...{ connection, sandbox, pids: [await pidOf("control-plane"), await pidOf("worker")] },
    proxy: {
      ...{ pid: proxyPid, machinePid: machine.pid, token },
      target: {
        ...{ host, port: egressPorts.tls, servername: measuredHost },
        localAddress: await select("source_address", `sandboxes where id = '${sandbox.sandboxId}'`),
        ca: await select("ca_certificate_pem", "installations"),
      },
    },
  };
}

async function egressAddressOf(proxyPid: number): Promise<string> {
  const environment = await readFile(`/proc/${proxyPid}/environ`, "utf8");
  const address = /(?:^|\0)OPENCOMPUTER_EGRESS_ADDRESS=([^\0]+)/.exec(environment)?.[1];
  if (address === undefined) throw new Error("The egress proxy has no address in its environment");
  return address;
}
