import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  createAuthority,
  issueCertificate,
  type OtlpReceiver,
  type Scenario,
  startOtlpReceiver,
  startScenario,
} from "@opencomputer/harness";

const exporters = ["control-plane", "worker"] as const;
const failure = "spans cannot be exported";
const untilMilliseconds = 30_000;

describe("a receiver of spans with a certificate of its own CA (full run)", () => {
  let receiver: OtlpReceiver;
  let directory: string;
  let certificateFile: string;
  before(async () => {
    const authority = await createAuthority("CA of the receiver");
    receiver = await startOtlpReceiver(await issueCertificate(authority, ["localhost"]));
    directory = await mkdtemp(join(tmpdir(), "opencomputer-traces-"));
    certificateFile = join(directory, "ca.pem");
    // Only root reads it: each process gets its own copy.
    await writeFile(certificateFile, authority.certificatePem, { mode: 0o600 });
  });
  after(async () => {
    await receiver.close();
    await rm(directory, { recursive: true });
  });

  async function withScenario(
    environment: Record<string, string>,
    work: (scenario: Scenario) => Promise<void>,
  ): Promise<void> {
    const scenario = await startScenario({
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...environment },
    });
    try {
      await work(scenario);
    } finally {
      assert.deepEqual(await scenario.end(), []);
    }
  }

  test("gets nothing from processes that do not know the CA, each of which logs it once", async () => {
    await withScenario({}, async ({ createSandbox, installation }) => {
      const failuresOf = async (name: string) => {
        const path = join(installation.dataDirectory, "logs", `${name}.log`);
        return (await readFile(path, "utf8")).split("\n").filter((line) => line.includes(failure));
      };
      const deadline = Date.now() + untilMilliseconds;
      for (let isLogged = false; !isLogged; ) {
        // Each request has spans of both, and what a process exports later fails again.
        await (await createSandbox()).kill();
        await new Promise((resolve) => setTimeout(resolve, 2_500));
        const failures = await Promise.all(exporters.map(failuresOf));
        isLogged = failures.every(({ length }) => length > 0);
        assert.ok(isLogged || Date.now() < deadline, JSON.stringify(failures));
      }
      await (await createSandbox()).kill();
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      for (const name of exporters) {
        const lines = await failuresOf(name);
        assert.equal(lines.length, 1, name);
        assert.match(lines[0] ?? "", /certificate.*OTEL_EXPORTER_OTLP_CERTIFICATE/, name);
      }
    });
    assert.deepEqual(receiver.requests, []);
  });

  test("gets the spans of each process that exports, with its CA in a file", async () => {
    const environment = { OTEL_EXPORTER_OTLP_CERTIFICATE: certificateFile };
    await withScenario(environment, async ({ createSandbox }) => {
      await createSandbox();
      await receiver.until((spans) =>
        exporters.every((name) => spans.some(({ service }) => service === `opencomputer-${name}`)),
      );
    });
  });
});
