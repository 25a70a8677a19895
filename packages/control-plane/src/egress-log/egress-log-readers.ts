import { setTimeout as delay } from "node:timers/promises";
import {
  type EgressLogBatch,
  type EgressLogPosition,
  serviceLimits,
} from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { isDataError } from "../database/database.ts";
import type { EgressProxyClient } from "../egress-proxy/egress-proxy-client.ts";

/** What reads the egress logs of the proxies. */
export interface EgressLogReaders {
  /** Takes what the proxies have at the moment, and stops. */
  stop(): Promise<void>;
}

/** How long the proxy holds a request when it has no line. */
const waitSeconds = 20;
type ReadableProxy = Pick<EgressProxyClient, "readEgressLog">;

const defaultPauses = {
  /**
   * Between two reads, so that lines that come one by one are stored together. After as many as
   * a read returns, more are waiting: the pause is then no longer than storing them took.
   */
  readMilliseconds: 250,
  retryMilliseconds: 1_000,
};

/**
 * Starts to read the egress log of each proxy, and to store it. The lines are acknowledged
 * with the next read, once they are stored: after an interruption on either side they are
 * read again.
 */
export function startEgressLogReaders(deps: {
  egressProxies: readonly ReadableProxy[];
  /** Stores lines, each once, however often it is called with them. */
  store: (batch: EgressLogBatch) => Promise<unknown>;
  /** Called for a line that cannot be stored, and is left out. */
  onUnstorable: () => void;
  logger: Logger;
  pauses?: typeof defaultPauses;
}): EgressLogReaders {
  const { egressProxies, store, onUnstorable, logger, pauses = defaultPauses } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;

  function createReader(egressProxy: ReadableProxy) {
    let acknowledged: EgressLogPosition | null = null;
    let hasFailed = false;

    async function readOnce(seconds: number, ending: AbortSignal) {
      const batch = await egressProxy.readEgressLog({ acknowledged, waitSeconds: seconds }, ending);
      const startedAt = performance.now();
      const last = batch.lines.at(-1);
      if (last !== undefined) {
        await storeBatch(batch);
        acknowledged = { instanceId: batch.instanceId, sequence: last.sequence };
      }
      return { lineCount: batch.lines.length, storeMilliseconds: performance.now() - startedAt };
    }

    async function readAll(): Promise<void> {
      while (!signal.aborted) {
        try {
          const { lineCount, storeMilliseconds } = await readOnce(waitSeconds, signal);
          hasFailed = false;
          const isFull = lineCount >= serviceLimits.egressLogLinesPerReadMax;
          await pause(Math.min(pauses.readMilliseconds, isFull ? storeMilliseconds : Infinity));
        } catch (error) {
          if (signal.aborted) return;
          if (!hasFailed) logger.warn({ err: error }, "the egress log cannot be read or stored");
          hasFailed = true;
          await pause(pauses.retryMilliseconds);
        }
      }
    }

    const reading = readAll();
    return async (): Promise<void> => {
      await reading;
      // What is acknowledged now is not read again by the next control plane.
      const ending = AbortSignal.timeout(pauses.retryMilliseconds);
      try {
        while ((await readOnce(0, ending)).lineCount > 0);
      } catch (error) {
        logger.debug({ err: error }, "the rest of the egress log is read at the next start");
      }
    };
  }

  /** Stores a batch; of one that has a line which cannot be stored, the other lines. */
  async function storeBatch(batch: EgressLogBatch): Promise<void> {
    try {
      await store(batch);
    } catch (error) {
      if (!isDataError(error)) throw error;
      await storeSingly(batch);
    }
  }

  /** A line that no database takes does not stop those of every sandbox. */
  async function storeSingly({ instanceId, lines }: EgressLogBatch): Promise<void> {
    for (const line of lines) {
      try {
        await store({ instanceId, lines: [line] });
      } catch (error) {
        if (!isDataError(error)) throw error;
        onUnstorable();
        logger.error(
          { instanceId, sequence: line.sequence, sandboxId: line.sandboxId, err: error },
          "a line of the egress log cannot be stored, and is left out; the audit trail has it",
        );
      }
    }
  }

  /** Resolves after the time, and at once when the readers stop. */
  async function pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal }).catch(() => undefined);
  }

  const finish = egressProxies.map(createReader);
  return {
    async stop() {
      stopping.abort();
      await Promise.all(finish.map((end) => end()));
    },
  };
}
