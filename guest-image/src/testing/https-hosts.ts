import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createSecureServer } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { runProgram } from "../run-program.ts";

/** A host on loopback that speaks HTTP/1.1 and HTTP/2, with a certificate of an authority of its own. */
export interface HttpsHost {
  authorityPem: string;
  url: string;
  /** The paths of the requests so far: a client that does not trust the certificate sends none. */
  paths: string[];
  close(): Promise<void>;
}

export async function startHttpsHost(name: string): Promise<HttpsHost> {
  const { authorityPem, key, certificate } = await issue(name);
  const paths: string[] = [];
  const server = createSecureServer({ key, cert: certificate, allowHTTP1: true });
  // A client that refuses the certificate is what half of the tests are about.
  server.on("sessionError", () => undefined);
  server.on("request", (request, response) => {
    paths.push(request.url);
    response.end("received\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = z.object({ port: z.number() }).parse(server.address());
  return {
    authorityPem,
    url: `https://${name}:${port}`,
    paths,
    close: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

async function issue(name: string) {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-authority-"));
  const at = (file: string) => join(directory, file);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  try {
    await runProgram([
      ...(["openssl", "req", "-x509", ...newKey, "-days", "30"] as const),
      ...["-subj", `/CN=Authority of ${name}`, "-addext", "keyUsage=critical,keyCertSign"],
      ...["-keyout", at("authority.key"), "-out", at("authority.pem")],
    ]);
    await runProgram([
      ...(["openssl", "req", "-x509", ...newKey, "-days", "30"] as const),
      ...["-CA", at("authority.pem"), "-CAkey", at("authority.key"), "-subj", `/CN=${name}`],
      ...["-addext", `subjectAltName=DNS:${name}`, "-addext", "basicConstraints=CA:FALSE"],
      ...[
        "-addext",
        "extendedKeyUsage=serverAuth",
        "-keyout",
        at("key.pem"),
        "-out",
        at("cert.pem"),
      ],
    ]);
    const [authorityPem, key, certificate] = await Promise.all(
      ["authority.pem", "key.pem", "cert.pem"].map((file) => readFile(at(file), "utf8")),
    );
    return { authorityPem: authorityPem ?? "", key, certificate };
  } finally {
    await rm(directory, { recursive: true });
  }
}
