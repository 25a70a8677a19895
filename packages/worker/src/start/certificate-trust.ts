import pLimit from "p-limit";
import { type PreparationParts, prepareWorker } from "./prepare-worker.ts";

/** Prepares the worker for the certificate that guests are to trust; the last one counts. */
export interface CertificateTrust {
  /** Returns at once. A certificate that is trusted already changes nothing; one that failed is tried again. */
  trust(certificatePem: string): void;
  /** Returns when no preparation is under way. */
  whenIdle(): Promise<void>;
}

export function createCertificateTrust(parts: PreparationParts): CertificateTrust {
  const { readiness, log } = parts;
  /** Preparations run one after the other. */
  const mutex = pLimit(1);
  const isClosed = () => readiness.state().name === "closed";
  let trusted: string | undefined;

  async function prepare(certificatePem: string): Promise<void> {
    if (isClosed()) return;
    try {
      await prepareWorker(parts, certificatePem);
    } catch (error) {
      if (isClosed()) return log.info({ err: error }, "The preparation was stopped");
      log.error({ err: error }, "The worker cannot prepare for sandboxes");
      readiness.enter({ name: "failed", reason: reasonOf(error) });
      if (trusted === certificatePem) trusted = undefined;
    }
  }

  return {
    trust(certificatePem) {
      if (trusted === certificatePem) return;
      trusted = certificatePem;
      void mutex(() => prepare(certificatePem));
    },
    whenIdle: () => mutex(() => undefined),
  };
}

/** The message of an error and of what caused it: the operator reads it in the status. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`;
}
