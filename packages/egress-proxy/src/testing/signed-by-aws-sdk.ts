import { S3Client } from "@aws-sdk/client-s3";
import { SignatureV4 } from "@smithy/signature-v4";
import { signatureInHeader } from "../aws-signature/request-signature.ts";
import { fieldOf } from "../http/fields.ts";
import type { SeenRequest } from "./upstream-server.ts";

const { sha256 } = new S3Client({ region: "eu-central-1" }).config;

/** The `Authorization` that AWS's own library gives a request to S3, for the time and the headers of the one that it has. */
export async function signedByAwsSdk(
  { method, host, target, headers }: SeenRequest,
  credentials: { accessKeyId: string; secretAccessKey: string },
): Promise<string> {
  const fields = Object.entries(headers).map(([name, value]) => fieldOf(name, String(value)));
  const { scope, time, signedHeaders } = signatureInHeader({ method, target, fields });
  const signer = new SignatureV4({
    ...{ credentials, sha256, region: scope.region, service: scope.service },
    ...{ uriEscapePath: false, applyChecksum: false },
  });
  const { pathname, searchParams } = new URL(`https://${host}${target}`);
  const signed = await signer.sign(
    {
      ...{ method, protocol: "https:", hostname: host, path: pathname },
      query: Object.fromEntries(searchParams),
      headers: Object.fromEntries(signedHeaders.map((name) => [name, String(headers[name] ?? "")])),
    },
    { signingDate: new Date(time.replace(/(....)(..)(.....)(..)(..)Z/, "$1-$2-$3:$4:$5Z")) },
  );
  return signed.headers["authorization"] ?? "";
}
