import { Agent } from "node:https";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import type { AwsEgressSecret, EgressSession } from "@opencomputer/protocol/wire";
import { awsSecret, guestAwsKeys, realAwsKeys } from "./aws-secrets.ts";
import {
  addresses,
  type EgressProxyScenario,
  startEgressProxyScenario,
} from "./egress-proxy-scenario.ts";
import { startS3Server } from "./s3-server.ts";

const region = "eu-central-1";
const s3Host = `s3.${region}.amazonaws.com`;
/** Bucket of the server, which it has from the start. */
export const bucket = "photos";

const { sessionToken: _, ...longTermKeys } = realAwsKeys;

/** Another user of the server, whose keys a sandbox has itself. */
export const ownKeys = {
  accessKeyId: "AKIAOWNKEYSOFAGUEST0",
  secretAccessKey: "own-keys-of-a-guest-5HcJ6fGs1TuE0aWiOkMq",
};

/** The real proxy between AWS clients as a sandbox, and an S3 server under the names of AWS. */
export interface AwsScenario {
  readonly proxy: EgressProxyScenario;
  /** Gives the sandbox these credentials, for the hosts of AWS, with these changes. */
  giveSecret(
    changes?: Partial<AwsEgressSecret>,
    keys?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
    session?: Partial<EgressSession>,
  ): Promise<void>;
  /** The SDK as a sandbox has it: with the tokens, unless other keys are given. */
  s3Client(options?: S3ClientConfig): S3Client;
  /** The SDK beside the proxy. */
  directClient(
    keys: { accessKeyId: string; secretAccessKey: string },
    options?: S3ClientConfig,
  ): S3Client;
  stop(): Promise<void>;
}

/** Starts all of it; STS and `*.example.com` are the upstream that records requests. */
export async function startAwsScenario(): Promise<AwsScenario> {
  const proxy = await startEgressProxyScenario();
  // boto3 presigns for the host without a region.
  const domainNames = [s3Host, "s3.amazonaws.com"];
  const s3Hosts = [...domainNames, ...domainNames.map((name) => `${bucket}.${name}`)];
  const server = await startS3Server({
    address: addresses.s3Server,
    domainNames,
    certificate: await proxy.internet.issue({ hosts: s3Hosts }),
    users: { real: longTermKeys, own: ownKeys },
  }).catch(async (error: unknown) => {
    await proxy.stop();
    throw error;
  });
  const { environment, upstream } = proxy;
  environment["OPENCOMPUTER_EGRESS_HOSTS"] = [
    environment["OPENCOMPUTER_EGRESS_HOSTS"],
    ...s3Hosts.map((host) => `${host}:443=${addresses.s3Server}:${server.port}`),
    `sts.${region}.amazonaws.com:443=127.0.0.1:${upstream.tlsPort}`,
  ].join(",");
  await proxy.startProxy();
  await proxy.giveAuthority();

  const clients: S3Client[] = [];
  const clientOf = (agent: Agent, config: S3ClientConfig): S3Client => {
    const client = new S3Client({
      region,
      maxAttempts: 1,
      requestHandler: { httpsAgent: agent },
      ...config,
    });
    clients.push(client);
    return client;
  };
  return {
    proxy,
    giveSecret: (changes = {}, keys = longTermKeys, session = {}) =>
      proxy.giveSession({
        egressAllowlist: ["*.amazonaws.com", "*.example.com"],
        secrets: [],
        awsSecrets: [awsSecret({ allowedHosts: ["*.amazonaws.com"], ...changes }, keys)],
        ...session,
      }),
    s3Client(config = {}) {
      const agent = new Agent({ keepAlive: true });
      agent.createConnection = ({ host }) => proxy.openTls(host ?? "");
      return clientOf(agent, { credentials: guestAwsKeys, ...config });
    },
    directClient: (credentials, config = {}) =>
      clientOf(new Agent({ ca: proxy.internet.certificatePem, servername: s3Host }), {
        credentials,
        endpoint: `https://${addresses.s3Server}:${server.port}`,
        forcePathStyle: true,
        ...config,
      }),
    async stop() {
      for (const client of clients) client.destroy();
      await proxy.stop();
      await server.stop();
    },
  };
}
