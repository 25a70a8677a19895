import type { Tracer } from "@opencomputer/process";
import {
  egressProxyName,
  type WorkerCheckpoint,
  type WorkerStatus,
} from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { createEgressProxies, type EgressProxies } from "../egress-proxy/egress-proxies.ts";
import { createEgressProxyClient } from "../egress-proxy/egress-proxy-client.ts";
import { createEgressProxyLink, type FillEgressProxy } from "../egress-proxy/egress-proxy-link.ts";
import { traceEgressProxy, traceWorker } from "./traced-peers.ts";
import { createWorkerClient, type WorkerClient } from "./worker-client.ts";
import { createWorkerLink, type HostSizes } from "./worker-link.ts";

/** A worker, and the egress proxies that serve the machines of its host. */
export interface Worker extends WorkerClient {
  readonly egressProxies: EgressProxies;
  /**
   * The sizes that the host has.
   *
   * @throws {WireError} `worker_unavailable` with what the worker is doing, and
   * with `retryAfterSeconds` when it is starting.
   */
  readSizes(): Promise<HostSizes>;
  /**
   * As {@link readSizes}, for a machine in whatever slot is free, so with every egress proxy.
   *
   * @throws {WireError} `egress_proxy_unavailable` too
   */
  assertReady(): Promise<HostSizes>;
}

/** Finds what serves a sandbox. There is one worker, so every sandbox is on it. */
export interface Workers {
  /** The worker that has the machine of a sandbox, running or saved. */
  of(sandbox: { id: string }): Worker;
  /** The worker that has the files of a checkpoint or an image. */
  ofCheckpoint(checkpoint: { id: string }): Worker;
  /** The worker that a new sandbox is placed on. */
  forNew(): Worker;
  all(): readonly Worker[];
}

/** What keeps the workers and their proxies supplied. */
export interface WorkerAdoption {
  /** Reconciles the rows with the workers, one of which is a new process. */
  reconcile(): Promise<void>;
  egressProxy: FillEgressProxy;
}

export interface WorkersHealth {
  ready: boolean;
  /** Whether the host bounds what machines take; null while the worker is not known. */
  limitsEnforced: boolean | null;
  /** How many machines and saved machines the worker cannot read; null while it is away. */
  quarantinedCount: number | null;
}

/** The connections to the workers, as the composition root holds them. */
export interface WorkerConnections {
  workers: Workers;
  /** Sets what a new process of a worker or a proxy is given before it counts as ready. */
  adoptWith(adoption: WorkerAdoption): void;
  /** Asks the workers for their state. Never rejects. */
  pollWorkers(): Promise<void>;
  /** Each asks one egress proxy for its state: one that is slow keeps no other waiting. Never reject. */
  readonly egressProxyPolls: readonly (() => Promise<void>)[];
  /** Whether the workers are ready, whatever the state of their proxies. */
  workersReady(): boolean;
  health(): WorkersHealth;
  close(): Promise<void>;
}

export function connectWorkers(options: {
  workerSocket: string;
  egressProxySockets: readonly string[];
  certificatePem: string;
  tracer: Tracer;
  logger: Logger;
}): WorkerConnections {
  const { certificatePem, tracer, logger } = options;
  let adoption: WorkerAdoption | undefined;

  function adopted(): WorkerAdoption {
    if (adoption !== undefined) return adoption;
    throw new Error("A worker was polled before it was said what a new one is given");
  }

  const client = traceWorker(tracer, createWorkerClient(options.workerSocket));
  const egressProxies = createEgressProxies(
    options.egressProxySockets.map((socketPath) =>
      traceEgressProxy(tracer, createEgressProxyClient(socketPath)),
    ),
  );
  const workerLink = createWorkerLink({
    worker: client,
    certificatePem,
    reconcile: () => adopted().reconcile(),
    logger,
  });
  const egressProxyLinks = egressProxies.all.map((egressProxy, index) =>
    createEgressProxyLink({
      egressProxy: {
        client: egressProxy,
        serves: (sandbox) => egressProxies.of(sandbox) === egressProxy,
      },
      filler: {
        fill: (proxy) => adopted().egressProxy.fill(proxy),
        enforceRevocations: (proxy) => adopted().egressProxy.enforceRevocations(proxy),
      },
      logger: logger.child({ egressProxy: egressProxyName(index) }),
    }),
  );
  const worker: Worker = {
    ...client,
    egressProxies,
    readSizes: workerLink.assertReady,
    async assertReady() {
      const sizes = await workerLink.assertReady();
      await Promise.all(egressProxyLinks.map((link) => link.assertReady()));
      return sizes;
    },
  };

  return {
    workers: {
      of: () => worker,
      ofCheckpoint: () => worker,
      forNew: () => worker,
      all: () => [worker],
    },
    adoptWith(given) {
      adoption = given;
    },
    pollWorkers: workerLink.poll,
    egressProxyPolls: egressProxyLinks.map(({ poll }) => poll),
    workersReady: workerLink.ready,
    health: () =>
      describeHealth(
        workerLink.status(),
        egressProxyLinks.every((link) => link.ready()),
      ),
    async close() {
      await Promise.all([client, ...egressProxies.all].map((peer) => peer.close()));
    },
  };
}

function describeHealth(status: WorkerStatus | undefined, areProxiesReady: boolean): WorkersHealth {
  return {
    ready: status?.ready === true && areProxiesReady,
    limitsEnforced: status?.limitsEnforced ?? null,
    quarantinedCount: status?.quarantined.length ?? null,
  };
}

/**
 * The checkpoints that the workers have, and how much of theirs they cannot
 * read, which may be checkpoints too. It is counted after the lists were read,
 * so that nothing is in neither.
 */
export async function listCheckpoints(
  workers: Workers,
): Promise<{ checkpoints: WorkerCheckpoint[]; quarantinedCount: number }> {
  const all = workers.all();
  const checkpoints = (await Promise.all(all.map((worker) => worker.listCheckpoints()))).flat();
  const statuses = await Promise.all(all.map((worker) => worker.status()));
  const quarantinedCount = statuses.reduce((sum, { quarantined }) => sum + quarantined.length, 0);
  return { checkpoints, quarantinedCount };
}
