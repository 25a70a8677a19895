import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issueCertificate } from "@opencomputer/harness";
import { startPeer } from "./bench-processes.ts";
import { measuredHost } from "./sessions.ts";

/** The origin of {@link measuredHost}, for the egress proxies of whole installations. */
export interface MeasuredOrigin {
  /** Settings of an installation whose sandboxes reach the origin. */
  readonly environment: Record<string, string>;
  stop(): Promise<void>;
}

export async function startMeasuredOrigin(): Promise<MeasuredOrigin> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-bench-origin-"));
  const caFile = join(directory, "ca.pem");
  const authority = await createAuthority("bench origin");
  await writeFile(caFile, authority.certificatePem);
  const { privateKeyPem, certificatePem } = await issueCertificate(authority, [measuredHost]);
  const origin = await startPeer("origin", { key: privateKeyPem, cert: certificatePem });
  return {
    environment: {
      OPENCOMPUTER_EGRESS_HOSTS: `${measuredHost}=127.0.0.1:${origin.port}`,
      OPENCOMPUTER_EGRESS_CA_FILE: caFile,
    },
    async stop() {
      origin.stop();
      await rm(directory, { recursive: true });
    },
  };
}
