import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { z } from "zod";
import { type AwsScenario, bucket, ownKeys, startAwsScenario } from "./testing/aws-scenario.ts";
import { guestAwsKeys, realAwsKeys } from "./testing/aws-secrets.ts";
import { nameInServer, oddKeys } from "./testing/odd-keys.ts";
import { signedByAwsSdk } from "./testing/signed-by-aws-sdk.ts";

/** What the SDK adds to an error of a response. */
const failureSchema = z.object({ $metadata: z.object({ httpStatusCode: z.int() }) });
const mebibyte = 1024 * 1024;
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** The AWS SDK for JavaScript through the real proxy, to a server that verifies signatures. */
describe("AWS SDK for JavaScript", { timeout: 300_000 }, () => {
  let scenario: AwsScenario;
  let s3: S3Client;
  before(async () => {
    scenario = await startAwsScenario();
    await scenario.giveSecret();
    s3 = scenario.s3Client();
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  });
  after(() => scenario.stop());

  const get = async (key: string, options: { Range?: string } = {}, client = s3) => {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key, ...options });
    const { Body } = await client.send(command);
    assert.ok(Body);
    return Buffer.from(await Body.transformToByteArray());
  };
  const put = (key: string, body: string | Buffer | Readable, client = s3) =>
    client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  const refusedWith = (status: number, name?: string) => (error: unknown) => {
    const { $metadata } = failureSchema.parse(error);
    assert.equal($metadata.httpStatusCode, status, String(error));
    if (name !== undefined) assert.equal((error as Error).name, name);
    return true;
  };

  test("the server refuses every signature that its users did not make", async () => {
    const { sessionToken: _, ...real } = realAwsKeys;
    await scenario.directClient(real).send(new ListObjectsV2Command({ Bucket: bucket }));
    const wrong = { ...real, secretAccessKey: ownKeys.secretAccessKey };
    for (const [keys, name] of [
      [wrong, "SignatureDoesNotMatch"],
      [guestAwsKeys, "InvalidAccessKeyId"],
    ] as const) {
      const { accessKeyId, secretAccessKey } = keys;
      const client = scenario.directClient({ accessKeyId, secretAccessKey });
      await assert.rejects(put("direct", "x", client), refusedWith(403, name));
    }
  });

  const bodies: [string, () => string | Buffer | Readable][] = [
    ["text", () => "hello"],
    ["nothing", () => ""],
    ["bytes that wait for 100 Continue", () => Buffer.alloc(3 * mebibyte, 7)],
  ];
  for (const [name, body] of bodies) {
    test(`puts and gets ${name}`, async () => {
      const sent = body();
      await put("body", sent);
      assert.equal(sha256(await get("body")), sha256(Buffer.from(sent as string)));
    });
  }

  test("puts a stream, with a checksum in a trailer", async () => {
    const data = randomBytes(mebibyte);
    const Body = Readable.from([data.subarray(0, 70_000), data.subarray(70_000)]);
    const length = { ContentLength: data.length, ChecksumAlgorithm: "CRC32" } as const;
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: "stream", Body, ...length }));
    assert.equal(sha256(await get("stream")), sha256(data));
  });

  test("uploads in parts, and gets a range", async () => {
    const data = randomBytes(11 * mebibyte);
    const params = { Bucket: bucket, Key: "parts", Body: Readable.from([data]) };
    await new Upload({ client: s3, params, partSize: 5 * mebibyte }).done();
    assert.equal(sha256(await get("parts")), sha256(data));
    const range = await get("parts", { Range: `bytes=${5 * mebibyte - 10}-${5 * mebibyte + 9}` });
    assert.deepEqual(range, data.subarray(5 * mebibyte - 10, 5 * mebibyte + 10));
  });

  test("names of objects may have any characters", async () => {
    for (const key of oddKeys) {
      await put(`odd/${key}`, key);
      assert.equal((await get(`odd/${key}`)).toString(), key);
    }
    const listed: string[] = [];
    let token: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          ...{ Bucket: bucket, Prefix: "odd/", MaxKeys: 3, ContinuationToken: token },
        }),
      );
      listed.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ""));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    assert.deepEqual(listed.sort(), oddKeys.map((key) => `odd/${nameInServer(key)}`).sort());
  });

  test("a bucket may be in the path, and errors are the server's", async () => {
    await put("in path", "x", scenario.s3Client({ forcePathStyle: true }));
    await assert.rejects(get("absent"), refusedWith(404, "NoSuchKey"));
  });

  test("presigned URLs are signed again under the placement query, and not under header", async (t) => {
    t.after(() => scenario.giveSecret());
    const body = "presigned body";
    const target = { Bucket: bucket, Key: "pre signed+1" };
    // The checksum of a body that the URL does not know would be that of an empty one.
    const signing = scenario.s3Client({ requestChecksumCalculation: "WHEN_REQUIRED" });
    const urls = {
      put: await getSignedUrl(signing, new PutObjectCommand(target)),
      get: await getSignedUrl(s3, new GetObjectCommand(target)),
    };
    const curl = scenario.proxy.curlHttps;
    const denied = await curl([urls.get]);
    assert.deepEqual([denied.status, errorCode(denied.body)], [403, "InvalidAccessKeyId"]);
    await scenario.giveSecret({ substituteIn: ["query"] });
    assert.equal((await curl(["-X", "PUT", "--data-binary", body, urls.put])).status, 200);
    assert.equal((await curl([urls.get])).body, body);
    for (const changed of [urls.get.replace("pre%20", "pre"), urls.put]) {
      const refused = await curl([changed]);
      assert.equal(refused.status, 403);
      assert.equal(errorCode(refused.body), "aws_signature_refused");
    }
    await assert.rejects(get("body"), refusedWith(403, "InvalidAccessKeyId"));
  });

  test("temporary credentials are signed as the SDK signs them", async (t) => {
    t.after(() => scenario.giveSecret());
    await scenario.giveSecret({ allowedHosts: ["api.example.com"] }, realAwsKeys);
    const config = { endpoint: "https://api.example.com", forcePathStyle: true };
    await put("a +/key", "hello", scenario.s3Client(config));
    const request = scenario.proxy.upstream.last();
    assert.equal(request.headers["x-amz-security-token"], realAwsKeys.sessionToken);
    const { authorization } = request.headers;
    assert.equal(authorization, await signedByAwsSdk(request, realAwsKeys));
    assert.notEqual(authorization, await signedByAwsSdk(request, ownKeys));
  });

  test("at a host that is not the secret's, the tokens stay tokens", async () => {
    const config = { endpoint: "https://other.example.com", forcePathStyle: true };
    await put("key", "hello", scenario.s3Client(config));
    const request = scenario.proxy.upstream.last();
    assert.equal(request.headers.authorization, await signedByAwsSdk(request, guestAwsKeys));
    const line = await scenario.proxy.proxy.auditLine(({ host }) => host === "other.example.com");
    assert.deepEqual(
      [line.substituted, line.withheld.map(({ name }) => name)],
      [[], ["AWS", "AWS"]],
    );
  });

  test("a signature with another key than the token is refused, and nothing is sent", async () => {
    const keys = { ...guestAwsKeys, secretAccessKey: ownKeys.secretAccessKey };
    await assert.rejects(
      put("forged", "x", scenario.s3Client({ credentials: keys })),
      (error: Error) =>
        refusedWith(403, "aws_signature_refused")(error) &&
        /not the one that the tokens of AWS give/.test(error.message),
    );
    const line = await scenario.proxy.proxy.auditLine(({ path }) => path === "/forged");
    assert.equal(line.decision, "refused");
    assert.match(line.reason ?? "", /not the one that the tokens of AWS give/);
    await assert.rejects(get("forged"), refusedWith(404, "NoSuchKey"));
  });

  test("keys that the guest has itself pass untouched", async () => {
    const own = scenario.s3Client({ credentials: ownKeys });
    await put("own", "of the guest", own);
    assert.equal((await get("own", {}, own)).toString(), "of the guest");
    const line = await scenario.proxy.proxy.auditLine(({ path }) => path === "/own");
    assert.deepEqual([line.substituted, line.withheld], [[], []]);
  });

  test("no value is in what the proxy printed", () => {
    const printed = scenario.proxy.output();
    for (const value of Object.values(realAwsKeys)) assert.ok(!printed.includes(value));
  });
});

function errorCode(xml: string): string | undefined {
  return /<Code>(\w+)<\/Code>/.exec(xml)?.[1];
}
