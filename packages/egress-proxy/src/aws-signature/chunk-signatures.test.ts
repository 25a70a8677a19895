import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AwsSignatureError } from "./aws-signature-error.ts";
import { ChunkSignatures } from "./chunk-signatures.ts";
import { signingKey } from "./credential-scope.ts";
import { exampleKeys, exampleTime } from "./testing/aws-vectors.ts";

const scope = { date: "20130524", region: "us-east-1", service: "s3" };
const key = signingKey(exampleKeys.secretAccessKey, scope);
const otherKey = signingKey("osb_sealed_fedcba9876543210fedcba9876543210", scope);
const otherSeed = "0".repeat(64);

interface Example {
  readonly seed: string;
  readonly hasTrailer: boolean;
  readonly body: string;
}

/** The examples of Amazon S3's documentation of chunked uploads, as facts. */
const examples: Record<string, Example> = {
  "without a trailer": {
    seed: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    hasTrailer: false,
    body: [
      "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
      "a".repeat(65536),
      "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
      "a".repeat(1024),
      "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
      "",
      "",
    ].join("\r\n"),
  },
  "with a trailer": {
    seed: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    hasTrailer: true,
    body: [
      "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
      "a".repeat(65536),
      "400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
      "a".repeat(1024),
      "0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
      "x-amz-checksum-crc32c:sOO8/Q==",
      "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
      "",
      "",
    ].join("\r\n"),
  },
};

/** Signs a body again and returns all of it; `partBytes` is how it arrives. */
function again(
  { seed, hasTrailer, body }: Example,
  to: { key: Buffer; seed: string },
  options: { from?: Buffer; partBytes?: number; reserve?: (bytes: number) => boolean } = {},
): string {
  const { from = key, partBytes = 1000, reserve = () => true } = options;
  const signatures = new ChunkSignatures({
    ...{ time: exampleTime, scope, hasTrailer, reserve },
    guest: { key: from, seed },
    upstream: to,
  });
  const bytes = Buffer.from(body, "latin1");
  const sent: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += partBytes) {
    sent.push(...signatures.push(bytes.subarray(at, at + partBytes)));
  }
  sent.push(...signatures.end());
  return Buffer.concat(sent).toString("latin1");
}

describe("ChunkSignatures", () => {
  for (const [name, example] of Object.entries(examples)) {
    test(`verifies the example ${name}, and makes its signatures again from those of a guest`, () => {
      const asGuest = again(example, { key: otherKey, seed: otherSeed });
      assert.equal(asGuest.length, example.body.length);
      assert.notEqual(asGuest, example.body);
      for (const partBytes of [101, 65536, 1_000_000]) {
        const restored = again(
          { ...example, body: asGuest, seed: otherSeed },
          { key, seed: example.seed },
          { from: otherKey, partBytes },
        );
        assert.equal(restored, example.body);
      }
    });
  }

  const upstream = { key: otherKey, seed: otherSeed };
  const [plain, trailing] = [examples["without a trailer"], examples["with a trailer"]];
  assert.ok(plain && trailing);
  const refused: [string, Example, RegExp][] = [
    [
      "a changed byte",
      { ...plain, body: plain.body.replace("aaa", "aba") },
      /signature of a chunk/,
    ],
    ["a changed seed", { ...plain, seed: otherSeed }, /signature of a chunk/],
    [
      "a changed trailer",
      { ...trailing, body: trailing.body.replace("sOO8", "tOO8") },
      /signature of the trailers/,
    ],
    [
      "a body that is cut",
      { ...plain, body: plain.body.slice(0, 66_000) },
      /before its last chunk/,
    ],
    ["a chunk without a signature", { ...plain, body: "5\r\nhello\r\n" }, /does not begin with/],
    ["bytes after the end", { ...plain, body: `${plain.body}x\r\n` }, /bytes follow/],
    ["a long line", { ...plain, body: "0".repeat(2000) }, /too long/],
    [
      "trailers without a signature",
      { ...trailing, body: trailing.body.replace(/x-amz-trailer-sig.*\r\n/, "") },
      /before its last chunk/,
    ],
  ];
  for (const [name, example, message] of refused) {
    test(`refuses ${name}`, () => {
      assert.throws(() => again(example, upstream), { name: "AwsSignatureError", message });
    });
  }

  test("sends nothing of a chunk before it is verified", () => {
    const signatures = new ChunkSignatures({
      ...{ time: exampleTime, scope, hasTrailer: false, reserve: () => true, upstream },
      guest: { key, seed: plain.seed },
    });
    const end = plain.body.indexOf("\r\n400;");
    assert.deepEqual([...signatures.push(Buffer.from(plain.body.slice(0, end)))], []);
    assert.notDeepEqual([...signatures.push(Buffer.from("\r\n"))], []);
  });

  test("holds at most one chunk of bounded size, out of the budget", () => {
    const taken: number[] = [];
    const reserve = (bytes: number) => taken.push(bytes) > 0;
    again(plain, upstream, { reserve });
    assert.deepEqual(taken, [65536]);
    assert.throws(() => again(plain, upstream, { reserve: () => false }), {
      fault: "busy",
    });
    const huge = { ...plain, body: `100001;chunk-signature=${otherSeed}\r\n` };
    assert.throws(() => again(huge, upstream), { fault: "too_large", message: /1048577 bytes/ });
  });

  test("survives any bytes", () => {
    let state = 7;
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    for (let round = 0; round < 300; round += 1) {
      const bytes = Buffer.from(plain.body.slice(65_500), "latin1");
      for (let edits = random(6); edits >= 0; edits -= 1) bytes[random(bytes.length)] = random(256);
      const body = `24;chunk-signature=${otherSeed}\r\n${bytes.toString("latin1", random(200))}`;
      for (const text of [body, bytes.toString("latin1"), plain.body.slice(0, 65_700) + body]) {
        try {
          again({ ...plain, body: text }, upstream, { partBytes: 1 + random(400) });
        } catch (error) {
          assert.ok(error instanceof AwsSignatureError, String(error));
        }
      }
    }
  });
});
