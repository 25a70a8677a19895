import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { egressPorts } from "@opencomputer/protocol/wire";
import {
  addresses,
  anywhere,
  type EgressProxyScenario,
  key,
  startEgressProxyScenario,
} from "./testing/egress-proxy-scenario.ts";
import {
  type GrpcClient,
  type GrpcClientName,
  type GrpcServer,
  grpcClientNames,
  grpcCodes,
  startGrpcClient,
  startGrpcServer,
} from "./testing/grpc/grpc-programs.ts";

const host = "grpc.example.com";
/** Where connections to other loopback addresses come from. */
const clientAddress = "127.0.0.1";
const withToken = [["authorization", `Bearer ${anywhere.token}`]] as const;

describe("egress proxy, gRPC to a server of grpcio", () => {
  const directory = mkdtempSync(join(tmpdir(), "grpc-clients-"));
  let scenario: EgressProxyScenario;
  let server: GrpcServer;

  const clientOf = (name: GrpcClientName, of = host) =>
    startGrpcClient({
      name,
      address: `${addresses.proxy}:${egressPorts.tls}`,
      host: of,
      authorityFile: scenario.authorityFile,
    });

  before(async () => {
    scenario = await startEgressProxyScenario();
    const certificate = await scenario.internet.issue({ hosts: [host] });
    const certificateFile = join(directory, "certificate.pem");
    const keyFile = join(directory, "key.pem");
    writeFileSync(certificateFile, certificate.cert);
    writeFileSync(keyFile, certificate.key);
    server = await startGrpcServer({ certificateFile, keyFile });
    scenario.mapHost(host, server.port);
    await scenario.startProxy();
    await scenario.giveAuthority();
    await scenario.giveSession({ sourceAddress: clientAddress });
  });
  after(async () => {
    await server.end();
    await scenario.stop();
    rmSync(directory, { recursive: true });
  });

  for (const name of grpcClientNames) {
    describe(`calls of ${name}`, () => {
      let client: GrpcClient;
      before(() => {
        client = clientOf(name);
      });
      after(() => client.end());

      test("unary: a token in metadata becomes its value, and a token again in both kinds of metadata", async () => {
        const result = await client.call({
          kind: "unary_unary",
          method: "Unary",
          messages: ["hello"],
          metadata: withToken,
        });
        assert.deepEqual(result.messages, ["hello"]);
        assert.equal(result.code, grpcCodes.ok);
        assert.equal(server.lastMetadata()["authorization"], `Bearer ${anywhere.value}`);
        assert.equal(result.begins["x-begins"], `Bearer ${anywhere.token}`);
        assert.equal(result.ends["x-ends"], `Bearer ${anywhere.token}`);
      });

      test("streams of the client, of the server, and of both, message by message", async () => {
        const messages = ["one", "canary-value-q7Z2xK9", "osb_sealed_b", "", "x".repeat(100_000)];
        const joined = await client.call({ kind: "stream_unary", method: "Join", messages });
        assert.deepEqual(joined.messages, [messages.join(",")]);
        const split = await client.call({
          kind: "unary_stream",
          method: "Split",
          messages: [messages.join(",")],
        });
        assert.deepEqual(split.messages, messages);
        const echoed = await client.call({ kind: "stream_stream", method: "Echo", messages });
        assert.deepEqual(echoed.messages, messages);
        for (const { code } of [joined, split, echoed]) assert.equal(code, grpcCodes.ok);
      });

      test("a message is not changed: a token in it stays, and is named as withheld", async () => {
        const result = await client.call({
          kind: "unary_unary",
          method: "Unary",
          messages: [`<${anywhere.token}>`],
        });
        assert.deepEqual(result.messages, [`<${anywhere.token}>`]);
        const audit = await scenario.proxy.auditLine(({ withheld }) => withheld.length > 0);
        assert.deepEqual(audit.withheld, [{ name: "ANYWHERE", place: "body" }]);
      });

      test("a token of a secret for another host stays a token, and the metadata name it", async () => {
        const result = await client.call({
          kind: "unary_unary",
          method: "Unary",
          messages: ["a"],
          metadata: [["authorization", `Bearer ${key.token}`]],
        });
        assert.equal(result.code, grpcCodes.ok);
        assert.equal(server.lastMetadata()["authorization"], `Bearer ${key.token}`);
        assert.match(result.begins["opencomputer-egress"] ?? "", /^withheld=API_KEY \(/);
      });

      test("a value in a response message ends the call, after the messages before it", async () => {
        const result = await client.call({
          kind: "unary_stream",
          method: "Reveal",
          messages: ["a"],
          metadata: withToken,
        });
        assert.deepEqual(result.messages, ["first"]);
        assert.equal(result.code, grpcCodes.unavailable);
        assert.match(result.details, /holds the value of a secret/);
        assert.equal(JSON.stringify(result).includes(anywhere.value), false);
      });

      test("a status with details passes, its value redacted", async () => {
        const result = await client.call({
          kind: "unary_unary",
          method: "Fail",
          messages: ["a"],
          metadata: withToken,
        });
        assert.equal(result.code, grpcCodes.notFound);
        assert.equal(result.details, `none for Bearer ${anywhere.token}`);
      });

      test("a deadline ends the call on both sides, and the channel makes another one", async () => {
        const result = await client.call({
          kind: "unary_unary",
          method: "Wait",
          messages: ["a"],
          timeoutSeconds: 1,
        });
        assert.equal(result.code, grpcCodes.deadlineExceeded);
        await server.takeLine((line) => "cancelled" in line);
        const next = await client.call({ kind: "unary_unary", method: "Unary", messages: ["b"] });
        assert.deepEqual(next.messages, ["b"]);
      });

      test("a call to a host outside of the allowlist gets a status with the reason", async () => {
        const stranger = clientOf(name, "grpc.example.org");
        const result = await stranger.call({
          kind: "unary_unary",
          method: "Unary",
          messages: ["a"],
        });
        await stranger.end();
        assert.deepEqual(result.messages, []);
        assert.equal(result.code, grpcCodes.permissionDenied);
        assert.match(result.details, /grpc\.example\.org/);
      });
    });
  }
});
