import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Installed by the set-up of the tests, from the list beside this file. */
const program = fileURLToPath(new URL("../../../../.cache/aws-tools/bin/weed", import.meta.url));
const s3Port = 8333;
/** The parts of the server meet at sockets in `/tmp` that have the same names in every server. */
const withOwnTmp = 'exec 3<"$1"; shift; mount --bind "$0" /tmp && exec /proc/self/fd/3 "$@"';
const startAttemptsMax = 600;
const attemptMilliseconds = 100;

/** A server of S3 that verifies signatures: SeaweedFS, with TLS, for the users that it was started with. */
export interface S3Server {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts the server on a loopback address that nothing else uses. It has no buckets;
 * a bucket is in the path, or in front of one of the domain names.
 */
export async function startS3Server(options: {
  address: string;
  domainNames: readonly string[];
  certificate: { cert: string; key: string };
  users: Readonly<Record<string, { accessKeyId: string; secretAccessKey: string }>>;
}): Promise<S3Server> {
  const { address, domainNames, certificate, users } = options;
  const directory = mkdtempSync(join(tmpdir(), "s3-server-"));
  const fileWith = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return `/tmp/${name}`;
  };
  const identities = Object.entries(users).map(([name, keys]) => ({
    name,
    credentials: [{ accessKey: keys.accessKeyId, secretKey: keys.secretAccessKey }],
    actions: ["Admin", "Read", "Write", "List"],
  }));
  const child = spawn(
    "unshare",
    [
      ...["--mount", "--propagation", "private", "/bin/sh", "-c", withOwnTmp, directory, program],
      ...["-logtostderr=true", "server", "-filer", "-s3", "-dir=/tmp"],
      ...[`-ip=${address}`, `-ip.bind=${address}`],
      ...["-master.telemetry=false", "-master.electionTimeout=1s"],
      ...["-master.volumeSizeLimitMB=64", "-volume.max=20"],
      ...[`-s3.port=${s3Port}`, `-s3.domainName=${domainNames.join()}`],
      `-s3.config=${fileWith("users.json", JSON.stringify({ identities }))}`,
      `-s3.cert.file=${fileWith("certificate.pem", certificate.cert)}`,
      `-s3.key.file=${fileWith("key.pem", certificate.key)}`,
      ...["-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const ended = once(child, "close");

  async function stop(): Promise<void> {
    child.kill("SIGKILL");
    await ended;
    rmSync(directory, { recursive: true });
  }

  for (let attempt = 0; attempt < startAttemptsMax && child.exitCode === null; attempt += 1) {
    if (await responds(address)) return { port: s3Port, stop };
    await new Promise((resolve) => setTimeout(resolve, attemptMilliseconds));
  }
  await stop();
  throw new Error(`The S3 server did not start:\n${output}`);
}

/** Its certificate is for names, and not for this address. */
function responds(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    get({ host, port: s3Port, rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(true);
    }).once("error", () => resolve(false));
  });
}
