import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { egressPorts } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { newestTestPython } from "../../../setup/python.mjs";
import { type AwsScenario, bucket, ownKeys, startAwsScenario } from "./testing/aws-scenario.ts";
import { guestAwsKeys } from "./testing/aws-secrets.ts";
import { addresses } from "./testing/egress-proxy-scenario.ts";
import { nameInServer, oddKeys } from "./testing/odd-keys.ts";
import { type ChunkedData, signChunks } from "./testing/sign-chunks.ts";

const pythonPackages = fileURLToPath(new URL("../../../.cache/aws-tools", import.meta.url));
const pythonProgram = fileURLToPath(new URL("testing/boto3-client.py", import.meta.url));

describe("AWS clients other than the SDK for JavaScript", { timeout: 300_000 }, () => {
  let scenario: AwsScenario;
  before(async () => {
    scenario = await startAwsScenario();
    await scenario.giveSecret();
    await scenario.s3Client().send(new CreateBucketCommand({ Bucket: bucket }));
  });
  after(() => scenario.stop());

  /** Runs parts of the program with the environment of a sandbox. */
  async function boto3(...work: string[]): Promise<Record<string, unknown>> {
    const python = await newestTestPython();
    return new Promise((resolve, reject) => {
      const { accessKeyId, secretAccessKey, sessionToken } = guestAwsKeys;
      const child = execFile(
        python,
        ["-B", pythonProgram],
        {
          env: {
            PYTHONPATH: pythonPackages,
            AWS_EC2_METADATA_DISABLED: "true",
            AWS_DEFAULT_REGION: "eu-central-1",
            AWS_ACCESS_KEY_ID: accessKeyId,
            AWS_SECRET_ACCESS_KEY: secretAccessKey,
            AWS_SESSION_TOKEN: sessionToken,
            AWS_CA_BUNDLE: scenario.proxy.authorityFile,
            SSL_CERT_FILE: scenario.proxy.authorityFile,
          },
        },
        (error, stdout, stderr) =>
          error === null
            ? resolve(z.record(z.string(), z.unknown()).parse(JSON.parse(stdout)))
            : reject(new Error(stderr, { cause: error })),
      );
      child.stdin?.end(
        JSON.stringify({
          ...{ work, bucket, prefix: "boto3/", keys: oddKeys },
          guestAddress: addresses.guest,
          proxyAddress: addresses.proxy,
          proxyPort: egressPorts.tls,
        }),
      );
    });
  }

  test("boto3: any names, parts in parallel, copies; neither presigned URLs nor new credentials", async () => {
    const earlier = scenario.proxy.upstream.seen.length;
    const { "token service": replies, ...found } = await boto3(
      ...["names", "parts", "copy and delete", "presigned", "token service"],
    );
    assert.deepEqual(found, {
      names: { kept: oddKeys, listed: oddKeys.map(nameInServer).sort() },
      parts: true,
      "copy and delete": ["copied", 1],
      presigned: 403,
    });
    const [identity, credentials] = z.array(z.string()).parse(replies);
    assert.match(identity ?? "", /hello/);
    assert.match(credentials ?? "", /only GetCallerIdentity is signed/);
    const received = scenario.proxy.upstream.seen.slice(earlier).map(({ body }) => body);
    assert.deepEqual(received, ["Action=GetCallerIdentity&Version=2011-06-15"]);
  });

  test("boto3: presigned URLs under the placement query", async (t) => {
    t.after(() => scenario.giveSecret());
    await scenario.giveSecret({ substituteIn: ["header", "query"] });
    assert.deepEqual(await boto3("presigned"), { presigned: "signed" });
  });

  const unchanged = { requestChecksumCalculation: "WHEN_REQUIRED" } as const;
  const chunkData = ["x".repeat(128 * 1024), "y".repeat(70_000), "z"];
  /** Puts an object whose body is signed by chunks, with this key. */
  async function putChunks(
    client: S3Client,
    key: string,
    secretAccessKey: string,
    chunked: Omit<ChunkedData, "data">,
  ): Promise<void> {
    signChunks(client, secretAccessKey, { data: chunkData, ...chunked });
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: "replaced" }));
  }
  const isRefused = (error: unknown) =>
    z.object({ $metadata: z.object({ httpStatusCode: z.literal(403) }) }).parse(error) !== null;

  for (const hasTrailer of [false, true]) {
    const name = hasTrailer ? "with a trailer" : "without a trailer";
    const change = (body: string) => body.replace("yyy", "yzy");
    const { secretAccessKey } = guestAwsKeys;

    test(`chunks that are signed, ${name}, have signatures that the server accepts`, async () => {
      const client = scenario.s3Client(unchanged);
      await putChunks(client, `chunks ${name}`, secretAccessKey, { hasTrailer });
      const target = { Bucket: bucket, Key: `chunks ${name}` };
      const { Body } = await scenario.s3Client().send(new GetObjectCommand(target));
      assert.equal(await Body?.transformToString("latin1"), chunkData.join(""));
      const direct = () => scenario.directClient(ownKeys, unchanged);
      await putChunks(direct(), "direct", ownKeys.secretAccessKey, { hasTrailer });
      // The server has an error of its own for the chunks that it does not accept.
      await assert.rejects(putChunks(direct(), "direct", secretAccessKey, { hasTrailer }), {
        name: "InternalError",
      });
    });

    test(`chunks that are not the guest's, ${name}, are refused by the proxy`, async () => {
      for (const [key, keyOfChunks, options] of [
        [`changed-${hasTrailer}`, secretAccessKey, { hasTrailer, change }],
        [`forged-${hasTrailer}`, ownKeys.secretAccessKey, { hasTrailer }],
      ] as const) {
        const client = scenario.s3Client(unchanged);
        await assert.rejects(putChunks(client, key, keyOfChunks, options), isRefused);
        const line = await scenario.proxy.proxy.auditLine(({ path }) => path === `/${key}`);
        assert.match(line.reason ?? "", /signature of a chunk/);
      }
    });
  }
});
