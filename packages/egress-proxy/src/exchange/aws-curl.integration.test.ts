import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { awsSecret, guestAwsKeys, realAwsKeys } from "../testing/aws-secrets.ts";
import { startExchange } from "../testing/http-exchange-fixture.ts";
import { testSession } from "../testing/sessions.ts";

const run = promisify(execFile);
const scanner = new BlockScanner();
const { sessionToken: _, ...longTerm } = realAwsKeys;

interface Request {
  readonly service: string;
  readonly path: string;
  readonly options: readonly string[];
}

/** Has curl sign a request with these keys, and send it to a port of loopback. */
async function curl(
  keys: { accessKeyId: string; secretAccessKey: string },
  port: number,
  { service, path, options }: Request,
): Promise<string> {
  const host = `${service}.eu-central-1.amazonaws.com`;
  const { stdout } = await run("curl", [
    ...["-sS", "--max-time", "20", "--path-as-is"],
    ...["--aws-sigv4", `aws:amz:eu-central-1:${service}`],
    ...["--user", `${keys.accessKeyId}:${keys.secretAccessKey}`],
    ...["--connect-to", `${host}:80:127.0.0.1:${port}`],
    ...options,
    `http://${host}${path}`,
  ]);
  return stdout;
}

/** An upstream that responds with the signature that it received. */
function listener(request: http.IncomingMessage, response: http.ServerResponse): void {
  const parts: Buffer[] = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const { authorization, "x-amz-date": date } = request.headers;
    response.end(JSON.stringify({ date, authorization, body: Buffer.concat(parts).toString() }));
  });
}

async function startUpstream(t: TestContext): Promise<number> {
  const server = http.createServer(listener).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  return (server.address() as AddressInfo).port;
}

describe("a request that curl signs with tokens", () => {
  const requests: [string, Request][] = [
    ["a GET", { service: "ec2", path: "/?Action=DescribeRegions&Version=2016-11-15", options: [] }],
    [
      "a POST whose hash it does not state",
      { service: "sqs", path: "/", options: ["--data", "Action=ListQueues"] },
    ],
    [
      "a PUT to S3",
      { service: "s3", path: "/bucket/key", options: ["-X", "PUT", "--data", "hello"] },
    ],
  ];
  for (const [name, request] of requests) {
    test(`arrives as if curl had the credentials: ${name}`, async (t) => {
      const host = `${request.service}.eu-central-1.amazonaws.com`;
      const exchange = await startExchange({
        ...{ serverName: host, upstream: listener },
        policy: createSessionPolicy(
          testSession({ egressAllowlist: [host], awsSecrets: [awsSecret({}, longTerm)] }),
          scanner,
        ),
      });
      t.after(() => exchange.close());
      const port = await startUpstream(t);
      let direct = "";
      let received = "";
      // Both must be signed in the same second.
      for (let attempt = 0; attempt < 20; attempt += 1) {
        direct = await curl(longTerm, port, request);
        received = await curl(guestAwsKeys, exchange.port, request);
        if (JSON.parse(direct).date === JSON.parse(received).date) break;
      }
      assert.ok(direct.includes(realAwsKeys.accessKeyId));
      const redacted = direct.replace(realAwsKeys.accessKeyId, guestAwsKeys.accessKeyId);
      assert.equal(received, redacted);
      const [line] = await exchange.audited(1);
      assert.deepEqual([line?.substituted, line?.redacted], [["AWS"], ["AWS"]]);
    });
  }
});
